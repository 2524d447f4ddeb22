"""The words for what fields are measured in: pixels of an image, samples of a signal or a map."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rfstudio.core.network.physical import Axis, samples_word


@dataclass(frozen=True, slots=True)
class Units:
    """What a map consists of.

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
        if self.short != self.many:
            return said
        return re.sub(rf"((?<![\d.,/…×])1 ){self.many}\b", rf"\g<1>{self.one}", said)

    def _word(self, word: str) -> str:
        return {"px": self.short, "pixels": self.many, "pixel": self.one, "image": self.whole}[word]


PIXELS = Units("px", "pixels", "pixel", "image")
_SAMPLES = Units("samples", "samples", "sample", "signal")
_KNOWN = {
    "px": PIXELS,
    "samples": _SAMPLES,
    "voxels": Units("voxels", "voxels", "voxel", "volume"),
    "bases": Units("bases", "bases", "base", "sequence"),
    "frames": Units("frames", "frames", "frame", "signal"),
}
_WORDS = re.compile(r"(?<![\w.'])(?:px|pixels|pixel|image)(?![\w']|\.\w)")
"""Words of a text that are not parts of a layer's path."""


def units_of_input(axes: Sequence[Axis], count: int) -> Units:
    """Return the words for the input of a network.

    Parameters
    ----------
    axes
        What its axes measure; empty: it is not known.
    count
        Number of its axes.
    """
    known = _KNOWN[samples_word(axes, count)]
    return replace(known, whole="input") if count == 2 and known is not PIXELS else known


def units_of_map(name: str) -> Units:
    """Return the words for the map of a layer."""
    return Units("samples", "samples", "sample", f"map of {name}")
