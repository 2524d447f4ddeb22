"""Every metric is in one list, which files, tables and the window follow."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.core.metrics import registry
from rfstudio.core.metrics.metrics import Metrics
from tests.fixed_frame import FixedFrame


def _metrics(size: tuple[int, ...]) -> Metrics:
    values = np.random.default_rng(0).random(size)
    middle = tuple((n - 1) / 2 for n in size)
    return Metrics(values, FixedFrame(middle, size, tuple((0, n - 1) for n in size)))


@pytest.mark.parametrize("size", [(30,), (20, 31), (9, 8, 7)])
def test_that_every_number_of_a_table_is_an_entry_of_the_record(size: tuple[int, ...]) -> None:
    metrics = _metrics(size)
    record = metrics.as_dict()
    axes = ("z", "y", "x")[-len(size) :]
    for number in registry.numbers(len(size)):
        name, *path = number.name.split(".", 1)
        value = record[name]
        for key in path[0].split(".") if name == "gaussian" else path:
            value = value[axes.index(key)] if key in axes else value[key]
        assert number.of(metrics) == value, number.name


def test_that_every_metric_but_those_computed_in_another_way_has_a_row() -> None:
    rows = {x.name.partition(".")[0] for x in registry.numbers(2)}
    others = {x.name for x in registry.METRICS if isinstance(x, registry.OtherWay)}
    assert rows | others == set(registry.NAMES)
    assert {x.name for x in registry.numbers(2) if x.in_other_way} == {
        f"area_ratio.{share:g}" for share in registry.SHARES
    }


def test_that_every_metric_is_computed_explained_and_shown_in_short_where_it_says_so() -> None:
    metrics = _metrics((20, 31))
    for metric in registry.METRICS:
        assert isinstance(getattr(Metrics, metric.name).__doc__, str)
        assert metric.sentence.endswith(".")
        assert metric.is_known(metric.value(metrics))
        assert (metric.brief is not None) == (metric.name in registry.IN_SHORT)


def test_that_what_is_only_rounding_is_zero_without_a_sign() -> None:
    assert registry.digits_text(-0.0) == "0"
    short = registry.BY_NAME["offset"].brief
    assert short is not None
    assert short.text((-1e-14, -0.04, -0.06)) == "0.0 × 0.0 × −0.1 px"
    # A map that is the same from both sides has its centroid in its middle, whatever its values.
    for n in (5, 50, 501):
        half = np.random.default_rng(n).random(n)
        row = np.concatenate([half, half[::-1]])
        assert Metrics(np.outer(row, row), FixedFrame((n - 0.5,) * 2, (2 * n,) * 2)).offset == (
            0,
            0,
        )
