"""Maps whose positions are those of others: sliced, repeated, moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import Whole
from rfstudio.core.ops.geometry import axis_rules
from rfstudio.importing.layers import Layers, MapNode
from rfstudio.importing.layout import Digit, View, positions

Indices = NDArray[np.int64]
"""For each output position along one axis the input position that it reads."""

Pattern = tuple[str, int, int]
"""A word, and two numbers that depend on it."""

_MAX_RUNS = 64
"""Most runs of even steps that positions at any indices are put together from."""

_PART = 1 << 16
"""Positions of a long axis that are looked at first."""


class Positions(Layers):
    """Layers that move positions."""

    def remapped(self, node: int, maps: Sequence[Indices], channels: int | None = None) -> int:
        """Return a map whose position i along an axis is position ``maps[axis][i]`` of `node`.

        Parameters
        ----------
        node
            The map that is read.
        maps
            For each axis, what each output position reads.
        channels
            Channels of the result, if positions are made of some.
        """
        size = self.nodes[node].size
        wanted = self.nodes[node].channels if channels is None else channels
        patterns = [pattern_of(x, n) for x, n in zip(maps, size, strict=True)]
        kinds = {x[0] for x in patterns}
        axes = range(len(size))
        if kinds & {"slice"}:
            starts = [p[1] if p[0] == "slice" else 0 for p in patterns]
            steps = [p[2] if p[0] == "slice" else 1 for p in patterns]
            counts = [len(maps[a]) if patterns[a][0] == "slice" else size[a] for a in axes]
            node = self.sliced(node, starts, steps, counts)
        if kinds & {"repeat", "expand"}:
            node = self._repeated(node, patterns, [len(x) for x in maps], wanted)
        for kind in ("roll", "flip", "tile", "pad", "gather"):
            if kind in kinds:
                node = self._gathered(node, kind, patterns, maps)
        return self.with_depth(node, wanted, "channels to positions" if channels else "expand")

    def sliced(
        self, node: int, starts: Sequence[int], steps: Sequence[int], counts: Sequence[int]
    ) -> int:
        """Return the positions start, start + step … of a map, so many of each axis."""
        size = self.nodes[node].size
        cuts = tuple(
            (b, n - (b + s * (m - 1) + 1))
            for n, b, s, m in zip(size, starts, steps, counts, strict=True)
        )
        if all(x == 1 for x in steps):
            return self.add(ops.Crop(margins=cuts), [node], tuple(counts))
        last = self.nodes[node]
        if isinstance(last.op, ops.Slice) and last.scope == self.record.scope:
            starts, steps = self._after_slice(last, starts, steps)
            node = last.sources[0]
            size = self.nodes[node].size
        ends = [
            n if b + s * m > n - 1 else b + s * (m - 1) + 1
            for n, b, s, m in zip(size, starts, steps, counts, strict=True)
        ]
        stop = None if tuple(ends) == size else tuple(ends)
        op = ops.Slice(start=tuple(starts), stop=stop, step=tuple(steps))
        return self.add(op, [node], tuple(counts))

    def _after_slice(
        self, last: MapNode, starts: Sequence[int], steps: Sequence[int]
    ) -> tuple[list[int], list[int]]:
        """Return starts and steps of a slice of a slice in positions of what that one reads."""
        assert isinstance(last.op, ops.Slice)
        size = self.nodes[last.sources[0]].size
        found = [last.op.indices(axis, size) for axis in range(len(size))]
        first = [x.start + b * x.step for x, b in zip(found, starts, strict=True)]
        return first, [x.step * s for x, s in zip(found, steps, strict=True)]

    def _repeated(
        self, node: int, patterns: Sequence[Pattern], size: Sequence[int], channels: int
    ) -> int:
        have = self.nodes[node]
        repeats = {p[1] for p in patterns if p[0] == "repeat"}
        if len(repeats) == 1 and all(p[0] == "repeat" for p in patterns):
            (r,) = repeats
            if have.channels == channels * r ** len(patterns):
                return self.add(ops.PixelShuffle(upscale_factor=r), [node])
        out = tuple(
            m if p[0] in ("repeat", "expand") else n
            for p, m, n in zip(patterns, size, have.size, strict=True)
        )
        if all(p[0] in ("repeat", "same") for p in patterns):
            scale = tuple(p[1] if p[0] == "repeat" else 1 for p in patterns)
            return self.add(ops.Upsample(scale_factor=scale), [node], out)
        return self.add(ops.Upsample(size=out), [node], out)

    def _gathered(
        self, node: int, kind: str, patterns: Sequence[Pattern], maps: Sequence[Indices]
    ) -> int:
        size = self.nodes[node].size
        mine = [p[0] == kind for p in patterns]
        out = tuple(len(x) if own else n for x, own, n in zip(maps, mine, size, strict=True))
        if kind == "pad":
            pads = tuple((p[1], p[2]) if p[0] == "pad" else (0, 0) for p in patterns)
            return self.add(ops.Pad(padding=pads, mode="circular"), [node], out)
        if kind == "roll":
            shift = tuple(p[1] if own else 0 for p, own in zip(patterns, mine, strict=True))
            return self.add(ops.Roll(shift=shift), [node], out)
        if kind == "flip":
            return self.add(ops.Flip(along=tuple(map(int, mine))), [node], out)
        if kind == "tile":
            times = tuple(m // n for m, n in zip(out, size, strict=True))
            return self.add(ops.Tile(repeats=times), [node], out)
        for axis, (index, own) in enumerate(zip(maps, mine, strict=True)):
            if own:
                node = self._in_runs(node, axis, index)
        return node

    def _in_runs(self, node: int, axis: int, index: Indices) -> int:
        """Return positions at any indices along an axis: runs of even steps, one after another."""
        size = list(self.nodes[node].size)
        runs = [] if is_wild(index) else runs_of(index)
        if not runs or len(runs) > _MAX_RUNS:
            self.remark("global", "positions are moved without a pattern; assumed to read all")
            size[axis] = len(index)
            return self.whole([node], tuple(size), self.nodes[node].channels, "gather")
        total, done, parts = len(index), 0, []
        for run in runs:
            starts, steps, counts = [0] * self.axes, [1] * self.axes, list(size)
            first, step, count = run
            last = first + step * (count - 1)
            starts[axis], steps[axis] = min(first, last), abs(step) or 1
            counts[axis] = count if step else 1
            part = self.sliced(node, starts, steps, counts)
            if step < 0:
                along = [0] * self.axes
                along[axis] = 1
                part = self.add(ops.Flip(along=tuple(along)), [part])
            if step == 0:
                counts[axis] = count
                part = self.add(ops.Upsample(size=tuple(counts)), [part])
            if len(runs) == 1:
                return part
            pads = [(0, 0)] * self.axes
            pads[axis] = (done, total - done - count)
            parts.append(self.add(ops.Pad(padding=tuple(pads)), [part]))
            done += count
        return self.add(ops.Add(), parts)

    def unrolled(self, view: View) -> View:
        """Return a view that is not rolled."""
        if not any(view.offsets):
            return view
        view = self.settled(view)
        size = self.nodes[view.node].size
        maps = [(positions(n) + x) % n for n, x in zip(size, view.offsets, strict=True)]
        return replace(view, node=self.remapped(view.node, maps), offsets=())

    def joined(self, nodes: Sequence[int], axis: int) -> int:
        """Return maps one after the other along an axis."""
        composed = self._as_one_source(nodes, axis)
        if composed is not None:
            node, index = composed
            maps: list[Indices] = [positions(n) for n in self.nodes[node].size]
            maps[axis] = index
            return self.remapped(node, maps)
        # The sum of all, each with zeros in the place of the others, reads exactly the same.
        total, done, parts = sum(self.nodes[x].size[axis] for x in nodes), 0, []
        for node in nodes:
            n = self.nodes[node].size[axis]
            pads = [(0, 0)] * self.axes
            pads[axis] = (done, total - done - n)
            parts.append(self.add(ops.Pad(padding=tuple(pads)), [node]))
            done += n
        return self.add(ops.Add(), parts)

    def _as_one_source(self, nodes: Sequence[int], axis: int) -> tuple[int, Indices] | None:
        """Return the one map that all are slices of along an axis, and what they read of it."""
        roots = [self._slice_of(x, axis) for x in nodes]
        if len({root for root, _ in roots}) != 1:
            return None
        return roots[0][0], np.concatenate([index for _, index in roots])

    def _slice_of(self, node: int, axis: int) -> tuple[int, Indices]:
        have = self.nodes[node]
        op, n = have.op, have.size[axis]
        if isinstance(op, ops.Crop | ops.Slice):
            source = self.nodes[have.sources[0]]
            rules = axis_rules(op, source.size)
            others = [r for a, r in enumerate(rules) if a != axis]
            if all(r.n_in == r.n_out for r in others):
                rule = rules[axis]
                assert not isinstance(rule, Whole)
                index, _ = next(rule.taps_of_all(positions(n)))
                root, inner = self._slice_of(have.sources[0], axis)
                return root, inner[index]
        return node, positions(n)


def pattern_of(indices: Indices, n: int) -> Pattern:
    """Return how output positions follow from those of a map of `n`, along one axis."""
    m = len(indices)
    step = int(indices[1] - indices[0]) if m > 1 else 1
    is_even = step > 0 and _is_even(indices, step)
    if m == n and is_even and step == 1 and not indices[:1].any():
        return "same", 0, 0
    if n == 1:
        return "expand", 0, 0
    if is_even:
        return "slice", int(indices[0]), step
    if m % n == 0 and bool((indices == positions(m) // (m // n)).all()):
        return "repeat", m // n, 0
    turned = (indices - indices[0]) % n == positions(m) % n
    if bool(turned.all()):
        if m == n:
            return "roll", int(-indices[0]) % n, 0
        before = int(-indices[0]) % n
        if before == 0 and m % n == 0:
            return "tile", m // n, 0
        return ("pad", before, m - n - before) if n < m <= 2 * n + before else ("gather", 0, 0)
    if bool((indices == indices[0]).all()):
        return "gather", 0, 0
    if m == n and bool((indices == n - 1 - positions(n)).all()):
        return "flip", 0, 0
    return "gather", 0, 0


def _is_even(indices: Indices, step: int) -> bool:
    """Whether each index is a step after the one before it."""
    # A part at a time: there may be millions.
    return all(
        bool((np.diff(indices[start : start + _PART + 1]) == step).all())
        for start in range(0, len(indices) - 1, _PART)
    )


def indices_of(digits: Sequence[tuple[Digit, int]], n: int) -> Indices:
    """Return for each of `n` positions the sum of its digits, each times a stride of its own."""
    where = positions(n)
    result = np.zeros(n, np.int64)
    for digit, stride in digits:
        result += where // digit.stride % digit.size * stride
    return result


def is_wild(indices: Indices) -> bool:
    """Whether indices change their step so often that they are more runs than are put together."""
    # Where a run ends, the step changes at most twice.  A part of a long axis says it at once.
    return any(
        np.count_nonzero(np.diff(part, 2)) > 2 * _MAX_RUNS for part in (indices[:_PART], indices)
    )


class Run(NamedTuple):
    """Indices of even steps: the first, the step, and how many they are."""

    first: int
    step: int
    count: int  # type: ignore[assignment]  # hides a method of tuples that nobody needs


def runs_of(indices: Indices) -> list[Run]:
    """Return indices cut into runs of even steps; a single one has the step 1.

    Examples
    --------
    >>> [tuple(x) for x in runs_of(np.array([2, 1, 0, 1, 2, 3, 3]))]
    [(2, -1, 3), (1, 1, 3), (3, 1, 1)]
    """
    runs: list[Run] = []
    steps = np.diff(indices)
    # The last index of each stretch of one step; a run ends there, or its next begins there.
    ends = [*(np.flatnonzero(np.diff(steps)) + 1).tolist(), len(indices) - 1]
    start = 0
    for end in ends:
        if end > start:
            runs.append(Run(int(indices[start]), int(steps[start]), end - start + 1))
            start = end + 1
    if start < len(indices):
        runs.append(Run(int(indices[start]), 1, 1))
    return runs
