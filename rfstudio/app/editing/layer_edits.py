"""The edits that the window offers: each is one undo step, and chooses what it made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, Signal

from rfstudio.app.editing.layer_text import items_of_text, text_of_items
from rfstudio.app.editing.new_items import new_item
from rfstudio.app.slices import Slices, answer_or_error
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import STEPS, Document
from rfstudio.app.state.selection import Selected, Selection
from rfstudio.core import ops
from rfstudio.core.editing import edits
from rfstudio.core.editing.batch import Change, Changed, change_all, numbers_of
from rfstudio.core.errors import EditError, RFStudioError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Item,
    Layer,
    Location,
    Parallel,
    item_at,
)

MOST_TEXT = 300_000
"""Characters of a text that is inserted; a file may have more."""

_SHORT_TEXT = 8_000
"""Characters that are read at once; a longer text is read in slices, between frames."""


class _Side(NamedTuple):
    """The network on one side of an edit, and what is chosen in it."""

    architecture: Architecture
    chosen: Selected


class Batch(NamedTuple):
    """What is done with one parameter of many layers; see `batch.change_all`."""

    name: str
    change: Change
    by: Fraction
    padding_follows: bool = False
    keyword: str = ""

    @property
    def words(self) -> str:
        """What is done, as the name of a step begins."""
        by = f"{float(self.by):g}"
        if self.change == "multiply":
            return {2: "Double", Fraction(1, 2): "Halve"}.get(self.by, f"Multiply by {by} the")
        return f"Set to {by} the" if self.change == "set" else f"Add {by} to the"

    def of(
        self, architecture: Architecture, locations: Sequence[Location]
    ) -> tuple[Architecture, tuple[Changed, ...]]:
        """Return the network with the change, and what was changed."""
        name, change, by, padding_follows, keyword = self
        return change_all(
            architecture,
            locations,
            name,
            change,
            by,
            padding_follows=padding_follows,
            keyword=keyword,
        )


class LayerEdits(QObject):
    """Edits the document and chooses what the edit made; undo restores the earlier choice.

    A method whose edit is not possible raises `RFStudioError` with a sentence, and changes nothing.

    Signals
    -------
    refused
        Why a long text was not inserted, or a size not taken by a network that takes long, which is
        known only after the method has returned.
    """

    refused = Signal(str)

    def __init__(
        self,
        document: Document,
        session: AnalysisSession,
        selection: Selection,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._session = session
        self._selection = selection
        # By the ids of the networks before and after; the values hold both, so ids stay unique.
        self._sides: dict[tuple[int, int], tuple[_Side, _Side]] = {}
        self._here = document.architecture
        self._reading = Slices(self)
        self._checking = Slices(self)
        self._is_size_late = False
        # Connected after the analysis, so that the selection is up to date when this runs.
        document.architecture_changed.connect(self._follow_step)

    @property
    def _architecture(self) -> Architecture:
        return self._document.architecture

    def once_known(self, work: Callable[[], object]) -> None:
        """Do something once what is shown is the network as it is now: at once, if it is."""
        self._session.once_known(work)

    def check_place(self, location: Location) -> None:
        """Refuse the place of an item that is another one since the last, late edit.

        Raises
        ------
        EditError
            If it is.
        """
        if not self._session.is_late:
            return
        shown, now = self._session.outline.item(location), _item_at(self._architecture, location)
        if shown is None or now is None or _what(shown) != _what(now):
            raise EditError("the last edit is still being worked out; try again in a moment")

    def place_after_selection(self) -> Location:
        """Return where a new layer goes: after the chosen item, or first."""
        item = self._selection.item
        if item is None:
            return (0,)
        found = self._session.outline.item(item)
        if found is not None and found.bodies and not any(found.bodies):
            return (*item, 0, 0)  # an empty container waits for its first layer
        return edits.after(item)

    def add(self, keyword: str, place: Location | None = None) -> None:
        """Add a new layer or container, by its keyword, after the chosen item."""
        item = new_item(keyword)
        place = self.place_after_selection() if place is None else place
        if isinstance(item, Layer) and item.op.merges:
            item = replace(item, inputs=self._usual_sources(place))
        self._insert(f"Add {keyword}", place, (item,))

    def insert_text(self, text: str, place: Location | None = None, *, verb: str = "Paste") -> None:
        """Insert layers from YAML text after the chosen item; a long one is read in slices."""
        if len(text) > MOST_TEXT:
            raise EditError(
                f"the text has {len(text):,} characters; at most {MOST_TEXT:,} are inserted;"
                " save it as a file and open that"
            )
        place = self.place_after_selection() if place is None else place
        read = partial(items_of_text, text, self._architecture.axes)
        if len(text) <= _SHORT_TEXT:
            self._insert_read(verb, place, read())
            return
        if self._reading.is_busy:
            raise EditError("the text before is still being read; try again in a moment")
        work = partial(answer_or_error, _inserted, read, self._architecture, place)
        self._reading.start(work, partial(self._insert_late, verb, place, self._architecture))

    def drop(self) -> None:
        """Give up the text that is being read and the size that is tried, as the program ends."""
        self._reading.drop()
        self._checking.drop()

    def text_of(self, locations: Sequence[Location]) -> str:
        """Return items as YAML text."""
        places = edits.outermost(locations)
        return text_of_items([item_at(self._architecture, place) for place in places])

    def delete(self, locations: Sequence[Location], *, verb: str = "Delete") -> None:
        """Delete items; what is then in their place is chosen."""
        places = edits.outermost(locations)
        if not places:
            return
        after = edits.delete(self._architecture, places)
        near = edits.landing(places, places[0])
        self._step(f"{verb} {self._named(places)}", after, near, self._select_near)

    def duplicate(self, locations: Sequence[Location]) -> None:
        """Put copies of items after them."""
        places = edits.outermost(locations)
        after = edits.duplicate(self._architecture, places)
        first = edits.after(places[-1])
        self._step(f"Duplicate {self._named(places)}", after, first)

    def move(self, locations: Sequence[Location], target: Location) -> list[Location]:
        """Move items before a place; return where they are now."""
        places = edits.outermost(locations)
        after = edits.move(self._architecture, places, target)
        goal = edits.landing(places, target)
        self._step(f"Move {self._named(places)}", after, goal)
        return [(*goal[:-1], goal[-1] + i) for i in range(len(places))]

    def check_move(self, locations: Sequence[Location], target: Location) -> None:
        """Refuse a place to which items cannot be moved, as far as that is known at once.

        Raises
        ------
        EditError
            If it is in one of them.
        """
        edits.check_move(self._architecture, locations, target)

    def step(self, locations: Sequence[Location], direction: edits.Direction) -> list[Location]:
        """Move items by one step; return where they are now."""
        places = edits.outermost(locations)
        target = edits.step(self._architecture, places, direction)
        return places if target is None else self.move(places, target)

    def wrap(self, locations: Sequence[Location], kind: edits.Wrapping) -> None:
        """Put neighbouring items into a new container."""
        places = edits.outermost(locations)
        after = edits.wrap(self._architecture, places, kind)
        text = f"Wrap {self._named(places)} in {kind}"
        self._step(text, after, places[0])

    def unwrap(self, location: Location) -> None:
        """Exchange a container for the layers in it."""
        after = edits.unwrap(self._architecture, location)
        text = f"Unwrap {self._named([location])}"
        self._step(text, after, location, self._select_near)

    def rename(self, location: Location, name: str) -> None:
        """Rename an item."""
        after = edits.rename(self._architecture, location, name)
        text, copy = f"Rename {self._named([location])}", self._selection.copy
        self._step(text, after, location, partial(self._select, copy=copy))

    def set_parameter(self, location: Location, name: str, value: Any) -> None:
        """Set one parameter; consecutive changes of the same one undo together."""
        item = item_at(self._architecture, location)
        after = self._with_parameter(item, location, name, value)
        self._document.edit(
            f"Set {name.replace('_', ' ')} of {self._named([location])}",
            after,
            merge_key=f"{location}.{name}",
        )

    def numbers_of(self, locations: Sequence[Location]) -> dict[str, tuple[str, ...]]:
        """Return the parameters that `change_all` can change, and of which operations."""
        return numbers_of(self._architecture, locations)

    def preview_all(self, locations: Sequence[Location], wanted: Batch) -> tuple[Changed, ...]:
        """Return what `change_all` would change, without doing it; it raises the same errors."""
        return wanted.of(self._architecture, locations)[1]

    def change_all(self, locations: Sequence[Location], wanted: Batch) -> None:
        """Change one parameter of many layers, and of those in containers, as one step."""
        after, changed = wanted.of(self._architecture, locations)
        name = wanted.name.replace("_", " ")
        self._document.edit(f"{wanted.words} {name} of {_count(len(changed))}", after)

    def set_inputs(self, location: Location, names: Sequence[str]) -> None:
        """Set what a layer reads; no names: the layer before it."""
        after = edits.set_inputs(self._architecture, location, names)
        self._document.edit(f"Set what {self._named([location])} reads", after)

    def set_weights_of(self, location: Location, name: str) -> None:
        """Give a layer the weights of another one; an empty name: weights of its own."""
        after = edits.set_weights_of(self._architecture, location, name)
        self._document.edit(f"Set whose weights {self._named([location])} has", after)

    def readable(self, location: Location) -> tuple[str, ...]:
        """Return the names of everything that a layer may read."""
        return edits.readable(self._architecture, location)

    def set_network(self, what: str, **facts: Any) -> None:
        """Set facts of the network; the arguments are those of `edits.set_network`."""
        after = edits.set_network(self._architecture, **facts)
        self._document.edit(f"Set {what}", after, merge_key=f"network.{what}")

    def set_input_size(self, size: tuple[int, ...]) -> None:
        """Give the network another input size, if it works with it.

        What takes long to find out is found out in slices, and refused by the signal.

        Raises
        ------
        EditError
            If some layer does not fit this size; the network stays as it was.
        """
        after = edits.set_network(self._architecture, input_size=size)
        before = {x.layer for x in self._session.analysis.errors}
        deliver = partial(self._take_size, self._architecture, after)
        self._is_size_late = False
        work = partial(_new_error, after, before)
        self._is_size_late = not self._checking.start(work, deliver, at_once=True)

    def _take_size(self, before: Architecture, after: Architecture, error: str) -> None:
        """Take a size that was tried, unless the network was edited meanwhile."""
        if error:
            text = " × ".join(map(str, after.input_size))
            words = f"the network does not work at {text}: {error}"
            if not self._is_size_late:
                raise EditError(words)
            self.refused.emit(words)
        elif self._architecture is before:
            self._document.edit("Set input size", after)

    def add_branch(self, location: Location) -> None:
        """Add an empty branch to a parallel container."""
        branches = self._branches(location)
        taken = {branch.name for branch in branches}
        name = next(x for x in map(_letters, range(len(branches), 10**6)) if x not in taken)
        wanted = [*((i, x.name) for i, x in enumerate(branches)), (None, name)]
        self._set_branches("Add a branch", location, wanted)

    def rename_branch(self, location: Location, branch: int, name: str) -> None:
        """Rename one branch of a parallel container."""
        branches = self._branches(location)
        wanted = [(i, name if i == branch else x.name) for i, x in enumerate(branches)]
        self._set_branches("Rename a branch", location, wanted)

    def delete_branch(self, location: Location, branch: int) -> None:
        """Delete one branch of a parallel container, with its layers."""
        branches = self._branches(location)
        wanted = [(i, x.name) for i, x in enumerate(branches) if i != branch]
        self._set_branches("Delete a branch", location, wanted)

    def _set_branches(
        self, text: str, location: Location, wanted: Sequence[tuple[int | None, str]]
    ) -> None:
        after = edits.set_branches(self._architecture, location, wanted)
        self._document.edit(f"{text} of {self._named([location])}", after)

    def _step(
        self,
        text: str,
        after: Architecture,
        place: Location,
        choose: Callable[[Location], object] | None = None,
    ) -> None:
        """Edit, then choose a place, and remember what is chosen on either side, for undo and redo.

        Unless `choose` does something else, the item at the place is chosen.
        """
        before = _Side(self._architecture, self._selection.value)
        self._document.edit(text, after)
        self._selection.expect(place)
        chosen = partial(choose or self._select, place)
        self._session.once_known(partial(self._end_step, before, self._architecture, chosen))

    def _end_step(
        self, before: _Side, architecture: Architecture, choose: Callable[[], object]
    ) -> None:
        if self._architecture is not architecture:
            return  # it was late, and undone or edited on
        choose()
        after = _Side(architecture, self._selection.value)
        if after.architecture is not before.architecture:
            self._sides[id(before.architecture), id(after.architecture)] = (before, after)
            self._sides[id(after.architecture), id(before.architecture)] = (after, before)
            while len(self._sides) > 2 * STEPS:  # of steps that cannot be undone any more
                del self._sides[next(iter(self._sides))]

    def _follow_step(self) -> None:
        """Restore the choice on the other side of an edit, unless the user chose another since."""
        here, self._here = self._here, self._architecture
        known = self._sides.get((id(here), id(self._here)))
        if known is None:
            if not self._document.undo_stack.count():  # another network was opened
                self._sides.clear()
            return
        self._selection.expect(known[1].chosen.item)
        self._session.once_known(partial(self._return_to, *known))

    def _return_to(self, left: _Side, entered: _Side) -> None:
        chosen = self._selection.left
        if (chosen.layer, chosen.item) == (left.chosen.layer, left.chosen.item):
            self._selection.return_to(entered.chosen)

    def _branches(self, location: Location) -> tuple[Branch, ...]:
        item = item_at(self._architecture, location)
        if not isinstance(item, Parallel):
            raise EditError("only a parallel container has branches")
        return item.branches

    def _with_parameter(
        self, item: Item, location: Location, name: str, value: Any
    ) -> Architecture:
        if isinstance(item, Layer) and value is not None:
            for group in item.op.alternatives:
                if name in group:
                    changes: dict[str, Any] = {**dict.fromkeys(group), name: value}
                    return edits.set_op(self._architecture, location, replace(item.op, **changes))
        return edits.set_parameter(self._architecture, location, name, value)

    def _usual_sources(self, place: Location) -> tuple[str, ...]:
        """Return what a new merge reads: the layer before it, and what that one reads."""
        probe = edits.insert(self._architecture, place, (Layer(ops.Identity()),))
        names = edits.readable(probe, place)
        return tuple(dict.fromkeys((names[-1], names[-2] if len(names) > 1 else names[-1])))

    def _insert_late(
        self, verb: str, place: Location, before: Architecture, found: _Inserted | RFStudioError
    ) -> None:
        """Insert what was read; the place means nothing any more if the network was edited."""
        try:
            if isinstance(found, RFStudioError):
                raise found
            if self._architecture is before:
                text = f"{verb} {_count(len(found.items))}"
                self._step(text, found.after, place)
            else:
                self._insert_read(verb, self.place_after_selection(), found.items)
        except RFStudioError as error:
            self.refused.emit(str(error))

    def _insert_read(self, verb: str, place: Location, items: tuple[Item, ...]) -> None:
        self._insert(f"{verb} {_count(len(_some(items)))}", place, items)

    def _insert(self, text: str, place: Location, items: Sequence[Item]) -> None:
        after = edits.insert(self._architecture, place, items)
        self._step(text, after, place)

    def _select(self, place: Location, copy: int = -1) -> None:
        self._selection.select_item(place, copy)

    def _select_near(self, place: Location) -> None:
        outline = self._session.outline
        while place:
            if outline.item(place) is not None:
                self._selection.select_item(place)
                return
            place = (*place[:-1], place[-1] - 1) if place[-1] > 0 else place[:-2]
        self._selection.select_item(None)

    def _named(self, places: Sequence[Location]) -> str:
        if len(places) != 1:
            return _count(len(places))
        item = item_at(self._architecture, places[0])
        return item.name or (item.op.keyword if isinstance(item, Layer) else item.keyword)


def _new_error(network: Architecture, before: Collection[str]) -> str:
    """Return the first error that a network has at another layer than before; empty: none."""
    for remark in analyze(network).find_diagnostics():
        if remark.severity == "error" and remark.layer not in before:
            return remark.message
    return ""


def _item_at(architecture: Architecture, location: Location) -> Item | None:
    try:
        return item_at(architecture, location)
    except EditError:
        return None


def _what(item: Item) -> tuple[object, str]:
    """Return what an item is, without its parameters."""
    return type(item.op) if isinstance(item, Layer) else type(item), item.name


class _Inserted(NamedTuple):
    """Layers that were read, and the network with them."""

    items: tuple[Item, ...]
    after: Architecture


def _inserted(
    read: Callable[[], tuple[Item, ...]], architecture: Architecture, place: Location
) -> _Inserted:
    items = _some(read())
    return _Inserted(items, edits.insert(architecture, place, items))


def _some(items: tuple[Item, ...]) -> tuple[Item, ...]:
    if not items:
        raise EditError("the text holds no layers")
    return items


def _count(number: int) -> str:
    return "1 layer" if number == 1 else f"{number} layers"


def _letters(number: int) -> str:
    """Return the name of a new branch: a, b … z, then branch27 and so on."""
    return chr(ord("a") + number) if number < 26 else f"branch{number + 1}"
