"""All layers of the network as a table, with values that sort as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt

from rfstudio.app.effective.pins import Pin
from rfstudio.app.frames import Later, Rank, at_once
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.wording.beside import PinnedFields
from rfstudio.app.wording.terms import hinted
from rfstudio.app.wording.texts import (
    alignment_text,
    field_text,
    local_text,
    number_text,
    signed,
    sizes_text,
    steps_text,
)
from rfstudio.core.fields.analysis import LayerAnalysis

# As integers: they are compared thousands of times a second, and enumerations are slow.
_DISPLAY = int(Qt.ItemDataRole.DisplayRole)
_ALIGNMENT = int(Qt.ItemDataRole.TextAlignmentRole)
_ROLES = frozenset({_DISPLAY, _ALIGNMENT, int(Qt.ItemDataRole.ToolTipRole)})
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter

AnyIndex = QModelIndex | QPersistentModelIndex


class Column(NamedTuple):
    """One column: its title, what it means, its texts, and the values by which it is sorted."""

    title: str
    meaning: str
    text: Callable[[LayerAnalysis], str]
    value: Callable[[LayerAnalysis], Any]
    is_number: bool = True


def _first(values: tuple[Any, ...]) -> float:
    return float("inf") if values[0] is None else float(values[0])


def _local_size(layer: LayerAnalysis) -> float:
    if layer.local is None:
        return float("inf")
    return max(float("inf") if n is None else n for n in layer.local.rf_size)


COLUMNS = (
    Column("Layer", "Path of the layer.", lambda x: x.name, lambda x: x.index, False),
    Column("Op", "Its operation.", lambda x: x.op, lambda x: x.op, False),
    Column(
        "Output",
        "Size of its map, in samples.",
        lambda x: sizes_text(x.output_size),
        lambda x: prod(x.output_size),
    ),
    Column("Channels", "Channels of its map.", lambda x: str(x.channels), lambda x: x.channels),
    Column(
        "Field",
        "Size of what one unit sees, in pixels of the input.",
        field_text,
        lambda x: max(float("inf") if n is None else n for n in x.rf_size),
    ),
    Column(
        "Local",
        "Size of the local field: of the convolutions, where gates and norms over the map read "
        "one position.",
        local_text,
        _local_size,
    ),
    Column(
        "Jump",
        "Distance between what two neighbouring units see, in pixels.",
        lambda x: steps_text(x.jump),
        lambda x: _first(x.jump),
    ),
    Column(
        "Padding",
        "How far unit 0 reaches before pixel 0, in pixels.",
        lambda x: signed(steps_text(x.padding)),
        lambda x: _first(x.padding),
    ),
    Column(
        "Centre",
        "Centre of what unit 0 sees, in pixels.",
        lambda x: signed(steps_text(x.center)),
        lambda x: _first(x.center),
    ),
    Column(
        "Alignment",
        "Whether all paths from the input agree.",
        alignment_text,
        alignment_text,
        False,
    ),
    Column(
        "Parameters",
        "Number of learned parameters.",
        lambda x: f"{x.parameters:,}",
        lambda x: x.parameters,
    ),
    Column("MACs", "Multiply-adds for one image.", lambda x: f"{x.macs:,}", lambda x: x.macs),
    Column(
        "Reads",
        "What it reads.",
        lambda x: ", ".join(x.inputs),
        lambda x: number_text(len(x.inputs)),
        False,
    ),
)


class LayerTable(QAbstractTableModel):
    """One row a layer, in the order of the network or of a column.

    It sorts itself, since a proxy would read each value of a large network many times.
    """

    def __init__(self, session: AnalysisSession, later: Later = at_once) -> None:
        super().__init__()
        self._session = session
        self._later = later
        self._analysis = session.analysis
        self._names = self._all_names()
        self._pins: tuple[Pin, ...] = ()
        self._pinned: tuple[Pin, ...] = ()
        self.columns: tuple[Column, ...] = COLUMNS
        # Texts of the rows that were shown since the last change.
        self._texts: dict[int, tuple[str, ...]] = {}
        self._fields: dict[str, tuple[Sequence[str], PinnedFields]] = {}
        self._column = 0
        self._descends = False
        self._nodes = list(range(1, len(self._names) + 1))
        self._rows = {node: row for row, node in enumerate(self._nodes)}
        session.analysis_changed.connect(self._follow_later)

    def show_pins(self, pins: Iterable[Pin]) -> None:
        """Add a column for each pin of another network, at the end."""
        self._pins = tuple(pins)
        letters = {x.letter for x in self._pins}
        self._fields = {k: x for k, x in self._fields.items() if k in letters}
        self._follow_pins()

    def _follow_pins(self) -> None:
        own = self._analysis
        pinned = tuple(x for x in self._pins if x.analysis is not own)
        if pinned == self._pinned:
            return
        first, last = len(COLUMNS), len(self.columns) - 1
        if self._column >= first:
            self._column, self._descends = 0, False
            self._arrange()
        if last >= first:
            self.beginRemoveColumns(QModelIndex(), first, last)
            self._set_columns(())
            self.endRemoveColumns()
        if pinned:
            self.beginInsertColumns(QModelIndex(), first, first + len(pinned) - 1)
            self._set_columns(pinned)
            self.endInsertColumns()

    def _set_columns(self, pinned: tuple[Pin, ...]) -> None:
        self._pinned = pinned
        self.columns = (*COLUMNS, *self._pin_columns())
        self._texts.clear()

    def _pin_columns(self) -> Iterator[Column]:
        for pin in self._pinned:
            fields = self._fields_of(pin)
            yield Column(f"Field {pin.letter}", fields.meaning, fields.text, fields.size)

    def _fields_of(self, pin: Pin) -> PinnedFields:
        """Return the fields of a pin; a network of a thousand layers takes some milliseconds."""
        names, known = self._fields.get(pin.letter, ((), None))
        if known is None or names is not self._names or not known.is_of(pin):
            known = PinnedFields(pin, self._names)
            self._fields[pin.letter] = self._names, known
        return known

    def layer(self, row: int) -> LayerAnalysis:
        """Return the layer of a row."""
        return self._analysis.at(self._nodes[row])

    def row_of(self, path: str) -> int:
        """Return the row of a layer; -1 for the network's input and for unknown layers."""
        return self._rows.get(self._analysis.graph.paths.get(path, 0), -1)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by the values of a column; equal ones stay in the order of the network."""
        self._column, self._descends = column, order == Qt.SortOrder.DescendingOrder
        self._arrange()

    def _arrange(self) -> None:
        self.layoutAboutToBeChanged.emit()
        kept = self.persistentIndexList()
        before = [self._nodes[index.row()] for index in kept]
        self._put_in_order()
        moved = [
            self.index(self._rows[node], index.column())
            for node, index in zip(before, kept, strict=True)
        ]
        self.changePersistentIndexList(kept, moved)
        self.layoutChanged.emit()

    def _put_in_order(self) -> None:
        nodes = range(1, len(self._names) + 1)
        if self._column == 0:
            self._nodes = list(reversed(nodes) if self._descends else nodes)
        else:
            value, at = self.columns[self._column].value, self._analysis.at
            self._nodes = sorted(nodes, key=lambda x: value(at(x)), reverse=self._descends)
        self._rows = {node: row for row, node in enumerate(self._nodes)}

    def is_number(self, column: int) -> bool:
        """Whether a column holds numbers, which are aligned right."""
        return self.columns[column].is_number

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: N802, B008 - Qt's form
        """Return the number of layers."""
        return 0 if parent.isValid() else len(self._names)

    def columnCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: N802, B008
        """Return the number of columns."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the title of a column, or what it means."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        column = self.columns[section]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return column.title
            case Qt.ItemDataRole.ToolTipRole:
                return hinted(column.meaning, column.title)
            case Qt.ItemDataRole.TextAlignmentRole:
                return _RIGHT if column.is_number else _LEFT
        return None

    def data(self, index: AnyIndex, role: int = _DISPLAY) -> Any:
        """Return what a cell shows."""
        if role not in _ROLES:  # most calls of a view, so answered first
            return None
        column = self.columns[index.column()]
        if role == _ALIGNMENT:
            return _RIGHT if column.is_number else _LEFT
        return self.text_of(index)

    def text_of(self, index: AnyIndex) -> str:
        """Return the text of a cell."""
        return self.texts_of(index.row())[index.column()]

    def texts_of(self, row: int) -> tuple[str, ...]:
        """Return the texts of a row."""
        node = self._nodes[row]
        texts = self._texts.get(node)
        if texts is None:
            layer = self._analysis.at(node)
            texts = self._texts[node] = tuple([column.text(layer) for column in self.columns])
        return texts

    def _all_names(self) -> list[str]:
        return [node.name for node in self._analysis.graph.nodes[1:]]

    def _follow_later(self) -> None:
        self._later(Rank.CHARTS, self._follow)

    def _follow(self) -> None:
        self._analysis = self._session.analysis
        self._texts.clear()
        self._follow_pins()
        names = self._all_names()
        if names != self._names:
            self.beginResetModel()
            self._names = names
            self.columns = (*COLUMNS, *self._pin_columns())
            self._put_in_order()
            self.endResetModel()
        elif names:
            if self._column > 0:
                self._arrange()
            last = self.index(len(names) - 1, len(self.columns) - 1)
            self.dataChanged.emit(self.index(0, 0), last)
