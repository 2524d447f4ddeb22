"""Other sizes of an effective field that follow from widely read rules, and why they differ.

The theoretical field is a sum over layers, the variance of the effective one is such a sum too
[1]_: with equal effects of all taps, a window of k taps, dilation d and jump S adds
(d·S)²·(k² − 1)/12.  So a plain stack of n layers has a size that grows as √n, while its ratio to
the field falls as 1/√n; with dilations and strides it is another law.

References
----------
.. [1] Luo, Li, Urtasun, Zemel, "Understanding the Effective Receptive Field in Deep Convolutional
   Neural Networks", NIPS 2016, arXiv:1701.04128.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gamma, log, pi, sqrt

from rfstudio.core.fields.closed_form import ClosedForm, Step
from rfstudio.core.fields.other_numbers import OtherNumber
from rfstudio.core.metrics.metrics import LUO_SHARE

_CLOSE = 0.05
"""Relative difference up to which two sizes are the same."""


def other_effective_sizes(
    form: ClosedForm, sides: Sequence[int | None], size: float
) -> tuple[OtherNumber, ...]:
    """Return which other sizes are found for an effective field, and why.

    Parameters
    ----------
    form
        The closed form of the (local) field of its layer.
    sides
        Size of that field along each axis; None: there is none.
    size
        Its size as Luo et al. measure it.
    """
    found = []
    field = sides[0] if len(set(sides)) == 1 else None
    if field is not None and size < (1 - _CLOSE) * field:
        reason = _LINEAR.format(size=_text(size), share=100 * size / field)
        found.append(OtherNumber("ERF size", str(field), reason))
    if len(form.axes) == 1 and form.axes[0].kind == "sums":
        found += _by_root(form.axes[0].steps, len(sides), size)
    found.append(OtherNumber("measured", "nothing, or all pixels", _SNIPPETS))
    return tuple(found)


def _by_root(steps: Sequence[Step], axes: int, size: float) -> Iterator[OtherNumber]:
    windows = [x for x in steps if x.kernel > 1]
    if all(x.jump == x.dilation == 1 for x in windows):
        return  # a plain stack, for which the law holds
    root = _wide(axes) * sqrt(sum(x.kernel**2 - 1 for x in windows) / 12)
    if abs(root - size) > _CLOSE * size:
        reason = _ROOT.format(factor=_wide(axes), count=len(windows), size=_text(size))
        yield OtherNumber("ERF size", _text(root), reason)


def _wide(axes: int) -> float:
    """Return the size of a Gaussian with a standard deviation of 1: 4.406 on an image.

    It is the side of a cube with the volume of the ball in which the Gaussian is above the share.
    """
    radius = sqrt(-2 * log(LUO_SHARE))
    volume = pi ** (axes / 2) / gamma(axes / 2 + 1)
    return float(radius * volume ** (1 / axes))


def _text(size: float) -> str:
    return f"{size:.3g}" if size < 1000 else f"{size:.0f}"


_LINEAR = (
    "the theoretical field, as if the effective one grew with depth as fast; but the effects of "
    "layers add up to a bell, whose variance is a sum over layers and whose width is the root of "
    "that sum: here {size}, {share:.3g} % of the field"
)
_ROOT = (
    "by growth with √depth, {factor:.4g}·√(Σ (k² − 1)/12) over {count} windows: that law, and the "
    "falling ratio to the field, are for plain stacks; dilations 1, 2, 4 … keep the ratio, strides "
    "multiply what layers after them add, and training moves it to where the task needs it; here "
    "it is {size}"
)
_SNIPPETS = (
    "by snippets whose input lacks requires_grad (there is no gradient), that put one pixel on a "
    "zero image (half of all relus pass nothing on), or that sum the change of the whole map under "
    "occlusion (every pixel counts); here it is what moves this one unit"
)
