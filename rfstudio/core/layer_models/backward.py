"""The way back through a layer: what it does to a flow from its output to its input.

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
from math import prod
from typing import NamedTuple, TypeAlias

from rfstudio.core.axes.axis_rule import AxisRules
from rfstudio.core.layer_models.autocorrelation import Rule
from rfstudio.core.layer_models.spread import Spreads, Values, spreads_of

Factors: TypeAlias = float | tuple[float, ...]
"""One factor for all channels, or one for each run of channels that have the same moments."""


class Backward(NamedTuple):
    """How one layer passes back what flows into its output, per channel.

    (E5) M_in = keep · M_out + factor · (spreads of M_out).

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
    correlation
        What it does to that correlation otherwise; None: nothing.
    taps
        Weight of each tap of a window, one axis for each of the map's; None: all weigh the same.
    places
        Of a layer where nothing spreads, what positions keep over the mean of all: for each axis a
        factor by position; None: all keep the same.
    """

    keep: Factors = 1.0
    factor: float = 1.0
    spreads: Spreads | None = None
    gate: float = 1.0
    correlation: Rule | None = None
    taps: Values | None = None
    places: tuple[Values, ...] | None = None


PASS = Backward()


def spreading(
    rules: AxisRules,
    factor: float = 1.0,
    *,
    power: int = 0,
    keep: Factors = 0.0,
    correlation: Rule | None = None,
) -> Backward:
    """Return what spreads along rules whose weights are raised to a power."""
    spreads = spreads_of(rules, power)
    factor *= prod([x.factor for x in spreads])
    return Backward(keep, factor, spreads, correlation=correlation)


def one_or_each(factors: Sequence[float]) -> Factors:
    """Return the factors of all runs of channels, as one number if they are the same."""
    return factors[0] if min(factors) == max(factors) else tuple(factors)
