"""Rules of operations that slide windows over positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isqrt, prod
from typing import Any

import numpy as np

from rfstudio.core import ops
from rfstudio.core.ops import Op
from rfstudio.importing.layers import groups_of_shuffle
from rfstudio.importing.layout import (
    CHANNEL,
    FREE,
    Digit,
    Dim,
    View,
    coarser,
    in_order,
    joined,
    positions,
    reshaped,
    with_channels,
    with_inner_channels,
)
from rfstudio.importing.maps import How
from rfstudio.importing.positions import Indices
from rfstudio.importing.records import Record
from rfstudio.importing.rules import Rules, rule

_GEOMETRY = ("kernel", "stride", "padding", "dilation")


class Windows(Rules):
    """Part of the tracker: convolutions, pools and windows that are laid out."""

    # --- which dimension is which axis -----------------------------------------------------------

    def placed(self, view: View, places: Sequence[int]) -> tuple[View, dict[int, int]]:
        """Return a view whose given dimensions are whole axes, and which axis each is.

        Channels in them become positions, and positions that other dimensions mix in are moved
        to channels by the caller.
        """
        axes: dict[int, int] = {}
        for place in places:
            found = {x.axis for x in view.dims[place].digits if x.is_position}
            if len(found) > 1:
                raise ValueError("several axes run through one dimension")
            if found:
                axes[place] = found.pop()
        if len(set(axes.values())) < len(axes):
            raise ValueError("one axis runs through several dimensions")
        free = [a for a in range(self.maps.axes) if a not in axes.values()]
        if len(places) == self.maps.axes:
            free = [a for a in free if not any(x.axis == a for x in view.digits)]
            for place in places:
                if place not in axes and free:
                    axes[place] = free.pop(0)
        else:
            empty = [a for a in free if self.size(view)[a] == 1]
            for place in places:
                if place not in axes and view.dims[place].size == 1 and empty:
                    axes[place] = empty.pop(0)
        return self._as_axes(view, axes), axes

    def _as_axes(self, view: View, axes: Mapping[int, int]) -> View:
        """Make each dimension that has channels or repetitions a whole axis of a new map."""
        rebuilt = {
            place: axis
            for place, axis in axes.items()
            if any(not x.is_position for x in view.dims[place].digits)
        }
        if not rebuilt:
            return view
        view = self.maps.unrolled(self.maps.settled(view))
        if len(rebuilt) == self.maps.axes:
            view = self._ready_to_shuffle(view, rebuilt)
        index: list[Indices] = [positions(n) for n in self.size(view)]
        dims = list(view.dims)
        channels = view.channels
        for place, axis in rebuilt.items():
            if any(x.axis == axis for i, d in enumerate(view.dims) if i != place for x in d.digits):
                raise ValueError("an axis is made of several dimensions")
            n = view.dims[place].size
            where, stride = positions(n), n
            found = np.zeros(n, np.int64)
            for digit in view.dims[place].digits:
                stride //= digit.size
                if digit.is_position:
                    found += where // stride % digit.size * digit.stride
                elif digit.axis == CHANNEL:
                    channels //= digit.size
            index[axis] = found
            dims[place] = Dim((Digit(axis, n),))
        node = self.maps.remapped(view.node, index, channels)
        return View(node, with_channels(dims))

    def _ready_to_shuffle(self, view: View, rebuilt: Mapping[int, int]) -> View:
        """Return a view whose channels come in the order of a pixel shuffle, if that is made of it.

        A pixel shuffle reads those of each position that is made last, and rows before columns.
        """
        moved: list[Digit] = []
        for place in sorted(rebuilt, key=rebuilt.__getitem__):
            digits = view.dims[place].digits
            if [x.is_position for x in digits] != [True, False] or digits[1].axis != CHANNEL:
                return view
            moved.append(digits[1])
        if len({x.size for x in moved}) > 1:
            return view
        places = [
            (i, j)
            for i, d in enumerate(view.dims)
            for j, x in enumerate(d.digits)
            if x.axis == CHANNEL and i not in rebuilt
        ]
        places.sort(key=lambda at: -view.dims[at[0]].digits[at[1]].stride)
        places += [(i, 1) for i in sorted(rebuilt, key=rebuilt.__getitem__)]
        row = replace(view, dims=tuple(Dim((view.dims[i].digits[j],)) for i, j in places))
        self._note_odd_order(row)
        ordered = self.maps.in_order(row)
        dims = [list(d.digits) for d in view.dims]
        for (i, j), dim in zip(places, ordered.dims, strict=True):
            dims[i][j] = dim.digits[0]
        return replace(
            view,
            node=ordered.node,
            dims=tuple(replace(d, digits=tuple(x)) for d, x in zip(view.dims, dims, strict=True)),
        )

    # --- windows ---------------------------------------------------------------------------------

    @rule("conv")
    def _conv(self, record: Record) -> View:
        """Read a convolution; options: kernel, stride, padding, dilation, groups, out, bias."""
        view, o = self.view(record), record.options
        axes = len(o["kernel"])
        rank = len(view.dims)
        place = rank - axes - 1
        if view.scores is not None:
            if all(k == 1 for k in o["kernel"]):
                return view
            raise ValueError("a convolution over the scores of an attention")
        view = self.maps.in_order(self.maps.settled(view))
        spatial = list(range(place + 1, rank))
        moving = [i for i in spatial if _moves(o, i - place - 1)]
        if len(spatial) == 1 and not moving:
            view = self._as_samples(view, spatial[0])
        if moving and any(view.offsets):
            view = self.maps.unrolled(view)
        every_axis = len(moving) == len(spatial) == self.maps.axes
        inside = not every_axis or self._has_places(view)
        if inside and self._are_channels(view, moving):
            return self._across_channels(view, record)
        stacked = [] if every_axis else [i for i in moving if self._are_channels(view, [i])]
        if stacked:
            return self._over_stack(view, record, place, stacked)
        if every_axis and any(self.is_full(view, x) for x in view.dims[place].digits):
            # A whole axis in place of the channels, which frees it for what takes its place.
            view = self._without_positions(view, place)
        used = [i for i in spatial if i in moving or view.dims[i].digits]
        view, where = self.placed(view, used if moving else [])
        view = self._without_positions(view, place)
        if self._stays_in_blocks(view, record, moving, where):
            return self._over_blocks(view, record, place, moving)
        return self._windowed(view, record, place, moving, where)

    def _as_samples(self, view: View, place: int) -> View:
        """Return a tensor in which a dimension that has all read all is one of positions again.

        Such as learned states, of which each reads the whole map, and which then are convolved as
        samples.  They have no places: a square of them is as good as a line, and reads as a map.
        """
        count = view.dims[place].size
        side = isqrt(count)
        others = [x for i, d in enumerate(view.dims) if i != place for x in d.digits]
        is_map = count > 1 and set(self.size(view)) == {1} and view.dims[0].size == 1
        if not is_map or not self._are_channels(view, [place]):
            return view
        if self.maps.axes != 2 or side**2 != count or any(x.axis != CHANNEL for x in others):
            return view
        self.maps.remark("guessed", f"{count} states are taken as a map of {side}×{side}")
        node = self.maps.whole([view.node], (side, side), view.channels // count, "states")
        dims = list(view.dims)
        dims[place] = Dim((Digit(0, side), Digit(1, side)))
        return View(node, in_order(dims))

    def _stays_in_blocks(
        self, view: View, record: Record, moving: Sequence[int], where: Mapping[int, int]
    ) -> bool:
        """Whether a window keeps sizes and slides inside blocks, at whose borders it is padded."""
        if any(record.shape[i] != view.dims[i].size or i not in where for i in moving):
            return False
        found = [(i, x) for i in moving for x in view.dims[i].digits if x.axis == where[i]]
        whole = all(x.stride * x.size == self.size(view)[x.axis] for _, x in found)
        return not whole and len({i for i, _ in found}) == len(found)

    def _over_blocks(self, view: View, record: Record, place: int, moving: Sequence[int]) -> View:
        """Read all of each block in place of a window that slides inside it."""
        out = record.options["out"]
        others = [x for i, d in enumerate(view.dims) if i != place for x in d.digits]
        total = out * prod(x.size for x in others if x.axis == CHANNEL)
        self.maps.remark(
            "guessed", "a window slides inside blocks; it is assumed to read all of its block"
        )
        view = self.maps.mixed(view, moving, record.label, total)
        dims = [Dim() if i == place else d for i, d in enumerate(view.dims)]
        return replace(view, dims=with_inner_channels(with_channels(dims), place, out))

    def _over_stack(self, view: View, record: Record, place: int, stacked: Sequence[int]) -> View:
        """Read a convolution that slides over channels, such as stacked maps, and over axes."""
        deep = [place, *stacked]
        out = prod(record.shape[i] for i in deep)
        others = [d for i, d in enumerate(view.dims) if i not in deep]
        if any(x.axis == CHANNEL for d in others for x in d.digits):
            raise ValueError("a convolution over some of several groups of channels")
        dims = list(view.dims)
        for i in stacked:
            dims[i] = Dim()
        dims[place] = Dim(joined([Digit(CHANNEL, view.channels)]))
        o = record.options
        flat = {x: _without(o[x], [i - place - 1 for i in stacked]) for x in _GEOMETRY}
        rest = [d for i, d in enumerate(dims) if i not in stacked]
        shape = tuple(n for i, n in enumerate(record.shape) if i not in stacked)
        options = {**o, **flat, "out": out, "groups": 1, "bias": False}
        inner = replace(record, shape=(*shape[:place], out, *shape[place + 1 :]), options=options)
        result = self._windowed(
            *self._ready(replace(view, dims=tuple(rest)), inner, place), label=record.label
        )
        found, stride = list(result.dims), out
        for i in stacked:
            found.insert(i, Dim())
        for i in deep:
            stride //= record.shape[i]
            found[i] = Dim(joined([Digit(CHANNEL, record.shape[i], stride)]))
        return replace(result, dims=tuple(found))

    def _ready(
        self, view: View, record: Record, place: int
    ) -> tuple[View, Record, int, list[int], dict[int, int]]:
        """Return a view whose dimensions after one of channels are axes, and what slides."""
        spatial = range(place + 1, len(view.dims))
        moving = [i for i in spatial if _moves(record.options, i - place - 1)]
        used = [i for i in spatial if i in moving or view.dims[i].digits]
        view, where = self.placed(view, used if moving else [])
        return view, record, place, moving, where

    def _without_positions(self, view: View, place: int) -> View:
        """Turn the positions that one dimension runs through, if any, into channels."""
        mixed = [x.size for x in view.dims[place].digits if x.is_position]
        if not mixed:
            return view
        return self.maps.in_order(self._to_channels(view, place, prod(mixed)))

    def _to_channels(self, view: View, place: int, factor: int) -> View:
        """Turn positions of one dimension into channels, as patches are by a view."""
        total = view.dims[place].size
        view = self.maps.settled(view)
        result = self.maps.reduced(view, [place], view.channels * factor, "unshuffle")
        if isinstance(self.maps.nodes[result.node].op, ops.PixelUnshuffle):
            return self._unshuffled(view, place, result)
        rest = [
            replace(
                d,
                digits=tuple(
                    x._replace(stride=x.stride * total) if x.axis == CHANNEL else x
                    for x in d.digits
                ),
            )
            for d in result.dims
        ]
        rest[place] = Dim(joined([Digit(CHANNEL, total, 1)]))
        return replace(result, dims=tuple(rest))

    def _unshuffled(self, view: View, place: int, result: View) -> View:
        """Return the view after a pixel unshuffle, with its channels in the order that they have.

        An unshuffle numbers those of each channel one after another, and rows before columns.
        """
        source, made = self.maps.nodes[view.node], self.maps.nodes[result.node]
        factor = made.channels // source.channels
        steps = [n // m for n, m in zip(source.size, made.size, strict=True)]

        def channel(digit: Digit) -> Digit:
            if digit.axis == CHANNEL:
                return digit._replace(stride=digit.stride * factor)
            if not digit.is_position:
                return digit
            inner = prod(steps[digit.axis + 1 :])
            return Digit(CHANNEL, digit.size, digit.stride * inner)

        dims = [
            replace(
                new,
                digits=tuple(
                    channel(x) if x.axis == CHANNEL else y
                    for x, y in zip(old.digits, new.digits, strict=True)
                ),
            )
            if i != place
            else Dim(joined(channel(x) for x in old.digits))
            for i, (old, new) in enumerate(zip(view.dims, result.dims, strict=True))
        ]
        found = replace(result, dims=tuple(dims))
        self._note_odd_order(found)
        return found

    def _note_odd_order(self, view: View) -> None:
        """Note if channels come in an order that no shuffle of groups makes."""
        digits = [x for x in view.digits if x.axis == CHANNEL and x.size > 1]
        if groups_of_shuffle(digits) is None and digits != sorted(digits, key=lambda x: -x.stride):
            self.maps.remark(
                "guessed",
                "channels are made of positions, or positions of channels, in an order that no "
                "layer here has; they are taken in the order of a pixel shuffle",
            )

    def _are_channels(self, view: View, places: Sequence[int]) -> bool:
        """Whether dimensions run through channels, and through no positions."""
        digits = [x for i in places for x in view.dims[i].digits]
        return bool(digits) and not any(x.is_position for x in digits)

    def _has_places(self, view: View) -> bool:
        """Whether a tensor runs through positions at all."""
        return any(x.is_position for x in view.digits)

    def _across_channels(self, view: View, record: Record) -> View:
        """Read a window that slides over channels: position by position."""
        shape = record.shape
        dims = []
        stride = 1
        for d, n in zip(reversed(view.dims), reversed(shape), strict=True):
            if any(x.is_position for x in d.digits):
                dims.append(d)
            else:
                dims.append(Dim(joined([Digit(CHANNEL, n, stride)])))
                stride *= n
        node = self.maps.custom([view.node], stride, record.label)
        return replace(view, node=node, dims=tuple(reversed(dims)))

    def _windowed(
        self,
        view: View,
        record: Record,
        place: int,
        moving: Sequence[int],
        where: Mapping[int, int],
        label: str = "",
    ) -> View:
        o, size = record.options, self.size(view)
        kernel, stride, dilation = [1] * len(size), [1] * len(size), [1] * len(size)
        padding: list[tuple[int, int]] = [(0, 0)] * len(size)
        for i in moving:
            j = i - place - 1
            if i not in where:
                raise ValueError("a window slides over something other than an axis")
            axis = where[i]
            step = self.step_of(view, i, axis)
            kernel[axis], dilation[axis] = o["kernel"][j], o["dilation"][j] * step
            stride[axis] = o["stride"][j]
            if step > 1 and stride[axis] > 1:
                raise ValueError("a strided window over every other position")
            before, after = o["padding"][j]
            padding[axis] = (before * step, after * step)
        shared = prod(
            x.size
            for i, d in enumerate(view.dims)
            if i != place
            for x in d.digits
            if x.axis == CHANNEL
        )
        out, groups = o["out"] * shared, o["groups"] * shared
        free = prod(x.size for x in view.dims[place].digits if x.axis == FREE)
        if free > 1:
            node = self.maps.with_depth(view.node, view.channels * free, "repeat channels")
            view = replace(view, node=node)
        have = self.maps.nodes[view.node]
        op: Op
        geometry = {
            "kernel_size": tuple(kernel),
            "stride": tuple(stride),
            "padding": tuple(padding),
            "dilation": tuple(dilation),
        }
        depthwise = groups == have.channels and groups > 1
        op = ops.Conv(
            **geometry,  # type: ignore[arg-type]  # sizes are given for sizes
            groups="depthwise" if depthwise else groups,
            out_channels=None if out == have.channels else out,
            bias=o["bias"],
        )
        if shared > 1 or label:
            op = ops.Custom(
                label=record.label,
                out_channels=out,
                parameters=record.parameters,
                **geometry,  # type: ignore[arg-type]  # sizes are given for sizes
            )
        node = self.maps.add(op, [view.node], channels=out)
        return self.after_window(view, node, place, moving, where, o["out"])

    def _divides_blocks(self, view: View, place: int, axis: int, kernel: int) -> bool:
        """Whether windows that do not overlap fit into the blocks that a dimension runs through."""
        digits = [x for x in view.dims[place].digits if x.axis == axis]
        return len(digits) == 1 and digits[0].stride == 1 and digits[0].size % kernel == 0

    def step_of(self, view: View, place: int, axis: int) -> int:
        """Return the distance of neighbours of a dimension, in samples of the map."""
        digits = [x for x in view.dims[place].digits if x.axis == axis]
        n = self.size(view)[axis]
        if not digits:
            return 1
        (digit,) = digits
        if digit.stride * digit.size != n:
            raise ValueError("a window slides inside blocks")
        return digit.stride

    def after_window(
        self,
        view: View,
        node: int,
        place: int | None,
        moving: Sequence[int],
        where: Mapping[int, int],
        out: int,
    ) -> View:
        """Return what a view becomes after a window.

        Parameters
        ----------
        view
            The tensor before it.
        node
            The map after it.
        place
            The dimension of channels; None: channels stay as they are.
        moving
            The dimensions that the window moves along.
        where
            Which axis each of them is.
        out
            Number of channels of `place` after it.
        """
        size = self.maps.nodes[node].size
        dims = list(with_channels(view.dims))
        if place is not None:
            dims[place] = Dim()
            dims = list(with_inner_channels(with_channels(dims), place, out))
        for i in moving:
            axis = where[i]
            digit = next((x for x in view.dims[i].digits if x.axis == axis), None)
            have = self.size(view)[axis]
            if digit is not None and digit.stride == 1 and digit.size < have:
                factor = have // size[axis]  # inside blocks, whose windows do not overlap
                dims = list(coarser(dims, axis, factor))
                dims[i] = Dim(joined([Digit(axis, digit.size // factor)]))
            elif digit is None or digit.stride == 1:
                dims[i] = Dim(joined([Digit(axis, size[axis])]))
        return replace(view, node=node, dims=tuple(dims), start=0)

    @rule("conv_transpose")
    def _conv_transpose(self, record: Record) -> View:
        view, o = self.maps.unrolled(self.maps.settled(self.view(record))), record.options
        axes = len(o["kernel"])
        place = len(view.dims) - axes - 1
        spatial = list(range(place + 1, len(view.dims)))
        view, where = self.placed(view, spatial)
        view = self._without_positions(view, place)
        n = self.maps.axes
        values: dict[str, list[int]] = {
            "kernel_size": [1] * n,
            "stride": [1] * n,
            "dilation": [1] * n,
            "output_padding": [0] * n,
        }
        padding = [(0, 0)] * n
        for i in spatial:
            j = i - place - 1
            if i not in where:
                if o["kernel"][j] == 1 and o["stride"][j] == 1:
                    continue
                raise ValueError("a window slides over something other than an axis")
            if self.step_of(view, i, where[i]) != 1:
                raise ValueError("a window slides inside blocks")
            axis = where[i]
            values["kernel_size"][axis] = o["kernel"][j]
            values["stride"][axis] = o["stride"][j]
            values["dilation"][axis] = o["dilation"][j]
            values["output_padding"][axis] = o["output_padding"][j]
            padding[axis] = o["padding"][j]
        have = self.maps.nodes[view.node]
        if any(x.axis == CHANNEL for i in range(place) for x in view.dims[i].digits):
            raise ValueError("a transposed convolution of several groups of channels")
        depthwise = o["groups"] == have.channels and o["groups"] > 1
        op = ops.ConvTranspose(
            **{k: tuple(v) for k, v in values.items()},
            padding=tuple(padding),
            groups="depthwise" if depthwise else o["groups"],
            out_channels=None if o["out"] == have.channels else o["out"],
            bias=o["bias"],
        )
        node = self.maps.add(op, [view.node], channels=o["out"])
        return self.after_window(
            view, node, place, [i for i in spatial if i in where], where, o["out"]
        )

    @rule("pool")
    def _pool(self, record: Record) -> View:
        """Pooling; options: how, kernel, stride, padding, dilation, ceil, count."""
        view, o = self.view(record), record.options
        axes = len(o["kernel"])
        rank = len(view.dims)
        spatial = list(range(rank - axes, rank))
        moving = [i for i in spatial if _moves(o, i - rank + axes)]
        if not moving:
            return view
        view = self.maps.unrolled(self.maps.settled(view))
        other = len(spatial) != self.maps.axes or self._has_places(view)
        if other and self._are_channels(view, moving):
            return self._across_channels(view, record)
        if len(moving) == 1 and self._is_of_several_axes(view, moving[0]):
            return self._pooled_runs(view, moving[0], o)
        view, where = self.placed(view, moving)
        n = self.maps.axes
        kernel, stride, dilation = [1] * n, [1] * n, [1] * n
        padding = [(0, 0)] * n
        for i in moving:
            j = i - rank + axes
            axis = where[i]
            tiles = o["padding"][j] == (0, 0) and o["kernel"][j] == o["stride"][j]
            fits = tiles and self._divides_blocks(view, i, axis, o["kernel"][j])
            if not fits and self.step_of(view, i, axis) != 1:
                raise ValueError("a window slides inside blocks")
            kernel[axis], stride[axis] = o["kernel"][j], o["stride"][j]
            dilation[axis], padding[axis] = o["dilation"][j], o["padding"][j]
        op: Op
        common = {
            "kernel_size": tuple(kernel),
            "stride": tuple(stride),
            "padding": tuple(padding),
            "ceil_mode": bool(o.get("ceil")),
        }
        if o["how"] == "max":
            op = ops.MaxPool(**common, dilation=tuple(dilation))  # type: ignore[arg-type]
        else:
            op = ops.AvgPool(**common, count_include_pad=bool(o.get("count", True)))  # type: ignore[arg-type]
        node = self.maps.add(op, [view.node])
        return self.after_window(view, node, None, moving, where, 1)

    def _is_of_several_axes(self, view: View, place: int) -> bool:
        return len({x.axis for x in view.dims[place].digits if x.is_position}) > 1

    def _pooled_runs(self, view: View, place: int, o: Mapping[str, Any]) -> View:
        """Pool runs of a dimension that several axes run through, such as one of tokens."""
        dim = view.dims[place]
        (run,) = (k for k in o["kernel"] if k > 1)
        tiles = list(o["kernel"]) == list(o["stride"]) and not any(map(any, o["padding"]))
        if dim.extra or not tiles or dim.size % run:
            raise ValueError("a window slides over the borders of axes")
        parts = reshaped((dim,), (dim.size // run, run))
        if parts is None:
            raise ValueError("a window slides over the borders of axes")
        apart = replace(view, dims=(*view.dims[:place], *parts, *view.dims[place + 1 :]))
        how: How = "max" if o["how"] == "max" else "mean"
        result = self.maps.reduced(apart, [place + 1], view.channels, how)
        return replace(result, dims=(*result.dims[: place + 1], *result.dims[place + 2 :]))

    def padded(
        self,
        view: View,
        pads: Mapping[int, tuple[int, int]],
        mode: str,
        known: Mapping[int, int] | None = None,
    ) -> View:
        """Return a view with samples added or cut at the ends of some dimensions.

        Parameters
        ----------
        view
            The tensor.
        pads
            For each dimension what is added before and after.
        mode
            What the added samples hold.
        known
            Axes of dimensions of one position, which do not show it.
        """
        known = known or {}
        view = self.maps.unrolled(self.maps.settled(view))
        tokens = [
            i for i in pads if len({x.axis for x in view.dims[i].digits if x.is_position}) > 1
        ]
        if tokens and all(pads[i][1] == 0 < pads[i][0] for i in tokens):
            # Zeros before tokens are further tokens without a position.
            dims = list(view.dims)
            for i in tokens:
                dims[i] = replace(dims[i], extra=dims[i].extra + pads[i][0])
            view = replace(view, dims=tuple(dims))
            pads = {i: x for i, x in pads.items() if i not in tokens}
        for i in pads:
            kinds = {x.is_position for x in view.dims[i].digits}
            if i not in known and len(kinds) > 1 and not view.dims[i].extra:
                # Positions and channels in one dimension, which are no longer told apart.
                view = self.maps.used_up(view, [i], view.dims[i].size)
        inner = [
            i
            for i in pads
            if i not in known and all(x.axis in (CHANNEL, FREE) for x in view.dims[i].digits)
        ]
        spatial = [i for i in pads if i not in inner]
        if len(pads) == self.maps.axes and len(inner) == len(pads):
            spatial, inner = list(pads), []
        if spatial:
            view, where = self.placed(view, spatial)
            where = {**known, **where}
            amounts = [(0, 0)] * self.maps.axes
            for i in spatial:
                if i not in where or self.step_of(view, i, where[i]) != 1:
                    raise ValueError("padding inside blocks")
                amounts[where[i]] = pads[i]
            op = ops.Pad(padding=tuple(amounts), mode=mode)
            node = self.maps.add(op, [view.node])
            view = self.after_window(view, node, None, spatial, where, 1)
        for i in inner:
            before, after = pads[i]
            have = view.dims[i].size
            total = have + before + after
            channels = view.channels // max(
                prod(x.size for x in view.dims[i].digits if x.axis == CHANNEL), 1
            )
            dims = list(view.dims)
            dims[i] = Dim()
            node = self.maps.custom([view.node], channels * total, "pad channels")
            view = replace(view, node=node, dims=with_inner_channels(with_channels(dims), i, total))
        return view


def _moves(o: Mapping[str, Sequence[object]], j: int) -> bool:
    """Whether a window does anything along an axis."""
    return o["kernel"][j] != 1 or o["stride"][j] != 1 or o["padding"][j] != (0, 0)


def _without(values: Sequence[object], places: Sequence[int]) -> tuple[object, ...]:
    return tuple(x for i, x in enumerate(values) if i not in places)
