"""The numbers of the chosen unit beside those of the pins, with their differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rfstudio.app.effective.shown_fields import EffectiveField
from rfstudio.app.wording.texts import field_text, local_text, signed, steps_text
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.network.sample_words import PIXELS

Numbers = tuple[float, ...] | None


class Compared(NamedTuple):
    """What has a column: the chosen unit, or a pin."""

    title: str
    analysis: Analysis
    layer: str
    unit: tuple[int, ...]
    field: EffectiveField | None


class Cell(NamedTuple):
    """A number as a text, and how much it differs from that of the chosen unit; empty: not."""

    text: str
    difference: str = ""


class Row(NamedTuple):
    """One number of all columns."""

    label: str
    cells: tuple[Cell, ...]


def rows_of(columns: Sequence[Compared]) -> list[Row]:
    """Return the rows of a comparison; the first column is what the others are held against."""
    rows = [
        Row("network", tuple(Cell(x.title) for x in columns)),
        Row("layer", tuple(Cell(x.layer) for x in columns)),
        Row("unit", tuple(Cell(", ".join(map(str, x.unit))) for x in columns)),
    ]
    units = [x.analysis.units.many for x in columns]
    if set(units) != {PIXELS.many} or any(x.analysis.reference for x in columns):
        rows.append(Row("fields in", tuple(Cell(_map_in_words(x.analysis)) for x in columns)))
    measures = [_measure(x.analysis) for x in columns]
    has_same = [x == measures[0] for x in measures]
    layers = [x.analysis[x.layer] for x in columns]
    for label, text, numbers in _OF_LAYERS:
        known = has_same if label in _IN_SAMPLES else [True] * len(columns)
        rows.append(_row(label, [(text(x), numbers(x)) for x in layers], known))
    for label, value in _OF_FIELDS:
        found = [None if x.field is None else value(x.field.metrics) for x in columns]
        rows.append(_row(label, [(_text(x), x) for x in found], has_same))
    rows.append(
        Row(
            "effective field",
            tuple(Cell("–" if x.field is None else x.field.label) for x in columns),
        )
    )
    return rows


def _row(label: str, values: list[tuple[str, Numbers]], can_be_compared: Sequence[bool]) -> Row:
    first = values[0][1]
    cells = [Cell(values[0][0])]
    for (text, numbers), is_same in zip(values[1:], can_be_compared[1:], strict=True):
        cells.append(Cell(text, _difference(first, numbers) if is_same else ""))
    return Row(label, tuple(cells))


def _map_in_words(analysis: Analysis) -> str:
    units = analysis.units
    return f"{units.many} of the {units.whole}"


def _measure(analysis: Analysis) -> tuple[str, str, int]:
    """Return what sizes of fields are counted in; those in another measure have no difference."""
    reference = analysis.graph.nodes[analysis.reference].name if analysis.reference else ""
    return analysis.units.many, reference, len(analysis.reference_size)


def _difference(first: Numbers, other: Numbers) -> str:
    if first is None or other is None or len(first) != len(other):
        return ""
    by_axis = [b - a for a, b in zip(first, other, strict=True)]
    if not any(abs(x) > 1e-9 for x in by_axis):
        return "same"
    shown = by_axis[:1] if len(set(by_axis)) == 1 else by_axis
    return signed("×".join(f"{x:+.4g}" for x in shown))


def _text(values: Numbers) -> str:
    if values is None:
        return "–"
    shown = values[:1] if len(set(values)) == 1 else values
    return "×".join(f"{x:.4g}" for x in shown)


def _floats(values: Sequence[object]) -> Numbers:
    if any(x is None for x in values):
        return None
    return tuple(float(x) for x in values)  # type: ignore[arg-type] # numbers, by the line above


_OF_LAYERS: tuple[
    tuple[str, Callable[[LayerAnalysis], str], Callable[[LayerAnalysis], Numbers]], ...
] = (
    ("field size", field_text, lambda x: _floats(x.rf_size)),
    ("local size", lambda x: local_text(x) if x.local is not None else "–", lambda _: None),
    ("jump", lambda x: signed(steps_text(x.jump)), lambda x: _floats(x.jump)),
    ("padding", lambda x: signed(steps_text(x.padding)), lambda x: _floats(x.padding)),
    ("output", lambda x: "×".join(map(str, x.output_size)), lambda x: _floats(x.output_size)),
    ("channels", lambda x: str(x.channels), lambda x: (float(x.channels),)),
    ("depth", lambda x: "–" if x.depth is None else str(x.depth), lambda x: _floats((x.depth,))),
    ("parameters", lambda x: f"{x.parameters:,}", lambda x: (float(x.parameters),)),
)

_IN_SAMPLES = frozenset({"field size", "local size", "jump", "padding"})
"""Rows whose numbers are counted in samples of the map over which fields are given."""

_OF_FIELDS: tuple[tuple[str, Callable[[Metrics], Numbers]], ...] = (
    ("effective size", lambda x: _floats((x.luo_size,))),
    ("σ (moments)", lambda x: None if x.sigma is None else _floats(x.sigma)),
    ("FWHM", lambda x: _floats((x.fwhm,))),
    ("r50", lambda x: _floats((x.r50,))),
)
