"""The fields of all maps of a network, and the local ones beside them, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rfstudio.core.axes.axis_rule import AxisRules
from rfstudio.core.errors import TooLargeError
from rfstudio.core.fields.field import (
    BEYOND,
    START,
    UNSEEN,
    AxisField,
    MergeMisfit,
    Misfit,
    merge,
    through,
)
from rfstudio.core.fields.local import CONTEXT, Fields, local_rules
from rfstudio.core.fields.reach import cut_off
from rfstudio.core.network.expansion import unchanged_by
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops import Op
from rfstudio.core.work import at_most, give_way

MAX_ENTRIES = 1 << 23
"""Work of patterns that is done for the fields of one network: up to half a second."""

A_LAYER = 500
"""The same for each layer: there may be a hundred thousand, with the fields of a few."""


_TOO_MUCH = (TooLargeError, RecursionError)
"""Also where each of hundreds of long patterns looks a little beyond the one before it."""


class AllFields(NamedTuple):
    """What one pass finds.

    Attributes
    ----------
    nodes
        The nodes of the graph.
    fields
        For each node its field along each axis.
    local
        For each node its local field; the same object as in `fields` where they are equal.
    misfits
        Merges whose branches do not align in the local network, which is where every merge can be
        judged.
    work
        At least the work of long patterns that it takes to find all of it anew.
    """

    nodes: tuple[Node, ...]
    fields: tuple[Fields, ...]
    local: tuple[Fields, ...]
    misfits: tuple[MergeMisfit, ...]
    work: float = 0


def fields_of(graph: Graph, reference: int = 0) -> tuple[Fields, ...]:
    """Return for each node of a graph its field along each axis, with respect to a node."""
    # Whether batch norm sees the whole map is in the rules of the graph.
    unchanged = unchanged_by(batch_norm_training=True)
    return all_fields(graph, reference, unchanged).fields


def all_fields(
    graph: Graph,
    origin: int,
    unchanged: frozenset[type[Op]],
    previous: AllFields | None = None,
) -> AllFields:
    """Return the fields of every node and the misfits of merges: one pass, O(edges).

    Where patterns take more than `MAX_ENTRIES` together, beside `A_LAYER` for each layer, the
    fields from there on are `BEYOND`.

    Parameters
    ----------
    graph
        The network.
    origin
        Index of the node with respect to which fields are given.
    unchanged
        Operations that are known to change no positions.
    previous
        Those of an earlier graph with respect to the same node; what did not change since is
        taken from it, which only saves time.
    """
    known = 0.0 if previous is None else previous.work
    most = MAX_ENTRIES + A_LAYER * len(graph.nodes)
    with at_most(most, "the fields repeat in patterns that are too long") as budget:
        found = _all_fields(graph, origin, unchanged, previous)
    # What was taken from before would have counted, too.
    work = known + budget.spent
    if previous is not None and work > most:
        return all_fields(graph, origin, unchanged)
    return found._replace(work=work)


def _all_fields(
    graph: Graph, origin: int, unchanged: frozenset[type[Op]], previous: AllFields | None
) -> AllFields:
    nodes = graph.nodes
    axes = len(nodes[0].size)
    fields: list[Fields] = [(UNSEEN,) * axes] * len(nodes)
    fields[origin] = (START,) * axes
    misfits: list[MergeMisfit] = []
    old_nodes: tuple[Node, ...] = ()
    old_fields: tuple[Fields, ...] = ()
    old_local: tuple[Fields, ...] = ()
    if previous is not None and len(previous.fields[0]) == axes:
        old_nodes, old_fields, old_local = previous[:3]
        fields[origin] = old_fields[origin]
    local = list(fields)
    blocked, unseen = cut_off(graph, origin), (UNSEEN,) * axes
    for node in nodes[origin + 1 :]:
        give_way()
        index, _, op, inputs, size, _, _, rules = node
        if index in blocked and 0 not in size:
            fields[index] = local[index] = unseen
            continue
        if len(inputs) > 1:
            near = [local[x] for x in inputs]
            joined, found = _merged(near)
            local[index] = joined
            sources = [fields[x] for x in inputs]
            same = all(map(_is, sources, near)) and not any(x.whole for y in near for x in y)
            fields[index] = joined if same else _merged(sources, local=False)[0]
            if found:
                misfits.append(MergeMisfit(index, found))
            continue
        source = inputs[0]
        field, near_field = fields[source], local[source]
        if type(op) in unchanged:
            fields[index], local[index] = field, near_field
            continue
        known = (
            index < len(old_nodes)
            and old_nodes[index].rules is rules
            and old_nodes[index].inputs == inputs
        )
        here = old_fields[index] if known and old_fields[source] is field else _behind(field, rules)
        fields[index] = here
        if near_field is field and type(op) not in CONTEXT:
            local[index] = here
        elif known and old_local[source] is near_field and type(old_nodes[index].op) is type(op):
            local[index] = old_local[index]
        else:
            near_rules = local_rules(op, rules)
            same = near_field is field and near_rules is rules
            local[index] = here if same else _behind(near_field, near_rules)
    return AllFields(nodes, tuple(fields), tuple(local), tuple(misfits))


def _is(a: object, b: object) -> bool:
    return a is b


def _behind(source: Fields, rules: AxisRules) -> Fields:
    """Return the same as `behind`, within what is left of the work."""
    try:
        return behind(source, rules)
    except _TOO_MUCH:
        return (BEYOND,) * len(source)


def _merged(sources: Sequence[Fields], *, local: bool = True) -> tuple[Fields, dict[int, Misfit]]:
    """Return the same as `merged`, within what is left of the work."""
    try:
        return merged(sources, local=local)
    except _TOO_MUCH:
        return (BEYOND,) * len(sources[0]), {}


def behind(source: Fields, rules: AxisRules) -> Fields:
    """Return the field after an operation along each axis, given that of the map it reads."""
    first = through(source[0], rules[0])
    result = [first]
    for field_in, rule in zip(source[1:], rules[1:], strict=True):
        # Both axes are the same in most networks: then they share one field.
        is_same = field_in is source[0] and rule == rules[0]
        result.append(first if is_same else through(field_in, rule))
    return tuple(result)


def merged(sources: Sequence[Fields], *, local: bool = True) -> tuple[Fields, dict[int, Misfit]]:
    """Return the field after a merge along each axis, and what does not fit by axis."""
    head = sources[0]
    if all(x is head for x in sources):
        return head, {}
    result: list[AxisField] = []
    misfits: dict[int, Misfit] = {}
    for axis, branches in enumerate(zip(*sources, strict=True)):
        if axis and all(x[axis] is x[0] for x in sources):
            result.append(result[0])
            if 0 in misfits:
                misfits[axis] = misfits[0]
            continue
        hull, misfit = merge(branches, local=local)
        result.append(hull)
        if misfit is not None:
            misfits[axis] = misfit
    return tuple(result), misfits
