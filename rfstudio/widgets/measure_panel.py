"""The options of measuring an effective field, each explained in a sentence."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFrame,
    QGridLayout,
    QLabel,
    QScrollArea,
    QSpinBox,
    QWidget,
)

from rfstudio.app.erf_session import ErfOptions, ErfSession
from rfstudio.app.measuring_options import OPTIONS, Option

_WEIGHTS = "Weights (*.safetensors *.pt *.pth)"


class MeasurePanel(QScrollArea):
    """Edits the options of an `ErfSession`."""

    def __init__(self, erf_session: ErfSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = erf_session
        self._rows: dict[str, tuple[QLabel, QWidget, QLabel]] = {}
        body = QWidget()
        self._grid = QGridLayout(body)
        self._grid.setContentsMargins(12, 10, 12, 10)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(2, 1)
        self._grid.setColumnMinimumWidth(1, 190)
        for row, option in enumerate(OPTIONS):
            self._add(row, option)
        self._grid.setRowStretch(len(OPTIONS), 1)
        self.setWidget(body)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAccessibleName("Options of measuring")
        erf_session.options_changed.connect(self._show)
        self._show(erf_session.options)

    def editor(self, name: str) -> QWidget:
        """Return the editor of an option."""
        return self._rows[name][1]

    def _add(self, row: int, option: Option) -> None:
        title, sentence = QLabel(option.title), QLabel()
        editor = self._make_choice(option) if option.choices else self._make_number(option)
        editor.setAccessibleName(option.title)
        editor.setToolTip(option.sentence)
        title.setBuddy(editor)
        title.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        title.setToolTip(option.sentence)
        sentence.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        sentence.setWordWrap(True)
        for column, widget in enumerate((title, editor, sentence)):
            self._grid.addWidget(widget, row, column)
        self._rows[option.name] = (title, editor, sentence)

    def _make_choice(self, option: Option) -> QComboBox:
        box = QComboBox()
        box.setEditable(option.free)
        for choice in option.choices:
            box.addItem(choice.title, choice.value)
        box.activated.connect(lambda: self._choose(option, box))
        line = box.lineEdit()
        if line is not None:
            line.editingFinished.connect(lambda: self._type(option, box))
        return box

    def _make_number(self, option: Option) -> QSpinBox:
        spin = QSpinBox()
        spin.setRange(round(option.least), round(option.most))
        spin.setKeyboardTracking(False)
        spin.valueChanged.connect(lambda n: self._session.set_options(**{option.name: n}))
        return spin

    def _choose(self, option: Option, box: QComboBox) -> None:
        value = box.currentData()
        if value is None:
            return
        if option.name == "inputs" and value == "folder":
            folder = QFileDialog.getExistingDirectory(self, "Folder of images")
            if folder:
                self._session.set_options(inputs="folder", folder=Path(folder))
            self._show(self._session.options)
        elif option.name == "weights" and value == "file":
            name, _ = QFileDialog.getOpenFileName(self, "File of weights", "", _WEIGHTS)
            if name:
                self._session.set_options(weights=name)
            self._show(self._session.options)
        else:
            self._session.set_options(**{option.name: value})

    def _type(self, option: Option, box: QComboBox) -> None:
        text = box.currentText().strip()
        known = {choice.title: choice.value for choice in option.choices}
        value = known.get(text, text)
        if value and value not in ("file", getattr(self._session.options, option.name)):
            self._session.set_options(**{option.name: value})

    def _show(self, options: ErfOptions) -> None:
        for option in OPTIONS:
            title, editor, sentence = self._rows[option.name]
            value = getattr(options, option.name)
            text = option.sentence
            with QSignalBlocker(editor):
                if isinstance(editor, QSpinBox):
                    editor.setValue(value)
                elif isinstance(editor, QComboBox):
                    index = editor.findData(value)
                    editor.setCurrentIndex(index)
                    if index < 0:
                        editor.setEditText(str(value))
                    else:
                        text = option.choices[index].sentence
            if option.name == "inputs" and options.folder is not None and value == "folder":
                text = f"All images of {options.folder}, in turn."
            sentence.setText(text)
            matters = not option.estimators or options.estimator in option.estimators
            for widget in (title, editor, sentence):
                widget.setVisible(matters)
