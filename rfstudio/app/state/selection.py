"""What is chosen: an item of the document, the layer that is its output, and one unit of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal

from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.outline import Outline
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.network.architecture import Location


class Selected(NamedTuple):
    """A choice: a layer, one of its units, and an item of the document.

    Attributes
    ----------
    layer
        Path of the layer whose unit is shown; always that of a node of the graph.
    unit
        The unit's position in that layer's map, in tensor order.
    item
        The item of the document that forms edit; None for the network's input.
    """

    layer: str
    unit: tuple[int, ...]
    item: Location | None


class Shown(NamedTuple):
    """What a view shows; an edit emits two signals, which may announce the same.

    Attributes
    ----------
    analysis
        The analysis.
    selected
        The choice.
    """

    analysis: Analysis
    selected: Selected

    def is_same(self, other: Shown | None) -> bool:
        """Whether another one shows the same, without comparing whole networks."""
        return (
            other is not None
            and other.analysis is self.analysis
            and other.selected == self.selected
        )

    def is_of(self, other: Shown) -> bool:
        """Whether another one shows the same layer, perhaps another unit of it."""
        is_same = other.analysis is self.analysis
        return is_same and other.selected.layer == self.selected.layer


class Selection(QObject):
    """Holds the choice, and adapts it when the network changes.

    The layer stays chosen for as long as it exists; after that, what takes its place is chosen.
    When a map changes its size, the unit keeps its relative place.

    Signals
    -------
    selection_changed
        The new `Selected`; whoever receives it finds the analysis that it belongs to in the
        `AnalysisSession`.
    """

    selection_changed = Signal(object)

    def __init__(self, session: AnalysisSession, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._index = 0
        self._size: tuple[int, ...] = ()
        self._seen: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self._copy = -1
        self._value = self._choice(len(session.analysis.graph.nodes) - 1, None, None)
        self._left = self._value
        self._note(self._value)
        session.analysis_changed.connect(self._follow)
        session.foresee(
            lambda: partial(_foreseen, self._value, self._index, self._copy, self._seen)
        )

    @property
    def value(self) -> Selected:
        """The choice."""
        return self._value

    @property
    def left(self) -> Selected:
        """What was chosen when the network changed last."""
        return self._left

    @property
    def shown(self) -> Shown:
        """What views show: an analysis and a choice in it."""
        return Shown(self._session.analysis, self._value)

    @property
    def layer(self) -> str:
        """Path of the chosen layer."""
        return self._value.layer

    @property
    def unit(self) -> tuple[int, ...]:
        """Position of the chosen unit in the layer's map."""
        return self._value.unit

    @property
    def item(self) -> Location | None:
        """The chosen item of the document; None for the network's input."""
        return self._value.item

    @property
    def copy(self) -> int:
        """Which copy of the chosen item the layer is, from 0; -1 for the input."""
        return self._copy

    def once_known(self, work: Callable[[], object]) -> None:
        """Do something once all layers of the document can be chosen: now, if they can."""
        self._session.once_known(work)

    def expect(self, item: Location | None) -> None:
        """Let what is seen by an item that will be chosen come with an analysis that is late."""
        self._session.foresee_once(partial(_foreseen_item, item, self._seen))

    def select_layer(self, path: str, unit: tuple[int, ...] | None = None) -> None:
        """Choose a layer, or the output of a container.

        Unless a unit is given, the one at the same relative place of the map is chosen, so that
        going through the layers keeps looking at the same spot of the image.

        Raises
        ------
        UnknownLayerError
            If there is no such layer.
        """
        index = self._session.analysis.graph.index(path)
        self._set(self._choice(index, unit, None))

    def select_item(self, item: Location | None, copy: int = -1) -> None:
        """Choose an item of the document and with it its output.

        Parameters
        ----------
        item
            Its location; None for the network's input.
        copy
            Which copy by the repeats around it; -1: the one beside the present choice.
        """
        if item is None:
            self._set(self._choice(0, None, None))
            return
        outline = self._session.outline
        if copy < 0 and self._value.item is not None:
            copy = outline.copy_beside(item, self._value.item, self._copy)
        outputs = outline.outputs(item)
        if not outputs:
            if outline.item(item) is not None:
                self._set(self._value._replace(item=item))
            return
        self._set(self._choice(outputs[copy if 0 <= copy < len(outputs) else -1], None, item))

    def return_to(self, earlier: Selected) -> None:
        """Choose the layer and item of an earlier choice, if they are there again.

        The unit stays at the same relative place of the image.
        """
        index = self._session.analysis.graph.paths.get(earlier.layer, -1)
        if index >= 0:
            self._set(self._choice(index, None, earlier.item))

    def select_unit(self, unit: tuple[int, ...]) -> None:
        """Choose a unit of the chosen layer; positions outside its map are moved inside."""
        self._set(self._value._replace(unit=_inside(unit, self._size)))

    def _choice(self, index: int, unit: tuple[int, ...] | None, item: Location | None) -> Selected:
        """Return the choice of a node, and remember what is derived from it."""
        node = self._session.analysis.graph.nodes[index]
        if unit is None:
            unit = _scaled(*self._seen, node.size) if self._size else ()
        outline = self._session.outline
        if item is None or index not in outline.outputs(item):
            item = node.location
        self._index = index
        self._size = node.size
        self._copy = -1 if item is None else outline.copy_of(item, index)
        return Selected(node.name, _inside(unit, node.size), item)

    def _follow(self) -> None:
        analysis = self._session.analysis
        old = self._left = self._value
        outline = self._session.outline
        index, item = _followed(analysis, outline, old, self._index, self._copy)
        size = analysis.graph.nodes[index].size
        unit = _scaled(*self._seen, size)
        chosen = self._choice(index, unit, item)
        self._set(chosen if item is None else chosen._replace(item=item))

    def _note(self, value: Selected) -> None:
        """Remember the unit in its map, unless the map is empty, as after an edit gone wrong."""
        if 0 not in self._size:
            self._seen = value.unit, self._size

    def _set(self, value: Selected) -> None:
        self._note(value)
        if value != self._value:
            self._value = value
            self.selection_changed.emit(value)


def _followed(
    analysis: Analysis, outline: Outline, old: Selected, index: int, copy: int
) -> tuple[int, Location | None]:
    """Return the node and the item that stay chosen, or what is now in their place.

    Parameters
    ----------
    analysis, outline
        The next analysis.
    old, index, copy
        What was chosen, its node, and which copy of its item it was.
    """
    found = analysis.graph.paths.get(old.layer, -1)
    if found >= 0:
        return _still(analysis, outline, found, old.item, copy)
    outputs = () if old.item is None else outline.outputs(old.item)
    if outputs:
        found = outputs[copy if 0 <= copy < len(outputs) else -1]
    else:
        found = min(index, len(analysis.graph.nodes) - 1)
    return _still(analysis, outline, found, old.item, copy)


def _still(
    analysis: Analysis, outline: Outline, index: int, item: Location | None, copy: int
) -> tuple[int, Location | None]:
    """Return the node and the item that stay chosen; a chosen container stays chosen itself.

    Parameters
    ----------
    analysis, outline
        The next analysis.
    index
        The node of the layer that was chosen, or what is now in its place.
    item, copy
        The item that was chosen, which may be elsewhere now, and which copy of it.
    """
    location = analysis.graph.nodes[index].location
    if item is None or location is None:
        return index, None
    found = outline.item(item)
    if found is not None and found.bodies and not outline.outputs(item):
        return index, item  # an empty container waits for its first layer
    place = location[: len(item)]
    outputs = outline.outputs(place)
    if index in outputs:
        return index, place
    if place == item and outputs:  # as of a repeat that was given more turns
        return outputs[copy if 0 <= copy < len(outputs) else -1], item
    return index, None


def _foreseen(
    old: Selected,
    index: int,
    copy: int,
    seen: tuple[tuple[int, ...], tuple[int, ...]],
    analysis: Analysis,
) -> tuple[str, tuple[int, ...]]:
    """Return the layer and unit that are most likely chosen in the next analysis."""
    found, _ = _followed(analysis, Outline(analysis), old, index, copy)
    node = analysis.graph.nodes[found]
    return node.name, _inside(_scaled(*seen, node.size), node.size)


def _foreseen_item(
    item: Location | None, seen: tuple[tuple[int, ...], tuple[int, ...]], analysis: Analysis
) -> tuple[str, tuple[int, ...]] | None:
    """Return the layer and unit that are chosen with an item; None where it has no output."""
    outputs = () if item is None else Outline(analysis).outputs(item)
    if not outputs:
        return None
    node = analysis.graph.nodes[outputs[-1]]
    return node.name, _inside(_scaled(*seen, node.size), node.size)


def _centre(size: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n // 2 for n in size)


def _inside(unit: tuple[int, ...], size: tuple[int, ...]) -> tuple[int, ...]:
    if len(unit) != len(size):
        return _centre(size)
    return tuple(max(0, min(int(u), n - 1)) for u, n in zip(unit, size, strict=True))


def _scaled(unit: tuple[int, ...], old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    """Return the unit at the same relative place of a map of another size."""
    if old == new:
        return unit
    if len(old) != len(new) or 0 in old:
        return _centre(new)
    if unit == _centre(old):
        return _centre(new)
    return tuple((2 * u + 1) * n // (2 * o) for u, o, n in zip(unit, old, new, strict=True))
