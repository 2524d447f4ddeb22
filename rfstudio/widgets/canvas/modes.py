"""What the canvas answers: a unit, a pixel, a block of units, or tiles; and the button for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QRectF, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from rfstudio.app.slices import Slices, answer_or_error
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.texts import short_name
from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.block import Block
from rfstudio.core.fields.projective import ProjectiveField
from rfstudio.core.fields.tiles import TilePlan
from rfstudio.core.fields.usual_tiles import usual_tiles
from rfstudio.core.network.physical import extent_text
from rfstudio.core.network.sample_words import PIXELS, Units
from rfstudio.core.plural import axes_text, margins_text
from rfstudio.widgets.canvas.scene import Scene
from rfstudio.widgets.canvas.sight import LayerSight
from rfstudio.widgets.canvas.words import DASHED, RED, extent, sized

_AFTER = 120
"""Milliseconds without an edit after which tiles are worked out."""

_MOST_DRAWN = 3000
"""Tiles that are drawn."""


@dataclass(frozen=True, slots=True)
class ModeKind:
    """One thing that the canvas can answer.

    Attributes
    ----------
    key
        Its name in settings and code.
    label
        Its label on the button.
    title
        Its entry in menus.
    meaning
        What it answers and how, for the menu's tooltip.
    shortcut
        The key that chooses it while the canvas has the focus.
    """

    key: str
    label: str
    title: str
    meaning: str
    shortcut: str


MODES = (
    ModeKind(
        "unit",
        "Unit",
        "Unit: what it sees",
        "What one unit of the chosen layer sees: click, drag or arrow keys choose it.",
        "1",
    ),
    ModeKind(
        "pixel",
        "Pixel",
        "Pixel: which units read it",
        "Which units of the chosen layer read one pixel (its projective field): move the pointer; "
        "a click or an arrow key holds the pixel, another click lets it go.",
        "2",
    ),
    ModeKind(
        "block",
        "Block",
        "Block of units: what it needs",
        "What a block of units needs of the input: drag over it, or use Shift and arrow keys.",
        "3",
    ),
    ModeKind(
        "tiles",
        "Tiles",
        "Tiles of the image",
        "How the image can be processed in tiles that equal the whole: click a tile; Up and Down "
        "change the size of all, Left and Right go to the next.",
        "4",
    ),
    ModeKind(
        "objects",
        "Objects",
        "Objects: which layers see them whole",
        "Which layers see objects whole: drag a box around each, click one to remove it; "
        "Measure › Advise… says more.",
        "5",
    ),
)


class ModeButton(QToolButton):
    """Shows the mode, and its menu chooses another one.

    Signals
    -------
    chosen
        Another mode was chosen; its key.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("canvas_mode")
        self.setAccessibleName("What the canvas shows")
        self.setToolTip(
            "What the canvas shows: a unit, a pixel, units, tiles, objects (keys 1 to 5)"
        )
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setAutoFillBackground(True)
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        group = QActionGroup(self)
        self.actions_by_key: dict[str, QAction] = {}
        for kind in MODES:
            action = menu.addAction(kind.title)
            action.setCheckable(True)
            action.setToolTip(kind.meaning)
            action.setShortcut(kind.shortcut)
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            action.toggled.connect(lambda is_on, x=kind: self._choose(x) if is_on else None)
            group.addAction(action)
            self.actions_by_key[kind.key] = action
        self.setMenu(menu)
        self._kind, self._units = MODES[0], PIXELS
        self.actions_by_key["unit"].setChecked(True)

    def show_units(self, units: Units) -> None:
        """Call pixels and images as the map is called that fields are given of."""
        if units == self._units:
            return
        self._units = units
        for kind in MODES:
            action = self.actions_by_key[kind.key]
            action.setText(_said(kind.title, units))
            action.setToolTip(_said(kind.meaning, units))
        self._show_kind()

    def _show_kind(self) -> None:
        self.setText(f"{_said(self._kind.label, self._units)} ▾")
        self.setAccessibleDescription(_said(self._kind.meaning, self._units))
        self.adjustSize()

    def _choose(self, kind: ModeKind) -> None:
        self._kind = kind
        self._show_kind()
        self.chosen.emit(kind.key)


def _said(text: str, units: Units) -> str:
    """Return a text about an image in the words for another map."""
    return units.said(text.replace("Pixel", units.one.capitalize()))


@dataclass(frozen=True, eq=False)
class Inset:
    """A small picture of a layer's map.

    Attributes
    ----------
    layer
        Path of the layer.
    size
        Size of its map along each axis.
    unit
        The chosen unit.
    mask
        (H, W): the units that are marked beside it; None for none.
    """

    layer: str
    size: tuple[int, ...]
    unit: tuple[int, ...]
    mask: NDArray[np.bool_] | None = None

    @property
    def title(self) -> str:
        """What it is of."""
        return f"{short_name(self.layer, 24)}, {'×'.join(map(str, self.size))}"

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of what is shown; of three axes the last two."""
        rows, columns = (1, *self.size)[-2:]
        return rows, columns

    @property
    def place(self) -> tuple[int, int]:
        """The row and the column of the chosen unit."""
        row, column = (0, *self.unit)[-2:]
        return row, column

    def unit_at(self, row: int, column: int) -> tuple[int, ...]:
        """Return the unit at a row and a column, of three axes at the depth of the chosen one."""
        return (*self.unit[:-2], row, column)[-len(self.size) :]

    def is_moved(self, other: Inset) -> bool:
        """Whether another one differs at most in the chosen unit."""
        is_same = (other.layer, other.size) == (self.layer, self.size)
        return is_same and other.mask is self.mask


def plain_inset(analysis: Analysis, layer: str, unit: tuple[int, ...]) -> Inset | None:
    """Return the map of a layer with the chosen unit; None where there is nothing to choose."""
    size = analysis[layer].output_size
    if len(size) != len(unit) or 0 in size or max((1, *size)[-2:]) < 2:
        return None
    return Inset(layer, size, unit)


class CanvasMode(QObject):
    """What a mode has in common: where it is asked, and that its answer may change.

    Signals
    -------
    changed
        There is something else to draw.
    """

    changed = Signal()

    def __init__(
        self, session: AnalysisSession, selection: Selection, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._selection = selection
        self.layer = LayerSight(session, selection.layer)

    def follow(self, layer: LayerSight) -> None:
        """Answer for another layer or network."""
        self.layer = layer

    def wait(self, layer: LayerSight) -> None:
        """Follow while another mode is shown, without keeping answers about earlier networks."""
        if layer.analysis is not self.layer.analysis:
            self.forget()
        self.layer = layer

    def forget(self) -> None:
        """Drop what was answered."""

    @property
    def _analysis(self) -> Analysis:
        return self._session.analysis

    @property
    def _name(self) -> str:
        return f"<b>{escape(short_name(self._selection.layer))}</b>"

    def press(self, position: Sequence[float]) -> None:
        """Take a click at a position of the map that fields are given of."""

    def drag(self, position: Sequence[float]) -> None:
        """Take the pointer at a position, with the button down."""

    def release(self) -> None:
        """Take the end of a click or a drag."""

    def hover(self, position: Sequence[float] | None) -> None:
        """Take the pointer at a position; None when it has left."""

    def step(self, down: int, right: int, *, is_extended: bool = False) -> None:
        """Take an arrow key, perhaps with Shift."""

    def pick(self, unit: tuple[int, ...], *, is_dragged: bool) -> None:
        """Take a click on a unit in the layer's map, or the pointer that was dragged to it."""
        del is_dragged
        self._selection.select_unit(unit)

    def step_unit(self, down: int, right: int, *, is_extended: bool = False) -> None:
        """Take an arrow key in the layer's map."""
        del is_extended
        self._selection.select_unit(_moved(self._selection.unit, down, right))

    def scene(self, plain: Scene) -> Scene:
        """Return what is drawn on the photo."""
        return plain

    def caption(self) -> str:
        """Return the answer in a sentence or two of rich text."""
        return ""

    def inset(self) -> Inset | None:
        """Return the picture of the layer's map, if there is one."""
        return None


_OfPixel: TypeAlias = tuple[Analysis, str, tuple[int, ...]]
"""A network, a layer and a pixel."""


class PixelMode(CanvasMode):
    """Which units of the layer read a pixel of the input (or of the reference map)."""

    def __init__(
        self, session: AnalysisSession, selection: Selection, parent: QObject | None = None
    ) -> None:
        super().__init__(session, selection, parent)
        self._wanted: tuple[int, ...] = ()
        self._is_held = False
        self._found: tuple[_OfPixel, ProjectiveField | str] | None = None
        self._asked: _OfPixel | None = None
        self._slices = Slices(self)
        self._is_late = False

    def forget(self) -> None:  # noqa: D102 - as of any mode
        self._slices.drop()
        self._found = self._asked = None
        self._is_late = False

    @property
    def pixel(self) -> tuple[int, ...]:
        """The pixel; the middle one until the pointer was somewhere."""
        size = self._analysis.reference_size
        if len(self._wanted) != len(size):
            return tuple(n // 2 for n in size)
        return tuple(max(0, min(p, n - 1)) for p, n in zip(self._wanted, size, strict=True))

    def press(self, position: Sequence[float]) -> None:  # noqa: D102 - as of any mode
        pixel = pixel_at(position)
        self._is_held = not (self._is_held and pixel == self._wanted)
        self._go(pixel)

    def drag(self, position: Sequence[float]) -> None:  # noqa: D102
        self._is_held = True
        self._go(pixel_at(position))

    def hover(self, position: Sequence[float] | None) -> None:  # noqa: D102
        if position is None or self._is_held:
            return
        pixel = pixel_at(position)
        size = self._analysis.reference_size
        if all(0 <= p < n for p, n in zip(pixel, size, strict=True)):
            self._go(pixel)

    def step(self, down: int, right: int, *, is_extended: bool = False) -> None:  # noqa: D102
        del is_extended
        self._is_held = True
        self._go(_moved(self.pixel, down, right))

    def _go(self, pixel: tuple[int, ...]) -> None:
        if pixel != self._wanted:
            self._wanted = pixel
            self._wanted = self.pixel
            self.changed.emit()

    @property
    def found(self) -> ProjectiveField | str | None:
        """The units that read the pixel; why there is no answer; None while it is late."""
        key = (self._analysis, self._selection.layer, self.pixel)
        if self._found is not None and self._found[0] == key:
            return self._found[1]
        if not self._slices.is_busy or self._asked != key:
            self._asked = key
            self._is_late = False
            analysis, layer, pixel = key
            work = partial(answer_or_error, analysis.projective, layer, pixel)
            self._is_late = not self._slices.start(work, partial(self._take, key), at_once=True)
        return None if self._is_late or self._found is None else self._found[1]

    def _take(self, key: _OfPixel, answer: ProjectiveField | RFStudioError) -> None:
        self._found = key, str(answer) if isinstance(answer, RFStudioError) else answer
        if self._is_late:  # else it is in time for the picture that asks for it
            self.changed.emit()

    def scene(self, plain: Scene) -> Scene:  # noqa: D102
        return replace(plain, marker=self.layer.plane.point_of(self.pixel))

    def caption(self) -> str:  # noqa: D102
        found = self.found
        where = ", ".join(map(str, self.pixel))
        of = "" if self._session.reference == "input" else f" of {escape(self._session.reference)}"
        word = self.layer.analysis.units.one
        who = f"{word.capitalize()} ({where}){of}"
        if found is None:
            return f"{who}: working out which units of {self._name} read it …"
        if isinstance(found, str):
            return f"{who}: {escape(found, quote=False)}."
        size = self._analysis[self._selection.layer].output_size
        total = "×".join(map(str, size))
        if found.region is None:
            return f"{who} is read by no unit of {self._name} ({total})."
        spans = " × ".join(f"{a}…{b}" for a, b in found.region)
        units = "1 unit" if found.count == 1 else f"{found.count:,} units"
        exact = int(np.prod([b - a + 1 for a, b in found.region])) == found.count
        holes = "" if exact else ", with holes"
        held = "" if self._is_held else f" Click to hold the {word}."
        return (
            f"{who} is read by <b>{units}</b> of {self._name}: {spans} "
            f"({extent(found.region)}{holes}), of {total}.{held}"
        )

    def inset(self) -> Inset | None:  # noqa: D102
        found = self.found
        size = self._analysis[self._selection.layer].output_size
        if found is None or isinstance(found, str) or 0 in size or int(np.prod(size)) > 1 << 24:
            return None
        mask = found.mask()
        if mask.ndim == 3:
            mask = np.logical_or.reduce(mask, axis=0)
        shown = np.atleast_2d(mask)
        return Inset(self._selection.layer, size, self._selection.unit, shown)


class BlockMode(CanvasMode):
    """What a block of units needs: from the chosen unit to one that it was dragged to."""

    def __init__(
        self, session: AnalysisSession, selection: Selection, parent: QObject | None = None
    ) -> None:
        super().__init__(session, selection, parent)
        self._to: tuple[int, ...] = ()
        self._found: tuple[object, Block | str] | None = None

    def forget(self) -> None:  # noqa: D102
        self._found = None

    @property
    def ends(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """First and last unit of the block, both included."""
        unit = self._selection.unit
        size = self._analysis[self._selection.layer].output_size
        to = self._to if len(self._to) == len(unit) else (0,) * len(unit)
        other = tuple(max(0, min(u + d, n - 1)) for u, d, n in zip(unit, to, size, strict=True))
        pairs = [sorted(x) for x in zip(unit, other, strict=True)]
        return tuple(x[0] for x in pairs), tuple(x[1] for x in pairs)

    def press(self, position: Sequence[float]) -> None:  # noqa: D102
        self.pick(self.layer.grid.nearest(position), is_dragged=False)

    def drag(self, position: Sequence[float]) -> None:  # noqa: D102
        self.pick(self.layer.grid.nearest(position), is_dragged=True)

    def pick(self, unit: tuple[int, ...], *, is_dragged: bool) -> None:  # noqa: D102
        if is_dragged:
            first = self._selection.unit
            self._extend(tuple(b - a for a, b in zip(first, unit, strict=True)))
            return
        self._to = ()
        self._selection.select_unit(unit)
        self.changed.emit()

    def step_unit(self, down: int, right: int, *, is_extended: bool = False) -> None:  # noqa: D102
        self.step(down, right, is_extended=is_extended)

    def step(self, down: int, right: int, *, is_extended: bool = False) -> None:  # noqa: D102
        if not is_extended:
            self._selection.select_unit(_moved(self._selection.unit, down, right))
            return
        unit = self._selection.unit
        size = self._analysis[self._selection.layer].output_size
        to = self._to if len(self._to) == len(unit) else (0,) * len(unit)
        moved = _moved(tuple(u + d for u, d in zip(unit, to, strict=True)), down, right)
        inside = [max(0, min(x, n - 1)) for x, n in zip(moved, size, strict=True)]
        self._extend(tuple(x - u for x, u in zip(inside, unit, strict=True)))

    def _extend(self, to: tuple[int, ...]) -> None:
        if to != self._to:
            self._to = to
            self.changed.emit()

    @property
    def found(self) -> Block | str:
        """What the block needs; or why there is no answer."""
        key = (self._analysis, self._selection.layer, self.ends)
        if self._found is None or self._found[0] != key:
            answer: Block | str
            try:
                answer = self._analysis.block(self._selection.layer, *self.ends)
            except RFStudioError as error:
                answer = str(error)
            self._found = key, answer
        return self._found[1]

    def scene(self, plain: Scene) -> Scene:  # noqa: D102
        found = self.found
        if isinstance(found, str):
            return replace(plain, lit=None)
        plane, grid = self.layer.plane, self.layer.grid
        region, visible = found.theoretical_region, found.visible_region
        ends = [plane.point_of(grid.centre(x)) for x in self.ends]
        cells = QRectF(*ends).normalized()
        return replace(
            plain,
            theoretical=plane.rect_of(region) if region else None,
            visible=plane.rect_of(visible) if visible else None,
            lit=None if plain.lit is None else plane.rect_of(visible) if visible else QRectF(),
            cells=cells.adjusted(-0.5, -0.5, 0.5, 0.5),
        )

    def caption(self) -> str:  # noqa: D102
        first, last = self.ends
        of = " … ".join(f"({', '.join(map(str, x))})" for x in (first, last))
        units = extent([*zip(first, last, strict=True)])
        who = f"Units {of} of {self._name}, {units},"
        needs, cells = "need", "their own cells"
        if first == last:
            who = f"Unit ({', '.join(map(str, first))}) of {self._name}, alone,"
            needs, cells = "needs", "its own cell"
        found = self.found
        if isinstance(found, str):
            return f"{who.rstrip(',')}: {escape(found, quote=False)}."
        if found.visible_region is None and found.theoretical_region is None:
            return f"{who} {needs} nothing of the input."
        words = [who]
        if found.theoretical_region is not None:
            analysis = self.layer.analysis
            size = sized(found.theoretical_region, analysis.axes, analysis.units)
            words.append(f"{needs} the {RED}, {size}.")
        else:
            words.append(f"{needs} no one rectangle.")
        if any(x is None for x in found.context):
            words.append("No margin around it can be given along every axis: there is no jump.")
        else:
            margins = margins_text(found.context)
            word = self.layer.analysis.units.short
            words.append(f"That is {margins}&nbsp;{word} before and after {cells}.")
        if found.visible_region is None:
            words.append("Only padding is read.")
        elif found.visible_region != found.theoretical_region:
            words.append(f"{DASHED}: what there is of it, {extent(found.visible_region)}.")
        return " ".join(words)

    def inset(self) -> Inset | None:  # noqa: D102
        size = self._analysis[self._selection.layer].output_size
        if 0 in size or int(np.prod(size)) > 1 << 24:
            return None
        shape = (1, *size)[-2:]
        mask = np.zeros(shape, bool)
        first, last = ((0, *x)[-2:] for x in self.ends)
        mask[first[0] : last[0] + 1, first[1] : last[1] + 1] = True
        return Inset(self._selection.layer, size, self._selection.unit, mask)


class TilesMode(CanvasMode):
    """How the image is processed in tiles whose results equal those of the whole image.

    Attributes
    ----------
    slices
        Work out the tiles between events.
    """

    def __init__(
        self, session: AnalysisSession, selection: Selection, parent: QObject | None = None
    ) -> None:
        super().__init__(session, selection, parent)
        self._periods = 0
        self._chosen = 0
        self._found: tuple[tuple[Analysis, str, int], TilePlan | str] | None = None
        self._asked: tuple[Analysis, str, int] | None = None
        self.slices = Slices(self)

    def forget(self) -> None:  # noqa: D102
        self.slices.drop()
        self._found = self._asked = None

    @property
    def _key(self) -> tuple[Analysis, str, int]:
        return self._analysis, self._selection.layer, self._periods

    @property
    def plan(self) -> TilePlan | str | None:
        """The plan; why there is none; or None while it is not worked out."""
        key, found = self._key, self._found
        if found is not None and found[0] == key:
            return found[1]
        if not self.slices.is_busy or self._asked != key:
            self._asked = key
            work = partial(answer_or_error, usual_tiles, *key)
            self.slices.start(work, partial(self._take, key), wait=_AFTER)
        # While another size of the tiles is worked out, those of the size before stay.
        return found[1] if found is not None and found[0][:2] == key[:2] else None

    @property
    def shown(self) -> tuple[int, int]:
        """How many periods more than usual are in a tile, and which tile is described."""
        is_there = self._found is not None and self._found[0] == self._key
        return self._periods, self.chosen if is_there else 0

    @property
    def chosen(self) -> int:
        """Which tile is described."""
        plan = self.plan
        count = len(plan.plan) if isinstance(plan, TilePlan) else 0
        return max(0, min(self._chosen, count - 1))

    def _take(self, key: tuple[Analysis, str, int], answer: TilePlan | RFStudioError) -> None:
        if isinstance(answer, RFStudioError) and key[2] < 0:
            # Tiles of that size have no middle; those before stay, or are of the usual size where
            # another layer was chosen meanwhile.
            found = self._found
            is_there = found is not None and found[0][:2] == key[:2]
            self._periods = found[0][2] if found is not None and is_there else 0
        else:
            self._found = key, str(answer) if isinstance(answer, RFStudioError) else answer
        self.changed.emit()

    def press(self, position: Sequence[float]) -> None:  # noqa: D102
        plan = self.plan
        if not isinstance(plan, TilePlan):
            return
        unit = self.layer.grid.nearest(position)
        for number, tile in enumerate(plan.plan):
            if all(a <= u <= b for u, (a, b) in zip(unit, tile.write, strict=True)):
                self._chosen = number
                self.changed.emit()
                return

    def step(self, down: int, right: int, *, is_extended: bool = False) -> None:  # noqa: D102
        del is_extended
        plan = self.plan
        if right:
            self._chosen = self.chosen + (1 if right > 0 else -1)
        elif down > 0:
            self._periods -= 1
        elif not isinstance(plan, TilePlan) or len(plan.plan) > 1:
            self._periods += 1
        self.changed.emit()

    def scene(self, plain: Scene) -> Scene:  # noqa: D102
        plan = self.plan
        if not isinstance(plan, TilePlan) or not plan.plan:
            return replace(plain, lit=None)
        plane = self.layer.plane
        shown = plan.plan[:_MOST_DRAWN]
        tile = plan.plan[self.chosen]
        return replace(
            plain,
            lit=None,
            tiles=tuple(plane.rect_of(x.read) for x in shown),
            theoretical=plane.rect_of(tile.read),
            visible=plane.rect_of(self._cells(tile.write)),
        )

    def _cells(self, units: Sequence[Interval]) -> tuple[Interval, ...]:
        """Return the part of the image that belongs to units, by their shares of it."""
        size = self._analysis.input_size
        count = self._analysis[self._selection.layer].output_size
        return tuple(
            (a * n // m, max((b + 1) * n // m - 1, a * n // m))
            for (a, b), n, m in zip(units, size, count, strict=True)
        )

    def caption(self) -> str:  # noqa: D102
        plan = self.plan
        if self._session.reference != "input":
            return "Tiles are cut from the input: choose View › Fields relative to the input."
        if plan is None:
            return f"Working out the tiles of {self._name} …"
        if isinstance(plan, str):
            return f"No tiles: {escape(plan, quote=False)}."
        reason = escape("; ".join(plan.reasons), quote=False)
        if not plan.plan or plan.tile is None:
            return f"No tiles of {self._name} can be put together: {reason or 'no positions'}."
        tile = plan.plan[self.chosen]
        size = "×".join(map(str, plan.tile))
        margins = margins_text(plan.overlap)
        axes, units = self.layer.analysis.axes, self.layer.analysis.units
        physical = extent_text(axes, plan.tile)
        size = f"<b>{size}</b>&nbsp;{units.short}" + (f" = {escape(physical)}" if physical else "")
        how = (
            f"{len(plan.plan):,} tiles of {size}, {_strides(plan, units)}, an overlap of "
            f"<b>{margins}</b> before and after (shaded), from multiples of "
            f"{axes_text(plan.period, ' × ')}."
        )
        same = f"Together they equal the whole map of {self._name}."
        if not plan.exact:
            same = f"They differ from the whole, as {reason}; the overlap is the local field's."
        tile_text = (
            f"Tile {self.chosen + 1} reads the {RED} and writes the <b>dashed</b> "
            f"{extent(tile.write)}."
        )
        words = [how, same, tile_text]
        if len(plan.plan) == 1:
            words[0] = (
                f"One tile: the {units.whole} is smaller than two with their overlap of "
                f"<b>{margins}</b>&nbsp;{units.short} before and after."
            )
        return " ".join(words)


def _strides(plan: TilePlan, units: Units) -> str:
    """Return how far tiles are apart along each axis, in words."""
    texts = []
    for axis in range(len(plan.period)):
        starts = sorted({x.read[axis][0] for x in plan.plan})
        texts.append(str(starts[1] - starts[0]) if len(starts) > 1 else "–")
    words = axes_text(texts, " × ")
    return "in one row" if words == "–" else f"every {words}&nbsp;{units.short}"


def pixel_at(position: Sequence[float]) -> tuple[int, ...]:
    """Return the pixel under a position."""
    return tuple(int(np.floor(x + 0.5)) for x in position)


def _moved(place: Sequence[int], down: int, right: int) -> tuple[int, ...]:
    if len(place) == 1:
        return (place[0] + (right or down),)
    return (*place[:-2], place[-2] + down, place[-1] + right)
