"""Gives a network the outputs that a task needs, with as few changes as possible."""

from __future__ import annotations

from dataclasses import replace

from rfstudio.core.errors import GraphError
from rfstudio.core.network.architecture import Architecture, Item, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops import Conv, GlobalAvgPool, Linear, Op, Upsample

_PER_PIXEL, _CLASSES, _SIZE = "per_pixel", "classes", "to_input_size"


def with_outputs(
    architecture: Architecture, classes: int, *, per_pixel: bool
) -> tuple[Architecture, str]:
    """Return a network with an output for each class, and what was changed in words.

    Parameters
    ----------
    architecture
        Any network with one output map.
    classes
        How many outputs there are to be.
    per_pixel
        Whether there are to be outputs at each pixel of the image: without enough positions at the
        end, the last layers that have none are left out.  Otherwise one set for the image.

    Returns
    -------
    (Architecture, str)
        The words are empty if it has these outputs already.

    Raises
    ------
    GraphError
        If no map of it has positions, where outputs at each pixel are needed.
    """
    graph = expand(architecture)
    last = graph.nodes[-1]
    size = graph.nodes[0].size
    if per_pixel:
        if last.size == size and last.channels == classes:
            return architecture, ""
        return _per_pixel(architecture, graph, classes)
    if all(n == 1 for n in last.size) and last.channels == classes:
        return architecture, ""
    return _for_image(architecture, last, classes)


def _per_pixel(architecture: Architecture, graph: Graph, classes: int) -> tuple[Architecture, str]:
    size = graph.nodes[0].size
    ends = _ends(graph)
    with_positions = [i for i, node in ends.items() if all(n > 1 for n in node.size)]
    if not with_positions:
        raise GraphError("no layer of the network has positions, so none can tell pixels apart")
    place = with_positions[-1]
    layers, changes = list(architecture.layers[: place + 1]), []
    if place + 1 < len(architecture.layers):
        dropped = [ends[i].name for i in ends if i > place]
        changes.append(f"without {', '.join(dropped)}")
    if ends[place].channels != classes:
        _add(layers, Conv(kernel_size=1, out_channels=classes), _PER_PIXEL)
        changes.append(f"with a convolution to {classes} outputs")
    if ends[place].size != size:
        mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(size)]
        _add(layers, Upsample(size=size, mode=mode), _SIZE)
        changes.append("interpolated to the size of the image")
    return replace(architecture, layers=tuple(layers)), ", ".join(changes)


def _for_image(architecture: Architecture, last: Node, classes: int) -> tuple[Architecture, str]:
    layers = list(architecture.layers)
    item = layers[-1] if layers else None
    words = f"with {classes} outputs"
    if isinstance(item, Layer) and isinstance(item.op, Linear):
        layers[-1] = replace(item, op=replace(item.op, out_features=classes), weights_of="")
        return replace(architecture, layers=tuple(layers)), words
    if any(n > 1 for n in last.size):
        _add(layers, GlobalAvgPool(), "average")
        words = f"with the mean over all positions and {classes} outputs of it"
    _add(layers, Linear(out_features=classes), _CLASSES)
    return replace(architecture, layers=tuple(layers)), words


def _ends(graph: Graph) -> dict[int, Node]:
    """Return the node that each item of the file ends with."""
    return {x.location[0]: x for x in graph.nodes if x.location}


def _add(layers: list[Item], op: Op, name: str) -> None:
    taken = {x.name for x in layers}
    while name in taken:
        name += "_"
    layers.append(Layer(op, name))
