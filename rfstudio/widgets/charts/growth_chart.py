"""The growth chart: size and jump of the field against depth, of one network or several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from typing import cast

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Signal
from PySide6.QtGui import QColor, QPalette, QPen, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QMenu,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.files.presets import preset_families, read_preset
from rfstudio.app.frames import Later, Rank, at_once
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.app.state.settings import Settings
from rfstudio.app.wording.texts import field_text, local_text, short_name, steps_text
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.fields.comparable import have_same_fields
from rfstudio.core.fields.layer import LayerAnalysis
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.network.sample_words import Units
from rfstudio.widgets.canvas.colours import SERIES
from rfstudio.widgets.charts.curves import Curve, Curves, Drawing, Line, Spot, Values
from rfstudio.widgets.charts.erf_sizes import ErfSizes
from rfstudio.widgets.charts.growth_data import Growth, growth_of
from rfstudio.widgets.charts.plot import Plot
from rfstudio.widgets.parts.column import Column
from rfstudio.widgets.parts.elided_label import ElidedLabel
from rfstudio.widgets.parts.flow_layout import FlowLayout

_SYMBOLS = ("o", "s", "t", "d", "x", "+")
_MANY = 400
"""Number of layers above which single points are not marked."""
_LEGEND = 0.9
"""Size of the letters of the legend, as a share of those around it."""

_GROUND = 215
"""How much the ground of the legend covers, of 255."""

_PAPER = "Luo et al. 2016, plain stacks: slope 1, ERF 0.56"

_JUMP = (1.0, 2.5)
_LOCAL = (7.0, 2.0, 1.5, 2.0)
_ERF = (6.0, 2.5)


def _counted(analysis: Analysis) -> str:
    """Return what sizes are counted in, with the physical distance if it is one for all axes."""
    axes = analysis.axes
    many = analysis.units.many
    if len(set(axes)) != 1 or not axes[0].is_measured:
        return many
    return f"{many}, {axes[0].spacing:g} {axes[0].unit}".rstrip() + " apart"


def rises_late(curves: Iterable[Curve], base: float | None = None) -> bool:
    """Whether curves are below the middle of their height in the first fifth of their width.

    Their height is counted from `base`; None: from their lowest point.
    """
    points = [np.stack([x.x, x.y]) for x in curves]
    x, y = np.concatenate(points, axis=1) if points else np.empty((2, 0))
    is_there = np.isfinite(x) & np.isfinite(y)
    x, y = x[is_there], y[is_there]
    if not x.size:
        return True
    first = x <= x.min() + (x.max() - x.min()) / 5
    low = y.min() if base is None else base
    return bool(y[first].max() <= (low + y.max()) / 2)


class GrowthChart(QWidget):
    """Shows how the field grows; a click chooses the nearest layer.

    Parameters
    ----------
    session
        The analysis of the document.
    selection
        The chosen layer.
    parent
        The widget around it.
    settings
        Where the switches are remembered; the user's own settings if None.
    later
        Called to follow a change in a later frame.

    Signals
    -------
    before_wanted, file_wanted
        The user wants to compare with the network before the last edit, or with a file.
    """

    before_wanted = Signal()
    file_wanted = Signal()

    def __init__(
        self,
        session: AnalysisSession,
        selection: Selection,
        parent: QWidget | None = None,
        *,
        settings: Settings | None = None,
        later: Later = at_once,
    ) -> None:
        super().__init__(parent)
        self._later = later
        self._session = session
        self._selection = selection
        self._settings = settings or Settings()
        self._unseen = self._growth = growth_of("", analyze(Architecture()))  # while it is hidden
        self._others: dict[str, Growth] = {}
        self._presets: dict[str, str] = {}
        self._pins: dict[str, Analysis] = {}
        self._pinned: dict[str, Analysis] = {}
        self._erf_sizes = ErfSizes(self)
        self._sizes: dict[int, float] = {}
        self._sizes_of: dict[str, dict[int, float]] = {}
        self._work_of: dict[str, ErfSizes] = {}
        self._is_stale = True
        self._marked = ""
        self._labelled = 0
        self._curves: dict[tuple[str, str], Curve] = {}
        self._keys: dict[tuple[str, str], pg.PlotDataItem] = {}
        self._build()
        self._erf_sizes.grown.connect(self._show_erf_sizes)
        session.analysis_changed.connect(self._follow_later)
        selection.selection_changed.connect(self._follow_selection)

    # --- networks -------------------------------------------------------------------------------

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks that are compared with the document."""
        return tuple(self._others)

    def compared(self) -> tuple[tuple[str, Analysis], ...]:
        """Return the networks that are compared with the document, and their analyses."""
        return tuple((name, growth.analysis) for name, growth in self._others.items())

    def add_network(self, name: str, analysis: Analysis) -> str:
        """Draw another network as well, and return its name, which gets a number if it is taken."""
        name = self._free_name(name, analysis)
        self._others[name] = growth_of(name, analysis)
        self._measure(name)
        self._is_stale = True
        if self.isVisible():
            self._follow(self._session.analysis)
            self.plot.show_all()
        return name

    def _free_name(self, name: str, analysis: Analysis) -> str:
        """Return a name that no other network has: files in two folders may be called the same."""
        names = (name if i == 1 else f"{name} ({i})" for i in count(1))
        known = self._others
        return next(
            x for x in names if x not in known or have_same_fields(known[x].analysis, analysis)
        )

    def remove_network(self, name: str) -> None:
        """Stop drawing a network; nothing happens if it is not drawn."""
        if self._drop(name):
            self._draw()

    def _drop(self, name: str) -> bool:
        """Forget a network, and return whether it was there."""
        self._sizes_of.pop(name, None)
        if (work := self._work_of.pop(name, None)) is not None:
            work.stop()
            work.deleteLater()
        return self._others.pop(name, None) is not None

    def _measure(self, name: str) -> None:
        """Compute the effective sizes of another network, if they are drawn."""
        if not self.erf.isChecked() or name in self._work_of:
            return
        work = self._work_of[name] = ErfSizes(self)

        def take(sizes: dict[int, float]) -> None:
            self._sizes_of[name] = sizes
            if self.isVisible():
                self._draw()

        work.grown.connect(take)
        work.start(self._others[name].analysis)

    def show_pinned(self, pinned: Mapping[str, Analysis]) -> None:
        """Draw the networks of pins, and no longer those of earlier ones.

        One that is the document's own is drawn already, until another network is opened.
        """
        self._pins = dict(pinned)
        if self._follow_pins() and self.isVisible():
            self._follow(self._session.analysis)
            self.plot.show_all()

    def _follow_pins(self) -> bool:
        """Have each network of the pins once that is not the document's now; say if any changed."""
        own = self._session.analysis
        first = {id(x): name for name, x in reversed(self._pins.items())}
        wanted = {
            name: x
            for name, x in self._pins.items()
            if first[id(x)] == name and not have_same_fields(x, own)
        }
        if {x: id(y) for x, y in wanted.items()} == {x: id(y) for x, y in self._pinned.items()}:
            return False  # by identity: equal analyses of long networks are compared layer by layer
        for name in [x for x in self._pinned if wanted.get(x) is not self._pinned[x]]:
            self._drop(name)
        for name in [x for x in wanted if x not in self._others]:
            self._others[name] = growth_of(name, wanted[name])
            self._measure(name)
        self._pinned = wanted
        self._is_stale = True
        return True

    # --- parts ----------------------------------------------------------------------------------

    def _build(self) -> None:
        self.plot = Plot("depth, in layers with weights on the longest path", "pixels", counts=True)
        self.plot.setAccessibleName("Growth of the receptive field with depth")
        self.readout = ElidedLabel()
        self.readout.setMinimumWidth(80)
        self.log = QCheckBox("Log")
        self.log.setToolTip(
            "Both axes logarithmic, with the slopes of the power laws that fit the points whose "
            "field is inside the input. A plain stack of convolutions has slope 1, and its "
            "effective field 1/2; Luo et al. 2016 measured 0.56."
        )
        self.log.setChecked(self._settings.flag("growth/log", False))
        self.erf = QCheckBox("ERF size")
        self.erf.setToolTip(
            "Also the size of the expected effective field of each layer's centre unit: the side "
            "of a square with as many pixels as are above 4.55 % of the centre's value. Computed "
            "one layer after the other."
        )
        self.erf.setChecked(self._settings.flag("growth/erf", False))
        self.compare = QToolButton()
        self.compare.setText("Compare with ▾")
        self.compare.setAccessibleName("Compare with")
        self.compare.setToolTip("Draw the curves of another network beside those of this one")
        self.compare.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.compare.setMenu(self._compare_menu())
        row = FlowLayout(gap=12, rest=0, least=40)
        row.setContentsMargins(8, 3, 8, 3)
        holder = Column()
        holder.stack(self.readout, rest=self.readout)
        row.addWidget(holder)
        for widget in (self.erf, self.log, self.compare):
            row.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.plot, 1)
        item = self.plot.getPlotItem()
        for side in ("left", "bottom"):
            item.getAxis(side).setLogMode(self.log.isChecked())
        size = max(round(_LEGEND * self.font().pointSizeF()), 1)
        self._legend = item.addLegend(offset=(8, 4), labelTextSize=f"{size}pt")
        self._is_legend_low = False
        self._legend.sigSampleClicked.connect(self._show)
        self._drawn = Curves(item.getViewBox())
        self.plot.clicked_at.connect(self._choose)
        self.plot.hovered_at.connect(self._read_out)
        self.plot.colours_changed.connect(self._follow_colours)
        self.plot.colours_changed.connect(self._draw)
        self.log.toggled.connect(self._switch_log)
        self.erf.toggled.connect(self._switch_erf)

    def _compare_menu(self) -> QMenu:
        menu = QMenu(self)
        self.before = menu.addAction("The network before my edit")
        self.before.triggered.connect(self.before_wanted)
        self.file = menu.addAction("A file…")
        self.file.triggered.connect(self.file_wanted)
        self.none = menu.addAction("Nothing")
        self.none.triggered.connect(self._remove_all)
        menu.addSeparator()
        for title, names in preset_families():
            family = menu.addMenu(title)
            for name in names:
                action = family.addAction(name)
                action.setCheckable(True)
                action.toggled.connect(lambda is_on, name=name: self._compare(name, is_on))
        return menu

    def _remove_all(self) -> None:
        for name in tuple(self._others):
            self.remove_network(name)
        for family in self.compare.menu().actions():
            inner = cast("QMenu | None", QMenu.menuInAction(family))
            for action in [] if inner is None else inner.actions():
                action.setChecked(False)

    def _compare(self, name: str, is_on: bool) -> None:
        if is_on:
            self._presets[name] = self.add_network(name, analyze(read_preset(name)))
        else:
            self.remove_network(self._presets.pop(name, name))

    # --- drawing --------------------------------------------------------------------------------

    def _name(self) -> str:
        return self._session.analysis.architecture.name or "this network"

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Catch up with what changed while the chart was hidden."""
        super().showEvent(event)
        if self._is_stale:
            self._catch_up()

    def _follow_later(self) -> None:
        self._is_stale = True
        self._later(Rank.CHARTS, self._catch_up)

    def _catch_up(self) -> None:
        self._follow_pins()  # also while it is hidden, since figures are drawn from it
        # A hidden tab costs nothing while a value is spun.
        if self.isVisible():
            self._follow(self._session.analysis)
        else:
            self._growth = self._unseen  # or it would keep an earlier network
            self._erf_sizes.stop()

    def _follow(self, analysis: Analysis) -> None:
        self._is_stale = False
        self._growth = growth_of(self._name(), analysis)
        self.plot.set_up(_counted(analysis))
        if self.erf.isChecked():
            self._erf_sizes.start(analysis)
        self._sizes = {}
        self._draw()

    def _draw(self) -> None:
        self._curves = {}
        for i, growth in enumerate((self._growth, *self._others.values())):
            self._draw_one(growth, i)
        has_any = bool(self._growth.size.size or self._others)
        for part in (self._legend, *map(self.plot.getPlotItem().getAxis, ("left", "bottom"))):
            part.setVisible(has_any)  # an empty network has no depth to mark
        for key in set(self._keys) - set(self._curves):
            self._legend.removeItem(self._keys.pop(key))
        if len(self._legend.items) != self._labelled:
            self._follow_colours()
        self._place_legend()
        self._mark()

    def _place_legend(self) -> None:
        """Put the legend into the corner where no curve is: most of them rise to the right."""
        is_low = not rises_late(self._curves.values(), self._base)
        if is_low == self._is_legend_low:
            return  # where the user has moved it to
        self._is_legend_low = is_low
        if is_low:
            self._legend.anchor((0.5, 1), (0.3, 1), offset=(0, -4))  # far from the last layers
        else:
            self._legend.anchor((0, 0), (0, 0), offset=(8, 4))

    def _follow_colours(self) -> None:
        self._labelled = len(self._legend.items)
        ground = QColor(self.plot.palette().color(QPalette.ColorRole.Base))
        ground.setAlpha(_GROUND)
        self._legend.setBrush(pg.mkBrush(ground))  # what is behind its words is faint
        self._legend.setLabelTextColor(self.plot.text_colour)
        for _, label in self._legend.items:
            label.setText(label.text)  # the label takes a new colour only with its text

    def _draw_one(self, growth: Growth, place: int) -> None:
        colour = SERIES[place % len(SERIES)]
        mark = _SYMBOLS[place % len(_SYMBOLS)] if growth.size.size <= _MANY else ""
        key = "" if place == 0 else growth.name
        pen = self.plot.line(colour, 1.8)
        self._curve(key, "size", self._label(growth, place), growth.size, pen, mark)
        if not np.isnan(growth.local).all():
            pen = self.plot.line(colour, 1.8, _LOCAL)
            self._curve(key, "local", "local field" if place == 0 else "", growth.local, pen)
        pen = self.plot.line(colour, 1.4, _JUMP)
        self._curve(key, "jump", "jump" if place == 0 else "", growth.jump, pen)
        if self.erf.isChecked():
            pen = self.plot.line(colour, 1.6, _ERF)
            sizes = self._sizes if place == 0 else self._sizes_of.get(growth.name, {})
            label = "ERF size" if place == 0 else ""
            self._curve(key, "erf", label, growth.erf_curve(sizes), pen)

    def _curve(
        self, key: str, kind: str, label: str, values: Values, pen: QPen, mark: str = ""
    ) -> None:
        """Draw a curve over depth, and name it in the legend."""
        growth = self._others.get(key, self._growth)
        depth, largest = growth.over_depth(values)
        if self.log.isChecked():
            is_there = depth > 0  # what comes before the first layer with weights has no logarithm
            depth, largest = np.log10(depth[is_there]), largest[is_there]
        self._curves[key, kind] = Curve(depth, self._up(largest), pen, mark)
        if (key, kind) not in self._keys:
            self._keys[key, kind] = pg.PlotDataItem([0.0], [0.0], antialias=True)
            if label:
                self._legend.addItem(self._keys[key, kind], label)
        shown = self._keys[key, kind]
        if shown.opts["pen"] != pen:
            shown.setPen(pen)
        if shown.opts["symbol"] != (mark or None):
            shown.setSymbol(mark or None)
            shown.setSymbolSize(5)
            shown.setSymbolBrush(pen.color())
            shown.setSymbolPen(None)
        label_item = self._legend.getLabel(shown)
        if label_item is not None and label and label_item.text != label:
            label_item.setText(label)

    def _up(self, values: Values) -> Values:
        """Return values as positions on the axis of pixels."""
        if not self.log.isChecked():
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values > 0, np.log10(values), np.nan)

    @property
    def _base(self) -> float | None:
        """Where the axis of pixels begins; a logarithmic one, with the lowest curve."""
        return None if self.log.isChecked() else 0.0

    def _show(self) -> None:
        """Draw the curves that were not switched off in the legend, and the marks."""
        curves = tuple(x for key, x in self._curves.items() if self._keys[key].isVisible())
        lines, spot = self._marks()
        self._drawn.show_drawing(
            Drawing(curves, lines, spot, base=self._base), self.plot.quiet_colour
        )

    def _label(self, growth: Growth, place: int) -> str:
        """Return the name of a network, over logarithmic axes with its fitted slopes."""
        law = growth.law(growth.seen) if self.log.isChecked() else None
        if law is None:
            return growth.name
        sizes = self._sizes if place == 0 else self._sizes_of.get(growth.name, {})
        erf = growth.law(growth.erf_curve(sizes)) if self.erf.isChecked() else None
        text = f"{growth.name}: slope {law.exponent:.2f}"
        return text if erf is None else f"{text}, ERF {erf.exponent:.2f}"

    def _marks(self) -> tuple[tuple[Line, ...], Spot | None]:
        """Return the lines of the input's size and of the chosen layer, and its point."""
        quiet, reach = self.plot.quiet_colour, self._growth.reach
        lines: list[Line] = []
        if reach > 0:
            pen = self.plot.line(quiet, 1.0, (1.0, 3.0))
            what = "map" if self._growth.analysis.reference else "input"
            lines.append(Line(self._height(reach), pen, is_level=True, text=f"{what} {reach}"))
        index = self._session.analysis.graph.paths.get(self._selection.layer, 0)
        if index <= 0:
            return tuple(lines), None
        if index > self._growth.size.size:
            return tuple(lines), None
        depth = float(self._growth.depth[index - 1])
        if np.isnan(depth):
            return tuple(lines), None
        if self.log.isChecked() and depth <= 0:
            return tuple(lines), None
        depth = self._height(depth)
        lines.append(Line(depth, self.plot.line(quiet, 1.0)))
        size = float(self._growth.size[index - 1])
        near = float(self._growth.local[index - 1])
        height = size if not np.isnan(size) else float(reach) if np.isnan(near) else near
        if height <= 0:
            return tuple(lines), None
        pen = self.plot.line(self.plot.text_colour, 1.8)
        return tuple(lines), Spot(QPointF(depth, self._height(height)), pen, QColor(SERIES[0]))

    def _height(self, pixels: float) -> float:
        """Return a number as a position on either axis."""
        return float(np.log10(pixels)) if self.log.isChecked() else float(pixels)

    def _follow_selection(self, _selected: object) -> None:
        if not self._is_stale and self._marked != self._selection.layer:
            self._later(Rank.CHARTS, self._mark)

    def _mark(self) -> None:
        self._marked = self._selection.layer
        self._show()
        self._tell(self._session.analysis.graph.paths.get(self._selection.layer, 0))

    # --- pointing -------------------------------------------------------------------------------

    def _nearest(self, point: QPointF) -> int:
        """Return the index in the graph of the layer nearest to a point of the plot."""
        depth, size = point.x(), point.y()
        if self.log.isChecked():
            depth, size = 10 ** min(depth, 9.0), 10 ** min(size, 300.0)
        return self._growth.nearest(depth, size)

    def _choose(self, point: QPointF) -> None:
        if self._growth.size.size:
            index = self._nearest(point)
            self._selection.select_layer(self._session.analysis.graph.nodes[index].name)

    def _read_out(self, point: QPointF | None) -> None:
        if point is None:
            self._tell(self._session.analysis.graph.paths.get(self._selection.layer, 0))
        elif self._growth.size.size:
            self._tell(self._nearest(point))

    def _tell(self, index: int) -> None:
        if not 0 < index <= self._growth.size.size:
            self.readout.setText("" if self._growth.size.size else "No layers yet.")
            return
        layer = self._growth.analysis.at(index)
        depth = "" if layer.depth is None else f"depth {layer.depth} · "
        field, jump = _field_words(layer, self._growth.analysis.units), steps_text(layer.jump)
        text = f"{depth}{short_name(layer.name)}: {field}, jump {jump}"
        if index in self._sizes and self.erf.isChecked():
            text += f", ERF {self._sizes[index]:.1f}"
        self.readout.setText(f"{text}   ·   {_PAPER}" if self.log.isChecked() else text)
        self.readout.setToolTip(layer.name)

    # --- switches -------------------------------------------------------------------------------

    def _switch_log(self, is_on: bool) -> None:
        self._settings.set("growth/log", is_on)
        for side in ("left", "bottom"):
            self.plot.getPlotItem().getAxis(side).setLogMode(is_on)
        self._draw()
        self.plot.show_all()

    def _switch_erf(self, is_on: bool) -> None:
        self._settings.set("growth/erf", is_on)
        self._sizes = {}
        if is_on:
            self._erf_sizes.start(self._session.analysis)
            for name in self._others:
                self._measure(name)
        else:
            self._erf_sizes.stop()
        self._draw()

    def _show_erf_sizes(self, sizes: dict[int, float]) -> None:
        self._sizes = sizes
        if self.erf.isChecked():
            self._draw()


def _field_words(layer: LayerAnalysis, units: Units) -> str:
    """Return what a unit of a layer sees, with its local field where that is another one."""
    text = f"size {field_text(layer)}"
    if layer.is_global and all(layer.is_global):
        text = f"sees the whole {units.whole}"
    has_local = layer.local is not None and any(layer.is_global)
    return f"{text}, locally {local_text(layer)}" if has_local else text
