"""Weights of interpolations against torch's, and what axis rules derive from weights."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import (
    Periodic,
    Window,
    as_mean,
    samples_in_windows,
    shares_of_taps,
)
from rfstudio.core.axes.interpolation import interpolated_at, interpolated_period
from rfstudio.core.ops.geometry import axis_rules
from tests.narrowing import instance


@pytest.mark.parametrize("mode", ["nearest", "linear", "bicubic"])
@pytest.mark.parametrize("by_corner", [True, False])
@pytest.mark.parametrize(
    "ratio",
    [
        *(Fraction(5, 7), Fraction(3, 16), Fraction(1, 31), Fraction(1, 300), Fraction(7, 257)),
        *(Fraction(1003, 512), Fraction(2**29 + 1, 4093), Fraction(2**31 - 1, 4093)),
    ],
    ids=str,
)
def test_that_a_long_period_is_what_each_of_its_positions_is(
    ratio: Fraction, mode: str, by_corner: bool
) -> None:
    shift = Fraction(0) if by_corner else Fraction(1, 2)
    found = interpolated_period(ratio, mode, by_corner=by_corner)
    expected = [
        interpolated_at((i + shift) * ratio - shift, mode) for i in range(ratio.denominator)
    ]
    assert list(zip(*found, strict=True)) == expected


CASES = [
    (mode, align, size, out)
    for mode, align in (
        ("nearest", False),
        ("linear", False),
        ("linear", True),
        ("bicubic", False),
        ("bicubic", True),
    )
    for size, out in ((5, 10), (5, 7), (7, 5), (4, 12), (6, 4), (1, 3), (3, 1))
]


@pytest.mark.parametrize(("mode", "align", "size", "out"), CASES)
def test_that_weights_are_what_torch_makes_of_unit_impulses(
    mode: str, align: bool, size: int, out: int
) -> None:
    plane = mode == "bicubic"
    shape, target = ((size, 3), (out, 3)) if plane else ((size,), (out,))
    op = ops.Upsample(size=target, mode=mode, align_corners=align)
    rule = axis_rules(op, shape)[0]
    impulses = torch.eye(size, dtype=torch.float64)
    options = {} if mode == "nearest" else {"align_corners": align}
    if plane:
        images = impulses[:, None, :, None].expand(-1, -1, -1, 3)
        wanted = torch.nn.functional.interpolate(images, target, mode=mode, **options)[:, 0, :, 1]
    else:
        wanted = torch.nn.functional.interpolate(impulses[:, None], out, mode=mode, **options)[:, 0]
    found = np.zeros((out, size))
    if isinstance(rule, Window):
        found[np.arange(out), np.arange(out)] = 1.0
    else:
        read = instance(Periodic, rule)
        found[read.pairs] = read.amplitudes
    np.testing.assert_allclose(found, wanted.T.numpy(), atol=1e-12)


@pytest.mark.parametrize("include", [False, True])
def test_that_divisors_of_means_are_those_of_torch(include: bool) -> None:
    rule = Window(11, 7, 4, 2, before=2)  # with ceil_mode the last window leaves the padding
    counted = (-2, 13) if include else None
    weights = 1 / samples_in_windows(instance(Window, as_mean(rule, counted)))
    pool = torch.nn.AvgPool1d(4, 2, 2, ceil_mode=True, count_include_pad=include)
    ones = pool(torch.ones(1, 1, 11, dtype=torch.float64))[0, 0].numpy()
    np.testing.assert_allclose(weights * samples_in_windows(rule), ones, rtol=1e-12)


def test_that_shares_of_taps_count_placements_on_the_map() -> None:
    np.testing.assert_allclose(shares_of_taps(Window(5, 5, 3, before=1)), [4 / 5, 1, 4 / 5])


def test_that_a_mean_weighs_what_is_on_the_map_alike() -> None:
    # The last of three windows holds one sample.
    rule = instance(Periodic, as_mean(Periodic(7, 7, 3, ((0, 1, 2),) * 3)))
    found = np.zeros((7, 7))
    found[rule.pairs] = rule.amplitudes
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert found[6, 6] == 1.0
    assert found[0, 0] == pytest.approx(1 / 3)
