"""The window of experiments: a list of them, the rows of one as they arrive, and its chart."""

from __future__ import annotations

from html import escape
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
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
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.experiments.session import ExperimentSession
from rfstudio.core.errors import RFStudioError

_STEPS = 1000
_LEAST = 20  # characters


class ExperimentsDialog(QDialog):
    """Runs experiments and shows their rows; closing it stops nothing.

    Parameters
    ----------
    session
        The experiment that runs or ran last.

    Signals
    -------
    network_wanted
        The network of the chosen row is to be opened.
    """

    network_wanted = Signal(object)

    def __init__(self, session: ExperimentSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.setWindowTitle("Experiments")
        self.choice = QComboBox()
        self.choice.setAccessibleName("Experiment")
        self.choice.addItems(session.names)
        self.choice.setMinimumContentsLength(_LEAST)
        self.choice.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.open_recipe = QPushButton("Open recipe…")
        self.open_recipe.setToolTip("A recipe of your own, in a YAML file; no code is run")
        self._last: Path | None = None
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.quick = QCheckBox("Quick: few samples and steps")
        self.run = QPushButton("Run")
        self.go_on = QPushButton("Continue")
        self.cancel = QPushButton("Cancel")
        self.open_network = QPushButton("Open as network")
        self.copy_command = QPushButton("Copy as command")
        self.progress = QProgressBar()
        self.progress.setMaximum(_STEPS)
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.state.setTextFormat(Qt.TextFormat.PlainText)  # it quotes files
        self.open_folder = QPushButton("Open folder")
        self.open_folder.setToolTip("The folder of rows and charts: JSON, CSV, SVG and PNG")
        self.table = QTableWidget()
        self.table.setAccessibleName("Rows")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.horizontalHeader().setHighlightSections(False)
        self.chart = Chart()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.table, "Rows")
        self.tabs.addTab(self.chart, "Chart")
        self.tabs.setCornerWidget(self.open_folder)
        self._lay_out()
        self._connect()
        self._show_words()
        self._show_rows()
        self._show_state(session.state)
        self.resize(900, 640)

    def _lay_out(self) -> None:
        buttons = QHBoxLayout()
        for button in (self.run, self.go_on, self.cancel):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        buttons.addWidget(self.quick)
        buttons.addStretch(1)
        for button in (self.open_network, self.copy_command):
            button.setAutoDefault(False)
            buttons.addWidget(button)
        for button in (self.open_recipe, self.open_folder):
            button.setAutoDefault(False)
        choices = QHBoxLayout()
        choices.addWidget(self.choice, 1)
        choices.addWidget(self.open_recipe)
        layout = QVBoxLayout(self)
        layout.addLayout(choices)
        layout.addWidget(self.words)
        layout.addLayout(buttons)
        layout.addWidget(self.progress)
        layout.addWidget(self.state)
        layout.addWidget(self.tabs, 1)

    def _connect(self) -> None:
        session = self._session
        self.choice.currentIndexChanged.connect(self._show_words)
        self.open_recipe.clicked.connect(self._ask_for_recipe)
        self.open_folder.clicked.connect(self._show_folder)
        self.run.clicked.connect(self._start)
        self.go_on.clicked.connect(session.go_on)
        self.cancel.clicked.connect(session.cancel)
        self.open_network.clicked.connect(self._want_network)
        self.copy_command.clicked.connect(self._copy_command)
        self.table.itemSelectionChanged.connect(self._enable)
        session.rows_changed.connect(self._show_rows)
        session.state_changed.connect(self._show_state)
        session.progressed.connect(self._show_progress)
        session.failed.connect(self.state.setText)

    def _ask_for_recipe(self) -> None:
        folder = "" if self._last is None else str(self._last.parent)
        kinds = "Recipes (*.yaml *.yml);;All files (*)"
        name, _ = QFileDialog.getOpenFileName(self, "Open recipe", folder, kinds)
        if name:
            self.take_recipe(Path(name))

    def take_recipe(self, path: Path) -> None:
        """Add the recipe in a file to the list, and choose it; say why if it cannot be read."""
        path = path.absolute()
        if not self._read(path):
            return
        self._last = path
        i = self.choice.findData(str(path))
        if i < 0:
            i = self.choice.count()
            self.choice.addItem(f"{path.parent.name}/{path.name}", str(path))
            self.choice.setItemData(i, str(path), Qt.ItemDataRole.ToolTipRole)
        self.choice.setCurrentIndex(i)
        self._show_words()

    def _read(self, path: Path) -> bool:
        try:
            self._session.read(path)
        except RFStudioError as error:
            self.state.setText(str(error))
            return False
        return True

    def _chosen(self) -> str | Path:
        """Return the name of a recipe that comes with the program, or the user's file."""
        path = self.choice.currentData()
        return self.choice.currentText() if path is None else Path(path)

    def _start(self) -> None:
        """Run the chosen recipe; a file is read again, since it may have been changed."""
        chosen = self._chosen()
        if isinstance(chosen, Path) and not self._read(chosen):
            return
        self._show_words()
        self.tabs.setCurrentWidget(self.table)
        path = chosen if isinstance(chosen, Path) else None
        recipe = self._session.recipe_of(chosen)
        self._session.start(recipe, quick=self.quick.isChecked(), path=path)

    def _show_folder(self) -> None:
        folder = self._session.results
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self.state.setText(f"The results are in {folder}")

    def _want_network(self) -> None:
        network = self._session.network_of(self.table.currentRow())
        if network is not None:
            self.network_wanted.emit(network)

    def _copy_command(self) -> None:
        QApplication.clipboard().setText(self._session.command)

    def _show_words(self) -> None:
        recipe = self._session.recipe_of(self._chosen())
        texts = [escape(x) for x in (recipe.description, recipe.reference) if x]
        title = f"<b>{escape(recipe.title)}</b>"
        self.words.setText("<br>".join(x for x in (title, " · ".join(texts)) if x))

    def _show_rows(self) -> None:
        """Show the rows; those that are there already are left as they are."""
        table, rows = self._session.table(), self.table
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
        recipe = self._session.recipe
        name = "" if recipe is None else recipe.name
        facts, folder = self._session.facts, self._session.results
        self.state.setText(
            {
                "idle": "Nothing has been run. Measurements wait while an experiment runs.",
                "running": f"{name} runs; measurements wait for its end.",
                "stopped": f"{name} is stopped; its rows are in {folder}. {facts}",
                "done": f"{name} is done; its results are in {folder}. {facts}",
            }[state]
        )
        if state == "done":
            self.progress.setValue(_STEPS)
        self.chart.show_picture(self._session.picture)
        self._enable()

    def _enable(self) -> None:
        state = self._session.state
        self.run.setEnabled(state != "running")
        self.cancel.setEnabled(state == "running")
        self.go_on.setEnabled(state == "stopped")
        self.copy_command.setEnabled(state != "idle")
        self.open_folder.setEnabled(state != "idle")
        self.open_network.setEnabled(bool(self.table.selectedItems()))
        self.tabs.setTabEnabled(1, self._session.picture is not None)


class Chart(QLabel):
    """A picture as large as there is room for it."""

    def __init__(self) -> None:
        super().__init__()
        self._picture = QPixmap()
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
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
            self.clear()
            return
        self.setPixmap(
            self._picture.scaled(
                self.size(),
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
        )
