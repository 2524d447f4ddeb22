"""Supports of large 3-D maps stay within memory: they are stored as products of axis sets."""

from __future__ import annotations

import tracemalloc

import pytest

from rfstudio.core import ops
from rfstudio.core.errors import UnitError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.fields.backtrace import DENSE_CELLS
from rfstudio.core.network.architecture import Architecture, Branch, Layer, Parallel

SIDE = 600


def _cross(dilation: int = 1) -> Architecture:
    """Three long kernels, one along each axis, so that a support is a cross."""
    branches = []
    for axis in range(3):
        kernel = tuple(101 if i == axis else 1 for i in range(3))
        padding = tuple(50 * dilation if i == axis else 0 for i in range(3))
        op = ops.Conv(kernel_size=kernel, padding=padding, dilation=dilation, bias=False)
        branches.append(Branch((Layer(op),)))
    return Architecture("cross", "", "", (SIDE,) * 3, 1, (Parallel(tuple(branches), "add", "sum"),))


@pytest.mark.parametrize("dilation", [1, 2])
def test_that_a_cross_in_a_volume_of_600_is_counted_without_a_dense_mask(dilation: int) -> None:
    assert SIDE**3 > DENSE_CELLS
    analysis = analyze(_cross(dilation))
    tracemalloc.start()
    try:
        unit = analysis.unit("sum")
        count = unit.support_count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 3 * 101 - 2
    assert unit.visible_region == ((300 - 50 * dilation, 300 + 50 * dilation),) * 3
    assert peak < DENSE_CELLS
    slab = unit.region.slab(300)
    assert slab.sum() == 2 * 101 - 1
    assert unit.region.slab(300 + dilation).sum() == 1


def test_that_a_dense_mask_beyond_the_bound_is_refused_with_the_way_out() -> None:
    unit = analyze(_cross()).unit("sum")
    with pytest.raises(UnitError, match="slab"):
        unit.support()


def test_that_crosses_behind_crosses_are_exact() -> None:
    """Two crosses in a row: the pixels at which at most two coordinates differ."""
    side, reach = 41, 3
    branches = tuple(
        Branch(
            (
                Layer(
                    ops.Conv(
                        kernel_size=tuple(2 * reach + 1 if i == axis else 1 for i in range(3)),
                        padding=tuple(reach if i == axis else 0 for i in range(3)),
                    )
                ),
            )
        )
        for axis in range(3)
    )
    items = (Parallel(branches, "add", "a"), Parallel(branches, "add", "b"))
    unit = analyze(Architecture("crosses", "", "", (side,) * 3, 1, items)).unit("b")
    width, twice = 2 * reach, 4 * reach
    # One axis twice: 4·reach pixels along each; two axes once each: a square without its cross.
    assert unit.support_count == 1 + 3 * twice + 3 * width * width
