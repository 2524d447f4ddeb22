"""Which nodes of the graph an item of the document expands to: one for each copy by `repeat`."""

from __future__ import annotations

from functools import cached_property

from rfstudio.core.fields.analysis import Analysis, LayerAnalysis
from rfstudio.core.network.architecture import (
    Item,
    Layer,
    Location,
    Parallel,
    Repeat,
    Residual,
    body_at,
)


class Outline:
    """Looks up the output of every item of an analysed document.

    An item inside a `repeat` has one output for each copy, counted from 0 in the order of the
    network; nested repeats multiply.
    """

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self._outputs: dict[Location, tuple[int, ...]] = {}

    @cached_property
    def _nodes(self) -> dict[Location, list[int]]:
        nodes: dict[Location, list[int]] = {}
        for node in self.analysis.graph.nodes[1:]:
            if node.location is not None:
                nodes.setdefault(node.location, []).append(node.index)
        return nodes

    def item(self, location: Location) -> Item | None:
        """Return the item at a location; None if there is none."""
        body = self.analysis.architecture.layers
        for index, which in zip(location[0:-1:2], location[1::2], strict=False):
            if not 0 <= index < len(body) or not 0 <= which < len(body[index].bodies):
                return None
            body = body[index].bodies[which]
        if not location or not 0 <= location[-1] < len(body):
            return None
        return body[location[-1]]

    def outputs(self, location: Location) -> tuple[int, ...]:
        """Return the output node of each copy of an item; none for an empty or unconnected item."""
        known = self._outputs.get(location)
        if known is None:
            known = self._find_outputs(location)
            self._outputs[location] = known
        return known

    def copies(self, location: Location) -> int:
        """Return how many copies of an item the repeats around it make."""
        count = 1
        for depth in range(1, len(location), 2):
            item = self.item(location[:depth])
            if isinstance(item, Repeat):
                count *= item.times
        return count

    def layer(self, location: Location, copy: int = -1) -> LayerAnalysis | None:
        """Return what is known of the output of one copy of an item; the last one by default."""
        outputs = self.outputs(location)
        if not outputs:
            return None
        return self.analysis.at(outputs[copy if -len(outputs) <= copy < len(outputs) else -1])

    def copy_of(self, location: Location, node: int) -> int:
        """Return which copy of an item has that node as its output; -1 if none has."""
        outputs = self.outputs(location)
        return outputs.index(node) if node in outputs else -1

    def copy_beside(self, location: Location, chosen: Location, copy: int) -> int:
        """Return the copy of an item that is in the same turn of all shared repeats.

        Parameters
        ----------
        location
            The item.
        chosen, copy
            Another item and one of its copies.

        Returns
        -------
        int
            Index of the copy; in repeats that are not shared the last turn is taken.
        """
        turns = self._turns(chosen, copy)
        result = 0
        for depth in range(1, len(location), 2):
            place = location[:depth]
            item = self.item(place)
            if isinstance(item, Repeat):
                result = result * item.times + turns.get(place, item.times - 1)
        return result

    def _turns(self, location: Location, copy: int) -> dict[Location, int]:
        turns: dict[Location, int] = {}
        copy = max(copy, 0)
        for depth in range(len(location) - 2, 0, -2):
            place = location[:depth]
            item = self.item(place)
            if isinstance(item, Repeat) and item.times > 0:
                copy, turns[place] = divmod(copy, item.times)
        return turns

    def _find_outputs(self, location: Location) -> tuple[int, ...]:
        item = self.item(location)
        match item:
            case None:
                return ()
            case Layer() | Residual() | Parallel():
                return tuple(self._nodes.get(location, ()))
            case _:
                body = body_at(self.analysis.architecture, (*location, 0, 0))
                if not body:
                    return ()
                inner = self.outputs((*location, 0, len(body) - 1))
                times = item.times if isinstance(item, Repeat) else 1
                # The output of a repeat is that of its last turn.
                return inner[times - 1 :: times] if times else ()
