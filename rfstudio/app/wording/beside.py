"""Numbers of a pin beside those of the chosen unit: the text, and a sign for how they differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rfstudio.app.effective.pins import Pin
from rfstudio.app.wording.facts import (
    Fact,
    cost_facts,
    erf_facts,
    layer_facts,
    place_facts,
    unit_facts,
)
from rfstudio.app.wording.texts import field_text
from rfstudio.app.wording.units import in_units
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis

LARGER, SMALLER, OTHER, SAME = "▲", "▼", "≠", "="

SIGNS = f"{LARGER} larger, {SMALLER} smaller, {OTHER} another, {SAME} the same"
"""What the signs say of the pinned value."""

_LONG = frozenset({"theoretical", "visible", "local", "paths", "interior", "through", "areas"})
"""Facts whose pinned values would fill the panel; the frames of a pin are on the canvas."""

_MEASURE = re.compile(r"\b(?:px|samples?|voxels?|bases?|frames?)\b")

_NUMBER = re.compile(r"−?\d[\d,]*(?:\.\d+)?")


def sign_of(own: str, pinned: str) -> str:
    """Return how the numbers in a pinned text differ from those in the chosen unit's."""
    if own == pinned:
        return SAME
    a, b = _numbers(own), _numbers(pinned)
    is_other_measure = _measures(own) != _measures(pinned)
    if not a or len(a) != len(b) or a == b or is_other_measure:
        return OTHER
    steps = [y - x for x, y in zip(a, b, strict=True)]
    if min(steps) >= 0:
        return LARGER
    return SMALLER if max(steps) <= 0 else OTHER


def with_pinned(facts: Iterable[Fact], letter: str, pinned: Mapping[str, str]) -> Iterator[Fact]:
    """Yield facts with the pinned value of each on a second line."""
    for fact in facts:
        other = pinned.get(fact.label)
        if other is None:
            yield fact
            continue
        sign = sign_of(fact.text, other)
        text = f"{fact.text}\n{letter}  {other}  {sign}"
        yield fact._replace(text=text, meaning=f"{fact.meaning}\nPin {letter}: {SIGNS}.")


@dataclass(frozen=True)
class PinnedFacts:
    """The numbers of a pin by the blocks of the inspector, and then by their labels."""

    letter: str = ""
    layer: Mapping[str, str] = field(default_factory=dict)
    unit: Mapping[str, str] = field(default_factory=dict)
    effective: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[str, str] = field(default_factory=dict)


def facts_of_pin(pin: Pin) -> PinnedFacts:
    """Return the numbers of a pin."""
    layer, units = pin.analysis[pin.layer], pin.analysis.units
    metrics = None if pin.field is None else pin.field.metrics

    def said(facts: Iterable[Fact]) -> dict[str, str]:
        return {x.label: x.text for x in in_units(facts, units) if x.label not in _LONG}

    return PinnedFacts(
        pin.letter,
        said((*layer_facts(layer), *place_facts(layer))),
        said(() if pin.view is None else unit_facts(pin.view)),
        said(() if metrics is None else erf_facts(metrics, pin.analysis.axes)),
        {x.label: x.text for x in cost_facts(layer)},
    )


class PinnedFields:
    """The fields of a pinned network layer by layer, beside those of the open one.

    Layers are found by their paths.  Where the two networks have few paths in common, they are
    compared at the same depth: with the largest local field that the other one has there.

    Parameters
    ----------
    pin
        The pin.
    names
        The paths of the open network.
    """

    def __init__(self, pin: Pin, names: Iterable[str]) -> None:
        self.letter, self._title, self._analysis = pin.letter, pin.title, pin.analysis
        wanted = list(names)
        known = sum(x in pin.analysis.graph.paths for x in wanted)
        self.is_by_path = 2 * known >= len(wanted)
        self._by_depth = {} if self.is_by_path else _by_depth(pin.analysis)
        self.meaning = (
            f"Field of the same layer of pin {pin.letter}, {pin.title}: {SIGNS}."
            if self.is_by_path
            else f"Largest field of pin {pin.letter}, {pin.title}, at the same depth: {SIGNS}."
        )

    def is_of(self, pin: Pin) -> bool:
        """Whether these are the fields of a pin: what it shows of its unit does not matter."""
        return pin.analysis is self._analysis and pin.title == self._title

    def layer_beside(self, layer: LayerAnalysis) -> LayerAnalysis | None:
        """Return the layer of the pinned network to compare with; None: there is none."""
        if self.is_by_path:
            index = self._analysis.graph.paths.get(layer.name)
            return None if index is None else self._analysis.at(index)
        return None if layer.depth is None else self._by_depth.get(layer.depth)

    def text(self, layer: LayerAnalysis) -> str:
        """Return the pinned field and how it differs."""
        other = self.layer_beside(layer)
        if other is None:
            return "–"
        text = field_text(other)
        return f"{text} {sign_of(field_text(layer), text)}"

    def size(self, layer: LayerAnalysis) -> float:
        """Return the pinned size, to sort by."""
        other = self.layer_beside(layer)
        return -1.0 if other is None else _size(other)


def _by_depth(analysis: Analysis) -> dict[int, LayerAnalysis]:
    found: dict[int, LayerAnalysis] = {}
    for layer in analysis.layers:
        if layer.depth is not None and (
            layer.depth not in found or _size(layer) > _size(found[layer.depth])
        ):
            found[layer.depth] = layer
    return found


def _size(layer: LayerAnalysis) -> float:
    return max(float("inf") if x is None else float(x) for x in layer.rf_size)


def _measures(text: str) -> set[str]:
    """Return what a text counts in, each in the singular: a pixel is no sample."""
    return {x.removesuffix("s") for x in _MEASURE.findall(text)}


def _numbers(text: str) -> list[float]:
    return [float(x.replace("−", "-").replace(",", "")) for x in _NUMBER.findall(text)]
