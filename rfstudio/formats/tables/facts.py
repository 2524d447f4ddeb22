"""Networks, layers and units in words, as pairs of a name and a text, for terminal and notebook."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rfstudio.core.network.physical import Axis, distance_text, sized_text
from rfstudio.core.plural import counted
from rfstudio.formats.tables.analysis_tables import (
    MINUS,
    MISSING,
    Number,
    alignment_text,
    field_text,
    local_text,
    sizes_text,
    steps_text,
)

if TYPE_CHECKING:
    from rfstudio.core.fields.analysis import Analysis, LayerAnalysis, UnitView
    from rfstudio.core.network.sample_words import Units


def totals_text(analysis: Analysis) -> str:
    """Return how large a network is."""
    layers = counted(len(analysis), "layer")
    return (
        f"{layers} · {counted(analysis.parameters, 'parameter')} · "
        f"{analysis.macs:,} MACs (multiply-adds for one input)"
    )


def layer_facts(layer: LayerAnalysis, reference: str = "input") -> list[tuple[str, str]]:
    """Return what is known of a layer; `reference` is what its fields are given with respect to."""
    inputs = ", ".join(layer.inputs)
    return [
        ("op", f"{layer.op}, reads {inputs}" if inputs else layer.op),
        ("output", f"{sizes_text(layer.output_size)}, {counted(layer.channels, 'channel')}"),
        *_field_facts(layer, reference),
        ("parameters", f"{layer.parameters:,}"),
        ("MACs", f"{layer.macs:,}"),
    ]


def _field_facts(layer: LayerAnalysis, reference: str) -> list[tuple[str, str]]:
    of = "" if reference == "input" else f" of {reference}"
    if not any(x.tracks or x.whole for x in layer.fields):
        return [("field", f"none: no path from {reference} leads here")]
    if all(layer.is_global):
        facts = [("field", f"every unit sees everything{of}")]
        if layer.local is None:
            return [*facts, ("alignment", alignment_text(layer))]
        return [
            *facts,
            ("local field", sized_text(local_text(layer), layer.axes, layer.local.rf_size) + of),
            ("context", ", ".join(layer.context)),
            *_steps_facts(layer),
        ]
    return [
        ("field", sized_text(field_text(layer), layer.axes, layer.rf_size) + of),
        *_steps_facts(layer),
    ]


def _steps_facts(layer: LayerAnalysis) -> list[tuple[str, str]]:
    return [
        ("jump", _steps(layer.jump, "px", layer.axes)),
        ("padding", _steps(layer.padding, "px")),
        ("centre", _steps(layer.center, "(of unit 0)")),
        ("alignment", alignment_text(layer)),
    ]


def _steps(values: Sequence[Number | None], unit: str, axes: Sequence[Axis] = ()) -> str:
    text = steps_text(values)
    if text == MISSING:
        return text
    distance = distance_text(axes, [None if x is None else float(x) for x in values])
    return f"{text} {unit}" + (f" = {distance}" if distance else "")


def unit_facts(unit: UnitView) -> list[tuple[str, str]]:
    """Return what one unit sees, as pairs of a name and a text."""
    holes = "none" if unit.gridding == 0 else f"{100 * unit.gridding:.3g} % of the visible region"
    read = f"{'at most ' if unit.is_bound else ''}{counted(unit.support_count, 'pixel')}"
    return [
        ("theoretical", region_text(unit.theoretical_region, unit.axes)),
        ("visible", region_text(unit.visible_region, unit.axes)),
        *_local_facts(unit),
        (
            "contributing",
            f"{read}, {100 * unit.coverage:.3g} % of the image",
        ),
        ("holes", "unknown" if unit.is_bound else holes),
        *([("remark", unit.remark)] if unit.is_bound else []),
    ]


def _local_facts(unit: UnitView) -> list[tuple[str, str]]:
    if unit.local_region in (None, unit.theoretical_region):
        return []
    return [("local", region_text(unit.local_region, unit.axes))]


def in_words(facts: Iterable[tuple[str, str]], units: Units) -> list[tuple[str, str]]:
    """Return facts that are written for images in the words for what fields are given in."""
    return [(name, units.said(text)) for name, text in facts]


def units_text(units: Sequence[tuple[int, int]] | None) -> str:
    """Return the first and last unit of a map along each axis, and how many there are."""
    if units is None:
        return "nothing"
    return f"{_spans(units)}  ({sizes_text([b - a + 1 for a, b in units])} units)"


def region_text(region: Sequence[tuple[int, int]] | None, axes: Sequence[Axis] = ()) -> str:
    """Return the first and last sample along each axis, and the size, in units of the axes too."""
    if region is None:
        return "nothing"
    sizes = [last - first + 1 for first, last in region]
    return f"{_spans(region)}  ({sized_text(sizes_text(sizes), axes, sizes)})"


def _spans(region: Sequence[tuple[int, int]]) -> str:
    return " × ".join(f"{first}…{last}" for first, last in region).replace("-", MINUS)
