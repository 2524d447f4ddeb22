"""Remarks on merges whose branches do not align: the reason, and a remedy that was tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from rfstudio.core.errors import TooLargeError
from rfstudio.core.fields.field import Alignment, MergeMisfit, Misfit
from rfstudio.core.fields.local import Fields
from rfstudio.core.fields.remarks.misalignment import (
    MAX_TRIES,
    Cause,
    Reason,
    Relatives,
    Spread,
    Try,
    cause_of,
    dominators,
    remedy_of,
    spread_of,
)
from rfstudio.core.fields.remarks.remark import Diagnostic, Remedy
from rfstudio.core.fields.remarks.scale import Scale
from rfstudio.core.network.architecture import Architecture, Location
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.network.sample_words import Units
from rfstudio.core.work import at_most, give_way

MAX_SEARCHES = 4
"""Merges of one network for which remedies are tried after an edit."""

MAX_WORK = 50_000
"""Layers that are analysed anew while remedies are tried, at most: about a second."""

MAX_SCANNED = 100_000
"""Layers between forks and merges that are gone through for reasons, at most."""

MAX_COMPARED = 1 << 21
"""Work of comparing the branches of all merges together: about a quarter of a second."""

_WHY: dict[Reason, str] = {
    "causal": "That is causal by design: no branch reads anything after the unit, so the one "
    "that reads more has its centre further back.",
    "windows": "The offset comes from attention windows: all units in a window see the same "
    "region.",
    "alternating": "It depends on the phase of the unit, as after down- and upsampling by even "
    "factors, so no padding can remove it.",
    "constant": "No change of a padding, a crop or a kernel that was tried, one on each branch, "
    "aligns them and keeps all sizes.",
    "inherited": "It comes from the map at which the branches part, whose field depends on the "
    "phase of the unit.",
}


@dataclass(slots=True)
class Repairs:
    """How changed documents are tried.

    Attributes
    ----------
    architecture
        The document.
    attempt
        Analyses a changed one.
    """

    architecture: Architecture
    attempt: Try
    _known: dict[Location | None, Remedy | None] = field(default_factory=dict)

    def find(self, graph: Graph, index: int, fork: int, bad: frozenset[int]) -> Remedy | None:
        """Return a remedy for a merge; one search serves all copies of it."""
        location = graph.nodes[index].location
        if location not in self._known:
            work = MAX_TRIES * len(graph.nodes) * (len(self._known) + 1)
            if len(self._known) >= MAX_SEARCHES or work > MAX_WORK:
                return None
            self._known[location] = remedy_of(
                self.architecture, graph, index, fork, bad, self.attempt
            )
        return self._known[location]


def misalignments(
    graph: Graph,
    local: Sequence[Fields],
    misfits: Sequence[MergeMisfit],
    reference: int,
    scale: Scale,
    repairs: Repairs | None,
) -> Iterator[tuple[int, Diagnostic]]:
    """Yield a remark on each merge that does not align, with its index.

    A merge whose branches fit among themselves, and only inherit what an earlier merge began, has
    none of its own.  Of many notes that have the same reason the first is followed by one on all
    others, at the merge where the distance is largest; it has them as its members.
    """
    by_reason: dict[str, list[_Note]] = {}
    for note in _each(graph, local, misfits, reference, scale, repairs):
        by_reason.setdefault(note.reason or str(note.index), []).append(note)
    found = [x for notes in by_reason.values() for x in _grouped(notes)]
    yield from sorted(found, key=lambda x: x[0])


class _Note(NamedTuple):
    """A remark on the merge at an index; its reason is empty where it stands for itself."""

    index: int  # type: ignore[assignment]  # hides a method of tuples that nobody needs
    remark: Diagnostic
    reason: str = ""
    why: str = ""
    offset: Fraction = Fraction(0)
    distance: str = ""


_MOST_NOTES = 4
"""Notes with the same reason up to which each merge has its own."""


def _grouped(notes: list[_Note]) -> list[tuple[int, Diagnostic]]:
    """Return notes with the same reason, or the first and one on all others if they are many."""
    if len(notes) <= _MOST_NOTES:
        return [(x.index, x.remark) for x in notes]
    first, *others = notes
    largest = max(others, key=lambda x: x.offset)
    message = (
        f"{len(others)} more merges, from '{others[0].remark.layer}' to "
        f"'{others[-1].remark.layer}', join branches with an offset for the same reason as "
        f"'{first.remark.layer}'. The largest is that of '{largest.remark.layer}', whose branches "
        f"are {largest.distance.rstrip(',')}. {first.why}"
    )
    place = largest.remark.layer
    reference = f"It is one of {len(others)} such merges: see the remark on '{place}'."
    members = tuple(
        replace(x.remark, message=f"{x.remark.message} {reference}")
        for x in others
        if x is not largest
    )
    summary = Diagnostic(place, first.remark.code, message, "note", members=members)
    return [(first.index, first.remark), (largest.index, summary)]


def _each(
    graph: Graph,
    local: Sequence[Fields],
    misfits: Sequence[MergeMisfit],
    reference: int,
    scale: Scale,
    repairs: Repairs | None,
) -> Iterator[_Note]:
    """Yield a remark on each merge that does not align."""
    if not misfits:
        return
    forks = dominators(graph, reference)
    bad = frozenset(x.index for x in misfits)
    relatives = Relatives(graph, bad)
    scanned = 0
    left: float = MAX_COMPARED
    for misfit in misfits:
        give_way()
        worst = max(misfit.by_axis.values(), key=lambda x: (x.alignment, x.offset))
        fork = forks[misfit.index]
        scanned += misfit.index - fork
        if scanned > MAX_SCANNED:
            yield _Note(misfit.index, _not_looked_at(graph, misfit))
            return
        try:
            with at_most(left, "the fields of the branches are too long to compare") as budget:
                cause = cause_of(graph, misfit.index, fork, relatives)
                apart = _farthest(graph, local, misfit, worst, cause)
        except TooLargeError:
            yield _Note(misfit.index, _not_looked_at(graph, misfit))
            return
        left = budget.left
        started = any(local[fork][axis].alignment for axis in misfit.by_axis)
        if cause.reason == "inherited" and started:
            continue
        if apart is None:
            yield _Note(misfit.index, _strides(graph, misfit, worst, scale))
            continue
        remedy = None
        if cause.reason == "constant" and repairs is not None and not graph.faults:
            remedy = repairs.find(graph, misfit.index, fork, bad)
        yield _offset(graph, misfit, apart, cause, remedy, fork, scale)


def _not_looked_at(graph: Graph, misfit: MergeMisfit) -> Diagnostic:
    name = graph.nodes[misfit.index].name
    message = (
        f"from '{name}' on, merges whose branches do not align are not examined one by one: there "
        "are too many for so many layers. Align the first ones."
    )
    return Diagnostic(name, "too_many_misfits", message, "note")


def _strides(graph: Graph, misfit: MergeMisfit, worst: Misfit, scale: Scale) -> Diagnostic:
    node = graph.nodes[misfit.index]
    a, b = (graph.nodes[node.inputs[x]].name for x in worst.branches)
    return Diagnostic(
        node.name,
        "stride_mismatch",
        f"'{node.name}' joins branches of different stride along "
        f"{scale.along(misfit.by_axis)}: '{a}' has a jump of {worst.jumps[0]}, "
        f"'{b}' of {worst.jumps[1]}; size and place of the field depend on the unit.",
    )


class _Apart(NamedTuple):
    """Two branches of a merge, how far apart their centres are, and at most where they differ."""

    branches: tuple[int, int]
    spread: Spread
    offset: Fraction


def _farthest(
    graph: Graph, local: Sequence[Fields], misfit: MergeMisfit, worst: Misfit, cause: Cause
) -> _Apart | None:
    """Return the two branches of a merge that a remark is about; None: their strides differ."""
    if worst.alignment is Alignment.STRIDE_MISMATCH:
        return None
    node = graph.nodes[misfit.index]
    axis = next(x for x, y in misfit.by_axis.items() if y is worst)
    a, b = (node.inputs[x] for x in worst.branches)
    spread = spread_of(local[a][axis], local[b][axis])
    if cause.reason == "alternating" and spread is not None and spread.least == spread.greatest:
        # The largest offset is a constant one: it is another branch that the remark is about.
        a, b, spread = _most_varying(local, node, axis, (a, b, spread))
    if spread is None:
        spread = Spread(worst.offset, worst.offset, worst.drift)
    return _Apart((a, b), spread, worst.offset)


def _offset(
    graph: Graph,
    misfit: MergeMisfit,
    apart: _Apart,
    cause: Cause,
    remedy: Remedy | None,
    fork: int,
    scale: Scale,
) -> _Note:
    node = graph.nodes[misfit.index]
    (a, b), spread, offset = apart
    distance = _distance(spread, scale.units)
    what = (
        f"'{node.name}' joins branches whose centres are {distance} along "
        f"{scale.along(misfit.by_axis)}: '{graph.nodes[a].name}' and '{graph.nodes[b].name}'."
    )
    if remedy is not None:
        message = f"{what} Tried, and it aligns them without changing a size: {remedy.text}."
        warning = Diagnostic(node.name, "centre_offset", message, "warning", remedy)
        return _Note(misfit.index, warning)
    why = _WHY.get(cause.reason, "")
    if cause.earlier is not None:
        why = f"It comes from '{graph.nodes[cause.earlier].name}' before it."
    elif cause.reason == "inherited":
        why = (
            f"It comes from '{graph.nodes[fork].name}', at which the branches part: its field "
            "depends on the phase of the unit."
        )
    note = Diagnostic(node.name, "centre_offset", f"{what} {why}", "note")
    if cause.earlier is not None:
        why = "It comes from merges before them."
    elif cause.reason == "inherited":
        why = _WHY["inherited"]
    return _Note(misfit.index, note, cause.reason, why, offset, distance)


def _most_varying(
    local: Sequence[Fields], node: Node, axis: int, pair: tuple[int, int, Spread]
) -> tuple[int, int, Spread]:
    """Return the first branch and the one whose distance from it varies most over units."""
    best, first = pair, node.inputs[0]
    for other in node.inputs[1:]:
        if not local[first][axis].tracks or not local[other][axis].tracks:
            continue
        spread = spread_of(local[first][axis], local[other][axis])
        if spread and spread.greatest - spread.least > best[2].greatest - best[2].least:
            best = (first, other, spread)
    return best


def _distance(spread: Spread, units: Units) -> str:
    least, greatest, mean = spread
    if least == greatest:
        return f"{_amount(abs(least), units)} apart"
    # Which of the two comes first has no meaning to a reader: the larger side is the positive one.
    if -least > greatest:
        least, greatest, mean = -greatest, -least, -mean
    return f"{_number(least)} to {_amount(greatest, units)} apart, {_number(mean)} on average,"


def _number(value: Fraction) -> str:
    text = f"{float(value):g}" if value.denominator in (2, 4, 8) else str(value)
    return text.replace("-", "−")


def _amount(value: Fraction, units: Units) -> str:
    return f"{_number(value)} {units.one if value == 1 else units.many}"
