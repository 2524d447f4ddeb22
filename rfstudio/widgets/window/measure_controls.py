"""Connects measuring with the window: start, cancel, progress, and errors."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction

from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.effective.measuring_work import Subject
from rfstudio.app.effective.shelf import Shelved
from rfstudio.app.effective.shown_fields import words_of
from rfstudio.app.effective.unit_following import UnitFollowing
from rfstudio.app.failures import failure_words
from rfstudio.app.jobs import JobRunner
from rfstudio.app.wording.texts import short_name
from rfstudio.core.plural import counted
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
        self._last: tuple[float, Any] = 0.0, None
        self._still = ""
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
        erf_session.running_changed.connect(self._follow_running)
        erf_session.advanced.connect(self._follow_progress)
        erf_session.finished_elsewhere.connect(self._tell_finished)
        erf_session.failed_elsewhere.connect(self._tell_failed_elsewhere)
        erf_session.cut_short.connect(self._tell_cut)
        erf_session.erf_changed.connect(self._follow_result)
        erf_session.failed.connect(self._tell_failure)
        if runner is not None:
            runner.worker_changed.connect(self._follow_worker)

    def _follow_state(self) -> None:
        self._show_more()
        session = self._erf_session
        if session is None or session.running is None:
            return
        self._follow_progress(*self._last)
        if not session.is_measuring:
            self._still = (
                f"{_unit_text(session.running)} is still being measured; its result goes to "
                "Results, and is shown when you come back"
            )
            self._status.tell(self._still)

    def _follow_running(self, subject: Subject | None) -> None:
        is_running = subject is not None
        if not is_running:
            self._status.withdraw(self._still)
        self._last = 0.0, None
        self._cancel.setEnabled(is_running)
        self._status.show_progress(0.0 if is_running else None, "starting")
        self._status.progress.setToolTip("" if subject is None else f"{_unit_text(subject)}")

    def _show_more(self) -> None:
        session = self._erf_session
        self._more.setEnabled(session is not None and not session.why_no_more)

    def _follow_progress(self, fraction: float, so_far: Any) -> None:
        self._last = fraction, so_far
        words = words_of(so_far, fraction).partition(" sample")[0] or "starting"
        session = self._erf_session
        if session is not None and not session.is_measuring:
            words = f"elsewhere, {words}"
        self._status.show_progress(fraction, words)

    def _tell_finished(self, shelved: Shelved) -> None:
        self._status.tell(
            f"{_unit_text(shelved.subject)} is measured, {shelved.progress}; its result is in "
            "Results"
        )

    def _tell_cut(self, subject: Subject, kept: Shelved | None) -> None:
        what = "without samples" if kept is None else f"its {kept.progress} are on the shelf"
        self._status.tell(
            f"The measurement of unit{_unit_text(subject).removeprefix('Unit')} has ended: {what}"
        )

    def _tell_failed_elsewhere(self, subject: Subject, error: Exception) -> None:
        self._status.tell(f"{_unit_text(subject)} was not measured: {failure_words(error)}")

    def _follow_result(self, result: Any) -> None:
        self._show_more()
        if result is None or self._erf_session is None:
            return
        self._status.show_device(result.device)
        if short := self._erf_session.shortfall:
            self._status.tell(f"Stopped after {short}")
        else:
            self._status.tell(
                f"Measured {counted(result.samples, 'sample')} in {result.seconds:.1f} s"
            )

    def _follow_worker(self, state: str) -> None:
        self._status.show_device(_WORKER.get(state, state))

    def _tell_failure(self, error: Exception) -> None:
        session = self._erf_session
        failure = "" if session is None else session.measurement.failure
        self._status.tell(failure or f"Not measured: {failure_words(error)}")


def _unit_text(subject: Subject) -> str:
    return f"Unit ({', '.join(map(str, subject.unit))}) of {short_name(subject.layer)}"
