"""Draws a scene into a pyqtgraph view, as one item, so that moving the unit is one repaint."""

from __future__ import annotations

from functools import partial

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QLineF, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QBrush,
    QColor,
    QPainter,
    QPainterPath,
    QPalette,
    QPen,
    QTransform,
)
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from rfstudio.widgets.canvas.colours import (
    DIM,
    ERF,
    HALO,
    LOCAL,
    NESTED,
    PIN,
    PIN_DASHES,
    SUPPORT,
    THEORETICAL,
    TILE,
    VISIBLE,
)
from rfstudio.widgets.canvas.scene import Layered, Pinned, Scene
from rfstudio.widgets.canvas.shading import marked
from rfstudio.widgets.parts.painting import paints_item

_CELL = 5.0
"""Size of a pixel on the screen above which the support is drawn as dots, not as cells."""

_CELL_COLOUR = 0xC0007D7D
"""The colour of the support at three quarters of its opacity, premultiplied."""

_TINY = 26.0
"""Size of a field on the screen, in points, below which it is drawn again, magnified."""

_INSET, _INSET_SHARE, _GAP = 150.0, 0.36, 10.0
"""Side of the magnified part in points, its share of the view at most, and its distance from the
border."""

_BUTTON = 38.0
"""Points from the upper border that the button of the modes takes, in the corner at the left."""

_VEIL = 175
"""Opacity of what greys a picture that is out of date, up to 255."""

_AROUND = 1.6
"""Side of what is magnified, as a multiple of the field."""

_PLAIN = QColor(128, 128, 128)


class SceneItem(QGraphicsItem):
    """Draws a `Scene` in coordinates of the input, with lines of the same width at every zoom."""

    def __init__(self) -> None:
        super().__init__()
        self._scene = Scene()
        self._reach = QRectF(0, 0, 1, 1)
        self._cells: Layered | None = None
        self._taken = 0.0

    @property
    def scene_shown(self) -> Scene:
        """What is drawn."""
        return self._scene

    def show_scene(self, scene: Scene) -> None:
        """Draw another scene."""
        self._scene = scene
        self._cells = None
        if scene.support is not None:
            self._cells = Layered(scene.support, partial(marked, colour=_CELL_COLOUR), scene.area)
        self.update()

    def keep_free(self, height: float) -> None:
        """Leave room for what is shown in the upper right corner of the screen."""
        if height != self._taken:
            self._taken = height
            self.update()

    def set_reach(self, rect: QRectF) -> None:
        """Set the part of the plane that is on the screen, since all of it is drawn on."""
        self.prepareGeometryChange()
        self._reach = QRectF(rect)

    def boundingRect(self) -> QRectF:  # noqa: N802 - Qt's name
        """Return all that is on the screen."""
        return self._reach

    @paints_item
    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionGraphicsItem,
        widget: QWidget | None = None,
    ) -> None:
        """Draw from the photo at the bottom to the marker of the unit on top."""
        del option
        self._draw(painter)
        self._draw_inset(painter)
        if self._scene.is_stale and widget is not None:
            veil = QColor(widget.palette().color(QPalette.ColorRole.Base))
            veil.setAlpha(_VEIL)
            painter.fillRect(self._reach, veil)

    def _draw(self, painter: QPainter) -> None:
        scene = self._scene
        transform = painter.worldTransform()
        scale, down = abs(transform.m11()), abs(transform.m22())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, scale < 2)
        self._draw_photo(painter)
        if scene.erf is not None:
            image, rect = scene.erf.at(scale, down)
            painter.drawImage(rect, image)
        self._draw_contour(painter)
        self._draw_outside(painter)
        self._draw_support(painter, scale, down)
        self._draw_centres(painter)
        self._draw_nested(painter)
        self._draw_tiles(painter)
        self._draw_pins(painter)
        self._draw_regions(painter)
        self._draw_cells(painter)
        self._draw_boxes(painter)
        self._draw_marker(painter)

    def inset(self, transform: QTransform) -> tuple[QRectF, QRectF] | None:
        """Return where a tiny field is drawn magnified, on the screen, and the part that is.

        Parameters
        ----------
        transform
            From the plane to the screen.

        Returns
        -------
        pair of QRectF or None
            A square in the corner that is farthest from the field; None where the field is large
            enough to be seen.
        """
        field, screen = self._scene.field, transform.mapRect(self._reach)
        if field is None:
            return None
        seen = transform.mapRect(field)
        side = min(_INSET, _INSET_SHARE * min(screen.width(), screen.height()))
        around = _AROUND * max(field.width(), field.height(), 1.0)
        part = QRectF(0, 0, around, around)
        part.moveCenter(field.center())
        is_tiny = max(seen.width(), seen.height()) < _TINY
        if not is_tiny or transform.mapRect(part).width() > side or not screen.intersects(seen):
            return None
        is_left = seen.center().x() > screen.center().x()
        is_top = seen.center().y() > screen.center().y()
        left = screen.left() + _GAP if is_left else screen.right() - side - _GAP
        above = _BUTTON if is_left else _GAP + self._taken
        top = screen.top() + above if is_top else screen.bottom() - side - _GAP
        return QRectF(left, top, side, side), part

    def _draw_inset(self, painter: QPainter) -> None:
        """Draw a tiny field again, magnified, with lines to where it is."""
        transform = painter.worldTransform()
        found = self.inset(transform)
        if found is None:
            return
        place, part = found
        seen = transform.mapRect(part)
        painter.save()
        painter.setWorldTransform(QTransform())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        lines = [
            QLineF(QPointF(seen.left(), seen.top()), QPointF(place.left(), place.top())),
            QLineF(QPointF(seen.right(), seen.bottom()), QPointF(place.right(), place.bottom())),
        ]
        for colour, width in ((HALO, 2.6), (VISIBLE, 1.0)):
            painter.setPen(QPen(colour, width))
            painter.drawLines(lines)
            painter.drawRect(seen)
        painter.fillRect(place, _PLAIN)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        painter.setClipRect(place)
        scale = place.width() / part.width()
        painter.setWorldTransform(
            QTransform.fromTranslate(place.left(), place.top())
            .scale(scale, scale)
            .translate(-part.left(), -part.top())
        )
        self._draw(painter)
        painter.setWorldTransform(QTransform())
        painter.setClipping(False)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((HALO, 3.0), (VISIBLE, 1.4)):
            painter.setPen(QPen(colour, width))
            painter.drawRect(place)
        painter.restore()

    def _draw_photo(self, painter: QPainter) -> None:
        scene = self._scene
        area = scene.area
        lit = area if scene.lit is None else scene.lit & area
        plain, dimmed = scene.signal or (scene.photo, scene.dimmed)
        if plain is None or dimmed is None:
            painter.fillRect(area, _PLAIN)
            if lit != area:
                painter.fillRect(area, DIM)
                painter.fillRect(lit, _PLAIN)
            return
        # Two opaque pictures are drawn faster than one and a veil.
        if lit != area:
            painter.drawImage(area, dimmed)
        if not lit.isEmpty():
            # The picture of a huge input is smaller than the input.
            down, across = plain.height() / area.height(), plain.width() / area.width()
            part = lit.translated(-area.topLeft())
            source = QRectF(
                part.x() * across, part.y() * down, part.width() * across, part.height() * down
            )
            painter.drawImage(lit, plain, source)

    def _draw_contour(self, painter: QPainter) -> None:
        contour = self._scene.contour
        if contour is None:
            return
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((HALO, 3.4), (ERF, 1.6)):
            painter.setPen(_line_pen(painter, colour, width))
            painter.drawPath(contour)

    def _draw_outside(self, painter: QPainter) -> None:
        """Hatch the part of a region beyond the image: padding, where there is nothing to see."""
        region, area = self._scene.theoretical, self._scene.area
        if region is None or self._scene.faint or area.contains(region):
            return
        colour = QColor(THEORETICAL)
        colour.setAlpha(110)
        path = QPainterPath()
        path.setFillRule(Qt.FillRule.OddEvenFill)
        path.addRect(region)
        path.addRect(region & area)
        painter.fillPath(path, QBrush(colour, Qt.BrushStyle.BDiagPattern))

    def _draw_support(self, painter: QPainter, scale: float, down: float) -> None:
        support = self._scene.support
        if support is None or self._cells is None:
            return
        if scale < _CELL:
            image, rect = self._cells.at(scale, down)
            painter.drawImage(rect, image)
            return
        rect = painter.worldTransform().inverted()[0].mapRect(QRectF(painter.viewport()))
        top, left = max(int(rect.top()), 0), max(int(rect.left()), 0)
        part = support[top : max(int(rect.bottom()) + 2, 0), left : max(int(rect.right()) + 2, 0)]
        rows, columns = np.nonzero(part)
        if not rows.size:
            return
        dots = pg.functions.arrayToQPolygonF(columns + float(left), rows + float(top))
        size = min(scale * 0.45, 9.0)
        painter.setPen(_dot_pen(painter, HALO, size + 2))
        painter.drawPoints(dots)
        painter.setPen(_dot_pen(painter, SUPPORT, size))
        painter.drawPoints(dots)

    def _draw_centres(self, painter: QPainter) -> None:
        if self._scene.centres is None:
            return
        # A map may have millions of units; only those on the screen are drawn.
        y, x = self._scene.centres
        shown = self._reach
        down, across = (
            y.between(shown.top(), shown.bottom()),
            x.between(shown.left(), shown.right()),
        )
        if not (down.size and across.size):
            return
        columns, rows = (part.ravel() for part in np.meshgrid(across, down))
        dots = pg.functions.arrayToQPolygonF(columns, rows)
        painter.setPen(_dot_pen(painter, QColor(255, 255, 255, 230), 3.4))
        painter.drawPoints(dots)
        painter.setPen(_dot_pen(painter, QColor(20, 20, 20), 1.8))
        painter.drawPoints(dots)

    def _draw_nested(self, painter: QPainter) -> None:
        if not self._scene.nested:
            return
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(_line_pen(painter, NESTED, 1.0))
        painter.drawRects(list(self._scene.nested))

    def _draw_tiles(self, painter: QPainter) -> None:
        """Shade what each tile reads, so that what two of them read is darker."""
        scene = self._scene
        if not scene.tiles:
            return
        for tile in scene.tiles:
            painter.fillRect(tile & scene.area, TILE)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(_line_pen(painter, HALO, 1.0))
        painter.drawRects(list(scene.tiles))

    def _draw_boxes(self, painter: QPainter) -> None:
        """Draw the boxes around objects."""
        if not self._scene.boxes:
            return
        painter.setBrush(Qt.BrushStyle.NoBrush)
        for colour, width in ((HALO, 4.0), (NESTED, 2.2)):
            painter.setPen(_line_pen(painter, colour, width))
            painter.drawRects(list(self._scene.boxes))

    def _draw_cells(self, painter: QPainter) -> None:
        """Draw the units of a block."""
        cells = self._scene.cells
        if cells is None:
            return
        painter.setBrush(QBrush(SUPPORT, Qt.BrushStyle.Dense5Pattern))
        painter.setPen(_line_pen(painter, HALO, 4.0))
        painter.drawRect(cells)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(_line_pen(painter, SUPPORT, 2.0))
        painter.drawRect(cells)

    def _draw_pins(self, painter: QPainter) -> None:
        """Draw the frame of each pin with its own dashes, and its letter at a corner."""
        transform = painter.worldTransform()
        for pin in self._scene.pins:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(_line_pen(painter, HALO, 4.0))
            painter.drawRect(pin.rect)
            pen = _line_pen(painter, PIN, 1.8)
            pen.setDashPattern(PIN_DASHES[pin.place % len(PIN_DASHES)])
            painter.setPen(pen)
            painter.drawRect(pin.rect)
            if pin.outline is not None:
                painter.setPen(_line_pen(painter, HALO, 4.0))
                painter.drawPath(pin.outline)
                painter.setPen(pen)
                painter.drawPath(pin.outline)
                self._draw_letter(painter, pin)
            corner = transform.mapRect(pin.rect).topLeft()
            painter.save()
            painter.setWorldTransform(QTransform())
            # Letters of pins that share a corner are side by side.
            tag = QRectF(corner.x() + 2 + 18 * pin.place, corner.y() + 2, 16, 16)
            painter.fillRect(tag, PIN)
            painter.setPen(HALO)
            painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, pin.letter)
            painter.restore()

    @staticmethod
    def _draw_letter(painter: QPainter, pin: Pinned) -> None:
        """Draw the letter of a pin at the top of its outline."""
        assert pin.outline is not None
        box = painter.worldTransform().mapRect(pin.outline.boundingRect())
        painter.save()
        painter.setWorldTransform(QTransform())
        tag = QRectF(box.center().x() - 6 + 14 * pin.place, box.top() - 13, 12, 13)
        painter.fillRect(tag, PIN)
        painter.setPen(HALO)
        painter.drawText(tag, Qt.AlignmentFlag.AlignCenter, pin.letter)
        painter.restore()

    def _draw_regions(self, painter: QPainter) -> None:
        """Draw red as a solid line with the dashes on top, so that both show where they overlap.

        Elsewhere the dashes are on a white band.
        """
        scene = self._scene
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setOpacity(0.35 if scene.faint else 1.0)
        if scene.visible is not None:
            painter.setPen(_line_pen(painter, HALO, 4.0))
            painter.drawRect(scene.visible)
        if scene.theoretical is not None:
            painter.setPen(_line_pen(painter, HALO, 5.0))
            painter.drawRect(scene.theoretical)
            painter.setPen(_line_pen(painter, THEORETICAL, 3.0))
            painter.drawRect(scene.theoretical)
        if scene.visible is not None:
            pen = _line_pen(painter, VISIBLE, 1.6)
            pen.setDashPattern([4.0, 3.5])
            painter.setPen(pen)
            painter.drawRect(scene.visible)
        if scene.local is not None:
            painter.setPen(_line_pen(painter, HALO, 4.0))
            painter.drawRect(scene.local)
            pen = _line_pen(painter, LOCAL, 2.0)
            pen.setDashPattern([7.0, 3.0, 1.5, 3.0])
            painter.setPen(pen)
            painter.drawRect(scene.local)
        painter.setOpacity(1.0)

    def _draw_marker(self, painter: QPainter) -> None:
        """Draw a cross at the unit's centre, open in the middle so that the pixel shows."""
        marker = self._scene.marker
        if marker is None:
            return
        transform = painter.worldTransform()
        painter.save()
        painter.setWorldTransform(QTransform())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, True)
        at = transform.map(marker)
        lines = [
            QLineF(at + QPointF(x, y) * 3, at + QPointF(x, y) * 9)
            for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))
        ]
        for colour, width in ((HALO, 4.0), (VISIBLE, 1.8)):
            pen = QPen(colour, width)
            pen.setCapStyle(Qt.PenCapStyle.RoundCap)
            painter.setPen(pen)
            painter.drawLines(lines)
        painter.restore()


def _line_pen(painter: QPainter, colour: QColor, width: float) -> QPen:
    """Return a pen of a width in points of the screen, at every zoom."""
    pen = _pen(painter, colour, width)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
    return pen


def _dot_pen(painter: QPainter, colour: QColor, width: float) -> QPen:
    """Return a pen that draws points as squares of a width in points of the screen."""
    pen = _pen(painter, colour, width)
    pen.setCapStyle(Qt.PenCapStyle.SquareCap)
    return pen


def _pen(painter: QPainter, colour: QColor, width: float) -> QPen:
    # Qt measures cosmetic pens in dots of the device; a point of the screen may have two.
    pen = QPen(colour, width * painter.device().devicePixelRatio())
    pen.setCosmetic(True)
    return pen
