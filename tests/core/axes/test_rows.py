"""Rows in arrays are what tuples of tuples are."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRule, Periodic
from rfstudio.core.axes.rows import Rows, flat, numbers_in
from rfstudio.core.ops import Op
from rfstudio.core.ops.geometry import axis_rules
from tests.narrowing import instance

PLAIN = ((1, 2), (), (3,), (), (4, 5, 6))


def _rows() -> Rows:
    return Rows(np.array([2, 0, 1, 0, 3]), np.array([1, 2, 3, 4, 5, 6]))


def test_that_rows_are_those_of_a_tuple_of_tuples() -> None:
    assert tuple(_rows()) == PLAIN
    assert len(_rows()) == len(PLAIN)
    assert _rows()[1:4] == PLAIN[1:4]
    assert _rows()[-1] == PLAIN[-1]
    assert numbers_in(_rows()) == numbers_in(PLAIN) == 6
    for ours, theirs in zip(flat(_rows(), np.int64), flat(PLAIN, np.int64), strict=True):
        assert ours.tolist() == theirs.tolist()


def test_that_rows_are_equal_by_value() -> None:
    others = (
        Rows(np.array([2, 1, 0, 0, 3]), np.arange(1, 7)),
        Rows(np.array([2, 0, 1, 0, 3]), np.arange(6)),
    )
    assert _rows() == _rows()
    assert hash(_rows()) == hash(_rows())
    assert all(_rows() != x for x in others)
    assert _rows() != PLAIN


def _is_in_arrays(rule: AxisRule) -> bool:
    return isinstance(instance(Periodic, rule).phases, Rows)


@pytest.mark.parametrize(
    "op",
    [
        ops.Upsample(size=1009, mode="bicubic"),
        ops.Upsample(size=1009, mode="nearest"),
        ops.AdaptiveAvgPool(output_size=91),
        ops.Inset(before=7, after=5),
    ],
    ids=lambda x: x.keyword,
)
def test_that_long_patterns_are_in_arrays(op: Op) -> None:
    """A cubic resize of a million samples took 700 MB and 1.7 s as tuples."""
    assert _is_in_arrays(axis_rules(op, (200,))[0])


@pytest.mark.parametrize("cells", [3, 7, 41, 91, 179])
@pytest.mark.parametrize("n", [20, 97, 180])
def test_that_cells_are_those_of_torch(n: int, cells: int) -> None:
    rule = axis_rules(ops.AdaptiveMaxPool(output_size=cells), (n,))[0]
    expected = [range(i * n // cells, -(-(i + 1) * n // cells)) for i in range(cells)]
    assert [list(rule.taps(i)) for i in range(cells)] == [list(x) for x in expected]
