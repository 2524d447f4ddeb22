"""Texts for a terminal: aligned tables that fit its width, one layer or unit in words."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rfstudio.core.fields.analysis import Analysis, UnitView
from rfstudio.core.fields.remarks.remark import Diagnostic, remarks_on
from rfstudio.core.metrics.phases import phase_remark
from rfstudio.core.metrics.registry import DIGITS, METRICS, digits_text
from rfstudio.core.network.physical import Axis, distance_text, extent_text
from rfstudio.core.network.sample_words import Units
from rfstudio.core.plural import counted
from rfstudio.experiments.outcome import how_found
from rfstudio.formats.tables.analysis_tables import (
    MISSING,
    Table,
    analysis_table,
    one_line,
    sizes_text,
)
from rfstudio.formats.tables.answer_records import path_lengths_table, paths_facts
from rfstudio.formats.tables.facts import (
    in_words,
    layer_facts,
    region_text,
    totals_text,
    unit_facts,
    units_text,
)
from rfstudio.formats.tables.found_by import found_by
from rfstudio.formats.tables.table_formats import EVERYTHING, Contents, Report, TableWriter, Writer
from rfstudio.formats.tables.table_formats import WRITERS as FILE_WRITERS

_GAP = "  "
# Columns that a narrow terminal leaves out, the first ones first.
_DISPENSABLE = (
    *("MACs", "op", "parameters", "alignment", "centre", "channels", "padding"),
    *("reference", "layers", "whole image from"),
)
_NARROWEST = 8  # columns of a text that is cut
_UNLIMITED = sys.maxsize
_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def analysis_text(analysis: Analysis, reference: str) -> str:
    """Return the whole network: a heading, one row a layer, totals and diagnostics."""
    architecture = analysis.architecture
    heading = [
        architecture.name,
        f"input {sizes_text(analysis.input_size)}, {counted(architecture.channels, 'channel')}",
    ]
    for given in architecture.further_inputs:
        size = sizes_text(analysis[given.name].output_size)
        heading.append(f"{given.name} {size}, {counted(given.channels, 'channel')}")
    if architecture.reference:
        heading.append(architecture.reference)
    lines = [_title(" · ".join(heading))]
    if reference != "input":
        lines.append(f"fields with respect to the map of {reference}")
    lines += ["", table_text(analysis_table(analysis.layers)), ""]
    lines += _wrapped(totals_text(analysis), len(_GAP))
    return "\n".join([*lines, *_diagnostics(analysis.diagnostics)]) + "\n"


def unit_text(analysis: Analysis, path: str, unit: UnitView, reference: str) -> str:
    """Return one layer and one of its units in words."""
    layer = analysis[path]
    title = path if path == layer.name else f"{path} (its output is {layer.name})"
    lines = [
        _title(f"{analysis.architecture.name}, {title}"),
        facts_text(in_words(layer_facts(layer, reference), analysis.units)),
        "",
        _bold(f"unit ({', '.join(map(str, unit.position))})"),
        facts_text(in_words(unit_facts(unit), analysis.units)),
    ]
    remarks = remarks_on(analysis.diagnostics, (layer.name, path))
    return "\n".join([*lines, *_diagnostics(remarks)]) + "\n"


_OPTIONS = ("seed", "weights", "init", "dtype")
"""Options of a run that are printed."""


def erf_text(record: Mapping[str, Any], axes: Sequence[Axis], units: Units) -> str:
    """Return an effective field, given as its JSON record, in words.

    Parameters
    ----------
    record
        The record.
    axes, units
        What the axes of the input measure, and the words for its samples.
    """
    position = ", ".join(map(str, record["unit"]))
    facts = [("estimator", record["estimator"])]
    shown = ("exactness", "samples", "device", "seconds")
    facts += [(key, _value(record[key])) for key in shown if key in record]
    options = record.get("options", {})
    facts += [(key, str(options[key])) for key in _OPTIONS if key in options]
    facts += [("command", record["command"])] if "command" in record else []
    metrics = [(x.name, _value(record["metrics"][x.name])) for x in METRICS]
    size = record["metrics"]["luo_size"]
    extent = "" if size is None else extent_text(axes, (size,) * len(axes))
    if extent:
        metrics[0] = (metrics[0][0], f"{metrics[0][1]} {units.many} = {extent}")
    lines = [
        _title(f"{record['name']}, {record['layer']}, unit ({position})"),
        facts_text(facts),
        "",
        _bold("effective field"),
        facts_text(metrics),
    ]
    contrasts = record["metrics"].get("phase_contrast", {})
    remark = phase_remark(contrasts) if any(contrasts.values()) else ""
    if remark:
        lines += _wrapped(f"phases: {units.said(remark)}", len("phases: "))
    for note in record["notes"]:
        lines += _wrapped(f"note: {note}", len("note: "))
    lines += _other_numbers(record["other_numbers"], units)
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if value is None:
        return MISSING
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_value(x)}" for key, x in value.items())
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return digits_text(value) if isinstance(value, float) else str(value)


def _answers(answers: Mapping[str, object], analysis: Analysis) -> str:
    """Return the requested answers besides the analysis, in words."""
    lines = []
    axes, units = analysis.axes, analysis.units
    for key, record in answers.items():
        if key == "other_numbers" and isinstance(record, Sequence):
            lines += _other_numbers(record, units)
        if key == "path_lengths" and isinstance(record, Sequence):
            lengths = path_lengths_table(record, analysis.layers)
            lines += ["", _title("paths to each layer"), table_text(lengths)]
        if not isinstance(record, Mapping):
            continue
        if key == "closed_form":
            title, facts = "closed form", _closed_form_facts(record["axes"])
        elif key == "paths":
            title, facts = f"paths to {record['layer']}", paths_facts(record, axes)
        elif key == "phase_contrast":
            title, facts = "phase contrast of the expected effective field", _phase_facts(record)
        elif key == "pixel":
            place = ", ".join(map(str, record["position"]))
            title = f"{units.one} ({place}) of {record['reference']}"
            facts = [
                (f"read in {record['layer']}", units_text(record["units"])),
                ("units", f"{record['count']:,}"),
            ]
        else:
            first, last = (", ".join(map(str, record[x])) for x in ("first", "last"))
            title = f"units ({first}) to ({last}) of {record['layer']}"
            facts = [
                ("theoretical", region_text(record["theoretical_region"], axes)),
                ("visible", region_text(record["visible_region"], axes)),
                ("context", _context_text(record["context"], axes)),
            ]
        lines += ["", _title(title), facts_text(in_words(facts, units))]
    return "\n".join([*lines, ""]) if lines else ""


def _context_text(context: Sequence[Sequence[int] | None], axes: Sequence[Axis]) -> str:
    """Return what a block needs before and after its own cells, along each axis."""
    if all(x is None for x in context):
        return "the whole image"
    texts = ["all" if x is None else f"{x[0]} + {x[1]}" for x in context]
    ends = [distance_text(axes, [None if x is None else x[i] for x in context]) for i in (0, 1)]
    distance = f" = {ends[0]} + {ends[1]}" if all(ends) else ""
    return f"{' × '.join(texts)} pixels before + after{distance}"


def _other_numbers(others: Sequence[Mapping[str, str]], units: Units) -> list[str]:
    if not others:
        return []
    facts = [(x["about"], f"{x['value']}: {x['reason']}") for x in others]
    return ["", _title("another number elsewhere?"), facts_text(in_words(facts, units))]


def _closed_form_facts(axes: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    facts = []
    for form in axes:
        of = f" ({form['axes']})" if len(axes) > 1 else ""
        facts += [(f"{name}{of}", text) for name, text in form["equations"]]
        facts += [(f"note{of}", text) for text in form["notes"]]
    return facts


def _phase_facts(contrasts: Mapping[str, float | None]) -> list[tuple[str, str]]:
    facts = [(f"modulo {m}", "–" if x is None else f"{x:.3g}") for m, x in contrasts.items()]
    # A map of zeros has no contrast at all, and nothing to be said of it.
    remark = phase_remark(contrasts) if any(contrasts.values()) else ""
    return [*facts, *([("remark", remark)] if remark else [])]


def facts_text(facts: Iterable[tuple[str, str]]) -> str:
    """Return pairs of a name and a text, one a line, or more in a narrow terminal."""
    facts = list(facts)
    width = max(12, *(len(name) for name, _ in facts)) + 2 if facts else 0
    lines: list[str] = []
    for name, value in facts:
        lines += _wrapped(f"{_GAP}{name:<{width}}{value}", len(_GAP) + width)
    return "\n".join(lines)


def _wrapped(text: str, indent: int) -> list[str]:
    """Return a text as lines that fit the terminal, all but the first indented."""
    text = _shortened(text)
    if len(text) <= _width():
        return [text]
    return textwrap.wrap(
        text,
        max(_width(), indent + 12),
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    )


def _title(text: str) -> str:
    return "\n".join(map(_bold, _wrapped(text, len(_GAP))))


def _diagnostics(diagnostics: Sequence[Diagnostic]) -> list[str]:
    lines: list[str] = []
    for remark in diagnostics:
        head = f"{remark.severity}: "
        lines += textwrap.wrap(
            _shortened(f"{head}{remark.message} [{remark.code}]"),
            max(40, min(_width(), 100)),
            subsequent_indent=" " * len(head),
            break_on_hyphens=False,
        )
    return ["", *lines] if lines else []


def table_text(table: Table) -> str:
    """Return a table with aligned columns.

    A terminal that is too narrow gets fewer of them, and then texts that are cut at an ellipsis.
    """
    columns = list(range(len(table.headers)))
    grid = [tuple(map(_shortened, row)) for row in (table.headers, *table.rows)]
    widths = [max(len(row[i]) for row in grid) for i in columns]

    def total() -> int:
        return sum(widths[i] for i in columns) + len(_GAP) * (len(columns) - 1)

    left_out = []
    for name in _DISPENSABLE:
        if total() <= _width():
            break
        if name in table.headers:
            columns.remove(table.headers.index(name))
            left_out.append(name)
    texts = [i for i in columns if not table.numeric[i]]
    while total() > _width() and max((widths[i] for i in texts), default=0) > _NARROWEST:
        widths[max(texts, key=lambda i: widths[i])] -= 1
    while total() > _width() and len(columns) > 1:
        left_out.append(table.headers[columns.pop()])
    lines = [
        _GAP.join(
            row[i].rjust(widths[i]) if table.numeric[i] else _cut(row[i], widths[i])
            for i in columns
        ).rstrip()
        for row in grid
    ]
    lines[0] = _bold(lines[0])
    lines.insert(1, _dim("─" * total()))
    if left_out:
        remark = f"(this terminal is too narrow for: {', '.join(left_out)})"
        lines += map(_dim, _wrapped(remark, 1))
    return "\n".join(lines)


_LONGEST_WORD = 120
"""Characters of a word, such as the path of a layer, that are shown; files have all of it."""


def _shortened(text: str) -> str:
    """Return a text in one line, with the middle of overlong words left out."""
    words = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")
    return words.sub(lambda word: _cut(word[0], _LONGEST_WORD), one_line(text))


def _cut(text: str, width: int) -> str:
    """Return a text of exactly a width; a cut one loses its middle, since paths end differently."""
    if len(text) <= width:
        return text.ljust(width)
    start = (width - 1) // 3
    return f"{text[:start]}…{text[len(text) - (width - 1 - start) :]}"


def _width() -> int:
    """Return the columns of the terminal; a file or a pipe has room for everything."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _UNLIMITED


def _bold(text: str) -> str:
    return _styled(_BOLD, text)


def _dim(text: str) -> str:
    return _styled(_DIM, text)


def _styled(style: str, text: str) -> str:
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if plain or not sys.stdout.isatty() else f"{style}{text}{_PLAIN}"


class TerminalTables(TableWriter):
    """Aligned columns that fit the terminal, with totals and remarks in words."""

    word = "table"

    def table(self, table: Table, caption: str = "") -> str:  # noqa: D102 - as any writer
        del caption
        return table_text(table) + "\n"

    def analysis(self, analysis: Analysis, contents: Contents = EVERYTHING) -> str:  # noqa: D102
        unit = contents.unit
        if unit is None:
            text = analysis_text(analysis, contents.reference)
        else:
            text = unit_text(analysis, unit.layer, unit, contents.reference)
        return text + _answers(contents.answers or {}, analysis)

    def report(self, report: Report) -> str:  # noqa: D102
        lines = [facts_text(report.facts)]
        for title, table in report.tables:
            lines += ["", *([_title(title)] if title else []), table_text(table)]
        return "\n".join([*lines, ""])

    def found(self, table: Table, record: Mapping[str, Any], words: str = "") -> str:
        """Return numbers with what they say in words, and how they were found, from a record."""
        how = found_by(record)
        lines = [*([words] if words else []), how_found([how]), str(how["command"])]
        return self.table(table) + "\n".join([*lines, ""])


TABLES = TerminalTables()

WRITERS: Mapping[str, Writer] = MappingProxyType({"table": TABLES, **FILE_WRITERS})
"""All formats of the command line: the terminal's own, and those of files."""


def digits_of(writer: Writer) -> tuple[int, str]:
    """Return the digits of a format's numbers, and its text where there is none."""
    return (writer.digits, writer.missing) if isinstance(writer, TableWriter) else (DIGITS, MISSING)
