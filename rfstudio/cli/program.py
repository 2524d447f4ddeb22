"""Runs one command and turns its outcome into an exit status and readable messages.

Results go to standard output, problems to standard error.  The status 0 means done, 1 a problem in
the input, 2 wrong usage.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from rfstudio.cli.arguments import parse
from rfstudio.cli.interrupts import INTERRUPTED, MESSAGE, unwinding
from rfstudio.cli.parser import fit_to_print

if TYPE_CHECKING:
    import argparse

DONE, AT_FAULT, USAGE = 0, 1, 2


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Parameters
    ----------
    argv
        The arguments without the program's name; those of the process if None.
    """
    # A process that was started with closed streams has none; its output goes nowhere.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 - as long as it runs
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show × or … gets a question mark, not a traceback.  A file has
            # all of them: Windows would write it in the code page of the country.
            is_for_file = sys.platform == "win32" and not stream.isatty()
            stream.reconfigure(errors="replace", encoding="utf-8" if is_for_file else None)
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        arguments = parse(words)
    except SystemExit as stop:  # argparse has printed help or a usage error
        return stop.code if isinstance(stop.code, int) else USAGE
    arguments.argv = words  # figures say how they were made
    status = _run(arguments)
    if argv is None:
        _end_if_shared(status)
    return status


def _end_if_shared(status: int) -> None:
    """End this process at once if it has shared its work with others that torchrun started.

    Threads of torch's groups of processes now and then abort one while Python takes it down, when
    all is written: torchrun would call the whole run a failure.
    """
    distributed = sys.modules.get("rfstudio.engine.measuring.distributed")
    if distributed is not None and distributed.has_met():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(status)


def _run(arguments: argparse.Namespace) -> int:
    # Imported late: help and the version need none of it.
    from rfstudio.cli.usage import UsageError
    from rfstudio.core.errors import FormatError, RFStudioError

    try:
        command = _command(arguments.command)
        with unwinding():
            status = command(arguments)
            sys.stdout.flush()
    except UsageError as error:
        return _complain(f"rfstudio: {error}", USAGE)
    except FormatError as error:
        return _complain(str(error), AT_FAULT)
    except RFStudioError as error:
        return _complain(f"rfstudio: {error}", AT_FAULT)
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # as in `rfstudio analyze vgg16 | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return DONE
        place = error.filename or "standard output"
        return _complain(f"rfstudio: {place}: {error.strerror}", AT_FAULT)
    except MemoryError:
        return _complain(
            "rfstudio: there is not enough memory for this; use a smaller input", AT_FAULT
        )
    except KeyboardInterrupt:
        return _complain(MESSAGE, INTERRUPTED)
    return status


def _command(word: str | None) -> Callable[[argparse.Namespace], int]:
    """Return the function of a command, which imports all that the command needs."""
    if word is None:
        from rfstudio.cli.window import open_window

        return open_window
    if word == "erf":
        from rfstudio.cli.measuring import erf

        return erf
    if word == "attention":
        from rfstudio.cli.attending import attention

        return attention
    if word == "experiment":
        from rfstudio.cli.experimenting import experiment

        return experiment
    if word == "completion":
        return _completion
    from rfstudio.cli.commands import COMMANDS

    return COMMANDS[word]


def _completion(arguments: argparse.Namespace) -> int:
    """Print the script for a shell."""
    from rfstudio.cli.arguments import parsers
    from rfstudio.cli.completion import script

    sys.stdout.write(script(arguments.shell, parsers()))
    return DONE


def _complain(message: str, status: int) -> int:
    print(*map(fit_to_print, message.split("\n")), sep="\n", file=sys.stderr)
    return status
