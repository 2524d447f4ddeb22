"""Which entry of the glossary explains a number of the inspector, or a word of a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

GLOSSARY = "glossary.md"

TERMS = {
    "size": "Receptive field, theoretical (TRF)",
    "theoretical": "Receptive field, theoretical (TRF)",
    "local": "Local field",
    "through": "Context operation",
    "jump": "Jump",
    "padding": "Padding of a field",
    "centre": "Centre",
    "alignment": "Aligned",
    "visible": "Visible region",
    "pixels": "Support",
    "coverage": "Coverage",
    "gridding": "Gridding",
    "ERF / TRF": "Effective receptive field (ERF)",
}
"""Entries of the glossary by the labels of the numbers."""

WORDS = {
    "aligned": "Aligned",
    "misaligned": "Aligned",
    "centre offset": "Aligned",
    "stride mismatch": "Aligned",
    "border layer": "Border layer",
    "border layers": "Border layer",
    "critical layer": "Critical layer",
    "critical layers": "Critical layer",
    "centre": "Centre",
    "centres": "Centre",
    "container": "Container",
    "containers": "Container",
    "context operation": "Context operation",
    "context operations": "Context operation",
    "coverage": "Coverage",
    "dilation": "Dilation",
    "dilations": "Dilation",
    "dilated": "Dilation",
    "effective field": "Effective receptive field (ERF)",
    "effective fields": "Effective receptive field (ERF)",
    "effective receptive field": "Effective receptive field (ERF)",
    "erf": "Effective receptive field (ERF)",
    "estimator": "Estimator",
    "estimators": "Estimator",
    "gridding": "Gridding",
    "effective stride": "Jump",
    "jump": "Jump",
    "jumps": "Jump",
    "output stride": "Jump",
    "local field": "Local field",
    "local fields": "Local field",
    "effective padding": "Padding of a field",
    "projective field": "Projective field",
    "receptive field": "Receptive field, theoretical (TRF)",
    "receptive fields": "Receptive field, theoretical (TRF)",
    "theoretical field": "Receptive field, theoretical (TRF)",
    "theoretical region": "Receptive field, theoretical (TRF)",
    "trf": "Receptive field, theoretical (TRF)",
    "support": "Support",
    "tap": "Tap",
    "taps": "Tap",
    "visible region": "Visible region",
}
"""Entries of the glossary by the words of texts."""

# Longer words first, so that an effective receptive field is not read as a receptive field.
_ANY = re.compile(
    rf"(?<![\w'’-])(?:{'|'.join(sorted(map(re.escape, WORDS), key=len, reverse=True))})(?![\w'’-])",
    re.IGNORECASE,
)


class Term(NamedTuple):
    """A word of a text that the glossary explains.

    Attributes
    ----------
    word, start
        The word as it is written, and its place in the text.
    entry
        The entry of the glossary.
    """

    word: str
    start: int
    entry: str


def terms_in(text: str) -> Iterator[Term]:
    """Yield the first word for each entry of the glossary that a text speaks of, in order.

    A word in quotation marks is the name of a layer.
    """
    seen = set()
    for found in _ANY.finditer(text):
        entry = WORDS[found[0].lower()]
        if entry not in seen:
            seen.add(entry)
            yield Term(found[0], found.start(), entry)
