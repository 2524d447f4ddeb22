"""The effective fields of the chosen unit, for everything in the window that shows them."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from PySide6.QtCore import QObject, Signal, SignalInstance

from rfstudio.app.effective.expected_fields import EXPECTED
from rfstudio.app.effective.shown_fields import (
    NOTHING_MEASURED,
    Measurement,
    ShownFields,
    shown_fields,
)
from rfstudio.app.slices import Slices
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.core.fields.analysis import Analysis

QUIET = 80
"""Milliseconds without a move after which a field is begun, if the last ones took long."""


class Measurements(Protocol):
    """Where measurements come from: `rfstudio.app.effective.erf_session.ErfSession`."""

    @property
    def measurement(self) -> Measurement:
        """What is measured, and what is known of it so far."""
        ...

    @property
    def measurement_changed(self) -> SignalInstance:
        """Emitted whenever anything about the measurement changes."""
        ...


class ErfView(QObject):
    """Holds the fields that are shown, and announces when others are.

    What is shown is decided by `rfstudio.app.effective.shown_fields.shown_fields` alone.  It is
    computed when the first view reads it.  An expected field that takes long is completed after the
    frame, in slices between which the window paints; it is given up when another unit is chosen.

    Parameters
    ----------
    session, selection
        What the fields belong to.
    measurements
        Where measured fields come from; None: only expected fields are shown.

    Signals
    -------
    changed
        Something else is shown, or nothing.
    """

    changed = Signal()

    def __init__(
        self,
        session: AnalysisSession,
        selection: Selection,
        measurements: Measurements | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._selection = selection
        self._measurements = measurements
        self._announced = selection.shown
        self._shown: ShownFields | None = None
        self.slices = Slices(self)
        self._begun: tuple[Analysis | None, object] = (None, None)
        session.analysis_changed.connect(self._follow)
        selection.selection_changed.connect(self._follow)
        if measurements is not None:
            measurements.measurement_changed.connect(self._change)

    @property
    def shown(self) -> ShownFields:
        """What is shown now."""
        shown, (analysis, chosen) = self._shown, self._selection.shown
        if shown is None or not shown.is_of(analysis, chosen.layer, chosen.unit):
            self._shown = None
            shown = self._shown = self._look()
        return shown

    def complete(self) -> ShownFields:
        """Return what is shown, with the expected field however long it takes."""
        if self.shown.is_late:
            self.slices.finish()
        return self.shown

    def _look(self) -> ShownFields:
        analysis, chosen = self._selection.shown
        unit = (analysis, chosen.layer, chosen.unit)
        source = self._measurements
        measurement = NOTHING_MEASURED if source is None else source.measurement
        init = measurement.init
        is_late = not EXPECTED.knows(*unit, init) and not self._begin(*unit, init)
        expected = None if is_late else EXPECTED.of(*unit, init)
        return shown_fields(*unit, measurement, expected, is_late=is_late)

    def _begin(self, analysis: Analysis, layer: str, unit: tuple[int, ...], init: str) -> bool:
        """Begin an expected field, or go on with it; return whether it is complete."""
        known, begun = self._begun
        if self.slices.is_busy and known is analysis and begun == (layer, unit, init):
            return False
        self._begun = analysis, (layer, unit, init)
        work = partial(EXPECTED.of, analysis, layer, unit, init)
        if EXPECTED.takes_long:
            return self.slices.start(work, self._take, wait=QUIET)
        return self.slices.start(work, self._take, at_once=True)

    def _take(self, _field: object) -> None:
        if self._shown is not None:  # else it is in time for the frame
            self._change()

    def _follow(self) -> None:
        # An edit that moves the unit is announced twice.
        if not self._selection.shown.is_same(self._announced):
            self._announced = self._selection.shown
            self.slices.drop()
            self._change()

    def _change(self) -> None:
        self._shown = None
        self.changed.emit()
