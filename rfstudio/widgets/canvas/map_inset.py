"""A small picture of a layer's map in the corner of the canvas, in which a unit is chosen."""

from __future__ import annotations

from itertools import chain

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QWidget

from rfstudio.app.wording.texts import short_name
from rfstudio.core.plural import counted
from rfstudio.widgets.canvas.colours import HALO, SUPPORT
from rfstudio.widgets.canvas.modes import Inset
from rfstudio.widgets.canvas.view import ARROWS, BY_TEN
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.painting import paints_widget
from rfstudio.widgets.parts.theme import muted

_SIDE = 132
_SHARE = 0.27
"""Most of the shorter side of the canvas that the map takes."""

_TITLE = 0.33
"""Most of the width of the canvas that the title takes where it is wider than the map."""

_LEAST_SIDE = 60
"""Side below which a map is not shown, unless it is the answer."""

_LEAST = 10
_MARGIN = 6
_MOST = 264
"""Units along a side above which several are drawn as one."""

_CELL = 5.0
"""Least side of the mark of the chosen unit, and of cells between which there are lines."""

_HINT = (
    "<p>The output map of the chosen layer: a click or a drag chooses the unit at that place, "
    "arrow keys move it, with Shift by ten.</p><p>Key: <b>M</b> shows or hides the map.</p>"
)


class MapInset(QWidget):
    """Shows an `Inset`, in which a click, a drag or an arrow key chooses a unit.

    The wheel, other buttons and other keys go to the canvas below.

    Signals
    -------
    picked
        A unit was clicked or dragged to, and whether it was dragged to.
    stepped
        Arrow keys: by how many units (down, right), and whether Shift was down.
    hovered
        What is under the pointer, in words; empty when it has left.
    """

    picked = Signal(tuple, bool)
    stepped = Signal(int, int, bool)
    hovered = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Map of the layer")
        self.setToolTip(_HINT)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        self._inset: Inset | None = None
        self._image = QImage()
        self._still: QPixmap | None = None
        FocusRing(self)
        self.hide()

    @property
    def inset(self) -> Inset | None:
        """What is shown."""
        return self._inset

    def show_inset(self, inset: Inset | None) -> None:
        """Show another map, or nothing."""
        before, self._inset = self._inset, inset
        if inset is None:
            self._hide()
            return
        is_moved = before is not None and inset.is_moved(before) and not self.isHidden()
        if before is not None and is_moved and inset.unit == before.unit:
            return
        unit = ", ".join(map(str, inset.unit))
        marked = "" if inset.mask is None else f", {counted(int(inset.mask.sum()), 'unit')} marked"
        self.setAccessibleDescription(f"{inset.title}: unit {unit} is chosen{marked}")
        if not is_moved:  # else nothing but the mark of the unit is another one
            self._image = QImage() if inset.mask is None else _picture(inset.mask)
            self.place()
        self.update()

    def place(self) -> None:
        """Move to the corner of the widget around it, as large as there is room."""
        parent, inset = self.parentWidget(), self._inset
        if parent is None or inset is None:
            return
        if inset.mask is None and self._side() < _LEAST_SIDE:
            self._hide()
            return
        self._still = None
        self.resize(self.sizeHint())
        self.move(parent.width() - self.width() - _MARGIN, _MARGIN)
        self.show()

    def _hide(self) -> None:
        if self.hasFocus():  # which would go on to whatever comes next in the window
            around = self.parentWidget()
            view = None if around is None else around.parentWidget()
            if view is not None:
                view.setFocus()
        self.hide()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size of the map and its title."""
        width, height = self._map_size()
        text = self.fontMetrics().horizontalAdvance(self._title()) + 2
        line = self.fontMetrics().lineSpacing()
        return QSize(max(width, text) + 2 * _MARGIN, height + line + 3 * _MARGIN)

    def _side(self) -> int:
        parent = self.parentWidget()
        if parent is None:
            return _SIDE
        return min(_SIDE, round(_SHARE * min(parent.width(), parent.height())))

    def _title(self) -> str:
        inset = self._inset
        if inset is None:
            return ""
        side, metrics = max(self._side(), _LEAST_SIDE), self.fontMetrics()
        parent = self.parentWidget()
        room = 3 * side if parent is None else round(_TITLE * parent.width())
        most = min(round(1.6 * side), max(room, side))
        size, name = "×".join(map(str, inset.size)), inset.layer
        shorter = (f"{short_name(name, x)}, {size}" for x in range(len(name), 2, -1))
        fitting = (x for x in chain([inset.title], shorter) if metrics.horizontalAdvance(x) <= most)
        return next(fitting, metrics.elidedText(size, Qt.TextElideMode.ElideRight, most))

    def _map_size(self) -> tuple[int, int]:
        side = max(self._side(), _LEAST)
        if self._inset is None:
            return side, side
        rows, columns = self._inset.shape
        scale = side / max(rows, columns, 1)
        return max(round(columns * scale), _LEAST), max(round(rows * scale), _LEAST)

    @property
    def map_place(self) -> QRectF:
        """Where the map is in this widget."""
        width, height = self._map_size()
        top = self.fontMetrics().lineSpacing() + 2 * _MARGIN
        return QRectF((self.width() - width) / 2, top, width, height)

    def point_of(self, unit: tuple[int, ...]) -> QPointF:
        """Return where the middle of a unit is in this widget."""
        place = self.map_place
        rows, columns = (1, 1) if self._inset is None else self._inset.shape
        row, column = (0, *unit)[-2:]
        return place.topLeft() + QPointF(
            (column + 0.5) * place.width() / columns, (row + 0.5) * place.height() / rows
        )

    # --- mouse and keys -------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Choose the unit below the pointer; leave other buttons to the canvas."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pick(event.position(), is_dragged=False)
        else:
            event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Treat the second click as another click."""
        self.mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Drag the chosen unit along, and say what is below the pointer."""
        if event.buttons() & ~Qt.MouseButton.LeftButton:
            event.ignore()
            return
        if event.buttons():
            self._pick(event.position(), is_dragged=True)
        if self._inset is not None:
            unit = ", ".join(map(str, self._unit_at(self._inset, event.position())))
            self.hovered.emit(f"unit ({unit}) of {self._inset.layer}")

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """End a drag; leave other buttons to the canvas."""
        if event.button() != Qt.MouseButton.LeftButton:
            event.ignore()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Report that the pointer has left."""
        self.hovered.emit("")
        super().leaveEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Move the unit; other keys are those of the canvas."""
        key = Qt.Key(event.key())
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        is_shifted = modifiers == Qt.KeyboardModifier.ShiftModifier
        if key in ARROWS and (is_shifted or modifiers == Qt.KeyboardModifier.NoModifier):
            down, right = ARROWS[key]
            by = BY_TEN if is_shifted else 1
            self.stepped.emit(down * by, right * by, is_shifted)
        else:
            event.ignore()

    def _pick(self, point: QPointF, *, is_dragged: bool) -> None:
        if self._inset is not None:
            self.picked.emit(self._unit_at(self._inset, point), is_dragged)

    def _unit_at(self, inset: Inset, point: QPointF) -> tuple[int, ...]:
        """Return the unit at a point; outside the map the nearest one."""
        place = self.map_place
        rows, columns = inset.shape
        row = int((point.y() - place.top()) * rows // place.height())
        column = int((point.x() - place.left()) * columns // place.width())
        return inset.unit_at(min(max(row, 0), rows - 1), min(max(column, 0), columns - 1))

    # --- drawing --------------------------------------------------------------------------------

    @paints_widget
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the map, its marked units, the chosen one and the title."""
        del event
        if self._still is None:
            self._still = self._draw_still()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._still)
        if self._inset is not None:
            self._draw_unit(painter, self._inset, self.map_place)
        painter.end()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Draw anew in other colours and letters."""
        super().changeEvent(event)
        self._still = None

    def _draw_still(self) -> QPixmap:
        """Draw what stays while the unit moves: text takes longer than all the rest."""
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        painter = QPainter(picture)
        painter.setFont(self.font())
        palette = self.palette()
        painter.fillRect(self.rect(), palette.color(QPalette.ColorRole.Base))
        painter.setPen(palette.color(QPalette.ColorRole.Mid))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        line = self.fontMetrics().lineSpacing()
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        painter.drawText(
            QRectF(_MARGIN, _MARGIN / 2, self.width() - 2 * _MARGIN, line + _MARGIN),
            Qt.AlignmentFlag.AlignCenter,
            self._title(),
        )
        place = self.map_place
        if not self._image.isNull():
            painter.drawImage(place, self._image)
        if self._inset is not None:
            self._draw_cells(painter, self._inset, place)
        painter.setPen(QPen(palette.color(QPalette.ColorRole.Text), 1))
        painter.drawRect(place.adjusted(-0.5, -0.5, 0.5, 0.5))
        painter.end()
        return picture

    def _draw_cells(self, painter: QPainter, inset: Inset, place: QRectF) -> None:
        """Draw lines between units, where there is room for them."""
        rows, columns = inset.shape
        across, down = place.width() / columns, place.height() / rows
        lines = []
        if across >= _CELL:
            xs = [place.left() + i * across for i in range(1, columns)]
            lines += [QLineF(x, place.top(), x, place.bottom()) for x in xs]
        if down >= _CELL:
            ys = [place.top() + i * down for i in range(1, rows)]
            lines += [QLineF(place.left(), y, place.right(), y) for y in ys]
        colour = muted(self.palette())
        colour.setAlpha(90)
        painter.setPen(QPen(colour, 1))
        painter.drawLines(lines)

    def _draw_unit(self, painter: QPainter, inset: Inset, place: QRectF) -> None:
        """Draw the chosen unit, with lines to the borders, so that a tiny one is found."""
        rows, columns = inset.shape
        middle = self.point_of(inset.unit)
        text = self.palette().color(QPalette.ColorRole.Text)
        thin = QPen(text, 1, Qt.PenStyle.DotLine)
        painter.setPen(thin)
        painter.drawLine(QLineF(place.left(), middle.y(), place.right(), middle.y()))
        painter.drawLine(QLineF(middle.x(), place.top(), middle.x(), place.bottom()))
        width = max(place.width() / columns, _CELL)
        height = max(place.height() / rows, _CELL)
        cell = QRectF(middle.x() - width / 2, middle.y() - height / 2, width, height)
        cell &= self.rect()
        painter.fillRect(cell.adjusted(-1, -1, 1, 1), HALO)
        painter.fillRect(cell, text)


def _picture(mask: NDArray[np.bool_]) -> QImage:
    """Return a mask as a picture; of several units that share a point one marked is enough."""
    for axis in (0, 1):
        step = -(-mask.shape[axis] // _MOST)
        if step > 1:
            starts = np.arange(0, mask.shape[axis], step)
            mask = np.logical_or.reduceat(mask, starts, axis=axis)
    colours = np.where(mask, np.uint32(SUPPORT.rgba()), np.uint32(0x00000000))
    pixels = np.ascontiguousarray(colours.astype(np.uint32))
    height, width = pixels.shape
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32)
    return image.copy()  # which owns its pixels
