"""Rules of operations that write into a part of a tensor, and of gates that are one operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rfstudio.core import ops
from rfstudio.importing.joining import Joining
from rfstudio.importing.layout import CHANNEL, Digit, Dim, View, in_order, joined
from rfstudio.importing.meeting import meet
from rfstudio.importing.records import Record
from rfstudio.importing.rules import Misfit, rule
from rfstudio.importing.slicing import Slicing

Part = tuple[View | None, int]
"""A tensor and how long it is along the dimension in question; None: it is constant."""


class Writing(Slicing, Joining):
    """Part of the tracker: ``x[:, 2:4] = y`` and its like."""

    @rule("write")
    def _write(self, record: Record) -> View:
        """Put the second source in place of a slice of the first; options: those of `slice`."""
        o = record.options
        place, start, step = o["dim"], o["start"], o.get("step", 1)
        base, value = (self.views.get(x) for x in record.sources)
        count = 1 if o.get("select") else self.shapes[record.sources[1]][place]
        if o.get("select") and value is not None:
            value = replace(value, dims=(*value.dims[:place], Dim(), *value.dims[place:]))
        n = record.shape[place]
        if step == 1 or count == 1:
            parts = [
                (self._part(base, place, 0, 1, start), start),
                (value, count),
                (self._part(base, place, start + count, 1, n - start - count), n - start - count),
            ]
            return self._in_a_row([x for x in parts if x[1]], place, base)
        spread = [self._spread(value, place, start, step, n)]
        for first in set(range(step)) - {start % step}:
            kept = len(range(first, n, step))
            rest = self._part(base, place, first, step, kept)
            spread.append(self._spread(rest, place, first, step, n))
        if start >= step or start + count * step <= n - step:
            raise Misfit("a part of every other position is written")
        return self._sum([x for x in spread if x is not None])

    def _part(
        self, view: View | None, place: int, start: int, step: int, count: int
    ) -> View | None:
        if view is None or not count:
            return None
        return self.taken(view, place, start, step, count)

    def _in_a_row(self, parts: Sequence[Part], place: int, base: View | None) -> View:
        """Return tensors one after the other, with zeros for constants."""
        views = [x for x, _ in parts if x is not None]
        like = views if base is None else [*views, base]
        axes = {y.axis for x in like for y in x.dims[place].digits if y.is_position}
        axis = place - 2
        if not axes and len(views[0].dims) == self.maps.axes + 2 and axis >= 0:
            # A row or a column that was taken from a map, which has one of them left.
            axes = {axis} if all(self.size(x)[axis] == 1 for x in views) else set()
        if not axes:
            view = views[0] if len(views) == 1 else self._cat_channels(views, place)
            return self._among_constants(view, place, sum(n for _, n in parts))
        known = {place: min(axes)}
        total, done, found = sum(n for _, n in parts), 0, []
        for part, n in parts:
            if part is not None:
                pads = {place: (done, total - done - n)}
                found.append(self.padded(part, pads, "zeros", known) if total > n else part)
            done += n
        return self._sum(found)

    def _among_constants(self, view: View, place: int, total: int) -> View:
        """Return a view with constant channels added in one dimension."""
        dim = view.dims[place]
        if dim.size == total:
            return view
        view = self.maps.settled(view)
        dims = list(view.dims)
        dims[place] = Dim(joined([Digit(CHANNEL, total, 1)]))
        channels = view.channels // dim.size * total
        node = self.maps.custom([view.node], channels, "constant channels")
        return replace(view, node=node, dims=in_order(dims))

    def _spread(self, view: View | None, place: int, start: int, step: int, n: int) -> View | None:
        """Return positions as every so manyth of an axis, with zeros between them."""
        if view is None:
            return None
        view, where = self.placed(self.maps.unrolled(self.maps.settled(view)), [place])
        axis = where[place]
        if self.step_of(view, place, axis) != 1:
            raise Misfit("blocks are written apart")
        count = self.size(view)[axis]
        one = [1] * self.maps.axes
        stride, padding, after = list(one), [(0, 0)] * self.maps.axes, [0] * self.maps.axes
        stride[axis] = step
        padding[axis] = (-start, min(0, (count - 1) * step + 1 + start - n))
        op = ops.ConvTranspose(
            kernel_size=tuple(one),
            stride=tuple(stride),
            padding=tuple(padding),
            output_padding=tuple(after),
            groups="depthwise" if view.channels > 1 else 1,
            bias=False,
        )
        self.maps.remark(
            "merged", "zeros between samples are written as a transposed convolution of one tap"
        )
        size = list(self.size(view))
        size[axis] = n
        node = self.maps.add(op, [view.node], tuple(size))
        return self.after_window(view, node, None, [place], where, 1)

    def _sum(self, views: Sequence[View]) -> View:
        if len(views) == 1:
            return views[0]
        met = meet(self.maps, views)
        if met is None:
            raise Misfit("what is written runs through other positions than what was there")
        return replace(met.view, node=self.maps.add(ops.Add(), met.nodes))

    @rule("gated")
    def _gated(self, record: Record) -> View:
        """Multiply the first half of a dimension with the sigmoid of the second; options: dim."""
        view, place = self.view(record), record.options["dim"]
        if view.scores is not None:
            raise Misfit("scores are gated")
        half = view.dims[place].size // 2
        gate = self.layer(self.taken(view, place, half, 1, half), ops.Sigmoid())
        met = meet(self.maps, [self.taken(view, place, 0, 1, half), gate])
        if met is None:
            raise Misfit("the two halves run through different positions")
        return replace(met.view, node=self.maps.add(ops.Multiply(), met.nodes))
