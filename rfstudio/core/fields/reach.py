"""Layers that have no field, and the errors that explain why.

A network that is being edited need not make sense: a map on the way may be empty, branches may not
fit.  Nothing passes through an empty map, even if later padding enlarges it; and where a formula
fails on a network with faults, the fault is the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rfstudio.core.errors import RFStudioError, TooLargeError, UnitError
from rfstudio.core.network.graph import Graph
from rfstudio.core.ops import FurtherInput


def cut_off(graph: Graph, reference: int = 0) -> Mapping[int, int]:
    """Return the layers that nothing reaches since maps before them are empty.

    Parameters
    ----------
    graph
        The network.
    reference
        Index of the node from which paths begin.

    Returns
    -------
    mapping
        From the index of such a layer to that of an empty map before it.
    """
    found: dict[int, int] = {}
    if not graph.faults:
        return found  # the first empty map is always a fault
    nodes = graph.nodes
    for node in nodes[reference + 1 :]:
        # The first empty map is the cause of all that are empty after it.
        blocked = [found.get(x, x if 0 in nodes[x].size else -1) for x in node.inputs]
        if min(blocked) >= 0:
            found[node.index] = blocked[0]
    return found


def _leads(graph: Graph, reference: int, index: int) -> bool:
    """Whether there is a path; from the only input there is one to each layer."""
    nodes = graph.nodes
    if reference == 0 and not _has_further_inputs(graph):
        return True
    reached = {reference}
    for node in nodes[reference + 1 : index + 1]:
        if not isinstance(node.op, FurtherInput) and not reached.isdisjoint(node.inputs):
            reached.add(node.index)
    return index in reached


def _has_further_inputs(graph: Graph) -> bool:
    return len(graph.nodes) > 1 and isinstance(graph.nodes[1].op, FurtherInput)


def check_reached(graph: Graph, index: int, reference: int = 0) -> None:
    """Refuse a layer to which nothing leads from the reference map.

    Raises
    ------
    UnitError
        If it is before the reference, or all maps on the way are empty.
    """
    nodes = graph.nodes
    name = nodes[index].name
    if reference > index:
        raise UnitError(
            f"no field: '{nodes[reference].name}' is after '{name}', so nothing leads from there "
            "to it; choose a layer after it, or fields relative to the input"
        )
    if not _leads(graph, reference, index):
        if _has_further_inputs(graph):
            others = "which reads other inputs alone; choose fields relative to one of these"
        else:
            others = (
                "which is on another branch; choose a layer after both, or fields relative to the "
                "input"
            )
        raise UnitError(
            f"no field: nothing leads from '{nodes[reference].name}' to '{name}', {others}"
        )
    empty = cut_off(graph, reference).get(index)
    if empty is not None:
        raise UnitError(
            f"no field: the map of '{nodes[empty].name}', before '{name}', is empty at this input "
            "size, so nothing comes through; use a larger input, smaller kernels or more padding"
        )


@contextmanager
def field_of(graph: Graph, index: int) -> Iterator[None]:
    """Turn any error while a field is computed into one that explains it.

    Raises
    ------
    UnitError
        In place of another error, if the network has faults or its numbers exceed the range of a
        float.  In a network without faults other errors are mistakes of the program and pass
        unchanged.
    TooLargeError
        If memory runs out.
    """
    name = graph.nodes[index].name
    try:
        yield
    except RFStudioError:
        raise
    except MemoryError:
        raise TooLargeError(
            f"there is not enough memory for the field of '{name}'; use a smaller input or an "
            "earlier layer"
        ) from None
    except Exception as error:
        if graph.faults:
            raise UnitError(
                f"no field of '{name}' while the network has faults: {graph.faults[0].message}"
            ) from error
        if isinstance(error, ArithmeticError):
            raise UnitError(
                f"no field of '{name}': its numbers exceed the range of a float; use factors "
                "nearer to 1"
            ) from error
        raise
