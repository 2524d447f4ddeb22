"""Finds problems between the layers of a file, with their places in the file."""

from __future__ import annotations

from collections.abc import Iterator

from rfstudio.core.network.architecture import (
    Architecture,
    Item,
    Layer,
    Location,
    Repeat,
    item_at,
    walk,
)
from rfstudio.core.network.expansion import MAX_LAYERS, READING, expand
from rfstudio.core.network.graph import Fault, Graph
from rfstudio.formats.networks.bounded_yaml import Listing, Mark, Problems, Scalar
from rfstudio.formats.networks.item_reader import ItemReader
from rfstudio.formats.networks.wording import short

_NAME_CODES = ("unknown_source", "later_source")

_MOST_OF_REFUSED = 5000
"""Layers that are checked of a file that has other problems; more take seconds."""


def add_graph_problems(architecture: Architecture, reader: ItemReader, problems: Problems) -> None:
    """Note the problems between the layers, unless other problems make them uncertain."""
    total = _layers_after_repeat(architecture.layers)
    if total > MAX_LAYERS:
        mark = _place_of_excess(architecture, reader)
        problems.add(mark, f"{total:,} layers after repeat; at most {MAX_LAYERS:,} are read")
        return
    most = _MOST_OF_REFUSED if problems else MAX_LAYERS
    graph = expand(architecture, max_layers=most)
    if not graph.faults:
        return
    uncertain = _uncertain_nodes(architecture, graph, reader)
    seen: set[tuple[Location, str, str]] = set()
    for fault in graph.faults:
        # The copies of a repeat have the same fault at the same place.
        key = (fault.location, fault.code, fault.parameter)
        if fault.code in _NAME_CODES:
            key = (fault.location, fault.code, _missing_name(architecture, fault))
            if not reader.is_certain(key[2]):
                continue
        elif fault.code == "too_many_layers" and most < MAX_LAYERS:
            later = (
                f"layers after the first {most:,} are checked when the other problems are solved"
            )
            problems.add(reader.places[fault.location].mark, later)
            continue
        elif fault.code == "duplicate_name":
            if "name" not in reader.places[fault.location].fields and fault.node in uncertain:
                continue
        elif fault.node in uncertain or reader.places[fault.location].is_stand_in:
            continue
        if key not in seen:
            seen.add(key)
            problems.add(_mark_of(fault, reader), _message(fault, graph, key[2]))


def _layers_after_repeat(items: tuple[Item, ...]) -> int:
    total = 0
    for item in items:
        if isinstance(item, Layer):
            total += 1
            continue
        inner = max(1, sum(_layers_after_repeat(body) for body in item.bodies))
        total += inner * item.times if isinstance(item, Repeat) else inner
    return total


def _place_of_excess(architecture: Architecture, reader: ItemReader) -> Mark:
    mark = Mark()
    for location, item in walk(architecture):
        if isinstance(item, Repeat) and _layers_after_repeat((item,)) > MAX_LAYERS:
            mark = reader.places[location].fields["times"][1].mark
    return mark


def _uncertain_nodes(architecture: Architecture, graph: Graph, reader: ItemReader) -> set[str]:
    """Return the nodes that are, or read from, an item with a problem of its own."""
    stand_ins = {place for place, x in reader.places.items() if x.is_stand_in}
    stand_ins |= {x.location for x in graph.faults if x.parameter == "size_of"}
    if not architecture.input_size:
        return {node.name for node in graph.nodes}
    uncertain: set[int] = set()
    for node in graph.nodes:
        if node.location in stand_ins or not uncertain.isdisjoint(node.inputs):
            uncertain.add(node.index)
    return {graph.nodes[x].name for x in uncertain}


def _missing_name(architecture: Architecture, fault: Fault) -> str:
    """Return the name, among those that a layer reads, to which a fault belongs."""
    layer = item_at(architecture, fault.location)
    names = layer.names_read if isinstance(layer, Layer) else ()
    return next((x for x in names if f" '{x}'" in fault.message), "")


def _message(fault: Fault, graph: Graph, name: str) -> str:
    if fault.code not in _NAME_CODES or not name:
        return fault.message
    later = [scope + name for scope in _scopes(fault.node) if scope + name in graph.paths]
    if fault.node in later:
        return f"'{short(fault.node)}' reads itself; it can only read what comes before it"
    if later:
        verb = READING[fault.parameter]
        return (
            f"'{short(fault.node)}' {verb} '{short(name)}', which comes later in the file;"
            " a layer can only read what comes before it"
        )
    return fault.message


def _scopes(path: str) -> Iterator[str]:
    """Yield the prefixes that names in the scope of a path may have, the innermost first."""
    while "." in path:
        path = path.rpartition(".")[0]
        yield f"{path}."
    yield ""


def _mark_of(fault: Fault, reader: ItemReader) -> Mark:
    place = reader.places[fault.location]
    is_from = fault.parameter == "from" and "from" in place.fields
    if fault.code in _NAME_CODES or is_from:
        node = place.fields[fault.parameter][1]
        entries = node.items if isinstance(node, Listing) else (node,)
        for entry in entries:
            if isinstance(entry, Scalar) and f" '{entry.text}'" in fault.message:
                return entry.mark
        return node.mark
    if fault.parameter in place.fields:
        return place.fields[fault.parameter][1].mark
    if fault.code == "duplicate_name" and "name" in place.fields:
        return place.fields["name"][1].mark
    return place.mark
