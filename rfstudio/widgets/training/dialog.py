"""The window in which a network is trained, and its field is watched on the way."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.app.training.options import recipe_text
from rfstudio.app.training.session import TrainingSession
from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.parts.flow_layout import FlowLayout
from rfstudio.widgets.parts.map_view import MapView
from rfstudio.widgets.parts.text_button import text_button
from rfstudio.widgets.parts.text_room import give_room
from rfstudio.widgets.parts.words import Words
from rfstudio.widgets.training.curves_row import CurvesRow
from rfstudio.widgets.training.options_form import FolderLine, FolderQuestions, OptionsForm

_STEPS = 1000
_QUIET = 600
"""Milliseconds without a change after which it is found out what a training takes."""

_FRAME_TIME = 500
"""Milliseconds for which a frame of the film is shown while it plays."""

_REDRAW = 200
"""Milliseconds between two pictures of a loss that goes on."""

_EMPTY = (
    "No film yet. Train the network of the window: its field is filmed at the steps that you "
    "choose, and everything is on the disk at once."
)


class TrainDialog(QDialog):
    """Trains the network of the window; closing it stops nothing.

    Parameters
    ----------
    session
        The training that runs or ran last.
    document, selection
        The network, and the unit that may be filmed.
    questions
        Asks for folders; the user if None.

    Signals
    -------
    network_wanted
        The network that was trained is to be opened.
    weights_wanted
        The window is to measure with a file of weights.
    """

    network_wanted = Signal(object)
    weights_wanted = Signal(object)

    def __init__(
        self,
        session: TrainingSession,
        document: Document,
        selection: Selection,
        questions: FolderQuestions | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Train and watch")
        self._session = session
        self._document = document
        self._questions = questions or FolderQuestions()
        self._steps: list[int] = []
        self._follows_end = True
        self.form = OptionsForm(selection, self._questions)
        self.place = FolderLine("Choose…", "Folder of trainings")
        self.estimate = _words("What the training takes")
        self.state = _words("State of the training")
        self.progress = QProgressBar()
        self.progress.setMaximum(_STEPS)
        self.progress.setAccessibleName("Progress of the training")
        self.train = QPushButton("Train")
        self.pause = QPushButton("Pause")
        self.cancel = QPushButton("Cancel")
        for button in (self.train, self.pause, self.cancel):
            button.setAutoDefault(False)
        self.view = MapView()
        self.caption = QLabel(wordWrap=True)
        self.caption.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.caption.setAccessibleName("Frame")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Step of the film")
        self.play = QPushButton("Play")
        self.play.setAutoDefault(False)
        self.play.setCheckable(True)
        self.curves = CurvesRow()
        self.pin = text_button("Pin", "Pin this frame beside the unit of the window, on its canvas")
        self.use = text_button(
            "Measure with these weights", "The window measures with the weights of this step"
        )
        self.open_network = text_button(
            "Open the network", "Open the network that was trained, with the outputs of its task"
        )
        self.open_film = text_button("Open film…", "Show an earlier training, and go on with it")
        self.copy_recipe = text_button(
            "Copy as recipe", "The recipe that rfstudio experiment runs for the same training"
        )
        self._player = QTimer(self, interval=_FRAME_TIME)
        self._later = QTimer(self, interval=_QUIET, singleShot=True)
        self._redraw = QTimer(self, interval=_REDRAW, singleShot=True)
        self._lay_out()
        self._connect()
        self._show_place()
        self._show_film()
        self._show_state(session.state)
        give_room(self, 1000, 660)

    # --- making ---------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        left = QVBoxLayout()
        left.addWidget(self.form)
        self.form.form.addRow("Folder", self.place)
        left.addWidget(self.estimate)
        left.addStretch(1)
        side = QWidget()
        side.setLayout(left)
        area = QScrollArea()
        area.setWidget(side)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumWidth(40 * self.fontMetrics().averageCharWidth())
        area.setAccessibleName("Options of the training")
        buttons = QHBoxLayout()
        for button in (self.train, self.pause, self.cancel):
            buttons.addWidget(button)
        column = QVBoxLayout()
        column.addWidget(area, 1)
        column.addWidget(self.state)
        column.addWidget(self.progress)
        column.addLayout(buttons)
        row = QHBoxLayout()
        row.addWidget(self.play)
        row.addWidget(self.slider, 1)
        doing = FlowLayout()
        for flat in (self.pin, self.use, self.open_network, self.open_film, self.copy_recipe):
            doing.addWidget(flat)
        right = QVBoxLayout()
        right.addWidget(self.view, 1)
        right.addWidget(self.caption)
        right.addLayout(row)
        right.addWidget(self.curves)
        self.curves.setFixedHeight(max(150, 11 * self.fontMetrics().lineSpacing()))
        right.addLayout(doing)
        grid = QGridLayout(self)
        grid.addLayout(column, 0, 0)
        grid.addLayout(right, 0, 1)
        grid.setColumnStretch(1, 1)

    def _connect(self) -> None:
        session = self._session
        self.form.changed.connect(self._ask_later)
        self._document.architecture_changed.connect(self._ask_later)
        self._later.timeout.connect(self.ask)
        self.train.clicked.connect(self._start)
        self.pause.clicked.connect(self._pause)
        self.cancel.clicked.connect(session.cancel)
        self.place.wanted.connect(self._ask_for_place)
        self.slider.valueChanged.connect(self._show_frame)
        self.slider.sliderPressed.connect(lambda: self.play.setChecked(False))
        self.play.toggled.connect(self._play)
        self._player.timeout.connect(self._next_frame)
        self.pin.clicked.connect(self._pin)
        self.use.clicked.connect(self._use)
        self.open_network.clicked.connect(self._want_network)
        self.open_film.clicked.connect(self._ask_for_film)
        self.copy_recipe.clicked.connect(self._copy_recipe)
        session.planned.connect(self._show_plan)
        session.plan_failed.connect(self.estimate.setText)
        session.state_changed.connect(self._show_state)
        session.advanced.connect(lambda x: self.progress.setValue(round(_STEPS * x)))
        session.film_changed.connect(self._show_soon)
        self._redraw.timeout.connect(self._show_film)
        session.failed.connect(self.state.setText)

    # --- before the start -----------------------------------------------------------------------

    def ask(self) -> None:
        """Find out what a training with these options takes."""
        self._later.stop()
        if not self.isVisible() or self._session.state == "running":
            return
        if self.form.lacking:
            self.estimate.setText(self.form.lacking)
            return
        self._session.plan(self.form.options)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Find out what a training takes."""
        super().showEvent(event)
        self._ask_later()

    def _ask_later(self) -> None:
        self.train.setEnabled(not self.form.lacking and self._session.state != "running")
        if self.isVisible() and self._session.state != "running":
            self._later.start()

    def _show_plan(self, text: str) -> None:
        self.estimate.setText(text or "Trying a few steps …")

    def _ask_for_place(self) -> None:
        folder = self._questions.folder(self, "Folder of trainings", self._session.place)
        if folder is not None:
            self._session.set_place(folder)
            self._show_place()

    def _show_place(self) -> None:
        self.place.show_path(self._session.place, "")

    # --- running --------------------------------------------------------------------------------

    def _start(self) -> None:
        self._later.stop()
        self._follows_end = True
        self._session.start(self.form.options)

    def _pause(self) -> None:
        if self._session.state == "running":
            self._session.pause()
        else:
            self._session.go_on()

    def _show_state(self, state: str) -> None:
        session = self._session
        name = "" if session.folder is None else session.folder.name
        texts = {
            "idle": "Nothing was trained. Measurements wait while a training runs.",
            "running": f"“{name}” is trained; measurements wait for its end or a pause.",
            "paused": f"“{name}” is paused after step {session.step:,}; measurements may run.",
            "stopped": f"“{name}” was stopped after step {session.step:,}; its film stays.",
            "done": f"“{name}” is done.",
        }
        self.state.setText(texts[state])
        self.state.setToolTip("" if session.folder is None else str(session.folder))
        is_running = state == "running"
        self.train.setEnabled(not is_running and not self.form.lacking)
        self.pause.setEnabled(state in ("running", "paused"))
        self.pause.setText("Continue" if state == "paused" else "Pause")
        self.cancel.setEnabled(state in ("running", "paused"))
        self.form.setEnabled(not is_running)
        self.open_film.setEnabled(not is_running)
        if is_running:
            self.progress.setValue(0)

    # --- the film -------------------------------------------------------------------------------

    def _show_soon(self) -> None:
        """Show a new frame at once, and further losses a few times a second."""
        if len(self._session.frames) != len(self._steps):
            self._show_film()
        elif not self._redraw.isActive():
            self._redraw.start()

    def _show_film(self) -> None:
        frames = self._session.frames
        self._steps = [x.step for x in frames]
        has_frames = bool(frames)
        for part in (self.slider, self.play, self.pin, self.open_network):
            part.setEnabled(has_frames)
        at_end = self._follows_end or self.slider.value() >= self.slider.maximum()
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, max(len(frames) - 1, 0))
            if at_end:
                self.slider.setValue(self.slider.maximum())
        self._show_frame()

    def _show_frame(self) -> None:
        frames = self._session.frames
        place = self.slider.value()
        self._follows_end = place >= self.slider.maximum()
        if not frames:
            self.view.show_words(_EMPTY)
            self.caption.setText("")
            self.use.setEnabled(False)
            self.curves.show_curves(self._session.curves(), None)
            return
        frame = frames[min(place, len(frames) - 1)]
        distance = self._session.distance
        self.view.show_map(frame.map, ring=distance if self._shows_ring else None)
        words = [f"step {frame.step:,}", f"accuracy {frame.accuracy:.3f}"]
        if frame.sigma is not None:
            words.append(f"σ {frame.sigma:.2f} px")
        if distance is not None and self._shows_ring:
            share = frame.ring_share(distance)
            words += [] if share is None else [f"in the ring {100 * share:.0f} %"]
        request = self._session.request
        seed = "" if request is None else f", seed {request.seed}"
        how = f"energy, {'trained' if frame.step else 'initial'} weights{seed}"
        self.caption.setText("  ·  ".join(words) + f"\n{how}")
        self.use.setEnabled(self._session.weights_of(frame) is not None)
        self.curves.show_curves(self._session.curves(), frame.step)

    @property
    def _shows_ring(self) -> bool:
        """Whether the ring is that of the unit that is filmed."""
        request = self._session.request
        return request is not None and not request.layer

    def _play(self, is_on: bool) -> None:
        self.play.setText("Stop" if is_on else "Play")
        if not is_on:
            self._player.stop()
            return
        if self.slider.value() >= self.slider.maximum():
            self.slider.setValue(0)
        self._player.start()

    def _next_frame(self) -> None:
        if self.slider.value() < self.slider.maximum():
            self.slider.setValue(self.slider.value() + 1)
        if self.slider.value() >= self.slider.maximum():
            self.play.setChecked(False)

    # --- what can be done with a frame ----------------------------------------------------------

    def _pin(self) -> None:
        frames = self._session.frames
        try:
            pin = self._session.pin(frames[self.slider.value()])
        except RFStudioError as error:
            self.state.setText(f"{str(error)[:1].upper()}{str(error)[1:]}.")
            return
        self.state.setText(f"Pinned – {pin.text}: on the canvas, in Profile and in Compare.")

    def _use(self) -> None:
        path = self._session.weights_of(self._session.frames[self.slider.value()])
        if path is not None:
            self.weights_wanted.emit(path)
            self.state.setText(f"The window measures with {path.name} from now on.")

    def _want_network(self) -> None:
        network = self._session.network()
        if network is not None:
            self.network_wanted.emit(network)

    def _ask_for_film(self) -> None:
        folder = self._questions.folder(self, "Folder of a training", self._session.place)
        if folder is not None:
            self.show_film_of(folder)

    def show_film_of(self, folder: Path) -> None:
        """Show an earlier film, or say why that is not possible."""
        self._follows_end = True
        try:
            self._session.open_film(folder)
        except RFStudioError as error:
            self.state.setText(f"{str(error)[:1].upper()}{str(error)[1:]}.")

    def _copy_recipe(self) -> None:
        try:
            text = recipe_text(self.form.options, self._document.architecture)
        except RFStudioError as error:
            self.state.setText(str(error))
            return
        QApplication.clipboard().setText(text)
        self.state.setText("Copied. Save it as own.yaml, then: rfstudio experiment own.yaml")


def _words(name: str) -> Words:
    words = Words(most=5)
    words.setAccessibleName(name)
    return words
