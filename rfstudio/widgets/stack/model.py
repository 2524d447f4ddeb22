"""The tree of layers as a model: it follows the document row by row, so views keep their place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from PySide6.QtCore import (
    QAbstractItemModel,
    QItemSelection,
    QMimeData,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QFont

from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selected, Selection
from rfstudio.app.wording.terms import hinted
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.remarks.remark import each_remark
from rfstudio.core.network.architecture import Architecture, Item, Layer, Location, Parallel
from rfstudio.widgets.stack.row_texts import RowTexts, is_named_branch, own_name
from rfstudio.widgets.stack.rows import Row, children_of, new_row

AnyIndex = QModelIndex | QPersistentModelIndex

LOCATIONS = "application/x-rfstudio-locations"
"""Kind of dragged data: the process and document, then one location a line."""

SUMMARY = Qt.ItemDataRole.UserRole + 1
"""Role of the first column: what the item is, in a few words."""
REMARK = Qt.ItemDataRole.UserRole + 2
"""Role of the first column: the worst severity of the remarks on the item, or an empty text."""

# As integers: they are used thousands of times a second, and enumerations are slow.
_DISPLAY = int(Qt.ItemDataRole.DisplayRole)
_EDIT = int(Qt.ItemDataRole.EditRole)
_TIP = int(Qt.ItemDataRole.ToolTipRole)
_FONT = int(Qt.ItemDataRole.FontRole)
_ALIGNMENT = int(Qt.ItemDataRole.TextAlignmentRole)
_ROLES = frozenset({_DISPLAY, _EDIT, _TIP, _FONT, _ALIGNMENT, int(SUMMARY), int(REMARK)})
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_ROOT = Qt.ItemFlag.ItemIsDropEnabled
_INPUT = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
_BRANCH = _INPUT | Qt.ItemFlag.ItemIsDropEnabled
_ITEM = _BRANCH | Qt.ItemFlag.ItemIsDragEnabled
_BRANCH_NAME = _BRANCH | Qt.ItemFlag.ItemIsEditable
_ITEM_NAME = _ITEM | Qt.ItemFlag.ItemIsEditable
# So that a view of thousands of layers does not ask each of them for its children.
_LAYER = _ITEM | Qt.ItemFlag.ItemNeverHasChildren
_LAYER_NAME = _ITEM_NAME | Qt.ItemFlag.ItemNeverHasChildren

HEADERS = ("Layer", "Output", "Field", "Jump")
_HEADER_TIPS = (
    "Layers in the order of the network, with their operation.",
    "Size of the layer's map, in samples.",
    "Size of what one unit sees, in pixels of the input: 1 + Σ dilation·(kernel − 1)·jump.",
    "Distance between what two neighbouring units see, in pixels: the product of the strides.",
)
_MOST_TEXTS = 4
"""Remarks on one item that its tip has at most: copies in a repeat have many of a kind."""

_RANK = {"error": 3, "warning": 2, "note": 1, "": 0}


class StackModel(QAbstractItemModel):
    """Rows are the network's input and the items of the document.

    Attributes
    ----------
    is_following
        Whether rows come and go after an edit, so that the current row of a view is not a choice.

    Signals
    -------
    refused
        A drop or a renaming was not possible; why, in a sentence.
    numbers_changed
        Any cells may have changed.  One signal, since `dataChanged` would be needed for every
        container, and views read what they paint anyway.
    """

    refused = Signal(str)
    numbers_changed = Signal()

    def __init__(
        self,
        document: Document,
        session: AnalysisSession,
        selection: Selection,
        edits: LayerEdits,
    ) -> None:
        super().__init__()
        self.is_following = False
        self._document = document
        self._session = session
        self._selection = selection
        self._edits = edits
        self._italic = QFont()
        self._italic.setItalic(True)
        self._root = Row(None)
        self._root.children.append(Row(self._root))
        # The network that is shown, which lacks its layers while the first analysis is late.
        shown = session.analysis.architecture
        self._root.children += [new_row(x, self._root) for x in shown.layers]
        self._root.renumber()
        self._remarks: dict[Location, tuple[str, list[str]]] = {}
        self._remarks_of: Analysis | None = None
        self.texts = RowTexts(document, session, selection, self.severity)
        self._beside = (selection.item, selection.copy)
        # An address would be that of another document in another process.
        self._sign = uuid4().hex
        self._dragged_from: Architecture | None = None
        session.analysis_changed.connect(self._follow)
        session.prepared.connect(self._follow_remarks)
        selection.selection_changed.connect(self._follow_selection)

    # --- places ---------------------------------------------------------------------------------

    def row_of(self, index: AnyIndex) -> Row:
        """Return the row of an index; the root for an index that is not valid."""
        row = index.internalPointer() if index.isValid() else self._root
        assert isinstance(row, Row)
        return row

    def location_of(self, index: AnyIndex) -> Location | None:
        """Return the location of an item's row; None for any other row."""
        row = self.row_of(index)
        return row.location if row.item is not None else None

    def index_of(self, location: Location | None, column: int = 0) -> QModelIndex:
        """Return the index of an item, or of the network's input for None."""
        row = self._root
        if location is None:
            return self.index_of_row(row.children[0], column)
        for depth in range(0, len(location), 2):
            rows = row.items
            if location[depth] >= len(rows):
                return QModelIndex()
            row = rows[location[depth]]
            if depth + 1 < len(location):
                which = location[depth + 1]
                row = next((x for x in row.children if x.body == which), row)
        return self.index_of_row(row, column)

    def index_of_row(self, row: Row, column: int = 0) -> QModelIndex:
        """Return the index of a row; one that is not valid for the root."""
        if row.parent is None:
            return QModelIndex()
        return self.createIndex(row.index, column, row)

    def rows_in(self, chosen: QItemSelection) -> set[Row]:
        """Return the rows of a selection."""
        rows: set[Row] = set()
        for part in chosen.toList():
            siblings = self.row_of(part.parent()).children
            rows.update(siblings[part.top() : part.bottom() + 1])
        return rows

    # --- called by Qt ---------------------------------------------------------------------------

    def index(
        self,
        row: int,
        column: int,
        parent: AnyIndex = QModelIndex(),  # noqa: B008 - Qt's form
    ) -> QModelIndex:
        """Return the index of a child."""
        children = self.row_of(parent).children
        if not 0 <= row < len(children) or not 0 <= column < len(HEADERS):
            return QModelIndex()
        return self.createIndex(row, column, children[row])

    def parent(self, index: AnyIndex) -> QModelIndex:  # type: ignore[override]
        """Return the index of the row around a row."""
        parent = self.row_of(index).parent
        return QModelIndex() if parent is None else self.index_of_row(parent)

    def rowCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: N802, B008
        """Return the number of children of a row."""
        return 0 if parent.column() > 0 else len(self.row_of(parent).children)

    def hasChildren(self, parent: AnyIndex = QModelIndex()) -> bool:  # noqa: N802, B008
        """Return whether there are rows in a row."""
        return bool(self.row_of(parent).children)

    def columnCount(self, parent: AnyIndex = QModelIndex()) -> int:  # noqa: ARG002, N802, B008
        """Return the number of columns."""
        return len(HEADERS)

    def headerData(  # noqa: N802
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the title of a column, or what it means."""
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.ToolTipRole:
            return hinted(_HEADER_TIPS[section], HEADERS[section])
        if role == Qt.ItemDataRole.TextAlignmentRole and section > 0:
            return _RIGHT
        return HEADERS[section] if role == Qt.ItemDataRole.DisplayRole else None

    def flags(self, index: AnyIndex) -> Qt.ItemFlag:
        """Return what can be done with a row."""
        row = self.row_of(index)
        if row is self._root:
            return _ROOT
        item = row.item
        if type(item) is Layer:
            return _LAYER_NAME if index.column() == 0 else _LAYER
        if item is not None:
            return _ITEM_NAME if index.column() == 0 else _ITEM
        if row.is_branch:
            is_renamable = index.column() == 0 and is_named_branch(row)
            return _BRANCH_NAME if is_renamable else _BRANCH
        return _INPUT

    def data(self, index: AnyIndex, role: int = _DISPLAY) -> Any:
        """Return what a cell shows."""
        if role not in _ROLES:  # most calls of a view, so answered first
            return None
        row = self.row_of(index)
        column = index.column()
        if role == _DISPLAY:
            return self.texts.of(row).texts[column]
        if role == _TIP:
            return self._tip(row)
        if role == _ALIGNMENT:
            return _RIGHT if column > 0 else None
        if role == _FONT:
            return self._italic if row.is_branch or row.is_input else None
        if column > 0:
            return None
        if role == _EDIT:
            return own_name(row)
        cells = self.texts.of(row)
        return cells.summary if role == SUMMARY else cells.severity

    def setData(  # noqa: N802
        self, index: AnyIndex, value: Any, role: int = Qt.ItemDataRole.EditRole
    ) -> bool:
        """Rename an item or a branch."""
        row = self.row_of(index)
        location = row.location
        if role != Qt.ItemDataRole.EditRole or location is None:
            return False
        name = str(value).strip()
        if name == own_name(row):
            return False
        try:
            self._edits.check_place(location)
            if row.is_branch:
                self._edits.rename_branch(location, row.body, name)
            else:
                self._edits.rename(location, name)
        except RFStudioError as error:
            self.refused.emit(str(error))
            return False
        return True

    # --- drag and drop --------------------------------------------------------------------------

    def supportedDropActions(self) -> Qt.DropAction:  # noqa: N802
        """Return that layers can be moved and copied."""
        return Qt.DropAction.MoveAction | Qt.DropAction.CopyAction

    def mimeTypes(self) -> list[str]:  # noqa: N802
        """Return the kinds of data that can be dropped."""
        return [LOCATIONS, "text/plain"]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:  # noqa: N802
        """Return dragged layers: where they are, and as YAML text for other programs."""
        places = sorted({x for x in map(self.location_of, indexes) if x is not None})
        data = QMimeData()
        self._dragged_from = self._document.architecture
        lines = [self._sign, *(" ".join(map(str, place)) for place in places)]
        data.setData(LOCATIONS, "\n".join(lines).encode())
        data.setText(self._edits.text_of(places))
        return data

    def canDropMimeData(  # noqa: N802
        self,
        data: QMimeData,
        action: Qt.DropAction,
        row: int,
        column: int,
        parent: AnyIndex,
    ) -> bool:
        """Leave files to the window, which opens them; `drop` does the rest."""
        return not data.hasUrls() and super().canDropMimeData(data, action, row, column, parent)

    def is_own(self, data: QMimeData) -> bool:
        """Whether dragged layers are those of this document."""
        return bool(self._own_locations(data))

    def check_drop(self, data: QMimeData, action: Qt.DropAction, target: Location) -> None:
        """Refuse a place for dragged layers, without looking at what they read.

        Raises
        ------
        EditError
            Why they cannot go there, in a sentence.
        """
        if own := self._own_locations(data):
            for place in own:
                self._edits.check_place(place)
            if action == Qt.DropAction.MoveAction:
                self._edits.check_move(own, target)

    def drop(self, data: QMimeData, action: Qt.DropAction, target: Location) -> list[Location]:
        """Move dragged layers, or insert copies or layers from elsewhere.

        Returns
        -------
        list of Location
            Where moved layers are now; empty if there are others, or if it was `refused`.
        """
        own = self._own_locations(data)
        try:
            self.check_drop(data, action, target)
            if own and action == Qt.DropAction.MoveAction:
                return self._edits.move(own, target)
            self._edits.insert_text(data.text(), target, verb="Drop")
        except RFStudioError as error:
            self.refused.emit(str(error))
        return []

    def _own_locations(self, data: QMimeData) -> list[Location]:
        """Return where dragged layers of this network are; of others, there is only their text."""
        sign, *lines = bytes(data.data(LOCATIONS).data()).split(b"\n")
        if sign != self._sign.encode() or self._dragged_from is not self._document.architecture:
            return []
        return [tuple(map(int, line.split())) for line in lines]

    # --- texts ----------------------------------------------------------------------------------

    def text_of(self, index: AnyIndex) -> str:
        """Return the text of a cell."""
        return self.texts.of(self.row_of(index)).texts[index.column()]

    def _tip(self, row: Row) -> str:
        if row.is_input:
            return "The network's input; choose it to set its size."
        location = row.location
        if row.item is None or location is None:
            return ""
        return "\n".join([*self.texts.described(row, location), *self._remarks_on(location)[1]])

    # --- following ------------------------------------------------------------------------------

    def _follow(self) -> None:
        self.texts.clear()
        self.is_following = True
        try:
            self._sync(self._root, self._document.architecture.layers, head=1, tail=0)
        finally:
            self.is_following = False
        self.numbers_changed.emit()

    def _follow_remarks(self) -> None:
        """Show the remarks on a large network, which are found after it is shown."""
        self._remarks_of = None
        self.texts.clear()
        self.numbers_changed.emit()

    def _follow_selection(self, chosen: Selected) -> None:
        # Inside repeats, the numbers are those of the copy in the same turn as the choice.
        beside = (chosen.item, self._selection.copy)
        if beside != self._beside:
            self._beside = beside
            self.texts.clear()
            self.numbers_changed.emit()

    def _sync(self, row: Row, items: Sequence[Item], head: int, tail: int) -> None:
        """Let the children of a row show `items`, keeping the rows of those that are the same.

        The first `head` and the last `tail` children do not show items.
        """
        old = [x.item for x in row.children[head : len(row.children) - tail]]
        least = min(len(old), len(items))
        start = 0
        while start < least and _is_same(old[start], items[start]):
            start += 1
        end = 0
        while end < least - start and _is_same(old[-1 - end], items[-1 - end]):
            end += 1
        before = row.children[head + start : head + len(old) - end]
        after = items[start : len(items) - end]
        if len(before) == len(after) and all(
            type(x.item) is type(y) for x, y in zip(before, after, strict=True)
        ):
            for child, item in zip(before, after, strict=True):
                self._sync_item(child, item)
            return
        parent = self.index_of_row(row)
        first = head + start
        if before:
            self.beginRemoveRows(parent, first, first + len(before) - 1)
            del row.children[first : first + len(before)]
            row.renumber()
            self.endRemoveRows()
        if after:
            self.beginInsertRows(parent, first, first + len(after) - 1)
            row.children[first:first] = [new_row(x, row) for x in after]
            row.renumber()
            self.endInsertRows()

    def _sync_item(self, row: Row, item: Item) -> None:
        old = row.item
        row.item = item
        match item:
            case Layer():
                return
            case Parallel():
                assert isinstance(old, Parallel)
                if len(old.branches) == len(item.branches):
                    for child, branch in zip(row.children, item.branches, strict=True):
                        self._sync(child, branch.layers, 0, 0)
                    return
                self._exchange_children(row, item)
            case _ if len(item.bodies) == 2:
                self._sync(row, item.bodies[0], 0, 1)
                self._sync(row.children[-1], item.bodies[1], 0, 0)
            case _:
                self._sync(row, item.bodies[0], 0, 0)

    def _exchange_children(self, row: Row, item: Item) -> None:
        parent = self.index_of_row(row)
        self.beginRemoveRows(parent, 0, len(row.children) - 1)
        row.children.clear()
        self.endRemoveRows()
        children = children_of(item, row)
        self.beginInsertRows(parent, 0, len(children) - 1)
        row.children = children
        row.renumber()
        self.endInsertRows()

    def severity(self, location: Location) -> str:
        """Return the worst severity of the remarks on an item, or an empty text.

        Errors and warnings inside a container are remarks on it, too.
        """
        return self._remarks_on(location)[0]

    def _remarks_on(self, location: Location) -> tuple[str, list[str]]:
        """Return the worst severity of the remarks on an item, and their texts."""
        if self._remarks_of is not self._session.analysis:
            self._collect_remarks()
        return self._remarks.get(location, ("", []))

    def _collect_remarks(self) -> None:
        self._remarks = {}
        analysis = self._remarks_of = self._session.analysis
        for remark in each_remark(self._session.remarks):
            node = analysis.graph.paths.get(remark.layer)
            location = None if node is None else analysis.graph.nodes[node].location
            if location is None:
                continue
            # A closed container hides the place, so it is marked, too; notes can wait.
            around = range(1, len(location), 2) if remark.severity != "note" else ()
            for place in (location, *(location[:x] for x in around)):
                worst, texts = self._remarks.get(place, ("", []))
                if len(texts) < _MOST_TEXTS and remark.message not in texts:
                    texts.append(remark.message)
                severity = max(worst, str(remark.severity), key=_RANK.__getitem__)
                self._remarks[place] = (severity, texts)


def _is_same(one: Item | None, other: Item) -> bool:
    # Most are the same object, which an edit left alone.
    return one is other or one == other
