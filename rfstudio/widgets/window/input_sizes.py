"""The size of the network's input in the toolbar, with the usual ones in its menu."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.app.state.document import Document
from rfstudio.core.errors import RFStudioError

_SQUARES = (28, 32, 64, 96, 128, 224, 256, 299, 384, 448, 512, 640, 1024)

USUAL: dict[int, tuple[tuple[int, ...], ...]] = {
    1: ((256,), (1024,), (4096,), (8000,), (16000,), (48000,)),
    2: (*((n, n) for n in _SQUARES), (480, 640), (512, 1024), (720, 1280), (1080, 1920)),
    3: ((16, 112, 112), (32, 224, 224), (64, 64, 64), (96, 96, 96), (128, 128, 128)),
}
"""Usual sizes by the number of axes."""


def size_text(size: tuple[int, ...]) -> str:
    """Return a size as the window writes it: ``224×224``."""
    return "×".join(map(str, size))


class InputSizes(QObject):
    """A menu of usual sizes, and a button that shows the size.

    Parameters
    ----------
    document, edits
        The network.
    other
        Lets the user type another size.

    Signals
    -------
    refused
        A size does not fit; why, in a sentence.
    """

    refused = Signal(str)

    def __init__(
        self,
        document: Document,
        edits: LayerEdits,
        other: Callable[[], object],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._edits = edits
        self._other = other
        self.menu = QMenu("Input size", parent)
        self._sizes = QActionGroup(self.menu)
        self.menu.aboutToShow.connect(self._fill)
        self.button = QToolButton(parent)
        self.button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.button.setMenu(self.menu)
        self.button.setAutoRaise(True)
        document.architecture_changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        text = size_text(self._document.architecture.input_size)
        self.button.setText(f"{text} ▾")
        self.button.setAccessibleName(f"Input size {text}")
        self.button.setToolTip(f"Size of the network's input, {text}; the menu has usual ones")

    def _fill(self) -> None:
        self.menu.clear()
        now = self._document.architecture.input_size
        usual = USUAL.get(len(now), ())
        for size in usual if now in usual else (now, *usual):
            action = QAction(size_text(size), self.menu)
            action.setCheckable(True)
            action.setChecked(size == now)
            action.triggered.connect(partial(self._choose, size))
            self._sizes.addAction(action)
            self.menu.addAction(action)
        self.menu.addSeparator()
        self.menu.addAction("Another size…").triggered.connect(self._type)

    def _type(self) -> None:
        self._other()

    def _choose(self, size: tuple[int, ...], _is_checked: bool = False) -> None:
        try:
            self._edits.set_input_size(size)
        except RFStudioError as error:
            self.refused.emit(str(error))
