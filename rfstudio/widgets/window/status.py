"""The status bar: what is under the pointer, how many remarks, the device, and the running job."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QLabel, QProgressBar, QStatusBar, QToolButton, QWidget

from rfstudio.widgets.parts.elided_label import ElidedLabel
from rfstudio.widgets.parts.explaining import explain_by
from rfstudio.widgets.parts.theme import icon, is_dark, severity_colour

_SHOWN_FOR = 6000  # milliseconds
_A_CHARACTER = 70  # milliseconds to read one
_DEVICE = 30  # average characters
_GAP, _MARGIN = 6, 24

_PROGRESS = 150
"""Least width of the bar of progress, in points."""

_AROUND = 16
"""Points around the words in it."""


class Status(QStatusBar):
    """Shows short messages, and the progress of long work with a button to cancel it.

    Signals
    -------
    problems_wanted
        The number of remarks was clicked.
    cancel_wanted
        Cancel was clicked.
    """

    problems_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        self._worst = ""  # before Qt tells the colours
        super().__init__(parent)
        self._told = ""
        self._refusal = ""
        self.hover = ElidedLabel()
        self.hover.setAccessibleName("Under the pointer")
        self.remarks = QToolButton()
        self.remarks.setAutoRaise(True)
        self.remarks.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.remarks.setToolTip("Show the remarks on this network")
        explain_by(self.remarks, "Remark", "remark")
        explain_by(self.hover, "Pixel", "pixel")
        self.late = QLabel("Analysing …")
        self.late.setToolTip("What is shown is the network before the last edit, for a moment")
        self.device = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        explain_by(self.device, "Device", "device")
        self.device.setMaximumWidth(_DEVICE * self.fontMetrics().averageCharWidth())
        self.progress = QProgressBar()
        self.progress.setFixedWidth(_PROGRESS)
        self.progress.setRange(0, 1000)
        self.progress.setAccessibleName("Progress of the measurement")
        self.cancel = QToolButton()
        self.cancel.setText("Cancel")
        self.cancel.setAutoRaise(True)
        self.addWidget(self.hover, 1)
        for widget in (self.late, self.progress, self.cancel, self.device, self.remarks):
            self.addPermanentWidget(widget)
        self.remarks.clicked.connect(self.problems_wanted)
        self.cancel.clicked.connect(self.cancel_wanted)
        self.show_late(False)
        self.show_progress(None)
        self.show_device("")

    def tell(self, text: str) -> None:
        """Show a line for as long as it takes to read, with its full text as a tooltip."""
        others = (self.late, self.progress, self.cancel, self.device, self.remarks)
        taken = sum(x.width() + _GAP for x in others if not x.isHidden())
        room = max(self.width() - taken - _MARGIN, 0)
        short = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, room)
        self.setToolTip(text if short != text else "")
        self._told = text
        self.showMessage(short, max(_SHOWN_FOR, _A_CHARACTER * len(text)))

    def withdraw(self, text: str) -> None:
        """Take a line back that is true no longer, if it is still shown."""
        if text and text == self._told:
            self.clearMessage()

    def refuse(self, text: str) -> None:
        """Say why an edit was refused, until an edit is done."""
        self._refusal = text
        self.tell(text)

    def withdraw_refusal(self) -> None:
        """Take back why an edit was refused: another one was done."""
        self.withdraw(self._refusal)
        self._refusal = ""

    def show_hover(self, text: str) -> None:
        """Show what is under the pointer."""
        self.hover.setText(text)

    def show_remarks(self, text: str, worst: str) -> None:
        """Show how many remarks there are."""
        self.remarks.setText(text)
        self._worst = worst or "note"
        self._tint()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the sign of the remarks in the colours of another scheme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._worst:
            self._tint()

    def _tint(self) -> None:
        colour = severity_colour(self._worst, dark=is_dark(self))
        self.remarks.setIcon(icon(self._worst, colour))

    def show_late(self, is_late: bool) -> None:
        """Show whether the network is still being analysed."""
        self.late.setVisible(is_late)

    def show_device(self, text: str) -> None:
        """Show the device that measures."""
        self.device.setText(text)
        self.device.setToolTip(f"Effective fields are measured on: {text}")
        self.device.setVisible(bool(text))

    def show_progress(self, fraction: float | None, text: str = "") -> None:
        """Show how far a job is; None: no job runs."""
        is_running = fraction is not None
        self.progress.setVisible(is_running)
        self.cancel.setVisible(is_running)
        if fraction is not None:
            self.progress.setValue(round(1000 * fraction))
            self.progress.setFormat(text or "%p %")
            needed = self.fontMetrics().horizontalAdvance(text) + _AROUND
            self.progress.setFixedWidth(max(needed, _PROGRESS))
