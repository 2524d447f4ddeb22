"""Ctrl-C at any moment: one line and exit status 130, never a traceback.

A handler of signals runs between any two steps of Python.  While modules are imported, an
exception there would come out of the middle of somebody else's module, or be lost; nothing is to
be cleaned up then, so the process ends at once.  A command is ended by an exception, so that what
it has begun is cleaned up; if that gets lost all the same, a second Ctrl-C ends the process.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

INTERRUPTED = 130
"""The exit status, as shells have it for a program that SIGINT ended."""

MESSAGE = "rfstudio: interrupted"


def end_at_once() -> None:
    """End the process at Ctrl-C from now on, without another word than the line.

    Where Ctrl-C is ignored, as a shell has it for what runs in the background, it stays so.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler or isinstance(handler, _Raise):
        signal.signal(signal.SIGINT, _end)


def ignore() -> None:
    """Let Ctrl-C come too late: the work is done, and Python clears up."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def unwinding() -> Iterator[None]:
    """Raise `KeyboardInterrupt` at Ctrl-C instead, and make it the error that comes out.

    Libraries turn it into errors of their own, as when it reaches them from a callback.  In a
    process that is not to end at once, nothing is changed.
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
        # The window has a way of its own by now.
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
    # Not through sys.stderr, which may be in the middle of a line of its own.
    with suppress(OSError):
        os.write(2, f"{MESSAGE}\n".encode())
    os._exit(INTERRUPTED)


def leave() -> None:
    """End the process whose command was interrupted and has said so.

    Not by way of Python, which kills itself with the signal again if that came amid an `exec`,
    and would show a third Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)
