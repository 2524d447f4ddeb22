"""Long work beside the window: the only file that knows about threads and the worker process.

One background thread owns one worker process.  It takes commands from the window, talks to the
worker over a pipe, and turns its messages into signals on the window's thread.  Nothing here, and
nothing that the window's process imports for it, imports torch.
"""

from __future__ import annotations

import itertools
import pickle
import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from PySide6.QtCore import QObject, Qt, Signal, Slot

from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.engine.process.worker import Work, WorkerProcess

TORCH = ("rfstudio.engine.measuring.erf",)
"""What a worker imports before there is work, so that the first measurement starts warm."""

GRACE = 0.5
"""Seconds that cancelled work has to stop before its process is killed."""

PATIENCE = 3.0
"""The same for work that newer work has replaced: a new process would take as long to start, and
would not have what this one has cached for the next unit."""


class WorkerError(RFStudioError):
    """The worker process ended in the middle of its work."""


class Job(QObject):
    """One run of one computation.

    Exactly one of `succeeded`, `failed` and `cancelled` is emitted, then `finished`, all on the
    window's thread.  After `cancel` returns, neither `progressed` nor `succeeded` nor `failed` is
    emitted.

    Signals
    -------
    progressed
        The fraction done, from 0 to 1, and what is known so far (or None).
    succeeded, failed
        The result; the exception.
    """

    progressed = Signal(float, object)
    succeeded = Signal(object)
    failed = Signal(Exception)
    cancelled = Signal()
    finished = Signal()

    _posted = Signal(object)

    def __init__(self, number: int, host: _Host, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.number = number
        self._host = host
        self._is_cancelled = False
        self._is_finished = False
        self._posted.connect(self._receive, Qt.ConnectionType.QueuedConnection)

    @property
    def is_running(self) -> bool:
        """Whether it was neither finished nor cancelled."""
        return not self._is_finished and not self._is_cancelled

    def cancel(self, grace: float = GRACE) -> None:
        """Drop the result; the computation should stop, and is killed after `grace` seconds."""
        if self.is_running:
            self._is_cancelled = True
            self._host.tell(_Cancel(self.number, grace))

    def post(self, message: object) -> None:
        """Deliver a message; called on the background thread."""
        self._posted.emit(message)

    @Slot(object)
    def _receive(self, message: object) -> None:
        if self._is_finished:
            return
        match message:
            case _Progress(fraction, partial):
                if not self._is_cancelled:
                    self.progressed.emit(fraction, partial)
                return
            case _ if self._is_cancelled:
                self._is_finished = True
                self.cancelled.emit()
            case _Success(value):
                self._is_finished = True
                self.succeeded.emit(value)
            case _Failure(Cancelled()):
                self._is_finished = True
                self.cancelled.emit()
            case _Failure(error):
                self._is_finished = True
                self.failed.emit(error)
        self.finished.emit()


class JobRunner(QObject):
    """Runs jobs one after another in the worker; a new job cancels the one with the same key.

    Parameters
    ----------
    preload
        Modules that the worker imports before there is work.

    Signals
    -------
    worker_changed
        The worker's state in a word: "starting", "ready", "ended".
    """

    worker_changed = Signal(str)

    _announced = Signal(str)

    def __init__(self, parent: QObject | None = None, *, preload: Sequence[str] = TORCH) -> None:
        super().__init__(parent)
        self._numbers = itertools.count(1)
        self._jobs: dict[str, Job] = {}
        self._announced.connect(self.worker_changed, Qt.ConnectionType.QueuedConnection)
        self._host = _Host(preload, self._announced.emit)
        self._host.start()

    def warm(self) -> None:
        """Start the worker before there is work; after the first paint, say."""
        self._host.tell(_Warm())

    def submit(self, key: str, work: Work) -> Job:
        """Start `work` as soon as the worker is free; connect to the returned job at once.

        Parameters
        ----------
        key
            What the work is for; an earlier job for the same is cancelled.
        work
            A function that can be pickled: of a module, or `functools.partial` of one.
        """
        if previous := self._jobs.get(key):
            previous.cancel()
        job = Job(next(self._numbers), self._host, self)
        self._jobs[key] = job
        job.finished.connect(lambda: self._forget(key, job))
        self._host.tell(_Submit(job, work))
        return job

    def shutdown(self) -> None:
        """Cancel everything, end the worker and wait until thread and process are gone."""
        for job in self.findChildren(Job):
            job.cancel()
        self._host.tell(_Stop())
        self._host.join()

    def _forget(self, key: str, job: Job) -> None:
        if self._jobs.get(key) is job:
            del self._jobs[key]
        job.deleteLater()


class _Progress(NamedTuple):
    fraction: float
    partial: Any


class _Success(NamedTuple):
    value: Any


class _Failure(NamedTuple):
    error: Exception


class _Submit(NamedTuple):
    job: Job
    work: Work


class _Cancel(NamedTuple):
    number: int
    grace: float


class _Warm(NamedTuple):
    pass


class _Stop(NamedTuple):
    pass


class _Host(threading.Thread):
    """The background thread: owns the worker and the queue of jobs."""

    def __init__(self, preload: Sequence[str], announce: Any) -> None:
        super().__init__(name="rfstudio-jobs", daemon=True)
        self._preload = preload
        self._announce = announce
        self._commands: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._bell, self._rope = Pipe(duplex=False)
        self._waiting: deque[_Submit] = deque()
        self._current: Job | None = None
        self._deadline: float | None = None
        self._worker: WorkerProcess | None = None
        self._was_ready = False
        self._is_stopping = False

    def tell(self, command: object) -> None:
        """Deliver a command; called on the window's thread."""
        if self._is_stopping:
            return
        self._commands.put(command)
        # The thread may have just ended; then the command is dropped.
        with suppress(OSError):
            self._rope.send_bytes(b"!")

    def run(self) -> None:
        """Serve until asked to stop."""
        try:
            while not self._is_stopping:
                self._start_next()
                self._wait()
        finally:
            self._is_stopping = True
            self._drop_worker()
            self._post_cancelled([x.job for x in self._waiting])
            self._bell.close()
            self._rope.close()

    def _wait(self) -> None:
        """Wait for a command, a message, the worker's end or the end of its grace."""
        sources: list[Connection | int] = [self._bell]
        if self._worker:
            sources += [self._worker.connection, self._worker.sentinel]
        timeout = None if self._deadline is None else max(self._deadline - time.monotonic(), 0)
        ready = wait(sources, timeout)
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._kill_stubborn()
        elif self._bell in ready:
            self._bell.recv_bytes()
            self._obey(self._commands.get())
        elif self._worker and self._worker.connection in ready:
            self._read(self._worker)
        elif self._worker and self._worker.sentinel in ready:
            self._report_end(self._worker)

    def _obey(self, command: object) -> None:
        match command:
            case _Submit():
                self._waiting.append(command)
            case _Cancel(number, grace):
                self._cancel(number, grace)
            case _Warm():
                self._ensure_worker()
            case _Stop():
                self._is_stopping = True

    def _cancel(self, number: int, grace: float) -> None:
        if self._current and self._current.number == number:
            if self._worker and self._deadline is None:
                self._send(self._worker, ("cancel", number))
                self._deadline = time.monotonic() + grace
            return
        dropped = [x for x in self._waiting if x.job.number == number]
        for submitted in dropped:
            self._waiting.remove(submitted)
        self._post_cancelled([x.job for x in dropped])

    def _start_next(self) -> None:
        while self._current is None and self._waiting:
            submitted = self._waiting.popleft()
            try:
                # Bytes, so that a request that cannot travel fails here and alone.
                work = pickle.dumps(submitted.work)
                worker = self._ensure_worker()
            except Exception as error:  # noqa: BLE001 - the job must report it
                submitted.job.post(_Failure(error))
                continue
            self._current = submitted.job
            self._send(worker, ("run", submitted.job.number, work))

    def _ensure_worker(self) -> WorkerProcess:
        if self._worker is None:
            self._was_ready = False
            self._worker = WorkerProcess(self._preload)
            self._announce("starting")
        return self._worker

    def _send(self, worker: WorkerProcess, message: tuple[Any, ...]) -> None:
        # If the worker has ended, the thread learns it from its sentinel.
        with suppress(OSError):
            worker.connection.send(message)

    def _read(self, worker: WorkerProcess) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._report_end(worker)
            return
        except Exception as error:  # noqa: BLE001 - a result that cannot be unpickled
            self._finish(_Failure(error))
            return
        match message:
            case ("ready",):
                self._was_ready = True
                self._announce("ready")
            case ("progress", number, fraction, partial):
                if self._current and self._current.number == number:
                    self._current.post(_Progress(fraction, partial))
            case ("success", _, value):
                self._finish(_Success(value))
            case ("failure", _, error):
                self._finish(_Failure(error))

    def _finish(self, outcome: object) -> None:
        job, self._current, self._deadline = self._current, None, None
        if job:
            job.post(outcome)

    def _kill_stubborn(self) -> None:
        """Kill the process of a job that did not stop in time; start the next process."""
        self._drop_worker()
        self._finish(_Failure(Cancelled("cancelled")))
        self._ensure_worker()

    def _report_end(self, worker: WorkerProcess) -> None:
        """Report that the worker has ended; start another one if this one had been ready."""
        how = worker.obituary()
        self._drop_worker()
        remedy = (
            "; a new one is started. Use a smaller input, or a unit with a smaller field, if this "
            "happens again"
            if self._was_ready
            else ", while it was starting. If this happens again, reinstall torch, as the "
            "README says"
        )
        self._finish(_Failure(WorkerError(f"the process that measures {how}{remedy}.")))
        if self._was_ready:
            self._ensure_worker()

    def _drop_worker(self) -> None:
        if self._worker:
            self._worker.kill()
            self._worker = None
            self._announce("ended")
        if self._is_stopping and self._current:
            self._post_cancelled([self._current])

    @staticmethod
    def _post_cancelled(jobs: Sequence[Job]) -> None:
        for job in jobs:
            job.post(_Failure(Cancelled("cancelled")))
