"""The layout tracker, which turns records of operations into layers.

Each tensor is a view of a map (see `rfstudio.importing.layout`).  Operations that only rearrange
change the view and make no layer; a layer arises where positions or channels are read.  Whatever
is not understood becomes a layer that reads everything, with a remark; nothing is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import NamedTuple

from rfstudio.core import ops
from rfstudio.core.ops import Op
from rfstudio.importing.layout import (
    CHANNEL,
    FREE,
    Digit,
    Dim,
    Dims,
    View,
    in_order,
    joined,
    reshaped,
)
from rfstudio.importing.maps import Maps
from rfstudio.importing.meeting import meet
from rfstudio.importing.products import Products
from rfstudio.importing.records import Program, Record, Scope
from rfstudio.importing.recurring import Recurring
from rfstudio.importing.resizing import Resizing
from rfstudio.importing.rules import Misfit, rule
from rfstudio.importing.strips import PartByPart
from rfstudio.importing.writing import Writing

_WEIGHTED = ("conv", "conv_transpose", "deform_conv", "linear", "activation", "mix")
"""Kinds of records whose sources after the first are weights."""

_COMPUTED = (ops.Conv, ops.ConvTranspose, ops.DeformConv, ops.Linear, ops.AxisLinear)
"""Operations that take weights which are computed from others along."""

_NO_FIT = (Misfit, ValueError, IndexError, ZeroDivisionError, KeyError, TypeError)
"""What a rule raises for a record that does not fit."""


class Mark(NamedTuple):
    """The end of a call of a module.

    Attributes
    ----------
    scope
        The module and those that it is in.
    node
        The map that is its output.
    time
        Number of maps when it ended.
    op
        What it is, if it does nothing at inference.
    dims
        What the dimensions of its output run through; empty: it does not depend on the image.
    """

    scope: Scope
    node: int
    time: int
    op: Op | None
    dims: Dims = ()


class Tracker(Writing, Resizing, Recurring, Products, PartByPart):
    """Follows the tensors of a program.

    Attributes
    ----------
    has_tokens
        Whether learned tokens become layers.
    marks
        The calls of modules whose output is a map, in the order in which they ended.
    """

    def __init__(self, program: Program, *, with_tokens: bool = True) -> None:
        size = program.shape[2:]
        head = (Dim(), Dim(joined([Digit(CHANNEL, program.shape[1])])))
        axes = [Dim(joined([Digit(a, n)])) for a, n in enumerate(size)]
        maps = Maps(size, program.shape[1])
        super().__init__(program, maps, View(0, (*head, *axes)))
        self.has_tokens = with_tokens
        self.marks: list[Mark] = []
        self.strips = {}
        self.tables = {}
        self._blank: dict[tuple[int, ...], int] = {}
        self._constant: dict[str, int] = {}

    def run(self) -> None:
        """Follow all records."""
        for record in self.program.records:
            self.maps.record = record
            self.shapes[record.output] = record.shape
            if record.kind == "constant_output":
                self._mark_constant(record)
            if not any(x in self.views for x in record.sources):
                continue
            self._follow_parts(record)
            count = len(self.maps.nodes)
            try:
                view = self._with_made_weights(record, self._view_of(record))
            except _NO_FIT as e:
                self.maps.forget(count)
                view = self._unknown(record, e)
            if view.shape != record.shape or self._has_lost_places(record, view):
                self.maps.forget(count)
                view = self._unknown(record, None)
            if "computed" in record.options:
                self._note_computed(record, view)
            self.views[record.output] = self.noted(record, view)
        self._finish()

    def _finish(self) -> None:
        """Have what the model returns in layers: channels that are cut or shuffled, rolled maps.

        Nothing reads it, so that all this would be bookkeeping for good.
        """
        name = self.program.result
        view = self.views.get(name)
        if view is None or view.scores is not None or name in self.strips:
            return
        self.maps.record = Record("same", name, view.shape, label="output")
        count = len(self.maps.nodes)
        try:
            view = self.maps.unrolled(view)
            view = self._as_map(self.maps.in_order(self.maps.settled(view)))
        except _NO_FIT:
            self.maps.forget(count)
            return
        strides = [x.stride for dim in view.dims for x in dim.digits if x.axis == CHANNEL]
        if strides != sorted(strides, reverse=True):
            self.maps.remark(
                "dropped", "the channels of the output come in an order that no layer here has"
            )
        self.views[name] = view

    # --- small things that all rules use --------------------------------------------------------

    def _has_lost_places(self, record: Record, view: View) -> bool:
        """Whether a product of maps has none of the positions that one of its shape has."""
        if record.kind not in ("matmul", "einsum") or self._has_places(view) or view.scores:
            return False
        sides = [self.views[x] for x in record.sources if x in self.views]
        return any(x.shape == record.shape and self._has_places(x) for x in sides)

    def _follow_parts(self, record: Record) -> None:
        count = len(self.maps.nodes)
        try:
            self.follow_strips(record)
        except _NO_FIT:
            self.maps.forget(count)
        lines = any(x in self.strips for x in record.sources)
        if lines and record.output not in self.strips and self.strip(record) is None:
            self.maps.remark("global", "parts that run along different axes are read as one")

    def _view_of(self, record: Record) -> View:
        part = self.strip(record)
        if part is not None:
            return part
        found = self.rules.get(record.kind)
        if found is None:
            raise Misfit(f"no rule for {record.kind}")
        return found(self, record)

    def _with_made_weights(self, record: Record, view: View) -> View:
        """Return a view that also reads whatever its weights are made of, if the image makes them.

        All of each weight is read at every position.
        """
        # After the weights of a deformable convolution come its offsets.
        stop = 2 if record.kind == "deform_conv" else None
        made = [x for x in record.sources[1:stop] if x in self.views]
        if record.kind not in _WEIGHTED or not made or view.scores is not None:
            return view
        view = self.maps.settled(view)
        channels, one = view.channels, (1,) * self.maps.axes
        nodes = [view.node]
        for name in dict.fromkeys(made):
            weights = self.maps.settled(replace(self.views[name], scores=None))
            node = weights.node
            if self.size(weights) != one:
                node = self.maps.whole([node], one, channels, "weights")
            nodes.append(self.maps.with_depth(node, channels, "weights"))
        self.maps.remark("merged", "its weights are made from the image")
        return replace(view, node=self.maps.add(ops.Multiply(), nodes))

    def _note_computed(self, record: Record, view: View) -> None:
        """Give a layer the weights that are computed from others, or fixed, if they are not large.

        A network that is rebuilt from this one has no other way to them.
        """
        node = self.maps.nodes[view.node]
        if not isinstance(node.op, _COMPUTED):
            return
        for key, name in record.options["computed"].items():
            fits = self.has_room(prod(self.shapes[name]))
            value = self.program.value_of(name) if fits else None
            if value is not None and key in record.options.get("turned", ()):
                value = value.T  # torch's linear layers have the transpose of what stands behind @
            self.hold(node, key, value)

    def _unknown(self, record: Record, error: Exception | None) -> View:
        """Add a layer that reads everything; its layout is guessed from the shape."""
        views = [self.maps.settled(replace(x, scores=None)) for x in self.sources(record)]
        if record.output not in self.strips:
            self.maps.remark(
                "global",
                f"'{record.label}' is assumed to read all of its input"
                + (f" ({error})" if isinstance(error, Misfit) else ""),
            )
        dims, size, channels = self._guessed(record.shape, views)
        node = self.maps.whole([x.node for x in views], size, channels, record.label)
        return View(node, dims)

    def _guessed(
        self, shape: tuple[int, ...], views: Sequence[View]
    ) -> tuple[Dims, tuple[int, ...], int]:
        axes = self.maps.axes
        for view in views:
            if view.shape == shape and all(d.extra == 0 for d in view.dims):
                size = self.maps.nodes[view.node].size
                return renumbered_free(view).dims, size, renumbered_free(view).channels
        if len(shape) == axes + 2:
            head = [Dim(joined([Digit(CHANNEL, shape[1])]))]
            body = [Dim(joined([Digit(a, n)])) for a, n in enumerate(shape[2:])]
            first = Dim(joined([Digit(CHANNEL, shape[0], shape[1])]))
            return (first, *head, *body), tuple(shape[2:]), shape[0] * shape[1]
        for view in views:
            size = self.maps.nodes[view.node].size
            if len(shape) == 3 and shape[1] == prod(size) and prod(size) > 1:
                tokens = Dim(joined([Digit(a, n) for a, n in enumerate(size)]))
                return (Dim(), tokens, Dim(joined([Digit(CHANNEL, shape[2])]))), size, shape[2]
        stride, dims = 1, []
        for n in reversed(shape):
            dims.append(Dim(joined([Digit(CHANNEL, n, stride)])))
            stride *= n
        return tuple(reversed(dims)), (1,) * axes, prod(shape)

    def is_output(self, node: int) -> bool:
        """Whether a map is what a module returns."""
        return any(x.node == node for x in self.marks)

    # --- what makes no layer ---------------------------------------------------------------------

    @rule("same")
    def _same(self, record: Record) -> View:
        return self.view(record)

    @rule("mark")
    def _mark(self, record: Record) -> View:
        view = self.view(record)
        if record.output in self.strips:
            return view
        if view.scores is None and not any(view.offsets):
            settled = self._as_map(self.maps.in_order(self.maps.settled(view)))
            op = record.options.get("op")
            count = len(self.maps.nodes)
            self.marks.append(Mark(record.scope, settled.node, count, op, settled.dims))
            return settled
        return view

    def _mark_constant(self, record: Record) -> None:
        """Note the output of a module that does not depend on the image, such as of positions.

        If it may be a map, it becomes one that sees nothing: all of it is padding.
        """
        shape, axes = record.shape, self.maps.axes
        if len(shape) != axes + 2 or shape[0] != 1 or max(shape[1:-1]) == 1:
            return
        last = len(set(shape[1:-1])) == 1  # as many rows as columns, then channels
        size, channels = (shape[1:-1], shape[-1]) if last else (shape[2:], shape[1])
        inner = next((x for x in record.sources if x in self._constant), None)
        if inner is not None:  # the last module within this one
            self._constant[record.output] = node = self._constant[inner]
            self.marks.append(Mark(record.scope, node, len(self.maps.nodes), None))
            return
        source = self._blank.get(size)
        if source is None:
            one = self.maps.add(ops.Crop(size=(1,) * axes), [0])
            pads = tuple((n, -1) for n in size)
            source = self._blank[size] = self.maps.add(ops.Pad(padding=pads), [one], size)
        node = self.maps.custom([source], channels, "constant")
        self._constant[record.output] = node
        self.maps.remark("merged", "its output does not depend on the image")
        self.marks.append(Mark(record.scope, node, len(self.maps.nodes), None))

    def _as_map(self, view: View) -> View:
        """Return the output of a module as (N, C, *size), if a view has rearranged it like that."""
        axes = self.maps.axes
        if len(view.dims) != axes + 2:
            return view
        spatial = range(2, axes + 2)
        deep = any(x.is_position for x in view.dims[1].digits)
        wide = any(x.axis == CHANNEL for i in spatial for x in view.dims[i].digits)
        count = len(self.maps.nodes)
        try:
            if wide and any(x.is_position for i in spatial for x in view.dims[i].digits):
                view, _ = self.placed(view, list(spatial))
            elif deep and all(len(view.dims[i].digits) == 1 for i in spatial):
                found = [x.size for x in view.dims[1].digits if x.is_position]
                if all(x.is_position for i in spatial for x in view.dims[i].digits):
                    view = self._to_channels(view, 1, prod(found))
        except ValueError:
            self.maps.forget(count)
        return view

    @rule("reshape")
    def _reshape(self, record: Record) -> View:
        view = self.view(record)
        dims = reshaped(view.dims, record.shape)
        if dims is not None:
            return replace(view, dims=dims)
        if view.scores is not None or any(x.extra for x in view.dims):
            raise Misfit("its positions are regrouped across the borders of axes")
        return self._regrouped(view, record.shape)

    def _regrouped(self, view: View, shape: Sequence[int]) -> View:
        """Return a reshape that no digits can follow, with positions that it breaks up used up.

        Dimensions that are regrouped among themselves are found by products of their sizes; only
        positions of those that cannot be followed are read by all that comes out.
        """
        view = self.maps.settled(view)
        groups = list(_groups(view.shape, shape))
        for places, sizes in groups:
            if reshaped(tuple(view.dims[i] for i in places), sizes) is None:
                view = self.maps.used_up(view, places, prod(sizes))
                self.maps.remark(
                    "merged",
                    "positions are regrouped across the borders of axes; what comes out is "
                    "assumed to read all of these",
                )
        made: list[Dim] = []
        for places, sizes in groups:
            found = reshaped(tuple(view.dims[i] for i in places), sizes)
            assert found is not None
            made += found
        return replace(view, dims=tuple(made))

    @rule("permute")
    def _permute(self, record: Record) -> View:
        view = self.view(record)
        self.maps.note_order(view)
        return replace(view, dims=tuple(view.dims[i] for i in record.options["dims"]))

    @rule("expand")
    def _expand(self, record: Record) -> View:
        view = self.view(record)
        shape = record.shape
        dims = (*[Dim()] * (len(shape) - len(view.dims)), *view.dims)
        wide = tuple(
            Dim(joined([Digit(FREE, n, 0)])) if d.size == 1 and n > 1 else d
            for d, n in zip(dims, shape, strict=True)
        )
        return replace(view, dims=wide)

    @rule("repeat")
    def _repeat(self, record: Record) -> View:
        view = self.view(record)
        times: Sequence[int] = record.options["times"]
        dims = (*[Dim()] * (len(times) - len(view.dims)), *view.dims)
        if record.options.get("inner"):
            made = [(*d.digits, Digit(FREE, t, 0)) for d, t in zip(dims, times, strict=True)]
        else:
            made = [(Digit(FREE, t, 0), *d.digits) for d, t in zip(dims, times, strict=True)]
        return replace(view, dims=tuple(Dim(joined(x)) for x in made))

    # --- position by position --------------------------------------------------------------------

    @rule("activation")
    def _activation(self, record: Record) -> View:
        return self.layer(self.view(record), record.options["op"])

    @rule("pointwise")
    def _pointwise(self, record: Record) -> View:
        """Read a function without an op of its own."""
        view = self.view(record)
        if view.scores is not None:
            return view
        view = self.maps.settled(view)
        node = self.maps.custom([view.node], view.channels, record.label)
        made = self.maps.nodes[node]
        made.bounds = record.options.get("bounds", made.bounds)
        return replace(view, node=node)

    def _learned(self, view: View, record: Record) -> View:
        """Read a learned or constant tensor that is added or multiplied."""
        if view.scores is not None:
            return view
        if not record.parameters:
            return self.with_constant(record, view)
        view = self.maps.in_order(self.maps.settled(view))
        embedded = self.with_positions(record, view)
        if embedded is not None:
            return embedded
        learned = self.with_learned(record, view)
        if learned is not None:
            return learned
        word = "scale" if record.options.get("how") == "multiply" else "shift"
        return replace(view, node=self.maps.custom([view.node], view.channels, f"learned {word}"))

    @rule("merge")
    def _merge(self, record: Record) -> View:
        views = self.sources(record)
        if any(x.scores is not None for x in views):
            return self.merged_scores(record, views)
        if len(views) == 1:
            return self._grown(self._learned(views[0], record), record.shape)
        met = meet(self.maps, self.signed(record, views))
        if met is None:
            raise Misfit("the two sides run through different positions")
        how = record.options.get("how", "multiply")
        view = met.view
        op: Op = ops.Add() if how == "add" else ops.Multiply()
        node = self.maps.add(op, met.nodes)
        return self._grown(replace(view, node=node), record.shape)

    def _grown(self, view: View, shape: tuple[int, ...]) -> View:
        """Return a view that is broadcast to a larger shape of a constant."""
        if view.shape == shape:
            return view
        dims = (*[Dim()] * (len(shape) - len(view.dims)), *view.dims)
        wide = [
            Dim(joined([Digit(FREE, n, 0)])) if d.size == 1 and n > 1 else d
            for d, n in zip(dims, shape, strict=True)
        ]
        return replace(view, dims=tuple(wide))

    # --- whole dimensions ------------------------------------------------------------------------

    @rule("reduce")
    def _reduce(self, record: Record) -> View:
        """Means, maxima, sums and others over dimensions."""
        view, o = self.view(record), record.options
        if view.scores is not None:
            view = self.forced(view)
        rank = len(view.dims)
        places = [i % rank for i in (o["dims"] or range(rank))]
        view = self.maps.settled(view)
        rest = prod(
            x.size
            for i, d in enumerate(view.dims)
            if i not in places
            for x in d.digits
            if x.axis == CHANNEL
        )
        result = self.maps.reduced(view, places, rest, o.get("how", "other"))
        if not o.get("keep"):
            dims = tuple(d for i, d in enumerate(result.dims) if i not in places)
            result = replace(result, dims=dims)
        return result

    @rule("mix")
    def _mix(self, record: Record) -> View:
        """Softmax, norms, sums over what came before: each value reads whole dimensions."""
        view, o = self.view(record), record.options
        if view.scores is not None:
            return self.softened(record, view)
        rank = len(view.dims)
        places = [i % rank for i in o["dims"]]
        view = self.maps.settled(view)
        read = [x for i in places for x in view.dims[i].digits]
        if any(view.dims[i].extra for i in places):
            return replace(
                view,
                node=self.maps.whole([view.node], self.size(view), view.channels, record.label),
            )
        if not any(x.is_position for x in read):
            op = o.get("op")
            if op is not None:
                return self.layer(view, op)
            return replace(view, node=self.maps.custom([view.node], view.channels, record.label))
        whole = o.get("whole_op")
        full = all(
            prod(x.size for x in read if x.axis == a) == n for a, n in enumerate(self.size(view))
        )
        if whole is not None and full:
            return replace(view, node=self.maps.add(whole, [view.node]))
        causal = bool(o.get("causal"))
        return self.maps.mixed(view, places, record.label, view.channels, causal=causal)


def _groups(
    before: Sequence[int], after: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield dimensions before a reshape and sizes after it that have one product.

    Examples
    --------
    >>> list(_groups((2, 3, 4), (6, 2, 2)))
    [((0, 1), (6,)), ((2,), (2, 2))]
    """
    i = j = 0
    while i < len(before) or j < len(after):
        first, start = i, j
        i, j = min(i + 1, len(before)), min(j + 1, len(after))
        while (have := prod(before[first:i])) != (wanted := prod(after[start:j])):
            if i < len(before) and (have < wanted or j == len(after)):
                i += 1
            elif j < len(after):
                j += 1
            else:
                break
        yield tuple(range(first, i)), tuple(after[start:j])


def renumbered_free(view: View) -> View:
    """Return a view in which digits that repeat are channels of their own."""
    dims = [
        replace(
            d, digits=tuple(Digit(CHANNEL, x.size, 1) if x.axis == FREE else x for x in d.digits)
        )
        for d in view.dims
    ]
    return replace(view, dims=in_order(dims))
