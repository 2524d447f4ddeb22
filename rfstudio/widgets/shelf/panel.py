"""The shelf of results: shows, names, saves and deletes what was measured, or read from files."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.effective.shelf import Shelved
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.widgets.parts.empty_words import empty_words
from rfstudio.widgets.parts.flow_layout import FlowLayout
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.text_button import text_button

_TITLES = ("Name", "Layer", "Unit", "Samples", "How", "Network")
_NAME = 0
_EMPTY = (
    "No results yet. Every measurement of this session is listed here, and is shown again when you "
    "come back to its unit."
)
_NUMBER = Qt.ItemDataRole.UserRole


class ShelfPanel(QWidget):
    """Lists the results on the shelf, the newest first.

    Signals
    -------
    save_wanted
        The user wants to write a `Shelved` result, whose network is open, to a file.
    refused
        Why a result is not shown, in words.
    """

    save_wanted = Signal(object)
    refused = Signal(str)

    def __init__(
        self,
        erf_session: ErfSession,
        document: Document,
        selection: Selection,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = erf_session
        self._document = document
        self._selection = selection
        self._listed: list[Shelved] = []
        self.tree = self._make_tree()
        self.empty = empty_words(_EMPTY)
        self.show_ = text_button(
            "Show", "Go to the network, layer and unit of this result, and show it (Enter)"
        )
        self.rename = text_button("Rename", "Give this result a name (F2)")
        self.save = text_button("Save…", "Write the map and its numbers to a file")
        self.delete = text_button("Delete", "Drop this result (Delete)")
        self._lay_out()
        self.tree.itemActivated.connect(self._show_chosen)
        self.tree.itemChanged.connect(self._take_name)
        self.tree.currentItemChanged.connect(self._offer)
        self.show_.clicked.connect(self._show_chosen)
        self.rename.clicked.connect(self._edit_name)
        self.save.clicked.connect(self._save)
        self.delete.clicked.connect(self._delete)
        erf_session.shelf_changed.connect(self._fill)
        erf_session.measurement_changed.connect(self._mark)
        document.architecture_changed.connect(self._fill)
        self.setAccessibleName("Results")
        self._list([])
        self._fill()

    def _make_tree(self) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setHeaderLabels(list(_TITLES))
        tree.setRootIsDecorated(False)
        tree.setUniformRowHeights(True)
        tree.setAccessibleName("Results of measurements")
        tree.setFrameShape(QTreeWidget.Shape.NoFrame)
        # Only the name can be edited, whichever column was clicked.
        tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        FocusRing(tree)
        header = tree.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        width = self.fontMetrics().averageCharWidth()
        tree.setStyleSheet("QTreeView::item { padding: 3px 6px; }")
        for column, characters in enumerate((14, 20, 17, 24, 18)):
            header.resizeSection(column, characters * width)
        header.setStretchLastSection(True)
        for key, do in ((Qt.Key.Key_Delete, self._delete), (Qt.Key.Key_F2, self._edit_name)):
            action = QAction(tree)
            action.setShortcut(QKeySequence(key))
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            action.triggered.connect(do)
            tree.addAction(action)
        return tree

    def _lay_out(self) -> None:
        row = FlowLayout(gap=6)
        row.setContentsMargins(6, 2, 6, 2)
        for button in (self.show_, self.rename, self.save, self.delete):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.tree, 1)
        column.addWidget(self.empty, 1)
        column.addLayout(row)

    # --- what is listed -------------------------------------------------------------------------

    def texts(self) -> list[tuple[str, ...]]:
        """Return the rows as they are shown."""
        rows = (self.tree.topLevelItem(i) for i in range(self.tree.topLevelItemCount()))
        return [tuple(row.text(i) for i in range(len(_TITLES))) for row in rows if row is not None]

    def _fill(self) -> None:
        listed = list(self._session.shelf)
        if [id(x) for x in listed] == [id(x) for x in self._listed]:
            self._write_again()
        else:
            self._list(listed)
        self._mark()
        self._offer()

    def _write_again(self) -> None:
        """Write the texts of the rows anew; a row whose name is being edited stays the same."""
        with QSignalBlocker(self.tree):
            for i, shelved in enumerate(self._listed):
                row = self.tree.topLevelItem(i)
                for column, text in enumerate(self._cells(shelved)):
                    if row is not None:
                        row.setText(column, text)

    def _list(self, listed: list[Shelved]) -> None:
        """List other results."""
        chosen = self._chosen()
        self._listed = listed
        with QSignalBlocker(self.tree):
            self.tree.clear()
            for shelved in self._listed:
                row = QTreeWidgetItem(self._cells(shelved))
                for column in range(row.columnCount()):
                    row.setToolTip(column, row.text(column))  # a narrow column may cut it
                row.setFlags(row.flags() | Qt.ItemFlag.ItemIsEditable)
                row.setData(_NAME, _NUMBER, shelved.number)
                self.tree.addTopLevelItem(row)
                if shelved is chosen:
                    self.tree.setCurrentItem(row)
            if chosen not in self._listed and self._listed:
                # So that the buttons say what they are for before a row is clicked.
                shown = self._session.shown
                at = self._listed.index(shown) if shown in self._listed else -1
                best = self.tree.topLevelItem(at % len(self._listed))
                assert best is not None
                self.tree.setCurrentItem(best)
        has_any = bool(self._listed)
        self.tree.setVisible(has_any)
        self.empty.setVisible(not has_any)

    def _cells(self, shelved: Shelved) -> list[str]:
        options, subject = shelved.options, shelved.subject
        inputs = {"noise": "noise", "image": "the photo", "folder": "a folder of photos"}
        is_now = subject.architecture == self._document.architecture
        network = subject.architecture.name or "unnamed"
        return [
            _title(shelved),
            subject.layer,
            ", ".join(map(str, subject.unit)),
            shelved.progress + (f", from {shelved.origin}" if shelved.origin else ""),
            f"{options.estimator}, {inputs[options.inputs]}",
            network if is_now else f"{network}, before an edit or another network",
        ]

    def _mark(self) -> None:
        """Write the result that is shown now in bold."""
        shown = self._session.shown
        for i, shelved in enumerate(self._listed):
            row = self.tree.topLevelItem(i)
            if row is None or row.font(_NAME).bold() == (shelved is shown):
                continue
            font = row.font(_NAME)
            font.setBold(shelved is shown)
            with QSignalBlocker(self.tree):
                row.setFont(_NAME, font)

    def _chosen(self) -> Shelved | None:
        row: QTreeWidgetItem | None = self.tree.currentItem()
        number = None if row is None else row.data(_NAME, _NUMBER)
        return next((x for x in self._listed if x.number == number), None)

    def _offer(self) -> None:
        has_chosen = self._chosen() is not None
        for button in (self.show_, self.rename, self.save, self.delete):
            button.setEnabled(has_chosen)

    # --- doing ----------------------------------------------------------------------------------

    def _show_chosen(self) -> None:
        shelved = self._chosen()
        if shelved is not None:
            self._open_network_of(shelved)
            self._selection.once_known(partial(self._show, shelved))

    def _show(self, shelved: Shelved) -> None:
        if why_not := self._session.show(shelved):
            self.refused.emit(f"“{_title(shelved)}” is not shown: {why_not}.")

    def _save(self) -> None:
        shelved = self._chosen()
        if shelved is not None:
            self._open_network_of(shelved)
            self._selection.once_known(partial(self.save_wanted.emit, shelved))

    def _open_network_of(self, shelved: Shelved) -> None:
        if shelved.subject.architecture != self._document.architecture:
            self._document.edit("Back to a measured network", shelved.subject.architecture)

    def _delete(self) -> None:
        shelved = self._chosen()
        if shelved is not None:
            self._session.remove(shelved)

    def _edit_name(self) -> None:
        row: QTreeWidgetItem | None = self.tree.currentItem()
        if row is not None:
            self.tree.editItem(row, _NAME)

    def _take_name(self, row: QTreeWidgetItem, column: int) -> None:
        shelved = self._chosen()
        if shelved is None or column != _NAME:
            self._fill()
            return
        self._session.rename(shelved, row.text(_NAME).strip())


def _title(shelved: Shelved) -> str:
    return shelved.name or f"result {shelved.number}"
