"""The graph of layers: click chooses one, misaligned merges are marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import (
    QBrush,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QShowEvent,
    QTransform,
    QWheelEvent,
)
from PySide6.QtWidgets import QGraphicsScene, QGraphicsView, QToolButton, QToolTip, QWidget

from rfstudio.api import path_shares
from rfstudio.app.frames import Later, Rank, at_once
from rfstudio.app.slices import Slices
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.texts import alignment_text, field_text, steps_text
from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.largest_path import largest_path
from rfstudio.core.fields.remarks.remark import each_remark, remarks_on
from rfstudio.core.network.folding import (
    Boxes,
    boxes_of,
    containers,
    containers_of,
    depth_of,
    folded_to_depth,
)
from rfstudio.core.network.graph import Graph
from rfstudio.core.network.layout import layout_of_inputs
from rfstudio.core.network.wrapping import Page, lines_for
from rfstudio.core.plural import counted
from rfstudio.widgets.graph_view.drawing import STEP_X, STEP_Y, Drawing, page_of
from rfstudio.widgets.graph_view.graph_item import TEXT_SCALE, GraphItem, Share
from rfstudio.widgets.graph_view.overview import GraphOverview
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.painting import paints_widget
from rfstudio.widgets.parts.theme import text_factor

_PER_NOTCH = 1.2
_NOTCH = 120
_CLOSEST, _WIDEST = 4.0, 0.002
_STILL = 4
_AFTER = 150
"""Milliseconds without a change after which shares of energy are worked out."""

_READ = 0.7
"""Zoom, beside full size, from which texts are read without effort; smaller ones can be drawn."""

_BELOW = 2
"""Pixels between the buttons and what is fitted below them."""

_RESTED = 60
"""Milliseconds without another size of the view after which lines are broken anew."""


class GraphView(QGraphicsView):
    """Shows the layers in columns by depth, in lines; a click or an arrow key chooses one.

    The wheel zooms, dragging pans, 0 shows everything, 1 goes to the chosen layer in full size.
    A double click folds a container into one box or unfolds it, − and + do so for a whole level.
    S shows the share of the expected energy that takes each edge, L the path to the chosen layer
    that has the largest field.

    At first containers are folded as far as needed to read everything at once.

    Parameters
    ----------
    session
        The analysis of the document.
    selection
        The chosen layer.
    parent
        The widget around it.
    later
        Called to follow a change in a later frame.
    """

    def __init__(
        self,
        session: AnalysisSession,
        selection: Selection,
        parent: QWidget | None = None,
        *,
        later: Later = at_once,
    ) -> None:
        super().__init__(parent)
        self._later = later
        self._session = session
        self._selection = selection
        self._pressed: QPoint | None = None
        self._dragged = False
        self._is_own_choice = False
        self._was_shown = False
        self._is_moved = False
        self._clicked = -1
        self._folded: frozenset[str] = frozenset()
        self._laid_out: Analysis | None = None
        self._laid_out_on: Page | None = None
        self.item = GraphItem()
        scene = QGraphicsScene(self)
        scene.addItem(self.item)
        scene.setItemIndexMethod(QGraphicsScene.ItemIndexMethod.NoIndex)
        self.setScene(scene)
        self.setRenderHint(QPainter.RenderHint.TextAntialiasing)
        self.setFrameShape(QGraphicsView.Shape.NoFrame)
        self.setTransformationAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setResizeAnchor(QGraphicsView.ViewportAnchor.NoAnchor)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAcceptDrops(False)
        self.setMouseTracking(True)
        self.setAccessibleName("Graph of the layers")
        FocusRing(self)
        self._follow_palette()
        self.shares_button = self._switch(
            "Energy",
            "Show the share of energy of each edge",
            "Edges as wide as the share of the expected energy that takes them from the chosen "
            "layer to the input, with the share of each branch and skip (key S)",
        )
        self.shares_button.toggled.connect(self._follow_shares)
        self.way_button = self._switch(
            "Largest path",
            "Show the path with the largest field",
            "The path from the input to the chosen layer that gives it its receptive field: at "
            "each merge the branch with the largest local field (key L)",
        )
        self.way_button.toggled.connect(self._follow_way)
        self.fold_button = self._button(
            "−", "Fold a level", "Fold the innermost containers, each into one box (key −)"
        )
        self.fold_button.clicked.connect(lambda: self._fold_level(-1))
        self.unfold_button = self._button(
            "+", "Unfold a level", "Unfold the outermost folded containers (key +)"
        )
        self.unfold_button.clicked.connect(lambda: self._fold_level(1))
        self._place_buttons()
        self.overview = GraphOverview(self)
        self.overview.wanted.connect(self._go_to_point)
        self._painted = QTimer(self, singleShot=True, interval=0)
        self._painted.timeout.connect(self._show_part)
        self._shared: tuple[Analysis, str] | None = None
        self._slices = Slices(self)
        self._timer = QTimer(self, singleShot=True, interval=_AFTER)
        self._timer.timeout.connect(self._work_out_shares)
        self._resized = QTimer(self, singleShot=True, interval=_RESTED)
        self._resized.timeout.connect(self._use_room)
        self._connect()

    def _connect(self) -> None:
        self._session.analysis_changed.connect(self._follow_later)
        self._session.prepared.connect(self._follow_remarks)
        self._selection.selection_changed.connect(self._mark_later)

    def _switch(self, text: str, name: str, tip: str) -> QToolButton:
        button = self._button(text, name, tip)
        button.setCheckable(True)
        return button

    def _button(self, text: str, name: str, tip: str) -> QToolButton:
        button = QToolButton(self)  # not in what scrolls
        button.setText(text)
        button.setAutoFillBackground(True)
        button.setToolTip(tip)
        button.setAccessibleName(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _place_buttons(self) -> None:
        x = 6
        for button in (self.fold_button, self.unfold_button, self.way_button, self.shares_button):
            button.adjustSize()
            button.move(x, 6)
            x += button.width() + 4

    # --- what is shown --------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Lay out again if the graph changed while it was hidden."""
        super().showEvent(event)
        self._follow()
        if not self._was_shown:
            self._was_shown = True
            self._open_again()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Use the new room, unless the user has gone somewhere."""
        super().resizeEvent(event)
        self._resized.start()

    def _use_room(self) -> None:
        if self._laid_out_on != self._page():
            self._open_again()

    def _open_again(self) -> None:
        """Show the network as it opens: all of it if that can be read, else the chosen layer."""
        if self._laid_out is None or self._is_moved or not self._was_shown:
            return
        self._show(self._drawing_to_read(self._laid_out))
        self._shared = None
        self._mark()
        self._show_all()
        if self.transform().m11() < _READ * text_factor(self):
            self.show_selected()
            self._is_moved = False

    def _follow_later(self) -> None:
        self._later(Rank.CHARTS, self._follow)

    def _mark_later(self) -> None:
        if self._is_own_choice:
            self._mark()
        else:
            self._later(Rank.CHARTS, self._mark)

    def _follow(self) -> None:
        analysis = self._session.analysis
        # A hidden tab costs nothing while a value is spun.
        if not self.isVisible() or analysis is self._laid_out:
            return
        drawing = self.item.drawing
        self._laid_out = analysis
        if drawing is not None and _is_same_form(drawing.analysis, analysis):
            misaligned = self._misaligned(analysis, drawing.boxes)
            failing = self._failing(analysis, drawing.boxes)
            marked = replace(drawing, analysis=analysis, misaligned=misaligned, failing=failing)
            self.item.show_drawing(replace(marked, noted=self._noted(marked)))
        elif drawing is not None:
            if _are_nested_alike(drawing.analysis.graph, analysis.graph):
                self._lay_out(analysis)
            else:
                self._is_moved = False
                self._open_again()
        self._mark()

    def _lay_out(self, analysis: Analysis) -> None:
        self._show(self._drawing_of(analysis, boxes_of(analysis.graph, self._folded)))

    def _drawing_of(self, analysis: Analysis, boxes: Boxes) -> Drawing:
        layout = layout_of_inputs(boxes.inputs)
        self._laid_out_on = self._page()
        lines = lines_for(layout, self._laid_out_on)
        misaligned = self._misaligned(analysis, boxes)
        failing = self._failing(analysis, boxes)
        drawing = Drawing(analysis, boxes, layout, lines, misaligned, failing)
        return replace(drawing, noted=self._noted(drawing))

    def _noted(self, drawing: Drawing) -> frozenset[int]:
        """Return the boxes of merges that do not align with no more than a note on it."""
        paths = drawing.analysis.graph.paths
        urgent = {
            drawing.box_of(paths.get(x.layer, -1))
            for x in each_remark(self._session.remarks)
            if x.severity != "note"
        }
        return drawing.misaligned - urgent

    def _follow_remarks(self) -> None:
        """Mark what is more than a note, in a large network some frames later."""
        drawing = self.item.drawing
        if drawing is not None and self.isVisible() and drawing.misaligned:
            self.item.show_drawing(replace(drawing, noted=self._noted(drawing)))
            self._mark()

    def _show(self, drawing: Drawing) -> None:
        self.item.show_drawing(drawing)
        outermost = folded_to_depth(drawing.analysis.graph, 1)
        self.fold_button.setEnabled(not outermost <= self._folded)
        self.unfold_button.setEnabled(any(x.container for x in drawing.boxes.boxes))
        # Room around the graph, so that any corner can be moved to the middle.
        self.setSceneRect(self.item.boundingRect().adjusted(-4000, -4000, 4000, 4000))

    @staticmethod
    def _misaligned(analysis: Analysis, boxes: Boxes) -> frozenset[int]:
        return frozenset(int(boxes.of_node[x.index]) for x in analysis.misfits)

    @staticmethod
    def _failing(analysis: Analysis, boxes: Boxes) -> frozenset[int]:
        paths = analysis.graph.paths
        return frozenset(
            int(boxes.of_node[paths[x.node]]) for x in analysis.graph.faults if x.node in paths
        )

    def _mark(self, _selected: object = None) -> None:
        drawing = self.item.drawing
        if drawing is None or self._laid_out is not self._session.analysis:
            return
        self._follow_shares()
        self._follow_way()
        box = drawing.box_of(self._chosen_in(drawing))
        self.item.select(box)  # which repaints nothing while only the unit moves
        if box >= 0 and not self._is_own_choice and self._was_shown:
            self._bring_into_view(box)

    def _chosen_in(self, drawing: Drawing) -> int:
        """Return the node of the chosen layer in what is drawn, which may be a frame late."""
        return drawing.analysis.graph.paths.get(self._selection.layer, -1)

    def _page(self) -> Page:
        full = text_factor(self)
        return page_of(self.viewport().width() / full, self.viewport().height() / full)

    # --- folding --------------------------------------------------------------------------------

    def _drawing_to_read(self, analysis: Analysis) -> Drawing:
        """Fold as little as lets everything be read at once; all, if that is not possible."""
        graph, page = analysis.graph, self._page()
        room = page.width * page.height / (STEP_X * STEP_Y * _READ**2)
        depth = depth_of(graph) + 1
        while True:
            self._folded = folded_to_depth(graph, depth)
            boxes = boxes_of(graph, self._folded)
            if depth == 1 or len(boxes.boxes) <= room:
                drawing = self._drawing_of(analysis, boxes)
                if depth == 1 or page.scale_of(drawing.layout, drawing.lines) >= _READ:
                    return drawing
            depth -= 1

    def _fold_level(self, step: int) -> None:
        """Fold or unfold so that paths of boxes have one part less or more."""
        drawing = self.item.drawing
        if drawing is None:
            return
        graph = drawing.analysis.graph
        shown = (x.container or graph.nodes[x.last].name for x in drawing.boxes.boxes)
        depth = max((x.count(".") + 1 for x in shown), default=1)
        if self._folded:
            depth = max(x.count(".") + 1 for x in self._folded)
        wanted = min(max(depth + step, 1), depth_of(graph) + 1)
        self._fold(folded_to_depth(graph, wanted))

    def _fold_or_unfold(self, box: int) -> None:
        """Unfold a container by a level, or fold the innermost one that a layer is in."""
        drawing = self.item.drawing
        if drawing is None:
            return
        graph = drawing.analysis.graph
        path = drawing.boxes.boxes[box].container
        known = containers(graph)
        if path:
            inside = {x for x in known if x.startswith(f"{path}.")}
            next_ones = {x for x in inside if not inside & set(containers_of(x))}
            self._fold(self._folded - {path} | next_ones)
            return
        name = graph.nodes[drawing.boxes.boxes[box].last].name
        around = [x for x in containers_of(name) if x in known]
        if around:
            path = around[-1]
            inner = {x for x in self._folded if x.startswith(f"{path}.")}
            self._fold(self._folded - inner | {path})

    def _fold(self, folded: frozenset[str]) -> None:
        drawing = self.item.drawing
        if drawing is None or folded == self._folded:
            return
        self._folded = folded
        self._shared = None
        self._lay_out(drawing.analysis)
        self._show_all()
        if self.transform().m11() < TEXT_SCALE * text_factor(self):
            self.show_selected()
        self._is_moved = True
        self._mark()

    # --- shares of energy -----------------------------------------------------------------------

    def _follow_shares(self, _is_on: bool = False) -> None:
        """Let the shares be worked out when nothing has changed for a moment."""
        if not self.shares_button.isChecked():
            self._shared = None
            self._slices.drop()
            if self.item.shares:
                self.item.show_shares({})
            return
        analysis, layer = self._shared or (None, "")
        if analysis is not self._session.analysis or layer != self._selection.layer:
            self._slices.drop()
            self._timer.start()

    def _work_out_shares(self) -> None:
        analysis, layer = self._session.analysis, self._selection.layer
        if not self.isVisible() or not self.shares_button.isChecked():
            return
        self._shared = analysis, layer
        if not self._slices.start(partial(_shares_of, analysis, layer), self._show_shares):
            self.shares_button.setText("Energy: being worked out…")
            self._place_buttons()

    def _show_shares(self, found: tuple[dict[tuple[int, int], Share], str]) -> None:
        shares, trouble = found
        drawing = self.item.drawing
        if drawing is None or drawing.analysis is not self._session.analysis:
            self._shared = None  # they are worked out again for the network that is drawn next
            return
        self.item.show_shares(self._between_boxes(shares))
        self.shares_button.setText(f"Energy: {trouble}"[:80] if trouble else "Energy")
        self._place_buttons()

    def _between_boxes(
        self, edges: Mapping[tuple[int, int], Share]
    ) -> dict[tuple[int, int], Share]:
        """Return shares of edges between boxes, given those between nodes."""
        drawing = self.item.drawing
        if drawing is None:
            return {}
        shares: dict[tuple[int, int], Share] = {}
        for edge, share in edges.items():
            reader, source = (drawing.box_of(x) for x in edge)
            if reader == source:
                continue
            before = shares.get((reader, source))
            # Several edges in one have no single share of a fork.
            shares[reader, source] = (
                share if before is None else Share(share.of_all + before.of_all, None)
            )
        return shares

    # --- the largest path -----------------------------------------------------------------------

    def _follow_way(self, _is_on: bool = False) -> None:
        drawing = self.item.drawing
        if drawing is None or not self.way_button.isChecked():
            if self.item.way:
                self.item.show_way(())
            return
        analysis, node = drawing.analysis, self._chosen_in(drawing)
        nodes = [drawing.box_of(x) for x in largest_path(analysis, node)] if node >= 0 else []
        way = [(after, before) for before, after in pairwise(nodes) if before != after]
        if frozenset(way) != self.item.way:
            self.item.show_way(way)

    # --- going to places ------------------------------------------------------------------------

    def fit(self) -> None:
        """Show the whole graph, in the lines in which it is largest in this view."""
        drawing = self.item.drawing
        if drawing is None:
            return
        lines = lines_for(drawing.layout, self._page())
        if lines.first.tolist() != drawing.lines.first.tolist():
            self._show(replace(drawing, lines=lines))
        self._show_all()

    def _show_all(self) -> None:
        """Fit everything, with the first boxes below the buttons."""
        rect, drawing = self.item.boundingRect(), self.item.drawing
        boxes = rect if drawing is None else drawing.extent
        # A panel that is being unfolded has no height yet; at a zoom of 0, nothing has a place.
        width, height = (max(x, 1) for x in self.viewport().size().toTuple())
        covered = self.fold_button.geometry().bottom() + _BELOW
        down = min(
            height / max(rect.height(), 1.0),
            max(height - covered, 1) / max(rect.bottom() - boxes.top(), 1.0),
        )
        scale = min(width / max(rect.width(), 1.0), down, text_factor(self))
        self.setTransform(QTransform.fromScale(scale, scale))
        hidden = max(covered - height / 2 - scale * (boxes.top() - rect.center().y()), 0.0)
        self.centerOn(rect.center() - QPointF(0, hidden / scale))
        self._is_moved = False

    def show_selected(self) -> None:
        """Go to the chosen layer, in full size."""
        drawing = self.item.drawing
        box = -1 if drawing is None else drawing.box_of(self._chosen_in(drawing))
        if drawing is None or box < 0:
            return
        self._is_moved = True
        self._show_full_size()
        self._centre(drawing.rect_of(box))

    def _show_full_size(self) -> None:
        """Zoom until the texts of boxes are about as large as others."""
        full = text_factor(self)
        self.setTransform(QTransform.fromScale(full, full))

    def _seen(self) -> QRectF:
        """Return the part of the scene that is in view."""
        return QRectF(self.mapToScene(self.viewport().rect()).boundingRect())

    def _go_to_point(self, point: QPointF) -> None:
        """Bring a point of the overview into the middle."""
        self._is_moved = True
        self._centre(QRectF(point, point))

    def _bring_into_view(self, box: int) -> None:
        drawing = self.item.drawing
        if drawing is None:
            return
        rect = drawing.rect_of(box)
        shown = self._seen()
        if not shown.contains(rect):
            self._is_moved = True
            self._centre(rect)

    def _centre(self, rect: QRectF) -> None:
        """Bring a box near the middle, without leaving room empty that the graph could fill."""
        shown = self._seen()
        room = QRectF(self.item.boundingRect())  # a copy: the item keeps its own
        if not shown.contains(room):  # the overview is over the lower end
            room.setBottom(room.bottom() + self.overview.height_of(self.item.drawing))
        half = QPointF(shown.width() / 2, shown.height() / 2)
        inner = room.adjusted(half.x(), half.y(), -half.x(), -half.y())
        centre, middle = rect.center(), room.center()
        x = max(inner.left(), min(centre.x(), inner.right())) if inner.width() > 0 else middle.x()
        y = max(inner.top(), min(centre.y(), inner.bottom())) if inner.height() > 0 else middle.y()
        self.centerOn(x, y)

    # --- mouse and keys -------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Begin a click or a pan."""
        if event.button() in {Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton}:
            self._pressed = event.position().toPoint()
            self._dragged = False
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Pan, or show what can be clicked."""
        position = event.position().toPoint()
        if self._pressed is None:
            over = self._box_at(position) >= 0
            shape = Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.ArrowCursor
            self.viewport().setCursor(shape)
            return
        moved = position - self._pressed
        if self._dragged or moved.manhattanLength() > _STILL:
            self._dragged = self._is_moved = True
            scale = self.transform().m11()
            self.translate(moved.x() / scale, moved.y() / scale)
            self._pressed = position

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Choose the layer that was clicked."""
        was_click = self._pressed is not None and not self._dragged
        self._pressed = None
        if was_click and event.button() == Qt.MouseButton.LeftButton:
            index = self._box_at(event.position().toPoint())
            if index >= 0:
                self._clicked = index
                self._choose(index, is_own=True)
        event.accept()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Fold or unfold a box; a second click elsewhere is another click."""
        box = self._box_at(event.position().toPoint())
        if box >= 0 and box == self._clicked and event.button() == Qt.MouseButton.LeftButton:
            self._clicked = -1
            self._fold_or_unfold(box)
            event.accept()
        else:
            self.mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Zoom at the pointer."""
        turned = event.angleDelta().y() or event.angleDelta().x()
        factor = _PER_NOTCH ** (turned / _NOTCH)
        scale = self.transform().m11()
        factor = min(max(scale * factor, _WIDEST), _CLOSEST) / scale
        at = self._scene_point(event.position())
        self._is_moved = True
        self.scale(factor, factor)
        moved = self._scene_point(event.position()) - at
        self.translate(moved.x(), moved.y())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Go along the edges with the arrow keys."""
        key = event.key()
        if key == Qt.Key.Key_0:
            self.fit()
        elif key == Qt.Key.Key_S:
            self.shares_button.toggle()
        elif key == Qt.Key.Key_L:
            self.way_button.toggle()
        elif key in {Qt.Key.Key_Minus, Qt.Key.Key_Plus, Qt.Key.Key_Equal}:
            self._fold_level(-1 if key == Qt.Key.Key_Minus else 1)
        elif key == Qt.Key.Key_1:
            self.show_selected()
        elif key in {Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down}:
            self._go(Qt.Key(key))
        else:
            event.ignore()
            return
        event.accept()

    def _go(self, key: Qt.Key) -> None:
        drawing = self.item.drawing
        if drawing is None:
            return
        here = max(drawing.box_of(self._chosen_in(drawing)), 0)
        layout = drawing.layout
        if key == Qt.Key.Key_Left:
            wanted = list(drawing.boxes.inputs[here])
        elif key == Qt.Key.Key_Right:
            wanted = [int(b) for a, b in layout.edges[layout.edges[:, 0] == here]]
        else:
            down = 1 if key == Qt.Key.Key_Down else -1
            beside = (layout.column == layout.column[here]) & (
                (layout.row - layout.row[here]) * down > 0
            )
            wanted = [int(x) for x in beside.nonzero()[0]]
        if wanted:
            self._choose(min(wanted, key=lambda x: abs(int(layout.row[x] - layout.row[here]))))

    def _choose(self, box: int, *, is_own: bool = False) -> None:
        drawing = self.item.drawing
        if drawing is None:
            return
        # A clicked box is in view already, and the graph must not move under the pointer.
        self._is_own_choice = is_own
        try:
            last = drawing.boxes.boxes[box].last
            self._selection.select_layer(drawing.analysis.graph.nodes[last].name)
        finally:
            self._is_own_choice = False

    def _box_at(self, position: QPoint) -> int:
        drawing = self.item.drawing
        return -1 if drawing is None else drawing.box_at(self._scene_point(QPointF(position)))

    def _scene_point(self, point: QPointF) -> QPointF:
        return QPointF(self.viewportTransform().inverted()[0].map(point))

    def node_point(self, index: int) -> QPoint:
        """Return where the middle of a node's box is on the viewport."""
        drawing = self.item.drawing
        if drawing is None:
            return QPoint()
        return QPoint(self.mapFromScene(drawing.rect_of(drawing.box_of(index)).center()))

    # --- words and colours ----------------------------------------------------------------------

    def viewportEvent(self, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Show a tooltip for the layer under the pointer."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            index = self._box_at(event.pos())
            QToolTip.showText(event.globalPos(), self._text_of_box(index), self.viewport())
            return True
        return super().viewportEvent(event)

    def _text_of_box(self, box: int) -> str:
        drawing = self.item.drawing
        if drawing is None or box < 0:
            return ""
        shown = drawing.boxes.boxes[box]
        text = self.text_of(shown.last)
        if not shown.container:
            return text
        many = f"{shown.container}: {len(shown.members)} layers; a double click unfolds it"
        return f"{many}\nits last layer: {text}"

    def text_of(self, index: int) -> str:
        """Return what a layer is, and what is wrong with it, in a few lines."""
        drawing = self.item.drawing
        if drawing is None or index < 0:
            return ""
        layer = drawing.analysis.at(index)
        size = "×".join(map(str, layer.output_size))
        if layer.operation is None:
            return f"input\n{counted(layer.channels, 'channel')} of {size}"
        lines = [
            layer.name,
            f"{layer.operation.text(len(layer.output_size))}: {layer.channels}×{size}",
            f"field {field_text(layer)}, jump {steps_text(layer.jump)}, {alignment_text(layer)}",
        ]
        if any(x.index == index for x in drawing.analysis.misfits):
            remarks = remarks_on(self._session.remarks, (layer.name,))
            lines += [x.message for x in remarks]
        lines += [x.message for x in drawing.analysis.graph.faults if x.node == layer.name]
        return "\n".join(lines)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Follow light and dark."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "item"):
            self._follow_palette()

    @paints_widget
    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draw the graph, and let the overview frame the part that is drawn."""
        super().paintEvent(event)
        self._painted.start()  # not now: widgets must not move while one is drawn

    def _show_part(self) -> None:
        self.overview.show_part(self.item.drawing, self.item.selected, self._seen())

    def _follow_palette(self) -> None:
        self.setBackgroundBrush(QBrush(self.palette().color(QPalette.ColorRole.AlternateBase)))
        self.item.follow_palette(self.palette())


def _are_nested_alike(a: Graph, b: Graph) -> bool:
    """Whether two networks have the same containers, so that what is folded stays folded."""
    return containers(a).keys() == containers(b).keys()


def _is_same_form(a: Analysis, b: Analysis) -> bool:
    """Whether two networks have the same nodes and edges, so that their layout is the same."""
    if len(a.graph.nodes) != len(b.graph.nodes):
        return False
    return all(x.inputs == y.inputs for x, y in zip(a.graph.nodes, b.graph.nodes, strict=True))


def _shares_of(analysis: Analysis, layer: str) -> tuple[dict[tuple[int, int], Share], str]:
    """Return the share of energy of each edge on the way to a layer, or why there is none."""
    try:
        found = path_shares(analysis, layer)
    except Cancelled:
        raise
    except RFStudioError as error:
        return {}, str(error)
    paths = analysis.graph.paths
    forks = {(paths[x.reader], paths[x.source]): x.share for x in found.branches}
    return {edge: Share(of_all, forks.get(edge)) for edge, of_all in found.edges.items()}, ""
