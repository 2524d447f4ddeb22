"""Rules of concatenations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from rfstudio.core import ops
from rfstudio.importing.extra_tokens import ExtraTokens
from rfstudio.importing.layout import (
    CHANNEL,
    Digit,
    Dim,
    View,
    in_order,
    joined,
)
from rfstudio.importing.meeting import meet
from rfstudio.importing.records import Record
from rfstudio.importing.rules import Misfit, rule
from rfstudio.importing.sliding_window import Windows


class Joining(ExtraTokens, Windows):
    """Part of the tracker: what joins tensors along a dimension."""

    @rule("cat")
    def _cat(self, record: Record) -> View:
        place = record.options["dim"]
        if not all(x in self.views for x in record.sources):
            return self._with_constants(record, place)
        views = [self.views[x] for x in record.sources]
        if len(views) == 1:
            return views[0]
        if record.options.get("stack"):
            views = [replace(x, dims=(*x.dims[:place], Dim(), *x.dims[place:])) for x in views]
        if any(x.scores is not None for x in views):
            raise Misfit("scores of an attention are concatenated")
        positions = [any(y.is_position for y in x.dims[place].digits) for x in views]
        if any(positions) or any(x.dims[place].extra for x in views):
            return self._cat_positions(record, views, place)
        axis = place - 2
        if (
            len(record.shape) == self.maps.axes + 2
            and axis >= 0
            and all(self.size(x)[axis] == 1 == x.dims[place].size for x in views)
        ):
            # Rows or columns that were taken one by one.
            return self._cat_positions(record, views, place, axis)
        return self._cat_channels(views, place)

    def _cat_channels(self, views: Sequence[View], place: int) -> View:
        views = [self.maps.in_order(self.maps.settled(x)) for x in views]
        if len({x.offsets for x in views}) > 1:
            views = [self.maps.unrolled(x) for x in views]
        # Set the joined dimension aside, so that the others meet as in a sum.
        bare = [
            replace(x, dims=tuple(Dim() if i == place else d for i, d in enumerate(x.dims)))
            for x in views
        ]
        met = meet(self.maps, bare, channels=False)
        if met is None:
            raise Misfit("maps of different layouts are concatenated")
        depths = [(prod(y.size for y in x.dims[place].digits), x.channels) for x in views]
        nodes = list(met.nodes)
        # `meet` resized maps by their other dimensions only; channels are untouched.
        sizes = sum(d for d, _ in depths)
        node = self.maps.add(ops.Concat(), nodes) if len(nodes) > 1 else nodes[0]
        dims = list(met.view.dims)
        inner = prod(x.size for d in dims for x in d.digits if x.axis == CHANNEL)
        dims[place] = Dim(joined([Digit(CHANNEL, sizes, inner)]))
        return View(node, tuple(dims), offsets=met.view.offsets)

    def _cat_positions(
        self, record: Record, views: Sequence[View], place: int, single: int | None = None
    ) -> View:
        """Join along an axis of the map; `single` is the axis if all have one position."""
        views = [self.maps.unrolled(self.maps.settled(x)) for x in views]
        axes = {x.axis for v in views for x in v.dims[place].digits if x.is_position}
        if single is not None:
            axes = {single}
        if len(axes) != 1 or any(d.extra for v in views for d in v.dims):
            return self._cat_tokens(record, views, place)
        (axis,) = axes
        lengths = [self.maps.nodes[v.node].size[axis] for v in views]
        if any(v.dims[place].size != n for v, n in zip(views, lengths, strict=True)):
            raise Misfit("parts of an axis are concatenated")
        bare = [
            replace(x, dims=tuple(Dim() if i == place else d for i, d in enumerate(x.dims)))
            for x in views
        ]
        if len({tuple(x.dims) for x in bare}) > 1:
            raise Misfit("maps of different layouts are concatenated along an axis")
        node = self.maps.joined([v.node for v in views], axis)
        dims = list(views[0].dims)
        dims[place] = Dim((Digit(axis, sum(lengths)),))
        return replace(views[0], node=node, dims=tuple(dims))

    def _cat_tokens(self, record: Record, views: Sequence[View], place: int) -> View:
        """Put tokens without a position before and after those of a map."""
        bodies = [
            i for i, v in enumerate(views) if any(x.is_position for x in v.dims[place].digits)
        ]
        if len(bodies) != 1:
            raise Misfit("two maps of tokens are concatenated")
        (at,) = bodies
        body = views[at]
        sizes = [v.dims[place].size for v in views]
        dim = body.dims[place]
        extra = sum(sizes) - sizes[at] + dim.extra
        dims = list(body.dims)
        dims[place] = Dim(dim.digits, extra, dim.last + sum(sizes[at + 1 :]))
        self.maps.remark(
            "merged", f"{extra} tokens without a position; they read and are read by all"
        )
        del record
        return replace(body, dims=tuple(dims))

    def _with_constants(self, record: Record, place: int) -> View:
        views = [self.views.get(x) for x in record.sources]
        real = [x for x in views if x is not None]
        if len(real) != 1:
            tracked = [x for x in record.sources if x in self.views]
            if not tracked:
                raise Misfit("only constants are concatenated")
            inner = self._cat(replace(record, sources=tuple(tracked)))
            real = [inner]
        view = real[0]
        at = next(i for i, x in enumerate(views) if x is not None)
        rank = len(record.shape)
        sizes = [
            1 if record.options.get("stack") else self.shapes[x][place - rank]
            for x in record.sources
        ]
        before = sum(sizes[:at])
        after = sum(n for n, x in zip(sizes[at:], views[at:], strict=True) if x is None)
        dim = view.dims[place]
        if record.options.get("stack"):
            raise Misfit("constants are stacked")
        if all(x.axis == CHANNEL for x in dim.digits):
            view = self.maps.settled(view)
            total = record.shape[place]
            channels = view.channels // max(dim.size, 1) * total
            dims = list(view.dims)
            dims[place] = Dim(joined([Digit(CHANNEL, total, 1)]))
            node = self.maps.custom([view.node], channels, "constant channels")
            return replace(view, node=node, dims=in_order(dims))
        if len(dim.digits) == 1 and self.is_full(view, dim.digits[0]) and not self._tokens(record):
            pads = [(0, 0)] * self.maps.axes
            pads[dim.digits[0].axis] = (before, after)
            return self.padded(view, {place: (before, after)}, "zeros")
        dims = list(view.dims)
        tokens = before + after
        dims[place] = Dim(dim.digits, dim.extra + tokens, dim.last + after)
        self.maps.remark(
            "merged", f"{tokens} tokens without a position; they read and are read by all"
        )
        return self.with_tokens(record, replace(view, dims=tuple(dims)), place)

    def _tokens(self, record: Record) -> bool:
        return self.maps.axes == 1 and len(record.shape) == 3 and record.options["dim"] == 1
