"""The words for what fields are measured in: pixels of an image, samples of a signal or a map."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rfstudio.app.wording.facts import Fact
from rfstudio.core.fields.analysis import Analysis


@dataclass(frozen=True, slots=True)
class Units:
    """What the reference map consists of.

    Attributes
    ----------
    short
        After a number: "px", "samples".
    many, one
        In a sentence.
    whole
        What they make up: "image", "signal", "map of layer1".
    """

    short: str
    many: str
    one: str
    whole: str

    def said(self, text: str) -> str:
        """Return a text that is written for images, in these words."""
        if self is PIXELS:
            return text
        said = _WORDS.sub(lambda found: self._word(found[0]), text)
        return _ONE.sub(rf"\g<1>{self.one}", said) if self.short == self.many else said

    def _word(self, word: str) -> str:
        return {"px": self.short, "pixels": self.many, "pixel": self.one, "image": self.whole}[word]


PIXELS = Units("px", "pixels", "pixel", "image")
_SIGNAL = Units("samples", "samples", "sample", "signal")
_VOLUME = Units("voxels", "voxels", "voxel", "volume")
_ONE = re.compile(r"((?<![\d.,/…×])1 )(?:samples|voxels)\b")
_WORDS = re.compile(r"\b(?:px|pixels|pixel|image)\b")


def units_of(analysis: Analysis) -> Units:
    """Return the words for the map to which the fields of an analysis refer."""
    if analysis.reference != 0:
        name = analysis.graph.nodes[analysis.reference].name
        return Units("samples", "samples", "sample", f"map of {name}")
    return {1: _SIGNAL, 3: _VOLUME}.get(len(analysis.input_size), PIXELS)


def in_units(facts: Iterable[Fact], units: Units) -> Iterator[Fact]:
    """Yield facts in the words for a map."""
    for label, text, meaning in facts:
        yield Fact(units.said(label), units.said(text), units.said(meaning))
