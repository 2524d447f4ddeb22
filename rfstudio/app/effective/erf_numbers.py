"""The numbers of the measured and the expected field side by side, under their standard names."""

from __future__ import annotations

from typing import NamedTuple

from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.metrics.registry import Compute, digits_text, numbers
from rfstudio.formats.tables.analysis_tables import Table
from rfstudio.formats.tables.table_formats import TABLE_WRITERS

HEADERS = ("number", "unit", "measured", "expected", "measured (RepLKNet's way)")
"""Columns; the last one has area ratios only."""

NUMBER_KINDS = tuple(x.title for x in TABLE_WRITERS)
"""Formats in which numbers are copied."""

NUMBER_SUFFIXES = {x.suffix: x.title for x in TABLE_WRITERS}
"""The same, by the ending of a file."""


class NumberRow(NamedTuple):
    """One number of both fields.

    Attributes
    ----------
    name
        Its standard name, that of `rfstudio.core.metrics.registry`, followed by an axis or a share.
    unit
        "px", "°", or nothing for a ratio.
    values
        Measured, expected, and measured in RepLKNet's way; None where there is none.
    meaning
        What it is, in a sentence.
    """

    name: str
    unit: str
    values: tuple[float | None, float | None, float | None]
    meaning: str

    def texts(self, digits: int) -> tuple[str, ...]:
        """Return the cells of the row, numbers with that many digits."""
        return (self.name, self.unit, *(_text(x, digits) for x in self.values))


def number_rows(measured: Metrics | None, expected: Metrics | None) -> tuple[NumberRow, ...]:
    """Return the numbers of a measured and an expected field, where they exist."""
    one = measured or expected
    if one is None:
        return ()
    return tuple(
        NumberRow(
            number.name,
            number.unit,
            (_value(number.of, measured), _value(number.of, expected), _value(other, measured)),
            number.sentence,
        )
        for number in numbers(one.map.ndim)
        for other in (number.in_other_way,)
    )


def _value(of: Compute | None, metrics: Metrics | None) -> float | None:
    return None if of is None or metrics is None else of(metrics)


def numbers_text(rows: tuple[NumberRow, ...], kind: str, caption: str = "") -> str:
    """Return the numbers in one of `NUMBER_KINDS`; CSV has all digits.

    Raises
    ------
    RFStudioError
        If it is another kind.
    """
    for writer in TABLE_WRITERS:
        if writer.title == kind:
            return writer.table(_table(rows, writer.digits, writer.missing), caption)
    raise RFStudioError(f"numbers are written as {', '.join(NUMBER_KINDS)}, not as {kind}")


def _table(rows: tuple[NumberRow, ...], digits: int, missing: str) -> Table:
    cells = []
    for row in rows:
        name, unit, *values = row.texts(digits)
        cells.append((name, unit, *(x or missing for x in values)))
    return Table(HEADERS, tuple(cells), (False, False, True, True, True))


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else digits_text(value, digits)
