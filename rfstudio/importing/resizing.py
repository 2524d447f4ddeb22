"""Rules of operations that resize maps, lay windows out, or fold them back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import ceil, prod

import numpy as np

from rfstudio.core import ops
from rfstudio.importing.bounds import largest
from rfstudio.importing.layout import (
    CHANNEL,
    FREE,
    Digit,
    Dim,
    View,
    joined,
    positions,
    reshaped,
)
from rfstudio.importing.meeting import meet
from rfstudio.importing.positions import Indices, is_wild
from rfstudio.importing.records import Record
from rfstudio.importing.rules import Misfit, rule
from rfstudio.importing.slicing import Slicing
from rfstudio.importing.sliding_window import Windows

_MAX_TAPS = 16
"""Samples that an interpolation without an op of its own blends; those of more read all."""


class Resizing(Slicing, Windows):
    """Part of the tracker: pooling to a size, interpolation, padding, shuffles, unfolding."""

    @rule("adaptive_pool")
    def _adaptive_pool(self, record: Record) -> View:
        view, o = self.maps.unrolled(self.maps.settled(self.view(record))), record.options
        axes = len(o["size"])
        rank = len(view.dims)
        spatial = list(range(rank - axes, rank))
        if not any(x.is_position for i in spatial for x in view.dims[i].digits):
            if all(view.dims[i].size == m for i, m in zip(spatial, o["size"], strict=True)):
                return view
            if len(spatial) != self.maps.axes or self._has_places(view):
                return self._across_channels(view, record)
        if all(m == 1 for m in o["size"]):
            channels = prod(
                x.size for d in view.dims[:-axes] for x in d.digits if x.axis == CHANNEL
            )
            return self.maps.reduced(view, spatial, channels, o["how"])
        view, where = self.placed(view, spatial)
        size = list(self.size(view))
        for i in spatial:
            if i not in where or self.step_of(view, i, where[i]) != 1:
                raise ValueError("pooling inside blocks")
            size[where[i]] = o["size"][i - rank + axes]
        kind = ops.AdaptiveAvgPool if o["how"] == "mean" else ops.AdaptiveMaxPool
        node = self.maps.add(kind(output_size=tuple(size)), [view.node])
        return self.after_window(view, node, None, spatial, where, 1)

    @rule("upsample")
    def _upsample(self, record: Record) -> View:
        """Interpolation; options: mode, align, scale (or None)."""
        view, o = self.maps.unrolled(self.maps.settled(self.view(record))), record.options
        rank = len(view.dims)
        spatial = list(range(2, rank))
        if not any(view.dims[i].digits for i in spatial) and record.shape == view.shape:
            return view
        view, where = self.placed(view, spatial)
        size, scales = list(self.size(view)), [1.0] * self.maps.axes
        given = o.get("scale")
        for i in spatial:
            if i not in where or self.step_of(view, i, where[i]) != 1:
                if view.dims[i].size == record.shape[i]:
                    continue
                raise ValueError("interpolation inside blocks")
            axis = where[i]
            if given is None and record.shape[i] % size[axis] == 0 and size[axis] > 1:
                scales[axis] = record.shape[i] // size[axis]
            elif given is not None:
                scales[axis] = given[i - 2]
            else:
                scales[axis] = 0
            size[axis] = record.shape[i]
        if tuple(size) == self.size(view):
            return view
        mode, align = o["mode"], bool(o.get("align"))
        if all(scales) and not align:
            tidy = tuple(int(x) if x == int(x) else x for x in scales)
            op = ops.Upsample(scale_factor=tidy, mode=mode)
        else:
            op = ops.Upsample(size=tuple(size), mode=mode, align_corners=align)
        node = self.maps.add(op, [view.node], tuple(size))
        return self.after_window(view, node, None, [i for i in spatial if i in where], where, 1)

    @rule("resample")
    def _resample(self, record: Record) -> View:
        """Interpolation of any kind; options: taps {dimension: (first, last) sample of each}."""
        view, taps = (
            self.maps.unrolled(self.maps.settled(self.view(record))),
            record.options["taps"],
        )
        places = sorted(taps)
        if any(x.axis in (CHANNEL, FREE) for i in places for x in view.dims[i].digits):
            raise Misfit("channels are interpolated")
        view, where = self.placed(view, places)
        if any(i not in where or self.step_of(view, i, where[i]) != 1 for i in places):
            raise Misfit("interpolation inside blocks")
        both = {where[i]: taps[i] for i in places}
        if all((low == high).all() for low, high in both.values()):
            size = self.size(view)
            maps = [both[a][0] if a in both else positions(n) for a, n in enumerate(size)]
            node = self.maps.remapped(view.node, maps)
        else:
            node = view.node
            for axis, (low, high) in both.items():
                node = self._blended(node, axis, low, high)
        return self.after_window(view, node, None, places, where, 1)

    def _blended(self, node: int, axis: int, low: Indices, high: Indices) -> int:
        """Return a map each of whose positions along an axis reads a run of positions."""
        have = self.maps.nodes[node]
        found = _as_window(low, high, have.size[axis])
        if found is not None:  # the map gets smaller, by a whole factor
            return self._window_along(node, axis, *found)
        n, m = have.size[axis], len(low)
        maps: list[Indices] = [positions(k) for k in have.size]
        if m % n == 0:  # it gets larger: each sample is repeated, then a window blends neighbours
            factor, where = m // n, positions(m)
            repeated = where // factor
            last = repeated[(where + factor - 1).clip(0, m - 1)]
            if (low == repeated).all() and (high == last).all():
                maps[axis] = repeated
                node = self.maps.remapped(node, maps)
                return self._window_along(node, axis, factor, 1, (0, factor - 1))
        spread = int((high - low).max()) + 1
        if spread > _MAX_TAPS or is_wild(low):
            self.maps.remark("global", "an interpolation of many samples is assumed to read all")
            size = tuple(m if a == axis else k for a, k in enumerate(have.size))
            return self.maps.whole([node], size, have.channels, "resize")
        parts = []
        for k in range(spread):
            maps[axis] = np.minimum(low + k, high)
            parts.append(self.maps.remapped(node, maps))
        return self.maps.add(ops.Add(), parts)

    def _window_along(
        self, node: int, axis: int, kernel: int, stride: int, padding: tuple[int, int]
    ) -> int:
        """Add a window of fixed weights that slides along one axis."""
        mine = [a == axis for a in range(self.maps.axes)]
        return self.maps.custom(
            [node],
            self.maps.nodes[node].channels,
            "resize",
            kernel_size=tuple(kernel if x else 1 for x in mine),
            stride=tuple(stride if x else 1 for x in mine),
            padding=tuple(padding if x else (0, 0) for x in mine),
        )

    @rule("pad")
    def _pad(self, record: Record) -> View:
        """Read padding; options: pads {dimension: (before, after)}, mode."""
        view, o = self.view(record), record.options
        pads = {i: p for i, p in o["pads"].items() if p != (0, 0)}
        if not pads:
            return view
        if view.scores is not None:
            raise ValueError("scores are padded")
        return self.padded(view, pads, o.get("mode", "zeros"))

    @rule("unpool")
    def _unpool(self, record: Record) -> View:
        """Put values where a pooling has found its own; options: those of `pool`.

        What is found where depends on what was pooled, too.
        """
        o = record.options
        views = [self.maps.unrolled(self.maps.settled(x)) for x in self.sources(record)]
        met = meet(self.maps, views)
        if met is None or len(views) != len(record.sources):
            raise Misfit("what is put back is no map of the pooling's size")
        places = list(range(2, len(met.view.dims)))
        node = self.maps.add(ops.Multiply(), met.nodes)
        view, where = self.placed(replace(met.view, node=node), places)
        if any(self.step_of(view, i, where[i]) != 1 for i in places):
            raise Misfit("unpooling inside blocks")
        before, wanted = self.size(view), [0] * self.maps.axes
        kernel, stride, pads, dilation = [[0] * self.maps.axes for _ in range(4)]
        for i, k, s, (p, _), d in zip(
            places, o["kernel"], o["stride"], o["padding"], o["dilation"], strict=True
        ):
            axis = where[i]
            wanted[axis] = record.shape[i]
            kernel[axis], stride[axis], pads[axis], dilation[axis] = k, s, p, d
        spans = zip(before, stride, pads, kernel, dilation, strict=True)
        found = [(n - 1) * s - p + d * (k - 1) + 1 for n, s, p, k, d in spans]
        after = tuple((p, n - m) for p, n, m in zip(pads, found, wanted, strict=True))
        op = ops.ConvTranspose(
            kernel_size=tuple(kernel),
            stride=tuple(stride),
            padding=tuple((p, max(x, 0)) for p, x in after),
            output_padding=tuple(max(-x, 0) for _, x in after),
            dilation=tuple(dilation),
            groups="depthwise" if view.channels > 1 else 1,
            bias=False,
        )
        self.maps.remark("merged", "an unpooling is written as a transposed convolution")
        node = self.maps.add(op, [view.node], tuple(wanted))
        return self.after_window(view, node, None, places, where, 1)

    @rule("pixel_shuffle")
    def _pixel_shuffle(self, record: Record) -> View:
        view, r = self.maps.unrolled(self.maps.settled(self.view(record))), record.options["factor"]
        view, where = self.placed(view, [2, 3])
        node = self.maps.add(ops.PixelShuffle(upscale_factor=r), [view.node])
        dims = [view.dims[0], Dim(joined([Digit(CHANNEL, record.shape[1])]))]
        dims += [Dim(joined([Digit(where[i], record.shape[i])])) for i in (2, 3)]
        return View(node, tuple(dims))

    @rule("pixel_unshuffle")
    def _pixel_unshuffle(self, record: Record) -> View:
        view, r = self.maps.unrolled(self.maps.settled(self.view(record))), record.options["factor"]
        view, where = self.placed(view, [2, 3])
        node = self.maps.add(ops.PixelUnshuffle(downscale_factor=r), [view.node])
        dims = [view.dims[0], Dim(joined([Digit(CHANNEL, record.shape[1])]))]
        dims += [Dim(joined([Digit(where[i], record.shape[i])])) for i in (2, 3)]
        return View(node, tuple(dims))

    @rule("unfold")
    def _unfold(self, record: Record) -> View:
        """Windows of one dimension as a new last one; options: dim, size, step."""
        view, o = self.view(record), record.options
        place = o["dim"]
        if o["size"] == o["step"]:
            return self._in_blocks(view, place, o["size"])
        view = self.maps.unrolled(self.maps.settled(view))
        if not any(x.is_position for x in view.dims[place].digits):
            raise ValueError("windows over something other than an axis")
        view, where = self.placed(view, [place])
        axis = where[place]
        if self.step_of(view, place, axis) != 1:
            raise ValueError("windows inside blocks")
        kernel, stride = [1] * self.maps.axes, [1] * self.maps.axes
        kernel[axis], stride[axis] = o["size"], o["step"]
        node = self.maps.custom(
            [view.node],
            view.channels * o["size"],
            "unfold",
            kernel_size=tuple(kernel),
            stride=tuple(stride),
        )
        view = self.after_window(view, node, None, [place], where, 1)
        last = Dim(joined([Digit(CHANNEL, o["size"], view.channels)]))
        return replace(view, dims=(*view.dims, last))

    def _in_blocks(self, view: View, place: int, size: int) -> View:
        """Return blocks of one dimension as a new last one, which is a view."""
        n = view.dims[place].size
        if n % size:
            view = self.taken(view, place, 0, 1, n - n % size)
        shape = view.shape
        dims = reshaped(view.dims, (*shape[:place], n // size, size, *shape[place + 1 :]))
        if dims is None:
            raise ValueError("blocks across the borders of axes")
        inner = dims[place + 1]
        return replace(view, dims=(*dims[: place + 1], *dims[place + 2 :], inner))

    @rule("im2col")
    def _im2col(self, record: Record) -> View:
        """Windows as columns: (N, C, *size) to (N, C · taps, windows)."""
        view, o = self.maps.unrolled(self.maps.settled(self.view(record))), record.options
        view, _ = self.placed(view, [2, 3])
        channels = record.shape[1]
        op = ops.Unfold(
            kernel_size=tuple(o["kernel"]),
            stride=tuple(o["stride"]),
            padding=tuple(o["padding"]),
            dilation=tuple(o["dilation"]),
        )
        node = self.maps.add(op, [view.node], channels=channels)
        tokens = [Digit(a, n) for a, n in enumerate(self.maps.nodes[node].size)]
        return View(node, (Dim(), Dim((Digit(CHANNEL, channels),)), Dim(joined(tokens))))

    @rule("fold")
    def _fold(self, record: Record) -> View:
        """Columns summed into a map: the transpose of `im2col`."""
        view, o = self.maps.unrolled(self.maps.settled(self.view(record))), record.options
        tokens = list(view.dims[-1].digits)
        if any(not x.is_position for x in tokens):
            raise ValueError("columns that are not positions")
        outs = list(record.shape[2:])
        op = ops.Fold(
            kernel_size=tuple(o["kernel"]),
            stride=tuple(o["stride"]),
            padding=tuple(o["padding"]),
            dilation=tuple(o["dilation"]),
            output_size=tuple(outs),
        )
        node = self.maps.add(op, [view.node], tuple(outs))
        body = [Dim(joined([Digit(a, n)])) for a, n in enumerate(outs)]
        return View(node, (Dim(), Dim(joined([Digit(CHANNEL, record.shape[1])])), *body))

    @rule("deform_conv")
    def _deform_conv(self, record: Record) -> View:
        """Read a deformable convolution; sources: map, weight, offsets, and mask if it has one."""
        view, o = self.maps.unrolled(self.maps.settled(self.view(record))), record.options
        view, where = self.placed(self.maps.in_order(view), [2, 3])
        op = ops.DeformConv(
            kernel_size=tuple(o["kernel"]),
            stride=tuple(o["stride"]),
            padding=tuple(o["padding"]),
            dilation=tuple(o["dilation"]),
            groups=o["groups"],
            out_channels=record.shape[1],
            bias=o["bias"],
        )
        moving = [self._moving(name, where) for name in record.sources[2 : 4 if o["mask"] else 3]]
        others = [x for x in moving if x is not None]
        if len(others) < len(moving):
            self.maps.remark(
                "guessed",
                "its offsets do not depend on the image, or their channels come in an order that "
                "no layer here has; they are taken as 0",
            )
            others = []
        if others:
            op, others[0] = self._within_reach(op, others[0], max(self.size(view)))
        node = self.maps.add(op, [view.node, *others], record.shape[2:])
        return self.after_window(view, node, 1, [2, 3], where, record.shape[1])

    def _moving(self, name: str, where: Mapping[int, int]) -> int | None:
        """Return the map of offsets, or of their mask, if it is one as a layer has it."""
        view = self.views.get(name)
        if view is None or view.scores is not None:
            return None
        view = self.maps.in_order(self.maps.unrolled(self.maps.settled(view)))
        _, channels, *shape = view.shape
        digits = [Digit(CHANNEL, channels), *(Digit(where[2 + i], n) for i, n in enumerate(shape))]
        wanted = (Dim(), *(Dim(joined([x])) for x in digits))
        return view.node if view.dims == wanted else None

    def _within_reach(self, op: ops.DeformConv, node: int, most: int) -> tuple[ops.DeformConv, int]:
        """Return the operation with the largest of bounded offsets, and the map of its offsets."""
        found, made = largest(self.maps.nodes, node), self.maps.nodes[node]
        if not found < most:
            return op, node
        reach = ceil(found)
        is_same = made.bounds == (-reach, reach)  # it cuts offsets as the operation itself does
        return replace(op, max_offset=reach), made.sources[0] if is_same else node


def _as_window(low: Indices, high: Indices, n: int) -> tuple[int, int, tuple[int, int]] | None:
    """Return kernel, stride and padding of a window that reads from `low` to `high`, if one does.

    Examples
    --------
    >>> _as_window(np.array([0, 1, 3]), np.array([2, 4, 5]), 6)
    (4, 2, (1, 1))
    """
    places = np.arange(len(low))
    inner = np.flatnonzero((low > 0) & (high < n - 1))
    if len(low) < 2 or not len(inner):
        return None
    at = int(inner[0])
    other = at + 1 if at + 1 < len(low) else at - 1
    kernel = int(high[at] - low[at]) + 1
    for stride in {abs(int(x[other] - x[at])) for x in (low, high)} - {0}:
        starts = (places - at) * stride + int(low[at])
        before, after = max(-int(starts[0]), 0), int(starts[-1]) + kernel - n
        same = (low == starts.clip(0)).all() and (
            high == (starts + kernel - 1).clip(0, n - 1)
        ).all()
        if same and -int(starts[0]) == before:
            return kernel, stride, (before, 0 if -stride < after < 0 else after)
    return None
