"""A remark on a layer, as a value."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from rfstudio.core.network.architecture import Architecture

Severity = Literal["error", "warning", "note"]

AXIS_NAMES = {1: ("x",), 2: ("y", "x"), 3: ("z", "y", "x")}
"""Names of the spatial axes in tensor order, by their number."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """A change of the document that was tried: it aligns a merge and keeps all sizes.

    Attributes
    ----------
    text
        What is changed, in words: ``padding 1 in 'block3.pool'``.
    architecture
        The document with the change.
    """

    text: str
    architecture: Architecture = field(repr=False)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A remark on one layer.

    Attributes
    ----------
    layer
        Path of the layer; empty if it concerns the whole network.
    code
        A word for programs.
    message
        What is unusual and what can be done about it, for people.
    severity
        "error": the network would not run; "warning": probably not what was meant; "note".
    remedy
        A change that was tried and makes the remark disappear, if there is one.
    members
        Remarks on other layers that this one sums up, each of which refers to it.
    """

    layer: str
    code: str
    message: str
    severity: Severity = "warning"
    remedy: Remedy | None = None
    members: tuple[Diagnostic, ...] = field(default=(), repr=False)


def each_remark(remarks: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Yield remarks, after those that sum up others also the others."""
    for remark in remarks:
        yield remark
        yield from remark.members


def remarks_on(remarks: Iterable[Diagnostic], layers: Container[str | None]) -> list[Diagnostic]:
    """Return the remarks on some layers, also those that are summed up by one on another layer."""
    return [x for x in each_remark(remarks) if x.layer in layers]
