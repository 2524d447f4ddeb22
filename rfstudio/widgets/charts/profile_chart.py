"""The profile chart: sections through the effective field of the chosen unit, along each axis."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from itertools import pairwise
from math import ceil, floor, inf, isfinite

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPalette, QShowEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.effective.expected_fields import EXPECTED
from rfstudio.app.effective.pins import LETTERS, Pins
from rfstudio.app.effective.shown_fields import ShownFields
from rfstudio.app.frames import Later, Rank, at_once
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection, Shown
from rfstudio.app.state.settings import Settings
from rfstudio.app.wording.no_field import why_no_field
from rfstudio.core.fields.analysis import Analysis, UnitView
from rfstudio.core.fields.comparable import are_over_same_map
from rfstudio.core.metrics.gaussian_fit import GaussianFit
from rfstudio.core.metrics.registry import digits_text
from rfstudio.core.metrics.section import Section, section
from rfstudio.core.network.sample_words import PIXELS, Units
from rfstudio.widgets.canvas.colours import (
    ERF,
    LOCAL,
    PIN,
    PIN_DASHES,
    PIN_SAMPLES,
    SERIES,
    THEORETICAL,
)
from rfstudio.widgets.canvas.unit_grid import grid_of
from rfstudio.widgets.charts.curves import Curve, Curves, Drawing, Line, Values, alternates
from rfstudio.widgets.charts.legend import LegendLine
from rfstudio.widgets.charts.plot import Plot
from rfstudio.widgets.parts.elided_label import ElidedLabel
from rfstudio.widgets.parts.flow_layout import FlowLayout
from rfstudio.widgets.parts.theme import clear_on

_AXES = ("z", "y", "x")
_FLOOR = 1e-4
"""Least share of the peak that a logarithmic axis shows."""

_STEPS = 8
"""The ends of the axis move in steps of the image size divided by this number."""

_MEASURED = SERIES[1]
# Each unlike those of the pins, which are drawn over the same axis.
_FIT_DASHES = (1.0, 4.0)
_MEASURED_DASHES = (9.0, 2.0, 2.0, 2.0, 2.0, 2.0)
_VISIBLE_DASHES = (4.0, 3.5)
_LOCAL_DASHES = (7.0, 2.5, 1.5, 2.5)


def _range(analysis: Analysis, layer: str, axis: int) -> tuple[float, float]:
    """Return the part of an axis that holds the image and all regions of a layer.

    The same for all units, so that nothing jumps while one is dragged; in steps, so that most edits
    do not change the axis; and at most a part of regions of thousands of pixels.
    """
    pixels = analysis.reference_size[axis]
    index = analysis.graph.index(layer)
    field, units = analysis.fields[index][axis], analysis.graph.nodes[index].size[axis]
    first, last = field.interval(0), field.interval(max(units - 1, 0))
    low = 0 if first is None else max(min(first[0], 0), -pixels // 2)
    high = pixels - 1 if last is None else min(max(last[1], pixels - 1), pixels + pixels // 2)
    step = max(pixels // _STEPS, 1)
    return step * floor(low / step) - 0.5, step * ceil((high + 1) / step) - 0.5


_DIGITS = 4
"""Of both estimates of a width, as in the table of numbers."""

_HEADROOM = 0.25
"""Share of the peak left free above it, for the line of words."""


def _has_local(view: UnitView) -> bool:
    """Whether a unit has a local field that is not its whole field, as after a gate."""
    return view.local_region not in (None, view.theoretical_region)


class ProfileChart(QWidget):
    """Shows sections through the expected and the measured field, and the borders of the region.

    Parameters
    ----------
    session
        The analysis of the document.
    selection
        The chosen layer and unit.
    erf_view
        The effective fields of the chosen unit.
    parent
        The widget around it.
    settings
        Where the switches are remembered; the user's own settings if None.
    later
        Called to follow a change in a later frame.
    """

    def __init__(
        self,
        session: AnalysisSession,
        selection: Selection,
        erf_view: ErfView,
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
        self._plots: list[_SectionPlot] = []
        self._pins: Pins | None = None
        self.message = QLabel(alignment=Qt.AlignmentFlag.AlignCenter, wordWrap=True)
        self.log = QCheckBox("Log")
        self.log.setToolTip("Logarithmic axis, four decades")
        self.log.setChecked(self._settings.flag("profile/log", False))
        self.legend = LegendLine()
        # The sentence takes what the legend leaves, however long it is: the plots are low.
        row = FlowLayout(gap=12, rest=1, least=24)
        row.setContentsMargins(8, 3, 8, 3)
        self.beyond = ElidedLabel()
        self.beyond.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        row.addWidget(self.legend)
        row.addWidget(self.beyond)
        row.addWidget(self.log)
        self._row = QHBoxLayout()
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.message, 1)
        column.addLayout(self._row, 1)
        self._erf_view = erf_view
        self._is_stale = True
        self._shown: Shown | None = None
        self.log.toggled.connect(self._switch_log)
        session.analysis_changed.connect(self._follow)
        selection.selection_changed.connect(self._follow)
        erf_view.changed.connect(self._refresh_later)
        self._refresh()

    @property
    def plots(self) -> tuple[Plot, ...]:
        """One plot for each axis, in tensor order."""
        return tuple(x.plot for x in self._plots)

    def show_pins(self, pins: Pins) -> None:
        """Draw the sections of pins as well, and follow them."""
        self._pins = pins
        pins.changed.connect(self._refresh)

    def _pinned(self, axis: int, analysis: Analysis) -> dict[str, Section]:
        """Return the sections of the pins over the same map, by their letters."""
        found = {}
        for pin in () if self._pins is None else self._pins:
            if pin.field is None or not are_over_same_map(pin.analysis, analysis):
                continue
            centre = grid_of(pin.analysis, pin.layer).centre(pin.unit)
            part = section(pin.field.map, centre, axis)
            if part is not None:
                found[f"pin {pin.letter}"] = part
        return found

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Catch up with what changed while the chart was hidden."""
        super().showEvent(event)
        if self._is_stale:
            self._refresh()

    def _follow(self) -> None:
        if not self._selection.shown.is_same(self._shown):
            self._refresh_later()

    def _refresh_later(self) -> None:
        self._later(Rank.CHARTS, self._refresh)

    def _refresh(self, _changed: object = None) -> None:
        # A hidden tab costs nothing while a unit is dragged.
        self._is_stale = not self.isVisible()
        if self._is_stale:
            self._shown = None  # which would keep an earlier network as long as it is hidden
            return
        layer, unit = self._selection.layer, self._selection.unit
        analysis = self._session.analysis
        if layer not in analysis:
            return
        self._shown = self._selection.shown
        self._prepare(len(analysis.reference_size))
        shown = self._erf_view.shown
        expected, measured = shown.expected, shown.measured
        if why := why_no_field(shown, self._session.unit):
            self._say(" ".join(x for x in (shown.measurement.failure, why) if x))
            return
        assert shown.field is not None
        view = self._session.unit(layer, unit)
        self._say("")
        centre = grid_of(analysis, layer).centre(unit)
        beside = None if expected is None else expected.map
        units, sigmas = analysis.units, shown.field.metrics.sigma
        for axis, plot in enumerate(self._plots):
            plot.show_units(units, None if sigmas is None else sigmas[axis], len(self._plots) > 1)
            plot.show_range(*_range(analysis, layer, axis))
            plot.show_sections(
                view,
                None if expected is None else section(expected.map, centre, axis),
                None if measured is None else section(measured.map, centre, axis, beside),
                self._pinned(axis, analysis),
            )
        self._explain("" if measured is None else measured.name)
        self._remark(shown)

    def _remark(self, shown: ShownFields) -> None:
        """Say what would puzzle a reader of the curves."""
        units = shown.analysis.units
        remarks = [shown.measurement.failure] if shown.measurement.error is not None else []
        if shown.expected is None and not shown.is_late:
            unit = (shown.analysis, shown.layer, shown.unit)
            if why := EXPECTED.why_none(*unit, shown.measurement.init):
                reason = why.partition(";")[0].rstrip(".")  # measured it was already
                remarks.append(f"Nothing expected beside it: {reason[:1].lower()}{reason[1:]}.")
        beyond = {kind for plot in self._plots for kind in plot.borders_beyond}
        remarks += [
            f"The {kind} region reaches beyond this axis."
            for kind in ("theoretical", "local")
            if kind in beyond
        ]
        banded = {name for plot in self._plots for name in plot.banded}
        if banded - {"measured"}:
            remarks.append(
                f"Band: strides or dilation read neighbouring {units.many} unequally often; the "
                "line is their mean."
            )
        elif banded:
            remarks.append(
                f"Band: single {units.many} of a measurement differ by chance; the line is their "
                "mean."
            )
        self._note(" ".join(remarks))

    def _note(self, text: str) -> None:
        """Show a sentence beside the legend, which has its place also while there is none."""
        if text != self.beyond.text():
            self.beyond.setText(text)
            self.beyond.setToolTip(text)

    def _prepare(self, axes: int) -> None:
        if len(self._plots) == axes:
            return
        for plot in self._plots:
            self._row.removeWidget(plot.plot)
            plot.plot.deleteLater()
        self._plots = [_SectionPlot(i, _AXES[-axes:][i]) for i in range(axes)]
        for plot in self._plots:
            plot.set_log(self.log.isChecked())
            self._row.addWidget(plot.plot, 1)
        stops: list[QWidget] = [self.log, *self.plots]
        for before, shown in pairwise(stops):
            self.setTabOrder(before, shown)

    def _say(self, text: str) -> None:
        if text:
            self._note("")  # it was on curves that are no longer there
        self.message.setText(text)
        self.message.setVisible(bool(text))
        self.legend.setVisible(not text)
        for plot in self._plots:
            plot.plot.setVisible(not text)

    def _explain(self, measured: str) -> None:
        """Name the lines that are drawn, along whichever axis, and no others."""
        samples = dict(zip(LETTERS, PIN_SAMPLES, strict=True))
        named = {
            "expected": self._entry(ERF, "▬", "expected"),
            "measured": self._entry(_MEASURED, "▬▬ ▪ ▪ ▬▬", measured),
            **{f"pin {x}": self._entry(PIN, samples[x], x) for x in LETTERS},
            "fit": "· · · ·&nbsp;fitted Gaussian",
            "theoretical": self._entry(THEORETICAL, "▏", "theoretical"),
            "local": self._entry(LOCAL, "┇", "local"),
            "visible": "┆ visible",
        }
        drawn = {name for plot in self._plots for name in plot.drawn}
        self.legend.show_entries({x: text for x, text in named.items() if x in drawn})

    def _entry(self, colour: QColor | str, sample: str, name: str) -> str:
        shown = clear_on(colour, self.palette().color(QPalette.ColorRole.Window))
        return f'<span style="color:{shown.name()}">{sample}</span> {escape(name)}'

    def _switch_log(self, is_on: bool) -> None:
        self._settings.set("profile/log", is_on)
        for plot in self._plots:
            plot.set_log(is_on)
        self._refresh()


def share_text(share: float) -> str:
    """Return a share of a variance; nearly all of it is not all of it."""
    text = f"{share:.3f}"
    return text if text != "1.000" or share == 1 else "> 0.999"


class _SectionPlot:
    """The section along one axis."""

    def __init__(self, axis: int, name: str) -> None:
        self._axis = axis
        self._name = name
        self._units = PIXELS
        self._title = ""
        self._by_moments: float | None = None
        self._is_log = False
        self.plot = Plot(f"{name}, in pixels", "of the peak", counts=True)
        self.plot.setAccessibleName(f"Section through the effective field along {name}")
        self._drawn = Curves(self.plot.getPlotItem().getViewBox())
        self.plot.hovered_at.connect(self._read_out)
        self.values: dict[str, Values] = {}
        self.borders: list[tuple[str, float]] = []
        self._shown: Section | None = None
        self._fit_text = ""
        self._brief_fit = ""
        self._note = ""
        self._brief = ""
        self._height = 1.0 + _HEADROOM
        self._range: tuple[float, float] | None = None
        self.plot.colours_changed.connect(self._draw)

    def set_log(self, is_log: bool) -> None:
        """Draw over four decades, or linearly."""
        self._is_log = is_log
        item = self.plot.getPlotItem()
        item.getAxis("left").setLogMode(is_log)
        low = float(np.log10(_FLOOR)) if is_log else 0.0
        item.setLimits(yMin=low - 0.1 if is_log else -0.05)
        item.setYRange(low, 0.3 if is_log else self._height, padding=0)

    def show_sections(
        self,
        view: UnitView,
        expected: Section | None,
        measured: Section | None,
        pinned: Mapping[str, Section],
    ) -> None:
        """Draw the sections of one unit."""
        self._shown = measured or expected
        fit = None if self._shown is None else self._shown.fit
        found = {
            "expected": None if expected is None else expected.values,
            "measured": None if measured is None else measured.values,
            **{name: x.values for name, x in pinned.items()},
            # Drawn last, since a jagged field would hide it.
            "fit": None if self._shown is None else self._shown.fitted(),
        }
        self.values = {name: values for name, values in found.items() if values is not None}
        self.borders = [
            (kind, region[self._axis][side] + (0.5 if side else -0.5))
            for kind, region in (
                ("theoretical", view.theoretical_region),
                ("local", view.local_region if _has_local(view) else None),
                ("visible", view.visible_region),
            )
            if region is not None
            for side in (0, 1)
        ]
        whose = ", ".join(x for x in (self._title, "" if measured is None else "measured") if x)
        self._fit_text = self._brief_fit = self._title
        if fit is not None:
            start = f"{whose}: " if whose else ""
            self._fit_text = start + self._words_of(fit)
            sigma, share = digits_text(fit.sigma[0], _DIGITS), share_text(fit.r_squared)
            self._brief_fit = f"{start}σ {sigma}, R² {share}"
        self._note, self._brief = self._fit_text, self._brief_fit
        self._show_height(max([1.0, *(float(x.values.max()) for x in (expected, measured) if x)]))
        self._draw()

    def _words_of(self, fit: GaussianFit) -> str:
        # Two estimators of one width: people compare this number with that of the inspector.
        known, short = self._by_moments, self._units.short
        by_moments = "" if known is None else f", {digits_text(known, _DIGITS)} by moments"
        return (
            f"σ {digits_text(fit.sigma[0], _DIGITS)} {short} by the Gaussian fitted here"
            f"{by_moments}, R² {share_text(fit.r_squared)}"
        )

    def show_units(self, units: Units, by_moments: float | None, has_others: bool) -> None:
        """Show what the axis counts, and remember the other estimate of σ.

        The axis is named beside the numbers if there are others, since a low plot has no titles.
        """
        self._units = units
        self._title = self._name if has_others else ""
        is_known = by_moments is not None and isfinite(by_moments)
        self._by_moments = by_moments if is_known else None
        self.plot.set_across(f"{self._name}, in {units.many}")

    @property
    def drawn(self) -> frozenset[str]:
        """The names of the curves and borders that are drawn."""
        return frozenset(self.values) | {kind for kind, _ in self.borders}

    @property
    def borders_beyond(self) -> frozenset[str]:
        """The regions of which a border is outside the part of the axis that is shown."""
        low, high = self._range or (-inf, inf)
        return frozenset(kind for kind, place in self.borders if not low <= place <= high)

    @property
    def banded(self) -> frozenset[str]:
        """The sections that go up and down from sample to sample."""
        curves = zip(self.values, self._drawn.drawing.curves, strict=False)
        return frozenset(name for name, curve in curves if curve.is_band)

    def _show_height(self, highest: float) -> None:
        """Show all of a curve that rises above the peak of the other one."""
        # In steps, so that the axis does not tremble during a measurement.
        height = _HEADROOM + ceil(4 * highest) / 4
        if not self._is_log and height != self._height:
            self.plot.getPlotItem().setYRange(0.0, height, padding=0)
        self._height = height

    def _draw(self) -> None:
        plot = self.plot
        pens = {
            "expected": plot.line(ERF, 2.0),
            "measured": plot.line(_MEASURED, 1.6, _MEASURED_DASHES),
            **{
                f"pin {letter}": plot.line(PIN, 1.6, tuple(dashes))
                for letter, dashes in zip(LETTERS, PIN_DASHES, strict=True)
            },
            "fit": plot.line(plot.text_colour, 1.4, _FIT_DASHES),
            "theoretical": plot.line(THEORETICAL, 2.0),
            "local": plot.line(LOCAL, 2.0, _LOCAL_DASHES),
            "visible": plot.line(plot.text_colour, 1.0, _VISIBLE_DASHES),
        }
        curves = tuple(
            Curve(
                np.arange(values.size, dtype=float),
                self._up(values),
                pens[name],
                is_band=not self._is_log and name != "fit" and alternates(values),
            )
            for name, values in self.values.items()
        )
        lines = tuple(Line(place, pens[kind]) for kind, place in self.borders)
        self._drawn.show_drawing(
            Drawing(curves, lines, note=self._note, brief=self._brief), plot.text_colour
        )

    def _up(self, values: Values) -> Values:
        """Return values as they are drawn on the axis."""
        if not self._is_log:
            return values
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(values > _FLOOR / 10, np.log10(values), np.nan)

    def show_range(self, low: float, high: float) -> None:
        """Show a part of the axis, unless it is shown already."""
        if self._range != (low, high):
            self._range = (low, high)
            self.plot.getPlotItem().setXRange(low, high, padding=0.02)

    def _read_out(self, point: QPointF | None) -> None:
        text, brief = self._fit_text, self._brief_fit
        if point is not None and self._shown is not None:
            pixel = round(point.x())
            if 0 <= pixel < self._shown.values.size:
                share = float(self._shown.values[pixel])
                brief = f"{self._units.one} {pixel}: {100 * share:.3g} %"
                text = f"{brief}   {text}"
        if text != self._note:
            self._note, self._brief = text, brief
            self._draw()
