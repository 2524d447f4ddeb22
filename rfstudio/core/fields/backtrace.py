"""The walk back from one unit to the input: which samples of every map really reach it.

The walk goes backwards through the graph and has, for each map, a *region*: a union of
products of axis sets.  Operations act axis by axis, so a product stays a product; branches make
unions.  Products inside others are dropped and products that differ on one axis only are joined,
so that most networks need one product per map.  Where branches of different shape pile up (cross
shaped Inception branches) the union is turned into a dense mask as long as that fits in memory.

A walk has a budget of work.  Where that is not enough, such as through long patterns with holes,
the region is the box of all that the unit can read, and says that it is no more than a bound.

The result equals the non-zero pattern of the input gradient of the same network with positive
weights, no non-linearity and max pooling that reads its whole window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Whole, Window
from rfstudio.core.axes.axis_set import (
    AxisSet,
    contains,
    from_indices,
    hull_read_back,
    is_gapless,
    read_back,
    same,
    union,
)
from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.errors import TooLargeError, UnitError
from rfstudio.core.network.graph import Graph
from rfstudio.core.ops import Op
from rfstudio.core.work import A_CALL, at_most, give_way, spend

Product: TypeAlias = tuple[AxisSet, ...]
"""All positions whose coordinate along each axis is in that axis' set; never empty."""

DENSE_CELLS = 1 << 25
"""Largest map, in samples, of which a dense mask is ever made (32 MiB as booleans)."""

MAX_PRODUCTS = 24
"""Products of a union from which on a dense mask is cheaper, if it fits."""


MAX_WORK = 1 << 26
"""Work of a walk, as `rfstudio.core.work` counts it, above which only the hull is followed."""


@dataclass(frozen=True)
class Region:
    """A set of positions of one map: a union of products.

    Attributes
    ----------
    size
        Size of the map along each axis, in samples.
    products
        None contains another one; empty where nothing is in the region.
    is_bound
        Whether the region was too much to follow: it is the box of all that can be in it.
    """

    size: tuple[int, ...]
    products: tuple[Product, ...] = ()
    is_bound: bool = False

    @property
    def hull(self) -> tuple[Interval, ...] | None:
        """First and last sample along each axis, both included; None where it is empty."""
        if not self.products:
            return None
        return tuple(
            (min(x.start for x in sets), max(x.stop for x in sets) - 1)
            for sets in zip(*self.products, strict=True)
        )

    def mask(self) -> NDArray[np.bool_]:
        """Return the region as a boolean array of the map's size.

        Raises
        ------
        UnitError
            If the map has more than `DENSE_CELLS` samples; then use `slab`.
        """
        if prod(self.size) > DENSE_CELLS:
            raise UnitError(
                f"a map of {'×'.join(map(str, self.size))} is too large for one array; "
                "read it slab by slab"
            )
        result = np.zeros(self.size, bool)
        for product in self.products:
            _paint(result, product)
        return result

    def slab(self, index: int) -> NDArray[np.bool_]:
        """Return the part at one sample of the first axis, as an array over the other axes."""
        result = np.zeros(self.size[1:], bool)
        for first, *others in self.products:
            if first.start <= index < first.stop and (
                first.mask is None or first.mask[index - first.start]
            ):
                if others:
                    _paint(result, tuple(others))
                else:
                    result[...] = True
        return result

    @property
    def work_to_count(self) -> int:
        """How many samples `count` goes through."""
        if len(self.products) < 2:
            return 0
        if prod(self.size) <= DENSE_CELLS:
            return prod(self.size) * len(self.products) // 8
        firsts = [x[0] for x in self.products]
        slabs = 2 * len(firsts)
        if any(x.mask is not None for x in firsts):
            slabs = max(x.stop for x in firsts) - min(x.start for x in firsts)
        return slabs * (A_CALL + prod(self.size[1:]) * len(firsts) // 8)

    @cached_property
    def count(self) -> int:
        """Number of positions in the region."""
        if not self.products:
            return 0
        if len(self.products) == 1:
            return prod(x.length for x in self.products[0])
        if prod(self.size) <= DENSE_CELLS:
            return int(np.count_nonzero(self.mask()))
        # Between two neighbouring borders of the first axis all slabs are equal, if sets are
        # solid; with holes every slab is counted for itself.
        firsts = [x[0] for x in self.products]
        if all(x.mask is None for x in firsts):
            borders = sorted({y for x in firsts for y in (x.start, x.stop)})
            return sum(
                (high - low) * int(np.count_nonzero(self.slab(low)))
                for low, high in pairwise(borders)
            )
        start, stop = min(x.start for x in firsts), max(x.stop for x in firsts)
        return sum(int(np.count_nonzero(self.slab(i))) for i in range(start, stop))


def _paint(target: NDArray[np.bool_], product: Product) -> None:
    box = tuple(slice(x.start, x.stop) for x in product)
    if all(x.mask is None for x in product):
        target[box] = True
        return
    block = np.ones([x.stop - x.start for x in product], bool)
    for axis, x in enumerate(product):
        if x.mask is not None:
            shape = [1] * len(product)
            shape[axis] = -1
            block &= x.mask.reshape(shape)
    target[box] |= block


def check_unit(graph: Graph, index: int, unit: tuple[int, ...]) -> None:
    """Raise `UnitError` if the map of node `index` has no such unit."""
    node = graph.nodes[index]
    check_position(node.name, node.size, unit)


def check_position(name: str, size: tuple[int, ...], unit: tuple[int, ...]) -> None:
    """Raise `UnitError` if a map of that name and size has no such unit."""
    if len(unit) != len(size):
        raise UnitError(f"a unit of '{name}' has {len(size)} coordinates, not {len(unit)}")
    if 0 in size:
        raise UnitError(f"the map of '{name}' is empty at this input size: it has no units")
    if not all(0 <= u < n for u, n in zip(unit, size, strict=True)):
        ranges = ", ".join(f"0…{n - 1}" for n in size)
        raise UnitError(f"'{name}' has no unit {unit}: coordinates go from {ranges}")


def read_by(
    graph: Graph, index: int, unit: tuple[int, ...], reference: int = 0
) -> Mapping[int, Region]:
    """Return the region of every map that reaches one unit.

    Nothing comes through an empty map.

    Parameters
    ----------
    graph
        The network.
    index
        Node of the unit.
    unit
        Position of the unit in that node's map.
    reference
        Node at which to stop; paths that go around it do not count.

    Returns
    -------
    mapping
        From node index to its region, for all nodes between the unit and the reference.

    Raises
    ------
    UnitError
        If there is no such unit.
    """
    check_unit(graph, index, unit)
    try:
        found = _walk_from(graph, index, unit, reference)
    except TooLargeError:
        boxes = _boxes_read_by(graph, index, unit, reference)
        return {i: _region_of_box(graph.nodes[i].size, x) for i, x in boxes.items()}
    return {i: Region(graph.nodes[i].size, tuple(x)) for i, x in found.items()}


def region_of_unit(graph: Graph, index: int, unit: tuple[int, ...], reference: int = 0) -> Region:
    """Return what one unit reads of the reference map alone; see `read_by`."""
    size = graph.nodes[reference].size
    try:
        found = _walk_from(graph, index, unit, reference, only_reference=True)
        region = Region(size, tuple(found.get(reference, ())))
        if region.work_to_count <= MAX_WORK:
            return region
    except TooLargeError:
        pass
    box = _boxes_read_by(graph, index, unit, reference).get(reference)
    return Region(size) if box is None else _region_of_box(size, box)


_Box: TypeAlias = tuple[Interval, ...]
"""The first and the last sample along each axis."""


def _boxes_read_by(
    graph: Graph, index: int, unit: tuple[int, ...], reference: int
) -> dict[int, _Box]:
    """Return the box of what a unit can read of every map, in a few steps a layer."""
    nodes = graph.nodes
    boxes: dict[int, _Box] = {index: tuple([(u, u) for u in unit])}
    for i in range(index, reference, -1):
        box = boxes.get(i)
        if box is None:
            continue
        node = nodes[i]
        taken = list(box)
        if type(node.op) not in _UNCHANGED:
            taken = [hull_read_back(x, rule) for x, rule in zip(box, node.rules, strict=True)]
        for source in dict.fromkeys(node.inputs):
            size = nodes[source].size
            if 0 in size or any(last < 0 for _, last in taken):
                continue
            read = taken
            if len(node.inputs) > 1:  # a faulty merge may have a branch that is smaller
                read = [
                    (min(a, n - 1), min(b, n - 1)) for (a, b), n in zip(read, size, strict=True)
                ]
            known = boxes.get(source)
            if known is not None:
                pairs = zip(read, known, strict=True)
                read = [(min(a, c), max(b, d)) for (a, b), (c, d) in pairs]
            boxes[source] = tuple(read)
    return boxes


def _region_of_box(size: tuple[int, ...], box: _Box) -> Region:
    return Region(size, (tuple([AxisSet(first, last + 1) for first, last in box]),), is_bound=True)


_Run: TypeAlias = tuple[int, int]
"""A run of samples along one axis, half open and not empty."""

_Runs: TypeAlias = tuple[_Run, ...]
"""The product of a run along each axis: what most units read of most maps."""


def _solid_walk(
    graph: Graph,
    index: int,
    unit: tuple[int, ...],
    reference: int,
    *,
    only_reference: bool = False,
) -> dict[int, _Runs] | None:
    """Return what one unit reads of every map where that is one run along each axis.

    The same walk as `walk_back`, in a few operations on whole numbers a layer.  What is read with
    holes, as by a 1×1 window of stride 2, has to lie in what others read of the same map without
    them.  None as soon as a region has another shape; then the other walk has to be taken.
    """
    nodes = graph.nodes
    needs: dict[int, _Runs] = {index: tuple([(u, u + 1) for u in unit])}
    hulls: dict[int, list[_Runs]] = {}
    for i in range(index, reference - 1 if only_reference else -1, -1):
        runs = needs.get(i)
        if hulls and i in hulls and not _holds_all(runs, hulls[i]):
            return None
        if runs is None or i in (reference, 0):
            continue
        if only_reference:
            del needs[i]
        node = nodes[i]
        inputs = node.inputs
        is_solid = True
        if type(node.op) not in _UNCHANGED:
            reads = list(map(_reads_of_run, runs, node.rules))
            runs = tuple([(first, stop) for first, stop, _ in reads])
            if any([first >= stop for first, stop in runs]):  # noqa: C419 - a third of the time
                continue  # it reads padding alone
            is_solid = all([solid for _, _, solid in reads])  # noqa: C419
        size = nodes[inputs[0]].size
        if 0 in size:
            if len(inputs) == 1:
                continue
            return None
        for source in inputs:
            read = runs
            if source != inputs[0] and nodes[source].size != size:
                # A faulty merge may have a branch that is smaller.
                pairs = zip(runs, nodes[source].size, strict=True)
                read = tuple([(first, min(stop, n)) for (first, stop), n in pairs])
                if any(first >= stop for first, stop in read):
                    return None
            known = needs.get(source)
            if not is_solid or (known is not None and known is not read):
                spend(A_CALL)
            if not is_solid:
                hulls.setdefault(source, []).append(read)
            elif known is None:
                needs[source] = read
            elif known != read:
                joined = _solid_union(known, read)
                if joined is None:
                    return None
                needs[source] = joined
    return needs


def _holds_all(runs: _Runs | None, others: Iterable[_Runs]) -> bool:
    """Whether a product of runs holds other ones."""
    return runs is not None and all(
        a <= low and high <= b
        for other in others
        for (a, b), (low, high) in zip(runs, other, strict=True)
    )


def _reads_of_run(run: _Run, rule: AxisRule) -> tuple[int, int, bool]:
    """Return a run that holds all that a run of outputs reads, and whether it is just that.

    The run is empty where nothing is read.
    """
    start, stop = run
    if type(rule) is Window:
        n_in, _, kernel, stride, dilation, before, mode, cropped, _ = rule
        n = n_in - cropped
        first = start * stride - before
        last = (stop - 1) * stride - before + dilation * (kernel - 1)
        is_solid = is_gapless(stop - start, kernel, stride, dilation)
        if mode == "zeros" or (first >= 0 and last < n):
            return (first if first > 0 else 0), (last + 1 if last < n else n), is_solid
    elif type(rule) is Whole:
        first = start if rule.side == "after" else 0
        return first, stop if rule.side == "before" else rule.n_in, True
    return 0, rule.n_in, False


def _solid_union(a: _Runs, b: _Runs) -> _Runs | None:
    """Return the union of two products of runs where it is one, too."""
    joined, differing = [], 0
    a_holds = b_holds = True
    for one, other in zip(a, b, strict=True):
        if one == other:
            joined.append(one)
            continue
        (low, high), (first, stop) = one, other
        differing += 1
        a_holds = a_holds and low <= first and stop <= high
        b_holds = b_holds and first <= low and high <= stop
        if first > high or low > stop:
            return None  # with a gap between them
        joined.append((min(low, first), max(high, stop)))
    return tuple(joined) if differing <= 1 or a_holds or b_holds else None


def _walk_from(
    graph: Graph,
    index: int,
    unit: tuple[int, ...],
    reference: int,
    *,
    only_reference: bool = False,
) -> dict[int, list[Product]]:
    check_unit(graph, index, unit)
    start = {index: [tuple([AxisSet(u, u + 1) for u in unit])]}
    name = graph.nodes[index].name
    with at_most(MAX_WORK, f"what this unit of '{name}' reads is too much to follow"):
        solid = _solid_walk(graph, index, unit, reference, only_reference=only_reference)
        if solid is not None:
            return {i: [tuple([AxisSet(*x) for x in runs])] for i, runs in solid.items()}
        return walk_back(graph, start, reference, only_reference=only_reference)


def read_by_all(graph: Graph, index: int, reference: int = 0) -> Region:
    """Return what at least one unit of node `index` reads of the reference map.

    Most maps are plainly read in full; the walk only follows the others.
    """
    nodes = graph.nodes
    size = nodes[reference].size
    full = bytearray(len(nodes))
    full[index] = 0 not in nodes[index].size
    needs: dict[int, list[Product]] = {}
    for node in nodes[index:reference:-1]:
        if full[node.index]:
            if type(node.op) in _UNCHANGED or all(map(_reads_all, node.rules)):
                for source in node.inputs:
                    full[source] = True
            else:
                needs[node.index] = [tuple([AxisSet(0, n) for n in node.size])]
    if full[reference]:
        return Region(size, (tuple([AxisSet(0, n) for n in size]),))
    refusal = f"what the units of '{nodes[index].name}' read is too much to follow"
    with at_most(MAX_WORK, refusal):
        found = walk_back(graph, needs, reference)
        region = Region(size, tuple(found.get(reference, ())))
        spend(region.work_to_count)
        return region


def _reads_all(rule: AxisRule) -> bool:
    """Whether the outputs together are sure to read every input sample."""
    if type(rule) is not Window:
        return isinstance(rule, Whole)
    return (
        rule.before >= 0
        and (rule.n_out - 1) * rule.stride - rule.before + rule.kernel >= rule.n_in
        and not rule.cropped
        and rule.dilation == 1
        and rule.stride <= rule.kernel
    )


def walk_back(
    graph: Graph,
    needs: dict[int, list[Product]],
    reference: int = 0,
    *,
    only_reference: bool = False,
) -> dict[int, list[Product]]:
    """Walk from regions of some nodes back to the reference; regions as lists of products.

    Adds to `needs`, and returns it; with `only_reference`, regions on the way are forgotten as
    soon as they are read, since those of long maps with holes fill the memory.
    """
    nodes = graph.nodes
    # A node outside the reference's reach cannot contribute, but its own region is needed
    # to evaluate a cone; so the walk visits everything that the unit reads.
    for i in range(max(needs, default=0), 0, -1):
        products = needs.get(i)
        if products is None or i == reference:
            continue
        give_way()
        if only_reference:
            del needs[i]
        node = nodes[i]
        inputs = node.inputs
        if 0 in nodes[inputs[0]].size and len(inputs) == 1:
            continue
        read = products if type(node.op) in _UNCHANGED else _read(products, node.rules)
        if len(inputs) == 1:
            _note(needs, inputs[0], read, node.rules)
            continue
        for source in dict.fromkeys(inputs):
            size = nodes[source].size
            whole = size == nodes[inputs[0]].size
            _note(needs, source, read if whole else _clipped(read, size), node.rules)
    return needs


def _note(
    needs: dict[int, list[Product]], source: int, read: list[Product], rules: AxisRules
) -> None:
    """Add what one layer reads of `source` to what others read of it."""
    known = needs.get(source)
    if known is None:
        needs[source] = read
    elif known is not read:
        needs[source] = united([*known, *read], tuple([rule.n_in for rule in rules]))


_UNCHANGED: frozenset[type[Op]] = frozenset({*ops.ELEMENTWISE, *ops.MERGES})


def _clipped(products: list[Product], size: tuple[int, ...]) -> list[Product]:
    """Cut off what a branch of a faulty merge does not have."""
    clipped: list[Product] = []
    for product in products:
        cut = tuple(_cut(x, n) for x, n in zip(product, size, strict=True))
        if not any(x.is_empty for x in cut):
            clipped.append(cut)
    return clipped


def _cut(wanted: AxisSet, size: int) -> AxisSet:
    start, stop, mask = wanted
    if mask is not None and start < size < stop:
        spend(size - start)
    return wanted.below(size)


def _read(products: list[Product], rules: tuple[AxisRule, ...]) -> list[Product]:
    if len(products) == 1:
        sets = [read_back(x, rule) for x, rule in zip(products[0], rules, strict=True)]
        return [] if any(x.stop <= x.start for x in sets) else [tuple(sets)]
    known: dict[tuple[int, int], AxisSet] = {}
    found: list[Product] = []
    for product in products:
        sets = []
        for axis, (wanted, rule) in enumerate(zip(product, rules, strict=True)):
            # Products of one union share most of their axis sets.
            key = (axis, id(wanted))
            if key not in known:
                known[key] = read_back(wanted, rule)
            sets.append(known[key])
        if not any(x.is_empty for x in sets):
            found.append(tuple(sets))
    if len(found) < 2:
        return found
    return united(found, tuple(rule.n_in for rule in rules))


def united(products: Iterable[Product], size: tuple[int, ...]) -> list[Product]:
    """Return the union of products with as few of them as is easily found."""
    union: list[Product] = []
    for product in products:
        _add(union, product)
    if len(union) > MAX_PRODUCTS and prod(size) <= DENSE_CELLS:
        return _by_rows(union, size)
    return union


def _add(union: list[Product], product: Product) -> None:
    """Add a product to a union, joining it with those that differ on one axis only."""
    i = tried = 0
    while i < len(union):
        # Most products are far from each other along two axes, which is seen here at once.
        if len(product) == 2:
            (top, bottom, _), (left, right, _) = product
            while i < len(union):
                (first, stop, _), (low, high, _) = union[i]
                if (
                    (first == top and stop == bottom)
                    or (low == left and high == right)
                    or (first <= top and bottom <= stop and low <= left and right <= high)
                    or (top <= first and stop <= bottom and left <= low and high <= right)
                ):
                    break
                i += 1
                tried += 1
            else:
                break
        tried += 1
        joined = _joined(union[i], product)
        if joined is None:
            i += 1
            continue
        if joined is union[i]:
            spend(tried * A_CALL)
            return
        # The joined product may now fit with one that did not fit before.
        del union[i]
        product, i = joined, 0
    union.append(product)
    spend(tried * A_CALL)


def _joined(a: Product, b: Product) -> Product | None:
    """Return the union of two products if it is a product, else None."""
    differing = []
    may_hold = may_be_held = True
    for axis, (x, y) in enumerate(zip(a, b, strict=True)):
        if x is y:
            continue
        (first, stop, _), (low, high, _) = x, y
        if first != low or stop != high:
            # Most products hold each other on no two axes, which their ends show.
            may_hold = may_hold and first <= low and high <= stop
            may_be_held = may_be_held and low <= first and stop <= high
        elif same(x, y):
            continue
        differing.append(axis)
        if len(differing) > 1 and not may_hold and not may_be_held:
            return None
    if not differing:
        return a
    if len(differing) == 1:
        (axis,) = differing
        joined = union(a[axis], b[axis])
        return a if joined is a[axis] else (*a[:axis], joined, *a[axis + 1 :])
    if all(contains(a[i], b[i]) for i in differing):
        return a
    if all(contains(b[i], a[i]) for i in differing):
        return b
    return None


def _by_rows(products: list[Product], size: tuple[int, ...]) -> list[Product]:
    """Return the same union as one product for each distinct pattern along the first axis.

    A canonical form: never more products than the first axis has samples, however many went in.
    """
    spend(prod(size) * (4 + len(products)) // 8)
    return _products_of(Region(size, tuple(products)).mask())


def _products_of(mask: NDArray[np.bool_]) -> list[Product]:
    if mask.ndim == 1:
        return [(from_indices(np.flatnonzero(mask)),)]
    rows: dict[bytes, list[int]] = {}
    for i in np.flatnonzero(mask.any(axis=tuple(range(1, mask.ndim)))):
        spend(A_CALL)
        rows.setdefault(np.packbits(mask[i]).tobytes(), []).append(int(i))
    return [
        (from_indices(np.array(indices, np.intp)), *rest)
        for indices in rows.values()
        for rest in _products_of(mask[indices[0]])
    ]
