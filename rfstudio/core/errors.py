"""Every error that RF Studio raises on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


def shown(text: str, most: int = 80) -> str:
    """Return a text from outside as a message may quote it: short, control characters visible."""
    if len(text) > most:
        text = f"{text[: most - 1]}…"
    return "".join(x if x.isprintable() else repr(x)[1:-1] for x in text)


class RFStudioError(Exception):
    """Base of all expected errors; its text is fit to show to a user."""


class OpError(RFStudioError):
    """A layer operation has parameters that no framework would accept."""


class GraphError(RFStudioError):
    """Layers are connected in a way that has no meaning."""


class EditError(RFStudioError):
    """An edit does not fit the document, for example a name that is taken."""


class UnknownLayerError(RFStudioError):
    """A layer was asked for by a path that the network does not have."""


class UnitError(RFStudioError):
    """A unit was asked for that the layer's feature map does not have."""


class TooLargeError(UnitError):
    """What is asked for takes more work or memory than is spent on it; the text says how much."""


class Cancelled(RFStudioError):  # noqa: N818 - an outcome, not a fault
    """A background computation stopped because nobody wants its result any more."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file; `line` and `column` count from 1, as editors do."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


class FormatError(RFStudioError):
    """A file cannot be read; carries *all* its problems, in reading order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))
