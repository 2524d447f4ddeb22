"""Ctrl-C at any moment: one line and exit status 130, never a traceback.

Python may run a signal handler between any two of its instructions.  While modules are imported, an
exception from the handler would appear in the middle of a library's module, or be lost; nothing
needs cleaning up then, so the process ends at once.  A running command is ended by an exception, so
that it can clean up; should a library swallow that exception, a second Ctrl-C ends the process.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

INTERRUPTED = 130
"""The exit status that shells report for a program ended by SIGINT."""

MESSAGE = "rfstudio: interrupted"

_ENDED_WITH = (
    "rfstudio: torchrun ends this process, since another of the {total} has ended (what that "
    "printed says why) or torchrun was stopped; --resume goes on after the last complete part"
)


def end_at_once() -> None:
    """End the process at Ctrl-C from now on, after printing one line.

    Where Ctrl-C is ignored, as in a shell's background jobs, it stays ignored.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler or isinstance(handler, _Raise):
        signal.signal(signal.SIGINT, _end)


def end_with_others() -> None:
    """Print a line when ``torchrun`` ends this process since another one has ended.

    It does so at once, so that this one hears of it before an exchange fails.  The first two
    processes print it, as one of them may be the other one, and there may be hundreds.
    """
    total, rank = os.environ.get("WORLD_SIZE", ""), os.environ.get("RANK", "")
    if not total.isdecimal() or int(total) < 2 or rank not in ("0", "1"):
        return

    def end(number: int, _frame: object) -> None:
        with suppress(OSError):
            os.write(2, f"{_ENDED_WITH.format(total=total)}\n".encode())
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)


def ignore() -> None:
    """Ignore Ctrl-C from now on: the work is done, and Python is shutting down."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def unwinding() -> Iterator[None]:
    """Raise `KeyboardInterrupt` at Ctrl-C instead, and let no other error replace it.

    Libraries turn it into errors of their own, for example when it is raised in a callback.
    Without an earlier `end_at_once`, this changes nothing.
    """
    if signal.getsignal(signal.SIGINT) is not _end:
        yield
        return
    handler = _Raise()
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    except Exception as error:
        if not handler.has_raised:
            raise
        raise KeyboardInterrupt from error
    finally:
        # The window may have set a handler of its own meanwhile.
        if signal.getsignal(signal.SIGINT) is handler:
            signal.signal(signal.SIGINT, _end)


class _Raise:
    """Raises at the first Ctrl-C; the second ends the process."""

    has_raised = False

    def __call__(self, _number: int, _frame: object) -> None:
        self.has_raised = True
        signal.signal(signal.SIGINT, _end)
        raise KeyboardInterrupt


def _end(_number: int, _frame: object) -> None:
    # Not through sys.stderr, which may be in the middle of a write.
    with suppress(OSError):
        os.write(2, f"{MESSAGE}\n".encode())
    os._exit(INTERRUPTED)


def leave() -> None:
    """End the process after its command was interrupted and has printed that.

    Not through Python's own exit, which raises the signal once more if it came during an `exec`,
    and which would show a traceback at a third Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)
