"""A pyqtgraph plot in the colours of the window, with a line of words above it."""

from __future__ import annotations

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPoint, QPointF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QKeyEvent,
    QMouseEvent,
    QPalette,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QApplication, QWidget

from rfstudio.app.wording.terms import Question, first_of, questions_about
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.theme import clear_on, muted, text_scale

_STILL = 4.0
"""Points that a pointer may move between press and release of a click."""


_INNER = 0.8
"""Share of an axis within which a number has room on both sides."""

_CORNER = 3
"""Lines of text that numbers and name of the other axis take beside the name of that across."""

_ROOM = 150
"""Least height in points with names at the axes."""


class CountAxis(pg.AxisItem):  # type: ignore[misc]
    """An axis of counted things: no marks between whole numbers, and room for each number."""

    def tickSpacing(  # noqa: N802 - pyqtgraph's name
        self, low: float, high: float, size: float
    ) -> list[tuple[float, float]]:
        """Return the distances of marks, the largest first."""
        spacings: list[tuple[float, float]] = super().tickSpacing(low, high, size)
        whole = [x for x in spacings if x[0] >= 1] or [(1.0, 0.0)]
        longest = f" {max(abs(low), abs(high)):.0f} "
        needed = QFontMetricsF(QApplication.font()).horizontalAdvance(longest)
        share = size / (high - low) if high > low else 0.0
        fitting = [x for x in whole if x[0] * share >= needed]
        if fitting or not share:
            return fitting or whole
        distance, offset = whole[0]
        # One mark is left, away from the ends, where it would have no room.
        while distance * share < needed and 2 * distance <= _INNER * (high - low):
            distance *= 2
        return [(distance, offset)]


class Plot(pg.PlotWidget):  # type: ignore[misc]
    """A plot that follows light and dark, and reports where the pointer is.

    The wheel zooms, dragging pans, 0 or a double click shows everything again.

    Parameters
    ----------
    across, up
        The labels of the axes.
    parent
        The widget around it.
    counts
        Whether only whole numbers are marked across.

    Signals
    -------
    hovered_at, clicked_at
        A point in the coordinates of the plot; `hovered_at` is None when the pointer left.
    colours_changed
        The theme changed, and pens that depend on it must be made again.
    """

    hovered_at = Signal(object)
    clicked_at = Signal(QPointF)
    colours_changed = Signal()

    def __init__(
        self, across: str, up: str, parent: QWidget | None = None, *, counts: bool = False
    ) -> None:
        axes = {"bottom": CountAxis("bottom")} if counts else None
        # A menu that is only switched off would be made all the same, with thirty fields in it.
        super().__init__(parent, background=None, axisItems=axes, enableMenu=False)
        self._texts = {"bottom": across, "left": up}
        self._pressed: QPointF | None = None
        item = self.getPlotItem()
        item.hideButtons()
        item.getViewBox().setDefaultPadding(0.03)
        for side in self._texts:
            item.getAxis(side).enableAutoSIPrefix(False)
            item.getAxis(side).setStyle(tickLength=-4)
            item.getAxis(side).setTickDensity(1 / text_scale())  # numbers need their room
        self.viewport().setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(False)
        self.viewport().setAcceptDrops(False)
        FocusRing(self)
        self.follow_palette()

    def set_across(self, text: str) -> None:
        """Give the axis at the bottom another title."""
        if self._texts["bottom"] != text:
            self._texts["bottom"] = text
            self.follow_palette()

    def set_up(self, text: str) -> None:
        """Give the axis at the left another title."""
        if self._texts["left"] != text:
            self._texts["left"] = text
            self.follow_palette()

    def line(
        self, colour: QColor | str, width: float = 1.6, dashes: tuple[float, ...] = ()
    ) -> QPen:
        """Return a pen for a curve, in a colour that is seen on the ground of the plot."""
        colour = clear_on(colour, self.palette().color(QPalette.ColorRole.Base))
        # Qt measures cosmetic pens in dots of the device; a point of the screen may have two.
        pen = QPen(pg.mkPen(colour, width=width * self.devicePixelRatioF()))
        if dashes:
            pen.setDashPattern(list(dashes))
        return pen

    def show_all(self) -> None:
        """Bring all curves into view, and keep them there."""
        self.getPlotItem().enableAutoRange()

    def plot_point(self, point: QPointF) -> QPointF:
        """Return the point of the plot under a point of the viewport."""
        on_scene = self.viewportTransform().inverted()[0].map(point)
        return QPointF(self.getPlotItem().getViewBox().mapSceneToView(on_scene))

    def viewport_point(self, point: QPointF) -> QPointF:
        """Return where a point of the plot is on the viewport."""
        on_scene = self.getPlotItem().getViewBox().mapViewToScene(point)
        return QPointF(self.viewportTransform().map(on_scene))

    @property
    def text_colour(self) -> QColor:
        """The colour of text."""
        return QColor(self.palette().color(QPalette.ColorRole.Text))

    @property
    def quiet_colour(self) -> QColor:
        """The colour of secondary text and lines."""
        return muted(self.palette())

    def questions_at(self, place: QPoint | None) -> list[Question]:
        """Return what can be asked of the title of an axis or of the legend; None: of all."""
        item = self.getPlotItem()
        parts = [(item.getAxis(side), text) for side, text in self._texts.items()]
        if item.legend is not None:
            parts += [(label, label.text) for _, label in item.legend.items]
        if place is not None:
            on_scene = self.mapToScene(self.viewport().mapFrom(self, place))
            parts = [x for x in parts if x[0].sceneBoundingRect().contains(on_scene)]
        return first_of(x for _, text in parts for x in questions_about(text)[:1])

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return a size that suits a panel below the canvas."""
        return QSize(420, 200)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the smallest useful size."""
        return QSize(160, 100)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Remember where a click began."""
        super().mousePressEvent(event)
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed = event.position()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Report a click that was no drag."""
        super().mouseReleaseEvent(event)
        pressed, self._pressed = self._pressed, None
        if event.button() != Qt.MouseButton.LeftButton or pressed is None:
            return
        if (event.position() - pressed).manhattanLength() <= _STILL:
            self.clicked_at.emit(self.plot_point(event.position()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Show all."""
        self.show_all()
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Report where the pointer is."""
        super().mouseMoveEvent(event)
        self.hovered_at.emit(self.plot_point(event.position()))

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Report that the pointer left."""
        super().leaveEvent(event)
        self.hovered_at.emit(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Show all with 0; other keys go to the panel."""
        if event.key() == Qt.Key.Key_0 and not event.modifiers():
            self.show_all()
            event.accept()
        else:
            event.ignore()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Shorten the name of the axis that does not fit, and hide both if the plot is low."""
        super().resizeEvent(event)
        if hasattr(self, "_texts"):
            axis = self.getPlotItem().getAxis("bottom")
            if axis.labelText != self._fitting("bottom"):
                axis.setLabel(self._fitting("bottom"), color=self.quiet_colour.name())
            for side in self._texts:
                self.getPlotItem().getAxis(side).showLabel(self.height() >= _ROOM)

    def _fitting(self, side: str) -> str:
        """Return the name of an axis: across, where it is too long, without what a comma adds."""
        text = self._texts[side]
        metrics = self.fontMetrics()
        room = self.width() - _CORNER * metrics.lineSpacing()
        is_long = side == "bottom" and metrics.horizontalAdvance(text) > room
        return text.split(",")[0] if is_long else text

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Follow light and dark."""
        super().changeEvent(event)
        kinds = {QEvent.Type.PaletteChange, QEvent.Type.DevicePixelRatioChange}
        if event.type() in kinds and hasattr(self, "_texts"):
            self.follow_palette()
            self.colours_changed.emit()

    def follow_palette(self) -> None:
        """Draw the axes in the colours of the window."""
        self.setBackgroundBrush(self.palette().color(QPalette.ColorRole.Base))
        quiet = self.quiet_colour
        for side in self._texts:
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(pg.mkPen(self.palette().color(QPalette.ColorRole.Mid)))
            axis.setTextPen(pg.mkPen(quiet))
            axis.setLabel(self._fitting(side), color=quiet.name())
            axis.showLabel(self.height() >= _ROOM)
