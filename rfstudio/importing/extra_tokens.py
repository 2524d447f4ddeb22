"""Tokens without a position, and embeddings of positions, as layers.

A class token or an embedding that is one learned tensor as it is becomes a layer `tokens`; beside
the map whatever works position by position then has tokens, too, and so has attention.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from rfstudio.core import ops
from rfstudio.importing.layout import CHANNEL, Digit, Dim, View, joined
from rfstudio.importing.records import Record
from rfstudio.importing.rules import Rules


class ExtraTokens(Rules):
    """Part of the tracker: learned tokens and embeddings.

    Attributes
    ----------
    has_tokens
        Whether learned tokens become layers.
    """

    has_tokens: bool

    def with_tokens(self, record: Record, view: View, place: int) -> View:
        """Return a tensor with a layer for the learned tokens that a record puts before it."""
        constant, *others = (x for x in record.sources if x not in self.views)
        count = self.shapes[constant][place]
        known = (
            self.has_tokens
            and not others
            and len(record.sources) == 2
            and record.sources[0] == constant
        )
        rest = replace(view.dims[place], extra=0, last=0)
        line = replace(view, dims=tuple(rest if i == place else d for i, d in enumerate(view.dims)))
        if not known or view.dims[place].extra != count or not self._is_line(line, place):
            return view
        if record.parameters != count * view.channels or not self._is_as_it_is(record, constant):
            return view
        op = ops.Tokens(extra=count, position_embedding=False)
        node = self.maps.add(op, [view.node])
        self.maps.nodes[node].weights = record.weights
        return replace(view, node=node)

    def with_positions(self, record: Record, view: View) -> View | None:
        """Return a tensor to which a learned embedding was added; None: it is something else."""
        if len(record.weights) != 1 or record.options.get("how") != "add" or len(view.dims) != 3:
            return None
        dim = view.dims[1]
        line = replace(view, dims=(view.dims[0], replace(dim, extra=0, last=0), view.dims[2]))
        (constant,) = (x for x in record.sources if x not in self.views)
        shape = self.shapes[constant]
        as_wide = view.shape == record.shape and prod(shape) == prod(view.shape)
        if not as_wide or record.parameters != prod(shape) or not self._is_line(line, 1):
            return None
        if not self._is_as_it_is(record, constant):
            return None
        if not dim.extra:
            node = self.maps.add(ops.Tokens(), [view.node])
            return replace(view, node=node)
        # One layer has both; nothing may have read the tokens without their embedding.
        maps = self.maps
        last = maps.nodes[view.node]
        is_new = isinstance(last.op, ops.Tokens) and view.node == len(maps.nodes) - 1
        wanted = ops.Tokens(extra=dim.extra, position_embedding=False)
        if not is_new or last.op != wanted or dim.last or self.is_output(view.node):
            return None
        last.op = ops.Tokens(extra=dim.extra)
        last.weights = (*last.weights, *record.weights)
        return view

    def _is_line(self, view: View, place: int) -> bool:
        """Whether a tensor is all positions of its map in a row, each with all its channels."""
        node = self.maps.nodes[view.node]
        axes = joined([Digit(a, n) for a, n in enumerate(node.size)])
        wanted = [Dim(), Dim(joined([Digit(CHANNEL, node.channels)]))]
        wanted.insert(place, Dim(axes))
        return place == 1 and not any(view.offsets) and list(view.dims) == wanted

    def _is_as_it_is(self, record: Record, constant: str) -> bool:
        """Whether a constant has the values of the one learned tensor of a record, in its order."""
        numbers = np.arange(record.parameters, dtype=np.float64)
        found = self.program.value_with(constant, {record.weights[0]: numbers})
        return (
            found is not None
            and found.size == numbers.size
            and bool((found.reshape(-1) == numbers).all())
        )

    def token(self, view: View, at: int) -> int | None:
        """Return the map of one of the tokens beside that of a tensor; None: it is not known."""
        node = self.maps.nodes[view.node]
        count = self.maps.tokens.get(view.node, 0)
        extra = max(d.extra for d in view.dims)
        whole = joined([Digit(CHANNEL, node.channels)])
        channels = joined([x for d in view.dims for x in d.digits if x.axis == CHANNEL])
        last = any(d.last for d in view.dims)
        if not 0 <= at < count or extra != count or last or channels != whole or view.start:
            return None
        beside = self.maps.beside(view.node)
        if count == 1:
            return beside
        others = [np.zeros(1, np.int64)] * (self.maps.axes - 1)
        return self.maps.remapped(beside, [np.array([at]), *others])
