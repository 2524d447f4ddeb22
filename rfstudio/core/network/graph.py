"""The flat graph of a network: its layers in order, with sizes and channels of every node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from rfstudio.core.axes.axis_rule import AxisRules
from rfstudio.core.errors import UnknownLayerError
from rfstudio.core.network.architecture import Architecture, Location
from rfstudio.core.network.graph_wording import unknown_layer_text
from rfstudio.core.ops import Op


class Node(NamedTuple):
    """One layer of the flat graph.

    Attributes
    ----------
    index
        Its place in `Graph.nodes`, which is a topological order.
    name
        Its path, such as ``layer1.0.conv1``.
    op
        What it does; None for the network's input.
    inputs
        Indices of the nodes that it reads.
    size
        Size of its map along each axis, in samples; 0 where nothing is left.
    channels
        Number of channels of its map.
    location
        The item of the document that it comes from; None for the network's input, and for what
        an item of a document brings with it, such as the broadcast before a sum.
    rules
        For each axis, how its map depends on the maps that it reads.
    """

    index: int  # type: ignore[assignment]  # hides a method of tuples that nobody needs
    name: str
    op: Op | None
    inputs: tuple[int, ...]
    size: tuple[int, ...]
    channels: int
    location: Location | None
    rules: AxisRules


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the document that has no meaning; the graph is usable all the same.

    Attributes
    ----------
    location
        The item at fault.
    node
        Path of the layer at fault, as far as it is known.
    code
        A word for programs: unknown_source, duplicate_name, shape_mismatch …
    message
        A sentence for people, with a remedy where there is one.
    parameter
        The parameter at fault, if it is one.
    """

    location: Location
    node: str
    code: str
    message: str
    parameter: str = ""


class Form(NamedTuple):
    """A document, and how many layers it was allowed to have when it was expanded."""

    document: Architecture
    max_layers: int


@dataclass(frozen=True, slots=True)
class Graph:
    """All layers of a network, in an order in which each comes after what it reads.

    Attributes
    ----------
    nodes
        The layers; the first one is the network's input.
    paths
        For each layer and container path the index of the node that is its output.
    faults
        What in the document has no meaning.
    known_rules
        The rules of each operation object at each input size, for the next expansion.
    sized_by
        For each node that takes the size of its map from another one, the index of that.
    weights_of
        For each node that has the weights of another one, the index of that.
    grown
        The nodes whose operation is not that of their item, as a `repeat` multiplies its numbers.
    form
        What it was expanded from, if each node is what its item says: then a document of the same
        form has the same nodes, apart from sizes and channels.  Otherwise None.
    """

    nodes: tuple[Node, ...]
    paths: Mapping[str, int]
    faults: tuple[Fault, ...]
    known_rules: Mapping[tuple[int, tuple[int, ...]], AxisRules] = field(
        default_factory=dict, repr=False, compare=False
    )
    sized_by: Mapping[int, int] = field(default_factory=dict)
    weights_of: Mapping[int, int] = field(default_factory=dict)
    grown: frozenset[int] = frozenset()
    form: Form | None = field(default=None, repr=False, compare=False)

    def index(self, path: str) -> int:
        """Return the index of the node that is the output of a layer or container.

        Raises
        ------
        UnknownLayerError
            If there is none; the message names the nearest path.
        """
        try:
            return self.paths[path]
        except KeyError:
            raise UnknownLayerError(unknown_layer_text(path, self.paths)) from None

    def ancestors(self, target: int) -> tuple[int, ...]:
        """Return the indices of all nodes that a node depends on, the input and its own, rising."""
        wanted = {0, target}
        for index in range(target, 0, -1):
            if index in wanted:
                wanted.update(self.nodes[index].inputs)
        return tuple(sorted(wanted))

    def __reduce__(self) -> tuple[Callable[..., Graph], tuple[object, ...]]:
        # Read-only mappings cannot be pickled.  Known rules are left out, since their keys are
        # identities of operations, which are others in another process.
        plain = dict(self.paths), self.faults, dict(self.sized_by), self.grown
        return _graph_again, (self.nodes, *plain)


def _graph_again(
    nodes: tuple[Node, ...],
    paths: dict[str, int],
    faults: tuple[Fault, ...],
    sized_by: dict[int, int],
    grown: frozenset[int],
) -> Graph:
    """Return a graph from what was pickled of it."""
    return Graph(
        nodes, MappingProxyType(paths), faults, sized_by=MappingProxyType(sized_by), grown=grown
    )
