"""A small picture of the whole graph, with a frame around the part that is seen large."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent, QPainter, QPaintEvent, QPalette, QPen, QPixmap
from PySide6.QtWidgets import QWidget

from rfstudio.widgets.canvas.colours import THEORETICAL
from rfstudio.widgets.graph_view.drawing import Drawing
from rfstudio.widgets.graph_view.graph_item import kind_colour
from rfstudio.widgets.parts.painting import paints_widget
from rfstudio.widgets.parts.theme import muted

_WIDEST = 260
_HIGHEST = 150
_SHARE = 0.42
"""Most of the width and height of the graph's view that the overview takes."""

_LEAST = 40
_MARGIN = 6
_INSIDE = 5

_LEAST_BOX = 1.0
"""Least width and height of a box, in points."""


class GraphOverview(QWidget):
    """Shows all boxes as dots; a click or a drag goes there.

    The keys of the graph go to each layer, so that this one takes no focus.

    Signals
    -------
    wanted
        A point of the scene that should be in the middle of the view.
    """

    wanted = Signal(QPointF)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAccessibleName("Overview of the graph")
        self.setToolTip(
            "The whole graph; the frame is the part that is seen. A click or a drag goes there."
        )
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._drawing: Drawing | None = None
        self._selected = -1
        self._seen = QRectF()
        self._still: QPixmap | None = None
        self.hide()

    @property
    def seen(self) -> QRectF:
        """The part of the scene that is framed."""
        return self._seen

    def show_part(self, drawing: Drawing | None, selected: int, seen: QRectF) -> None:
        """Show which part of a drawing is seen; nothing where that is all of it.

        Parameters
        ----------
        drawing
            What is drawn.
        selected
            The box of the chosen layer; −1 for none.
        seen
            The part of the scene that is in view.
        """
        is_all = drawing is None or seen.contains(drawing.extent)
        is_same = drawing is self._drawing and self._still is not None and not self.isHidden()
        if is_same and (selected, seen) == (self._selected, self._seen):
            return
        self._take(drawing)
        self._selected, self._seen = selected, QRectF(seen)
        if is_all:
            self.hide()
            return
        self.place()
        self.update()

    def _take(self, drawing: Drawing | None) -> None:
        """Draw another picture only if it would differ: few edits change the form of a graph."""
        before, self._drawing = self._drawing, drawing
        if drawing is None or before is None or not _look_alike(before, drawing):
            self._still = None

    def place(self) -> None:
        """Move to the lower right corner of the widget around it."""
        parent = self.parentWidget()
        if self._drawing is None or parent is None:
            return
        size = self.sizeHint()
        if min(parent.width() * _SHARE, parent.height() * _SHARE) < _LEAST:
            self.hide()
            return
        if size != self.size():
            self._still = None
            self.resize(size)
        self.move(
            parent.width() - size.width() - _MARGIN, parent.height() - size.height() - _MARGIN
        )
        self.show()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size in which the graph keeps its form, unless it is much too long."""
        parent = self.parentWidget()
        if self._drawing is None or parent is None:
            return QSize(_WIDEST, _HIGHEST)
        whole = self._drawing.extent
        widest = min(_WIDEST, parent.width() * _SHARE) - 2 * _INSIDE
        highest = min(_HIGHEST, parent.height() * _SHARE) - 2 * _INSIDE
        scale = min(widest / whole.width(), highest / whole.height())
        width, height = whole.width() * scale, whole.height() * scale
        # A single line of hundreds of layers would be too thin to hit.
        width, height = max(width, min(_LEAST, widest)), max(height, min(_LEAST / 2, highest))
        return QSize(round(width) + 2 * _INSIDE, round(height) + 2 * _INSIDE)

    def height_of(self, drawing: Drawing | None) -> int:
        """Return how high the overview of a drawing is, in points."""
        self._take(drawing)
        return 0 if drawing is None else self.sizeHint().height() + _MARGIN

    # --- mouse ----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Go to the place below the pointer."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._go(event.position())
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Drag the frame along."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._go(event.position())
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """End a drag."""
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Treat the second click as another click."""
        self.mousePressEvent(event)

    def _go(self, point: QPointF) -> None:
        if self._drawing is None:
            return
        place, whole = self._place(), self._drawing.extent
        x = min(max((point.x() - place.left()) / place.width(), 0.0), 1.0)
        y = min(max((point.y() - place.top()) / place.height(), 0.0), 1.0)
        self.wanted.emit(
            QPointF(whole.left() + x * whole.width(), whole.top() + y * whole.height())
        )

    # --- drawing --------------------------------------------------------------------------------

    def point_of(self, point: QPointF) -> QPointF:
        """Return where a point of the scene is in this widget."""
        return self._rect_of(QRectF(point, point)).topLeft()

    def _place(self) -> QRectF:
        return QRectF(self.rect()).adjusted(_INSIDE, _INSIDE, -_INSIDE, -_INSIDE)

    def _rect_of(self, rect: QRectF) -> QRectF:
        if self._drawing is None:
            return QRectF()
        place, whole = self._place(), self._drawing.extent
        across, down = place.width() / whole.width(), place.height() / whole.height()
        return QRectF(
            place.left() + (rect.left() - whole.left()) * across,
            place.top() + (rect.top() - whole.top()) * down,
            rect.width() * across,
            rect.height() * down,
        )

    @paints_widget
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the graph, the chosen layer and the frame."""
        del event
        if self._drawing is None:
            return
        if self._still is None:
            self._still = self._draw_still(self._drawing)
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._still)
        palette = self.palette()
        if 0 <= self._selected < len(self._drawing.boxes.boxes):  # not that of a network before
            middle = self._rect_of(self._drawing.rect_of(self._selected)).center()
            mark = QRectF(middle.x() - 3, middle.y() - 3, 6, 6)
            painter.fillRect(mark.adjusted(-1, -1, 1, 1), palette.color(QPalette.ColorRole.Base))
            painter.fillRect(mark, palette.color(QPalette.ColorRole.Highlight))
        frame = self._rect_of(self._seen) & QRectF(self.rect()).adjusted(1, 1, -2, -2)
        painter.setPen(QPen(palette.color(QPalette.ColorRole.Text), 1.6))
        painter.drawRect(frame)
        painter.end()

    def _draw_still(self, drawing: Drawing) -> QPixmap:
        """Draw what stays while the view moves."""
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        painter = QPainter(picture)
        palette = self.palette()
        painter.fillRect(self.rect(), palette.color(QPalette.ColorRole.Base))
        painter.setPen(muted(palette))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        nodes = drawing.analysis.graph.nodes
        for index, box in enumerate(drawing.boxes.boxes):
            rect = self._rect_of(drawing.rect_of(index))
            rect.setWidth(max(rect.width(), _LEAST_BOX))
            rect.setHeight(max(rect.height(), _LEAST_BOX))
            painter.fillRect(rect, kind_colour(nodes[box.last].op))
        for index in sorted(
            (drawing.misaligned - drawing.noted) | drawing.failing
        ):  # larger, beside their colour
            middle = self._rect_of(drawing.rect_of(index)).center()
            sides = (QPointF(-4, 0), QPointF(0, -4), QPointF(4, 0), QPointF(0, 4))
            painter.setPen(palette.color(QPalette.ColorRole.Base))
            painter.setBrush(THEORETICAL)
            painter.drawPolygon([middle + x for x in sides])  # a diamond
        painter.end()
        return picture

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Follow light and dark."""
        super().changeEvent(event)
        self._still = None


def _marks(drawing: Drawing) -> tuple[frozenset[int], ...]:
    return drawing.misaligned, drawing.failing, drawing.noted


def _look_alike(a: Drawing, b: Drawing) -> bool:
    """Whether two drawings have the same boxes at the same places, in the same colours."""
    if a is b:
        return True
    is_same_layout = a.boxes is b.boxes and a.layout is b.layout and a.lines is b.lines
    if not is_same_layout or _marks(a) != _marks(b):
        return False
    before, after = a.analysis.graph.nodes, b.analysis.graph.nodes
    ops = ((before[x.last].op, after[x.last].op) for x in b.boxes.boxes)
    return all(x is y or kind_colour(x) == kind_colour(y) for x, y in ops)
