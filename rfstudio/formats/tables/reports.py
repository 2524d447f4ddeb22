"""Answers of several parts, for every format of tables: tiles and advice."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rfstudio.formats.tables.analysis_tables import Table
from rfstudio.formats.tables.answer_records import (
    advice_facts,
    advice_json,
    levels_table,
    proposals_table,
    tiles_facts,
    tiles_json,
    tiles_table,
)
from rfstudio.formats.tables.table_formats import Report

if TYPE_CHECKING:
    from rfstudio.core.advice.covers import Advice
    from rfstudio.core.fields.tiles import TilePlan

_AXES = {1: ("x",), 2: ("y", "x"), 3: ("z", "y", "x")}
_ENDS = ("first", "last")


def tiles_report(plan: TilePlan) -> Report:
    """Return a plan of tiles; as one table a row a tile, or a row an axis if there are none."""
    tables = [("", tiles_table(plan))] if plan.plan else []
    rows = _bounds_table(plan) if plan.plan else _overlap_table(plan)
    facts = tiles_facts(plan)
    return Report(f"Tiles of {plan.layer}", facts, tables, rows, partial(tiles_json, plan))


def advice_report(advice: Advice) -> Report:
    """Return advice; as one table a row a layer."""
    tables = [("levels", levels_table(advice)), ("proposals", proposals_table(advice))]
    return Report(
        "Advice",
        advice_facts(advice),
        [(title, table) for title, table in tables if table.rows],
        _covers_table(advice),
        partial(advice_json, advice),
    )


def _overlap_table(plan: TilePlan) -> Table:
    exact = "yes" if plan.exact else "no"
    rows = [
        (axis, *map(_cell, overlap or (None, None)), str(period), exact)
        for axis, overlap, period in zip(
            _AXES[len(plan.period)], plan.overlap, plan.period, strict=True
        )
    ]
    headers = ("axis", "before", "after", "period", "equals the whole")
    return Table(headers, tuple(rows), (False, True, True, True, False))


def _bounds_table(plan: TilePlan) -> Table:
    axes = _AXES[len(plan.period)]
    names = [f"{what}_{axis}_{end}" for what in ("read", "write") for axis in axes for end in _ENDS]
    rows = [
        (str(i), *(str(x) for spans in (tile.read, tile.write) for span in spans for x in span))
        for i, tile in enumerate(plan.plan)
    ]
    return Table(("tile", *names), tuple(rows), (True,) * (1 + len(names)))


def _covers_table(advice: Advice) -> Table:
    number = len(advice.covers[0].local) if advice.covers else len(advice.input_range)
    axes = _AXES[number]
    headers = (
        "layer",
        *(f"field_{x}" for x in axes),
        *(f"local_field_{x}" for x in axes),
        *("effective", "share"),
    )
    rows = [
        (x.layer, *map(_cell, (*x.rf_size, *x.local, x.erf_size, x.share))) for x in advice.covers
    ]
    return Table(headers, tuple(rows), tuple(x != "layer" for x in headers))


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(value).removesuffix(".0")
