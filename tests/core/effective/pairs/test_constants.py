"""Numbers that are added to values: their correlations and their gates, against drawn numbers."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.effective.energy_flow import Energy, energy_of
from rfstudio.core.effective.pairs.filters import FilterPairs
from rfstudio.core.effective.pairs.value_correlations import Correlations
from rfstudio.core.effective.read_values import open_more, scaled_from
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.core.ops import Op
from rfstudio.core.work import Tally

RELU = ops.Relu()
CONV = ops.Conv(kernel_size=3, out_channels=64, padding=1, bias=False)
MEAN = ops.AvgPool(kernel_size=2, stride=1)


def _energy(*layers: Op) -> Energy:
    graph = expand(Architecture("test", "", "", (24,), 256, tuple(map(Layer, layers))))
    return energy_of(graph, batch_norm="fresh")


def _drawn(rng: np.random.Generator, apart: int) -> tuple[np.ndarray, np.ndarray]:
    """Return normal values of variance 2, at two places whose windows have no sample in common."""
    first = rng.normal(0, 2**0.5, 400_000)
    return first, first if apart == 0 else rng.normal(0, 2**0.5, 400_000)


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.7), (-2.0, 0.5), (0.5, -1.0)])
def test_that_a_number_that_is_added_is_in_all_products_of_values(
    factor: float, shift: float
) -> None:
    energy = _energy(CONV, RELU, ops.Affine(factor=factor, shift=shift))
    values = Correlations(energy, (4,), Tally())
    rng = np.random.default_rng(0)
    for lag in (0, 4):
        a, b = (factor * np.maximum(x, 0) + shift for x in _drawn(rng, lag))
        assert values.at(3, (lag,)) == pytest.approx((a * b).mean() / (a**2).mean(), abs=0.01)
    assert values.at(3, (9,)) == pytest.approx(values.at(3, (4,)))


@pytest.mark.parametrize("before", [[], [MEAN]], ids=["gate", "mean"])
@pytest.mark.parametrize("shift", [1.5, -0.2])
def test_that_open_gates_say_nothing_of_a_number_that_is_added(
    before: list[Op], shift: float
) -> None:
    layers = [CONV, RELU, *before, ops.Affine(factor=2.0, shift=shift)]
    first, second = open_more(_energy(*layers), len(layers))
    rng = np.random.default_rng(0)
    gate = rng.normal(0, 2**0.5, 1_000_000)
    # The mean of two: the gate of the first is open.
    x = np.maximum(gate, 0)
    if before:
        x = (x + np.maximum(_beside(rng, gate), 0)) / 2
    x, is_open = 2 * x + shift, gate > 0
    assert first == pytest.approx(x[is_open].mean() / x.mean(), rel=0.02)
    assert second == pytest.approx((x[is_open] ** 2).mean() / (x**2).mean(), rel=0.02)
    plain, _ = open_more(_energy(*layers[:-1]), len(layers) - 1)
    assert (first < plain) == (shift > 0)


def _beside(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Return values of the same variance that do not depend on others."""
    return rng.permutation(x)


def test_that_values_around_0_have_no_mean_that_gates_could_change() -> None:
    shift = -((2 / 2 / np.pi) ** 0.5)
    assert open_more(_energy(CONV, RELU, ops.Affine(shift=shift)), 3)[0] == 1.0


def test_that_a_gate_depends_on_the_weights_less_the_farther_a_number_moves_it() -> None:
    shift, variance = 1.0, 2.0
    keep = 0.5
    energy = _energy(CONV, ops.Affine(shift=shift), RELU)
    node = energy.graph.nodes[3]
    *_, cross = FilterPairs(energy, Correlations(energy, (4,), Tally()), Tally()).gate(
        node, (2,), keep
    )
    # E[z φ′(z + 1)]² / variance² of a normal z is the squared density at −1.
    density = np.exp(-(shift**2) / 2 / variance) / (2 * np.pi * variance) ** 0.5
    assert cross == pytest.approx(density**2 / keep, rel=0.02)


def test_that_what_a_norm_takes_away_is_no_shift() -> None:
    layers = [CONV, ops.Affine(shift=3.0), ops.BatchNorm(), ops.Affine(factor=2.0, shift=-1.0)]
    graph = expand(Architecture("test", "", "", (24,), 256, tuple(map(Layer, layers))))
    assert scaled_from(energy_of(graph, batch_norm="warmed"), 4).shift == -1.0
    assert scaled_from(_energy(*layers), 4).shift == pytest.approx(5.0, rel=1e-4)
