"""The form of a training: what is learned from what, for how long, and what is filmed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from rfstudio.app.state.selection import Selection
from rfstudio.app.training.options import TrainingOptions
from rfstudio.widgets.parts.elided_label import ElidedLabel
from rfstudio.widgets.parts.fields import Choice, Line, Spin
from rfstudio.widgets.parts.flow_layout import FlowLayout
from rfstudio.widgets.parts.law_choice import LawChoice

_CONTEXT, _IMAGES = range(2)
_ANSWER, _CHOSEN = range(2)

_LABEL = 12
"""Average characters of a folder's name that are seen beside its buttons."""


class FolderQuestions:
    """Asks for folders in dialogs; tests use another object with this method."""

    def folder(self, parent: QWidget, title: str, start: Path | None = None) -> Path | None:
        """Ask for a folder."""
        name = QFileDialog.getExistingDirectory(parent, title, str(start or ""))
        return Path(name) if name else None


class FolderLine(QWidget):
    """Shows a folder, and asks for another one.

    Signals
    -------
    wanted
        The button was pressed.
    """

    wanted = Signal()

    def __init__(self, button: str, name: str) -> None:
        super().__init__()
        self.label = ElidedLabel()
        self.label.setAccessibleName(name)
        self.button = QPushButton(button)
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self.wanted)
        row = FlowLayout(self, rest=0, least=_LABEL)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.label)
        row.addWidget(self.button)

    def show_path(self, path: Path | None, otherwise: str) -> None:
        """Show a folder, or what is there without one."""
        self.label.setText(otherwise if path is None else path.name)
        self.label.setToolTip("" if path is None else str(path))


class OptionsForm(QWidget):
    """Edits the options of the next training.

    Parameters
    ----------
    selection
        The unit of the window, which may be filmed.
    questions
        Asks for folders.

    Signals
    -------
    changed
        There are other options.
    """

    changed = Signal()

    def __init__(
        self, selection: Selection, questions: FolderQuestions, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._selection = selection
        self._questions = questions
        self._data: Path | None = None
        self._teacher: Path | None = None
        self._make_fields()
        self._lay_out()
        self._connect()
        self._follow_selection()
        self._follow_task()

    def _make_fields(self) -> None:
        usual = TrainingOptions()
        self.task = Choice()
        self.task.addItems(["Context: a ring in noise decides", "My images, in classes"])
        self.task.setToolTip(
            "Context: the label of each pixel of white noise is the sign of the sum over a ring "
            "around it, so that the perfect field is the ring.\nMy images: a folder with a folder "
            "for each class, or the files of CIFAR-10 (Python or binary version)."
        )
        self.distance = QDoubleSpinBox()
        self.distance.setRange(0.5, 500)
        self.distance.setDecimals(1)
        self.distance.setSuffix(" px")
        self.distance.setKeyboardTracking(False)
        self.distance.setValue(usual.distance)
        self.distance.setToolTip("Radius of the ring")
        self.data = FolderLine("Choose…", "Folder of images")
        self.steps, self.batch, self.seed = Spin(), Spin(), Spin()
        for spin, least, most, value in (
            (self.steps, 1, 1_000_000, usual.steps),
            (self.batch, 1, 4096, usual.batch),
            (self.seed, 0, 2**31 - 1, usual.seed),
        ):
            spin.setRange(least, most)
            spin.setValue(value)
        self.batch.setToolTip("Images of a step")
        self.seed.setToolTip("The same seed gives the same weights, images and film")
        self.rate = QDoubleSpinBox()
        self.rate.setDecimals(5)
        self.rate.setRange(1e-5, 1.0)
        self.rate.setSingleStep(1e-3)
        self.rate.setValue(usual.rate)
        self.rate.setKeyboardTracking(False)
        self.rate.setToolTip("Largest learning rate of one cycle of AdamW")
        self.init = LawChoice()
        self.init.add_torch(usual.init)
        self.init.add_initialisations()
        self.init.setToolTip(
            "How weights begin; a gain can be typed after a colon, as in xavier_uniform:relu"
        )
        self.film = Line(usual.film)
        self.film.setToolTip("Steps at which the field is filmed: 0, 25, 100 or every 20")
        self.follow = Choice()
        self.follow.addItems(["What the network answers", ""])
        self.follow.setToolTip(
            "The field that is filmed: of the answer (for the context task of the difference of "
            "both outputs at the centre, for images of the output of the image's own class), or of "
            "the unit that is chosen in the window"
        )
        self.teacher = FolderLine("Choose…", "Teacher")
        self.teacher.setToolTip(
            "An earlier training whose outputs are learned instead of labels (distillation, "
            "temperature 2)"
        )
        self.labels = QPushButton("Labels")
        self.labels.setAutoDefault(False)
        self.labels.setToolTip("Learn labels, without a teacher")
        layout = self.teacher.layout()
        assert layout is not None
        layout.addWidget(self.labels)
        for field, name in (
            (self.task, "Task"),
            (self.distance, "Radius of the ring"),
            (self.steps, "Steps"),
            (self.batch, "Images of a step"),
            (self.seed, "Seed"),
            (self.rate, "Learning rate"),
            (self.init, "Initialisation"),
            (self.film, "Steps that are filmed"),
            (self.follow, "Field that is filmed"),
        ):
            field.setAccessibleName(name)
            field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            field.setMinimumWidth(60)
        for choice in (self.task, self.follow):
            choice.setMinimumWidth(choice.sizeHint().width())  # as of the answers that are its own

    def _lay_out(self) -> None:
        self.form = QFormLayout(self)
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setVerticalSpacing(5)
        # Where texts are large, a choice is below its name, and whole.
        self.form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self.form.addRow("Learn", self.task)
        self.form.addRow("Ring", self.distance)
        self.form.addRow("Images", self.data)
        self.form.addRow("Steps", self.steps)
        self.form.addRow("Batch", self.batch)
        self.form.addRow("Rate", self.rate)
        self.form.addRow("Seed", self.seed)
        self.form.addRow("Weights", self.init)
        self.form.addRow("Film", self.film)
        self.form.addRow("Field", self.follow)
        self.form.addRow("Teacher", self.teacher)

    def _connect(self) -> None:
        self.task.currentIndexChanged.connect(self._follow_task)
        for spin in (self.steps, self.batch, self.seed):
            spin.valueChanged.connect(self._announce)
        for real in (self.distance, self.rate):
            real.valueChanged.connect(self._announce)
        self.init.activated.connect(self._announce)
        line = self.init.lineEdit()
        assert line is not None
        line.editingFinished.connect(self._announce)
        self.film.editingFinished.connect(self._announce)
        self.follow.currentIndexChanged.connect(self._announce)
        self.data.wanted.connect(self._ask_for_data)
        self.teacher.wanted.connect(self._ask_for_teacher)
        self.labels.clicked.connect(lambda: self.set_teacher(None))
        self._selection.selection_changed.connect(self._follow_selection)

    @property
    def options(self) -> TrainingOptions:
        """The options as they are now."""
        options = TrainingOptions(
            distance=self.distance.value(),
            data=self._data if self.task.currentIndex() == _IMAGES else None,
            steps=self.steps.value(),
            batch=self.batch.value(),
            rate=self.rate.value(),
            film=self.film.text(),
            seed=self.seed.value(),
            init=self.init.law,
            teacher=self._teacher,
        )
        if self.follow.currentIndex() == _CHOSEN:
            chosen = self._selection.value
            options = replace(options, layer=chosen.layer, unit=chosen.unit)
        return options

    @property
    def lacking(self) -> str:
        """What has to be chosen first, in a sentence; empty: nothing."""
        if self.task.currentIndex() == _IMAGES and self._data is None:
            return "Choose a folder of images first."
        return ""

    def set_data(self, folder: Path) -> None:
        """Train on the images of a folder."""
        self._data = folder
        self.task.setCurrentIndex(_IMAGES)
        self._follow_task()

    def set_teacher(self, folder: Path | None) -> None:
        """Learn the outputs of an earlier training; None: labels."""
        self._teacher = folder
        self.labels.setEnabled(folder is not None)
        self.teacher.show_path(folder, "none: labels")
        self._announce()

    def _ask_for_data(self) -> None:
        folder = self._questions.folder(self, "Folder of images or of CIFAR-10", self._data)
        if folder is not None:
            self.set_data(folder)

    def _ask_for_teacher(self) -> None:
        folder = self._questions.folder(self, "Folder of an earlier training", self._teacher)
        if folder is not None:
            self.set_teacher(folder)

    def _follow_task(self) -> None:
        is_context = self.task.currentIndex() == _CONTEXT
        self.form.setRowVisible(self.distance, is_context)
        self.form.setRowVisible(self.data, not is_context)
        self.data.show_path(self._data, "none chosen")
        self.labels.setEnabled(self._teacher is not None)
        self.teacher.show_path(self._teacher, "none: labels")
        self._announce()

    def _follow_selection(self) -> None:
        chosen = self._selection.value
        unit = ", ".join(map(str, chosen.unit))
        self.follow.setItemText(_CHOSEN, f"{chosen.layer} ({unit})")
        if self.follow.currentIndex() == _CHOSEN:
            self._announce()

    def _announce(self) -> None:
        self.changed.emit()
