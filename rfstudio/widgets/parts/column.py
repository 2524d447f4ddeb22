"""Stacks widgets so that a text that changes in one of them moves nothing outside."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QWidget


class Column(QWidget):
    """Gives each widget the height that it needs, and one of them the rest.

    Whenever a layout of Qt is activated, it notifies all widgets around it, up to the main window,
    which then lays out all its docks again; here only a change of the least size does that.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._widgets: list[QWidget] = []
        self._rest: QWidget | None = None
        self._least = QSize()

    def stack(self, *widgets: QWidget, rest: QWidget) -> None:
        """Show widgets from top to bottom; `rest` takes the height that is left."""
        self._widgets = list(widgets)
        self._rest = rest
        for widget in widgets:
            widget.setParent(self)

    def event(self, event: QEvent) -> bool:
        """Lay out again when a widget requests it."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.arrange()
            return True
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Lay out again."""
        super().resizeEvent(event)
        self._place()

    def arrange(self) -> None:
        """Place each widget now, and report if another least size is needed."""
        self._place()
        least = self.minimumSizeHint()
        if least != self._least:
            self._least = least
            self.updateGeometry()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size at which every widget has its preferred size."""
        return self._summed([x.sizeHint() for x in self._present()])

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the least size at which every widget has room."""
        return self._summed([_least(x) for x in self._present()])

    def _present(self) -> list[QWidget]:
        return [x for x in self._widgets if not x.isHidden()]

    def _summed(self, sizes: list[QSize]) -> QSize:
        return QSize(max((x.width() for x in sizes), default=0), sum(x.height() for x in sizes))

    def _place(self) -> None:
        width = self.width()
        shown = self._present()
        heights = {x: _height(x, width) for x in shown if x is not self._rest}
        left = max(self.height() - sum(heights.values()), 0)
        top = 0
        for widget in shown:
            height = heights.get(widget, left)
            widget.setGeometry(0, top, width, height)
            top += height


class Caption(QLabel):
    """A sentence that grows but does not shrink, so that what is below stays in place in a drag."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWordWrap(True)
        self._width = -1
        self._longest = 0
        self._height = 0

    def forget(self) -> None:
        """Take the height that the next text needs."""
        self._width = -1

    def heightForWidth(self, width: int) -> int:  # noqa: N802 - Qt's name
        """Return the height of the longest text so far at this width."""
        length = len(self.text())
        if width != self._width:
            self._width, self._longest, self._height = width, 0, 0
        if length > self._longest:
            # Breaking rich text into lines takes as long as tracing a unit back through VGG-16.
            self._longest = length
            self._height = max(self._height, super().heightForWidth(width))
        return self._height

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the height that it has; it breaks at any width."""
        return QSize(0, self._height)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Measure again in another font."""
        super().changeEvent(event)
        if event.type() in {QEvent.Type.FontChange, QEvent.Type.StyleChange}:
            self._width = -1


def _height(widget: QWidget, width: int) -> int:
    if widget.hasHeightForWidth():
        return widget.heightForWidth(width)
    return widget.sizeHint().height()


def _least(widget: QWidget) -> QSize:
    """Return the least size of a widget: what was set, or else its hint."""
    wanted = widget.minimumSizeHint()
    return QSize(widget.minimumWidth() or wanted.width(), widget.minimumHeight() or wanted.height())
