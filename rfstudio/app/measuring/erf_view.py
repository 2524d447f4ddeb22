"""Which effective field the window shows: the measured one if it is current, else the expected."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from rfstudio.app.measuring.erf_session import ErfSession
from rfstudio.app.measuring.expected_fields import EXPECTED
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.core.effective.expected import Erf
from rfstudio.core.metrics.metrics import FixedFrame, Metrics
from rfstudio.engine.requests.request import ErfResult


class ShownErf(NamedTuple):
    """An effective field as views show it.

    Attributes
    ----------
    label
        "expected" or "measured", with the estimator.
    map
        One number a pixel of the input.
    metrics
        Its numbers, as `rfstudio.core.metrics.metrics` has them.
    note
        A remark for below the numbers, such as why it is approximate.
    """

    label: str
    map: NDArray[np.float64]
    metrics: Metrics
    note: str = ""


class ErfView(QObject):
    """Announces the effective field that is current.

    Parameters
    ----------
    session, selection
        What the field belongs to.
    erf_session
        Where measurements come from; None: only the expected field is shown.

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
        erf_session: ErfSession | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._selection = selection
        self._erf_session = erf_session
        self._measured: ShownErf | None = None
        self._expected: ShownErf | None = None
        self._is_stale = True
        self._shown = selection.shown
        session.analysis_changed.connect(self._forget)
        selection.selection_changed.connect(self._forget)
        if erf_session is not None:
            erf_session.erf_changed.connect(self._take_measured)

    @property
    def shown(self) -> ShownErf | None:
        """What is shown; None if there is none."""
        return self._measured or self.expected

    @property
    def measured(self) -> ShownErf | None:
        """The measured field, complete or stopped; None if there is none."""
        return self._measured

    @property
    def expected(self) -> ShownErf | None:
        """The expected field, computed when it is first asked for."""
        if self._is_stale:
            self._is_stale = False
            self._expected = self._compute()
        return self._expected

    def _compute(self) -> ShownErf | None:
        chosen = self._selection.value
        erf = EXPECTED.of(self._session.analysis, chosen.layer, chosen.unit)
        if erf is None:
            return None
        exactness = "exact" if erf.exact else "approximate"
        return ShownErf(f"expected ({exactness})", erf.map, self._metrics(erf), _sentences(erf))

    def _forget(self) -> None:
        shown = self._selection.shown
        if shown.is_same(self._shown):
            return  # an edit that moves the unit is announced twice
        self._shown = shown
        self._measured = None
        self._is_stale = True
        self.changed.emit()

    def _take_measured(self, erf: ErfResult | None) -> None:
        self._measured = None
        if erf is not None:
            short = "" if self._erf_session is None else self._erf_session.shortfall
            far = short or f"{erf.samples} samples"
            label = f"measured ({erf.options.get('estimator', 'energy')}, {far})"
            self._measured = ShownErf(label, erf.map, self._metrics(erf), _sentences(erf))
        self.changed.emit()

    def _metrics(self, erf: Erf | ErfResult) -> Metrics:
        unit = self._session.unit(erf.layer, erf.unit)
        region = unit.theoretical_region
        if region is None:
            return Metrics(erf.map, FixedFrame())
        centre = tuple((first + last) / 2 for first, last in region)
        size = tuple(last - first + 1 for first, last in region)
        return Metrics(erf.map, FixedFrame(centre, size, unit.visible_region))


def _sentences(erf: Erf | ErfResult) -> str:
    return " ".join(f"{x[:1].upper()}{x[1:].rstrip('.')}." for x in erf.notes)
