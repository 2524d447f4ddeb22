"""The window of experiments: a list of them, the rows of one as they arrive, and its charts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, QSize, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QTabBar,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.experiments.models import NamedModel, code_of
from rfstudio.app.experiments.part import Part
from rfstudio.app.experiments.session import ExperimentSession
from rfstudio.app.files.importing import fingerprint
from rfstudio.core.errors import RFStudioError
from rfstudio.core.initialisations import AS_TORCH
from rfstudio.importing.reference import Reference
from rfstudio.widgets.experiments.code_dialog import CodeQuestions
from rfstudio.widgets.parts.empty_words import empty_words
from rfstudio.widgets.parts.fields import Spin
from rfstudio.widgets.parts.flow_layout import FlowLayout
from rfstudio.widgets.parts.law_choice import LawChoice
from rfstudio.widgets.parts.text_room import give_room
from rfstudio.widgets.parts.words import Words

_EMPTY = (
    "Nothing has been run. Run does what the text above says: its rows arrive here one by one, "
    "charts are drawn of them, and all of it is kept in a folder. Measurements wait while an "
    "experiment runs."
)
_STEPS = 1000
_LEAST = 20  # characters
_LINES = 6
"""Lines of what an experiment does; more are scrolled, so that there is room for its rows."""

_READABLE = 0.5
"""Of the size of a chart's file, at which its smallest letters can be read."""


class ExperimentsDialog(QDialog):
    """Runs experiments and shows their rows; closing it stops nothing.

    Parameters
    ----------
    session
        The experiment that runs or ran last.
    questions
        Asks whether code may run; the user if None.

    Signals
    -------
    network_wanted
        The network of the chosen row is to be opened.
    model_wanted
        The model of the chosen row is to be imported and opened; its code may run.
    """

    network_wanted = Signal(object)
    model_wanted = Signal(object)

    def __init__(
        self,
        session: ExperimentSession,
        parent: QWidget | None = None,
        questions: CodeQuestions | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._questions = questions or CodeQuestions()
        self._agreed: set[str] = set()
        self._entries: list[str | Path] = list(session.names)
        self.setWindowTitle("Experiments")
        self._make_choice()
        self._make_buttons()
        self._make_results()
        self._lay_out()
        self._connect()
        self._show_words()
        self._show_rows()
        self._show_state(session.state)
        give_room(self, 960, 640)

    # --- making ---------------------------------------------------------------------------------

    def _make_choice(self) -> None:
        self.choice = QComboBox()
        self.choice.setAccessibleName("Experiment")
        self.choice.addItems([self._entry_text(x) for x in self._session.names])
        self.choice.setMinimumContentsLength(_LEAST)
        self.choice.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.open_recipe = QPushButton("Open recipe…")
        self.open_recipe.setToolTip("A recipe of your own, in a YAML file; no code is run")
        self.title = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        font = self.title.font()
        font.setBold(True)
        self.title.setFont(font)
        self.words = Words(most=_LINES)
        self.words.setAccessibleName("What the experiment does")

    def _make_buttons(self) -> None:
        self.quick = QCheckBox("Quick")
        self.quick.setToolTip("Few samples and steps, for a look")
        self.seed = Spin()
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setAccessibleName("Seed")
        self.seed.setToolTip("Of weights, inputs and images: the same seed gives the same rows")
        self.init = LawChoice()
        self.init.add("as the recipe says", "", "Each row as its recipe has it")
        self.init.add_torch(AS_TORCH)
        self.init.add_initialisations()
        self.init.setToolTip(
            "From what random weights are drawn, and how trainings begin; a gain can be typed "
            "after a colon, as in xavier_uniform:relu"
        )
        self.run = QPushButton("Run")
        self.go_on = QPushButton("Continue")
        self.cancel = QPushButton("Cancel")
        self.open_network = QPushButton("Open as network")
        self.copy_command = QPushButton("Copy as command")
        self.copy_command.setToolTip("The command that runs the same in a terminal")
        for button in (
            *(self.run, self.go_on, self.cancel),
            *(self.open_network, self.copy_command, self.open_recipe),
        ):
            button.setAutoDefault(False)

    def _make_results(self) -> None:
        self.progress = QProgressBar()
        self.progress.setMaximum(_STEPS)
        self.state = Words()
        self.state.setAccessibleName("State of the experiment")
        self.open_folder = QPushButton("Open folder")
        self.open_folder.setAutoDefault(False)
        self.open_folder.setToolTip("The folder of rows and charts: JSON, CSV, SVG and PNG")
        self.parts = PartTabs()
        self.parts.setAccessibleName("Parts")
        self.parts.setExpanding(False)
        self.parts.hide()
        self._newest = 0
        self.table = QTableWidget()
        self.table.setAccessibleName("Rows")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.horizontalHeader().setHighlightSections(False)
        self.how = Words()
        self.how.setAccessibleName("How the numbers were found")
        self.how.hide()
        self.chart = Chart()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.table, "Rows")
        self.tabs.addTab(self.chart, "Chart")
        self.tabs.setCornerWidget(self.open_folder)
        self.empty = empty_words(_EMPTY)

    def _lay_out(self) -> None:
        buttons = FlowLayout()
        buttons.setContentsMargins(0, 0, 0, 0)
        for widget in (
            self.run,
            self.go_on,
            self.cancel,
            self.quick,
            _with_label("Seed", self.seed),
            _with_label("Weights", self.init),
            self.open_network,
            self.copy_command,
        ):
            buttons.addWidget(widget)
        choices = QHBoxLayout()
        choices.addWidget(self.choice, 1)
        choices.addWidget(self.open_recipe)
        layout = QVBoxLayout(self)
        layout.addLayout(choices)
        layout.addWidget(self.title)
        layout.addWidget(self.words)
        layout.addLayout(buttons)
        layout.addWidget(self.progress)
        layout.addWidget(self.state)
        layout.addWidget(self.parts)
        layout.addWidget(self.tabs, 1)
        layout.addWidget(self.empty, 1)
        layout.addWidget(self.how)

    def _connect(self) -> None:
        session = self._session
        self.choice.currentIndexChanged.connect(self._show_words)
        self.open_recipe.clicked.connect(self._ask_for_recipe)
        self.open_folder.clicked.connect(self._show_folder)
        self.run.clicked.connect(self._begin)
        self.quick.toggled.connect(self._enable_going_on)
        self.seed.valueChanged.connect(self._enable_going_on)
        self.init.currentTextChanged.connect(self._enable_going_on)
        self.go_on.clicked.connect(self._go_on)
        self.cancel.clicked.connect(session.cancel)
        self.open_network.clicked.connect(self._want_network)
        self.copy_command.clicked.connect(self._copy_command)
        self.parts.currentChanged.connect(self._show_part)
        self.table.itemSelectionChanged.connect(self._enable)
        session.rows_changed.connect(self._show_rows)
        session.state_changed.connect(self._show_state)
        session.progressed.connect(self._show_progress)
        session.failed.connect(self.state.setText)

    def _entry_text(self, name: str) -> str:
        count = self._session.count_of(name)
        return f"{name} (all {count} parts)" if count > 1 else name

    def _ask_for_recipe(self) -> None:
        own = [x for x in self._entries if isinstance(x, Path)]
        folder = str(own[-1].parent) if own else ""
        kinds = "Recipes (*.yaml *.yml);;All files (*)"
        name, _ = QFileDialog.getOpenFileName(self, "Open recipe", folder, kinds)
        if name:
            self.take_recipe(Path(name))

    def take_recipe(self, path: Path) -> None:
        """Add the recipe in a file to the list, and choose it; say why if it cannot be read."""
        path = path.absolute()
        if not self._read(path):
            return
        if path not in self._entries:
            self._entries.append(path)
            self.choice.addItem(f"{path.parent.name}/{path.name}")
            self.choice.setItemData(len(self._entries) - 1, str(path), Qt.ItemDataRole.ToolTipRole)
        self.choice.setCurrentIndex(self._entries.index(path))
        self._show_words()

    def _read(self, path: Path) -> bool:
        try:
            self._session.read(path)
        except RFStudioError as error:
            self.state.setText(str(error))
            return False
        return True

    def _chosen(self) -> str | Path:
        """Return the name of what comes with the program, or the user's file."""
        return self._entries[self.choice.currentIndex()]

    def _takes_law(self) -> bool:
        """Whether weights of what is chosen can be drawn by the chosen law; if not, say why."""
        try:
            self._session.recipes_with(self._chosen(), self.init.law)
        except RFStudioError as error:
            self.state.setText(str(error))
            return False
        return True

    def _begin(self) -> None:
        self._start(resume=False)

    def _start(self, *, resume: bool) -> None:
        """Run what is chosen; a file is read again, since it may have been changed."""
        chosen = self._chosen()
        path = chosen if isinstance(chosen, Path) else None
        if path is not None and not self._read(path):
            return
        self._show_words()
        if not self._takes_law():
            return
        recipes = self._session.recipes_with(chosen, self.init.law)
        code = code_of(recipes)
        if not self._may_run(_words(recipes[0].file), code):
            return
        self.tabs.setCurrentWidget(self.table)
        self._session.start(
            *recipes,
            quick=self.quick.isChecked(),
            seed=self.seed.value(),
            path=path,
            trust=bool(code),
            resume=resume,
        )
        self._follow_parts()

    def _go_on(self) -> None:
        """Go on with what was stopped, or with what an earlier run has left on the disk."""
        if not (self._session.state == "stopped" and self._session.is_last(self._chosen())):
            self._start(resume=True)
            return
        recipes = [x.recipe for x in self._session.parts]
        if recipes and self._may_run(_words(recipes[0].file), code_of(recipes)):
            self._session.go_on()

    def _may_run(self, recipe: str, code: Sequence[Reference]) -> bool:
        """Whether the user agrees that code runs, who is asked again when its files change."""
        if not code:
            return True
        text = fingerprint(code)
        if text not in self._agreed and not self._questions.may_run(self, recipe, code):
            self.state.setText("The code was not run.")
            return False
        self._agreed.add(text)
        return True

    def _show_folder(self) -> None:
        folder = self._session.results
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self.state.setText(f"The results are in {folder}")

    def _want_network(self) -> None:
        part = self._part
        network = None if part is None else part.network_of(self.table.currentRow())
        if isinstance(network, NamedModel):
            source = network.request.source
            code = (source,) if isinstance(source, Reference) else ()
            if self._may_run("this row", code):
                self.model_wanted.emit(network.request)
        elif network is not None:
            self.network_wanted.emit(network)

    def _copy_command(self) -> None:
        if self._takes_law():
            command = self._session.command_of(
                self._chosen(),
                quick=self.quick.isChecked(),
                seed=self.seed.value(),
                init=self.init.law,
            )
            QApplication.clipboard().setText(command)

    def _show_words(self) -> None:
        title, text = self._session.words_of(self._chosen())
        self.title.setText(title)
        self.words.setText(text)
        self.words.setVisible(bool(text))
        self._enable_going_on()

    # --- the parts ------------------------------------------------------------------------------

    @property
    def _part(self) -> Part | None:
        """The part that is shown; None: nothing was run."""
        parts = self._session.parts
        # The session starts something else before the tabs are those of its parts.
        return parts[min(max(self.parts.currentIndex(), 0), len(parts) - 1)] if parts else None

    def _follow_parts(self) -> None:
        """Have a tab for each part of what runs now."""
        with QSignalBlocker(self.parts):
            while self.parts.count():
                self.parts.removeTab(0)
            for part in self._session.parts:
                self.parts.addTab(part.name)
                self.parts.setTabToolTip(self.parts.count() - 1, part.title)
        self.parts.setVisible(self.parts.count() > 1)
        self._newest = 0
        self._show_part()

    def _show_part(self) -> None:
        self.table.setRowCount(0)
        self._show_rows()
        self._show_chart()

    def _show_parts(self) -> None:
        """Show how far each part is, and the newest, unless the user looks at an earlier one."""
        parts = self._session.parts
        for i, part in enumerate(parts[: self.parts.count()]):
            mark = " ✓" if part.is_complete else ""
            self.parts.setTabText(i, f"{part.name}  {part.progress}{mark}")
        newest = self._session.current
        if self.parts.currentIndex() == self._newest != newest:
            self.parts.setCurrentIndex(newest)
        self._newest = newest

    def _show_chart(self) -> None:
        part = self._part
        picture = None if part is None else part.picture
        self.chart.show_picture(picture)
        self.tabs.setTabEnabled(1, picture is not None)

    # --- what is known --------------------------------------------------------------------------

    def _show_rows(self) -> None:
        """Show the rows; those that are there already are left as they are."""
        self._show_parts()
        part = self._part
        self.tabs.setVisible(part is not None)
        self.empty.setVisible(part is None)
        if part is None:
            self._enable()
            return
        self.how.setText(f"{part.facts}\n{self._session.command}".strip())
        self.how.show()
        table, rows = part.table(), self.table
        headers = [rows.horizontalHeaderItem(i) for i in range(rows.columnCount())]
        if [x.text() for x in headers if x is not None] != list(table.headers):
            rows.setRowCount(0)
            rows.setColumnCount(len(table.headers))
            rows.setHorizontalHeaderLabels(list(table.headers))
        bar = rows.verticalScrollBar()
        is_at_end = bar.value() == bar.maximum()
        first = min(rows.rowCount(), len(table.rows))
        rows.setRowCount(len(table.rows))
        for i, cells in enumerate(table.rows[first:], first):
            for j, (text, is_number) in enumerate(zip(cells, table.numeric, strict=True)):
                item = QTableWidgetItem(text)
                if is_number:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                rows.setItem(i, j, item)
        if len(table.rows) > first:
            rows.resizeColumnsToContents()
            if is_at_end:  # otherwise somebody looks at earlier rows
                rows.scrollToBottom()
        self._enable()

    def _show_progress(self, fraction: float) -> None:
        self.progress.setValue(round(_STEPS * fraction))

    def _show_state(self, state: str) -> None:
        session = self._session
        name, folder = session.name, session.results
        texts = {
            "idle": "",
            "running": f"{name} runs; measurements wait for its end.",
            "stopped": f"{name} is stopped; its rows are in {folder}.",
            "done": f"{name} is done; its results are in {folder}.",
        }
        self.state.setText(texts[state])
        self.progress.setVisible(state != "idle")
        if state == "done":
            self.progress.setValue(_STEPS)
        self._show_parts()
        self._show_chart()
        self._enable()
        self._enable_going_on()

    def _enable(self) -> None:
        state = self._session.state
        self.run.setEnabled(state != "running")
        self.cancel.setEnabled(state == "running")
        self.open_folder.setEnabled(state != "idle")
        self.open_network.setEnabled(bool(self.table.selectedItems()))

    def _enable_going_on(self) -> None:
        """Enable Continue for what was stopped, and for what an earlier run has left."""
        session = self._session
        if session.state == "running":
            self.go_on.setEnabled(False)
            return
        is_stopped = session.state == "stopped" and session.is_last(self._chosen())
        done, total = session.left_of(
            self._chosen(),
            quick=self.quick.isChecked(),
            seed=self.seed.value(),
            init=self.init.law,
        )
        is_left = 0 < done < total
        self.go_on.setEnabled(is_stopped or is_left)
        self.go_on.setToolTip(f"{done} of {total} are there from an earlier run" if is_left else "")


def _with_label(text: str, field: QWidget) -> QWidget:
    """Return a field with its name, which stay on one line when a row is full."""
    both = QWidget()
    label = QLabel(text)
    label.setBuddy(field)
    row = QHBoxLayout(both)
    row.setContentsMargins(6, 0, 0, 0)
    row.setSpacing(4)
    row.addWidget(label)
    row.addWidget(field)
    return both


def _words(file: str) -> str:
    """Return which recipe it is that asks to run code."""
    return f"the recipe {Path(file).name}"


class PartTabs(QTabBar):
    """Tabs with room for letters below the line, which the style cuts off of tabs in the back."""

    def tabSizeHint(self, index: int) -> QSize:  # noqa: N802 - Qt's name
        """Return the style's size, and the depth of a letter."""
        return super().tabSizeHint(index) + QSize(0, self.fontMetrics().descent() + 2)


class Chart(QScrollArea):
    """A picture as large as there is room for it; one that would be too small to read scrolls."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = QPixmap()
        self.label = QLabel()
        self.label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setWidget(self.label)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumSize(200, 150)
        self.setAccessibleName("Chart")

    def show_picture(self, path: object) -> None:
        """Show the picture of a file; None: nothing."""
        self._picture = QPixmap() if path is None else QPixmap(str(path))
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Fit the picture again."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if self._picture.isNull():
            self.label.clear()
            return
        ratio = self.devicePixelRatioF()
        room, size = self.viewport().size() * ratio, self._picture.size()
        of_width, of_height = room.width() / size.width(), room.height() / size.height()
        scale = min(of_width, max(of_height, _READABLE))
        smooth = Qt.TransformationMode.SmoothTransformation
        scaled = self._picture.scaledToWidth(max(int(scale * size.width()), 1), smooth)
        scaled.setDevicePixelRatio(ratio)
        self.label.setPixmap(scaled)
