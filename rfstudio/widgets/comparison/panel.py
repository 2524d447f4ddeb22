"""The comparison: the chosen unit and the pins in columns, with differences."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.effective.pins import Pins
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.comparison import Compared, rows_of
from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.parts.empty_words import empty_words
from rfstudio.widgets.parts.flow_layout import FlowLayout
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.text_button import text_button

_EMPTY = (
    "Nothing is pinned. P pins the chosen unit: it stays on the canvas, in the charts and here "
    "beside the next one. Shift+P pins the network of before the last edit."
)


class _Table(QTableWidget):
    """A table whose columns share its width, or are scrolled where that is not enough."""

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Share the new width."""
        super().resizeEvent(event)
        self.fit_columns()

    def fit_columns(self) -> None:
        """Give all columns the same width, or what their texts need if they are wider then."""
        header, count = self.horizontalHeader(), self.columnCount()
        needed = [self.sizeHintForColumn(x) for x in range(count)]
        is_enough = max(needed, default=0) * count <= self.viewport().width()
        modes = QHeaderView.ResizeMode
        header.setSectionResizeMode(modes.Stretch if is_enough else modes.Interactive)
        for column, width in enumerate([] if is_enough else needed):
            header.resizeSection(column, width)


class ComparisonPanel(QWidget):
    """Shows the numbers of the chosen unit and of the pins.

    Signals
    -------
    refused
        Nothing more can be pinned; why, in a sentence.
    """

    refused = Signal(str)

    def __init__(
        self, pins: Pins, selection: Selection, erf: ErfView, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._pins = pins
        self._selection = selection
        self._erf = erf
        self._is_stale = True
        self.table = _Table()
        self.table.setAccessibleName("Comparison with pins")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ContiguousSelection)
        self.table.setFrameShape(QTableWidget.Shape.NoFrame)
        self.table.setShowGrid(False)
        self.table.setAlternatingRowColors(True)
        self.table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        # Texts begin below the titles of their columns.
        self.table.setStyleSheet("QTableView::item { padding: 0 6px; }")
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        self.table.horizontalHeader().setDefaultAlignment(left)
        FocusRing(self.table)
        self.empty = empty_words(_EMPTY)
        self.pin = text_button("Pin", "Pin the chosen unit (P)")
        self.before = text_button(
            "Pin before my edit", "Pin the network of before the last edit (Shift+P)"
        )
        self.clear = text_button("Remove all", "Take all pins out")
        row = FlowLayout(gap=6)
        row.setContentsMargins(6, 2, 6, 2)
        for button in (self.pin, self.before, self.clear):
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.table, 1)
        column.addWidget(self.empty, 1)
        column.addLayout(row)
        self.pin.clicked.connect(self.add)
        self.before.clicked.connect(self.add_before_edit)
        self.clear.clicked.connect(pins.clear)
        pins.changed.connect(self._refresh)
        erf.changed.connect(self._refresh)
        self.setAccessibleName("Comparison")
        self._refresh()

    def add(self) -> None:
        """Pin the chosen unit."""
        try:
            self._pins.add()
        except RFStudioError as error:
            self.refused.emit(_sentence(error))

    def add_before_edit(self) -> None:
        """Pin the network of before the last edit."""
        try:
            self._pins.add_before_edit()
        except RFStudioError as error:
            self.refused.emit(_sentence(error))

    def texts(self) -> dict[str, list[str]]:
        """Return what is shown, by the names of the rows."""
        rows = {}
        for i in range(self.table.rowCount()):
            title = self.table.verticalHeaderItem(i)
            cells = [self.table.item(i, j) for j in range(self.table.columnCount())]
            rows[title.text() if title else ""] = [x.text() for x in cells if x is not None]
        return rows

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Catch up with what changed while the panel was hidden."""
        super().showEvent(event)
        if self._is_stale:
            self._refresh()

    def _refresh(self) -> None:
        # A hidden tab costs nothing while a unit is dragged.
        self._is_stale = not self.isVisible()
        if self._is_stale:
            return
        has_pins = len(self._pins) > 0
        self.table.setVisible(has_pins)
        self.empty.setVisible(not has_pins)
        self.clear.setEnabled(has_pins)
        analysis, chosen = self._selection.shown
        if not has_pins or chosen.layer not in analysis:
            return
        title = analysis.architecture.name or "this network"
        columns = [
            Compared(title, analysis, chosen.layer, chosen.unit, self._erf.shown.field),
            *(Compared(x.title, x.analysis, x.layer, x.unit, x.field) for x in self._pins),
        ]
        rows = rows_of(columns)
        with QSignalBlocker(self.table):
            self.table.setColumnCount(len(columns))
            self.table.setRowCount(len(rows))
            self.table.setHorizontalHeaderLabels(
                ["chosen", *(f"pin {x.letter}" for x in self._pins)]
            )
            self.table.setVerticalHeaderLabels([x.label for x in rows])
            for i, row in enumerate(rows):
                for j, cell in enumerate(row.cells):
                    text = f"{cell.text}   ({cell.difference})" if cell.difference else cell.text
                    self._put(i, j, text)
        self.table.fit_columns()

    def _put(self, row: int, column: int, text: str) -> None:
        item = self.table.item(row, column)
        if item is None:
            self.table.setItem(row, column, QTableWidgetItem(text))
        elif item.text() != text:
            item.setText(text)


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
