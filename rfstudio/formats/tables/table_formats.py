"""The formats that tables are written in, one class each; command line and window have the same.

A new format is a class here and an entry of `WRITERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from rfstudio.core.metrics.registry import ALL_DIGITS, DIGITS
from rfstudio.core.network.architecture import INPUT
from rfstudio.formats.tables.analysis_tables import (
    MISSING,
    Table,
    analysis_csv,
    analysis_json,
    analysis_table,
    comparison_json,
    comparison_table,
    table_csv,
    table_latex,
    table_markdown,
)

if TYPE_CHECKING:
    from rfstudio.core.fields.analysis import Analysis, LayerAnalysis, UnitView


@dataclass(frozen=True)
class Contents:
    """What is written of an analysis; a format leaves out what it has no place for.

    Attributes
    ----------
    layers
        Which layers are written; None: all of them.
    unit
        A unit, of one layer.
    reference
        What its fields are given with respect to, as the user called it.
    answers
        Records of other things.
    """

    layers: Sequence[LayerAnalysis] | None = None
    unit: UnitView | None = None
    reference: str = INPUT
    answers: Mapping[str, object] | None = None

    def layers_of(self, analysis: Analysis) -> Sequence[LayerAnalysis]:
        """Return the layers that are written."""
        return analysis.layers if self.layers is None else self.layers


EVERYTHING = Contents()


@dataclass(frozen=True)
class Report:
    """An answer of several parts.

    Attributes
    ----------
    title
        What it is about.
    facts
        Pairs of a name and a text.
    tables
        Tables with their titles.
    rows
        What a format has that holds one table only.
    record
        Makes the JSON.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    tables: Sequence[tuple[str, Table]]
    rows: Table
    record: Callable[[], str]

    @property
    def facts_table(self) -> Table:
        """The facts, one a row."""
        return Table(("name", "value"), tuple(self.facts), (False, False))


class Writer:
    """Writes analyses as text.

    Attributes
    ----------
    word
        Its name on the command line.
    title
        Its name in a menu.
    file_title
        The name of its files in a dialog.
    suffix
        Ending of its files.
    """

    word: ClassVar[str]
    title: ClassVar[str]
    file_title: ClassVar[str]
    suffix: ClassVar[str]

    def analysis(self, analysis: Analysis, contents: Contents = EVERYTHING) -> str:
        """Return the parts of an analysis for which the format has a place."""
        raise NotImplementedError

    def comparison(self, analyses: Mapping[str, Analysis]) -> str:
        """Return one row per network; the keys are the names that the user gave."""
        raise NotImplementedError

    def report(self, report: Report) -> str:
        """Return the parts of an answer for which the format has a place."""
        raise NotImplementedError


class TableWriter(Writer):
    """Writes any table.

    Attributes
    ----------
    digits
        Significant digits of numbers.
    missing
        The text where there is no number.
    """

    digits: ClassVar[int] = DIGITS
    missing: ClassVar[str] = MISSING

    def table(self, table: Table, caption: str = "") -> str:
        """Return a table, with a caption where the format has a place for it."""
        raise NotImplementedError

    def analysis(self, analysis: Analysis, contents: Contents = EVERYTHING) -> str:  # noqa: D102 - as any writer
        table = analysis_table(contents.layers_of(analysis))
        return self.table(table, analysis.architecture.name)

    def comparison(self, analyses: Mapping[str, Analysis]) -> str:  # noqa: D102
        return self.table(comparison_table(analyses))

    def report(self, report: Report) -> str:  # noqa: D102
        parts = [(report.title, report.facts_table), *report.tables]
        return "\n".join(self.table(table, title) for title, table in parts)


class Json(Writer):
    """Records for programs, whose keys are a contract."""

    word, title, file_title, suffix = "json", "JSON", "JSON", ".json"

    def analysis(self, analysis: Analysis, contents: Contents = EVERYTHING) -> str:  # noqa: D102
        return analysis_json(analysis, contents.unit, contents.layers, contents.answers)

    def comparison(self, analyses: Mapping[str, Analysis]) -> str:  # noqa: D102
        return comparison_json(analyses)

    def report(self, report: Report) -> str:  # noqa: D102
        return report.record()


class Csv(TableWriter):
    """Rows for spreadsheets and programs, with all digits and no separators of thousands."""

    word, title, file_title, suffix = "csv", "CSV", "CSV table", ".csv"
    digits = ALL_DIGITS
    missing = ""

    def table(self, table: Table, caption: str = "") -> str:  # noqa: D102
        del caption
        return table_csv(table)

    def analysis(self, analysis: Analysis, contents: Contents = EVERYTHING) -> str:  # noqa: D102
        return analysis_csv(contents.layers_of(analysis))

    def report(self, report: Report) -> str:  # noqa: D102
        return self.table(report.rows)


class Markdown(TableWriter):
    """Tables for GitHub and the like."""

    word, title, file_title, suffix = "markdown", "Markdown", "Markdown", ".md"

    def table(self, table: Table, caption: str = "") -> str:  # noqa: D102
        del caption
        return table_markdown(table)


class Latex(TableWriter):
    """Tables for papers."""

    word, title, file_title, suffix = "latex", "LaTeX", "LaTeX", ".tex"

    def table(self, table: Table, caption: str = "") -> str:  # noqa: D102
        return table_latex(table, caption)


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {x.word: x for x in (Json(), Csv(), Markdown(), Latex())}
)
"""All formats, by their words."""

TABLE_WRITERS: tuple[TableWriter, ...] = tuple(
    x for x in WRITERS.values() if isinstance(x, TableWriter)
)
"""The formats for any table."""
