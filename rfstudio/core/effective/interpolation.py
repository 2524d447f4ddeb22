"""Along one axis: with which weight an upsampling reads each input sample.

References
----------
.. [1] PyTorch 2, `torch.nn.functional.interpolate`: source positions and weights of every mode.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.ops import scale_per_axis
from rfstudio.core.ops.geometry import AxisRules, Window

_SHARPNESS = -0.75
"""The free parameter of the cubic convolution kernel, as PyTorch has it [1]_."""


def tables(op: ops.Upsample, rules: AxisRules) -> tuple[NDArray[np.float64], ...]:
    """Return along each axis the pairs of an interpolation.

    Returns
    -------
    tuple of (pairs, 3) arrays
        Output index, input index and weight of each pair; weights of 0 are left out, and what is
        read twice, at a border, has the sum of both weights.
    """
    sizes = tuple([rule.n_in for rule in rules])
    out_sizes = tuple([rule.n_out for rule in rules])
    if op.scale_factor is not None:
        ratios = tuple(1 / x for x in scale_per_axis(op.scale_factor, len(sizes)))
    else:
        ratios = tuple(Fraction(n, m) for n, m in zip(sizes, out_sizes, strict=True))
    return tuple(
        _copies(rule.n_out)
        if isinstance(rule, Window)
        else _table(rule.n_in, rule.n_out, ratio, op.mode, op.align_corners)
        for rule, ratio in zip(rules, ratios, strict=True)
    )


def _copies(count: int) -> NDArray[np.float64]:
    outputs = np.arange(count)
    return np.stack([outputs, outputs, np.ones(count)], axis=1)


@lru_cache(maxsize=1024)
def _table(n: int, m: int, ratio: Fraction, mode: str, align_corners: bool) -> NDArray[np.float64]:
    outputs = np.arange(m)
    if align_corners:
        ratio = Fraction(n - 1, m - 1) if m > 1 else Fraction(0)
    # Exact: twice the source position over twice the denominator, in whole numbers.
    if mode == "nearest":
        first = outputs * ratio.numerator // ratio.denominator
        taps = [(first, np.ones(m))]
    else:
        if align_corners:
            twice = 2 * outputs * ratio.numerator
        else:
            twice = (2 * outputs + 1) * ratio.numerator - ratio.denominator
        if mode != "bicubic":
            twice = np.maximum(twice, 0)
        first, rest = np.divmod(twice, 2 * ratio.denominator)
        t = rest / (2 * ratio.denominator)
        taps = _cubic(first, t) if mode == "bicubic" else [(first, 1 - t), (first + 1, t)]
    rows = np.concatenate([outputs] * len(taps))
    columns = np.clip(np.concatenate([x for x, _ in taps]), 0, n - 1)
    values = np.concatenate([w for _, w in taps])
    keys, where = np.unique(rows * n + columns, return_inverse=True)
    sums = np.bincount(where, values)
    kept = sums != 0
    return np.stack([keys[kept] // n, keys[kept] % n, sums[kept]], axis=1)


def _cubic(
    first: NDArray[np.int64], t: NDArray[np.float64]
) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    a = _SHARPNESS

    def near(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [
        (first - 1, far(t + 1)),
        (first, near(t)),
        (first + 1, near(1 - t)),
        (first + 2, far(2 - t)),
    ]
