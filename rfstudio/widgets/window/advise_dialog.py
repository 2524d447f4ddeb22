"""The dialog that asks for the size of objects, and shows advice that one click applies."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.advising import Advising
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.object_boxes import ObjectBoxes
from rfstudio.app.wording.advice_texts import (
    Table,
    advice_sentences,
    levels_table,
    proposals_table,
    rules_table,
)
from rfstudio.core.advice.task_rules import TASKS
from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.parts.empty_words import empty_words
from rfstudio.widgets.parts.text_room import give_room
from rfstudio.widgets.parts.words import Words

_SIZE, _BOXES, _FILE = range(3)

_NO_BOXES = "Choose Objects on the canvas (key 5) and drag boxes around them."
_NO_SIZE = "A size is a whole number of pixels, or one for each axis: 32, or 24 × 48."

_EMPTY = (
    "Does the network see whole objects? Say how large they are and what it is for, and press "
    "Advise: it names the layers whose fields cover them, and proposes changes, each of which one "
    "click applies."
)


class AdviseDialog(QDialog):
    """Asks for objects and a task, and shows levels, rules and proposals.

    Parameters
    ----------
    advising
        Works out advice.
    session
        The network.
    boxes
        Those drawn on the canvas.
    """

    def __init__(
        self,
        advising: Advising,
        session: AnalysisSession,
        boxes: ObjectBoxes,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Advise")
        self._advising = advising
        self._session = session
        self._boxes = boxes
        self._path: Path | None = None
        self.source = QComboBox()
        self.source.setAccessibleName("Where the sizes of objects come from")
        self.source.addItems(["Objects of one size", "", "A file or folder"])
        self.size_line = QLineEdit("32")
        self.size_line.setAccessibleName("Size of the objects")
        self.size_line.setToolTip("Height × width in pixels of the input; one number for all axes")
        self.file = QPushButton("COCO file…")
        self.folder = QPushButton("Folder of masks…")
        self.clear = QPushButton("Clear boxes")
        self.task = QComboBox()
        self.task.setAccessibleName("What the network is for")
        self.task.addItems(["No rules", *(x.capitalize() for x in TASKS)])
        self.ask = QPushButton("Advise")
        self.ask.setDefault(True)
        self.answer = Words()
        self.answer.setAccessibleName("Answer")
        self.levels, self.rules, self.proposals = (_table(x) for x in _TITLES)
        self.tabs = QTabWidget()
        for title, table in zip(_TITLES, (self.proposals, self.levels, self.rules), strict=True):
            self.tabs.addTab(table, title)
        self.empty = empty_words(_EMPTY)
        self.apply = QPushButton("Apply the change")
        self.apply.setEnabled(False)
        self.apply.setToolTip("Change the network as proposed; Undo takes it back")
        self._lay_out()
        self._connect()
        self._follow_source()
        self._show()
        give_room(self, 900, 560)

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.addWidget(self.source)
        line.addWidget(self.size_line, 1)
        for button in (self.file, self.folder, self.clear):
            button.setAutoDefault(False)
            line.addWidget(button)
        form = QFormLayout()
        form.addRow("Objects", line)
        second = QHBoxLayout()
        second.addWidget(self.task)
        second.addStretch(1)
        second.addWidget(self.ask)
        form.addRow("Task", second)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.apply, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.answer)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.empty, 1)
        layout.addWidget(buttons)

    def _connect(self) -> None:
        self.source.currentIndexChanged.connect(self._follow_source)
        self.file.clicked.connect(self._ask_for_file)
        self.folder.clicked.connect(self._ask_for_folder)
        self.clear.clicked.connect(self._boxes.clear)
        self._boxes.changed.connect(self._follow_boxes)
        self.ask.clicked.connect(self._ask)
        self.size_line.returnPressed.connect(self._ask)
        self.apply.clicked.connect(self._apply)
        self.proposals.itemDoubleClicked.connect(self._apply)
        self.proposals.itemSelectionChanged.connect(self._offer)
        self._advising.changed.connect(self._show)

    # --- what is asked --------------------------------------------------------------------------

    def _follow_boxes(self) -> None:
        if self._boxes.boxes:
            self.source.setCurrentIndex(_BOXES)
        self._follow_source()

    def _follow_source(self) -> None:
        count = len(self._boxes.boxes)
        self.source.setItemText(_BOXES, f"Boxes on the canvas ({count})")
        source = self.source.currentIndex()
        self.size_line.setVisible(source == _SIZE)
        self.clear.setVisible(source == _BOXES)
        self.clear.setEnabled(count > 0)
        self.file.setVisible(source == _FILE)
        self.folder.setVisible(source == _FILE)
        if source == _BOXES and not count:
            self.answer.setText(_NO_BOXES)
        elif self.answer.text() == _NO_BOXES:
            self.answer.setText("")
        self.source.setItemText(
            _FILE, "A file or folder" if self._path is None else self._path.name
        )

    def _ask_for_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "COCO file", "", "COCO annotations (*.json)")
        self.take_path(name)

    def _ask_for_folder(self) -> None:
        self.take_path(QFileDialog.getExistingDirectory(self, "Folder of masks"))

    def take_path(self, name: str) -> None:
        """Take the sizes of objects from a file or folder; an empty name changes nothing."""
        if name:
            self._path = Path(name)
            self.source.setCurrentIndex(_FILE)
            self._follow_source()

    def _ask(self) -> None:
        index = self.task.currentIndex()
        task = TASKS[index - 1] if index else None
        source = self.source.currentIndex()
        if source == _FILE:
            if self._path is None:
                self.answer.setText("Choose a COCO file or a folder of masks first.")
                return
            self._advising.ask(self._path, task)
            return
        sizes = self._boxes.sizes if source == _BOXES else self._typed()
        if not sizes:
            self.answer.setText(_NO_BOXES if source == _BOXES else _NO_SIZE)
            return
        self._advising.ask(sizes, task)

    def _typed(self) -> tuple[tuple[int, ...], ...]:
        axes = len(self._session.analysis.input_size)
        words = self.size_line.text().replace("×", " ").replace("x", " ").replace(",", " ").split()
        if not all(x.isdecimal() for x in words) or len(words) not in {1, axes}:
            return ()
        numbers = tuple(map(int, words))
        return (numbers * axes if len(numbers) == 1 else numbers,)

    # --- what is answered -----------------------------------------------------------------------

    def _show(self) -> None:
        advising = self._advising
        advice = advising.advice
        self.ask.setEnabled(not advising.is_running)
        self.tabs.setVisible(advice is not None)
        self.empty.setVisible(advice is None)
        if advice is None:
            waiting = "Working it out …" if advising.is_running else ""
            self.answer.setText(advising.trouble or waiting)
            for table in (self.levels, self.rules, self.proposals):
                table.setRowCount(0)
            self._offer()
            return
        stale = "The network has changed since: ask again.\n" if advising.is_stale else ""
        self.answer.setText(stale + advice_sentences(advice))
        _fill(self.levels, levels_table(advice))
        _fill(self.rules, rules_table(advice))
        _fill(self.proposals, proposals_table(advice))
        if not advice.proposals:
            self.tabs.setCurrentWidget(self.rules if advice.rules else self.levels)
        self._offer()

    def _offer(self) -> None:
        is_chosen = bool(self.proposals.selectedItems())
        self.apply.setEnabled(is_chosen and not self._advising.is_stale)

    def _apply(self) -> None:
        advice, row = self._advising.advice, self.proposals.currentRow()
        if advice is None or not 0 <= row < len(advice.proposals):
            return
        try:
            self._advising.apply(advice.proposals[row])
        except RFStudioError as error:
            self.answer.setText(str(error))


_TITLES = ("Proposals", "Levels", "Rules")


def _table(title: str) -> QTableWidget:
    table = QTableWidget()
    table.setAccessibleName(title)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    table.verticalHeader().hide()
    table.setTabKeyNavigation(False)
    return table


def _fill(table: QTableWidget, contents: Table) -> None:
    table.clear()
    table.setColumnCount(len(contents.headers))
    table.setRowCount(len(contents.rows))
    table.setHorizontalHeaderLabels(list(contents.headers))
    for row, texts in enumerate(contents.rows):
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(text)
            if contents.numeric[column]:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            table.setItem(row, column, item)
    header = table.horizontalHeader()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    if not any(contents.numeric):  # sentences, which wrap
        for column in range(1, len(contents.headers)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
