"""What each layer does to something that flows from its output back to its input.

Two algebras share this form.  Counting paths gives every tap the weight 1.  The expected energy
E[g²] of a gradient gets the squared weights, averaged over random draws of them: the variance
recursion of Luo et al. [1]_ (their section 2), for any operation.

References
----------
.. [1] Luo, Li, Urtasun, Zemel, "Understanding the effective receptive field in deep convolutional
   neural networks", NIPS 2016, arXiv:1701.04128.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np

from rfstudio.core import ops
from rfstudio.core.effective.autocorrelation import LagRule
from rfstudio.core.effective.interpolation import tables
from rfstudio.core.effective.spread import (
    AxisSpread,
    Values,
    WholeSpread,
    ones,
    samples_in_windows,
    table_from,
    weighted,
)
from rfstudio.core.network.graph import Node
from rfstudio.core.ops.geometry import AxisRule, Whole, Window, resolved_padding

Spreads: TypeAlias = tuple[AxisSpread, ...]

Factors: TypeAlias = float | tuple[float, ...]
"""One factor for all channels, or one for each run of channels that are alike."""


class Backward(NamedTuple):
    """How one layer passes back what flows into its output, per channel.

    Attributes
    ----------
    keep
        Factor of what stays at its position.
    factor
        Factor of what spreads.
    spreads
        Where it spreads to, along each axis; None: nothing spreads.
    gate
        Factor of the correlation of two distant gradients, of the gates of an activation.
    lag
        What it does to that correlation otherwise; None: nothing.
    taps
        Weight of each tap of a window, one axis for each of the map's; None: all are alike.
    """

    keep: Factors = 1.0
    factor: float = 1.0
    spreads: Spreads | None = None
    gate: float = 1.0
    lag: LagRule | None = None
    taps: Values | None = None


PASS = Backward()


def one_or_each(factors: Sequence[float]) -> Factors:
    """Return the factors of all runs of channels, as one number if they are the same."""
    return factors[0] if min(factors) == max(factors) else tuple(factors)


def spreads_of_ones(node: Node) -> Spreads:
    """Return the spreads of a layer that reads all its taps with the weight 1."""
    return tuple([ones(rule) for rule in node.rules])


def mean_over_window(op: ops.AvgPool, node: Node, power: int) -> tuple[float, Spreads]:
    """Return factor and spreads of an average pool whose weights are raised to a power.

    The divisor is PyTorch's: padding counts or not, a window that leaves even the padding counts
    what is left of it.
    """
    sizes = tuple([rule.n_in for rule in node.rules])
    factor = 1.0
    found: list[AxisSpread] = []
    for rule, (_, after) in zip(node.rules, resolved_padding(op, sizes), strict=True):
        assert isinstance(rule, Window)
        counts = samples_in_windows(rule, after if op.count_include_pad else None)
        factor /= rule.kernel**power
        # A window without any sample puts out 0 and passes nothing back.
        weights = (rule.kernel / counts.clip(min=1.0)) ** power * (counts > 0)
        found.append(weighted(rule, weights))
    return factor, tuple(found)


def equal_chances(node: Node) -> tuple[float, Spreads]:
    """Return factor and spreads of a pool that takes each real sample with equal chance."""
    factor = 1.0
    found: list[AxisSpread] = []
    for rule in node.rules:
        if isinstance(rule, Window):
            counts = samples_in_windows(rule)
            factor /= rule.kernel
            found.append(weighted(rule, rule.kernel / counts.clip(min=1.0) * (counts > 0)))
        else:
            found.append(even(rule, 1))
    return factor, tuple(found)


@lru_cache(maxsize=4096)
def even(rule: AxisRule, power: int) -> AxisSpread:
    """Return the spread of a mean: each output divides by the number of samples that it reads."""
    if isinstance(rule, Window):
        counts = samples_in_windows(rule)
        return weighted(rule, (counts > 0) / counts.clip(min=1.0) ** power)
    if isinstance(rule, Whole):
        return WholeSpread(rule.n_in, 1.0 / rule.n_in**power)
    outputs, inputs = rule.pairs
    counts = np.bincount(outputs, minlength=rule.n_out).astype(np.float64)
    return table_from(outputs, inputs, counts[outputs] ** -power)


def interpolation(op: ops.Upsample, node: Node, power: int) -> Spreads:
    """Return the spreads of an interpolation whose weights are raised to a power."""
    return tuple(
        [
            table_from(x[:, 0].astype(int), x[:, 1].astype(int), abs(x[:, 2]) ** power)
            for x in tables(op, node.rules)
        ]
    )


def counting(node: Node, *, means: bool = True) -> Backward:
    """Return what counts paths: learned weights are 1, activations and norms do nothing.

    Parameters
    ----------
    node
        The layer.
    means
        Whether means and interpolations keep their own weights (of which the absolute value
        counts); otherwise all taps of all layers count 1.
    """
    op = node.op
    if means:
        match op:
            case ops.AvgPool():
                return Backward(0.0, *mean_over_window(op, node, 1))
            case ops.AdaptiveAvgPool() | ops.GlobalAvgPool():
                return Backward(0.0, 1.0, tuple([even(x, 1) for x in node.rules]))
            case ops.Upsample():
                return Backward(0.0, 1.0, interpolation(op, node, 1))
    if all(isinstance(x, Window) and x.is_identity and x.n_in == x.n_out for x in node.rules):
        return PASS
    return Backward(0.0, 1.0, spreads_of_ones(node))
