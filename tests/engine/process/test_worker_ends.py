"""How a worker ended is said in words, on every system."""

from __future__ import annotations

import pytest

from rfstudio.engine.process.worker import WorkerProcess


class _Ended:
    def __init__(self, code: int) -> None:
        self.exitcode = code

    def join(self) -> None:
        pass


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-9, "was killed, as the system does when memory runs out"),
        (-11, "crashed (SIGSEGV)"),
        (-1000, "crashed (signal 1000)"),
        # STATUS_ACCESS_VIOLATION, as Windows' documentation lists it.
        (0xC0000005, "crashed (0xC0000005)"),
        (3, "ended by itself (exit status 3)"),
    ],
)
def test_that_the_status_of_a_process_becomes_words(code: int, words: str) -> None:
    worker = WorkerProcess.__new__(WorkerProcess)
    worker._process = _Ended(code)  # type: ignore[assignment]  # as much of it as is looked at
    assert worker.obituary() == words
