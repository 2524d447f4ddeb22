"""Analyses as tables for spreadsheets, documents and programs: CSV, Markdown, LaTeX and JSON.

Window and command line write the same texts.  A value that has no meaning, such as the jump of an
axis along which a unit sees everything, is a dash in a table, empty in CSV and null in JSON.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

from rfstudio.core.fields.remarks.remark import remarks_on
from rfstudio.core.network.physical import extent_text, extents
from rfstudio.core.plural import axes_text

if TYPE_CHECKING:
    from rfstudio.core.fields.analysis import Analysis, LayerAnalysis, UnitView
    from rfstudio.core.fields.local import LocalField
    from rfstudio.core.network.physical import Axis

Number: TypeAlias = int | float | Fraction

MINUS = "−"
"""The minus sign of numbers that people read."""

MISSING = "–"
"""Shown instead of a value that has no meaning."""

_AXES = {1: ("x",), 2: ("y", "x"), 3: ("z", "y", "x")}
_JSON: dict[str, Any] = {"ensure_ascii": False, "allow_nan": False}
_PER_AXIS = (
    "output_size",
    "rf_size",
    "rf_size_min",
    "rf_size_max",
    "jump",
    "padding",
    "center",
    "global",
    "alignment",
)
_ALIGNMENTS = ("aligned", "centre_offset", "stride_mismatch")


@dataclass(frozen=True, slots=True)
class Table:
    """Texts in rows and columns.

    Attributes
    ----------
    headers
        One text per column.
    rows
        The cells, one tuple a row.
    numeric
        For each column whether it holds numbers, which are aligned right.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


def number_text(value: Number | None) -> str:
    """Return a number as a reader expects it: ``3``, ``1/2``, ``111.5``, or a dash for None."""
    if value is None:
        return MISSING
    text = f"{value + 0.0:.10g}" if isinstance(value, float) else str(value)  # no "-0"
    return text.replace("-", MINUS, 1) if value < 0 else text


def sizes_text(values: Sequence[Number | None]) -> str:
    """Return one number per axis, always all of them: ``3×3``; a global axis is ``all``."""
    if all(x is None for x in values):
        return "all"
    return "×".join("all" if x is None else number_text(x) for x in values)


def steps_text(values: Sequence[Number | None]) -> str:
    """Return one number per axis, once if all axes agree: ``2``, or ``2×1``."""
    return axes_text([number_text(x) for x in values])


def field_text(layer: LayerAnalysis) -> str:
    """Return the size of a receptive field, as a range where it depends on the unit.

    ``none`` where no path leads from the reference map to the layer.
    """
    if all(layer.is_global):
        return "all"
    if not any(x.tracks or x.whole for x in layer.fields):
        return "none"
    return "×".join(
        "all" if x is None else str(x[0]) if x[0] == x[1] else f"{x[0]}…{x[1]}"
        for x in layer.rf_size_range
    )


def alignment_text(layer: LayerAnalysis) -> str:
    """Return the worst alignment of all axes, in words."""
    worst = max(layer.alignment, key=_ALIGNMENTS.index)
    return worst.replace("_", " ")


def analysis_table(layers: Iterable[LayerAnalysis], *, local: bool | None = None) -> Table:
    """Return the table that people read: one row per layer, axes joined where they agree.

    Parameters
    ----------
    layers
        The rows.
    local
        Whether there is a column of local fields; None: if some layer's differs from its field.
    """
    layers = list(layers)
    if local is None:
        local = any(any(x.is_global) and x.local is not None for x in layers)
    measured = any(_extent_cell(x) for x in layers[:1])
    headers = (
        "layer",
        "op",
        "output",
        "channels",
        "field",
        *(("extent",) if measured else ()),
        *(("local field",) if local else ()),
        "jump",
        "padding",
        "centre",
        "alignment",
        "parameters",
        "MACs",
    )
    rows = tuple(
        (
            layer.name,
            layer.op,
            sizes_text(layer.output_size),
            str(layer.channels),
            field_text(layer),
            *((_extent_cell(layer),) if measured else ()),
            *((local_text(layer),) if local else ()),
            steps_text(layer.jump),
            steps_text(layer.padding),
            steps_text(layer.center),
            alignment_text(layer),
            f"{layer.parameters:,}",
            f"{layer.macs:,}",
        )
        for layer in layers
    )
    return Table(headers, rows, tuple(x not in ("layer", "op", "alignment") for x in headers))


def _extent_cell(layer: LayerAnalysis) -> str:
    if not any(x.is_measured for x in layer.axes):
        return ""
    if field_text(layer) == "none":
        return MISSING
    if not any(layer.is_global):
        return extent_text(layer.axes, layer.rf_size)
    local = layer.local
    return MISSING if local is None else f"{extent_text(layer.axes, local.rf_size)} local"


def analysis_csv(layers: Sequence[LayerAnalysis]) -> str:
    """Return the table that programs read: one column per value and axis, no separators."""
    headers, rows = analysis_cells(layers)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(headers)
    writer.writerows(map(_csv_cell, row) for row in rows)
    return buffer.getvalue()


def _csv_cell(value: object) -> object:
    if isinstance(value, str):
        return no_formula(value)
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else value


def analysis_cells(layers: Sequence[LayerAnalysis]) -> tuple[list[str], list[list[object]]]:
    """Return the names of the columns that programs read, and a row of values for each layer."""
    axes = _AXES[len(layers[0].output_size)] if layers else ()
    headers = ["name", "op", "inputs", "channels", "parameters", "macs"]
    headers += [f"{name}_{axis}" for name in (*_PER_AXIS, "local_rf_size") for axis in axes]
    headers.append("depth")
    if layers and layers[0].axes:
        headers += [f"{name}_{axis}" for name in ("rf_extent", "local_rf_extent") for axis in axes]
    rows = []
    for layer in layers:
        ranges = layer.rf_size_range
        cells: list[object] = [layer.name, layer.op, " ".join(layer.inputs)]
        cells += [layer.channels, layer.parameters, layer.macs]
        for values in (
            layer.output_size,
            layer.rf_size,
            [None if x is None else x[0] for x in ranges],
            [None if x is None else x[1] for x in ranges],
            layer.jump,
            layer.padding,
            layer.center,
            layer.is_global,
            layer.alignment,
            layer.local.rf_size if layer.local else [None] * len(axes),
        ):
            cells += values
        if layer.axes:
            near = layer.local.rf_size if layer.local else [None] * len(axes)
            cells = [*cells, layer.depth, *(layer.rf_extent or ()), *extents(layer.axes, near)]
        else:
            cells.append(layer.depth)
        rows.append(cells)
    return headers, rows


def local_text(layer: LayerAnalysis) -> str:
    """Return the size of a layer's local field, or a dash where it has none."""
    local = layer.local
    return MISSING if local is None else sizes_text(local.rf_size)


def field_with_local_text(layer: LayerAnalysis) -> str:
    """Return the size of a field, followed by that of the local field if they differ."""
    text = field_text(layer)
    return f"{text}, local {local_text(layer)}" if any(layer.is_global) and layer.local else text


def _largest_text(layer: LayerAnalysis) -> str:
    """Return the size of a largest local field, marked as local if units see more."""
    return f"{local_text(layer)} local" if any(layer.is_global) else field_text(layer)


def _largest_extent(layer: LayerAnalysis) -> str:
    """Return a largest local field in the units of the input; empty if they are not known."""
    sizes = layer.rf_size if layer.local is None else layer.local.rf_size
    return extent_text(layer.axes, sizes)


def comparison_table(analyses: Mapping[str, Analysis]) -> Table:
    """Return one row per network; the keys are the names that the user gave."""
    largest = [x.largest_local_field for x in analyses.values()]
    measured = any(x is not None and _largest_extent(x) for x in largest)
    headers = (
        "network",
        "input",
        "layers",
        "parameters",
        "MACs",
        "largest field",
        *(("extent",) if measured else ()),
        "jump",
        "at layer",
        "alignment",
        "whole image from",
    )
    rows = []
    for name, analysis in analyses.items():
        deepest, whole = analysis.largest_local_field, analysis.first_global
        rows.append(
            (
                name,
                sizes_text(analysis.input_size),
                f"{len(analysis.layers):,}",
                f"{analysis.parameters:,}",
                f"{analysis.macs:,}",
                _largest_text(deepest) if deepest else MISSING,
                *(((_largest_extent(deepest) if deepest else "") or MISSING,) if measured else ()),
                steps_text(deepest.jump) if deepest else MISSING,
                deepest.name if deepest else MISSING,
                alignment_text(deepest) if deepest else MISSING,
                whole.name if whole else MISSING,
            )
        )
    text = ("network", "at layer", "alignment", "whole image from")
    return Table(headers, tuple(rows), tuple(x not in text for x in headers))


def comparison_json(analyses: Mapping[str, Analysis]) -> str:
    """Return a comparison as JSON: for each network its totals and its largest local field."""
    records = []
    for name, analysis in analyses.items():
        deepest, whole = analysis.largest_local_field, analysis.first_global
        records.append(
            {
                "network": name,
                "name": analysis.architecture.name,
                "input": _input_record(analysis),
                "layer_count": len(analysis.layers),
                "parameters": analysis.parameters,
                "macs": analysis.macs,
                "largest_field": layer_record(deepest) if deepest else None,
                "whole_image_from": whole.name if whole else None,
            }
        )
    return '{"format": 1,\n "networks": ' + _json_lines(records) + "}\n"


def no_formula(text: str) -> str:
    """Return a text as a cell of CSV that no spreadsheet takes for a formula.

    A network may come from anywhere, and a layer be called ``=HYPERLINK("http://…")``.
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def table_csv(table: Table) -> str:
    """Return any table as CSV, without the separators of thousands."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.headers)
    for row in table.rows:
        writer.writerow(
            x.replace(",", "").replace(MINUS, "-") if numeric else no_formula(x)
            for x, numeric in zip(row, table.numeric, strict=True)
        )
    return buffer.getvalue()


def table_markdown(table: Table) -> str:
    """Return a table as GitHub's Markdown, with aligned columns."""
    rows = [[markdown_text(x) for x in row] for row in (table.headers, *table.rows)]
    widths = [max(3, *(len(row[i]) for row in rows)) for i in range(len(table.headers))]
    rule = [
        "-" * (width - 1) + ":" if numeric else "-" * width
        for width, numeric in zip(widths, table.numeric, strict=True)
    ]
    rows.insert(1, rule)
    return "".join(
        "| "
        + " | ".join(
            x.rjust(width) if numeric else x.ljust(width)
            for x, width, numeric in zip(row, widths, table.numeric, strict=True)
        )
        + " |\n"
        for row in rows
    )


_MARKDOWN = re.compile(r"[\\`*<\[|]|~(?=~)|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_])")
"""Characters with a meaning in Markdown; an underscore only outside of words."""


def markdown_text(text: str) -> str:
    """Return `text` escaped so that GitHub's Markdown shows it literally."""
    return _MARKDOWN.sub(r"\\\g<0>", one_line(text))


def table_latex(table: Table, caption: str = "") -> str:
    """Return a table as LaTeX, for documents that use the package booktabs."""
    columns = "".join("r" if x else "l" for x in table.numeric)
    lines = ["% needs \\usepackage{booktabs}"]
    if caption:
        lines += ["\\begin{table}", "\\centering", f"\\caption{{{latex_text(caption)}}}"]
    lines += [f"\\begin{{tabular}}{{{columns}}}", "\\toprule"]
    for i, row in enumerate((table.headers, *table.rows)):
        lines.append(" & ".join(map(latex_text, row)) + " \\\\")
        if i == 0:
            lines.append("\\midrule")
    lines += ["\\bottomrule", "\\end{tabular}"]
    if caption:
        lines.append("\\end{table}")
    return "\n".join(lines) + "\n"


_NOTHING = "\0"
_LATEX = {
    _NOTHING: "{}",
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "×": "$\\times$",
    "−": "$-$",
    "–": "--",
    "…": "--",
    "|": "\\textbar{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "`": "\\textasciigrave{}",
    **{x: "\\" + x for x in "&%$#_{}"},
}


def latex_text(text: str) -> str:
    """Return `text` escaped so that LaTeX prints it literally."""
    parted = re.sub(r"-(?=-)", f"-{_NOTHING}", one_line(text))  # two in a row would be one dash
    escaped = "".join(_LATEX.get(x, x) for x in parted)
    if escaped[:1] in ("[", "*"):
        return "{}" + escaped  # after the end of a row these would be its arguments
    return re.sub(r"^-(?=\d)", "$-$", escaped)


def one_line(text: str) -> str:
    """Return `text` with a space for each line break and other character that cannot be seen."""
    return "".join(x if x.isprintable() else " " for x in text)


def analysis_json(
    analysis: Analysis,
    unit: UnitView | None = None,
    layers: Sequence[LayerAnalysis] | None = None,
    answers: Mapping[str, object] | None = None,
) -> str:
    """Return an analysis as JSON; its keys are a contract.

    Parameters
    ----------
    analysis
        What to write: the input, every layer and the diagnostics.
    unit
        A requested unit, or None.
    layers
        The layers that are listed, with the diagnostics of theirs and the unit's; None: all.
    answers
        Records of other requested answers, by their key.
    """
    record = analysis_record(analysis, unit, layers, answers)
    # One line per layer, so that people can read it, too.
    lists = ("layers", "diagnostics")
    parts = [
        f'"{key}": ' + (_json_lines(value) if key in lists else json.dumps(value, **_JSON))
        for key, value in record.items()
    ]
    return "{" + ",\n ".join(parts) + "}\n"


def _json_lines(values: Sequence[object]) -> str:
    return "[" + ",\n  ".join(json.dumps(x, **_JSON) for x in values) + "]"


def analysis_record(
    analysis: Analysis,
    unit: UnitView | None = None,
    layers: Sequence[LayerAnalysis] | None = None,
    answers: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Return what `analysis_json` writes, as dictionaries and lists."""
    record: dict[str, Any] = {
        "format": 1,
        "name": analysis.architecture.name,
        "input": _input_record(analysis),
        "layers": [layer_record(x) for x in (analysis.layers if layers is None else layers)],
    }
    if unit is not None:
        record["unit"] = unit_record(unit)
    record |= {key: _plain(value) for key, value in (answers or {}).items()}
    listed = None if layers is None or len(layers) == len(analysis.layers) else _paths(layers, unit)
    remarks = analysis.diagnostics
    record["diagnostics"] = [
        {"layer": x.layer, "code": x.code, "message": x.message}
        for x in (remarks if listed is None else remarks_on(remarks, listed))
    ]
    return record


def _paths(layers: Iterable[LayerAnalysis], unit: UnitView | None) -> set[str | None]:
    return {*(x.name for x in layers), *(() if unit is None else (unit.layer,))}


def _input_record(analysis: Analysis) -> dict[str, Any]:
    architecture, nodes = analysis.architecture, analysis.graph.nodes
    record: dict[str, Any] = {
        "size": list(analysis.input_size),
        "channels": architecture.channels,
    }
    if architecture.input_axes:
        record["axes"] = [asdict(x) for x in architecture.input_axes]
    if architecture.input_name:
        record["name"] = architecture.input_name
    if architecture.further_inputs:
        record["further"] = [
            {"name": x.name, "size": list(nodes[i].size), "channels": x.channels}
            for i, x in enumerate(architecture.further_inputs, 1)
        ]
    return record


def layer_record(layer: LayerAnalysis) -> dict[str, Any]:
    """Return one layer as JSON has it; every list is per axis."""
    return {
        "name": layer.name,
        "op": layer.op,
        "inputs": list(layer.inputs),
        "output_size": list(layer.output_size),
        "channels": layer.channels,
        "parameters": layer.parameters,
        "macs": layer.macs,
        "rf_size": _plain(layer.rf_size),
        "rf_size_range": _plain(layer.rf_size_range),
        "jump": _plain(layer.jump),
        "padding": _plain(layer.padding),
        "center": _plain(layer.center),
        "global": list(layer.is_global),
        "alignment": list(layer.alignment),
        "local": local_record(layer.local, layer.axes),
        "context": list(layer.context),
        "interior": _plain(layer.interior),
        "depth": layer.depth,
        "growth": list(layer.growth),
        "path_fields": {
            "min": _plain(layer.path_fields.min),
            "max": _plain(layer.path_fields.max),
        },
        **({"rf_extent": list(layer.rf_extent)} if layer.rf_extent is not None else {}),
    }


def local_record(local: LocalField | None, axes: Sequence[Axis] = ()) -> dict[str, Any] | None:
    """Return a local field as JSON has it; null without one, and on an axis without one."""
    if local is None:
        return None
    return {
        "rf_size": _plain(local.rf_size),
        "rf_size_range": _plain(local.rf_size_range),
        "jump": _plain(local.jump),
        "padding": _plain(local.padding),
        "center": _plain(local.center),
        "alignment": list(local.alignment),
        **({"rf_extent": list(extents(axes, local.rf_size))} if axes else {}),
    }


def unit_record(unit: UnitView) -> dict[str, Any]:
    """Return one unit as JSON has it; regions are inclusive [first, last] pairs per axis."""
    return {
        "layer": unit.layer,
        "position": list(unit.position),
        "theoretical_region": _plain(unit.theoretical_region),
        "visible_region": _plain(unit.visible_region),
        "local_region": _plain(unit.local_region),
        "support_count": unit.support_count,
        "coverage": unit.coverage,
        "coverage_per_axis": list(unit.coverage_per_axis),
        "gridding": unit.gridding,
        **(
            {
                "theoretical_extent": _extent_of(unit, unit.theoretical_region),
                "visible_extent": _extent_of(unit, unit.visible_region),
            }
            if unit.axes
            else {}
        ),
        **({"remark": unit.remark} if unit.is_bound else {}),
    }


def _extent_of(
    unit: UnitView, region: Sequence[tuple[int, int]] | None
) -> list[float | None] | None:
    if region is None:
        return None
    return list(extents(unit.axes, [last - first + 1 for first, last in region]))


def _plain(value: object) -> object:
    """Return `value` with lists for tuples, and fractions as whole numbers or texts."""
    if isinstance(value, Mapping):
        return {str(k): _plain(x) for k, x in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(x) for x in value]
    if isinstance(value, Fraction):
        return value.numerator if value.denominator == 1 else str(value)
    return value
