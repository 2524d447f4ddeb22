"""Tensors whose parts run along different axes, followed part by part until they are cut again.

Coordinate attention joins the means of all rows and of all columns to one line, runs layers over
it that work position by position, and takes the line apart again.  No map has such a line.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from rfstudio.importing.layout import View
from rfstudio.importing.records import Record
from rfstudio.importing.rules import Misfit, Rules

_BY_POSITION = ("activation", "pointwise", "same", "mark", "merge", "conv", "permute", "mix")


class Strips(NamedTuple):
    """A tensor that is several ones, joined along a dimension.

    Attributes
    ----------
    place
        The dimension.
    parts
        What is joined.
    """

    place: int
    parts: tuple[View, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        """How long the parts are along the dimension."""
        return tuple([x.dims[self.place].size for x in self.parts])


class PartByPart(Rules):
    """Part of the tracker: lines of parts that run along different axes.

    Attributes
    ----------
    strips
        For each value that is such a line its parts.
    """

    strips: dict[str, Strips]

    def strip(self, record: Record) -> View | None:
        """Return the part that a slice takes of a line; None: it is no such slice."""
        line, o = self.strips.get(record.sources[0]), record.options
        if line is None or record.kind != "slice" or o["dim"] != line.place or o.get("select"):
            return None
        start = 0
        for part, n in zip(line.parts, line.lengths, strict=True):
            if (start, n, o.get("step", 1)) == (o["start"], record.shape[line.place], 1):
                return part
            start += n
        return None

    def follow_strips(self, record: Record) -> None:
        """Note the parts of what a record makes, if it is such a line."""
        made = self._joined(record) if record.kind == "cat" else self._passed(record)
        if made is not None:
            self.strips[record.output] = made

    def _joined(self, record: Record) -> Strips | None:
        place = record.options["dim"]
        views = [self.views.get(x) for x in record.sources]
        known = [x for x in views if x is not None and x.scores is None]
        if len(known) < len(views) or record.options.get("stack"):
            return None
        ends = [x.dims[place].digits for x in known]
        if any(len(x) != 1 or y.dims[place].extra for x, y in zip(ends, known, strict=True)):
            return None
        whole = all(self.is_full(x, *y) for x, y in zip(known, ends, strict=True))
        if not whole or len({x.axis for (x,) in ends}) == 1:
            return None
        return Strips(place, tuple([self.maps.unrolled(self.maps.settled(x)) for x in known]))

    def _passed(self, record: Record) -> Strips | None:
        lines = {x: self.strips[x] for x in record.sources if x in self.strips}
        if not lines or record.kind not in _BY_POSITION:
            return None
        places, lengths = {x.place for x in lines.values()}, {x.lengths for x in lines.values()}
        if len(places) > 1 or len(lengths) > 1:
            return None
        (place,), (sizes,) = places, lengths
        if not self._leaves_alone(record, place, frozenset(lines)):
            return None
        order = record.options["dims"] if record.kind == "permute" else range(len(record.shape))
        after = list(order).index(place)
        parts = []
        before = {x: (self.views[x], self.shapes[x]) for x in lines}
        try:
            for i, n in enumerate(sizes):
                for name, line in lines.items():
                    self.views[name] = line.parts[i]
                    self.shapes[name] = line.parts[i].shape
                shape = tuple([n if k == after else m for k, m in enumerate(record.shape)])
                parts.append(self._of_part(replace(record, shape=shape)))
        finally:
            for name, (view, found) in before.items():
                self.views[name], self.shapes[name] = view, found
        return Strips(after, tuple(parts))

    def _of_part(self, record: Record) -> View:
        if record.kind == "mark":
            return self.view(record)
        view = self.rules[record.kind](self, record)
        if view.shape != record.shape:
            raise Misfit("a part of a line has another shape")
        return view

    def _leaves_alone(self, record: Record, place: int, lines: frozenset[str]) -> bool:
        """Whether an operation works position by position along a dimension."""
        o, rank = record.options, len(record.shape)
        if record.kind == "conv":
            still = all(x == 1 for x in (*o["kernel"], *o["stride"]))
            return (
                still
                and all(x == (0, 0) for x in o["padding"])
                and place > rank - 1 - len(o["kernel"])
            )
        if record.kind == "mix":
            return place not in [x % rank for x in o["dims"]]
        if record.kind != "merge":
            return True
        others = [self.shapes[x] for x in record.sources if x not in lines]
        return all(len(x) < rank - place or x[place - rank] == 1 for x in others)
