"""The view of the canvas: zoom, pan, mouse and keys."""

from __future__ import annotations

from typing import Literal, TypeAlias

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPalette,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from rfstudio.widgets.canvas.scene_item import SceneItem
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.theme import text_factor

_NOTCH = 120
"""What a wheel turns by one notch, in Qt's eighths of a degree."""

_PER_NOTCH = 1.2
_CLOSEST = 3.0
_WIDEST = 40.0
BY_TEN = 10
_MARGIN = 0.04
_FIELD_MARGIN = 0.15

Fitted: TypeAlias = Literal["all", "field", "none"]
"""What the view was fitted to, and is again when something else is shown; "none" after a zoom."""

ARROWS = {
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
}


_NUMBERS, _BESIDE_NUMBERS = 34, 10
"""Usual width of the axis at the left, and what it needs beside its longest number."""


class CanvasView(pg.GraphicsView):  # type: ignore[misc]
    """Shows a `SceneItem` with pixel numbers at its border.

    Signals
    -------
    pointed
        A point of the plane was clicked or dragged to, as QPointF, and whether it was dragged to.
    hovered_over
        The pointer is over a point of the plane, as QPointF; None when it left.
    released
        The left button was released.
    stepped
        Arrow keys: by how many units (down, right), and whether Shift was down.
    jumped
        Home, End, Page Up or Page Down, as its key and whether Ctrl was down.
    menu_wanted
        A context menu is requested at a global position.
    scale_changed
        The zoom changed.
    resized
        The view has another size.
    """

    pointed = Signal(QPointF, bool)
    hovered_over = Signal(object)
    released = Signal()
    stepped = Signal(int, int, bool)
    jumped = Signal(object, bool)
    menu_wanted = Signal(object)
    scale_changed = Signal()
    resized = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, background=None)
        self.item = SceneItem()
        self.plot = pg.PlotItem(enableMenu=False)
        self.plot.hideButtons()
        self.box: pg.ViewBox = self.plot.getViewBox()
        self.box.setMouseEnabled(False, False)
        self.box.setDefaultPadding(0)
        self.box.invertY(True)
        self.box.setAspectLocked(True)
        self.box.addItem(self.item, ignoreBounds=True)
        self.setCentralItem(self.plot)
        for side in ("left", "bottom"):
            self.plot.getAxis(side).setStyle(tickLength=-4, autoExpandTextSpace=False)
        self._large = text_factor(self)
        self.plot.getAxis("left").setWidth(round(_NUMBERS * self._large))
        self.plot.getAxis("bottom").setHeight(round(20 * self._large))
        self._wanted = QRectF(-0.5, -0.5, 1, 1)
        self._is_strip = False
        self._gives_room = False
        self._field: QRectF | None = None
        self._fitted: Fitted = "all"
        self._covered = 0.0
        self._space = False
        self._grip: QPointF | None = None
        self._hover: QPointF | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        # Drops are left to the window, which opens files.
        self.setAcceptDrops(False)
        self.viewport().setAcceptDrops(False)
        self.setAccessibleName("Input image with the field of the unit")
        FocusRing(self)
        self.box.sigTransformChanged.connect(self._follow_zoom)
        self.box.sigRangeChanged.connect(self._follow_zoom)
        self._follow_palette()

    # --- what is shown --------------------------------------------------------------------------

    @property
    def is_fitted(self) -> bool:
        """Whether the view still shows everything, since the user has not zoomed or panned."""
        return self._fitted == "all"

    @property
    def is_on_field(self) -> bool:
        """Whether the view shows the field of the unit, as large as possible."""
        return self._fitted == "field"

    def set_all(
        self,
        rect: QRectF,
        field: QRectF | None = None,
        *,
        is_strip: bool = False,
        is_new: bool = False,
    ) -> None:
        """Set what the view shows when it shows everything.

        Parameters
        ----------
        rect
            The image and what should be seen of its surroundings.
        field
            What the unit sees, for `fit_field`.
        is_strip
            Whether only the width is zoomed: the input has one axis.
        is_new
            Whether something else is shown than before, so that all of it should come into view,
            unless the user has zoomed or panned.
        """
        if is_strip != self._is_strip:
            self._is_strip = is_strip
            self.box.setAspectLocked(not is_strip)
            self.plot.showAxis("left", not is_strip)
            self._fitted = "all"
        self._wanted, self._field = QRectF(rect), field
        if is_new:
            self._fit_again()

    def fit(self) -> None:
        """Bring everything into view."""
        self._fitted = "all"
        self._show(self._wanted, _MARGIN)

    def fit_field(self) -> None:
        """Bring what the unit sees into view, as large as possible."""
        field = self._field
        if field is None:
            self.fit()
            return
        self._fitted = "field"
        short = _CLOSEST * 2 - min(field.width(), field.height())
        around = max(short / 2, 0.0)
        self._show(field.adjusted(-around, -around, around, around), _FIELD_MARGIN)

    def _fit_again(self) -> None:
        if self._fitted == "all":
            self.fit()
        elif self._fitted == "field":
            self.fit_field()

    def keep_free(self, width: float) -> None:
        """Leave room at the right end, where something lies over the upper corner.

        What is fitted moves to the left as far as there is room, and stays as large.

        Parameters
        ----------
        width
            Pixels of the screen; 0 for nothing.
        """
        if width != self._covered:
            self._covered = width
            self._fit_again()

    def _show(self, rect: QRectF, share: float) -> None:
        margin = share * max(rect.width(), 1.0)
        if self._is_strip:
            # The strip takes the middle fifth of the height.
            self.box.setRange(
                QRectF(rect.left() - margin, -2.5, rect.width() + 2 * margin, 5.0), padding=0
            )
        else:
            around = rect.adjusted(-margin, -margin, margin, margin)
            self.box.setRange(self._beside_the_covered(around, rect.width()), padding=0)

    def _beside_the_covered(self, around: QRectF, wanted: float) -> QRectF:
        """Return what is seen if `around` is fitted, of which the middle `wanted` matters."""
        width, height = self.box.width(), self.box.height()
        if self._covered <= 0 or min(width, height, around.width(), around.height()) <= 0:
            return around
        scale = min(width / around.width(), height / around.height())
        spare = (width - scale * around.width()) / 2
        by = min(max(self._covered - (width - scale * wanted) / 2, 0.0), spare)
        seen = QRectF(0, 0, width / scale, height / scale)
        seen.moveCenter(around.center() + QPointF(by / scale, 0))
        return seen

    def zoom(self, factor: float, at: QPointF | None = None) -> None:
        """Enlarge by a factor; the point `at` of the plane stays where it is on the screen."""
        shown = self.box.viewRect()
        width = shown.width() / factor
        limit = _WIDEST * max(self._wanted.width(), self._wanted.height())
        width = min(max(width, _CLOSEST), limit)
        shrink = width / shown.width()
        at = shown.center() if at is None else at
        left = at.x() + (shown.left() - at.x()) * shrink
        top = at.y() + (shown.top() - at.y()) * shrink
        height = shown.height() * shrink
        if self._is_strip:
            top, height = shown.top(), shown.height()
        self._fitted = "none"
        self.box.setRange(QRectF(left, top, width, height), padding=0)

    def plane_point(self, point: QPointF) -> QPointF:
        """Return the point of the plane under a point of the viewport."""
        on_scene = self.viewportTransform().inverted()[0].map(point)
        return QPointF(self.box.mapSceneToView(on_scene))

    def viewport_point(self, point: QPointF) -> QPointF:
        """Return where a point of the plane is on the viewport."""
        return QPointF(self.viewportTransform().map(self.box.mapViewToScene(point)))

    def pixels_per_pixel(self) -> tuple[float, float]:
        """Return how large a pixel of the input is on the screen, as (height, width)."""
        width, height = self.box.viewPixelSize()
        return (1 / height if height else 0.0, 1 / width if width else 0.0)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the size that suits a usual network's input."""
        return QSize(560, 520)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the smallest useful size."""
        return QSize(200, 160)

    # --- mouse ----------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Choose a unit with the left button; pan with the middle one or with space."""
        button = event.button()
        is_pan = button == Qt.MouseButton.MiddleButton or (
            button == Qt.MouseButton.LeftButton and self._space
        )
        if is_pan:
            self._grip = event.position()
            self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
        elif button == Qt.MouseButton.LeftButton:
            self.pointed.emit(self.plane_point(event.position()), False)
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Pan, drag the unit along, and report what is under the pointer."""
        position = event.position()
        if self._grip is not None:
            moved = self.plane_point(self._grip) - self.plane_point(position)
            self._grip = position
            self._fitted = "none"
            # Exact for aspect-locked views too, since both sides keep their length.
            self.box.setRange(
                self.box.viewRect().translated(moved.x(), 0 if self._is_strip else moved.y()),
                padding=0,
            )
        elif event.buttons() & Qt.MouseButton.LeftButton:
            self.pointed.emit(self.plane_point(position), True)
        self._hover = position
        self.hovered_over.emit(self.plane_point(position))
        event.accept()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """End a pan."""
        if self._grip is not None:
            self._grip = None
            self._show_cursor()
        elif event.button() == Qt.MouseButton.LeftButton:
            self.released.emit()
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Treat the second click as another click."""
        self.mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Zoom at the pointer."""
        turned = event.angleDelta().y() or event.angleDelta().x()
        if turned:
            self.zoom(_PER_NOTCH ** (turned / _NOTCH), self.plane_point(event.position()))
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802 - Qt's name
        """Request the menu."""
        self.menu_wanted.emit(event.globalPos())
        event.accept()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Report that the pointer has left."""
        self._hover = None
        self.hovered_over.emit(None)
        super().leaveEvent(event)

    def viewportEvent(self, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Zoom when two fingers spread on a touchpad."""
        if (
            isinstance(event, QNativeGestureEvent)
            and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture
        ):
            self.zoom(1 + event.value(), self.plane_point(event.position()))
            return True
        return bool(super().viewportEvent(event))

    # --- keys -----------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Move the unit, fit, zoom; pass unknown keys on to the window."""
        key = Qt.Key(event.key())
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        is_shifted = modifiers == Qt.KeyboardModifier.ShiftModifier
        is_plain = modifiers == Qt.KeyboardModifier.NoModifier
        is_control = modifiers == Qt.KeyboardModifier.ControlModifier
        if key in ARROWS and (is_plain or is_shifted):
            by = BY_TEN if is_shifted else 1
            down, right = ARROWS[key]
            self.stepped.emit(down * by, right * by, is_shifted)
        elif key in _JUMPS and (is_plain or is_control):
            self.jumped.emit(key, is_control)
        elif key == Qt.Key.Key_0 and is_plain:
            self.fit()
        elif key == Qt.Key.Key_F and is_plain:
            self.fit_field()
        elif key in {Qt.Key.Key_Plus, Qt.Key.Key_Equal} and (is_plain or is_shifted):
            self.zoom(_PER_NOTCH, self._zoom_centre())
        elif key == Qt.Key.Key_Minus and is_plain:
            self.zoom(1 / _PER_NOTCH, self._zoom_centre())
        elif key == Qt.Key.Key_Space:
            self._space = True
            self._show_cursor()
        else:
            event.ignore()
            return
        event.accept()

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """End panning with space."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self._space = False
            self._show_cursor()
        event.accept()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        """Forget a space key whose release will arrive elsewhere."""
        self._space = False
        self._show_cursor()
        super().focusOutEvent(event)

    def _zoom_centre(self) -> QPointF | None:
        marker = self.item.scene_shown.marker
        if marker is not None and self.box.viewRect().contains(marker):
            return marker
        return None

    def _show_cursor(self) -> None:
        if self._space:
            self.viewport().setCursor(Qt.CursorShape.OpenHandCursor)
        else:
            self.viewport().setCursor(Qt.CursorShape.CrossCursor)

    # --- size, zoom and theme -------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Keep everything in view if everything was."""
        super().resizeEvent(event)
        if hasattr(self, "_fitted"):
            self._fit_again()
        self.resized.emit()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Follow light and dark."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "plot"):
            self._follow_palette()

    def _follow_zoom(self) -> None:
        self._give_room_to_numbers()
        self.item.set_reach(self.box.viewRect())
        self.scale_changed.emit()

    def _give_room_to_numbers(self) -> None:
        """Widen the axis at the left for long numbers, which it would leave out without a word."""
        if self._is_strip or self._gives_room:
            return
        axis = self.plot.getAxis("left")
        self._gives_room = True  # what follows a new width comes here again
        try:
            width = self._room_of_numbers()
            if width != axis.fixedWidth:
                self._set_room(width)
                # The picture that fits now may have other numbers: to take room back for shorter
                # ones could bring the first ones back, and so on.
                if (more := self._room_of_numbers()) > width:
                    self._set_room(more)
        finally:
            self._gives_room = False

    def _set_room(self, width: int) -> None:
        self.plot.getAxis("left").setWidth(width)
        self.plot.layout.activate()
        self._fit_again()

    def _room_of_numbers(self) -> int:
        """Return the width of the axis at the left that the numbers in view need."""
        axis = self.plot.getAxis("left")
        seen = self.box.viewRect()
        levels = axis.tickValues(seen.top(), seen.bottom(), max(self.box.height(), 1.0))
        # The ticks between those of the first two levels have a number only where these have room.
        texts = [text for step, at in levels[:2] for text in axis.tickStrings(at, 1.0, step)]
        longest = max((self.fontMetrics().horizontalAdvance(x) for x in texts), default=0)
        return max(round(_NUMBERS * self._large), longest + _BESIDE_NUMBERS)

    def _follow_palette(self) -> None:
        palette = self.palette()
        self.setBackgroundBrush(palette.color(QPalette.ColorRole.Base))
        text = palette.color(QPalette.ColorRole.PlaceholderText)
        for side in ("left", "bottom"):
            axis = self.plot.getAxis(side)
            axis.setPen(pg.mkPen(text))
            axis.setTextPen(pg.mkPen(text))
        self._show_cursor()


_JUMPS = frozenset({Qt.Key.Key_Home, Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown})
