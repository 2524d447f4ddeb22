"""The canvas: what one unit sees, on the image; click, drag or arrow keys choose the unit."""

from __future__ import annotations

import re
from dataclasses import replace

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication, QImage, QPalette, QResizeEvent
from PySide6.QtWidgets import QLabel, QMenu, QVBoxLayout, QWidget

from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.effective.expected_fields import EXPECTED
from rfstudio.app.effective.pins import Pins
from rfstudio.app.effective.shown_fields import EffectiveField
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.image_source import ImageSource
from rfstudio.app.state.object_boxes import ObjectBoxes
from rfstudio.app.state.selection import Selection, Shown
from rfstudio.app.state.settings import Settings
from rfstudio.app.wording.terms import questions_about
from rfstudio.core.fields.analysis import Analysis
from rfstudio.widgets.canvas.composer import SceneComposer, field_of, surroundings
from rfstudio.widgets.canvas.difference import ShownDifference, difference_to
from rfstudio.widgets.canvas.map_inset import MapInset
from rfstudio.widgets.canvas.modes import (
    BlockMode,
    CanvasMode,
    Inset,
    ModeButton,
    PixelMode,
    TilesMode,
    plain_inset,
)
from rfstudio.widgets.canvas.objects_mode import ObjectsMode
from rfstudio.widgets.canvas.plane import Plane
from rfstudio.widgets.canvas.scene import Scene
from rfstudio.widgets.canvas.sight import LayerSight, Sight, sight_of
from rfstudio.widgets.canvas.slice_bar import Depth, SliceBar, strength_of
from rfstudio.widgets.canvas.switches import SwitchBar
from rfstudio.widgets.canvas.unit_line import UnitLine
from rfstudio.widgets.canvas.view import CanvasView
from rfstudio.widgets.canvas.words import brief_caption, caption, extent, under_pointer
from rfstudio.widgets.parts.column import Caption, Column
from rfstudio.widgets.parts.explaining import add_questions

_FEWEST_POINTS = 5.0
"""Least distance between two centres on the screen; closer ones are not drawn."""


_CAPTION_LINES = 2
"""Lines above the picture that its sentence takes at most; a longer one is said in fewer words."""

_RAGGED = 0.9
"""Share of a line that is filled, as a word that does not fit goes to the next one."""

_GAP = 6
"""Points between the numbers of the rows and the button of the modes, and beside the map."""


_TAGS = re.compile("<[^>]*>")


class Canvas(Column):
    """Shows the input image and what the chosen unit sees of it.

    Parameters
    ----------
    session
        The analysis of the document.
    selection
        The chosen layer and unit; moved by mouse and keys.
    pictures
        The image.
    erf_view
        The effective field of the chosen unit.
    parent
        The widget around it.
    settings
        Where the switches are remembered; the user's own settings if None.
    boxes
        The boxes around objects that are drawn here.

    Signals
    -------
    hovered
        What is under the pointer, for the status line; empty when it has left.
    term_wanted
        An entry of the glossary that the user wants to read.
    """

    hovered = Signal(str)
    term_wanted = Signal(str)

    def __init__(
        self,
        session: AnalysisSession,
        selection: Selection,
        pictures: ImageSource,
        erf_view: ErfView,
        parent: QWidget | None = None,
        *,
        settings: Settings | None = None,
        boxes: ObjectBoxes | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._selection = selection
        self._pictures = pictures
        self._erf_view = erf_view
        self._layer = LayerSight(session, selection.layer)
        self._shown: Shown | None = None
        self._sight: Sight | None = None
        self._is_brief = False
        self._brief_in = ("", 0)
        self._erf: EffectiveField | None = None
        self._slice = 0
        self._pointer: QPointF | None = None
        self._sliced: Plane | None = None
        self._framed: tuple[Plane, str] | None = None
        self._mode: CanvasMode | None = None
        self._good: Scene | None = None
        self._broken = ""
        self._difference: ShownDifference | None = None
        self._boxes = boxes or ObjectBoxes(self)
        self._build(settings or Settings())
        session.analysis_changed.connect(self._follow)
        selection.selection_changed.connect(self._follow)
        erf_view.changed.connect(self._follow_field)
        pictures.image_changed.connect(self._refresh)
        self._follow_palette()
        self._refresh()

    # --- for other parts of the window ----------------------------------------------------------

    @property
    def sight(self) -> Sight | None:
        """What the chosen unit sees, as it is drawn."""
        return self._sight

    @property
    def effective_field(self) -> EffectiveField | None:
        """The effective field that is drawn; None while there is none or it is switched off."""
        return self._erf

    @property
    def difference(self) -> ShownDifference | None:
        """The difference from a pin that is drawn, or why there is none; None: it is not wanted."""
        return self._difference

    def show_pins(self, pins: Pins) -> None:
        """Draw the frames of pins as well, and follow them."""
        self._composer.pins = lambda: pins
        pins.changed.connect(self._refresh)

    def settle(self) -> None:
        """Let the texts shrink to the room that they need for another network."""
        if self._good is not None and self.view.item.scene_shown.is_stale:
            self._good = None  # that of another network
            self._draw()
        self.caption.forget()
        self.switches.forget_widths()
        self.arrange()

    def fit(self) -> None:
        """Bring the image and the region into view."""
        self.view.fit()

    def zoom(self, factor: float) -> None:
        """Enlarge around the unit."""
        self.view.zoom(factor, self.view.item.scene_shown.marker)

    def picture(self) -> QImage:
        """Return what is seen, as an image for the clipboard."""
        image: QImage = self.view.grab().toImage()
        return image

    def copy_picture(self) -> None:
        """Put what is seen on the clipboard."""
        QGuiApplication.clipboard().setImage(self.picture())

    # --- parts ----------------------------------------------------------------------------------

    def _build(self, settings: Settings) -> None:
        self.view = CanvasView()
        self.switches = SwitchBar(settings)
        self._composer = SceneComposer(self._pictures, self.switches)
        self.caption = Caption()
        self.caption.setTextFormat(Qt.TextFormat.RichText)
        self.caption.setContentsMargins(8, 5, 8, 5)
        self.caption.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.empty = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self.empty.setObjectName("canvas_empty")
        self.empty.setMaximumWidth(420)
        self.empty.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.empty.hide()
        over = QVBoxLayout(self.view.viewport())
        over.addWidget(self.empty, 0, Qt.AlignmentFlag.AlignCenter)
        self.modes: dict[str, CanvasMode] = {
            "pixel": PixelMode(self._session, self._selection, self),
            "block": BlockMode(self._session, self._selection, self),
            "tiles": TilesMode(self._session, self._selection, self),
            "objects": ObjectsMode(self._session, self._selection, self._boxes, self),
        }
        self.mode_button = ModeButton(self.view.viewport())
        self._place_mode_button()
        self._make_map(settings)
        self.slices = SliceBar()
        self.stack(self.caption, self.view, self.slices, self.switches, rest=self.view)
        self.unit_line = UnitLine(self._session, self._selection, self)
        self.go_to_unit = QAction("Go to unit…", self)
        self.go_to_unit.setShortcut("Ctrl+L")
        self.go_to_unit.setToolTip("Type the position of a unit (Ctrl+L)")
        self.go_to_unit.triggered.connect(self._ask_for_unit)
        self.fit_field = QAction("Fit the field", self)
        self.fit_field.setShortcut("F")
        self.fit_field.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.fit_field.setToolTip("Bring what the unit sees into view, as large as possible (F)")
        self.fit_field.triggered.connect(self.view.fit_field)
        self.addAction(self.fit_field)
        self._make_difference()
        self.setFocusProxy(self.view)
        self.setAccessibleName("Canvas: what the unit sees")
        self.addActions(list(self.switches.actions_by_key.values()))
        self.addActions(list(self.mode_button.actions_by_key.values()))
        self.mode_button.chosen.connect(self._choose_mode)
        for mode in self.modes.values():
            mode.changed.connect(self._show_mode)
        self.slices.slice_chosen.connect(self._show_slice)
        self.switches.switched.connect(self._refresh)
        self.view.pointed.connect(self._point)
        self.view.released.connect(self._release)
        self.view.hovered_over.connect(self._hover)
        self.view.stepped.connect(self._step)
        self.view.jumped.connect(self._jump)
        self.view.menu_wanted.connect(self._show_menu)
        self.view.scale_changed.connect(self._follow_zoom)

    def _make_map(self, settings: Settings) -> None:
        self.inset = MapInset(self.view.viewport())
        self.inset.picked.connect(self._pick)
        self.inset.stepped.connect(self._step_in_map)
        self.inset.hovered.connect(self.hovered)
        self.view.resized.connect(self._place_inset)
        self.show_map = QAction("Map of the layer's units", self)
        self.show_map.setCheckable(True)
        self.show_map.setChecked(settings.flag("canvas/map", True))
        self.show_map.setShortcut("M")
        self.show_map.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.show_map.setToolTip(
            "The output map of the chosen layer in a corner of the canvas, where a click or a drag "
            "chooses the unit (M)"
        )
        self.show_map.toggled.connect(lambda is_on: settings.set("canvas/map", is_on))
        self.show_map.toggled.connect(self._show_inset)
        self.addAction(self.show_map)

    def _make_difference(self) -> None:
        self.minus_pin = QAction("Pin A minus this unit", self)
        self.minus_pin.setCheckable(True)
        self.minus_pin.setToolTip(
            "The effective field of the first pin minus that of the chosen unit, both divided by "
            "their sums: blue where the pin has more, orange where it has less"
        )
        self.minus_pin.toggled.connect(self._refresh)

    # --- drawing --------------------------------------------------------------------------------

    def _follow(self) -> None:
        if not self._selection.shown.is_same(self._shown):
            self._refresh()

    def _follow_field(self) -> None:
        """Draw another effective field, of the unit that is drawn already or of another one."""
        if not self._selection.shown.is_same(self._shown):
            self._refresh()
        elif (
            self._sight is not None
            and self._mode is None
            and not self.view.item.scene_shown.is_stale
        ):
            self._erf = self._field_to_draw()
            item, composer = self.view.item, self._composer
            shade = composer.shade(self._sight, self._slice, self._erf)
            contour = composer.contour(self._sight, self._slice, self._erf)
            scene = item.scene_shown.with_erf(shade, contour)
            item.show_scene(self._with_difference(scene, self._sight))
            self._show_depth()
            self._tell(self._sight)
            self._tell_pointer()

    def _refresh(self) -> None:
        layer, unit = self._selection.layer, self._selection.unit
        if layer not in self._session.analysis:
            return  # the selection is updated in a moment
        self._shown = self._selection.shown
        if not self._layer.is_of(self._session, layer):
            self._layer = LayerSight(self._session, layer)
        before, self._sight = self._sight, sight_of(self._session, self._layer, unit)
        self._follow_unit_through_slices(before)
        self._prepare_slices()
        self._draw()

    def _choose_mode(self, key: str) -> None:
        self._mode = self.modes.get(key)
        if self._mode is not None and self.view.is_on_field:
            self.view.fit()  # the field of the unit is not what is asked about now
        self.caption.forget()
        self._refresh()
        self.arrange()

    def _show_mode(self) -> None:
        """Draw another answer of the mode."""
        if self._mode is not None and self.sender() is self._mode:
            self._draw()

    def _draw(self) -> None:
        sight = self._sight
        if sight is None:
            return
        for mode in self.modes.values():
            (mode.follow if mode is self._mode else mode.wait)(self._layer)
        self.mode_button.show_units(sight.layer.analysis.units)
        self._broken = _first_error(sight.layer.analysis)
        if self._broken and self._good is not None:
            # What would be drawn now looks right, but the network is not what its author means.
            self._erf = None
            self.view.item.show_scene(replace(self._good, is_stale=True))
            self._tell_broken()
            return
        self._erf = self._field_to_draw()
        scene = self._scene(sight)
        self.view.item.show_scene(scene)
        if not self._broken and (self._mode is not None or not sight.trouble):
            self._good = scene
        plane = sight.layer.plane
        is_new = self._framed != (plane, sight.layer.layer)
        self._framed = (plane, sight.layer.layer)
        self.view.set_all(
            surroundings(sight), field_of(sight), is_strip=plane.is_strip, is_new=is_new
        )
        self._show_depth()
        self._tell(sight)
        self._tell_pointer()

    def _tell_broken(self) -> None:
        self.inset.show_inset(None)
        self.caption.setText(
            "The last edit broke the network; this is the picture of before. Ctrl+Z takes the edit "
            "back."
        )
        self.empty.setText(self._broken)
        self.empty.show()

    def _scene(self, sight: Sight) -> Scene:
        # The colours of a photo would be taken for those of a difference.
        self._composer.is_gray = self._mode is None and self.minus_pin.isChecked()
        if self._mode is not None:
            return self._mode.scene(self._composer.plain(sight.layer.plane))
        scene = self._composer.scene(sight, self._slice, self._erf, has_room=self._has_room())
        return self._with_difference(scene, sight)

    def _with_difference(self, scene: Scene, sight: Sight) -> Scene:
        """Return a scene that shades what the first pin has more and less, if that is wanted."""
        self._difference = None
        if not self.minus_pin.isChecked() or not self.switches.is_on("erf") or sight.trouble:
            return scene
        if self._erf is None and self._erf_view.shown.is_late:
            return scene  # it is drawn as soon as the unit stops moving
        self._difference = difference_to(self._composer.pins(), sight.layer.analysis, self._erf)
        found = self._difference.found
        if found is None:
            return scene
        return scene.with_erf(self._composer.shade_difference(sight, self._slice, found), None)

    def _field_to_draw(self) -> EffectiveField | None:
        """Return the field to shade; None while there is none or it is switched off."""
        if not self.switches.is_on("erf") or self._sight is None or self._sight.view is None:
            return None
        if self._mode is not None:
            return None
        return self._erf_view.shown.field

    def _why_no_field(self, sight: Sight) -> str:
        """Return why no field is shaded though that is wanted; empty where there is one."""
        is_late = self._erf_view.shown.is_late
        if self._erf is not None or is_late or not self.switches.is_on("erf"):
            return ""
        return EXPECTED.why_none(sight.layer.analysis, sight.layer.layer, sight.unit)

    # --- map of the layer -----------------------------------------------------------------------

    def _show_inset(self) -> None:
        self.inset.show_inset(self._inset())
        self._leave_room()

    def _inset(self) -> Inset | None:
        sight = self._sight
        if self.view.item.scene_shown.is_stale:
            return None  # its units are none of the picture, which is that of before
        if self._mode is not None:
            return self._mode.inset()
        if sight is None or sight.view is None or not self.show_map.isChecked():
            return None
        return plain_inset(sight.layer.analysis, sight.layer.layer, sight.unit)

    def _place_mode_button(self) -> None:
        self.mode_button.move(round(self.view.plot.getAxis("left").width()) + _GAP, _GAP)

    def _place_inset(self) -> None:
        self.inset.place()
        self._leave_room()

    def _leave_room(self) -> None:
        is_seen = self.inset.isVisibleTo(self.view.viewport())
        place = self.inset.geometry()
        self.view.item.keep_free(place.bottom() + 1.0 if is_seen else 0.0)
        width = self.view.viewport().width() - place.left() + _GAP
        self.view.keep_free(float(width) if is_seen else 0.0)

    def _pick(self, unit: tuple[int, ...], is_dragged: bool) -> None:
        """Choose a unit in the map, as on the picture."""
        if not self._layer.is_of(self._session, self._selection.layer):
            return  # another map is drawn in a moment
        if self._mode is not None:
            self._mode.pick(unit, is_dragged=is_dragged)
        else:
            self._selection.select_unit(unit)

    def _step_in_map(self, down: int, right: int, is_extended: bool) -> None:
        if self._mode is not None:
            self._mode.step_unit(down, right, is_extended=is_extended)
        else:
            self._step(down, right, is_extended)

    # --- words ----------------------------------------------------------------------------------

    def _tell(self, sight: Sight) -> None:
        self._show_inset()
        if self._mode is not None:
            self.caption.setText(self._mode.caption())
            self.empty.hide()
            for key in ("theoretical", "local", "visible", "erf"):
                self.switches.set_detail(key, "")  # those of the unit are not what is drawn
            self._tell_room()
            return
        shading = self.switches.shading.colours
        name = "" if self._erf is None else self._erf.name
        has_failed = bool(name) and self._erf_view.shown.measurement.error is not None
        told = f"{name}; measuring failed" if has_failed else name
        text = caption(sight, told, shading, self._why_no_field(sight))
        if self._difference is not None:
            text = self._difference.caption
        self._shorten_if_long(sight, text)
        is_cut = self._is_brief and self._difference is None
        self.caption.setText(brief_caption(sight, told) if is_cut else text)
        self.caption.setToolTip(text if is_cut else "")
        self.empty.setText(sight.trouble)
        self.empty.setVisible(bool(sight.trouble))
        view = sight.view
        region = None if view is None else view.theoretical_region
        visible = None if view is None else view.visible_region
        bar = self.switches
        bar.set_detail("theoretical", extent(region) if region else "")
        near = None if view is None or view.local_region == region else view.local_region
        bar.set_detail("local", extent(near) if near else "")
        bar.set_available("local", near is not None)
        bar.set_detail("visible", extent(visible) if visible else "none")
        bar.set_detail("erf", name)
        bar.set_available("support", sight.has_holes)
        self._tell_room()

    def _has_room(self) -> bool:
        down, right = self._layer.spacing()
        height, width = self.view.pixels_per_pixel()
        if self._layer.plane.is_strip:
            return right * width >= _FEWEST_POINTS
        return down * height >= _FEWEST_POINTS and right * width >= _FEWEST_POINTS

    def _tell_room(self) -> None:
        self.switches.set_detail("centres", "" if self._has_room() else "(zoom in)")

    def _tell_pointer(self) -> None:
        sight, point = self._sight, self._pointer
        if sight is None or point is None:
            return
        plane = sight.layer.plane
        position = plane.position_of(point, self._slice)
        colour = self._composer.colour_at(plane, point.y(), point.x())
        erf = None if self._erf is None else self._erf.map
        self.hovered.emit(under_pointer(sight, position, colour, erf))

    # --- mouse and keys -------------------------------------------------------------------------

    def _point(self, point: QPointF, is_dragged: bool) -> None:
        if self._mode is not None and self._layer.is_of(self._session, self._selection.layer):
            position = self._layer.plane.position_of(point, self._slice)
            (self._mode.drag if is_dragged else self._mode.press)(position)
            return
        if self._sight is None or self._sight.view is None:
            return
        position = self._layer.plane.position_of(point, self._slice)
        self._selection.select_unit(self._layer.grid.nearest(position))

    def _release(self) -> None:
        if self._mode is not None:
            self._mode.release()

    def _hover(self, point: QPointF | None) -> None:
        self._pointer = point
        if self._mode is not None:
            plane = self._layer.plane
            self._mode.hover(None if point is None else plane.position_of(point, self._slice))
        if point is None:
            self.hovered.emit("")
        else:
            self._tell_pointer()

    def _step(self, down: int, right: int, is_extended: bool) -> None:
        if self._mode is not None:
            self._mode.step(down, right, is_extended=is_extended)
            return
        *front, y, x = (0, *self._selection.unit)
        if self._layer.plane.is_strip:
            self._selection.select_unit((x + (right or down),))
        else:
            self._selection.select_unit((*front[1:], y + down, x + right))

    def _jump(self, key: Qt.Key, is_whole: bool) -> None:
        """Go to the first or last unit of a row (Home, End), a column or the slices (Page)."""
        last = [x.size - 1 for x in self._layer.grid.centres]
        unit = list(self._selection.unit)
        if len(unit) != len(last):
            return
        is_first = key in {Qt.Key.Key_Home, Qt.Key.Key_PageUp}
        if is_whole:
            unit = [0] * len(last) if is_first else last
        elif key in {Qt.Key.Key_Home, Qt.Key.Key_End}:
            unit[-1] = 0 if is_first else last[-1]
        elif len(unit) == 3:
            unit[0] += -1 if is_first else 1
        else:
            unit[0] = 0 if is_first else last[0]
        self._selection.select_unit(tuple(unit))

    def _ask_for_unit(self) -> None:
        self.unit_line.pop_up(self.view.mapToGlobal(QPoint(44, 10)))

    def _show_menu(self, at: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.fit_field)
        menu.addAction("Show everything\t0").triggered.connect(self.fit)
        menu.addAction("Copy picture").triggered.connect(self.copy_picture)
        menu.addAction(self.go_to_unit)
        menu.addSeparator()
        menu.addActions(list(self.mode_button.actions_by_key.values()))
        menu.addSeparator()
        menu.addActions(list(self.switches.actions_by_key.values()))
        menu.addAction(self.show_map)
        menu.addAction(self.minus_pin)
        questions = [*questions_about("unit"), *self.switches.questions_at(None)]
        add_questions(menu, questions, self.term_wanted.emit)
        menu.popup(at)

    # --- slices of three axes -------------------------------------------------------------------

    @property
    def slice_at(self) -> int | None:
        """The slice of a volume that is shown; None if the map that fields are given of is none."""
        is_block = len(self._layer.plane.size) == 3
        return self._slice if is_block and self._sliced == self._layer.plane else None

    def _prepare_slices(self) -> None:
        plane = self._layer.plane
        is_block = len(plane.size) == 3
        if not is_block:
            self._slice = 0
        elif not self.slices.isVisibleTo(self) or self._sliced != plane:
            self._slice = self._slice_of_unit()
        self._sliced = plane
        self._slice = min(self._slice, max(plane.slices - 1, 0))
        self.slices.setVisible(is_block)
        self.slices.show_slice(self._slice, plane.slices)

    def _show_depth(self) -> None:
        """Show what the unit sees in the slices that are not in view."""
        sight = self._sight
        if sight is None or len(sight.layer.plane.size) != 3:
            return
        if self._mode is not None or sight.view is None or sight.trouble:
            self.slices.show_depth(Depth())
            return
        region = sight.view.local_region or sight.view.theoretical_region
        is_framed = region is not None and self.switches.is_on("theoretical")
        point = sight.point
        self.slices.show_depth(
            Depth(
                region[0] if region is not None and is_framed else None,
                None if self._erf is None else strength_of(self._erf.map),
                None if point is None else point[0],
            )
        )

    def _slice_of_unit(self) -> int:
        point = None if self._sight is None else self._sight.point
        if point is None:
            return 0
        return int(min(max(round(point[0]), 0), self._layer.plane.slices - 1))

    def _follow_unit_through_slices(self, before: Sight | None) -> None:
        """Show another slice when another unit is chosen, and is not in the one shown."""
        now = self._sight
        if before is None or now is None or len(now.unit) != 3:
            return
        if (before.layer.layer, before.unit[:1]) == (now.layer.layer, now.unit[:1]):
            return  # a slice that the user has gone to stays
        if self._layer.grid.nearest((self._slice, 0, 0))[0] != now.unit[0]:
            self._slice = self._slice_of_unit()

    def _show_slice(self, index: int) -> None:
        self._slice = index
        self._draw()

    # --- zoom and theme -------------------------------------------------------------------------

    def _follow_zoom(self) -> None:
        self._place_mode_button()  # beside numbers that may be longer
        if self._sight is None:
            return
        self._tell_room()
        if self.switches.is_on("centres") and not self.view.item.scene_shown.is_stale:
            shown = self.view.item.scene_shown.centres is not None
            if shown != self._has_room():
                self.view.item.show_scene(self._scene(self._sight))

    def _shorten_if_long(self, sight: Sight, text: str) -> None:
        """Decide whether a sentence is said in few words; once it is, also for the next units.

        Otherwise the words would change back and forth while the unit is dragged.
        """
        room = (sight.layer.layer, self.width())
        was_brief = self._is_brief and room == self._brief_in
        plain = _TAGS.sub("", text).replace("&nbsp;", " ")
        margins = self.caption.contentsMargins()
        line = self.width() - margins.left() - margins.right()
        wanted = self.caption.fontMetrics().horizontalAdvance(plain)
        self._is_brief = was_brief or wanted > _CAPTION_LINES * _RAGGED * line
        self._brief_in = room

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Say what is shown in fewer words where there is less room."""
        super().resizeEvent(event)
        is_before = self.view.item.scene_shown.is_stale  # which has words of its own
        is_other = event.size().width() != event.oldSize().width()
        if self._sight is not None and is_other and not is_before:
            self._tell(self._sight)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Follow light and dark."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "empty"):
            self._follow_palette()

    def _follow_palette(self) -> None:
        palette = self.palette()
        base = palette.color(QPalette.ColorRole.Base).name()
        text = palette.color(QPalette.ColorRole.Text).name()
        line = palette.color(QPalette.ColorRole.Mid).name()
        self.empty.setStyleSheet(
            f"#canvas_empty {{ background: {base}; color: {text}; border: 1px solid {line};"
            " border-radius: 6px; padding: 12px 18px; }"
        )


def _first_error(analysis: Analysis) -> str:
    """Return why a network does not work, in a sentence; empty: it does."""
    remark = analysis.first_error
    if remark is None:
        return ""
    return f"{remark.layer}: {remark.message}" if remark.layer else remark.message
