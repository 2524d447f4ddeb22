"""Expand the tree of a document into its flat graph, with sizes and channels of every node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice, pairwise
from math import prod
from types import MappingProxyType
from typing import Any, get_args

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRules, Window
from rfstudio.core.errors import OpError
from rfstudio.core.memo import Recent
from rfstudio.core.network.architecture import (
    INPUT,
    Architecture,
    Item,
    Layer,
    Location,
    MergeKind,
    Parallel,
    Repeat,
    Residual,
    Sequence,
    checked_size,
)
from rfstudio.core.network.given_names import GivenNames
from rfstudio.core.network.graph import Fault, Form, Graph, Node
from rfstudio.core.network.graph_wording import excess_of_channels, nearest, shape_text
from rfstudio.core.network.growth import grown, times_over
from rfstudio.core.network.single_objects import (
    following,
    input_of,
    joined_along,
    known_inset,
    known_op,
    part_of,
    spread_to,
)
from rfstudio.core.network.turns import State, Turn
from rfstudio.core.ops import FollowsSize, Merge, Op
from rfstudio.core.ops.geometry import MAX_PATTERN, axis_rules, excess_of, identity_rules
from rfstudio.core.ops.operation import is_patternless
from rfstudio.core.work import give_way

MAX_LAYERS = 100_000
"""Layers after `repeat`; no real network comes near, a hostile file would."""


MAX_SIZES = 10_000
"""Different sizes of the maps of one network: no real one has hundreds, but each turn of a repeat
may make its map a little larger."""

MAX_OF_ONE_FAULT = 200
"""Copies of one item of which the same fault is said."""

MAX_READS = 2 * MAX_PATTERN
"""Reads that the patterns of all operations list together: about a second of work, and 200 MB."""

MAX_INSET_READS = 8 * MAX_PATTERN
"""Reads that the maps of all concats along an axis list together: some 300 MB."""

MAX_COMPARISONS = 20_000
"""Names compared with one that is not there, for a hint; more such mistakes get none."""

_FAULTS_OF_ONE = {"channels", "empty_output", "one_input", "shape_mismatch"}
"""Faults that say of one layer that it does not fit what it reads, whatever others are."""

_MAX_SLIP = 100
"""Length of the longest name for which a nearest one is looked for."""

_JOINING = {word: ops.OPS[word]() for word in get_args(MergeKind)}
"""The operations at the ends of containers: one object each, since much is cached by identity."""


READING = {
    "from": "reads",
    "size_of": "takes its size from",
    "weights_of": "takes its weights from",
}
"""What a layer does with another one, by the word under which it names it."""


def _has_sized_weights(nodes: list[Node], node: Node, other: Node) -> bool:
    """Whether the shapes of weights depend on the sizes of two maps, which differ."""
    if not isinstance(node.op, ops.Linear | ops.AxisLinear):
        return False
    return nodes[node.inputs[0]].size != nodes[other.inputs[0]].size


EXPANDED = ops.Custom | ops.CrossAttention | ops.Attention | ops.DotProductAttention
"""Operations of one map that may become several layers when a network is expanded."""


def goes_by_position(op: Op) -> bool:
    """Whether an operation does the same to every position, so that it suits tokens, too."""
    if isinstance(op, ops.Conv):
        return op.kernel_size == op.stride == 1 and op.padding == 0
    by_position = isinstance(op, ops.Pointwise) and not isinstance(op, ops.Tokens)
    return by_position or (isinstance(op, ops.Merge) and not isinstance(op, ops.Attending))


def unchanged_by(*, batch_norm_training: bool) -> frozenset[type[Op]]:
    """Return the operations that change neither positions nor channels, whatever they read."""
    return frozenset(
        x
        for x in ops.OPS.values()
        if x.keeps_map and not (batch_norm_training and x.mixes_in_training)
    )


def expand(
    architecture: Architecture,
    input_size: tuple[int, ...] | None = None,
    *,
    batch_norm_training: bool = False,
    previous: Graph | None = None,
    max_layers: int = MAX_LAYERS,
) -> Graph:
    """Expand a document into its flat graph; total: what is wrong becomes a `Fault`.

    The last few graphs are remembered, so that all who work on the same document object have the
    same graph object.

    Parameters
    ----------
    architecture
        The document.
    input_size
        Size of the input along each axis, in pixels; the document's own if None.
    batch_norm_training
        Whether batch norm takes its statistics from the map, as in training mode.
    previous
        An earlier expansion with the same `batch_norm_training`; what did not change since is
        taken from it, which only saves time.
    max_layers
        Layers from which on the rest is left out, which is a fault.

    Raises
    ------
    GraphError
        If `input_size` is not one whole number from 1 on for each axis of the network.
    """
    size = architecture.input_size if input_size is None else checked_size(architecture, input_size)
    key = (size, batch_norm_training)
    graph = RECENT_GRAPHS.get(architecture, key, None)
    if graph is not None and len(graph.nodes) - 1 <= max_layers:
        return graph
    # One that was cut off is not that of the document.
    cut_key = (*key, max_layers)
    graph = RECENT_GRAPHS.get(architecture, cut_key, None)
    if graph is not None:
        return graph
    known_rules = previous.known_rules if previous is not None else {}
    expansion = Expansion(size, architecture.channels, batch_norm_training, known_rules, max_layers)
    expansion.inputs(architecture)
    expansion.given.enter("", architecture.layers)
    expansion.body(architecture.layers, (), ("",), 0)
    graph = Graph(
        tuple(expansion.nodes),
        MappingProxyType(expansion.paths),
        tuple(expansion.faults),
        MappingProxyType(expansion.rules),
        MappingProxyType(expansion.sized_by),
        MappingProxyType(expansion.weights_of),
        frozenset(expansion.grown),
        Form(architecture, max_layers) if expansion.is_plain else None,
    )
    return RECENT_GRAPHS.put(architecture, cut_key if expansion.is_cut else key, graph)


RECENT_GRAPHS: Recent[Architecture, Graph] = Recent(4)
"""The reader of a file, the analysis, a measurement and the writer of source each need the graph
of one document, and a measurement also that at another size."""


def _have_plain_names(items: tuple[Item, ...]) -> bool:
    """Whether all names that layers read are those of layers, and not of turns or within others."""
    for item in items:
        if isinstance(item, Layer):
            if any("." in x or x.isdigit() for x in item.names_read):
                return False
        elif not all(map(_have_plain_names, item.bodies)):
            return False
    return True


class Expansion:
    """The graph while it grows; `scopes` are name prefixes, the innermost first."""

    def __init__(
        self,
        size: tuple[int, ...],
        channels: int,
        batch_norm_training: bool,
        known_rules: Mapping[tuple[int, tuple[int, ...]], AxisRules],
        max_layers: int,
    ) -> None:
        rules = tuple(Window(n, n) for n in size)
        self.nodes = [Node(0, INPUT, None, (), size, channels, None, rules)]
        self.paths = {INPUT: 0}
        self.faults: list[Fault] = []
        self._numbers: dict[str, int] = {}
        self.given = GivenNames()
        self._sequences: dict[str, None] = {}
        self._entered: dict[str, None] = {}
        self._entered_again = 0
        self._have_plain_names: dict[int, bool] = {}
        self._max_layers = max_layers
        self._steps = 4 * max_layers
        self._comparisons = MAX_COMPARISONS
        self._likeness: dict[str, dict[str, float]] = {}
        self._inset_reads = 0
        self._reads = 0
        self._batch_norm_training = batch_norm_training
        self._unchanged = unchanged_by(batch_norm_training=batch_norm_training)
        self.rules: dict[tuple[int, tuple[int, ...]], AxisRules] = {}
        self.sized_by: dict[int, int] = {}
        self.weights_of: dict[int, int] = {}
        self.grown: set[int] = set()
        self.tokens: dict[int, int] = {}
        self._factors: dict[str, int] = {}
        self._too_grown: dict[Location, Mapping[str, int]] = {}
        self._refusals: dict[tuple[int, tuple[int, ...]], str] = {}
        self._misfits: dict[tuple[int, tuple[int, ...]], str] = {}
        self._sizes: set[tuple[int, ...]] = set()
        self._times_said: dict[tuple[Location, str], int] = {}
        self._known_rules = known_rules
        # Whether each item became one node with its own operation, and what is wrong with it, if
        # anything, follows from its operation and what it reads.
        self.is_plain = True

    def inputs(self, architecture: Architecture) -> None:
        """Name the first input, and add the others."""
        first = self.nodes[0]
        if architecture.input_name:
            self.paths.setdefault(architecture.input_name, 0)
        sizes = architecture.sizes_of_inputs(first.size)
        for given, size in zip(architecture.further_inputs, sizes, strict=True):
            op = input_of(size, given.channels)
            rules = self.rules.setdefault((id(op), first.size), op.axis_rules(first.size))
            index = self.paths[given.name] = len(self.nodes)
            self.nodes.append(Node(index, given.name, op, (0,), size, given.channels, None, rules))

    def again(self, node: Node, op: Op) -> None:
        """Add a node of an earlier expansion, whose sources may have other sizes and channels."""
        assert node.location is not None
        self._node(node.name, op, node.inputs, node.location)
        self.is_plain = self.is_plain and len(self.nodes) == node.index + 1 and not self._is_full

    # Each method takes the node that the item reads and returns the node that is its output.

    def body(
        self, items: tuple[Item, ...], base: Location, scopes: tuple[str, ...], source: int
    ) -> int:
        """Add the nodes of items, one after the other."""
        for i, item in enumerate(items):
            self._steps -= 1
            if self._is_full:
                self._too_many((*base, i))
                return source
            location = (*base, i)
            if type(item) is Layer:
                source = self._layer(item, location, scopes, source)
            else:
                source = self._container(item, location, scopes, source)
        return source

    def _layer(self, item: Layer, location: Location, scopes: tuple[str, ...], source: int) -> int:
        op = item.op
        if item.name:
            name = scopes[0] + item.name
            self._check_name(item.name, location)
        else:
            name = scopes[0] + self.given.numbered(scopes[0], op.keyword)
        if item.inputs:
            sources = tuple(
                self._source(x, scopes, location, name, source, "from") for x in item.inputs
            )
        else:
            sources = (source,)
            if op.merges:
                self._fault(
                    location,
                    name,
                    "missing_from",
                    f"{op.keyword} joins several layers; say which with from: [a, b]",
                )
        if self._factors:
            op = self._grown(op, location, name)
        if isinstance(op, FollowsSize) and op.size_of is not None:
            model = self._source(op.size_of, scopes, location, name, sources[0], "size_of")
            self.sized_by[len(self.nodes)] = model
            self.is_plain = False
            size, other = self.nodes[sources[0]].size, self.nodes[model].size
            if 0 not in other:  # an empty map has a fault of its own
                op = following(op, size, other)
        index = self._node(name, op, sources, location)
        if item.weights_of:
            self.is_plain = False
            self._share(item.weights_of, index, scopes, location)
        if isinstance(op, ops.Split):
            self._parts(op, index, location)
        return index

    def _share(self, wanted: str, index: int, scopes: tuple[str, ...], location: Location) -> None:
        """Note that a node has the weights of another one, which must be of the same shapes."""
        nodes = self.nodes
        node = nodes[index]
        model = self._source(wanted, scopes, location, node.name, index, "weights_of")
        model = self.weights_of.get(model, model)
        if model == index:  # there is none, or it is itself
            return
        other = nodes[model]
        shapes = [(nodes[x.inputs[0]].channels, x.channels) for x in (node, other) if x.inputs]
        if node.op != other.op or len(set(shapes)) > 1 or _has_sized_weights(nodes, node, other):
            self._fault(
                location,
                node.name,
                "other_weights",
                f"'{node.name}' cannot have the weights of '{other.name}': both must be the same "
                "operation with the same parameters and channels",
                "weights_of",
            )
            return
        self.weights_of[index] = model

    def _parts(self, op: ops.Split, index: int, location: Location) -> None:
        """Add a layer for each part of a split, that reads the split alone."""
        nodes, whole = self.nodes, self.nodes[index]
        rules = identity_rules(whole.size)
        self.is_plain = False
        for number, (start, stop) in enumerate(op.slices(whole.channels)):
            if len(nodes) > self._max_layers:
                self._too_many(location)
                return
            path = f"{whole.name}.{number}"
            if path in self.paths:
                self._used_twice(location, path, "layer")
                path = self._distinct(path)
            self.paths[path] = len(nodes)
            part = part_of(start, stop)
            channels = max(stop - start, 1)
            nodes.append(Node(len(nodes), path, part, (index,), whole.size, channels, None, rules))

    def _grown(self, op: Op, location: Location, name: str) -> Op:
        """Return an operation with what the repeats around it have multiplied so far.

        An item whose numbers became too large is at fault once: they only grow from turn to turn.
        """
        known = self._too_grown.get(location)
        if known is not None and all(self._factors.get(x, 1) >= n for x, n in known.items()):
            return op
        try:
            found = grown(op, tuple(self._factors.items()))
        except OpError as error:
            self._fault(location, name, "too_large", f"{op.keyword} '{name}': {error}")
            self._too_grown.setdefault(location, dict(self._factors))
            return op
        if found is not op:
            self.grown.add(len(self.nodes))
        return found

    def _container(
        self, item: Item, location: Location, scopes: tuple[str, ...], source: int
    ) -> int:
        name = item.name
        path = scopes[0] + name
        if name:
            self._check_name(name, location)
            scopes = (path + ".", *scopes)
            self._enter(scopes[0])
            self.given.enter_container(scopes[0], item)
        match item:
            case Sequence():
                output = self.body(item.layers, (*location, 0), scopes, source)
            case Repeat():
                output = self._repeat(item, location, scopes, source)
            case Residual():
                inner = self.body(item.layers, (*location, 0), scopes, source)
                around = self.body(item.shortcut, (*location, 1), scopes, source)
                output = self._merge(_JOINING["add"], name, scopes, (inner, around), location)
            case Parallel():
                output = self._parallel(item, location, scopes, source)
            case _:
                raise TypeError(f"{item!r} is no item of an architecture")
        if name and not (isinstance(item, Sequence) and self._continues(path, output)):
            self._alias(path, output, location)
        return output

    def _continues(self, path: str, output: int) -> bool:
        """Whether a sequence is a further part of an earlier one, whose path is now its output.

        Modules that a network enters in turn (``blocks.0``, ``downs.0``, ``blocks.1`` …) have no
        other order in which each layer comes after what it reads.
        """
        if path not in self._sequences:
            self._sequences[path] = None
            return False
        self.paths[path] = output
        return True

    def _repeat(
        self, item: Repeat, location: Location, scopes: tuple[str, ...], source: int
    ) -> int:
        around, nodes = self._factors, self.nodes
        i, read, before = 0, source, None
        while i < item.times:
            # Turns after which the map is that of before may come again.  The first one may be the
            # one that names what the others read.
            is_alike = i and nodes[source][4:6] == nodes[read][4:6]
            read, before = source, self._state(source) if is_alike else None
            self._steps -= 1
            if self._is_full:
                self._too_many(location)
                break
            if item.scale:
                self.is_plain = False
                self._factors = times_over(item.scale, i, around)
            prefix = f"{scopes[0]}{i}."
            self._enter(prefix)
            self.given.enter(prefix, item.layers)
            source = self.body(item.layers, (*location, 0), (prefix, *scopes), source)
            if item.name:
                self._alias(prefix[:-1], source, location)
            i += 1
            if before is not None and i < item.times and self._comes_again(before, source, item):
                turn = self._turn(before, prefix[:-1], source)
                if turn is not None:
                    copies = self._copied(turn, scopes[0], i, item.times)
                    source = turn.at(source, copies)
                    i += copies
        self._factors = around
        return source

    def _enter(self, scope: str) -> None:
        """Note that names are given within a scope; another item may have been there before."""
        if scope in self._entered:
            self._entered_again += 1
        self._entered[scope] = None

    @property
    def _growing(self) -> tuple[dict[str, Any], ...]:
        """What gets entries under the path of a turn."""
        given = self.given
        return self.paths, given.numbers, given.of_scope, self._sequences, self._entered

    @property
    def _growing_by_node(self) -> tuple[dict[int, int], ...]:
        """What gets entries about nodes."""
        return self.tokens, self.sized_by, self.weights_of

    def _state(self, source: int) -> State:
        """Return how much there is before a turn that reads a node."""
        unchanged = (
            *(len(self.faults), len(self.rules), len(self._numbers), len(self.grown)),
            *(self._reads, self._inset_reads, self._comparisons, self._entered_again),
        )
        counts = (*map(len, self._growing), *map(len, self._growing_by_node))
        return State(source, len(self.nodes), self._steps, counts, unchanged)

    def _comes_again(self, before: State, output: int, item: Repeat) -> bool:
        """Whether the next turn adds the same as the one that is done.

        It does if it reads the same and nothing was remarkable: no fault, no rule of a new size, no
        name of another item, no name that depends on the number of turns, and no number that was
        multiplied, as a number that two times itself leaves as it is stays so.
        """
        nodes, tokens, source = self.nodes, self.tokens, before.source
        if before.unchanged != self._state(source).unchanged:
            return False
        if nodes[output][4:6] != nodes[source][4:6] or (output in tokens) != (source in tokens):
            return False
        if output in tokens and nodes[tokens[output]][4:6] != nodes[tokens[source]][4:6]:
            return False
        known = self._have_plain_names.get(id(item.layers))
        if known is None:
            known = self._have_plain_names[id(item.layers)] = _have_plain_names(item.layers)
        return known

    def _turn(self, before: State, base: str, output: int) -> Turn | None:
        """Return what a turn added under its path; None: it added something elsewhere."""
        nodes, tokens = self.nodes, self.tokens
        source, start = before.source, before.nodes
        count = len(nodes) - start
        if output < start and (count or output != source):
            return None
        # What the turn reads of the one before it: by its place in the turn that comes next.
        places = {source: output - count}
        if source in tokens:
            places[tokens[source]] = tokens[output] - count
        by_path, by_node = [], []
        for found, known in zip(self._growing, before.counts, strict=False):
            added = [*islice(reversed(found.items()), len(found) - known)][::-1]
            if not all(key.startswith(base) for key, _ in added):
                return None
            by_path.append([(key[len(base) :], value) for key, value in added])
        for entries, known in zip(
            self._growing_by_node, before.counts[len(by_path) :], strict=True
        ):
            by_node.append([*islice(reversed(entries.items()), len(entries) - known)][::-1])
        if any(not x.name.startswith(base) for x in nodes[start:]):
            return None
        return Turn(len(base), start, count, before.steps - self._steps, places, by_path, by_node)

    def _copied(self, turn: Turn, scope: str, first: int, times: int) -> int:
        """Add the turns of a repeat from `first` on, as long as nothing is in the way of them.

        Returns
        -------
        int
            How many were added.
        """
        nodes, cut = self.nodes, turn.cut
        most = min(times - first, self._steps // turn.steps)
        if turn.count:
            most = min(most, (self._max_layers - len(nodes)) // turn.count)
        template = [
            (x.name[cut:], x, [turn.place(y) for y in x.inputs])
            for x in nodes[turn.start : turn.start + turn.count]
        ]
        paths, entered = self.paths, self._entered
        places = [(key, *turn.place(index)) for key, index in turn.by_path[0]]
        others = [
            (found, added)
            for found, added in zip(self._growing[1:], turn.by_path[1:], strict=True)
            if added
        ]
        about = [
            (entries, pairs)
            for entries, pairs in zip(self._growing_by_node, turn.by_node, strict=True)
            if pairs
        ]
        index, by = len(nodes), 0
        for number in range(most):
            base = f"{scope}{first + number}"
            by += turn.count
            new = {base + key: place + by if moves else place for key, place, moves in places}
            if f"{base}." in entered or not paths.keys().isdisjoint(new):
                return number
            give_way()
            for name, node, reads in template:
                inputs = tuple([x + by if moves else x for x, moves in reads])
                nodes.append(Node(index, base + name, node[2], inputs, *node[4:]))
                index += 1
            paths.update(new)
            for found, added in others:
                for key, value in added:
                    found[base + key] = set(value) if isinstance(value, set) else value
            for entries, pairs in about:
                for node_of, value in pairs:
                    entries[node_of + by] = turn.at(value, number + 1)
            self._steps -= turn.steps
        return max(most, 0)

    def _parallel(
        self, item: Parallel, location: Location, scopes: tuple[str, ...], source: int
    ) -> int:
        if not item.branches:
            self._fault(location, scopes[0], "no_branches", "parallel needs at least one branch")
            return source
        outputs = []
        for b, branch in enumerate(item.branches):
            inside = scopes
            if branch.name:
                self._check_name(branch.name, location)
                inside = (f"{scopes[0]}{branch.name}.", *scopes)
                self._enter(inside[0])
                self.given.enter(inside[0], branch.layers)
            output = self.body(branch.layers, (*location, b), inside, source)
            if branch.name:
                self._alias(inside[0][:-1], output, location)
            outputs.append(output)
        return self._merge(_JOINING[item.merge], item.name, scopes, tuple(outputs), location)

    def _merge(
        self,
        op: Op,
        name: str,
        scopes: tuple[str, ...],
        sources: tuple[int, ...],
        location: Location,
    ) -> int:
        keyword = op.keyword
        path = scopes[0] + (keyword if name else self.given.numbered(scopes[0], keyword))
        return self._node(path, op, sources, location)

    def _node(self, name: str, op: Op, sources: tuple[int, ...], location: Location) -> int:
        give_way()
        nodes = self.nodes
        if name in self.paths:
            self._used_twice(location, name, "layer")
            name = self._distinct(name)
        first = nodes[sources[0]]
        index = self.paths[name] = len(nodes)
        if type(op) in self._unchanged and len(sources) == 1:
            rules = identity_rules(first.size)
            nodes.append(
                Node(index, name, op, sources, first.size, first.channels, location, rules)
            )
            if self.tokens or type(op) is ops.Tokens:
                self._follow_tokens(op, index, location)
            return index
        if len(sources) > 1 or isinstance(op, EXPANDED):
            given = op, sources
            try:
                op, sources = self._expanded(op, sources, location, name)
            except OpError as error:  # what it would bring with it is too large
                self._fault(location, name, "too_large", f"{op.keyword} '{name}': {error}")
            self.is_plain = self.is_plain and op is given[0] and sources == given[1]
            first = nodes[sources[0]]
            index = self.paths[name] = len(nodes)
        channels = tuple([nodes[x].channels for x in sources])
        rules = self._rules_of(op, first.size, location, name)
        size = tuple([rule.n_out for rule in rules])
        try:
            out_channels = op.output_channels(channels, first.size)
        except OpError as error:
            self._fault(location, name, "channels", f"{op.keyword} '{name}': {error}")
            out_channels = channels[0]
        if excess := excess_of_channels(out_channels):
            self._fault(location, name, "too_large", f"{op.keyword} '{name}': {excess}")
            out_channels = channels[0]
        if 0 in size and 0 not in first.size:
            self._fault(
                location,
                name,
                "empty_output",
                f"the output of '{name}' would be empty: its input is only "
                + "×".join(map(str, first.size))
                + "; use a larger input, a smaller kernel or more padding",
            )
        nodes.append(Node(index, name, op, sources, size, out_channels, location, rules))
        if self.tokens:
            self._follow_tokens(op, index, location)
        return index

    def _expanded(
        self, op: Op, sources: tuple[int, ...], location: Location, name: str
    ) -> tuple[Op, tuple[int, ...]]:
        """Return what an operation becomes, and its sources, which may be layers that it brings."""
        faults = len(self.faults)
        if isinstance(op, ops.Custom):
            op, sources = self._as_declared(op, sources, location, name)
        elif isinstance(op, ops.DeformConv):
            op, sources = self._deformed(op, sources, location, name)
        elif isinstance(op, ops.CrossAttention):
            op, sources = self._across(op, sources, location, name)
        elif isinstance(op, ops.Attention) and len(sources) == 1:
            if op.causal and len(op.along(len(self.nodes[sources[0]].size))) > 1:
                op, sources = self._in_order(op, sources[0], name)
            elif sources[0] in self.tokens:
                op, sources = self._with_tokens(op, sources[0], name)
        elif isinstance(op, ops.DotProductAttention) and len(sources) == 1:
            if sources[0] in self.tokens and op.window_size is None:
                op, sources = self._with_tokens(op, sources[0], name)
        elif isinstance(op, ops.Concat) and op.axis is not None:
            op, sources = self._along_axis(op, op.axis, sources, location, name)
        else:
            sources = self._of_one_shape(op, sources, location, name)
        if len(sources) > 1 and len(self.faults) == faults:
            self._check_sources(op, sources, location, name)
        return op, sources

    def _rules_of(self, op: Op, sizes: tuple[int, ...], location: Location, name: str) -> AxisRules:
        # Operations are shared by the copies of a repeat and by versions of a document, and
        # outlive this expansion, so their identity is a key: hashing them costs more than the
        # rule.  Only keys of living operations are handed on.
        key = (id(op), sizes)
        rules = self.rules.get(key)
        if rules is None:
            self._sizes.add(sizes)
            if refusal := self._refusals.get(key):
                self._fault(location, name, "wrong_axes", f"{op.keyword} '{name}': {refusal}")
                return identity_rules(sizes)
            try:
                self._count_reads(op, sizes)
                rules = self._known_rules.get(key)
                # A layer that has rules may still not fit a size: that is reported every time.
                if rules is not None and not op.misfit(sizes):
                    self.rules[key] = rules
                    return rules
                rules = axis_rules(op, sizes, batch_norm_training=self._batch_norm_training)
            except OpError as error:
                self._refusals[key] = str(error)
                self._fault(location, name, "wrong_axes", f"{op.keyword} '{name}': {error}")
                return identity_rules(sizes)
            self.rules[key] = rules
            if misfit := op.misfit(sizes):
                self._misfits[key] = misfit
        if key in self._misfits:
            # Also where another layer has the same operation, as equal ones in a file have.
            message = f"{op.keyword} '{name}': {self._misfits[key]}"
            self._fault(location, name, "wrong_size", message)
        return rules

    def _count_reads(self, op: Op, sizes: tuple[int, ...]) -> None:
        """Refuse patterns that are too much together, though each of them is within bounds."""
        if is_patternless(op):
            return
        if excess := excess_of(op, sizes):
            raise OpError(excess)
        reads = sum(reads for _, reads in op.demands(sizes))
        if self._reads + reads > MAX_READS:
            raise OpError(
                f"it reads {reads:,} positions before its pattern repeats; those of all layers "
                f"together may be {MAX_READS:,}, so use smaller maps"
            )
        self._reads += reads

    def _of_one_shape(
        self, op: Op, sources: tuple[int, ...], location: Location, name: str
    ) -> tuple[int, ...]:
        """Return the sources of a sum or a product, spread to one shape as torch does it."""
        if not isinstance(op, Merge) or op.joins_channels:
            return sources
        nodes = self.nodes
        shapes = [(nodes[x].channels, nodes[x].size) for x in sources]
        common = None if len(set(shapes)) == 1 else ops.common_shape(shapes)
        if common is None or 0 in (common[0], *common[1]):
            return sources
        spread = spread_to(*common)
        if any(self._excess(spread, x, op, location, name) for x in sources):
            return sources
        found: dict[int, int] = {}
        for source, shape in zip(sources, shapes, strict=True):
            if source in found:
                continue
            found[source] = source
            if shape != common:
                found[source] = self._before(name, spread, source, common[0])
        return tuple([found[x] for x in sources])

    def _as_declared(
        self, op: ops.Custom, sources: tuple[int, ...], location: Location, name: str
    ) -> tuple[Op, tuple[int, ...]]:
        """Return what joins the maps of a declared operation, and what reads each of them."""
        if len(sources) == 1 and op.sources is None:
            return op, sources
        if op.sources is not None and len(op.sources) != len(sources):
            message = (
                f"{op.keyword} '{name}' says what it reads of {len(op.sources)} sources, but has "
                f"{len(sources)}"
            )
            self._fault(location, name, "sources", message, "sources")
            return op, sources
        channels = op.out_channels or self.nodes[sources[0]].channels
        if len(sources) == 1:
            own = op.of_source(0, channels)
            given = replace(own, out_channels=op.out_channels, parameters=op.parameters)
            return known_op(given), sources
        readers = [known_op(op.of_source(i, channels)) for i in range(len(sources))]
        faults = len(self.faults)
        for reader, source in zip(readers, sources, strict=True):
            self._rules_of(reader, self.nodes[source].size, location, name)
        if len(self.faults) > faults:
            return op, sources
        parts = [
            self._before(name, reader, source, channels)
            for reader, source in zip(readers, sources, strict=True)
        ]
        return known_op(ops.CustomMerge(op.label, op.parameters)), tuple(parts)

    def _deformed(
        self, op: ops.DeformConv, sources: tuple[int, ...], location: Location, name: str
    ) -> tuple[Op, tuple[int, ...]]:
        """Return what reads offsets and a mask, and its sources, the first what taps may read."""
        first, *others = [self.nodes[x] for x in sources]
        if len(others) > 2:
            message = (
                f"{op.keyword} '{name}' reads a map, its offsets and, if there is one, a mask, as "
                "in from: [x, offset, mask]"
            )
            self._fault(location, name, "sources", message, "from")
            return op, sources
        faults = len(self.faults)
        taps = known_op(op.taps())
        size = tuple([x.n_out for x in self._rules_of(taps, first.size, location, name)])
        if 0 in size:  # which is a fault of its own
            return op, sources[:1]
        try:
            channels = op.output_channels((first.channels,), first.size)
            moved = op.moved(first.channels, [x.channels for x in others], len(size))
        except OpError as error:
            self._fault(location, name, "channels", f"{op.keyword} '{name}': {error}")
            return op, sources
        for other in others:
            if other.size != size:
                message = (
                    f"{op.keyword} '{name}' needs offsets and a mask of the size of its own map, "
                    f"{'×'.join(map(str, size))}, but '{other.name}' has "
                    f"{shape_text(other.channels, other.size)}"
                )
                self._fault(location, name, "shape_mismatch", message)
        if len(self.faults) > faults:
            return op, sources
        read = self._before(name, taps, sources[0], channels)
        return known_op(moved), (read, *sources[1:])

    def _across(
        self, op: ops.CrossAttention, sources: tuple[int, ...], location: Location, name: str
    ) -> tuple[Op, tuple[int, ...]]:
        """Return cross-attention, and its sources: what asks, and all keys for each position."""
        if len(sources) != 2:
            if not self.faults or self.faults[-1].location != location:
                message = (
                    f"{op.keyword} '{name}' reads two maps, what asks and what has the keys, as in "
                    "from: [query, key]"
                )
                self._fault(location, name, "sources", message, "from")
            return op, sources
        asking, key = (self.nodes[x] for x in sources)
        if 0 in (*asking.size, *key.size):  # an empty map has a fault of its own
            return op, sources
        held = prod(key.size) * key.channels
        spread = spread_to(held, asking.size)
        if self._excess(spread, sources[0], op, location, name):
            return op, sources
        flat = self._before(name, known_op(ops.Flatten()), key.index, held)
        keys = self._before(name, spread, flat, held)
        return known_op(op.to(key.channels, prod(key.size))), (asking.index, keys)

    def _in_order(self, op: ops.Attention, source: int, name: str) -> tuple[Op, tuple[int, ...]]:
        """Return causal attention in the order of rows, and its sources: see `CausalAttending`."""
        size, channels = self.nodes[source].size, self.nodes[source].channels
        along = op.along(len(size))
        if 0 in size or op.misfit(size):
            return op, (source,)
        sources = [source]
        for i, axis in enumerate(along):
            later, read = along[i + 1 :], source
            if later:  # not its own sample, but those before it
                pairs = tuple([(1, -1) if x == axis else (0, 0) for x in range(len(size))])
                read = self._before(name, known_op(ops.Pad(padding=pairs)), read, channels)
            held = channels * prod([size[x] for x in (axis, *later)])
            before = known_op(ops.Before(axis, later or None, i == 0))
            read = self._before(name, before, read, held)
            if later:
                read = self._before(name, spread_to(held, size), read, held)
            sources.append(read)
        keys = prod([size[x] for x in along])
        return known_op(ops.CausalAttending(op.heads, along, keys)), tuple(sources)

    def _follow_tokens(self, op: Op, index: int, location: Location) -> None:
        """Add beside a layer what it does to tokens without a position, if its input has such."""
        self.is_plain = False
        try:
            self._followed(op, self.nodes[index])
        except OpError as error:  # what it would read is too large
            name = self.nodes[index].name
            self._fault(location, name, "too_large", f"{op.keyword} '{name}': {error}")

    def _followed(self, op: Op, node: Node) -> None:
        """Add what a layer does to tokens, if there are some.

        Raises
        ------
        OpError
            If what is put before it has too many channels.
        """
        nodes, index = self.nodes, node.index
        if isinstance(op, ops.Tokens):
            if op.extra and node.size and 0 not in node.size:
                extra = known_op(ops.ExtraTokens(op.extra, op.position_embedding))
                self.tokens[index] = self._beside(node, extra, (0,), nodes[0].size)
            return
        theirs = [self.tokens.get(x) for x in node.inputs]
        among = isinstance(op, ops.CrossAttending | ops.DotProductAttending) and len(op.parts) > 1
        if among and theirs[0] is not None:
            asking = nodes[theirs[0]]
            keys = nodes[node.inputs[1]].inputs[0]
            held = nodes[keys].channels
            spread = self._before(node.name, spread_to(held, asking.size), keys, held)
            read: tuple[int, ...] = (asking.index, spread)
            if isinstance(op, ops.CrossAttending):
                op = known_op(replace(op, keys_known=True))
        elif None in theirs or not goes_by_position(op):
            return
        else:
            read = tuple([x for x in theirs if x is not None])
        beside = self.tokens[index] = self._beside(node, op, read, nodes[read[0]].size)
        self.weights_of[beside] = self.weights_of.get(index, index)

    def _beside(self, node: Node, op: Op, sources: tuple[int, ...], size: tuple[int, ...]) -> int:
        """Add a layer for the tokens beside a node and return its index."""
        path = f"{node.name}.extra"
        if path in self.paths:
            path = self._distinct(path)
        index = self.paths[path] = len(self.nodes)
        key = (id(op), size)
        rules = self.rules.setdefault(key, self._known_rules.get(key) or axis_rules(op, size))
        out = tuple([x.n_out for x in rules])
        self.nodes.append(Node(index, path, op, sources, out, node.channels, None, rules))
        return index

    def _with_tokens(
        self, op: ops.Attention | ops.DotProductAttention, source: int, name: str
    ) -> tuple[Op, tuple[int, ...]]:
        """Return attention to all positions and tokens, and its sources."""
        here, beside = (self.nodes[x] for x in (source, self.tokens[source]))
        is_partial = isinstance(op, ops.Attention) and (op.axes is not None or op.causal)
        if 0 in here.size or is_partial:
            return op, (source,)
        flat = [
            self._before(name, known_op(ops.Flatten()), x.index, x.channels * prod(x.size))
            for x in (here, beside)
        ]
        held = sum(self.nodes[x].channels for x in flat)
        if excess := excess_of_channels(held):
            raise OpError(excess)
        path = (
            self._distinct(f"{name}.concat") if f"{name}.concat" in self.paths else f"{name}.concat"
        )
        keys = self.paths[path] = len(self.nodes)
        one = self.nodes[flat[0]]
        rules = identity_rules(one.size)
        self.nodes.append(
            Node(keys, path, _JOINING["concat"], tuple(flat), one.size, held, None, rules)
        )
        spread = self._before(name, spread_to(held, here.size), keys, held)
        parts = (prod(here.size), prod(beside.size))
        attending: Op = ops.CrossAttending(op.heads, here.channels, parts)
        if isinstance(op, ops.DotProductAttention):
            attending = ops.DotProductAttending(op.heads, op.stacked, parts)
        return known_op(attending), (source, spread)

    def _along_axis(
        self, op: ops.Concat, axis: int, sources: tuple[int, ...], location: Location, name: str
    ) -> tuple[Op, tuple[int, ...]]:
        """Return what joins maps along an axis, and the insets through which it reads them."""
        shapes = [(self.nodes[x].channels, self.nodes[x].size) for x in sources]
        found = op.insets(shapes)
        if isinstance(found, str):
            first, other = next(
                ((a, b) for a, b in pairwise(sources) if self.nodes[a][4:6] != self.nodes[b][4:6]),
                sources[:2],
            )
            shown = [
                f"'{x.name}' has {shape_text(x.channels, x.size)}"
                for x in (self.nodes[first], self.nodes[other])
            ]
            message = f"{op.keyword} '{name}': {found}; {shown[0]}, {shown[1]}"
            self._fault(location, name, "shape_mismatch", message)
            return op, sources
        insets = [known_inset(x) for x in found]
        pairs = list(zip(insets, sources, strict=True))
        if any(self._excess(x, source, op, location, name) for x, source in pairs):
            return op, sources
        # Each inset lists all positions of the joint map: many maps of many samples are too much.
        demands = [x.demands(self.nodes[source].size) for x, source in pairs]
        self._inset_reads += sum(reads for axes in demands for _, reads in axes)
        if self._inset_reads > MAX_INSET_READS:
            message = (
                f"{op.keyword} '{name}': too many or too long maps are joined along an axis; "
                f"their patterns together may have {MAX_INSET_READS:,} reads"
            )
            self._fault(location, name, "too_large", message)
            return op, sources
        parts = [
            self._before(name, inset, source, self.nodes[source].channels)
            for inset, source in pairs
        ]
        return joined_along(axis), tuple(parts)

    def _excess(self, brought: Op, source: int, op: Op, location: Location, name: str) -> bool:
        """Whether what a merge brings with it is too large for a source, which is a fault."""
        excess = excess_of(brought, self.nodes[source].size)
        if excess:
            self._fault(location, name, "too_large", f"{op.keyword} '{name}': {excess}")
        return bool(excess)

    def _before(self, name: str, op: Op, source: int, channels: int) -> int:
        """Add what an item brings with it between a source and itself, and return its index.

        Raises
        ------
        OpError
            If its map would have too many channels.
        """
        if excess := excess_of_channels(channels):
            raise OpError(excess)
        nodes, size = self.nodes, self.nodes[source].size
        path = f"{name}.{op.keyword}"
        if path in self.paths:
            path = self._distinct(path)
        index = self.paths[path] = len(nodes)
        key = (id(op), size)
        rules = self._known_rules.get(key) or axis_rules(op, size)
        rules = self.rules.setdefault(key, rules)
        out = tuple([x.n_out for x in rules])
        nodes.append(Node(index, path, op, (source,), out, channels, None, rules))
        return index

    def _check_sources(
        self, op: Op, sources: tuple[int, ...], location: Location, name: str
    ) -> None:
        if not isinstance(op, Merge):
            self._fault(
                location,
                name,
                "one_input",
                f"{op.keyword} reads one layer, not {len(sources)}; "
                "join them first with add or concat",
                "from",
            )
            return
        first, *others = [self.nodes[x] for x in sources]
        for other in others:
            fits = op.joins_channels or other.channels == first.channels
            if fits and other.size == first.size:
                continue
            self._fault(
                location,
                name,
                "shape_mismatch",
                f"{op.keyword} '{name}' joins maps of one "
                f"{'size' if op.joins_channels else 'shape'}, but '{first.name}' has "
                f"{shape_text(first.channels, first.size)} and '{other.name}' "
                f"{shape_text(other.channels, other.size)}",
            )

    def _source(
        self,
        wanted: str,
        scopes: tuple[str, ...],
        location: Location,
        name: str,
        fallback: int,
        parameter: str,
    ) -> int:
        if wanted == INPUT:
            return 0
        for prefix in scopes:
            index = self.paths.get(prefix + wanted)
            if index is not None:
                return index
        names = self._names_in(scopes, wanted)
        near = nearest(wanted, names, self._likeness.setdefault(wanted, {})) if names else None
        hint = f"; did you mean '{near}'?" if near else ""
        self._fault(
            location,
            name,
            "unknown_source",
            f"'{name}' {READING[parameter]} '{wanted}', but no layer of that name comes before it"
            + hint,
            parameter,
        )
        return fallback

    def _names_in(self, scopes: tuple[str, ...], wanted: str) -> list[str]:
        """Return names that `wanted` may be a slip of, while the budget for comparing lasts."""
        if self._comparisons <= 0 or len(wanted) > _MAX_SLIP:
            return []
        names = [
            path.removeprefix(prefix)
            for prefix in dict.fromkeys(scopes)
            for path in self.paths
            if path.startswith(prefix) and len(path) - len(prefix) <= _MAX_SLIP
        ]
        names = names[-self._comparisons :]
        self._comparisons -= len(names)
        return names

    def _alias(self, path: str, index: int, location: Location) -> None:
        if path in self.paths:
            self._used_twice(location, path, "container")
            return
        self.paths[path] = index
        if index in self.tokens:
            self.paths.setdefault(f"{path}.extra", self.tokens[index])

    def _used_twice(self, location: Location, path: str, what: str) -> None:
        text = f"the path '{path}' is used twice; give this {what} another name"
        self._fault(location, path, "duplicate_name", text)

    def _distinct(self, name: str) -> str:
        number = self._numbers.get(f"{name}~", 2)
        while f"{name}~{number}" in self.paths:
            number += 1
        self._numbers[f"{name}~"] = number + 1
        return f"{name}~{number}"

    def _check_name(self, name: str, location: Location) -> None:
        if name == INPUT or "." in name:
            text = f"'{name}' is not allowed as a name: it must not be 'input' or contain a dot"
            self._fault(location, name, "bad_name", text, "name")

    @property
    def _is_full(self) -> bool:
        """Whether no more layers are added."""
        is_long = self._steps < 0 or len(self.nodes) > self._max_layers
        return is_long or len(self._sizes) > MAX_SIZES

    @property
    def is_cut(self) -> bool:
        """Whether layers were left out."""
        return any(x.code == "too_many_layers" for x in self.faults)

    def _too_many(self, location: Location) -> None:
        if self.is_cut:
            return
        limit = f"{self._max_layers:,} layers"
        if len(self._sizes) > MAX_SIZES:
            limit = f"{MAX_SIZES:,} maps of different sizes"
        live = "" if self._max_layers == MAX_LAYERS else ", as it is too large to show live"
        message = f"the network has more than {limit}; the rest is left out{live}"
        self._fault(location, "", "too_many_layers", message)

    def _fault(
        self, location: Location, node: str, code: str, message: str, parameter: str = ""
    ) -> None:
        self.is_plain = self.is_plain and code in _FAULTS_OF_ONE
        # The turns of a repeat have the same fault as often as there are turns.
        times = self._times_said.get((location, code), 0)
        self._times_said[location, code] = times + 1
        if times < MAX_OF_ONE_FAULT:
            self.faults.append(Fault(location, node, code, message, parameter))
        else:
            self.is_plain = False
