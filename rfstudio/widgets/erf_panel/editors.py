"""The editor of one option of a measurement: a list to choose from, or a number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QSpinBox,
    QWidget,
)

from rfstudio.app.effective.measuring_options import Option

ASKS = ("file", "folder")
"""Values that open a dialog."""

_WIDEST = 11  # characters
_LEAST = 15


class FileQuestions:
    """Asks for weights and photos in dialogs; tests use another object with these methods."""

    def weights(self, parent: QWidget) -> Path | None:
        """Ask for a file of weights."""
        kinds = "Weights (*.safetensors *.pt *.pth *.bin *.ckpt *.pth.tar *.th);;All files (*)"
        name, _ = QFileDialog.getOpenFileName(parent, "File of weights", "", kinds)
        return Path(name) if name else None

    def folder(self, parent: QWidget) -> Path | None:
        """Ask for a folder of photos."""
        name = QFileDialog.getExistingDirectory(parent, "Folder of photos")
        return Path(name) if name else None


_TYPED = ("device", "init")
"""Options whose value may be typed."""


class OptionEditor(QWidget):
    """Edits one option.

    Signals
    -------
    changed
        The user chose another value; "file" and "folder" ask for a dialog.
    """

    changed = Signal(object)

    def __init__(self, option: Option, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.option = option
        self._value: object = None
        self.input: QComboBox | QSpinBox | QDoubleSpinBox = (
            self._make_list() if option.choices else self._make_number()
        )
        self.input.setAccessibleName(option.title)
        # Turning the wheel over the form scrolls it; only a focused editor turns with it.
        self.input.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.input.setMinimumWidth(_LEAST * self.fontMetrics().averageCharWidth())
        self.setFocusProxy(self.input)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.input)

    def show_value(self, value: Any, name: str = "") -> None:
        """Show a value; one that is not in the list is shown as `name`, or as its own text."""
        self._value = value
        with QSignalBlocker(self.input):
            if isinstance(self.input, QComboBox):
                self._show_choice(self.input, value, name)
            elif isinstance(self.input, QSpinBox):
                self.input.setValue(round(self.option.least) - 1 if value is None else value)
            else:
                self.input.setValue(value)

    def _make_list(self) -> QComboBox:
        box = QComboBox()
        box.setEditable(self.option.free and self.option.name in _TYPED)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(_WIDEST)
        for choice in self.option.choices:
            box.addItem(choice.title, choice.value)
            box.setItemData(box.count() - 1, choice.sentence, Qt.ItemDataRole.ToolTipRole)
        box.view().setMinimumWidth(box.view().sizeHintForColumn(0) + 30)
        box.activated.connect(self._choose)
        line = box.lineEdit()
        if line is not None:
            line.editingFinished.connect(self._type)
        return box

    def _make_number(self) -> QSpinBox | QDoubleSpinBox:
        option = self.option
        spin: QSpinBox | QDoubleSpinBox
        if option.decimals:
            spin = QDoubleSpinBox()
            spin.setDecimals(option.decimals)
            spin.setSingleStep(0.1)
            spin.setRange(option.least, option.most)
        else:
            spin = QSpinBox()
            spin.setRange(round(option.least) - bool(option.none), round(option.most))
            spin.setStepType(QAbstractSpinBox.StepType.AdaptiveDecimalStepType)
            spin.setGroupSeparatorShown(True)
        if option.none:
            spin.setSpecialValueText(option.none)
        spin.setKeyboardTracking(False)
        spin.valueChanged.connect(self._count)
        return spin

    def _show_choice(self, box: QComboBox, value: Any, name: str) -> None:
        known = len(self.option.choices)
        while box.count() > known:
            box.removeItem(known)
        index = box.findData(value)
        if index < 0 and not box.isEditable():
            box.addItem(name or str(value), value)
            box.setItemData(known, str(value), Qt.ItemDataRole.ToolTipRole)
            index = known
        box.setCurrentIndex(index)
        if index < 0:
            box.setEditText(str(value))

    def _choose(self) -> None:
        assert isinstance(self.input, QComboBox)
        value = self.input.currentData()
        if value is not None and (value != self._value or value in ASKS):
            self.changed.emit(value)

    def _type(self) -> None:
        assert isinstance(self.input, QComboBox)
        text = self.input.currentText().strip()
        value = {x.title: x.value for x in self.option.choices}.get(text, text)
        if value and value != self._value:
            self.changed.emit(value)

    def _count(self, number: float) -> None:
        self.changed.emit(None if number < self.option.least else number)
