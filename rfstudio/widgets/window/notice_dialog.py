"""The dialog that says what was done, or what did not work and why."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QStyle,
    QWidget,
)

from rfstudio.widgets.parts.text_room import give_room
from rfstudio.widgets.parts.words import Words

_WIDTH = 440
_MOST = 10
"""Lines of the reason that are in sight at once, with texts twice as large on a small screen."""


class NoticeDialog(QDialog):
    """Shows a sentence and a reason, which can be copied; long ones wrap and scroll.

    Parameters
    ----------
    text
        What happened.
    reason
        Why; empty: that needs no reason.
    is_trouble
        Whether it is a warning.
    """

    def __init__(
        self, parent: QWidget | None, text: str, reason: str = "", *, is_trouble: bool = True
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("RF Studio")
        kinds = QStyle.StandardPixmap
        kind = kinds.SP_MessageBoxWarning if is_trouble else kinds.SP_MessageBoxInformation
        style = self.style()
        side = style.pixelMetric(QStyle.PixelMetric.PM_MessageBoxIconSize)
        sign = QLabel()
        sign.setPixmap(style.standardIcon(kind).pixmap(side))
        sign.setAlignment(Qt.AlignmentFlag.AlignTop)
        sign.setContentsMargins(0, 0, 10, 0)
        self.text = Words(text, most=4)
        self.text.setAccessibleName("What happened")
        self.reason = Words(reason[:1].upper() + reason[1:], most=_MOST)
        self.reason.setAccessibleName("Why")
        self.reason.setVisible(bool(reason))
        for words in (self.text, self.reason):  # the keys scroll and select
            words.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok)
        buttons.accepted.connect(self.accept)
        grid = QGridLayout(self)
        grid.setVerticalSpacing(10)
        grid.addWidget(sign, 0, 0, 2, 1)
        grid.addWidget(self.text, 0, 1)
        grid.addWidget(self.reason, 1, 1)
        grid.setRowStretch(2, 1)
        grid.addWidget(buttons, 3, 0, 1, 2)
        grid.setColumnStretch(1, 1)
        give_room(self, _WIDTH, 0)
        self.resize(self.width(), grid.totalHeightForWidth(self.width()))
        buttons.button(QDialogButtonBox.StandardButton.Ok).setFocus()
