"""Long computations of the window in slices, between which it handles events and paints.

A computation has a thread of its own, which works only while the window waits for it, and stops
between two of its steps (`rfstudio.core.work.give_way`) when its slice is over.  So only one of the
two ever runs: the window never has to share Python's lock with it, and what both use changes only
between their turns.
"""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any, Generic, ParamSpec, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.core.work import giving_way

R = TypeVar("R")
P = ParamSpec("P")

SLICE = 0.01
"""Seconds of the processor after which a computation lets the window handle its events."""

AT_ONCE = 0.03
"""Seconds of the processor for which the present event waits for a computation."""


def answer_or_error(work: Callable[P, R], *args: P.args, **options: P.kwargs) -> R | RFStudioError:
    """Return what a computation in slices answers, or why it has no answer."""
    try:
        return work(*args, **options)
    except Cancelled:
        raise
    except RFStudioError as error:
        return error.with_traceback(None)  # whose frames would keep all that was worked out


class _FullCollections:
    """Puts off full garbage collections while long computations go on.

    A network of thousands of layers is a million objects, none of which is garbage before it is
    done; a search through all of them, again for every quarter more of them, would be several times
    as long as a slice.  What dies young is collected all the same.
    """

    _NEVER = 1 << 30

    def __init__(self) -> None:
        self._going_on = 0
        self._usual = 0

    def put_off(self) -> None:
        """Let there be none until `take_up`."""
        if not self._going_on:
            first, second, self._usual = gc.get_threshold()
            gc.set_threshold(first, second, self._NEVER)
        self._going_on += 1

    def take_up(self) -> None:
        """Let there be some again, if no other computation goes on."""
        self._going_on -= 1
        if not self._going_on:
            first, second, _ = gc.get_threshold()
            gc.set_threshold(first, second, self._usual)


_FULL_COLLECTIONS = _FullCollections()


class _Turns(Generic[R]):
    """A computation and its thread, which takes turns with the one that waits for it."""

    def __init__(self, work: Callable[[], R]) -> None:
        self._work = work
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)
        self._slice = 0.0
        self._until = 0.0
        self._is_cancelled = False
        self._thread: threading.Thread | None = None
        self.is_done = False
        self.value: R | None = None
        self.error: Exception | None = None

    def run(self, seconds: float) -> None:
        """Work for about so long, or to the end."""
        if self.is_done:
            return
        self._slice = seconds
        if self._thread is None:
            _FULL_COLLECTIONS.put_off()
            self._thread = threading.Thread(target=self._serve, name="rfstudio-slices", daemon=True)
            self._thread.start()
        else:
            self._go.release()
        self._back.acquire()
        self._leave()

    def cancel(self) -> None:
        """End the work, and wait until its thread is gone."""
        if self._thread is not None and not self.is_done:
            self._is_cancelled = True
            self._go.release()
            self._end(self._thread)
        self.is_done = True

    def _leave(self) -> None:
        """Wait until the thread of a finished computation is gone, which is at once."""
        if self.is_done and self._thread is not None:
            self._end(self._thread)

    @staticmethod
    def _end(thread: threading.Thread) -> None:
        thread.join()
        _FULL_COLLECTIONS.take_up()

    def _serve(self) -> None:
        self._begin_slice()
        try:
            with giving_way(self._give_way):
                self.value = self._work()
        except Cancelled:
            pass
        except Exception as error:  # noqa: BLE001 - raised again where the result is taken
            self.error = error
        self.is_done = True
        self._back.release()

    def _give_way(self) -> None:
        if time.thread_time() >= self._until and not self._is_cancelled:
            self._back.release()
            self._go.acquire()
            self._begin_slice()
        if self._is_cancelled:
            raise Cancelled("cancelled")

    def _begin_slice(self) -> None:
        # The time of the processor: what else the machine does makes no computation late.
        self._until = time.thread_time() + self._slice


class Sliced(Generic[R]):
    """One computation that is done in slices; it ends with this object at the latest.

    Parameters
    ----------
    work
        The computation; it must not touch any QObject.
    """

    def __init__(self, work: Callable[[], R]) -> None:
        self._turns = _Turns(work)
        # The thread has the turns, not this object, which so can be dropped while it is suspended.
        self._end = weakref.finalize(self, self._turns.cancel)

    def run(self, seconds: float = inf) -> bool:
        """Work for about so many seconds of the processor; return whether it is done."""
        self._turns.run(seconds)
        return self._turns.is_done

    def result(self) -> R:
        """Return the result once it is done, or raise what the computation raised."""
        if self._turns.error is not None:
            raise self._turns.error
        return self._turns.value  # type: ignore[return-value] # R may be None

    def cancel(self) -> None:
        """Give it up."""
        self._end()


class Slices(QObject):
    """Does one computation after the other in slices; a new one replaces the one before.

    Nothing is delivered after `drop`, nor for a computation that another one has replaced.

    Signals
    -------
    paused
        A slice is over, and the computation is not done.
    """

    paused = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sliced: Sliced[Any] | None = None
        self._deliver: Callable[[], object] | None = None
        # A thread that is suspended ends with this object, even if Python still refers to it.
        self._begun: list[Sliced[Any]] = []
        self.destroyed.connect(partial(_cancel, self._begun))
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._go_on)

    @property
    def is_busy(self) -> bool:
        """Whether a computation waits or goes on."""
        return self._sliced is not None

    def start(
        self,
        work: Callable[[], R],
        deliver: Callable[[R], object],
        *,
        at_once: bool = False,
        more: float = 0.0,
        wait: int = 0,
    ) -> bool:
        """Begin a computation; return whether it is done already, and delivered.

        Parameters
        ----------
        work
            The computation.
        deliver
            Gets its result; or what it raises is raised in the event loop.
        at_once
            Whether there is a first slice, of `AT_ONCE`, before this returns.
        more
            Seconds that the first slice may take beyond that.
        wait
            Milliseconds before the first slice, if not at once.
        """
        self.drop()
        sliced = Sliced(work)
        self._begun[:] = [sliced]
        if at_once and sliced.run(AT_ONCE + more):
            self._begun.clear()  # or what it has found would live until the next one begins
            deliver(sliced.result())
            return True
        self._sliced = sliced
        self._deliver = lambda: deliver(sliced.result())
        self._timer.start(wait)
        return False

    def finish(self) -> None:
        """Do what is left of the computation now, however long it takes."""
        if self._sliced is not None:
            self._sliced.run()
            self._end()

    def drop(self) -> None:
        """Give up the computation."""
        self._timer.stop()
        _cancel(self._begun)
        self._sliced = self._deliver = None

    def _go_on(self) -> None:
        if self._sliced is None:
            return
        if self._sliced.run(SLICE):
            self._end()
        else:
            self._timer.start(0)
            self.paused.emit()

    def _end(self) -> None:
        deliver = self._deliver
        self._timer.stop()
        self._begun.clear()
        self._sliced = self._deliver = None
        if deliver is not None:
            deliver()


def _cancel(begun: list[Sliced[Any]]) -> None:
    for sliced in begun:
        sliced.cancel()
    begun.clear()
