"""The layers of a network while it is imported, each checked against the shape it must have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf, prod

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.errors import OpError
from rfstudio.core.network.expansion import goes_by_position
from rfstudio.core.ops import Op
from rfstudio.core.ops.geometry import axis_rules
from rfstudio.importing.layout import CHANNEL, Digit, View, numbered, with_channels
from rfstudio.importing.records import Bounds, Record, Scope
from rfstudio.importing.report import Remark, Sort

Sizes = tuple[int, ...]


@dataclass(slots=True)
class MapNode:
    """One layer of the network to be.

    Attributes
    ----------
    op
        What it does; None for the input, and for the tokens beside the map that it reads.
    sources
        The maps that it reads.
    size, channels
        Of its map.
    scope
        The modules that it is in.
    weights
        Names of its learned tensors in a state dict.
    label
        The front end's word for what it does.
    computed
        Weights that are no tensors of the state dict, by what the layer calls them.
    bounds
        Between which numbers the values are that an operation without an op of its own makes.
    """

    op: Op | None
    sources: tuple[int, ...]
    size: Sizes
    channels: int
    scope: Scope = ()
    weights: tuple[str, ...] = ()
    label: str = ""
    computed: dict[str, NDArray[np.generic]] = field(default_factory=dict)
    bounds: Bounds = (-inf, inf)


class Layers:
    """All maps so far; `record` is what is being imported, for places and labels.

    Attributes
    ----------
    tokens
        For each map that has tokens without a position beside it their number.
    """

    def __init__(self, size: Sizes, channels: int) -> None:
        self.nodes = [MapNode(None, (), size, channels)]
        self.tokens: dict[int, int] = {}
        self.remarks: list[Remark] = []
        self.record = Record("input", "", ())
        self._splits: dict[tuple[int, int, int], int] = {}
        self._cut_in: dict[tuple[int, int, int], Scope] = {}
        self._ordered_in: dict[int, Scope] = {}

    @property
    def axes(self) -> int:
        """Number of spatial axes."""
        return len(self.nodes[0].size)

    def remark(self, sort: Sort, message: str) -> None:
        """Note something for the report, at the place of the current record."""
        remark = Remark(sort, ".".join(self.record.scope), message)
        if remark not in self.remarks[-20:]:
            self.remarks.append(remark)

    def forget(self, count: int) -> None:
        """Take back all maps but the first so many."""
        del self.nodes[count:]
        self.tokens = {k: x for k, x in self.tokens.items() if k < count}
        self._splits = {k: x for k, x in self._splits.items() if x < count}

    # --- one layer -------------------------------------------------------------------------------

    def add(
        self,
        op: Op,
        sources: Sequence[int],
        size: Sizes | None = None,
        channels: int | None = None,
    ) -> int:
        """Add a layer and return its map; where it does not have the size, one that is global.

        Parameters
        ----------
        op
            What it does.
        sources
            The maps that it reads.
        size, channels
            What the map must have; None: whatever comes out.
        """
        nodes = self.nodes
        first = nodes[sources[0]]
        try:
            found = tuple(x.n_out for x in axis_rules(op, first.size))
            given = tuple(nodes[x].channels for x in sources)
            deep = op.output_channels(given, first.size)
        except OpError:
            found, deep = (), 0
        if not found or (size is not None and size != found) or 0 in found:
            return self.unknown(
                sources, size or first.size, channels or first.channels, self.record.label
            )
        if channels is not None and deep != channels:
            return self.unknown(sources, found, channels, self.record.label)
        return self._append(op, tuple(sources), found, deep)

    def _append(self, op: Op, sources: tuple[int, ...], size: Sizes, channels: int) -> int:
        record = self.record
        self.nodes.append(
            MapNode(op, sources, size, channels, record.scope, record.weights, record.label)
        )
        node = len(self.nodes) - 1
        tokens = self._tokens_after(op, sources)
        if tokens:
            self.tokens[node] = tokens
        return node

    def _tokens_after(self, op: Op, sources: tuple[int, ...]) -> int:
        """Return how many tokens without a position are beside a map, as the graph will have it."""
        if isinstance(op, ops.Tokens):
            return op.extra
        among = isinstance(op, ops.DotProductAttention) and op.window_size is None
        if not (among or goes_by_position(op)):
            return 0
        shapes = {(self.nodes[x].size, self.nodes[x].channels) for x in sources}
        if len(shapes) > 1 and not isinstance(op, ops.Concat):
            return 0  # what is spread to a shape leaves its tokens behind
        return min(self.tokens.get(x, 0) for x in sources)

    def beside(self, node: int) -> int:
        """Return the map of the tokens beside a map."""
        key = (node, -1, -1)
        found = self._splits.get(key)
        if found is None:
            size = (self.tokens[node], *(1,) * (self.axes - 1))
            self.nodes.append(MapNode(None, (node,), size, self.nodes[node].channels))
            found = self._splits[key] = len(self.nodes) - 1
        return found

    def custom(
        self, sources: Sequence[int], channels: int, label: str = "", **geometry: ops.Padding
    ) -> int:
        """Add a layer that reads a window (one sample by default) and has no op of its own."""
        op = ops.Custom(
            label=label or self.record.label,
            out_channels=channels,
            parameters=self.record.parameters,
            **geometry,  # type: ignore[arg-type]  # sizes are given for sizes
        )
        return self.add(op, [self.one(sources)])

    def one(self, sources: Sequence[int]) -> int:
        """Return one map that holds all sources, which have one size."""
        distinct = list(dict.fromkeys(sources))
        return distinct[0] if len(distinct) == 1 else self.add(ops.Concat(), distinct)

    def unknown(self, sources: Sequence[int], size: Sizes, channels: int, label: str) -> int:
        """Add a layer of an operation that is not known: it is assumed to read everything."""
        self.remark("global", f"'{label}' is not known; it is assumed to read all of its input")
        return self.whole(sources, size, channels, label)

    def whole(self, sources: Sequence[int], size: Sizes, channels: int, label: str) -> int:
        """Add a layer each of whose units reads all of each source."""
        same = {self.nodes[x].size for x in sources}
        if len(same) > 1:
            sources = [self.whole([x], size, self.nodes[x].channels, label) for x in sources]
        source = self.one(sources)
        have = self.nodes[source].size
        fits = all(m <= n for m, n in zip(size, have, strict=True))
        kernel = tuple(n - m + 1 if fits else n for m, n in zip(size, have, strict=True))
        op = ops.Custom(
            label=label,
            whole=True,
            kernel_size=kernel,
            out_channels=channels,
            parameters=self.record.parameters,
        )
        node = self._append(op, (source,), size if fits else (1,) * len(size), channels)
        if not fits:
            node = self._append(ops.Upsample(size=size), (node,), size, channels)
        return node

    # --- channels --------------------------------------------------------------------------------

    def settled(self, view: View) -> View:
        """Return a view whose map has its channels and no others."""
        node = self.nodes[view.node]
        if view.channels == node.channels and view.start == 0:
            return view
        key = (view.node, view.start, view.channels)
        split = self._splits.get(key)
        if split is None:
            part = ops.ChannelSlice(start=view.start, stop=view.start + view.channels)
            split = self.add(part, [view.node], channels=view.channels)
            made_in = self._cut_in.get(key)
            if made_in == self.record.scope[: len(made_in or ())]:
                self.nodes[split].scope = made_in or ()
            self._splits[key] = split
        return replace(view, node=split, start=0, dims=with_channels(view.dims))

    def in_order(self, view: View) -> View:
        """Return a view whose channels come in the order of its map, which may be a shuffled one.

        A shuffle by `view` and `transpose` is bookkeeping until something depends on the order:
        weights for each channel, or a slice of them.  Other orders stay as they are.
        """
        digits = [x for dim in view.dims for x in dim.digits if x.axis == CHANNEL]
        if view.start or view.channels != self.nodes[view.node].channels:
            return view
        groups = groups_of_shuffle(digits)
        if groups is None:
            return view
        key = (view.node, -1, groups)
        node = self._splits.get(key)
        if node is None:
            node = self.add(ops.ChannelShuffle(groups=groups), [view.node])
            self.nodes[node].scope = self._scope_of_order(view.node)
            self._splits[key] = node
        return replace(view, node=node, dims=numbered(view.dims, CHANNEL))

    def note_order(self, view: View) -> None:
        """Note that the order of channels may change in the current module."""
        self._ordered_in[view.node] = self.record.scope

    def _scope_of_order(self, node: int) -> Scope:
        """Return the module that a shuffle belongs to; another one may have been entered since."""
        made_in, here = self._ordered_in.get(node, self.record.scope), self.record.scope
        before = self.nodes[-2].scope
        depth = len(made_in)
        while made_in[:depth] not in (here[:depth], before[:depth]):
            depth -= 1
        return made_in[:depth]

    def note_cut(self, view: View) -> View:
        """Return a view of some channels, noting that it was made in the current module.

        Their slice becomes a layer only when it is read, which may be further inside.
        """
        self._cut_in.setdefault((view.node, view.start, view.channels), self.record.scope)
        return view

    def with_depth(self, node: int, channels: int, label: str) -> int:
        """Return a map of that many channels, by repeating or merging those of `node`."""
        if self.nodes[node].channels == channels:
            return node
        return self.custom([node], channels, label)


def groups_of_shuffle(digits: Sequence[Digit]) -> int | None:
    """Return the groups of the channel shuffle by which digits come into order, if there is one.

    A shuffle with g groups brings what runs through the groups from the outside to the inside.
    """
    ordered = sorted(digits, key=lambda x: -x.stride)
    for i in range(1, len(digits)):
        if ordered[i:] + ordered[:i] == list(digits):
            return prod(x.size for x in ordered[:i])
    return None
