"""Attention that is known exactly: which of all that is done to its scores an operation can say.

Heads, the scale, one softmax, learned biases of offsets and the cuts of rolled windows are known;
whatever else happens to the scores leaves an attention of which only the geometry is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isclose, prod

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.importing.constants import Constants
from rfstudio.importing.layout import CHANNEL, Digit, Dim, Scores, View, joined
from rfstudio.importing.maps import Reads
from rfstudio.importing.records import Record

CUT = -50.0
"""A constant mask of at most this cuts a connection: exp(−50) is no influence."""

BIAS_TABLE = "relative_position_bias_table"
"""What the table of biases is called in the state of an attention."""

_HARMLESS = ("same", "mark", "reshape", "permute", "merge", "mix")
"""Kinds of records that leave scores as they are, or note what they do to them."""

_PRECISION = 1e-6
"""Share by which a scale may be off, as numbers of single precision are."""


class DotProducts(Constants):
    """Part of the tracker: what is done to scores, and the operation that says all of it.

    Attributes
    ----------
    tables
        Biases of offsets that a model holds for each pair of tokens, as tables, by name.
    """

    tables: dict[str, NDArray[np.float64]]

    def noted(self, record: Record, view: View) -> View:
        """Return what a record made; scores that it did something else to are no plain ones."""
        known = any(x.scores is not None for x in self.sources(record))
        if view.scores is None or not known or record.kind in _HARMLESS:
            return view
        return replace(view, scores=replace(view.scores, plain=False))

    def softened(self, record: Record, view: View) -> View:
        """Return scores after a softmax or a norm."""
        assert view.scores is not None
        places = [x % len(view.dims) for x in record.options["dims"]]
        over = [x for i in places for x in view.dims[i].digits]
        is_softmax = isinstance(record.options.get("op"), ops.Softmax) and "log" not in (
            record.label.lower()
        )
        plain = view.scores.plain and is_softmax and places == [len(view.dims) - 1]
        plain = plain and all(x.is_key for x in over) and not view.scores.softmax
        return replace(view, scores=replace(view.scores, plain=plain, softmax=True))

    def scaled(self, record: Record, view: View) -> View:
        """Return scores that are multiplied by a number, which is noted."""
        assert view.scores is not None
        found = self.constant_of(record)
        if found is None or found.shift:
            return view
        return replace(view, scores=replace(view.scores, factor=view.scores.factor * found.factor))

    def unscaled(self, view: View) -> tuple[View, float]:
        """Return a side of scores before the numbers that multiply it, and their product."""
        factor = 1.0
        while isinstance(op := self.maps.nodes[view.node].op, ops.Affine) and not op.shift:
            factor *= op.factor
            view = replace(view, node=self.maps.nodes[view.node].sources[0])
        return view, factor

    def biased(self, record: Record, view: View, name: str) -> tuple[View, NDArray[np.float64]]:
        """Return scores to which a constant is added, and what of it is no learned bias."""
        assert view.scores is not None
        value = self.program.value_of(name)
        rest = np.zeros(()) if value is None else np.asarray(value, np.float64)
        odd = replace(view, scores=replace(view.scores, plain=False))
        if value is None or not np.issubdtype(value.dtype, np.number):
            return odd, rest
        if record.parameters:
            found = self._table(record, view, name)
            if found is None or view.scores.bias or view.scores.softmax:
                return odd, rest
            table, window, rest = found
            view = replace(view, scores=replace(view.scores, bias=table, window=window))
            odd = replace(odd, scores=view.scores and replace(view.scores, plain=False))
        is_mask = bool(((rest == 0) | (rest <= CUT)).all())
        return (view if is_mask else odd), rest

    def _table(
        self, record: Record, view: View, name: str
    ) -> tuple[str, tuple[int, ...], NDArray[np.float64]] | None:
        """Return the table of offsets of which a constant is made, the window, and what is beside.

        What the constant does with a table is seen from one with a number of its own in each place.
        """
        if len(record.weights) != 1 or len(view.dims) < 3:
            return None
        query, heads = view.dims[-2], view.dims[-3].size
        digits = [x for x in query.digits if x.size > 1]
        if query.extra or [x.axis for x in digits] != sorted({x.axis for x in digits}):
            return None
        if any(x.stride != 1 or not x.is_position for x in digits):
            return None
        window = [1] * self.maps.axes
        for x in digits:
            window[x.axis] = x.size
        rows = prod(2 * w - 1 for w in window)
        table = np.arange(rows * heads, dtype=np.float64).reshape(rows, heads)
        found = self.program.value_with(name, {record.weights[0]: table})
        rows_of_pairs = offsets_in_window(window)
        wanted = table[rows_of_pairs].transpose(2, 0, 1)
        if found is not None and found.shape[-3:] == wanted.shape:
            return record.weights[0], tuple(window), np.asarray(found, np.float64) - wanted
        value = self.program.value_of(name)
        if value is None or value.size != wanted.size or value.shape[-3:] != wanted.shape:
            return None
        # Some files have no table but a bias for each pair, which is one if offsets alone count.
        value = np.asarray(value, np.float64).reshape(wanted.shape)
        table[rows_of_pairs.ravel()] = value.reshape(heads, -1).T
        if not np.array_equal(table[rows_of_pairs].transpose(2, 0, 1), value):
            return None
        self.tables[record.weights[0]] = table
        return record.weights[0], tuple(window), np.zeros(())

    # --- with values -----------------------------------------------------------------------------

    def dot_product(
        self,
        scores: View,
        values: View,
        texts: tuple[str, str, str],
        reads: Sequence[Reads],
        dims: tuple[Dim, ...],
    ) -> View | None:
        """Return an attention as the operation that says all of it; None: none does.

        Parameters
        ----------
        scores, values
            The two, which are of one map.
        texts
            Labels of the dimensions of the scores, the values and the result.
        reads
            What a position reads along each axis.
        dims
            Dimensions of the result.
        """
        sides = scores.scores
        assert sides is not None
        if not (sides.plain and sides.softmax and sides.heads) or sides.others:
            return None
        channels = sides.heads * sides.width
        if sides.masked or sides.causal:
            return None
        if channels != prod(x.size for d in dims for x in d.digits if x.axis == CHANNEL):
            return None
        if not self._in_heads(scores, values, texts, sides):
            return None
        op = self._operation(sides, values, reads)
        found = None if op is None else self._stacked(sides, values, channels)
        if op is None or found is None:
            return None
        node, stacked = found
        extra = {(d.extra, d.last) for d in (*values.dims, *dims) if d.extra}
        if extra and (op.window_size is not None or extra != {(self.maps.tokens.get(node, 0), 0)}):
            return None
        node = self.maps.add(replace(op, stacked=stacked), [node], None, channels)
        self.maps.nodes[node].weights = (sides.bias,) if sides.bias else ()
        if sides.bias in self.tables:
            self.maps.nodes[node].computed = {BIAS_TABLE: self.tables[sides.bias]}
        return View(node, dims, offsets=values.offsets)

    def _in_heads(
        self, scores: View, values: View, texts: tuple[str, str, str], sides: Scores
    ) -> bool:
        """Whether heads are parts of the channels that follow each other, everywhere in order."""
        of_scores, of_values, result = texts
        where = dict(zip(of_scores, scores.dims, strict=True))
        what = dict(zip(of_values, values.dims, strict=True))
        heads = [x for x in result if x in what and x in where and channels_of([where[x]])]
        inner = [x for x in result if x in what and x not in where]
        last = max((result.index(x) for x in heads), default=-1)
        if len(inner) != 1 or result.index(inner[0]) < last:
            return False
        whole = joined([Digit(CHANNEL, sides.heads * sides.width)])
        groups = joined([Digit(CHANNEL, sides.heads, sides.width)])
        return (
            joined(channels_of([what[x] for x in (*heads, *inner)])) == whole
            and joined(channels_of([where[x] for x in heads])) == groups
        )

    def _operation(
        self, sides: Scores, values: View, reads: Sequence[Reads]
    ) -> ops.DotProductAttention | None:
        size = self.size(values)
        kinds = [x if n > 1 else "whole" for (x, _), n in zip(reads, size, strict=True)]
        over_map = all(x == "whole" for x in kinds)
        if over_map and not sides.bias and not sides.cut:
            return ops.DotProductAttention(heads=sides.heads)
        if "grid" in kinds or sides.cut != any(values.offsets):
            return None
        if sides.cut and any(x not in ("block", "same") for x, _ in reads):
            return None
        windows = tuple(n if x == "whole" else k for (x, k), n in zip(reads, size, strict=True))
        if sides.bias and windows != sides.window:
            return None
        starts = values.offsets or (0,) * len(windows)
        return ops.DotProductAttention(
            heads=sides.heads,
            window_size=windows,
            shift_size=tuple(o % w for o, w in zip(starts, windows, strict=True)),
            relative_position_bias=bool(sides.bias),
        )

    def _stacked(self, sides: Scores, values: View, channels: int) -> tuple[int, bool] | None:
        """Return the map that holds queries, keys and values, and whether as thirds of it.

        Queries are multiplied by what the scale of the scores is, over the one of the operation.
        """
        query, views = sides.query, (sides.query, sides.key, values)
        roots = [self._root(x.node, x.start) for x in views]
        (node, _), *_ = roots
        thirds = [(node, i * channels) for i in range(3)]
        by = sides.factor * sides.width**0.5
        if not isclose(by, 1.0, rel_tol=_PRECISION):
            views = (self.layer(query, ops.Affine(factor=by)), sides.key, values)
        elif roots == thirds and self.maps.nodes[node].channels == 3 * channels:
            return node, True
        nodes = [self.maps.settled(x).node for x in views]
        if any(self.maps.nodes[x].channels != channels for x in nodes):
            return None
        if len(set(nodes)) == 1:
            return nodes[0], False
        return self.maps.add(ops.Concat(), nodes), True

    def _root(self, node: int, start: int) -> tuple[int, int]:
        """Return the map of which channels were taken, and where they start in it."""
        while isinstance(op := self.maps.nodes[node].op, ops.ChannelSlice) and op.step == 1:
            start += op.start
            (node,) = self.maps.nodes[node].sources
        return node, start


def heads_of(view: View, heads: Sequence[int], inner: int) -> tuple[int, int] | None:
    """Return the number of heads of a side of an attention, and their channels; None: no order."""
    outer = channels_of([view.dims[i] for i in heads])
    own = channels_of([view.dims[inner]])
    count, width = prod(x.size for x in outer), prod(x.size for x in own)
    if view.dims[inner].size != width or view.channels != count * width:
        return None
    whole = joined([Digit(CHANNEL, count * width)])
    return (count, width) if joined([*outer, *own]) == whole else None


def channels_of(dims: Sequence[Dim]) -> list[Digit]:
    """Return the digits of some dimensions that run through channels."""
    return [x for d in dims for x in d.digits if x.axis == CHANNEL]


def offsets_in_window(window: Sequence[int]) -> NDArray[np.int64]:
    """Return for each pair of tokens of a window the row of its offset in a table of biases."""
    places = np.indices(tuple(window)).reshape(len(window), -1)
    row = np.zeros((places.shape[1],) * 2, np.int64)
    for flat, w in zip(places, window, strict=True):
        row = row * (2 * w - 1) + (flat[:, None] - flat[None, :] + w - 1)
    return row
