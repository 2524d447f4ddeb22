"""Rules of attention.

It is a product of two sides (the scores), a softmax, and a product with values.  The scores
make no layer of their own: with the values, all of it becomes one layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isqrt, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.importing.dot_products import CUT, DotProducts, heads_of
from rfstudio.importing.layout import (
    CHANNEL,
    FREE,
    KEY,
    Digit,
    Dim,
    Scores,
    View,
    in_order,
    positions,
)
from rfstudio.importing.maps import Reads, reads_of
from rfstudio.importing.meeting import meet
from rfstudio.importing.records import Record
from rfstudio.importing.rules import rule


class Labels(NamedTuple):
    """Labels of the dimensions of a product of two tensors."""

    left: str
    right: str
    result: str


class Attending(DotProducts):
    """Part of the tracker: attention, from scores to values."""

    def _are_scores(self, left: View, right: View, labels: Labels, gone: Sequence[str]) -> bool:
        both = set(labels.left) & set(labels.right)
        inner = [left.dims[labels.left.index(x)] for x in gone]
        inner += [right.dims[labels.right.index(x)] for x in gone]
        if any(x.is_position for d in inner for x in d.digits):
            return False
        return self._has_positions(left, labels.left, both) and self._has_positions(
            right, labels.right, both
        )

    def _scores(self, left: View, right: View, labels: Labels) -> View:
        if left.offsets != right.offsets:
            left, right = self.maps.unrolled(left), self.maps.unrolled(right)
        first = dict(zip(labels.left, left.dims, strict=True))
        second = dict(zip(labels.right, right.dims, strict=True))
        dims = []
        for x in labels.result:
            if x in first:
                known = any(y.is_position for y in first[x].digits) or x not in second
                dims.append(first[x] if known or _is_channels(first[x]) else second[x])
            else:
                keys = tuple(
                    y._replace(axis=KEY - y.axis) if y.is_position else y for y in second[x].digits
                )
                dims.append(replace(second[x], digits=keys))
        both = [x for x in labels.result if x in first and x in second]
        heads = [x for x in both if any(y.axis == CHANNEL for y in first[x].digits)]
        inner = [x for x in labels.left if x in second and x not in labels.result]
        (left, by), (right, also) = self.unscaled(left), self.unscaled(right)
        scores = Scores(left, right, factor=by * also)
        if len(inner) == 1:
            found = {
                heads_of(view, [text.index(x) for x in heads], text.index(inner[0]))
                for view, text in ((left, labels.left), (right, labels.right))
            }
            if len(found) == 1 and (same := found.pop()) is not None:
                scores = replace(scores, heads=same[0], width=same[1])
        return replace(left, dims=tuple(dims), scores=scores)

    def _with_values(self, left: View, right: View, labels: Labels) -> View:
        """Finish an attention."""
        if left.scores is not None and right.scores is not None:
            raise ValueError("scores times scores")
        swapped = left.scores is None
        scores, values = (right, left) if swapped else (left, right)
        score_text, value_text = (
            (labels.right, labels.left) if swapped else (labels.left, labels.right)
        )
        gone = [x for x in score_text if x in value_text and x not in labels.result]
        met = [y for x in gone for y in scores.dims[score_text.index(x)].digits]
        assert scores.scores is not None
        sides = scores.scores
        if met and all(x.is_position for x in met):
            scores = _turned(scores)
            sides = replace(sides, query=sides.key, key=sides.query, causal=False)
        elif any(not x.is_key for x in met):
            raise ValueError("scores are summed over something other than keys")
        over = [value_text.index(x) for x in gone]
        result = self._attended(scores, sides, values, score_text, value_text, labels.result, over)
        return self._with_others(result, sides, values)

    def _with_others(self, view: View, sides: Scores, values: View) -> View:
        """Return an attention that also reads all of what was added to its scores.

        What was made of its own sides, such as of relative positions, is read with them.
        """
        nodes = self.maps.nodes
        known = {values.node, sides.query.node, sides.key.node}
        for node in known:
            while isinstance(nodes[node].op, ops.ChannelSlice):
                (node,) = nodes[node].sources
                known.add(node)
        size = self.size(sides.query)
        foreign = [
            x for x in sides.others if nodes[x].size != size or not self._comes_from(x, known)
        ]
        if not foreign:
            return view
        view = self.maps.settled(view)
        one = (1,) * self.maps.axes
        read = [self.maps.whole([x], one, view.channels, "added to scores") for x in foreign]
        return replace(view, node=self.maps.add(ops.Multiply(), [view.node, *read]))

    def _comes_from(self, node: int, known: set[int]) -> bool:
        """Whether all that a map was made of goes through some maps."""
        waiting, seen = [node], set(known)
        while waiting:
            here = waiting.pop()
            if here == 0:
                return False
            if here not in seen:
                seen.add(here)
                waiting += self.maps.nodes[here].sources
        return True

    def _attended(
        self,
        scores: View,
        sides: Scores,
        values: View,
        score_text: str,
        value_text: str,
        result: str,
        over: Sequence[int],
    ) -> View:
        where = dict(zip(score_text, scores.dims, strict=True))
        what = dict(zip(value_text, values.dims, strict=True))
        dims = []
        for x in result:
            of_values = what.get(x)
            if x not in where or (of_values is not None and _is_channels(of_values)):
                assert of_values is not None
                dims.append(of_values)
            else:
                dims.append(where[x])
        wide = in_order(
            [
                replace(
                    d,
                    digits=tuple(
                        y._replace(axis=CHANNEL) if y.axis == FREE else y for y in d.digits
                    ),
                )
                for d in dims
            ]
        )
        channels = prod(x.size for d in wide for x in d.digits if x.axis == CHANNEL)
        read = [x for i in over for x in values.dims[i].digits if x.is_position]
        own = [
            x
            for label, d in where.items()
            if label not in value_text
            for x in d.digits
            if x.is_position
        ]
        query, key = sides.query, sides.key
        sizes = {self.size(x) for x in (query, key, values)}
        same_place = sorted(own) == sorted(read) and len(sizes) == 1
        offsets = {x.offsets for x in (query, key, values)}
        if same_place and len(offsets) == 1:
            size = self.size(values)
            reads = [reads_of([x for x in read if x.axis == a], n) for a, n in enumerate(size)]
            texts = (score_text, value_text, result)
            exact = self.dot_product(replace(scores, scores=sides), values, texts, reads, wide)
            if exact is not None:
                return exact
            node = self.maps.one([query.node, key.node, values.node])
            order = own if sides.causal else []
            return self._mixing(node, reads, wide, channels, values.offsets, sides, order)
        return self._crossed(query, values, key, over, wide, channels, value_text, result)

    def _mixing(
        self,
        node: int,
        reads: Sequence[Reads],
        dims: tuple[Dim, ...],
        channels: int,
        offsets: tuple[int, ...],
        sides: Scores,
        order: Sequence[Digit] = (),
    ) -> View:
        if sides.masked:
            self.maps.remark("merged", "a mask of the attention is ignored")
        if any(offsets):
            blocks = all(x in ("block", "same") for x, _ in reads)
            if sides.cut and blocks:
                node = self.maps.mixing(node, reads, "attention", channels, shift=offsets)
                return View(node, dims, offsets=offsets)
            if any(x not in ("whole", "same") for x, _ in reads):
                size = self.maps.nodes[node].size
                maps = [(positions(n) + x) % n for n, x in zip(size, offsets, strict=True)]
                node, offsets = self.maps.remapped(node, maps), ()
        elif order:
            node = self.maps.mixing(node, reads, "attention", channels, order=order)
            return View(node, dims)
        node = self.maps.mixing(node, reads, "attention", channels)
        return View(node, dims, offsets=offsets)

    def _crossed(
        self,
        query: View,
        values: View,
        key: View,
        over: Sequence[int],
        dims: tuple[Dim, ...],
        channels: int,
        value_text: str,
        result: str,
    ) -> View:
        """Let a query read the positions of another map, or other positions of the same."""
        query = self.maps.unrolled(self.maps.settled(query))
        if self.size(key) == self.size(values) and key.offsets == values.offsets:
            node = self.maps.one([key.node, values.node])
        else:
            node = self.maps.settled(values).node
        both = replace(values, node=node, start=0)
        both = self.maps.unrolled(_positions_only(both))
        read = self.maps.reduced(both, over, self.maps.nodes[node].channels, "other", settle=False)
        place = {x: i for i, x in enumerate(value_text)}
        left, right = [], []
        for x, d in zip(result, dims, strict=True):
            # Blocks may be those of the key alone: one query for all of them.
            positions = tuple(y for y in d.digits if y.is_position and y in query.digits)
            left.append(replace(d, digits=positions))
            theirs = read.dims[place[x]] if x in place else Dim()
            right.append(Dim(tuple(y for y in theirs.digits if y.is_position)))
        met = meet(
            self.maps,
            [replace(query, dims=tuple(left)), replace(read, dims=tuple(right))],
            channels=False,
        )
        if met is None:
            raise ValueError("query and key of an attention run through different blocks")
        node = self.maps.custom(met.nodes, channels, "attention")
        merged = [
            theirs if theirs.digits or theirs.extra else d
            for d, theirs in zip(dims, met.view.dims, strict=True)
        ]
        return View(node, tuple(merged), offsets=met.view.offsets)

    @rule("attention")
    def _attention(self, record: Record) -> View:
        """Scaled dot-product attention: query, key, value; options: mask."""
        views = [self.views.get(x) for x in record.sources[:3]]
        ranks = [len(self.shapes[x]) for x in record.sources[:3]]
        batch = "abcdefgh"[: max(ranks) - 2]
        texts = [
            batch[len(batch) - (r - 2) :] + end
            for r, end in zip(ranks, ("ik", "jk", "jd"), strict=True)
        ]
        query, key, values = views
        if query is None and key is not None and values is not None:
            return self._by_learned_queries(record, key, values)
        if query is None or key is None or values is None:
            raise ValueError("a side of the attention is a constant")
        labels = Labels(texts[0], texts[1], batch + "ij")
        if not self._are_scores(query, key, labels, ["k"]):
            return self._plain_attention(values, texts)
        scores = self._scores(query, key, labels)
        assert scores.scores is not None
        scale = record.options.get("scale")
        by = self.shapes[record.sources[0]][-1] ** -0.5 if scale is None else float(scale)
        known = replace(scores.scores, factor=scores.scores.factor * by)
        scores = replace(scores, scores=known)
        if mask := record.options.get("mask"):
            if mask in self.views:
                scores = replace(scores, scores=replace(known, plain=False))
            scores = self._with_constant_added(record, scores, mask)
        if scores.scores is not None:
            scores = replace(scores, scores=replace(scores.scores, softmax=True))
        if record.options.get("causal") and scores.scores is not None:
            scores = replace(scores, scores=replace(scores.scores, causal=True))
        return self._with_values(scores, values, Labels(batch + "ij", texts[2], batch + "id"))

    def _by_learned_queries(self, record: Record, key: View, values: View) -> View:
        """Attention by queries that do not depend on the image, such as those of a detector.

        Each of them reads all positions.  They have no places: a square of them is as good as a
        line, and reads as a map.
        """
        key, values = self.maps.settled(key), self.maps.settled(values)
        rest = [*values.dims[:-2], *values.dims[-1:]]
        count = record.shape[-2]
        if any(x.axis != CHANNEL for d in rest for x in d.digits) or any(d.extra for d in rest):
            if key.dims != values.dims or self.size(key) != self.size(values):
                raise ValueError("queries that are learned for parts of different maps")
            # For each window: what the queries of one read are its channels.
            node = self.maps.custom([key.node, values.node], values.channels, "attention")
            return self.maps.used_up(replace(values, node=node), [len(values.dims) - 2], count)
        side = isqrt(count)
        is_square = self.maps.axes == 2 and side**2 == count
        size = (side, side) if is_square else (count, *[1] * (self.maps.axes - 1))
        dims = [*values.dims[:-2], Dim(), *values.dims[-1:]]
        dims[-2] = Dim(tuple(Digit(axis, n) for axis, n in enumerate(size) if n > 1))
        channels = prod(x.size for d in rest for x in d.digits)
        node = self.maps.whole([key.node, values.node], size, channels, "attention")
        return View(node, in_order(dims))

    def _plain_attention(self, values: View, texts: Sequence[str]) -> View:
        """Attention over something other than positions, or with one query for all."""
        where = dict(zip(texts[2], values.dims, strict=True))
        if any(y.is_position for y in where["j"].digits) or where["j"].extra:
            values = self.maps.settled(values)
            place = texts[2].index("j")
            remaining = [x for i, d in enumerate(values.dims) if i != place for x in d.digits]
            rest = prod(x.size for x in remaining if x.axis == CHANNEL)
            return self.maps.reduced(values, [place], rest, "other")
        raise ValueError("an attention over channels")

    # --- scores on their way -----------------------------------------------------------------

    def merged_scores(self, record: Record, views: Sequence[View]) -> View:
        """Scores plus or times something: a constant, a mask, a map of relative positions."""
        waiting = [x for x in views if x.scores is not None]
        scores = waiting[0]
        assert scores.scores is not None
        found = [x.node for x in views if x.scores is None]
        for other in waiting[1:]:
            assert other.scores is not None
            found += [other.scores.query.node, other.scores.key.node]
        others = tuple(dict.fromkeys([*scores.scores.others, *found]))
        scores = replace(scores, scores=replace(scores.scores, others=others))
        if len(waiting) > 1:
            return scores
        if scores.shape != record.shape:
            raise ValueError("scores are broadcast")
        assert scores.scores is not None
        constants = [x for x in record.sources if x not in self.views]
        how, label = record.options.get("how"), record.label.lower()
        after = scores.scores.softmax or label not in ("add", "mul", "div")
        if not found and not after and how == "multiply":
            multiplied = self.scaled(record, scores)
            if multiplied is not scores:
                return multiplied
        if found or after or how != "add":
            scores = replace(scores, scores=replace(scores.scores, plain=False))
        for name in constants:
            if label == "add":
                scores = self._with_constant_added(record, scores, name)
            else:
                scores = self._masked(scores, name, inverse=label == "masked_fill")
        return scores

    def _with_constant_added(self, record: Record, view: View, name: str) -> View:
        """Return scores with a constant added, of which biases and cuts are known."""
        value = self.program.value_of(name)
        if value is not None and value.dtype == bool:
            return self._masked(view, name)
        view, rest = self.biased(record, view, name)
        return self._masked(view, name, rest)

    def _masked(
        self,
        view: View,
        name: str,
        value: NDArray[np.generic] | None = None,
        *,
        inverse: bool = False,
    ) -> View:
        """Note whether a constant cuts connections of an attention, as masks do.

        An inverse mask is true where a connection is cut.  Its value may be given.
        """
        value = self.program.value_of(name) if value is None else value
        if value is None or view.scores is None or value.ndim == 0:
            return view
        if value.dtype == bool:
            allowed = ~np.asarray(value) if inverse else np.asarray(value)
        else:
            allowed = np.asarray(value) > CUT
        if allowed.all() or not np.issubdtype(allowed.dtype, np.bool_):
            return view
        if _is_causal(view, allowed):
            return replace(view, scores=replace(view.scores, causal=True))
        cut = self._is_cut_of_rolled(view, allowed)
        scores = replace(view.scores, cut=cut, masked=not cut)
        return replace(view, scores=scores)

    def _is_cut_of_rolled(self, view: View, allowed: NDArray[np.bool_]) -> bool:
        """Whether a mask separates exactly what rolling has brought together."""
        if not any(view.offsets):
            return False
        size = self.size(view)
        shape = view.shape
        allowed = allowed.reshape((1,) * (len(shape) - allowed.ndim) + allowed.shape)
        wanted = np.ones((1,) * len(shape), bool)
        for axis, (n, offset) in enumerate(zip(size, view.offsets, strict=True)):
            sides = []
            for kind in (axis, KEY - axis):
                where: NDArray[np.int64] = np.zeros((1,) * len(shape), np.int64)
                for i, d in enumerate(view.dims):
                    inner = d.size
                    for x in d.digits:
                        inner //= x.size
                        # Digits of the windows are shared by both sides.
                        shared = x.axis == axis and not self._is_query(view, i)
                        if x.axis == kind or (kind != axis and shared):
                            values = positions(d.size) // inner % x.size * x.stride
                            where = where + values.reshape(
                                [-1 if j == i else 1 for j in range(len(shape))]
                            )
                sides.append(where + offset >= n)
            wanted = wanted & (sides[0] == sides[1])
        try:
            return bool(
                (
                    np.broadcast_to(allowed, np.broadcast_shapes(allowed.shape, wanted.shape))
                    == wanted
                ).all()
            )
        except ValueError:
            return False

    def _is_query(self, view: View, place: int) -> bool:
        """Whether a dimension of scores is that of the query alone."""
        keys = [i for i, d in enumerate(view.dims) if any(x.is_key for x in d.digits)]
        inner = {
            (KEY - x.axis, x.size, x.stride) for i in keys for x in view.dims[i].digits if x.is_key
        }
        mine = {(x.axis, x.size, x.stride) for x in view.dims[place].digits if x.is_position}
        return bool(mine & inner)

    def forced(self, view: View) -> View:
        """Return scores as a map of their own, since they are read as such."""
        assert view.scores is not None
        sides = view.scores
        query, key = self.maps.settled(sides.query), self.maps.settled(sides.key)
        dims = in_order(
            [
                replace(
                    d,
                    digits=tuple(
                        x._replace(axis=CHANNEL) if not x.is_position else x for x in d.digits
                    ),
                )
                for d in view.dims
            ]
        )
        channels = prod(x.size for d in dims for x in d.digits if x.axis == CHANNEL)
        self.maps.remark("global", "scores of an attention are read as a map")
        node = self.maps.whole([query.node, key.node], self.size(query), channels, "scores")
        return View(node, dims)

    def _has_positions(self, view: View, text: str, both: set[str]) -> bool:
        return any(
            x.is_position
            for label, d in zip(text, view.dims, strict=True)
            if label not in both
            for x in d.digits
        )


def _is_causal(view: View, allowed: NDArray[np.bool_]) -> bool:
    """Whether a mask lets each position read those that are not after it, and all of these."""
    count = view.dims[-1].size
    if view.shape[-2:] != (count, count) or allowed.shape[-2:] != (count, count):
        return False
    return bool((allowed == np.tri(count, dtype=bool)).all())


def _is_channels(dim: Dim) -> bool:
    return bool(dim.digits) and all(x.axis == CHANNEL for x in dim.digits)


def _positions_only(view: View) -> View:
    """Return a view without its channel digits."""
    dims = [replace(d, digits=tuple(x for x in d.digits if x.axis != CHANNEL)) for d in view.dims]
    return replace(view, dims=tuple(dims))


def _turned(view: View) -> View:
    """Return scores with positions and keys exchanged."""
    keys = {(KEY - x.axis, x.size, x.stride) for x in view.digits if x.is_key}

    def turn(x: Digit) -> Digit:
        # Digits of windows are shared by both sides and stay.
        mine = x.is_position and (x.axis, x.size, x.stride) in keys
        return x._replace(axis=KEY - x.axis) if mine or x.is_key else x

    dims = [replace(d, digits=tuple(turn(x) for x in d.digits)) for d in view.dims]
    return replace(view, dims=tuple(dims))
