"""Which effective field the window shows: the measured one if it is current, else the expected."""

from __future__ import annotations

from typing import Any, NamedTuple

from PySide6.QtCore import QObject, Signal

from rfstudio.app.analysis_session import AnalysisSession
from rfstudio.app.selection import Selection
from rfstudio.core.errors import RFStudioError


class ShownErf(NamedTuple):
    """An effective field as views show it.

    Attributes
    ----------
    label
        "expected" or "measured", with the estimator.
    map
        One number a pixel of the input.
    metrics
        Its numbers, as `rfstudio.core.metrics` has them.
    note
        A remark for below the numbers, such as why it is approximate.
    """

    label: str
    map: Any
    metrics: object
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
        erf_session: Any = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._selection = selection
        self._measured: ShownErf | None = None
        self._expected: ShownErf | None = None
        self._is_stale = True
        self._reason = ""
        session.analysis_changed.connect(self._forget)
        selection.selection_changed.connect(self._forget)
        if erf_session is not None:
            erf_session.erf_changed.connect(self._take_measured)

    @property
    def shown(self) -> ShownErf | None:
        """What is shown; None if there is none, and then `reason` says why."""
        return self._measured or self.expected

    @property
    def expected(self) -> ShownErf | None:
        """The expected field, computed when it is first asked for."""
        if self._is_stale:
            self._is_stale = False
            self._expected = self._compute()
        return self._expected

    @property
    def reason(self) -> str:
        """Why nothing is shown, in a sentence."""
        return self._reason

    def _compute(self) -> ShownErf | None:
        self._reason = ""
        chosen = self._selection.value
        try:
            erf = self._session.expected_erf(chosen.layer, chosen.unit)
        except RFStudioError as error:
            self._reason = str(error)
            return None
        if erf is None:
            return None
        exactness = "exact" if erf.exact else "approximate"
        return ShownErf(f"expected ({exactness})", erf.map, erf.metrics, "\n".join(erf.notes))

    def _forget(self) -> None:
        self._measured = None
        self._is_stale = True
        self.changed.emit()

    def _take_measured(self, erf: Any) -> None:
        self._measured = None
        if erf is not None:
            label = f"measured ({getattr(erf, 'estimator', 'energy')})"
            notes = getattr(erf, "notes", ())
            self._measured = ShownErf(label, erf.map, erf.metrics, "\n".join(notes))
        self.changed.emit()
