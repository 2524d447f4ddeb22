"""The panel with the table of all layers, to sort by any column, to copy, and to choose a layer."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QGuiApplication,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableView, QWidget

from rfstudio.app.effective.pins import Pins
from rfstudio.app.files.exports import TABLE_KINDS, table_text
from rfstudio.app.frames import Later, Rank, at_once
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.widgets.parts.cells import Letters, TextDelegate
from rfstudio.widgets.parts.explaining import add_questions, explain_titles, questions_in
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.painting import paints_widget
from rfstudio.widgets.table.header import SortHeader
from rfstudio.widgets.table.model import COLUMNS, LayerTable

_SAMPLES = (
    "layer4.2.downsample",
    "adaptive_avg_pool",
    "224×224",
    "Channels",
    "188…204×188…204",
    "1024×1024",
    "Jump 1/2",
    "Padding",
    "−1530.5",
    "stride mismatch",
    "138,357,544",
    "15,470,314,496",
    "layer1.0.conv1",
)
"""Texts for which the columns are wide enough."""

_SAMPLES_3D = {
    2: "16×112×112",
    4: "109×219×219",
    5: "109×219×219",
    6: "16×32×32",
    7: "109×219×219",
    8: "−0.5×−0.5×−0.5",
}
"""The same for numbers of three axes, by column; three ranges in a row are cut."""

_BESIDE = next(i for i, x in enumerate(COLUMNS) if x.title == "Local")
"""Where the columns of pins are: right after the field."""

_EMPTY = "No layers yet. Each will have a row here, with its field, its jump and its costs."

_MARGIN = 9
"""Pixels beside a text in its cell."""


class TablePanel(QTableView):
    """Shows all layers; choosing a row chooses its layer.

    Attributes
    ----------
    is_quick
        Whether all cells are painted at once, not by Qt.

    Signals
    -------
    term_wanted
        An entry of the glossary that the user wants to read.
    """

    term_wanted = Signal(str)

    def __init__(
        self,
        session: AnalysisSession,
        selection: Selection,
        parent: QWidget | None = None,
        *,
        later: Later = at_once,
    ) -> None:
        super().__init__(parent)
        self._later = later
        self._session = session
        self._selection = selection
        self.is_quick = True
        self._letters = Letters(self.font())
        self.layers = LayerTable(session, later)
        self.layers.setParent(self)
        self.setHorizontalHeader(SortHeader(self))
        self.setModel(self.layers)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        delegate = TextDelegate(
            self.layers.text_of, lambda x: self.layers.columns[x].is_number, self, _MARGIN
        )
        self.setItemDelegate(delegate)
        self.setTabKeyNavigation(False)
        self.setFrameShape(QTableView.Shape.NoFrame)
        self.setAccessibleName("All layers")
        FocusRing(self)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.horizontalHeader().setStretchLastSection(True)
        self._axes = 0
        self._follow_axes()
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._open_menu)
        explain_titles(self.horizontalHeader(), self.term_wanted.emit)
        self.copy = QAction("Copy rows", self)
        self.copy.setShortcut(QKeySequence.StandardKey.Copy)
        self.copy.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.copy.triggered.connect(self._copy_rows)
        self.addAction(self.copy)
        self.selectionModel().currentRowChanged.connect(self._choose)
        selection.selection_changed.connect(self._follow_later)
        self.layers.modelReset.connect(self._follow)
        session.analysis_changed.connect(self._follow_axes)
        self._follow()

    @paints_widget
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint all cells at once; Qt would call the model several times for each of them."""
        if not self.layers.rowCount():
            self._paint_empty()
            return
        is_mirrored = self.layoutDirection() == Qt.LayoutDirection.RightToLeft
        if is_mirrored or not self.isEnabled() or not self.is_quick:
            super().paintEvent(event)
            return
        painter = QPainter(self.viewport())
        painter.setFont(self.font())
        shown = event.rect()
        first, last = self.rowAt(shown.top()), self.rowAt(shown.bottom())
        if first < 0:
            return
        last = last if last >= 0 else self.layers.rowCount() - 1
        columns = self._columns_in(shown)
        chosen = {x.row() for x in self.selectionModel().selectedRows()}
        for row in range(first, last + 1):
            self._paint_row(painter, row, columns, is_chosen=row in chosen)

    def _paint_empty(self) -> None:
        """Say what will be here, as other panels do."""
        painter = QPainter(self.viewport())
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        room = self.viewport().rect().adjusted(_MARGIN, 0, -_MARGIN, 0)
        painter.drawText(room, flags, _EMPTY)

    def _columns_in(self, shown: QRect) -> list[tuple[int, int, int]]:
        """Return number, left side and width of the columns in a part of the table."""
        header = self.horizontalHeader()
        places = (
            (column, header.sectionViewportPosition(column), header.sectionSize(column))
            for column in range(header.count())
            if not header.isSectionHidden(column)
        )
        return [x for x in places if x[1] <= shown.right() and x[1] + x[2] > shown.left()]

    def _paint_row(
        self, painter: QPainter, row: int, columns: list[tuple[int, int, int]], *, is_chosen: bool
    ) -> None:
        palette, role = self.palette(), QPalette.ColorRole
        top, height = self.rowViewportPosition(row), self.rowHeight(row)
        if is_chosen or row % 2:
            left = min(x for _, x, _ in columns)
            right = max(x + width for _, x, width in columns)
            ground = role.Highlight if is_chosen else role.AlternateBase
            painter.fillRect(left, top, right - left, height, palette.color(ground))
        painter.setPen(palette.color(role.HighlightedText if is_chosen else role.Text))
        texts = self.layers.texts_of(row)
        for column, left, width in columns:
            rect = QRect(left + _MARGIN, top, width - 2 * _MARGIN, height)
            right = self.layers.columns[column].is_number
            self._letters.draw(painter, rect, texts[column], right=right, is_name=not right)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802
        """Draw in another font."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._letters = Letters(self.font())

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Bring the chosen row into view, which is not possible before there is a size."""
        super().showEvent(event)
        self.scrollTo(self.currentIndex())

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keep the chosen row in view."""
        super().resizeEvent(event)
        self.scrollTo(self.currentIndex())

    def rows_text(self) -> str:
        """Return the chosen rows with their titles, cells separated by tabs."""
        rows = sorted(index.row() for index in self.selectionModel().selectedRows())
        columns = self.layers.columns
        lines = ["\t".join(column.title for column in columns)]
        for row in rows:
            cells = (self.layers.index(row, column).data() for column in range(len(columns)))
            lines.append("\t".join(map(str, cells)))
        return "\n".join(lines) + "\n"

    def show_pins(self, pins: Pins) -> None:
        """Show the fields of pinned networks beside those of this one, and follow the pins."""
        self.layers.columnsInserted.connect(self._place_pinned)
        pins.changed.connect(partial(self.layers.show_pins, pins))
        self.layers.show_pins(pins)

    def _place_pinned(self) -> None:
        """Put the columns of pins beside the field."""
        header, metrics = self.horizontalHeader(), self.fontMetrics()
        width = metrics.horizontalAdvance("188…204×188…204 ▲") + 2 * _MARGIN
        for number, column in enumerate(range(len(COLUMNS), len(self.layers.columns))):
            header.moveSection(header.visualIndex(column), _BESIDE + number)
            self.setColumnWidth(column, width)

    def _copy_rows(self) -> None:
        QGuiApplication.clipboard().setText(self.rows_text())

    def _copy_all(self, kind: str) -> None:
        QGuiApplication.clipboard().setText(table_text(self._session.analysis, kind))

    def _open_menu(self, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.copy)
        menu.addSeparator()
        for kind in TABLE_KINDS:
            action = menu.addAction(f"Copy table as {kind}")
            action.triggered.connect(lambda _=False, kind=kind: self._copy_all(kind))
        add_questions(menu, questions_in(self.horizontalHeader()), self.term_wanted.emit)
        menu.exec(self.viewport().mapToGlobal(place))

    def _choose(self, current: QModelIndex) -> None:
        if current.isValid():
            name = self.layers.layer(current.row()).name
            if name != self._selection.layer:
                self._selection.select_layer(name)

    def _follow_later(self) -> None:
        self._later(Rank.CHARTS, self._follow)

    def _follow(self) -> None:
        row = self.layers.row_of(self._selection.layer)
        model = self.selectionModel()
        flags = QItemSelectionModel.SelectionFlag
        if row < 0:
            model.clear()  # with the current row, so that a click on it chooses its layer again
            return
        index = self.layers.index(row, 0)
        if model.currentIndex().row() != index.row() or not model.isRowSelected(index.row()):
            model.setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            self.scrollTo(index)

    def _follow_axes(self) -> None:
        """Make the columns wide enough for the numbers of another count of axes."""
        axes = len(self._session.analysis.reference_size)
        if axes == self._axes:
            return  # a width that the user has set stays
        self._axes = axes
        metrics = self.fontMetrics()
        wider = _SAMPLES_3D if axes == 3 else {}
        for column, sample in enumerate(_SAMPLES):
            # With the arrow of the sorting, which any title may get.
            texts = (sample, wider.get(column, ""), f"▴ {COLUMNS[column].title}")
            width = max(metrics.horizontalAdvance(x) for x in texts)
            self.setColumnWidth(column, width + 2 * _MARGIN)
