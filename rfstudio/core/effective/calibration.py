"""The model of a network's gradients, brought to what was measured of them.

The model says where energy goes; how much of it goes there can be measured, with a few gradients
of the whole map.  `calibrated` walks back as the model does and compares, layer by layer, what the
model passes on with what arrived in the measurement; `with_gains` puts the factors that it finds
into the model.  Derivation: docs/expected-erf.md, "Measured gains".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.effective.energy_flow import Energy, Gain, Gains
from rfstudio.core.effective.flow import Flow
from rfstudio.core.effective.flow_back import flow_back
from rfstudio.core.layer_models.backward import Backward, Factors
from rfstudio.core.layer_models.spread import WindowSpread

Edge: TypeAlias = tuple[int, int]
"""A node and one of its sources."""

_LEAST = 1e-30
"""Smallest factor: of a layer that passes nothing on, so that shares of channels stay numbers."""


class Measured(NamedTuple):
    """What was measured of gradients that started with 1 for every channel and position.

    Attributes
    ----------
    energy
        For each edge the mean square of what it passes on, summed over positions, for each channel
        of the source.
    survival
        For edges into a map that several layers read: how much of what the edge passes on the
        gates after it let through, over what they let through of all that arrives there.
    taps
        For convolutions the share of each tap in what they pass on, with mean 1.
    """

    energy: Mapping[Edge, NDArray[np.float64]]
    survival: Mapping[Edge, float]
    taps: Mapping[int, NDArray[np.float64]]


class Gained(NamedTuple):
    """A model with measured factors: what each layer does, and factors of edges."""

    backward: list[Backward]
    edges: dict[Edge, Factors]


def with_gains(
    energy: Energy, gains: Gains | None, target: int | None = None, reference: int = 0
) -> Gained:
    """Return how energy flows back with some factors replaced by measured ones.

    Parameters
    ----------
    energy
        The model.
    gains
        The measured factors.
    target, reference
        Node of the unit and the one at which to stop: factors of a skip count whose
        two activations are passed on the way.
    """
    backward = [x.backward for x in energy.layers]
    edges: dict[Edge, Factors] = dict(energy.edges)
    last = len(backward) if target is None else target
    for edge, (after, before) in energy.gates.items():
        if after <= last and before > reference:
            edges[edge] = energy.skips[edge]
    for key, gain in (gains or {}).items():
        if (key[0] if isinstance(key, tuple) else key) >= len(backward):
            continue  # after the unit
        if isinstance(key, tuple):
            edges[key] = _factors(gain, energy.runs[key[1]])
            continue
        layer, node = energy.layers[key], energy.graph.nodes[key]
        if layer.backward.spreads is None:
            backward[key] = layer.backward._replace(
                keep=_factors(gain, energy.runs[node.inputs[0]])
            )
        elif isinstance(gain, tuple):
            edges[key, node.inputs[0]] = _factors(gain, energy.runs[node.inputs[0]])
        else:
            backward[key] = _scaled(layer.backward, gain, layer.open)
    return Gained(backward, edges)


def _factors(gain: Gain, runs: tuple[int, ...]) -> Factors:
    """Return one factor for each run of channels, or one for all."""
    if not isinstance(gain, tuple):
        return float(np.mean(gain))
    if len(gain) == len(runs):
        return gain
    return float(
        np.mean(gain)
    )  # measured at a size of image where other channels have the same moments


def _scaled(how: Backward, gain: float | NDArray[np.float64], included: float) -> Backward:
    """Return a layer that spreads and passes on `gain` times as much, `included` being in it."""
    mean = float(np.mean(gain))
    factor = mean / included
    scaled = how._replace(keep=_product(how.keep, factor), factor=how.factor * factor)
    if isinstance(gain, np.ndarray) and all(isinstance(x, WindowSpread) for x in how.spreads or ()):
        return scaled._replace(taps=gain / max(mean, _LEAST))
    return scaled


def calibrated(energy: Energy, target: int, measured: Measured) -> Gains:
    """Return the factors with which the model passes on what was measured.

    Parameters
    ----------
    energy
        The model, of the network and the size of image that were measured.
    target
        The node at which gradients started.
    measured
        What was measured.

    Returns
    -------
    Gains
        As `rfstudio.core.effective.expected.expected_erf` takes them.
    """
    taps: dict[int | Edge, Gain] = {i: x for i, x in measured.taps.items() if x.size > 1}
    # Without the model's own factors of edges, so that ratios are the whole factors.
    plain = with_gains(energy, taps)
    nodes = energy.graph.nodes
    ratios: dict[Edge, Factors] = {}

    def adjust(index: int, source: int, flows: list[Flow]) -> list[Flow]:
        """Compare what the model passes on with what was measured, and go on with the latter."""
        edge = index, source
        found = measured.energy.get(edge)
        node = nodes[index]
        # One map in two places of a concat has two slices, and one key for both.
        twice = type(node.op) is ops.Concat and node.inputs.count(source) > 1
        if found is None or not flows or twice:
            return flows
        counts = energy.runs[source]
        arrived = np.add.reduceat(found, np.cumsum((0, *counts[:-1])))
        modelled = np.asarray(sum(_by_run(x, counts) for x in flows)) * counts
        if isinstance(node.op, ops.Merge) or energy.layers[index].backward.spreads is not None:
            arrived, modelled = arrived.sum(keepdims=True), modelled.sum(keepdims=True)
        shares = measured.survival.get(edge, 1.0) * arrived / np.maximum(modelled, 1e-300)
        found_ratios = tuple(np.maximum(shares, _LEAST).tolist())
        ratios[edge] = found_ratios if len(found_ratios) > 1 else found_ratios[0]
        return [x.times(ratios[edge]) for x in flows]

    size = nodes[target].size
    start = Flow((0,) * len(size), np.ones(size))
    flow_back(energy.graph, target, start, plain.backward, runs=energy.runs, adjust=adjust)
    return _as_gains(energy, ratios, taps)


def _by_run(flow: Flow, counts: tuple[int, ...]) -> NDArray[np.float64]:
    shares = (1.0,) * len(counts) if flow.profile is None else flow.profile
    return flow.amount * np.asarray(shares)


def _as_gains(
    energy: Energy, ratios: Mapping[Edge, Factors], taps: Mapping[int | Edge, Gain]
) -> Gains:
    """Return ratios to the model in the form in which gains are given."""
    gains: dict[int | Edge, Gain] = {}
    for (index, source), ratio in ratios.items():
        layer, node = energy.layers[index], energy.graph.nodes[index]
        if isinstance(node.op, ops.Merge):
            gains[index, source] = ratio
        elif layer.backward.spreads is None:
            gains[index] = _product(layer.backward.keep, ratio)
        else:
            assert isinstance(ratio, float)
            tap = taps.get(index)
            gains[index] = tap * ratio if isinstance(tap, np.ndarray) else ratio * layer.open
    return gains


def _product(a: Factors, b: Factors) -> Factors:
    if not isinstance(a, tuple) and not isinstance(b, tuple):
        return a * b
    count = len(a) if isinstance(a, tuple) else len(b) if isinstance(b, tuple) else 1
    first = a if isinstance(a, tuple) else (a,) * count
    second = b if isinstance(b, tuple) else (b,) * count
    return tuple([x * y for x, y in zip(first, second, strict=True)])
