"""Work for the tests of jobs: a worker process imports this by name."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from rfstudio.core.errors import FormatError, Problem, RFStudioError
from rfstudio.engine.process.running import CancelToken, Report


def answer(value: Any, token: CancelToken, report: Report) -> Any:
    report(0.5, "half")
    return value


def process_number(token: CancelToken, report: Report) -> int:
    return os.getpid()


def signals_that_are_blocked(token: CancelToken, report: Report) -> set[int]:
    # Of the first thread, which has what the process was born with.
    status = Path("/proc/self/status").read_text()
    mask = int(status.partition("SigBlk:")[2].split()[0], 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def thread_settings(token: CancelToken, report: Report) -> tuple[str | None, str | None]:
    return os.environ.get("OMP_WAIT_POLICY"), os.environ.get("OMP_NUM_THREADS")


def fail(error: Exception, token: CancelToken, report: Report) -> None:
    raise error


def fail_with_problems(token: CancelToken, report: Report) -> None:
    raise FormatError([Problem("a.yaml", 1, 2, "wrong"), Problem("a.yaml", 3, 4, "worse")])


class UnsendableError(RFStudioError):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def fail_unsendably(token: CancelToken, report: Report) -> None:
    raise UnsendableError(1, 2)


def die(token: CancelToken, report: Report) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def poll_for_ever(started: str, token: CancelToken, report: Report) -> None:
    Path(started).touch()
    while True:
        report(0.1, None)
        time.sleep(0.01)


def ignore_everything(started: str, token: CancelToken, report: Report) -> None:
    report(0.0, "started")
    Path(started).touch()
    while True:
        time.sleep(1)


def world_size(token: CancelToken, report: Report) -> str | None:
    return os.environ.get("WORLD_SIZE")
