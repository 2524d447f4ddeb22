"""The slider that chooses a slice of an input with three axes."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget


class SliceBar(QWidget):
    """Shows which slice is visible, and lets the user choose another.

    Signals
    -------
    slice_chosen
        The user wants to see a slice.
    """

    slice_chosen = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Slice of the input that is shown")
        self._label = QLabel()
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 2, 8, 2)
        row.addWidget(self._label)
        row.addWidget(self.slider, 1)
        self.slider.valueChanged.connect(self._choose)

    def show_slice(self, index: int, count: int) -> None:
        """Show that slice `index` of `count` is visible."""
        with QSignalBlocker(self.slider):
            self.slider.setRange(0, count - 1)
            self.slider.setValue(index)
        self._tell()

    def _choose(self, index: int) -> None:
        self._tell()
        self.slice_chosen.emit(index)

    def _tell(self) -> None:
        self._label.setText(f"Slice {self.slider.value()} of 0…{self.slider.maximum()}")
