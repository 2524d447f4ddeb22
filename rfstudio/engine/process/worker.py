"""The worker process: runs the window's measurements, one at a time.

The window's process never imports torch: a step of torch would block it, could not be stopped, and
would end the window when memory runs out.  A separate process can be asked to stop, and killed.

Messages are tuples over a pipe.  To the worker: ``("run", number, work)``
with the pickled work, ``("cancel", number)``.  From it: ``("ready",)``, ``("progress", number,
fraction, partial)``, ``("success", number, value)``, ``("failure", number, error)``.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken, Report

Work: TypeAlias = Callable[[CancelToken, Report], Any]
"""A picklable function: polls the token, reports what it has, returns its result."""

_Works: TypeAlias = "queue.SimpleQueue[tuple[int, bytes, CancelToken]]"

REPORT_INTERVAL = 0.04
"""Least seconds between two reports; those in between are dropped."""


_WINDOWS_FAULT = 0xC0000000
"""The exit status with which Windows ends a process for a fault is this or more."""


class WorkerProcess:
    """A running worker, seen from the window's process.

    Parameters
    ----------
    preload
        Modules that the worker imports at once, so that the first work starts faster.

    Attributes
    ----------
    connection
        For messages in both directions.
    """

    def __init__(self, preload: Sequence[str] = ()) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, tuple(preload)), name="rfstudio-worker", daemon=True
        )
        with _without_main_module(), _ignoring_interrupts():
            self._process.start()
        # Only the worker holds its end now, so that the pipe closes when it ends.
        theirs.close()

    @property
    def sentinel(self) -> int:
        """What becomes ready when the process has ended."""
        return self._process.sentinel

    @property
    def pid(self) -> int | None:
        """Number of the process."""
        return self._process.pid

    def kill(self) -> None:
        """End the process at once and wait until it is gone; 60 ms."""
        self._process.kill()
        self._process.join()
        self.connection.close()

    def obituary(self) -> str:
        """Return in words how the process ended."""
        self._process.join()
        code = self._process.exitcode or 0
        if code == -getattr(signal, "SIGKILL", 9):
            return "was killed, as the system does when memory runs out"
        if code < 0:
            return f"crashed ({_signal_name(-code)})"
        if code >= _WINDOWS_FAULT:
            return f"crashed (0x{code:08X})"
        return f"ended by itself (exit status {code})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # of real time, or of another system
        return f"signal {number}"


@contextlib.contextmanager
def _without_main_module() -> Iterator[None]:
    """Hide the main module while a process is spawned, which would otherwise run it again."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Let a process that is spawned here ignore Ctrl+C, which is for the window.

    It could do so itself only after its first imports, during which it would show a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Started later, it would undo the mask that follows.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def serve(connection: Connection, preload: tuple[str, ...]) -> None:
    """Run what comes over the connection until it is closed; the worker's main function."""
    # For systems where the signal could not be blocked; the window ends this process itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Before torch is imported, which reads these once: its spinning threads would slow the window.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) - 1)))
    # Even if the window was started by torchrun, its worker measures alone.
    os.environ.pop("WORLD_SIZE", None)
    works: _Works = queue.SimpleQueue()
    outbox = _Outbox(connection)
    listener = threading.Thread(
        target=_listen, args=(connection, works), name="rfstudio-listener", daemon=True
    )
    listener.start()
    for name in preload:
        # The work that needs a module reports that it cannot be imported.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    outbox.send(("ready",))
    while True:
        number, work, token = works.get()
        outbox.send(_outcome(number, work, token, outbox))


def _listen(connection: Connection, works: _Works) -> None:
    tokens: dict[int, CancelToken] = {}
    while True:
        try:
            message = connection.recv()
        except (EOFError, OSError):
            # The window is gone, so nobody waits for the running work.
            os._exit(0)
        match message:
            case ("run", int(number), bytes(work)):
                tokens = {number: CancelToken()}
                works.put((number, work, tokens[number]))
            case ("cancel", int(number)) if number in tokens:
                tokens[number].cancel()


class _Outbox:
    """Sends messages to the window, and limits how often it sends reports."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._last = 0.0

    def send(self, message: tuple[Any, ...]) -> None:
        self._connection.send(message)

    def report(self, number: int, fraction: float, partial: Any) -> None:
        now = time.monotonic()
        if now - self._last >= REPORT_INTERVAL:
            self._last = now
            self.send(("progress", number, fraction, partial))


def _outcome(number: int, work: bytes, token: CancelToken, outbox: _Outbox) -> tuple[Any, ...]:
    def report(fraction: float, partial: Any) -> None:
        token.check()
        outbox.report(number, fraction, partial)

    try:
        function: Work = pickle.loads(work)  # noqa: S301 - from the window's own process
        token.check()
        return ("success", number, function(token, report))
    except Cancelled as error:
        return ("failure", number, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the window must be informed
        return ("failure", number, sendable(_in_words(error)))


def _in_words(error: Exception) -> Exception:
    """Return an error for the user if memory ran out, wherever that was noticed."""
    text = str(error)
    # torch reports this as a RuntimeError; importing torch to recognise it is not worth it.
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and ("can't allocate memory" in text or "out of memory" in text)
    ):
        return MeasurementError(
            "memory does not suffice; use a smaller input or a unit with a smaller field"
        )
    return error


def sendable(error: Exception) -> Exception:
    """Return an error that can be sent to another process, with its traceback as a note."""
    is_expected = isinstance(error, RFStudioError)
    if not is_expected:
        error.add_note("".join(traceback.format_exception(error)))
    # To show an error of torch, the window would have to import torch.
    if is_expected or type(error).__module__ == "builtins":
        try:
            arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
            if type(arrived) is type(error) and str(arrived) == str(error):
                return error
        except Exception:  # noqa: BLE001, S110 - then its text has to do
            pass
    if is_expected:
        return RFStudioError(str(error))
    copy = RuntimeError(f"{type(error).__name__}: {error}")
    for note in error.__notes__:
        copy.add_note(note)
    return copy
