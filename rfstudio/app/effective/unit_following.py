"""The switch "Follow the unit": measures the chosen unit as soon as it stops moving."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal

from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection

UNIT_RESTS = 150
"""Milliseconds without a move after which a unit is measured."""

NETWORK_RESTS = 400
"""Milliseconds without an edit, of the network or of an option, after which the unit is
measured."""


class UnitFollowing(QObject):
    """While it is on, moves and edits start a measurement: a single one after many in a row.

    A unit whose complete result waits on the shelf is not measured again.  The switch is off at
    the start of the program, since it keeps a processor busy.

    Signals
    -------
    switched
        Whether it is on now.
    """

    switched = Signal(bool)

    def __init__(
        self,
        erf_session: ErfSession,
        session: AnalysisSession,
        selection: Selection,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._erf_session = erf_session
        self._is_on = False
        self._rest = QTimer(self, singleShot=True)
        self._rest.timeout.connect(erf_session.measure)
        # `erf_session` was connected first, so it knows the chosen unit by now.
        selection.selection_changed.connect(lambda: self._follow(UNIT_RESTS))
        session.analysis_changed.connect(lambda: self._follow(NETWORK_RESTS))
        erf_session.options_changed.connect(lambda: self._wait(NETWORK_RESTS))
        erf_session.state_changed.connect(self._stop_waiting)

    @property
    def is_on(self) -> bool:
        """Whether moves and edits start a measurement."""
        return self._is_on

    @property
    def is_waiting(self) -> bool:
        """Whether a measurement will begin as soon as nothing moves."""
        return self._rest.isActive()

    def switch(self, is_on: bool) -> None:
        """Follow the unit, or measure only on request; a running measurement continues."""
        if is_on == self._is_on:
            return
        self._is_on = is_on
        self._rest.stop()
        self._follow(0)
        self.switched.emit(is_on)

    def look(self) -> None:
        """Check whether the chosen unit has lost its measurement, for example to another image."""
        self._follow(UNIT_RESTS)

    def _follow(self, rest: int) -> None:
        if not self._erf_session.is_current:
            self._wait(rest)

    def _wait(self, rest: int) -> None:
        if self._is_on:
            # An edit moves the selection too; the longer rest counts.
            self._rest.start(max(rest, self._rest.remainingTime()))

    def _stop_waiting(self, state: str) -> None:
        if state == "measuring":
            self._rest.stop()
