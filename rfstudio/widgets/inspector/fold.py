"""A part of the inspector that is closed at first, and computes nothing until it is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton, QVBoxLayout, QWidget

from rfstudio.app.slices import Slices
from rfstudio.app.state.settings import Settings
from rfstudio.app.wording.facts import Fact
from rfstudio.widgets.inspector.numbers import NumberBlock


class Fold(QWidget):
    """A button that opens and closes a block of facts, and remembers which.

    Parameters
    ----------
    title
        The text of the button.
    meaning
        What is in it, for the tooltip.
    key
        Its name in the settings.
    settings
        Where it is remembered whether it is open; nowhere if None.
    parent
        The widget around it.
    is_slow
        Whether its facts may take long, and are worked out in slices; they must not touch widgets.
    """

    def __init__(
        self,
        title: str,
        meaning: str,
        key: str,
        settings: Settings | None = None,
        parent: QWidget | None = None,
        *,
        is_slow: bool = False,
    ) -> None:
        super().__init__(parent)
        self._settings = settings
        self._key = f"inspector/{key}"
        self._title = ""
        self._facts: Callable[[], Iterable[Fact]] = tuple
        self._is_late = True
        self._slices = Slices(self) if is_slow else None
        self.button = QToolButton()
        self.button.setText(title)
        self.button.setToolTip(meaning)
        self.button.setAccessibleName(title)
        self.button.setAccessibleDescription(meaning)
        self.button.setCheckable(True)
        self.button.setAutoRaise(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setArrowType(Qt.ArrowType.RightArrow)
        self.button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.block = NumberBlock(title)
        self.block.hide()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.button)
        layout.addWidget(self.block)
        self.button.toggled.connect(self._open)
        self.button.setChecked(settings is not None and settings.flag(self._key, False))

    def show_facts(self, title: str, facts: Callable[[], Iterable[Fact]]) -> None:
        """Show other facts, which are computed at once only if this is open."""
        self._title, self._facts, self._is_late = title, facts, True
        self._update()

    def _open(self, is_open: bool) -> None:
        arrow = Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow
        self.button.setArrowType(arrow)
        self.block.setVisible(is_open)
        if self._settings is not None:
            self._settings.set(self._key, is_open)
        self._update()

    def _update(self) -> None:
        if self._is_late and self.button.isChecked():
            self._is_late = False
            self.block.set_title(self._title)
            if self._slices is None:
                self.block.show_facts(self._facts())
            elif not self._slices.start(partial(_listed, self._facts), self._show, at_once=True):
                self.block.show_facts((Fact("…", "being worked out", ""),))
        elif self._slices is not None and self._is_late:
            self._slices.drop()

    def _show(self, facts: tuple[Fact, ...]) -> None:
        self.block.show_facts(facts)


def _listed(facts: Callable[[], Iterable[Fact]]) -> tuple[Fact, ...]:
    return tuple(facts())
