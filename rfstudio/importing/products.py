"""Rules of products of tensors: linear layers, matrix products, sums over indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isqrt, prod

from rfstudio.core import ops
from rfstudio.importing.attention import Attending, Labels
from rfstudio.importing.layout import (
    CHANNEL,
    FREE,
    Digit,
    Dim,
    View,
    in_order,
    joined,
    with_channels,
    with_inner_channels,
)
from rfstudio.importing.meeting import meet
from rfstudio.importing.records import Record
from rfstudio.importing.rules import rule


class Products(Attending):
    """Part of the tracker: products that are no attention, and those that begin one."""

    @rule("linear")
    def _linear(self, record: Record) -> View:
        """Multiply the last dimension with a learned matrix; options: out, bias."""
        view = self.view(record)
        if view.scores is not None:
            if view.shape == record.shape and not any(x.is_key for x in view.dims[-1].digits):
                return view
            view = self.forced(view)
        return self._with_matrix(view, [len(view.dims) - 1], record.options["out"])

    def _with_matrix(self, view: View, places: Sequence[int], out: int) -> View:
        """Contract dimensions with a constant; the result has `out` values in the last of them."""
        view = self.maps.in_order(self.maps.settled(view))
        (*_, last) = places
        if len(places) == 1 and (found := self._along_axes(view, last, out)) is not None:
            return found
        if len(places) == 1 and out == view.dims[last].size and self._is_of_positions(view, last):
            # Positions are mixed and stay positions, as in a mixer.
            return self.maps.mixed(view, places, "linear", view.channels)
        free = prod(x.size for i in places for x in view.dims[i].digits if x.axis == FREE)
        if free > 1:
            node = self.maps.with_depth(view.node, view.channels * free, "repeat channels")
            view = replace(view, node=node)
        rest = prod(
            x.size
            for i, d in enumerate(view.dims)
            if i not in places
            for x in d.digits
            if x.axis == CHANNEL
        )
        result = self.maps.reduced(replace_free(view, places), places, rest * out, "linear")
        return replace(result, dims=with_inner_channels(result.dims, places[-1], out))

    def _along_axes(self, view: View, place: int, out: int) -> View | None:
        """Return a view after a linear layer over a dimension that is some whole axes, or None.

        Their samples become as many along them if there are as many, or as earlier maps had, and
        otherwise a square or a line along the first of them.
        """
        options, size = self.maps.record.options, self.size(view)
        axes = [x.axis for x in view.dims[place].digits]
        digits = [Digit(axis, size[axis]) for axis in sorted(axes) if axis >= 0]
        if not self._is_of_positions(view, place) or list(view.dims[place].digits) != digits:
            return None
        bias = bool(options.get("bias", True))
        count = prod(x.size for x in digits)
        is_computed = "weight" in options.get("computed", ())
        if not is_computed and self.maps.record.parameters != count * out + (out if bias else 0):
            return None
        if any(view.offsets) or any(x.axis == FREE for x in view.digits):
            return None
        grid = self._grid_of(view, axes, out)
        along = tuple(sorted({*axes, *[i for i, n in enumerate(grid) if n != size[i]]}))
        outs = tuple([m if i in along else None for i, m in enumerate(grid)])
        op = ops.AxisLinear(axes=along, output_size=None if grid == size else outs, bias=bias)
        node = self.maps.add(op, [view.node], grid, self.maps.nodes[view.node].channels)
        dims = list(view.dims)
        made = [Digit(axis, grid[axis]) for axis in along if grid[axis] > 1]
        dims[place] = Dim(tuple(made))
        return replace(view, node=node, dims=tuple(dims))

    def _grid_of(self, view: View, axes: Sequence[int], out: int) -> tuple[int, ...]:
        """Return the size of a map of which some axes have so many samples together."""
        size = self.size(view)
        if out == prod(size[x] for x in axes):
            return size
        held = {x.axis for x in view.digits if x.is_position and x.axis not in axes}
        node = view.node
        while node > 0:
            earlier = self.maps.nodes[node].size
            free = [i for i in range(len(size)) if i not in held]
            same = all(earlier[i] == size[i] for i in held)
            # Axes that were pressed into one line before get their samples back.
            if same and prod(earlier[i] for i in free) == out:
                return earlier
            node = self.maps.nodes[node].sources[0]
        # New samples have no places: a square of them is as good as a line, and reads as a map.
        line = [1 if i in axes else n for i, n in enumerate(size)]
        side = isqrt(out)
        if len(axes) == 2 and side**2 == out:
            return tuple([side if i in axes else n for i, n in enumerate(size)])
        line[min(axes)] = out
        return tuple(line)

    def _is_of_positions(self, view: View, place: int) -> bool:
        dim = view.dims[place]
        return bool(dim.digits) and not dim.extra and all(x.is_position for x in dim.digits)

    @rule("matmul")
    def _matmul(self, record: Record) -> View:
        left, right = (len(self.shapes[x]) for x in record.sources)
        names = "abcdefgh"
        batch = names[: max(left, right) - 2]
        if left == 1 or right == 1:
            raise ValueError("a product with a vector")
        first = batch[len(batch) - (left - 2) :] + "ik"
        second = batch[len(batch) - (right - 2) :] + "kj"
        return self.product(record, Labels(first, second, batch + "ij"))

    @rule("einsum")
    def _einsum(self, record: Record) -> View:
        text = record.options["equation"].replace(" ", "")
        sides, _, result = text.partition("->")
        parts = sides.split(",")
        if len(parts) == 1:
            return self._einsum_of_one(record, parts[0], result)
        if len(parts) != 2:
            raise ValueError("a product of more than two tensors")
        left, right = self._spelled(parts, record)
        if "." in result or not result:
            extra = "".join(x for x in left + right if x.isupper())
            result = result.replace("...", "".join(dict.fromkeys(extra)))
        return self.product(record, Labels(left, right, result))

    def _spelled(self, parts: Sequence[str], record: Record) -> list[str]:
        """Return labels in which dots are spelled out as capitals."""
        result = []
        for part, name in zip(parts, record.sources, strict=True):
            missing = len(self.shapes[name]) - len(part.replace("...", ""))
            result.append(part.replace("...", "ZYXWV"[5 - missing :] if missing else ""))
        return result

    def _einsum_of_one(self, record: Record, labels: str, result: str) -> View:
        view = self.view(record)
        if len(set(labels)) != len(labels):
            raise ValueError("a diagonal")
        gone = [i for i, x in enumerate(labels) if x not in result]
        if gone:
            view = self.maps.settled(view)
            remaining = [x for i, d in enumerate(view.dims) if i not in gone for x in d.digits]
            rest = prod(x.size for x in remaining if x.axis == CHANNEL)
            view = self.maps.reduced(view, gone, rest, "other")
        return replace(view, dims=tuple(view.dims[labels.index(x)] for x in result))

    def product(self, record: Record, labels: Labels) -> View:
        """Contract two tensors over the labels that the result does not have."""
        views = [self.views.get(x) for x in record.sources]
        spelled = [labels.left, labels.right]
        sized: dict[str, int] = {}
        for text, name in zip(spelled, record.sources, strict=True):
            for label, n in zip(text, self.shapes[name], strict=True):
                sized[label] = max(sized.get(label, 1), n)
        left, right = views
        if left is None or right is None:
            which = 0 if right is None else 1
            view = views[which]
            assert view is not None
            return self._with_constant(view, spelled[which], labels.result, sized)
        if left.scores is not None or right.scores is not None:
            return self._with_values(left, right, labels)
        both = set(labels.left) & set(labels.right)
        gone = [x for x in both if x not in labels.result]
        if self._are_scores(left, right, labels, gone):
            return self._scores(left, right, labels)
        return self._of_maps(left, right, labels, gone, record)

    def _with_constant(self, view: View, text: str, result: str, sized: Mapping[str, int]) -> View:
        if view.scores is not None:
            if all(x in result for x in text):
                return replace(view, dims=tuple(view.dims[text.index(x)] for x in result))
            gone = [x for x in text if x not in result]
            if all(not y.is_key for x in gone for y in view.dims[text.index(x)].digits):
                new = [x for x in result if x not in text]
                if len(new) == 1 and len(gone) == 1 and sized[new[0]] == sized[gone[0]]:
                    at = text.replace(gone[0], new[0])
                    return replace(view, dims=tuple(view.dims[at.index(x)] for x in result))
            view = self.forced(view)
        gone_at = [i for i, x in enumerate(text) if x not in result]
        new = [x for x in result if x not in text]
        out = prod(sized[x] for x in new)
        if not gone_at:
            view = self.maps.settled(view)
            if out > 1:
                node = self.maps.custom([view.node], view.channels * out, "outer product")
                view = replace(view, node=node)
            dims = dict(zip(text, with_channels(view.dims), strict=True))
            stride = view.channels
            for x in new:
                dims[x] = Dim(joined([Digit(CHANNEL, sized[x], stride)]))
                stride *= sized[x]
            return replace(view, dims=tuple(dims[x] for x in result))
        view = self._with_matrix(view, gone_at, out)
        dims = {
            x: d for i, (x, d) in enumerate(zip(text, view.dims, strict=True)) if i not in gone_at
        }
        stride = 1
        for x in reversed(new):
            dims[x] = Dim(joined([Digit(CHANNEL, sized[x], stride)]))
            stride *= sized[x]
        return replace(view, dims=tuple(dims[x] for x in result))

    def _of_maps(
        self, left: View, right: View, labels: Labels, gone: Sequence[str], record: Record
    ) -> View:
        """Multiply two maps, which is no attention."""
        both = set(labels.left) & set(labels.right)
        sides = []
        for view, text, other in ((left, labels.left, 0), (right, labels.right, 1)):
            view = self.maps.settled(view)
            used = [text.index(x) for x in gone]
            own = [text.index(x) for x in text if x not in both and x in labels.result]
            clash = (
                other == 1
                and any(x.is_position for i in own for x in view.dims[i].digits)
                and self._has_positions(left, labels.left, both)
            )
            reads = used + (own if clash else [])
            if any(x.is_position for i in reads for x in view.dims[i].digits) or any(
                view.dims[i].extra for i in reads
            ):
                sizes = [view.dims[i].size for i in own]
                remaining = [x for i, d in enumerate(view.dims) if i not in reads for x in d.digits]
                rest = prod(x.size for x in remaining if x.axis == CHANNEL)
                view = self.maps.reduced(view, reads, rest, "other")
                if clash:
                    dims = list(view.dims)
                    for i, n in zip(own, sizes, strict=True):
                        dims[i] = Dim(joined([Digit(FREE, n, 0)]))
                    view = replace(view, dims=tuple(dims))
            place = {x: i for i, x in enumerate(text)}
            dims = [view.dims[place[x]] if x in place else Dim() for x in labels.result]
            sides.append(replace(view, dims=tuple(dims)))
        met = meet(self.maps, sides, channels=False)
        if met is None:
            raise ValueError("the two sides run through different positions")
        dims = [
            replace(
                d, digits=tuple(x._replace(axis=CHANNEL) if x.axis == FREE else x for x in d.digits)
            )
            for d in met.view.dims
        ]
        wide = in_order(dims)
        channels = prod(x.size for d in wide for x in d.digits if x.axis == CHANNEL)
        node = self.maps.custom(met.nodes, channels, record.label)
        return View(node, wide, offsets=met.view.offsets)


def replace_free(view: View, places: Sequence[int]) -> View:
    """Return a view in which repetitions within some dimensions are channels."""
    dims = [
        replace(
            d,
            digits=tuple(
                Digit(CHANNEL, x.size, view.channels) if x.axis == FREE and i in places else x
                for x in d.digits
            ),
        )
        for i, d in enumerate(view.dims)
    ]
    return replace(view, dims=tuple(dims))
