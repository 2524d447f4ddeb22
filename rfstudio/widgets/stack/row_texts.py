"""Texts of the rows of the tree of layers, computed once for each change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.texts import (
    field_text,
    field_with_local_text,
    item_text,
    local_text,
    sizes_text,
    square_text,
    steps_text,
)
from rfstudio.core.fields.analysis import LayerAnalysis
from rfstudio.core.fields.field import AxisField
from rfstudio.core.network.architecture import Item, Layer, Location, Parallel
from rfstudio.core.plural import counted
from rfstudio.widgets.stack.rows import Row

T = TypeVar("T")

_Fields: TypeAlias = tuple[AxisField, ...]
_Texts: TypeAlias = tuple[str, str, str]


class Cells(NamedTuple):
    """What a row shows.

    Attributes
    ----------
    texts
        One a column.
    summary
        What the item is, in a few words.
    severity
        The worst severity of the remarks on the item, or an empty text.
    is_quiet
        Whether it is not an item but the network's input or a body.
    """

    texts: tuple[str, ...]
    summary: str
    severity: str
    is_quiet: bool


class _LastRead(Generic[T]):
    """Texts that were read since the last change or the one before it, by ids.

    The fields that texts are of take megabytes for long patterns, and are not held any longer.
    """

    def __init__(self) -> None:
        self._now: dict[int, T] = {}
        self._before: dict[int, T] = {}

    def get(self, key: int) -> T | None:
        """Return what is there, which is read by this."""
        found = self._now.get(key)
        if found is None and (found := self._before.get(key)) is not None:
            self._now[key] = found
        return found

    def put(self, key: int, value: T) -> T:
        """Hold something, and return it."""
        self._now[key] = value
        return value

    def age(self) -> None:
        """Drop what was not read since the last call."""
        self._now, self._before = {}, self._now


class RowTexts:
    """Computes the texts of rows.

    Parameters
    ----------
    document, session, selection
        The network and the choice.
    severity
        Returns the worst severity of the remarks on an item.
    """

    def __init__(
        self,
        document: Document,
        session: AnalysisSession,
        selection: Selection,
        severity: Callable[[Location], str],
    ) -> None:
        self._document = document
        self._session = session
        self._selection = selection
        self._severity = severity
        self._known: dict[Row, Cells] = {}
        self._words_known: dict[Row, str] = {}  # a filter asks for them at each letter
        # An item that an edit does not change is the same object afterwards, and keeps its text.
        self._summaries: _LastRead[tuple[Item, int, str]] = _LastRead()
        # Only what the texts depend on: a layer would keep its whole analysis alive.
        self._numbers: _LastRead[tuple[_Fields, _Fields, tuple[int, ...], _Texts]] = _LastRead()

    def clear(self) -> None:
        """Forget all texts, since something has changed."""
        self._known.clear()
        self._words_known.clear()
        self._summaries.age()
        self._numbers.age()

    def of(self, row: Row) -> Cells:
        """Return what a row shows."""
        known = self._known.get(row)
        if known is None:
            known = self._known[row] = self._work_out(row)
        return known

    def words_of(self, row: Row) -> str:
        """Return the name of a row and what it is, in small letters: what a filter looks in.

        Numbers are not worked out for it, of which there may be thousands.
        """
        known = self._known.get(row)
        if known is not None:
            return f"{known.texts[0]} {known.summary}".lower()
        text = self._words_known.get(row)
        if text is None:
            text = self._words_known[row] = "{} {}".format(*self._words(row)).lower()
        return text

    def described(self, row: Row, location: Location) -> list[str]:
        """Return an item and its numbers as sentences, for a tooltip."""
        assert row.item is not None
        architecture = self._document.architecture
        lines = [f"{self.of(row).texts[0]}: {item_text(row.item, architecture.axes)}"]
        layer = self._analysis_of(location)
        if layer is not None:
            lines.append(
                f"map {sizes_text(layer.output_size)}, {counted(layer.channels, 'channel')}; "
                + self._session.analysis.units.said(
                    f"field {field_with_local_text(layer)} px, jump {steps_text(layer.jump)} px"
                )
            )
        copies = self._session.outline.copies(location)
        if copies > 1:
            lines.append(f"Repeated: an edit changes all {copies:,}.")
        return lines

    def _work_out(self, row: Row) -> Cells:
        architecture = self._document.architecture
        if row.is_input:
            size = sizes_text(self._session.analysis.at(0).output_size)
            return Cells(
                ("input", size, "", ""),
                counted(architecture.channels, "channel"),
                "",
                is_quiet=True,
            )
        location = row.location
        if row.is_branch or location is None or row.item is None:
            summary = "" if row.children else "identity"
            return Cells((_branch_name(row), "", "", ""), summary, "", is_quiet=True)
        layer = self._analysis_of(location)
        numbers = ("", "", "")
        if layer is not None:
            numbers = self._numbers_of(layer)
        name, summary = self._item_words(row.item, layer)
        return Cells((name, *numbers), summary, self._severity(location), is_quiet=False)

    def _words(self, row: Row) -> tuple[str, str]:
        """Return the name of a row, and what it is."""
        location = row.location
        if row.is_input or row.is_branch or location is None or row.item is None:
            cells = self.of(row)
            return cells.texts[0], cells.summary
        named = isinstance(row.item, Layer) and not row.item.name
        return self._item_words(row.item, self._analysis_of(location) if named else None)

    def _item_words(self, item: Item, layer: LayerAnalysis | None) -> tuple[str, str]:
        name = _item_name(item, layer)
        summary = self._summary_of(item, self._document.architecture.axes)
        return name, "" if summary == name.rstrip("0123456789") else summary

    def _summary_of(self, item: Item, axes: int) -> str:
        """Return what an item is, in a few words."""
        known = self._summaries.get(id(item))
        if known is None or known[0] is not item or known[1] != axes:
            known = self._summaries.put(id(item), (item, axes, item_text(item, axes)))
        return known[2]

    def _numbers_of(self, layer: LayerAnalysis) -> _Texts:
        """Return the texts of the columns after the first."""
        fields, near, size = layer.fields, layer.local_fields, layer.output_size
        known = self._numbers.get(id(near))
        if known is None or known[0] is not fields or known[1] is not near or known[2] != size:
            texts = (sizes_text(size), self.field_of(layer), steps_text(layer.jump))
            known = self._numbers.put(id(near), (fields, near, size, texts))
        return known[3]

    @staticmethod
    def field_of(layer: LayerAnalysis) -> str:
        """Return the size of a field, of which one side is written where it is a square."""
        if any(layer.is_global) and layer.local is not None:
            return f"all/{square_text(local_text(layer))}"
        return square_text(field_text(layer))

    def _analysis_of(self, location: Location) -> LayerAnalysis | None:
        """Return the analysis of an item's output, in the same turn of repeats as the choice."""
        outline, chosen = self._session.outline, self._selection.item
        copy = -1
        if chosen is not None and len(outline.outputs(location)) > 1:
            copy = outline.copy_beside(location, chosen, self._selection.copy)
        return outline.layer(location, copy)


def own_name(row: Row) -> str:
    """Return the name that the document gives an item or a branch; empty if it gives none."""
    if row.item is not None:
        return row.item.name
    container = row.parent.item if row.parent else None
    if row.is_branch and isinstance(container, Parallel):
        return container.branches[row.body].name
    return ""


def is_named_branch(row: Row) -> bool:
    """Return whether a row is a branch that the document can give a name."""
    return row.is_branch and row.parent is not None and isinstance(row.parent.item, Parallel)


def _branch_name(row: Row) -> str:
    return own_name(row) or (f"branch {row.body + 1}" if is_named_branch(row) else "shortcut")


def _item_name(item: Item, layer: LayerAnalysis | None) -> str:
    if not isinstance(item, Layer):  # also a parallel without branches
        return item.name or item.keyword
    if item.name:
        return item.name
    return item.op.keyword if layer is None else layer.name.rpartition(".")[2]
