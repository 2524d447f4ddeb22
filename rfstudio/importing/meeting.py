"""Tensors that meet: their dimensions are matched as broadcasting does, and their maps resized.

Two tensors of one shape may run through maps of different sizes: a pooled vector is the same at
all positions, a query of one window at all windows, channels of a mixer are positions again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from typing import NamedTuple

import numpy as np

from rfstudio.importing.layout import (
    CHANNEL,
    FREE,
    Digit,
    Dim,
    Dims,
    View,
    joined,
    numbered,
    refined,
)
from rfstudio.importing.maps import Maps
from rfstudio.importing.positions import indices_of


class Met(NamedTuple):
    """Tensors that have met.

    Attributes
    ----------
    nodes
        One map for each, all of one size.
    view
        The result's dimensions, on the first map.
    """

    nodes: tuple[int, ...]
    view: View


def meet(maps: Maps, views: Sequence[View], *, channels: bool = True) -> Met | None:
    """Bring tensors to maps of one size, as broadcasting needs it; None if nothing fits.

    Parameters
    ----------
    maps
        The maps, to which layers that resize are added.
    views
        The tensors, all of one rank or broadcast from the right.
    channels
        Whether channels are broadcast, too; otherwise maps have their own.
    """
    if channels:
        views = [maps.settled(x) for x in views]
        if len({x.dims for x in views}) > 1:
            views = [maps.in_order(x) for x in views]
    if len({x.offsets if any(x.offsets) else () for x in views}) > 1:
        views = [maps.unrolled(x) for x in views]
    rank = max(len(x.dims) for x in views)
    padded = [replace(x, dims=(*[Dim()] * (rank - len(x.dims)), *x.dims)) for x in views]
    sizes = [maps.nodes[x.node].size for x in views]
    depths = {maps.nodes[x.node].channels for x in views} if channels else {1}
    if _plain(padded, sizes) and len(depths) == 1:
        return Met(tuple(x.node for x in padded), padded[0])
    out = _united(padded, sizes)
    if out is None:
        return None
    if not channels:
        return _resized(maps, padded, out, None)
    return _resized(
        maps, padded, out, prod(x.size for d in out for x in d.digits if x.axis == CHANNEL)
    )


def _plain(views: Sequence[View], sizes: Sequence[tuple[int, ...]]) -> bool:
    return all(x.dims == views[0].dims for x in views) and len(set(sizes)) == 1


def _united(views: Sequence[View], sizes: Sequence[tuple[int, ...]]) -> Dims | None:
    """Return what the result's dimensions run through, in coordinates of the largest maps."""
    axes = len(sizes[0])
    # The view with most positions along an axis numbers them.
    leaders = []
    for axis in range(axes):
        spans = [prod(y.size for y in x.of_axis(axis)) for x in views]
        leaders.append(max(range(len(views)), key=lambda i: spans[i]))
    dims: list[Dim] = []
    owners: list[list[int]] = []
    for place in range(len(views[0].dims)):
        found: tuple[tuple[Digit, int], ...] = ()
        for which, view in enumerate(views):
            digits = view.dims[place].digits
            if not digits:
                continue
            theirs = tuple((x, which) for x in digits)
            if not found:
                found = theirs
                continue
            merged = _better(found, theirs, leaders)
            if merged is None:
                return None
            found = merged
        extra, last = max((x.dims[place].extra, x.dims[place].last) for x in views)
        owners.append([which for _, which in found])
        dims.append(Dim(tuple(x for x, _ in found), extra, last))
    for axis in range(axes):
        mine = [
            which
            for d, whose in zip(dims, owners, strict=True)
            for x, which in zip(d.digits, whose, strict=True)
            if x.axis == axis
        ]
        if any(x != leaders[axis] for x in mine):
            # Parts come from several maps: windows from one, positions inside them from another.
            dims = list(numbered(dims, axis))
    dims = [replace(d, digits=joined(d.digits)) for d in dims]
    for axis in range(axes):
        have = prod(y.size for d in dims for y in d.digits if y.axis == axis)
        if have < max(prod(y.size for y in x.of_axis(axis)) for x in views):
            return None
    return _renumbered(dims)


def _better(
    found: tuple[tuple[Digit, int], ...],
    mine: tuple[tuple[Digit, int], ...],
    leaders: Sequence[int],
) -> tuple[tuple[Digit, int], ...] | None:
    pairs = refined([x for x, _ in found], [x for x, _ in mine])
    if pairs is None:
        return None
    # Splitting preserves the axis and the order, so that each part's view is that of its whole.
    owners, others = _owners(found), _owners(mine)
    result = []
    done_a = done_b = 1
    for a, b in pairs:
        assert a is not None
        assert b is not None
        first, second = (a, owners(done_a)), (b, others(done_b))
        done_a *= a.size
        done_b *= b.size
        result.append(max(first, second, key=lambda x: _worth(x, leaders)))
    return tuple(result)


def _owners(parts: tuple[tuple[Digit, int], ...]) -> Callable[[int], int]:
    """Return which view the digit has that comes after so many steps."""

    def at(done: int) -> int:
        covered = 1
        for digit, which in parts:
            covered *= digit.size
            if done < covered:
                return which
        return parts[-1][1]

    return at


def _worth(part: tuple[Digit, int], leaders: Sequence[int]) -> int:
    digit, which = part
    if digit.is_position:
        return 3 if leaders[digit.axis] == which else 2
    if digit.is_key:
        return 4
    return 1 if digit.axis == CHANNEL else 0


def _renumbered(dims: Sequence[Dim]) -> Dims:
    """Return dimensions whose channels are numbered in order, where strides are of two maps."""
    strides = sorted((x.stride, x.size) for d in dims for x in d.digits if x.axis == CHANNEL)
    expected = 1
    for stride, size in strides:
        if stride != expected:
            break
        expected *= size
    else:
        return tuple(dims)
    return numbered(dims, CHANNEL)


def _resized(maps: Maps, views: Sequence[View], out: Dims, channels: int | None) -> Met | None:
    size = tuple(
        prod(x.size for d in out for x in d.digits if x.axis == axis) for axis in range(maps.axes)
    )
    nodes = []
    for view in views:
        node = fitted(maps, view, out, size)
        if node is None:
            return None
        if channels is not None:
            node = maps.with_depth(node, channels, "expand")
        nodes.append(node)
    offsets = next((x.offsets for x in views if any(x.offsets)), ())
    return Met(tuple(nodes), View(nodes[0], out, offsets=offsets))


def fitted(maps: Maps, view: View, out: Dims, size: tuple[int, ...]) -> int | None:
    """Return the map of a tensor, resized to other dimensions that it is broadcast to."""
    have = maps.nodes[view.node].size
    parts: list[list[tuple[Digit, int]]] = [[] for _ in size]
    lost = 1
    for mine, wanted in zip(view.dims, out, strict=True):
        pairs = (
            refined(wanted.digits, mine.digits)
            if mine.digits and wanted.digits
            else [(x, None) for x in wanted.digits] + [(None, x) for x in mine.digits]
        )
        if pairs is None:
            return None
        for there, here in pairs:
            if here is None or here.axis == FREE:
                continue
            if here.is_position:
                if there is None or there.axis != here.axis:
                    return None
                parts[here.axis].append((there, here.stride))
            elif there is not None and there.is_position:
                lost *= here.size
    index = [indices_of(x, n) for x, n in zip(parts, size, strict=True)]
    for axis, x in enumerate(index):
        if len(x) and x.max() >= have[axis]:
            return None
        if have[axis] > 1 and prod(y.size for y, _ in parts[axis]) != have[axis]:
            return None
    fewer = maps.nodes[view.node].channels // lost if lost > 1 else None
    return maps.remapped(view.node, [np.asarray(x) for x in index], fewer)
