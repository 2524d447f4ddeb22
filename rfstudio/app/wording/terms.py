"""Which entry of the glossary explains a number of the inspector, or a word of a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
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
    "range": "Aligned",
    "depth": "Depth",
    "growth": "Growth",
    "paths": "Path",
    "interior": "Interior",
    "output": "Channel",
    "parameters": "Parameters",
    "MACs": "MACs",
}
"""Entries of the glossary by the labels of the numbers of a layer and of a unit."""

EFFECTIVE_TERMS = {
    "size": "Effective size",
    "ERF / TRF": "Effective size",
    "σ": "Standard deviation (σ)",
    "FWHM": "FWHM",
    "r50": "r50",
    "participation": "Participation",
    "areas": "Areas",
    "offset": "Offset",
    "anisotropy": "Anisotropy",
    "phases": "Phase contrast",
}
"""The same of the numbers of an effective field, some of which have the same labels."""

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
    "theoretical": "Receptive field, theoretical (TRF)",
    "interior": "Interior",
    "phase contrast": "Phase contrast",
    "anisotropy": "Anisotropy",
    "fwhm": "FWHM",
    "σ": "Standard deviation (σ)",
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


def entry_for(name: str, tip: str) -> str:
    """Return the entry of the glossary for a name and the tip on it; empty: there is none."""
    return next((x.entry for text in (name, tip) for x in terms_in(text)), "")


def linked(text: str) -> str:
    """Return a text in HTML, in which the first word for each entry of the glossary links to it."""
    parts, at = [], 0
    for term in terms_in(text):
        end = term.start + len(term.word)
        link = f'<a href="{escape(term.entry)}">{escape(term.word)}</a>'
        parts += [escape(text[at : term.start]), link]
        at = end
    return "".join([*parts, escape(text[at:])])
