"""The base of sessions that run one work in the worker at a time, and say how it stands."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Signal

from rfstudio.app.jobs import PATIENCE, Job, JobRunner
from rfstudio.engine.process.worker import Work


class WorkSession(QObject):
    """One work at a time: newer work ends what runs.

    Subclasses say what becomes of reports, results and errors: `_advance`, `_succeed`, `_fail`.
    None of them is called after `_stop`.

    Parameters
    ----------
    runner
        Runs it in the worker process, in which measurements wait for its end.
    key
        What the work is for.

    Signals
    -------
    state_changed
        The state, in a word.
    failed
        Why a work has ended, in words.
    """

    state_changed = Signal(str)
    failed = Signal(str)

    def __init__(self, runner: JobRunner, key: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._key = key
        self._job: Job | None = None
        self._state = "idle"

    @property
    def state(self) -> str:
        """The state, in a word; at first "idle"."""
        return self._state

    def _submit(self, work: Work) -> None:
        """Let the worker do `work`."""
        job = self._runner.submit(self._key, work)
        job.progressed.connect(self._advance)
        job.succeeded.connect(self._end_well)
        job.failed.connect(self._end_badly)
        self._job = job

    def _stop(self) -> Job | None:
        """Cancel the work that runs, and return its job; None: there is none."""
        job, self._job = self._job, None
        if job is not None:
            job.cancel(PATIENCE)
        return job

    def _advance(self, fraction: float, partial: Any) -> None:
        """Take what is known so far."""
        raise NotImplementedError

    def _succeed(self, value: Any) -> None:
        """Take the result."""
        raise NotImplementedError

    def _fail(self, error: Exception) -> None:
        """Say why there is none."""
        raise NotImplementedError

    def _end_well(self, value: Any) -> None:
        self._job = None
        self._succeed(value)

    def _end_badly(self, error: Exception) -> None:
        self._job = None
        self._fail(error)

    def _set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self.state_changed.emit(state)
