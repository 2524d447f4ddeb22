"""Another input as the first one, with respect to which effective fields are."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches

from rfstudio.core.errors import GraphError
from rfstudio.core.network.architecture import (
    INPUT,
    Architecture,
    Input,
    Item,
    Layer,
    with_bodies,
)
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph
from rfstudio.core.ops import Identity


def input_names(architecture: Architecture) -> tuple[str, ...]:
    """Return the names of all inputs, the first one's first."""
    further = tuple([x.name for x in architecture.further_inputs])
    return (architecture.input_name or INPUT, *further)


def resized(architecture: Architecture, size: tuple[int, ...]) -> Architecture:
    """Return a network with another size of its first input, and the others in proportion."""
    sizes = architecture.sizes_of_inputs(size)
    further = zip(architecture.further_inputs, sizes, strict=True)
    others = tuple([replace(x, size=n) for x, n in further])
    return replace(architecture, input_size=size, further_inputs=others)


def with_first_input(
    architecture: Architecture, name: str, size: tuple[int, ...] | None = None
) -> Architecture:
    """Return the same network with another input as its first one.

    Layers have the same names and read the same; an identity that reads the former first input
    comes before them, since the first layer reads the item before it.

    Parameters
    ----------
    architecture
        The network.
    name
        The input; "input" is the first one.
    size
        Size of the first input along each axis; None: the document's own.

    Raises
    ------
    GraphError
        If there is no such input.
    """
    if size is not None:
        architecture = resized(architecture, size)
    names = input_names(architecture)
    if name in (INPUT, names[0]):
        return architecture
    if name not in names:
        near = get_close_matches(name, names, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        raise GraphError(f"there is no input '{name}' among {', '.join(names)}{hint}")
    former, others = names[0], list(architecture.further_inputs)
    (chosen,) = (x for x in others if x.name == name)
    first = Input(former, architecture.input_size, architecture.channels)
    graph = expand(architecture)
    apart = f"{former}_as_read"
    while apart in graph.paths:
        apart += "_"
    layers = tuple([_reading(x, former) for x in architecture.layers])
    result = replace(
        architecture,
        input_size=chosen.size,
        channels=chosen.channels,
        input_name=name,
        input_axes=(),
        further_inputs=(first, *[x for x in others if x is not chosen]),
        layers=(Layer(Identity(), apart, (former,)), *layers),
    )
    if _connections(graph, former) != _connections(expand(result), name, apart):
        raise GraphError(
            f"'{name}' cannot be the first input: a layer has the name of an input; rename it"
        )
    return result


def _reading(item: Item, former: str) -> Item:
    """Return an item that calls the first input by its own name."""
    if isinstance(item, Layer):
        names = item.names_read
        if INPUT not in names:
            return item
        return item.reading(tuple([former if x == INPUT else x for x in names]))
    bodies = tuple([tuple([_reading(x, former) for x in body]) for body in item.bodies])
    return with_bodies(item, bodies)


def _connections(graph: Graph, first: str, apart: str = "") -> dict[str, tuple[str, ...]]:
    """Return what each layer reads, by names; what only passes on the former first input is it."""
    names = [first, *[x.name for x in graph.nodes[1:]]]
    if apart in graph.paths:
        index = graph.paths[apart]
        names[index] = names[graph.nodes[index].inputs[0]]
    return {
        names[x.index]: tuple([names[i] for i in x.inputs])
        for x in graph.nodes
        if x.location is not None and x.name != apart
    }
