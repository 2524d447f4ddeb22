"""The numbers of the chosen layer and unit in words: label, text, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from rfstudio.api import path_shares
from rfstudio.app.wording.texts import (
    alignment_text,
    amount_text,
    field_text,
    local_text,
    number_text,
    signed,
    sizes_text,
    some_names,
    steps_text,
)
from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis, UnitView
from rfstudio.core.fields.paths import PathFields
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.metrics.registry import BY_NAME, IN_SHORT
from rfstudio.core.network.physical import Axis, distance_text, extent_text, sized_text
from rfstudio.formats.tables.answer_records import paths_facts, paths_record

NO_PATH = "none: no path leads to it"
"""The size of a field that is empty."""


class Fact(NamedTuple):
    """One number.

    Attributes
    ----------
    label
        Its name: a word or two.
    text
        Its value with the unit.
    meaning
        Meaning, unit and formula, for a tooltip.
    """

    label: str
    text: str
    meaning: str


def layer_facts(layer: LayerAnalysis) -> Iterator[Fact]:
    """Yield the numbers of a layer's receptive field, the same for all its units."""
    ranges = [x for x in layer.rf_size_range if x is not None]
    if all(layer.is_global):
        yield Fact(
            "size", "the whole input", "Every unit sees the whole input: a global operation."
        )
    else:
        yield Fact(
            "size",
            _sized(field_text(layer), layer, layer.rf_size),
            "Size of what one unit sees, in pixels of the input.\n"
            "Along one path: r = 1 + Σ dilation · (kernel − 1) · jump before the layer.\n"
            + (
                "A range, since it depends on the unit: after upsampling, or where strides differ."
                if any(a != b for a, b in ranges)
                else "Where branches meet: the smallest region that holds all branches."
            ),
        )
    if any(layer.is_global) and layer.local is not None:
        yield Fact(
            "local",
            _sized(local_text(layer), layer, layer.local.rf_size),
            "Local field: what the convolutions see, where operations that read the whole map\n"
            "(gates, norms over the map, attention) are taken to read one position.",
        )
        if layer.context:
            yield Fact(
                "through",
                some_names(layer.context, 2, _NARROW),
                "Operations on the way that read the whole map:\n" + "\n".join(layer.context[:20]),
            )
    yield Fact(
        "jump",
        _steps(layer.jump, "px", layer.axes),
        "Effective stride: distance between what two neighbouring units see, in pixels.\n"
        "The product of all strides so far; a fraction after upsampling.",
    )
    yield Fact(
        "padding",
        _steps(layer.padding, "px"),
        "Effective padding: how far unit 0 reaches before pixel 0.\n"
        "P = Σ padding · jump before the layer.",
    )
    yield Fact(
        "centre",
        _steps(layer.center, "px"),
        "Centre of what unit 0 sees; pixel i has its centre at i.\n"
        "Of unit u: u · jump − padding + (size − 1) / 2.",
    )
    yield Fact(
        "alignment",
        alignment_text(layer),
        "Whether all paths from the input agree.\n"
        "Centre offset: same jump, shifted fields. Stride mismatch: the field depends on the unit.",
    )
    if any(a != b for a, b in ranges):
        yield Fact(
            "range",
            " × ".join(f"{a}…{b}" for a, b in ranges) + " px",
            "Smallest and largest size over the units of this map.",
        )


def place_facts(layer: LayerAnalysis, *, is_late: bool = False) -> Iterator[Fact]:
    """Yield the facts of a layer's place in its network: depth, growth, paths, interior.

    Parameters
    ----------
    layer
        The layer.
    is_late
        Whether they are being worked out, which the facts then say.
    """
    # Always the same rows: an edit that changes a number must not lay out the window again.
    yield Fact(
        "depth",
        "…" if is_late else "–" if layer.depth is None else f"{layer.depth}",
        "Number of layers with weights on the longest path to it, itself included.",
    )
    yield Fact(
        "growth",
        "…" if is_late else _steps(layer.growth, "px"),
        "How much larger its field is than that of the layer before it on that path.",
    )
    yield Fact(
        "paths",
        "…" if is_late else _extremes(layer.path_fields),
        "Least and greatest field over all paths from the input:\n"
        "1 + Σ dilation · (kernel − 1) · jump along each.",
    )
    yield Fact(
        "interior",
        "…" if is_late else _interior(layer),
        "Units that no padding reaches, first … last along each axis (y × x).",
    )


def _extremes(paths: PathFields) -> str:
    ends = _path_size(paths.min), _path_size(paths.max)
    return f"each {ends[0]}" if ends[0] == ends[1] else " … ".join(ends)


def _interior(layer: LayerAnalysis) -> str:
    return "none" if layer.interior is None else _region(layer.interior)


_FORM_MEANINGS = {
    "size": "Sum over the layers on the path; d dilation, k kernel, S jump of the map it reads.\n"
    "Grouped by jump: jump·(d·(k − 1) of each layer); 6×2 is six layers of 2.",
    "jump": "Product of the strides on the path.",
    "padding": "Sum of padding·jump over the layers on the path.",
    "unit u": "First pixel that unit u sees, before the image where it is negative.",
    "centre": "Centre of what unit u sees; pixel i has its centre at i.",
    "path": "The layers with a window on the path that gives the size.",
    "recurrence": "The same numbers from those of the layer before: one step.",
    "walk back": "First … last sample read of each map, from the unit back to the input.",
}


def form_facts(layer: LayerAnalysis) -> Iterator[Fact]:
    """Yield the equations of a layer's field with the numbers of its network put in."""
    for name, text in layer.closed_form.facts():
        yield Fact(name, text, _FORM_MEANINGS.get(name.partition(" (")[0], ""))


def other_facts(layer: LayerAnalysis) -> Iterator[Fact]:
    """Yield the numbers that pages and tools have for a layer, and why they differ."""
    others = layer.other_numbers
    for other in others:
        text = f"{other.value}: {other.reason}"
        yield Fact(other.about, text, "A number that is found elsewhere, and why it differs.")
    if not others:
        yield Fact("none", "no common mistake leads to another number here", "")


def other_erf_facts(layer: LayerAnalysis, metrics: Metrics | None) -> Iterator[Fact]:
    """Yield the sizes that rules and snippets give an effective field, and why they differ."""
    size = None if metrics is None else metrics.luo_size
    if size is None:
        yield Fact("none", "there is no effective field", "")
        return
    for other in layer.other_effective_sizes(size):
        text = f"{other.value}: {other.reason}"
        yield Fact(other.about, text, "A number that is found elsewhere, and why it differs.")


def paths_facts_of(analysis: Analysis, layer: str) -> Iterator[Fact]:
    """Yield the paths to a layer by length and field, and the shares of its branches."""
    try:
        record = paths_record(path_shares(analysis, layer))
    except Cancelled:
        raise
    except RFStudioError as error:
        yield Fact("none", str(error), "")
        return
    facts = paths_facts(record, analysis.axes)
    forks = [x for x in facts if x[0].startswith("from ")]
    for name, text in facts[: len(facts) - len(forks)]:
        word = name.partition(",")[0]
        yield Fact(word, text, _PATH_MEANINGS[word])
    # Labels are as narrow as the panel, so the names of layers are in the texts.
    for name, text in forks[-_MOST_FORKS:]:
        yield Fact("fork", f"{name}: {text}", _BRANCH_MEANING)
    if len(forks) > _MOST_FORKS:
        yield Fact("forks", f"and {len(forks) - _MOST_FORKS} before them", _BRANCH_MEANING)


_MOST_FORKS = 8
"""Maps with several readers that the inspector lists: those next to the layer."""

_PATH_MEANINGS = {
    "paths": "Number of paths from the input, and their length in layers with weights,\n"
    "weighted with the expected energy of the centre unit.",
    "lengths": "Share of the expected energy that takes paths of a length, and how many there are.",
    "fields": "Share of the expected energy that takes paths with a field of that size.",
}
_BRANCH_MEANING = "Share of the energy that comes to this map by each layer that reads it."


def _path_size(sizes: tuple[int | Fraction | None, ...]) -> str:
    return "the whole input" if None in sizes else sizes_text(sizes)


_NARROW = 16
"""Characters of a name, in which no line can break, that fit the column of values."""


def unit_facts(unit: UnitView) -> Iterator[Fact]:
    """Yield the numbers of one unit."""
    yield Fact(
        "theoretical",
        _region(unit.theoretical_region),
        "Theoretical region, first … last pixel along each axis (y × x).\n"
        "It may leave the image: that part is padding.",
    )
    if unit.local_region not in (None, unit.theoretical_region):
        yield Fact(
            "local",
            _region(unit.local_region),
            "Region of the local field, first … last pixel along each axis (y × x).",
        )
    yield Fact(
        "visible",
        _region(unit.visible_region),
        "Visible region: the smallest rectangle around the pixels that really reach the unit,\n"
        "with every border at every layer taken into account.",
    )
    yield Fact(
        "pixels",
        f"at most {unit.support_count:,}" if unit.is_bound else f"{unit.support_count:,}",
        "Contributing pixels: the number of input pixels in the support."
        + (f"\n{unit.remark}" if unit.is_bound else ""),
    )
    yield Fact(
        "coverage",
        f"{100 * unit.coverage:.3g} %   ({_percents(unit.coverage_per_axis)})",
        "Share of the image that reaches the unit, and share of each side (y × x).",
    )
    yield Fact(
        "gridding",
        f"{100 * unit.gridding:.3g} %",
        "Share of holes in the visible region: pixels inside it that are not read,\n"
        "left by dilation or by strides larger than the kernel.",
    )


def cost_facts(layer: LayerAnalysis) -> Iterator[Fact]:
    """Yield what a layer is made of and what it costs."""
    yield Fact(
        "output",
        f"{layer.channels} × {sizes_text(layer.output_size)}",
        "Channels and size of the layer's map.",
    )
    yield Fact("parameters", f"{layer.parameters:,}", "Number of learned parameters.")
    macs = f"{layer.macs:,}" if layer.macs < 10_000 else amount_text(layer.macs)
    yield Fact("MACs", macs, f"Multiply-adds for one image: {layer.macs:,}.")


def erf_facts(metrics: Metrics, axes: Sequence[Axis] = ()) -> Iterator[Fact]:
    """Yield the numbers of an effective receptive field, where it has them.

    With axes its size is in their units, too.
    """
    for metric in map(BY_NAME.__getitem__, IN_SHORT):
        value, brief = metric.value(metrics), metric.brief
        if brief is not None and metric.is_known(value):
            text = brief.text_of(value, metrics.map.ndim)
            if metric.name == "luo_size" and (extent := extent_text(axes, (value,) * len(axes))):
                text += f" = {extent}"
            yield Fact(brief.label, text, brief.sentence or metric.sentence)


def _sized(text: str, layer: LayerAnalysis, sizes: Sequence[float | None]) -> str:
    return NO_PATH if text == "none" else sized_text(text, layer.axes, sizes)


def _steps(values: tuple[Any, ...], unit: str, axes: Sequence[Axis] = ()) -> str:
    if all(x is None for x in values):
        return "–"
    distance = distance_text(axes, [None if x is None else float(x) for x in values])
    return f"{signed(steps_text(values))} {unit}" + (f" = {distance}" if distance else "")


def _region(region: tuple[tuple[int, int], ...] | None) -> str:
    if region is None:
        return "empty"
    return " × ".join(f"{signed(number_text(a))} … {signed(number_text(b))}" for a, b in region)


def _percents(values: tuple[float, ...]) -> str:
    return " × ".join(f"{100 * x:.3g} %" for x in values)
