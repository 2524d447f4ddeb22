"""Connects measuring with the window: start, cancel, progress, and errors."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction

from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.effective.shown_fields import words_of
from rfstudio.app.effective.unit_following import UnitFollowing
from rfstudio.app.jobs import JobRunner
from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.window.status import Status

_WORKER = {"starting": "torch is starting …", "ready": "torch ready", "ended": ""}


class MeasureControls(QObject):
    """Connects the actions and the status bar with an `ErfSession`.

    Without a session the actions stay disabled.
    """

    def __init__(
        self,
        erf_session: ErfSession | None,
        runner: JobRunner | None,
        status: Status,
        measure: QAction,
        cancel: QAction,
        parent: QObject,
        *,
        following: UnitFollowing | None = None,
        more: QAction | None = None,
        follow: QAction | None = None,
    ) -> None:
        super().__init__(parent)
        self._status = status
        self._erf_session = erf_session
        self._cancel = cancel
        self._more = more or QAction(self)
        self._more.setEnabled(False)
        measure.setEnabled(erf_session is not None)
        if follow is not None:
            follow.setEnabled(following is not None)
        if follow is not None and following is not None:
            follow.setChecked(following.is_on)
            follow.toggled.connect(following.switch)
            following.switched.connect(follow.setChecked)
        if erf_session is None:
            return
        measure.triggered.connect(erf_session.measure)
        cancel.triggered.connect(erf_session.cancel)
        self._more.triggered.connect(erf_session.measure_more)
        status.cancel_wanted.connect(erf_session.cancel)
        erf_session.state_changed.connect(self._follow_state)
        erf_session.progressed.connect(self._follow_progress)
        erf_session.erf_changed.connect(self._follow_result)
        erf_session.failed.connect(self._tell_failure)
        if runner is not None:
            runner.worker_changed.connect(self._follow_worker)

    def _follow_state(self, state: str) -> None:
        is_measuring = state == "measuring"
        self._cancel.setEnabled(is_measuring)
        self._show_more()
        self._status.show_progress(0.0 if is_measuring else None, "starting")

    def _show_more(self) -> None:
        session = self._erf_session
        self._more.setEnabled(session is not None and not session.why_no_more)

    def _follow_progress(self, fraction: float, so_far: Any) -> None:
        words = words_of(so_far, fraction)
        self._status.show_progress(fraction, words.removesuffix(" samples"))

    def _follow_result(self, result: Any) -> None:
        self._show_more()
        if result is None or self._erf_session is None:
            return
        self._status.show_device(result.device)
        if short := self._erf_session.shortfall:
            self._status.tell(f"Stopped after {short}")
        else:
            self._status.tell(f"Measured {result.samples} samples in {result.seconds:.1f} s")

    def _follow_worker(self, state: str) -> None:
        self._status.show_device(_WORKER.get(state, state))

    def _tell_failure(self, error: Exception) -> None:
        text = (
            str(error) if isinstance(error, RFStudioError) else f"{type(error).__name__}: {error}"
        )
        self._status.tell(f"Not measured: {text}")
