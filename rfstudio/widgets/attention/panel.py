"""The attention of the chosen unit: maps by head over the image, and distances by head or layer."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QLabel,
    QListView,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.attention.session import ALL, AttentionSession, short_names
from rfstudio.app.frames import Later, Rank, at_once
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.terms import hinted
from rfstudio.core.metrics.attention import LayerAttention
from rfstudio.core.metrics.registry import digits_text
from rfstudio.widgets.parts.elided_label import ElidedLabel
from rfstudio.widgets.parts.flow_layout import FlowLayout
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.map_view import MapView, map_picture
from rfstudio.widgets.parts.text_button import text_button

_NONE = (
    "This network has no attention layer whose heads could be measured. Open one that has, such as "
    "vit_b16 or swin_t, or add attention to this one."
)
_EMPTY = (
    "Where does the unit look? Measure shows for each head how much the chosen unit attends to "
    "each place of the image on the canvas, and how far the head looks, with the weights that are "
    "chosen in Measure."
)
_ALL_WORDS = "All attention layers"
_STEPS = 1000
_SIDE = 92
"""Longer side of the picture of a head, in points."""

_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter

_TITLES = {
    "distance": "distance",
    "to_tokens": "to tokens",
    "nearest head": "nearest",
    "farthest head": "farthest",
}
_DISTANCES = frozenset({"distance", "nearest head", "farthest head"})
"""Columns that count samples of the input."""

_TIPS = {
    "distance": "How far the head looks: Σ a·|x_q − x_k| over all keys, averaged over all queries, "
    "in samples of the input",
    "nearest head": "The distance of the head that looks least far",
    "farthest head": "The distance of the head that looks farthest",
    "to_tokens": "The share of attention that goes to tokens without a position, such as a class "
    "token",
}


class AttentionPanel(QWidget):
    """Measures a layer or all of them; a list of maps by head, and a large one of the chosen head.

    Parameters
    ----------
    session
        What was measured.
    analysis, selection
        What is chosen.
    later
        When the panel follows a change.

    Signals
    -------
    save_wanted
        The user wants to write what was measured to a file.
    """

    save_wanted = Signal()

    def __init__(
        self,
        session: AttentionSession,
        analysis: AnalysisSession,
        selection: Selection,
        *,
        later: Later = at_once,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._later = later
        self._is_stale = False
        self._columns = 0
        self.choice = QComboBox()
        self.choice.setAccessibleName("Attention layer")
        self.choice.setToolTip("The layer that is measured; it follows the layer that is chosen")
        self.choice.setMinimumContentsLength(18)
        self.choice.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.run = QPushButton("Measure")
        self.run.setToolTip("Measure with the weights that are chosen in the tab Measure")
        self.cancel = QPushButton("Cancel")
        self.progress = QProgressBar()
        self.progress.setMaximum(_STEPS)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(8)
        self.progress.setAccessibleName("Progress of the attention")
        self.words = ElidedLabel()
        self.words.setAccessibleName("What was found")
        self.save = text_button("Save…", "Write the table, the maps or the figure to a file")
        self.table = self._make_table()
        self.heads = self._make_list()
        self.view = MapView()
        self.view.setAccessibleName("Attention of the unit")
        self.caption = QLabel(alignment=Qt.AlignmentFlag.AlignCenter)
        self.caption.setAccessibleName("Head")
        self.setAccessibleName("Attention")
        self._lay_out()
        self._connect(analysis, selection)
        self._follow()
        self._show_results()
        self._show_state(session.state)

    def _make_table(self) -> QTableWidget:
        table = QTableWidget()
        table.setAccessibleName("Distances by head")
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setFrameShape(QTableWidget.Shape.NoFrame)
        table.setShowGrid(False)
        table.setAlternatingRowColors(True)
        table.setTabKeyNavigation(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 6)
        table.horizontalHeader().setHighlightSections(False)
        table.horizontalHeader().setStretchLastSection(True)
        FocusRing(table)
        return table

    def _make_list(self) -> QListWidget:
        heads = QListWidget()
        heads.setAccessibleName("Maps by head")
        heads.setToolTip("Each map is coloured up to its own largest value; the frame is the query")
        heads.setViewMode(QListView.ViewMode.IconMode)
        heads.setResizeMode(QListView.ResizeMode.Adjust)
        heads.setMovement(QListView.Movement.Static)
        heads.setUniformItemSizes(True)
        heads.setWordWrap(False)
        heads.setSpacing(2)
        heads.setFrameShape(QListWidget.Shape.NoFrame)
        FocusRing(heads)
        return heads

    def _lay_out(self) -> None:
        row = FlowLayout(gap=6, rest=3)
        row.setContentsMargins(6, 4, 6, 2)
        for control in (self.choice, self.run, self.cancel):
            row.addWidget(control)
        row.addWidget(self.words)
        row.addWidget(self.save)
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.view, 1)
        column.addWidget(self.caption)
        self._split = QSplitter()
        for i, (widget, stretch) in enumerate(((self.table, 3), (self.heads, 6), (side, 3))):
            self._split.addWidget(widget)
            self._split.setStretchFactor(i, stretch)
        self._split.setChildrenCollapsible(False)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(2)
        whole.addLayout(row)
        whole.addWidget(self.progress)
        whole.addWidget(self._split, 1)

    def _connect(self, analysis: AnalysisSession, selection: Selection) -> None:
        session = self._session
        self.run.clicked.connect(lambda: session.start(self.choice.currentData() or ALL))
        self.cancel.clicked.connect(session.cancel)
        self.save.clicked.connect(self.save_wanted)
        self.table.itemSelectionChanged.connect(self._choose_row)
        self.heads.currentRowChanged.connect(self._show_map)
        session.results_changed.connect(self._show_results)
        session.state_changed.connect(self._show_state)
        session.progressed.connect(lambda x: self.progress.setValue(round(_STEPS * x)))
        session.failed.connect(self._say)
        analysis.analysis_changed.connect(self._follow_later)
        selection.selection_changed.connect(self._follow_later)

    # --- what is measured -----------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Catch up with what changed while the panel was hidden."""
        super().showEvent(event)
        if self._is_stale:
            self._follow()

    def _follow_later(self) -> None:
        self._is_stale = True
        if self.isVisible():
            self._later(Rank.CHARTS, self._follow)

    def _follow(self) -> None:
        """List the attention layers, and choose the one that is chosen, or the nearest."""
        self._is_stale = False
        session, choice = self._session, self.choice
        names = session.names
        listed = [choice.itemData(i) for i in range(choice.count())]
        wanted = [ALL, *names] if len(names) > 1 else list(names)
        was_all = choice.count() > 1 and choice.currentData() == ALL
        with QSignalBlocker(choice):
            if listed != wanted:
                choice.clear()
                short = dict(zip(names, short_names(names), strict=True))
                for i, name in enumerate(wanted):
                    choice.addItem(short.get(name, _ALL_WORDS), name)
                    choice.setItemData(i, name, Qt.ItemDataRole.ToolTipRole)
            # Who looks at all layers goes on doing so while walking through them.
            choice.setCurrentIndex(
                wanted.index(ALL if was_all else session.nearest) if names else -1
            )
        self._show_state(session.state)
        self._say_found()
        if not session.layers:
            self._show_empty()

    def _show_state(self, state: str) -> None:
        session = self._session
        is_running = state == "running"
        has_any = bool(session.names)
        self.choice.setEnabled(has_any and not is_running)
        self.run.setEnabled(has_any and not is_running)
        self.cancel.setEnabled(is_running)
        self.save.setEnabled(bool(session.layers))
        self.progress.setVisible(is_running)
        if is_running:
            self._say(f"Measuring {session.what} …")
            return
        self._say_found()
        if not session.layers:
            self._show_empty()  # after a failure, too

    # --- what was found -------------------------------------------------------------------------

    def _show_results(self) -> None:
        session = self._session
        table = session.table()
        grid = self.table
        with QSignalBlocker(grid):
            rows = [] if table is None else list(table.rows)
            headers = [] if table is None else [x for x in table.headers if x != "heads"]
            has_tokens = any(x.to_tokens.any() for x in session.layers)
            shown = [x for x in headers if has_tokens or x != "to_tokens"]
            short = short_names([x.layer for x in session.layers])
            grid.clear()
            grid.setColumnCount(len(shown))
            grid.setRowCount(len(rows))
            for j, name in enumerate(shown):
                text = _TITLES.get(name, name)
                unit = f" ({self._session.samples})" if name in _DISTANCES else ""
                title = QTableWidgetItem(f"{text}{unit}")
                title.setToolTip(hinted(_TIPS.get(name, ""), title.text()))
                grid.setHorizontalHeaderItem(j, title)
                at = 0 if table is None else table.headers.index(name)
                for i, cells in enumerate(rows):
                    item = QTableWidgetItem(cells[at])
                    if j:
                        item.setTextAlignment(_RIGHT)
                    elif name == "layer":
                        item.setText(short[i])
                        item.setToolTip(cells[at])
                    grid.setItem(i, j, item)
            grid.resizeColumnsToContents()
        for widget in (grid, self.heads):
            widget.setVisible(bool(rows))
        self._share_room(len(shown))
        self._say_found()
        self.save.setEnabled(bool(rows))
        if not session.layers:
            self.heads.clear()
            self._show_empty()
            return
        # The mean of one layer, or the deepest of several; its maps are drawn once.
        with QSignalBlocker(grid):
            grid.selectRow(len(rows) - 1)
        self._choose_row()

    def _share_room(self, columns: int) -> None:
        """Give a table of other columns the width that it needs, and the maps the rest."""
        if columns in (0, self._columns):
            return  # what the user has set stays
        self._columns = columns
        grid = self.table
        titles = grid.horizontalHeader()
        last = columns - 1  # which is as wide as there is room
        needed = max(grid.sizeHintForColumn(last), titles.sectionSizeHint(last))
        needed += sum(grid.columnWidth(i) for i in range(last))
        room = self._split.width()
        left = min(needed + grid.verticalScrollBar().sizeHint().width() + 64, 2 * room // 5)
        right = (room - left) // 3
        self._split.setSizes([left, room - left - right, right])

    def _show_empty(self) -> None:
        words = _EMPTY if self._session.names else _NONE
        self.view.show_words("" if self._session.state == "running" else words)
        self.caption.setText("")

    def _layer(self) -> LayerAttention | None:
        """Return the layer whose maps are listed."""
        layers = self._session.layers
        if len(layers) == 1:
            return layers[0]
        row = self.table.currentRow()
        return layers[row] if 0 <= row < len(layers) else None

    def _choose_row(self) -> None:
        """List the maps of the chosen layer, or go to the chosen head."""
        layer, row = self._layer(), self.table.currentRow()
        if layer is None:
            return
        if len(self._session.layers) > 1 or self.heads.count() != layer.heads + 1:
            self._list_heads(layer)
        if len(self._session.layers) == 1:
            self.heads.setCurrentRow(0 if row >= layer.heads else row + 1)
        else:
            self.heads.setCurrentRow(0)
        self._show_map()

    def _list_heads(self, layer: LayerAttention) -> None:
        session, heads = self._session, self.heads
        with QSignalBlocker(heads):
            heads.clear()
            for head in (None, *range(layer.heads)):
                values = session.picture(layer, head)
                picture = map_picture(values, image=session.photo, box=session.query(layer))
                scaled = picture.scaled(
                    _SIDE,
                    _SIDE,
                    Qt.AspectRatioMode.KeepAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )
                item = QListWidgetItem(QIcon(QPixmap.fromImage(scaled)), _head_words(layer, head))
                heads.addItem(item)
            heads.setIconSize(QSize(_SIDE, _SIDE))

    def _show_map(self) -> None:
        layer, row = self._layer(), self.heads.currentRow()
        if layer is None or row < 0:
            return
        head = None if row == 0 else row - 1
        session = self._session
        self.view.show_map(
            session.picture(layer, head), image=session.photo, box=session.query(layer)
        )
        words = _head_words(layer, head)
        far = f" {session.samples}" if layer.distance is not None else ""
        self.caption.setText(f"{layer.layer}, {words}{far}")
        self.caption.setToolTip(self.caption.text())
        if len(session.layers) == 1:
            with QSignalBlocker(self.table):
                self.table.selectRow(layer.heads if head is None else head)

    def _say_found(self) -> None:
        session = self._session
        if session.state == "running":
            return
        if not session.layers:
            self._say("")
            return
        stale = "" if session.is_of_choice else "; another unit is chosen now"
        self._say(f"{session.what}{stale}: {session.sentence}")

    def _say(self, text: str) -> None:
        self.words.setText(text)
        self.words.setToolTip(text)


def _head_words(layer: LayerAttention, head: int | None) -> str:
    far = layer.distance
    value = None if far is None else layer.mean_distance if head is None else float(far[head])
    name = "mean" if head is None else f"head {head}"
    return name if value is None else f"{name}, {digits_text(value, 3)}"
