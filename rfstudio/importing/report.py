"""The report of an import: what was merged, guessed, dropped or taken as global, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rfstudio.core.shown import Shown

Sort = Literal["merged", "guessed", "dropped", "global"]


def no_network(given: object) -> str:
    """Return that what was given as a network is none."""
    return f"a network is a preset's name, a file or a torch module, not {type(given).__name__}"


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that an import did.

    Attributes
    ----------
    sort
        "merged", "guessed", "dropped", or "global": assumed to read all of its input.
    place
        Path of the module or layer that it is about; empty: the whole model.
    message
        A sentence for people.
    """

    sort: Sort
    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


@dataclass(frozen=True, slots=True)
class Report(Shown):
    """All remarks of an import, in the order of execution.

    Attributes
    ----------
    remarks
        The remarks.
    layers
        Number of layers of the network.
    """

    remarks: tuple[Remark, ...] = ()
    layers: int = 0

    def __iter__(self) -> Iterator[Remark]:
        return iter(self.remarks)

    def __len__(self) -> int:
        return len(self.remarks)

    def of(self, sort: Sort) -> tuple[Remark, ...]:
        """Return the remarks of one sort."""
        return tuple(x for x in self.remarks if x.sort == sort)

    def __str__(self) -> str:
        return "\n".join(map(str, self.remarks))
