"""The table of the numbers of the measured and the expected field, to read and to copy."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QMenu,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.effective.erf_numbers import HEADERS, NUMBER_KINDS, NumberRow
from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.effective.shown_fields import ShownFields
from rfstudio.app.files.erf_export import ErfExport
from rfstudio.app.wording.no_field import why_no_field
from rfstudio.app.wording.terms import hinted
from rfstudio.widgets.parts.elided_label import ElidedLabel
from rfstudio.widgets.parts.empty_words import empty_words
from rfstudio.widgets.parts.explaining import add_questions, explain_titles, questions_at
from rfstudio.widgets.parts.flow_layout import FlowLayout
from rfstudio.widgets.parts.text_button import text_button

_LATER = 120
"""Milliseconds without a change after which numbers are computed: a fit takes too long to follow
the pointer."""

_DIGITS = 4
_TITLES = (*HEADERS, "meaning")
_NUMERIC = range(2, len(HEADERS))
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_AnyIndex = QModelIndex | QPersistentModelIndex


class NumberTable(QAbstractTableModel):
    """The rows of numbers as a Qt model."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: tuple[NumberRow, ...] = ()

    def show_rows(self, rows: tuple[NumberRow, ...]) -> None:
        """Show other rows."""
        if [x.name for x in rows] == [x.name for x in self.rows]:
            self.rows = rows  # the selection of cells stays
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(_TITLES) - 1))
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: _AnyIndex = QModelIndex()) -> int:  # noqa: N802, B008 - Qt's
        """Return the number of rows."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _AnyIndex = QModelIndex()) -> int:  # noqa: N802, B008
        """Return the number of columns."""
        return 0 if parent.isValid() else len(_TITLES)

    def data(self, index: _AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text of a cell, its meaning, or its alignment."""
        row = self.rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole if index.column() in _NUMERIC:
                return row.texts(_DIGITS)[index.column()].replace("-", "−")
            case Qt.ItemDataRole.DisplayRole:
                return (*row.texts(_DIGITS), row.meaning)[index.column()]
            case Qt.ItemDataRole.ToolTipRole:
                return hinted(row.meaning, row.name)
            case Qt.ItemDataRole.TextAlignmentRole:
                return _RIGHT if index.column() in _NUMERIC else _LEFT
        return None

    def headerData(  # noqa: N802 - Qt's name
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Return the title of a column, and that it is aligned with its cells."""
        if orientation != Qt.Orientation.Horizontal:
            # Hidden; the glossary is asked by it.
            return self.rows[section].name if role == Qt.ItemDataRole.DisplayRole else None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if section in _NUMERIC else _LEFT
        if role == Qt.ItemDataRole.DisplayRole:
            return _TITLES[section][:1].upper() + _TITLES[section][1:]
        return None


class NumbersPanel(QWidget):
    """Shows the numbers of the chosen unit's fields as soon as nothing moves.

    Signals
    -------
    save_wanted
        The user wants to write the fields to a file.
    term_wanted
        An entry of the glossary that the user wants to read.
    """

    save_wanted = Signal()
    term_wanted = Signal(str)

    def __init__(self, view: ErfView, export: ErfExport, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self._export = export
        self.title = ElidedLabel()
        self.title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.numbers = NumberTable(self)
        self.table = self._make_table()
        self.empty = empty_words("")
        self.copies = {kind: text_button(f"Copy {kind}") for kind in NUMBER_KINDS}
        self.save = text_button("Save map and numbers…")
        bar = FlowLayout(gap=6, rest=0)
        bar.setContentsMargins(8, 3, 6, 3)
        bar.addWidget(self.title)
        for kind, button in self.copies.items():
            button.setToolTip(f"Copy all numbers as {kind}")
            button.clicked.connect(lambda _=False, kind=kind: self._copy(kind))
            bar.addWidget(button)
        self.save.setToolTip("Write the map with its record (NPZ), or the numbers, to a file")
        self.save.clicked.connect(self.save_wanted)
        bar.addWidget(self.save)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(self.table, 1)
        column.addWidget(self.empty, 1)
        self.setAccessibleName("Numbers of the effective fields")
        self._later = QTimer(self, singleShot=True, interval=_LATER)
        self._later.timeout.connect(self.refresh)
        view.changed.connect(self._mark_stale)
        self._is_stale = True
        self._shown: ShownFields | None = None

    def refresh(self) -> None:
        """Compute the numbers now."""
        rows = self._export.rows()  # first, since this may bring a field that was late
        if not any(x is not None for row in rows for x in row.values):
            rows = ()  # as of a unit that sees nothing
        self._later.stop()
        self._is_stale = False
        self.table.setEnabled(True)
        shown = self._shown = self._view.shown
        units = shown.analysis.units
        self.numbers.show_rows(
            tuple(x._replace(unit=units.said(x.unit), meaning=units.said(x.meaning)) for x in rows)
        )
        fields = (shown.measured, shown.expected)
        words = "Effective field: " + ", ".join(x.label for x in fields if x)
        failure = shown.measurement.failure
        if failure:
            words += f". {failure}"
        elif shown.measurement.result is not None and shown.analysis.reference:
            words += "; the measured field is over the input only"
        self.title.setText(words)
        self.title.setToolTip(self.title.text())
        if not rows:
            why = why_no_field(shown) or "This unit has no effective field, and so no numbers."
            self.empty.setText(" ".join(x for x in (failure, why) if x))
        for widget in (self.title, self.table, self.save, *self.copies.values()):
            widget.setVisible(bool(rows))
        self.empty.setVisible(not rows)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Catch up with what changed while the panel was hidden."""
        super().showEvent(event)
        if self._is_stale:
            self.refresh()

    def _mark_stale(self) -> None:
        self._is_stale = True
        if not self.isVisible():
            self._shown = None  # which would keep an earlier network as long as it is hidden
            return
        now, before = self._view.shown, self._shown
        if before is not None and before.is_of(now.analysis, now.layer, now.unit):
            # More samples of the same unit: they arrive all the time, so do not wait for a rest.
            if not self._later.isActive():
                self._later.start()
            return
        self.table.setEnabled(False)  # gray: they are not those of the present unit
        self._later.start()

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.numbers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setAlternatingRowColors(True)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.setFrameShape(QFrame.Shape.NoFrame)
        table.setStyleSheet("QTableView::item { padding: 0 6px; }")
        table.setAccessibleName("Numbers of the effective fields")
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        wide = self.fontMetrics().horizontalAdvance
        texts = ("luo_size_of_maximum", "samples", "−1234.5678", "−1234.5678", HEADERS[-1])
        for i, text in enumerate(texts):
            table.setColumnWidth(i, max(wide(text), wide(HEADERS[i])) + 24)
        table.setColumnWidth(len(texts), 30 * wide("x"))  # at least; its texts are sentences
        header.setStretchLastSection(True)
        copy = QAction("Copy rows", table)
        copy.setShortcut(QKeySequence.StandardKey.Copy)
        copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        copy.triggered.connect(self._copy_rows)
        table.addAction(copy)
        table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        table.customContextMenuRequested.connect(partial(self._open_menu, table))
        explain_titles(header, self.term_wanted.emit)
        return table

    def _open_menu(self, table: QTableView, place: QPoint) -> None:
        menu = QMenu(table)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions(table.actions())
        at = table.viewport().mapToGlobal(place)
        add_questions(menu, questions_at(table, at), self.term_wanted.emit)
        menu.popup(at)

    def _copy(self, kind: str) -> None:
        if self._is_stale:
            self.refresh()
        QGuiApplication.clipboard().setText(self._export.numbers_text(kind))

    def _copy_rows(self) -> None:
        rows = sorted(x.row() for x in self.table.selectionModel().selectedRows())
        lines = ["\t".join(HEADERS)]
        lines += ["\t".join(self.numbers.rows[x].texts(_DIGITS)) for x in rows]
        QGuiApplication.clipboard().setText("\n".join(lines) + "\n")
