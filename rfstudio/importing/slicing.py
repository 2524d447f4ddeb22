"""Rules of slices, rolls, flips and indices."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from rfstudio.core import ops
from rfstudio.importing.extra_tokens import ExtraTokens
from rfstudio.importing.layout import (
    CHANNEL,
    FREE,
    Digit,
    Dim,
    View,
    in_order,
    joined,
    positions,
    with_channels,
)
from rfstudio.importing.positions import Indices
from rfstudio.importing.records import Record
from rfstudio.importing.rules import Misfit, rule


class Slicing(ExtraTokens):
    """Part of the tracker: what takes some positions or channels, or moves them."""

    @rule("slice")
    def _slice(self, record: Record) -> View:
        """One dimension: start, step and how many are left."""
        view, o = self.view(record), record.options
        place, start, step = o["dim"], o["start"], o.get("step", 1)
        count = record.shape[place] if not o.get("select") else 1
        return self.taken(view, place, start, step, count, drop=bool(o.get("select")))

    def taken(
        self, view: View, place: int, start: int, step: int, count: int, *, drop: bool = False
    ) -> View:
        """Return a slice of one dimension; `drop`: a single position, without its dimension."""
        dim = view.dims[place]
        if start == 0 and step == 1 and count == dim.size and not drop:
            return view
        if len(dim.digits) > 1 and all(x.axis == CHANNEL for x in dim.digits):
            view = self.maps.in_order(view)
            dim = view.dims[place]
        if dim.extra:
            return self._of_tokens(view, place, start, step, count, drop=drop)
        if dim.size == 1:
            dims = list(view.dims)
            if drop:
                del dims[place]
            return replace(view, dims=tuple(dims))
        digits = list(dim.digits)
        inner: list[Digit] = []
        # Only the outermost digit may be cut; inner ones are taken whole or at one value.
        if step == 1 or len(digits) == 1:
            rest: list[Digit] = []
            while len(digits) > 1 and start % digits[-1].size == 0 and count % digits[-1].size == 0:
                last = digits.pop()
                rest.insert(0, last)
                start, count = start // last.size, count // last.size
            if count == 1 and len(digits) > 1:
                return self._at(view, place, digits, rest, start, drop=drop)
            if len(digits) != 1:
                # A run inside one inner digit.
                lead = prod(x.size for x in digits[:-1])
                last = digits[-1]
                at, first = divmod(start, last.size)
                if first + count > last.size or lead < 2:
                    raise Misfit("a slice crosses the borders of axes")
                view, digits = self._fixed(view, place, digits, at, rest)
                start = first
            digit = digits[0]
            inner = rest
        else:
            raise Misfit("a slice with steps crosses the borders of axes")
        return self._cut(view, place, digit, start, step, count, inner, drop=drop)

    def _at(
        self, view: View, place: int, digits: list[Digit], rest: list[Digit], at: int, *, drop: bool
    ) -> View:
        """Fix all of several digits, from the innermost to the outermost."""
        for i in range(len(digits) - 1, -1, -1):
            at, value = divmod(at, digits[i].size)
            others = [*digits[:i], *rest]
            view = self._cut(view, place, digits[i], value, 1, 1, others, before=i)
            digits = list(view.dims[place].digits[:i])
            rest = list(view.dims[place].digits[i:])
        if drop:
            dims = list(view.dims)
            if dims[place].size == 1:
                del dims[place]
            return replace(view, dims=tuple(dims))
        return view

    def _fixed(
        self, view: View, place: int, digits: list[Digit], at: int, rest: list[Digit]
    ) -> tuple[View, list[Digit]]:
        last = digits[-1]
        for i in range(len(digits) - 2, -1, -1):
            at, value = divmod(at, digits[i].size)
            others = [*digits[:i], last, *rest]
            view = self._cut(view, place, digits[i], value, 1, 1, others, before=i)
            found = view.dims[place].digits
            digits, last = list(found[:i]), found[i]
        return view, [last]

    def _cut(
        self,
        view: View,
        place: int,
        digit: Digit,
        start: int,
        step: int,
        count: int,
        rest: list[Digit],
        *,
        before: int = 0,
        drop: bool = False,
    ) -> View:
        """Select some values of one digit of a dimension."""
        dims = list(view.dims)
        if digit.axis == FREE:
            new = Digit(FREE, count, 0)
        elif digit.axis == CHANNEL:
            if step != 1:
                return self._mixed_channels(view, place, digit, (start, step, count), rest)
            view = replace(view, start=view.start + start * digit.stride)
            new = digit._replace(size=count)
        elif digit.is_key:
            raise Misfit("the scores of an attention are sliced")
        else:
            view = self.maps.unrolled(self.maps.settled(view))
            return self._cut_positions(view, place, digit, start, step, count, rest, before, drop)
        dims[place] = Dim(joined([*rest[:before], new, *rest[before:]]))
        if drop and dims[place].size == 1:
            del dims[place]
        return self.maps.note_cut(replace(view, dims=tuple(dims)))

    def _mixed_channels(
        self,
        view: View,
        place: int,
        digit: Digit,
        taken: tuple[int, int, int],
        rest: list[Digit],
    ) -> View:
        """Select channels by a start, a step and a number."""
        start, step, count = taken
        dims = list(view.dims)
        dims[place] = Dim(joined([digit._replace(size=count), *rest]))
        view = self.maps.settled(view)
        channels = view.channels // digit.size * count
        if channels == count:
            part = ops.ChannelSlice(start=start, stop=start + step * (count - 1) + 1, step=step)
            node = self.maps.add(part, [view.node], channels=channels)
        else:
            node = self.maps.custom([view.node], channels, "slice of channels")
        return replace(view, node=node, dims=with_channels(dims))

    def _cut_positions(
        self,
        view: View,
        place: int,
        digit: Digit,
        start: int,
        step: int,
        count: int,
        rest: list[Digit],
        before: int,
        drop: bool,
    ) -> View:
        size = self.maps.nodes[view.node].size
        axis = digit.axis
        # The axis is numbered anew without the positions that are left out.
        order = view.of_axis(axis)
        new_sizes = [count if x == digit else x.size for x in order]
        total = prod(new_sizes)
        index = np.zeros(total, np.int64)
        strides: dict[Digit, int] = {}
        stride = total
        where = positions(total)
        for x, m in zip(order, new_sizes, strict=True):
            stride //= m
            strides[x] = stride
            value = where // stride % m
            index += (start + value * step if x == digit else value) * x.stride
        everywhere: list[Indices] = [positions(k) for k in size]
        everywhere[axis] = index
        node = self.maps.remapped(view.node, everywhere)

        def renewed(x: Digit) -> Digit:
            if x.axis != axis:
                return x
            return Digit(axis, count if x == digit else x.size, strides[x])

        dims = [replace(d, digits=tuple(renewed(x) for x in d.digits)) for d in view.dims]
        order_here = [*rest[:before], digit, *rest[before:]]
        dims[place] = Dim(tuple(renewed(x) for x in order_here))
        dims = [replace(d, digits=joined(d.digits)) for d in dims]
        if drop and dims[place].size == 1:
            del dims[place]
        return replace(view, node=node, dims=tuple(dims), offsets=())

    def _of_tokens(
        self, view: View, place: int, start: int, step: int, count: int, *, drop: bool
    ) -> View:
        """Slice a dimension of tokens of which the first or last ones have no position."""
        dim = view.dims[place]
        dims = list(view.dims)
        stop, inner = start + step * (count - 1) + 1, dim.places
        if step == 1 and start <= inner.start and stop >= inner.stop:
            last = stop - inner.stop
            dims[place] = Dim(dim.digits, inner.start - start + last, last)
            return replace(view, dims=tuple(dims))
        if stop > inner.start and start < inner.stop:
            raise Misfit("a slice takes some of the positions and some of the other tokens")
        view = self.maps.settled(view)
        if drop and (node := self.token(view, start)) is not None:
            return replace(view, node=node, dims=tuple(d for i, d in enumerate(dims) if i != place))
        # Tokens that have read everything.
        node = self.maps.whole(
            [view.node], (1,) * self.maps.axes, view.channels * count, "class token"
        )
        dims = list(with_channels(view.dims))
        stride = view.channels
        dims[place] = Dim(joined([Digit(CHANNEL, count, stride)]))
        if drop:
            del dims[place]
        return View(node, tuple(dims))

    @rule("roll")
    def _roll(self, record: Record) -> View:
        view = self.view(record)
        if view.scores is not None:
            raise Misfit("scores are rolled")
        offsets = list(view.offsets or (0,) * self.maps.axes)
        for place, shift in zip(record.options["dims"], record.options["shifts"], strict=True):
            digits = view.dims[place].digits
            if not digits:
                continue
            if len(digits) != 1 or not self.is_full(view, digits[0]):
                if all(x.axis in (CHANNEL, FREE) for x in digits):
                    view = self.maps.settled(view)
                    node = self.maps.custom([view.node], view.channels, record.label)
                    return replace(view, node=node)
                raise Misfit("a part of an axis is rolled")
            n = digits[0].size
            offsets[digits[0].axis] = (offsets[digits[0].axis] - shift) % n
        return replace(view, offsets=tuple(offsets) if any(offsets) else ())

    @rule("flip")
    def _flip(self, record: Record) -> View:
        view = self.maps.unrolled(self.maps.settled(self.view(record)))
        index: list[Indices] = [positions(n) for n in self.size(view)]
        for place in record.options["dims"]:
            for digit in view.dims[place].digits:
                if digit.is_position:
                    if not self.is_full(view, digit):
                        raise Misfit("a part of an axis is flipped")
                    index[digit.axis] = index[digit.axis][::-1]
        return replace(view, node=self.maps.remapped(view.node, index))

    @rule("gather")
    def _gather(self, record: Record) -> View:
        """Positions or channels at constant indices along one dimension."""
        view, o = self.maps.settled(self.view(record)), record.options
        place, index = o["dim"], np.asarray(o["index"])
        digits = view.dims[place].digits
        dims = list(view.dims)
        if view.dims[place].extra or index.ndim != 1:
            raise Misfit("tokens are gathered")
        if all(x.axis in (CHANNEL, FREE) for x in digits):
            channels = view.channels // max(view.dims[place].size, 1) * len(index)
            dims[place] = Dim(joined([Digit(CHANNEL, len(index), 1)]))
            node = self.maps.custom([view.node], channels, "gather channels")
            return replace(view, node=node, dims=in_order(dims))
        if len(digits) == 1 and self.is_full(view, digits[0]):
            view = self.maps.unrolled(view)
            maps: list[Indices] = [positions(n) for n in self.size(view)]
            maps[digits[0].axis] = index % digits[0].size
            node = self.maps.remapped(view.node, maps)
            dims[place] = Dim(joined([Digit(digits[0].axis, len(index))]))
            return replace(view, node=node, dims=tuple(dims), offsets=())
        raise Misfit("tokens are gathered")
