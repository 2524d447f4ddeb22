"""How the numbers of a record were found: beside each row of a file, and once for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rfstudio.formats.experiments.ledger import Cell
from rfstudio.formats.tables.analysis_tables import Table
from rfstudio.formats.tables.erf_files import record_json
from rfstudio.formats.tables.table_formats import Report

_NAMES = ("estimator", "weights", "init", "samples", "draws", "seed", "command")


def found_by(record: Mapping[str, Any]) -> dict[str, Cell]:
    """Return estimator, weights, samples, seed and command of a record, as far as it has them."""
    known = {**record.get("options", {}), **record}
    if known.get("weights", "random") != "random":
        known.pop("init", None)  # nothing is drawn from it
    return {x: known[x] for x in _NAMES if known.get(x) is not None}


def report_of(record: Mapping[str, Any], title: str, table: Table) -> Report:
    """Return the numbers of a record for any format, with how they were found.

    Parameters
    ----------
    record
        As JSON has it.
    title
        What the numbers are of.
    table
        The numbers.
    """
    facts = {name: str(value) for name, value in found_by(record).items()}
    return Report(
        title=title,
        facts=[*facts.items()],
        tables=[(title, table)],
        rows=_beside(table, facts),
        record=lambda: record_json(record),
    )


def _beside(table: Table, facts: Mapping[str, str]) -> Table:
    """Return a table with the same facts in each row."""
    return replace(
        table,
        headers=(*table.headers, *facts),
        rows=tuple((*row, *facts.values()) for row in table.rows),
        numeric=(*table.numeric, *(False for _ in facts)),
    )
