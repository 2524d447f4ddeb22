"""A mouse that drags layers in the tree of a window."""

from __future__ import annotations

from dataclasses import dataclass
from unittest import mock

from PySide6.QtCore import QMimeData, QModelIndex, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from rfstudio.core.network.architecture import Location
from rfstudio.widgets.window.main_window import MainWindow
from tests.widgets.hands import LEFT, NO_KEYS


@dataclass
class LayerMouse:
    """A mouse that drags layers; the offscreen platform itself ends every drag at once."""

    window: MainWindow

    def middle_of(self, place: Location, share: float = 0.5, branch: int = -1) -> QPoint:
        """Return a point in the row of an item, or of a branch, at a share of its height."""
        tree, model = self.window.stack.tree, self.window.stack.model
        index = model.index_of(place)
        if branch >= 0:
            rows = [model.index(i, 0, index) for i in range(model.rowCount(index))]
            index = next(x for x in rows if model.row_of(x).body == branch)
        rect = tree.visualRect(index)
        assert rect.isValid()
        return QPoint(rect.left() + 30, rect.top() + int(share * (rect.height() - 1)))

    def pick(self, place: Location) -> QMimeData:
        """Press on a layer and move; return what is dragged."""
        tree, model = self.window.stack.tree, self.window.stack.model
        view, at, begun = tree.viewport(), self.middle_of(place), []

        def remember(indexes: list[QModelIndex]) -> QMimeData:
            begun.append(usual(indexes))
            return usual(indexes)

        usual = model.mimeData
        with mock.patch.object(model, "mimeData", remember):
            QTest.mousePress(view, LEFT, NO_KEYS, at)
            for step in (1, 2, 3):
                QTest.mouseMove(view, at + QPoint(8 * step, 4 * step))
            QTest.mouseRelease(view, LEFT, NO_KEYS, at)
        assert len(begun) == 1, "no drag has begun"
        return begun[0]

    def over(
        self, data: QMimeData, at: QPoint, action: Qt.DropAction = Qt.DropAction.MoveAction
    ) -> bool:
        """Move what is dragged to a point; return whether it may be dropped there."""
        view = self.window.stack.tree.viewport()
        enter = QDragEnterEvent(at, action, data, LEFT, NO_KEYS)
        QApplication.sendEvent(view, enter)
        move = QDragMoveEvent(at, action, data, LEFT, NO_KEYS)
        QApplication.sendEvent(view, move)
        return enter.isAccepted() and move.isAccepted()

    def drop(
        self, data: QMimeData, at: QPoint, action: Qt.DropAction = Qt.DropAction.MoveAction
    ) -> None:
        """Drop what is dragged at a point, if it may be dropped there."""
        view = self.window.stack.tree.viewport()
        if self.over(data, at, action):
            QApplication.sendEvent(view, QDropEvent(QPointF(at), action, data, LEFT, NO_KEYS))
        else:
            QApplication.sendEvent(view, QDragLeaveEvent())

    def drag(self, place: Location, at: QPoint) -> None:
        self.drop(self.pick(place), at)
