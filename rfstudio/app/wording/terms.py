"""Which entry of the glossary explains a number of the inspector, or a word of a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
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
    "range": "Range",
    "depth": "Depth",
    "growth": "Growth",
    "paths": "Path",
    "interior": "Interior",
    "output": "Map",
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

LABELS = {
    **{label.lower(): entry for label, entry in TERMS.items()},
    **{label.lower(): entry for label, entry in EFFECTIVE_TERMS.items() if label != "size"},
    # Columns of tables and of the tree.
    "layer": "Layer",
    "op": "Layer",
    "channels": "Channel",
    "field": "Receptive field, theoretical (TRF)",
    "reads": "Source",
    "network": "Layer",
    "unit": "Unit",
    "field size": "Receptive field, theoretical (TRF)",
    "local size": "Local field",
    "effective size": "Effective size",
    "effective field": "Effective receptive field (ERF)",
    "chosen": "Unit",
    "pin": "Pin",
    "head": "Head",
    "heads": "Head",
    "distance": "Distance of attention",
    "nearest": "Distance of attention",
    "farthest": "Distance of attention",
    "to tokens": "Token",
    "image": "Sample",
    "size (px)": "Effective size",
    "strength": "Strength",
    "on the object": "Share on the object",
    "even field": "Share on the object",
    "ratio": "Share on the object",
    "number": "Effective receptive field (ERF)",
    "measured": "Effective receptive field (ERF)",
    "expected": "Effective receptive field (ERF)",
    "meaning": "Effective receptive field (ERF)",
    # Numbers of an effective field, by their names in files.
    "luo_size": "Effective size",
    "luo_size_of_maximum": "Effective size",
    "sigma": "Standard deviation (σ)",
    "gaussian": "Gaussian, fitted",
    "participation_side": "Participation",
    "area_ratio": "Areas",
    "area_ratio_replknet": "Areas",
    "erf_trf_ratio": "Effective size",
    "phase_contrast": "Phase contrast",
    "angle": "Anisotropy",
    "centroid": "Offset",
    "outside": "Visible region",
    # Parts of the inspector that are closed at first.
    "unit u": "Unit",
    "path": "Path",
    "lengths": "Path",
    "fields": "Path",
    "fork": "Path",
    "forks": "Path",
    "recurrence": "Closed form",
    "walk back": "Closed form",
    "closed form": "Closed form",
    "overlap": "Overlap of tiles",
    "erf size": "Effective size",
    "modulo": "Phase contrast",
    "remark": "Remark",
    "remarks": "Remark",
    "note": "Remark",
    "notes": "Remark",
    # Axes and legends of charts.
    "pixels": "Pixel",
    "samples": "Sample",
    "of the peak": "Peak",
    "fit": "Gaussian, fitted",
    "fitted gaussian": "Gaussian, fitted",
    "l1 distance": "Convergence",
    "step": "Training",
    "loss": "Training",
    "accuracy": "Training",
    # Switches of the canvas.
    "support": "Support",
    "erf": "Effective receptive field (ERF)",
    "centres": "Centre",
    "all layers": "Receptive field, theoretical (TRF)",
    "dim": "Visible region",
    "gray": "Effective receptive field (ERF)",
    # Fields of forms.
    "estimator": "Estimator",
    "initialisation": "Initialisation",
    "seed": "Seed",
}
"""Entries of the glossary by everything that names a number: titles, axes, legends, switches."""

FIELDS = {
    "kernel size": "Kernel",
    "stride": "Stride",
    "dilation": "Dilation",
    "padding": "Padding",
    "out channels": "Channel",
    "in channels": "Channel",
    "channels": "Channel",
    "groups": "Channel",
    "heads": "Head",
    "reads": "Source",
}
"""Entries of the glossary by what is set of a layer; its padding is not that of its field."""

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


class Question(NamedTuple):
    """What is this? A word as the window shows it, and the entry of the glossary for it."""

    word: str
    entry: str

    @property
    def text(self) -> str:
        """The question, as in a menu."""
        return f"What is “{self.word}”?"


HINT = "Right-click: more in the glossary."
"""Last line of a tip on what the glossary explains."""

_BESIDE = tuple(
    re.compile(x)
    for x in (
        r"\s*\([^()]*\)$",  # the unit of "σ (px)"
        r"^\d+ ",  # the count of "2 notes"
        r"\..*$",  # the axis or the part of "sigma.y"
        r" (\w|\d+)$",  # the letter of "pin A", the number of "modulo 2"
        r", .*$",  # the explanation of "depth, in layers with weights"
    )
)
"""What stands beside a name in a title."""


def entry_of_label(label: str) -> str:
    """Return the entry of the glossary for the name of a number; empty: there is none.

    What stands beside the name is left out: "σ (px)", "sigma.y", "pin A", "2 notes".
    """
    name = label.strip().lower()
    for beside in (None, *_BESIDE):
        name = name if beside is None else beside.sub("", name)
        entry = LABELS.get(name) or WORDS.get(name)
        if entry:
            return entry
    return LABELS["pixels"] if ", in " in label else ""


def questions_about(label: str, tip: str = "") -> list[Question]:
    """Return what can be asked about a name, and about the words in it and in its tip."""
    entry = entry_of_label(label)
    own = [Question(label.strip(), entry)] if entry else []
    words = (x for text in (label, tip) for x in terms_in(text))
    return first_of([*own, *(Question(x.word, x.entry) for x in words)])


def first_of(questions: Iterable[Question]) -> list[Question]:
    """Return the first question for each entry."""
    found: dict[str, Question] = {}
    for question in questions:
        found.setdefault(question.entry, question)
    return list(found.values())


def hinted(tip: str, label: str) -> str:
    """Return a tip that says that the glossary explains what it is on, if it does."""
    return f"{tip}\n{HINT}" if entry_of_label(label) else tip


def linked(text: str) -> str:
    """Return a text in HTML, in which the first word for each entry of the glossary links to it."""
    parts, at = [], 0
    for term in terms_in(text):
        end = term.start + len(term.word)
        link = f'<a href="{escape(term.entry)}">{escape(term.word)}</a>'
        parts += [escape(text[at : term.start]), link]
        at = end
    return "".join([*parts, escape(text[at:])])
