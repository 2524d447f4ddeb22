"""The graph of an edited document, from that of a document of the same form.

Most edits set a parameter: then names, order and sources of all nodes are those of before, and only
sizes and channels are worked out again, from the edited layer on and until they are the same as
before.  Whatever is not that plain is left to `rfstudio.core.network.expansion.expand`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TypeAlias

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRules
from rfstudio.core.errors import OpError
from rfstudio.core.network.architecture import (
    Architecture,
    Item,
    Layer,
    Location,
    Parallel,
    Repeat,
    checked_size,
)
from rfstudio.core.network.expansion import (
    EXPANDED,
    MAX_LAYERS,
    MAX_READS,
    RECENT_GRAPHS,
    Expansion,
    expand,
    unchanged_by,
)
from rfstudio.core.network.graph import Fault, Form, Graph, Node
from rfstudio.core.network.graph_wording import MAX_CHANNELS
from rfstudio.core.ops import FollowsSize, Op
from rfstudio.core.ops.geometry import identity_rules
from rfstudio.core.ops.operation import is_patternless

Rules: TypeAlias = dict[tuple[int, tuple[int, ...]], AxisRules]
"""Rules by the identity of an operation and the size of what it reads."""

Edited: TypeAlias = dict[Location | None, Op]
"""By location, the operations that are others than before."""

_SHAPING = EXPANDED | ops.Concat | ops.FurtherInput | ops.Split | ops.Tokens
"""Operations whose parameters say which nodes there are."""

_RULES_EACH = 4
"""Remembered rules for each node, beyond which those of earlier sizes are forgotten."""


def expanded_again(
    architecture: Architecture,
    input_size: tuple[int, ...] | None = None,
    *,
    batch_norm_training: bool = False,
    previous: Graph | None = None,
    max_layers: int = MAX_LAYERS,
) -> Graph:
    """Return what `expand` returns; quicker, where `previous` is of a document of the same form."""
    if previous is not None and previous.form is not None:
        size = (
            architecture.input_size
            if input_size is None
            else checked_size(architecture, input_size)
        )
        graph = RECENT_GRAPHS.get(architecture, (size, batch_norm_training), None)
        if graph is None and previous.form.max_layers <= max_layers:
            graph = _of_one_form(architecture, size, previous, previous.form, batch_norm_training)
            if graph is not None:
                return RECENT_GRAPHS.put(architecture, (size, batch_norm_training), graph)
    return expand(
        architecture,
        input_size,
        batch_norm_training=batch_norm_training,
        previous=previous,
        max_layers=max_layers,
    )


def count_edited(old: Architecture, new: Architecture) -> int | None:
    """Return how many operations differ; None where items differ in more than parameters."""
    found: Edited = {}
    return len(found) if _have_one_form(old.layers, new.layers, (), found) else None


def first_nodes_at(size: tuple[int, ...], graph: Graph, last: int) -> Graph | None:
    """Return the first nodes of a network that was expanded, at another size of its input.

    Parameters
    ----------
    size
        Size of the input along each axis, in pixels.
    graph
        The network's graph, not with batch norms in training.
    last
        Index of the last node that is wanted.

    Returns
    -------
    Graph or None
        As much of the graph as is wanted; None where more than sizes may differ.
    """
    if graph.form is None or size == graph.nodes[0].size:
        return None
    return _of_one_form(graph.form.document, size, graph, graph.form, False, last)


def _of_one_form(
    architecture: Architecture,
    size: tuple[int, ...],
    previous: Graph,
    form: Form,
    batch_norm_training: bool,
    last: int | None = None,
) -> Graph | None:
    """Return the graph, or None where more than sizes and channels may differ.

    Up to the node `last`, if there is one.
    """
    if len(size) != len(previous.nodes[0].size):
        return None
    edited = _edited_ops(form.document, architecture, size == previous.nodes[0].size)
    if edited is None:
        return None
    known = _living(previous, edited)
    expansion = Expansion(size, architecture.channels, batch_norm_training, known, form.max_layers)
    unchanged = unchanged_by(batch_norm_training=batch_norm_training)
    _expand(expansion, previous, edited, known, unchanged, last)
    nodes = tuple(expansion.nodes)
    if not expansion.is_plain or not _reads_are_few(nodes):
        return None
    rules = MappingProxyType(known | expansion.rules)
    if last is not None and last + 1 < len(previous.nodes):
        paths = MappingProxyType({name: i for name, i in previous.paths.items() if i <= last})
        return Graph(nodes, paths, tuple(expansion.faults), rules)
    return Graph(
        nodes,
        previous.paths,
        tuple(expansion.faults),
        rules,
        form=Form(architecture, form.max_layers),
    )


def _expand(
    expansion: Expansion,
    previous: Graph,
    edited: Edited,
    known: Rules,
    unchanged: frozenset[type[Op]],
    last: int | None,
) -> None:
    """Add all nodes up to the last one to an expansion, until it is not plain any more."""
    nodes, made = previous.nodes, expansion.nodes
    faults: dict[int, list[Fault]] = {}
    for fault in previous.faults:
        faults.setdefault(previous.paths[fault.node], []).append(fault)
    start = 1
    if made[0].size == nodes[0].size and made[0].channels == nodes[0].channels:
        start = next((x.index for x in nodes if x.location in edited), len(nodes))
        made[:] = nodes[:start]
        expansion.faults += [x for x in previous.faults if previous.paths[x.node] < start]
    for node in nodes[start : None if last is None else last + 1]:
        index, name, op, inputs, _, _, location, _ = node
        assert op is not None
        op = edited.get(location, op)
        source = inputs[0]
        first, before = made[source], nodes[source]
        # A node follows from its operation, and from size and channels of what it reads.
        is_same = op is node.op and (
            first is before or (first.size == before.size and first.channels == before.channels)
        )
        if is_same and (len(inputs) == 1 or all(made[x][4:6] == nodes[x][4:6] for x in inputs)):
            made.append(node)
            expansion.faults += faults.get(index, ())
            continue
        if type(op) in unchanged and len(inputs) == 1:
            size = first.size
            rules = identity_rules(size)
            made.append(Node(index, name, op, inputs, size, first.channels, location, rules))
            continue
        rules_before = known.get((id(op), first.size)) if len(inputs) == 1 else None
        if rules_before is not None and _is_simple(op, first.size):
            size = tuple([x.n_out for x in rules_before])
            channels = _channels_after(op, first)
            if 0 < channels <= MAX_CHANNELS and 0 not in size:
                made.append(Node(index, name, op, inputs, size, channels, location, rules_before))
                continue
        expansion.again(node, op)
        if not expansion.is_plain:
            return


def _is_simple(op: Op, size: tuple[int, ...]) -> bool:
    """Whether an operation fits a map of that size, given that its rules for it are known."""
    return is_patternless(op) and not isinstance(op, _SHAPING) and not op.misfit(size)


def _channels_after(op: Op, source: Node) -> int:
    """Return the channels of the map after an operation; 0 where it does not fit its source."""
    try:
        return op.output_channels((source.channels,), source.size)
    except OpError:
        return 0


def _edited_ops(old: Architecture, new: Architecture, is_same_size: bool) -> Edited | None:
    """Return the operations that are others now, by location; None: the form differs."""
    if old.input_name != new.input_name or old.further_inputs != new.further_inputs:
        return None
    is_same_input = is_same_size and old.input_size == new.input_size
    if new.further_inputs and not (is_same_input and old.channels == new.channels):
        return None
    found: Edited = {}
    return found if _have_one_form(old.layers, new.layers, (), found) else None


def _have_one_form(
    old: tuple[Item, ...], new: tuple[Item, ...], base: Location, found: Edited
) -> bool:
    """Whether items differ in parameters alone; adds operations that are others to `found`."""
    if old is new:
        return True
    if len(old) != len(new):
        return False
    for i, (a, b) in enumerate(zip(old, new, strict=True)):
        if a is b:
            continue
        if a.name != b.name:
            return False
        if isinstance(a, Layer):
            if not isinstance(b, Layer) or a.inputs != b.inputs or a.weights_of != b.weights_of:
                return False
            if a.op is not b.op:
                if not _is_plain(a.op, b.op):
                    return False
                found[*base, i] = b.op
            continue
        if isinstance(b, Layer) or not _are_alike(a, b):
            return False
        for which, bodies in enumerate(zip(a.bodies, b.bodies, strict=True)):
            if not _have_one_form(*bodies, (*base, i, which), found):
                return False
    return True


def _is_plain(old: Op, new: Op) -> bool:
    """Whether an operation may take the place of another one without any other change of form."""
    if type(old) is not type(new) or isinstance(new, _SHAPING):
        return False
    return not (isinstance(new, FollowsSize) and new.size_of is not None)


def _are_alike(a: Item, b: Item) -> bool:
    """Whether two containers differ in what is in them alone."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Repeat) and isinstance(b, Repeat):
        return a.times == b.times and a.scale == b.scale
    if isinstance(a, Parallel) and isinstance(b, Parallel):
        names = [[x.name for x in y.branches] for y in (a, b)]
        return a.merge == b.merge and names[0] == names[1]
    return True


def _living(previous: Graph, edited: Edited) -> Rules:
    """Return the rules that are known, without those of operations that may exist no longer."""
    nodes, known = previous.nodes, previous.known_rules
    if len(known) > _RULES_EACH * len(nodes):
        return {
            (id(x.op), nodes[x.inputs[0]].size): x.rules
            for x in nodes[1:]
            if x.location not in edited
        }
    gone = {id(x.op) for x in nodes if x.location in edited}
    return {key: rules for key, rules in known.items() if key[0] not in gone}


def _reads_are_few(nodes: tuple[Node, ...]) -> bool:
    """Whether the patterns of all operations together are within the bounds of an expansion."""
    demands = {
        (id(x.op), size): x.op.demands(size)
        for x in nodes[1:]
        if x.op is not None and not is_patternless(x.op)
        for size in (nodes[x.inputs[0]].size,)
    }
    return sum(reads for axes in demands.values() for _, reads in axes) <= MAX_READS
