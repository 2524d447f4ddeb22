"""Connects measuring with the window: start, cancel, progress, and what went wrong."""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction

from rfstudio.app.erf_session import ErfSession
from rfstudio.app.jobs import JobRunner
from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.status import Status

_WORKER = {"starting": "torch is starting …", "ready": "torch ready", "ended": ""}


class MeasureControls(QObject):
    """Lets two actions and the status bar speak for an `ErfSession`.

    Without one the actions stay disabled.
    """

    def __init__(
        self,
        erf_session: ErfSession | None,
        runner: JobRunner | None,
        status: Status,
        measure: QAction,
        cancel: QAction,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._status = status
        self._measure = measure
        self._cancel = cancel
        measure.setEnabled(erf_session is not None)
        if erf_session is None:
            return
        measure.triggered.connect(erf_session.measure)
        cancel.triggered.connect(erf_session.cancel)
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
        self._status.show_progress(0.0 if is_measuring else None, "starting")

    def _follow_progress(self, fraction: float, so_far: object) -> None:
        samples = getattr(so_far, "samples", 0)
        wanted = getattr(so_far, "wanted", 0)
        self._status.show_progress(fraction, f"{samples} of {wanted}" if wanted else "")

    def _follow_result(self, result: object) -> None:
        device = getattr(result, "device", "")
        if device:
            self._status.show_device(device)
            seconds = getattr(result, "seconds", 0.0)
            samples = getattr(result, "samples", 0)
            self._status.tell(f"Measured {samples} samples in {seconds:.1f} s")

    def _follow_worker(self, state: str) -> None:
        self._status.show_device(_WORKER.get(state, state))

    def _tell_failure(self, error: Exception) -> None:
        text = (
            str(error) if isinstance(error, RFStudioError) else f"{type(error).__name__}: {error}"
        )
        self._status.tell(f"Not measured: {text}")
