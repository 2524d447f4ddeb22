"""All errors that RF Studio raises on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


def shown(text: str, most: int = 80) -> str:
    """Return a text from outside in a form to quote: short, with control characters visible."""
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
    """The network has no layer with the requested path."""


class UnitError(RFStudioError):
    """The layer's feature map does not have the requested unit."""


class TooLargeError(UnitError):
    """What is asked for takes more work or memory than is spent on it; the text says how much."""


class Cancelled(RFStudioError):  # noqa: N818 - an outcome, not a fault
    """A background computation stopped because its result is no longer needed."""


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

    def __reduce__(self) -> tuple[type[FormatError], tuple[tuple[Problem, ...]]]:
        """Have another process make it of its problems, not of its text."""
        return type(self), (self.problems,)
