"""Where the panels of the window are and how large, so that the canvas keeps half of the room."""

from __future__ import annotations

from math import ceil

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtWidgets import QDockWidget, QMainWindow, QStyle, QToolBar

from rfstudio.widgets.parts.theme import text_scale
from rfstudio.widgets.window.details import DetailsTabs

_SHARE = 0.5
"""Share of the room between toolbar and status bar that the canvas keeps."""

_LINES = 14
"""Height of the bottom panel once it is unfolded, in lines of text."""

_FEW_LINES = 8
"""Height of the bottom panel at the first start, in lines of text."""

_LEAST_LINES = 6
"""Lines without which the bottom panel is of no use, below its titles."""

_SIDES = 280, 252
"""Widths of the panels at the sides at the first start, in points where texts have their usual
size: names, two numbers and the form are whole, and the canvas has the largest part of a window of
1440×900."""

_LEAST_SIDES = 200, 230
"""Least widths of the panels at the sides, in points where texts have their usual size."""

_FIRST = 0.9
"""Share of their widths that the panels at the sides keep until the one at the bottom is lower."""

_ROOMY = QSize(1360, 800)
"""Least size of the window, in points, in which all panels are open side by side at the first
start: in a smaller one, as of a screen of 1920×1080 at a scale of 150 %, they share places."""

_ROOMY_HEIGHT = 800
"""Height of the rest of the window from which on the bottom panel is higher than least at the first
start."""

_AREA = Qt.DockWidgetArea


class Room(QObject):
    """Arranges the panels of a window, and again whenever their room has become another.

    Panels give way in this order: those at the sides become a little narrower, the one at the
    bottom lower, those at the sides as narrow as they can be, the inspector becomes a tab beside
    the layers, and the panel at the bottom takes the place of the layers.  Sizes that the user has
    drawn stay, also where the canvas is smaller then.

    Signals
    -------
    left
        The share of the room that the user has left the canvas, if that is less than half.

    Parameters
    ----------
    window
        Has the panels around its central widget, the canvas.
    docks
        Layers, inspector and details.
    tabs
        What the details show.
    share
        What the user has left the canvas before.
    """

    left = Signal(float)

    def __init__(
        self, window: QMainWindow, docks: list[QDockWidget], tabs: DetailsTabs, share: float
    ) -> None:
        super().__init__(window)
        self._window = window
        self._layers, self._inspector, self._details = docks
        self._tabs = tabs
        self._share = min(max(share, 0.0), _SHARE)
        self._widths: dict[QDockWidget, int] = {}
        self._height = 0
        self._column = 0
        self._is_busy = False
        self._is_moved = False
        self._has_shared = False
        self._were_open: list[QDockWidget] = []
        self._asked: list[tuple[QDockWidget, int, int, Qt.Orientation]] = []
        self._kept: tuple[object, ...] | None = None

    # --- when -----------------------------------------------------------------------------------

    def crowd(self) -> None:
        """Take the least room until the window is shown, which would grow where that is scarce."""
        self._share_place()
        self._tabs.fold()

    def begin(self, *, is_new: bool) -> None:
        """Take over the window, which was just shown: as it was left, or at the first start.

        Before a first start it is crowded.
        """
        if is_new:
            self._begin_anew()
        else:
            self._note_sizes()
        self.keep()

    def arrange_anew(self) -> None:
        """Put all panels back to their first places and sizes, and the canvas to its share."""
        self._is_busy = True
        try:
            for dock in (self._layers, self._inspector, self._details):
                dock.setFloating(False)
                is_below = dock is self._details
                area = _AREA.BottomDockWidgetArea if is_below else _AREA.LeftDockWidgetArea
                self._window.addDockWidget(area, dock)
                dock.show()
            self._share, self._column = _SHARE, 0
            self.left.emit(self._share)
            self.crowd()
            self._begin_anew()
        finally:
            self._is_busy = False
        self._asked.clear()
        self._kept = None
        self.keep()

    def keep(self) -> None:
        """Give the canvas its share where it has lost it, and the panels what they had before."""
        is_ready = bool(self._widths) and self._window.isVisible()
        if self._is_busy or not is_ready or self._state() == self._kept or self._is_rearranged():
            return
        self._is_busy = True
        before = len(self._asked)
        try:
            self._give_room()
        finally:
            self._were_open = self._open_beside()
            self._is_busy = self._is_moved = False
            if len(self._asked) == before:
                self._asked.clear()  # all is as it can be
                self._kept = self._state()

    def note_user(self) -> None:
        """Leave the sizes as they are, which the user has drawn."""
        if not self._widths:
            return
        self._note_sizes()
        canvas, room = self._window.centralWidget(), self._size()
        share = canvas.width() * canvas.height() / max(room.width() * room.height(), 1)
        self._share = min(share, _SHARE)
        self._kept = None
        self.left.emit(self._share)

    def raise_details(self) -> None:
        """Give the details, which were unfolded, what their contents need, as far as there is room.

        With more, the window would grow, beyond a small screen.
        """
        line = self._window.fontMetrics().lineSpacing()
        self._height = max(self._window.height() // 4, _LINES * line)
        self._kept = None
        self.keep()
        if not self._is_beside and (self._is_rearranged() or not self._widths):
            room = self._window.centralWidget().height() + self._details.height()
            # Panels that were moved elsewhere may leave none, and Qt refuses a height of nothing.
            self._set_height(max(min(self._height, room - self._least_above()), 1))

    # --- what -----------------------------------------------------------------------------------

    def _begin_anew(self) -> None:
        """Give the panels their shares of the room, most to the canvas."""
        window, scale = self._window, text_scale()
        width, height = window.size().toTuple()
        line = window.fontMetrics().lineSpacing()
        sides = [round(scale * x) for x in _SIDES]
        if self._is_roomy:
            self._part()
            self._tabs.unfold()
        else:  # of the details only the titles are seen, until one is clicked
            sides[0] = max(width // 4, round(min(_SIDES[0] * scale, 0.4 * width)))
        self._widths = dict(zip((self._layers, self._inspector), sides, strict=True))
        self._height = min(max(height - _ROOMY_HEIGHT, _FEW_LINES * line), _LINES * line)

    def _give_room(self) -> None:
        if self._has_shared and self._can_part():
            self._part()
        sides = self._sides()
        if not self._try(sides):
            if len(sides) > 1:
                self._share_place()
                sides = self._sides()
            if len(sides) > 1 or not self._try(sides):
                self._crowd(sides)

    def _try(self, sides: list[QDockWidget]) -> bool:
        """Give all panels their sizes, or less down to the least; return whether that is enough."""
        width, height = self._size().toTuple()
        wanted = [self._widths.get(x, x.width()) for x in sides]
        least = [min(*x) for x in zip(wanted, self._least_widths(sides), strict=True)]
        gap = self._gap()
        gaps = len(sides) * gap
        low, least_low = self._heights()
        sides_left = max(round(_FIRST * sum(wanted)), sum(least))
        across = max(width - sides_left - gaps, 1)
        allowed = height - ceil(self._share * width * height / across)
        low = max(min(low, allowed - gap), least_low)
        rest = width - gaps - ceil(self._share * width * height / max(height - low - gap, 1))
        if sum(least) > rest:
            return False
        self._put_below()
        lack = max(sum(wanted) - rest, 0)
        spare = max(sum(wanted) - sum(least), 1)
        widths = [x - ceil(lack * (x - y) / spare) for x, y in zip(wanted, least, strict=True)]
        for dock, wide in zip(sides, widths, strict=True):
            self._set_width(dock, wide)
        if self._is_open:
            self._set_height(low)
        return True

    def _crowd(self, sides: list[QDockWidget]) -> None:
        """Show one panel beside the canvas, and the details in its place while they are open."""
        width = self._size().width()
        if self._is_open:
            self._put_beside()
            sides = [self._details]
        column = width - ceil(self._share * width) - self._gap()
        for dock in sides:
            self._set_width(dock, min(self._column or column, column))

    # --- places ---------------------------------------------------------------------------------

    @property
    def _is_open(self) -> bool:
        return not self._details.isHidden() and not self._tabs.is_folded

    @property
    def _is_beside(self) -> bool:
        return self._window.dockWidgetArea(self._details) != _AREA.BottomDockWidgetArea

    def _share_place(self) -> None:
        """Make the inspector a tab beside the layers."""
        self._window.tabifyDockWidget(self._layers, self._inspector)
        self._layers.raise_()
        self._is_moved = self._has_shared = True

    def _part(self) -> None:
        """Give the inspector its own place again."""
        self._window.addDockWidget(_AREA.RightDockWidgetArea, self._inspector)
        self._is_moved, self._has_shared = True, False

    def _can_part(self) -> bool:
        """Whether the inspector, which shares a place for want of room, has its own again.

        All panels have the sizes that they want then, so that it does not go to and fro.
        """
        together = self._window.tabifiedDockWidgets(self._layers)
        if len(self._open_beside()) < 2 or self._inspector not in together or not self._is_roomy:
            return False
        width, height = self._size().toTuple()
        across = width - sum(self._widths.values()) - 2 * self._gap()
        down = height - self._heights()[0] - self._gap()
        return across * down >= self._share * width * height

    @property
    def _is_roomy(self) -> bool:
        """Whether all panels are open side by side at a first start."""
        roomy = _ROOMY * text_scale()
        return self._window.size().boundedTo(roomy) == roomy

    def _put_beside(self) -> None:
        """Make the details a tab beside the layers, or those which were just opened beside them."""
        window, details = self._window, self._details
        there = self._open_beside()
        front = next((x for x in there if x not in self._were_open), details)
        if not self._is_beside:
            window.addDockWidget(_AREA.LeftDockWidgetArea, details)
            for dock in there[:1]:
                window.tabifyDockWidget(dock, details)
            self._is_moved = True
        for dock in there:
            if dock not in window.tabifiedDockWidgets(details):
                window.tabifyDockWidget(details, dock)
                self._is_moved = True
        if self._is_moved:
            front.raise_()

    def _put_below(self) -> None:
        if self._is_beside:
            self._window.addDockWidget(_AREA.BottomDockWidgetArea, self._details)
            self._is_moved = True

    def _is_rearranged(self) -> bool:
        """Whether the user has moved a panel to a place where it has another shape."""
        sides = {_AREA.LeftDockWidgetArea, _AREA.RightDockWidgetArea}
        docks = self._open_beside()
        is_moved = any(self._window.dockWidgetArea(x) not in sides for x in docks)
        return is_moved or any(x.isFloating() for x in docks)

    def _open_beside(self) -> list[QDockWidget]:
        return [x for x in (self._layers, self._inspector) if not x.isHidden()]

    def _sides(self) -> list[QDockWidget]:
        """Return one panel of each column at the sides."""
        docks = self._open_beside()
        if len(docks) < 2:
            return docks
        first, second = map(self._window.dockWidgetArea, docks)
        return docks if first != second else docks[:1]

    # --- sizes ----------------------------------------------------------------------------------

    def _state(self) -> tuple[object, ...]:
        """Return what the sizes of panels follow from, which is read in every frame."""
        docks = (self._layers, self._inspector, self._details)
        canvas = self._window.centralWidget().geometry().getRect()
        return (
            self._window.size().toTuple(),
            canvas,
            self._tabs.is_folded,
            [x.isHidden() for x in docks],
        )

    def _size(self) -> QSize:
        """Return the room between the toolbar and the status bar."""
        window = self._window
        bars = [x for x in window.findChildren(QToolBar) if x.isVisible()]
        top = max((x.geometry().bottom() + 1 for x in bars), default=window.menuBar().height())
        return QSize(window.width(), window.statusBar().y() - top)

    def _gap(self) -> int:
        """Return the width of the line between two panels."""
        extent = QStyle.PixelMetric.PM_DockWidgetSeparatorExtent
        return self._window.style().pixelMetric(extent, None, self._window)

    def _note_sizes(self) -> None:
        for dock in (self._layers, self._inspector):
            usual = _SIDES[dock is self._inspector] * text_scale()
            self._widths.setdefault(dock, round(usual))
        for dock in self._sides():
            if not self._is_beside:
                self._widths[dock] = self._width_of(dock)
        if self._is_beside:
            self._column = self._width_of(self._details)
        elif self._is_open:
            self._height = self._details.height()

    def _least_widths(self, sides: list[QDockWidget]) -> list[int]:
        scale = text_scale()
        least = [round(scale * _LEAST_SIDES[x is self._inspector]) for x in sides]
        return [
            max(*x) for x in zip(least, (x.minimumSizeHint().width() for x in sides), strict=True)
        ]

    def _heights(self) -> tuple[int, int]:
        """Return the wanted and the least height of the details as they are."""
        if self._details.isHidden():
            return 0, 0
        titles = self._tabs.tabBar().sizeHint().height()
        if self._tabs.is_folded:
            return titles, titles
        line = self._window.fontMetrics().lineSpacing()
        wanted = self._height or _FEW_LINES * line
        least = min(titles + _LEAST_LINES * line, wanted)
        least = max(least, self._details.minimumSizeHint().height())
        return max(wanted, least), least

    def _least_above(self) -> int:
        """Return the least height of the canvas and of the panels beside it."""
        docks = self._window.findChildren(QDockWidget)
        beside = [x for x in docks if x is not self._details and x.isVisible()]
        heights = [x.minimumSizeHint().height() for x in beside]
        titles = self._tabs.tabBar().height()  # those of panels that share a place are as high
        canvas = self._window.centralWidget()
        return max(canvas.minimumSizeHint().height(), *(x + titles for x in heights), 0)

    def _set_width(self, dock: QDockWidget, width: int) -> None:
        self._ask_for(dock, self._width_of(dock), width, Qt.Orientation.Horizontal)

    def _width_of(self, dock: QDockWidget) -> int:
        """Return the width of a panel's place; those behind another one have that of before."""
        shown = [x for x in (dock, *self._window.tabifiedDockWidgets(dock)) if x.x() >= 0]
        return shown[0].width() if shown else -1

    def _set_height(self, height: int) -> None:
        self._ask_for(self._details, self._details.height(), height, Qt.Orientation.Vertical)

    def _ask_for(self, dock: QDockWidget, now: int, size: int, way: Qt.Orientation) -> None:
        """Ask Qt for a size, but not again where it has not given it, which would never end."""
        request = (dock, now, size, way)
        if self._is_moved or (now != size and request not in self._asked):
            self._asked.append(request)
            self._window.resizeDocks([dock], [max(size, 1)], way)
