"""Crashes of the process itself, of which the log tells at the next start."""

from __future__ import annotations

import faulthandler
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from rfstudio.app.files import crash_trace
from rfstudio.app.files.crash_trace import CrashTrace, log_crashes

_CRASH = """
import faulthandler, sys
from pathlib import Path
from rfstudio.app.files import crash_trace

crash_trace.log_file = lambda: Path(sys.argv[1]) / "rfstudio.log"
crash_trace.CrashTrace().begin()

def compute():
    if sys.argv[2] == "fault":
        faulthandler._sigsegv()
    sys.stdout.write("ready")
    sys.stdout.flush()
    sys.stdin.read()

compute()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(crash_trace, "log_file", lambda: tmp_path / "rfstudio.log")
    return tmp_path


def _start(folder: Path, how: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", _CRASH, str(folder), how]
    return subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def test_that_the_log_tells_where_a_process_has_crashed(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with _start(folder, "fault") as crashed:
        assert crashed.wait(60) != 0
    assert log_crashes() == 1
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "Segmentation fault" in record.getMessage()
    assert "in compute" in record.getMessage()
    assert list(folder.iterdir()) == []
    assert log_crashes() == 0


def test_that_running_and_killed_sessions_are_no_crashes(folder: Path) -> None:
    with _start(folder, "wait") as running:
        assert running.stdout is not None
        assert running.stdout.read(5) == b"ready"
        assert log_crashes() == 0
        assert len(list(folder.glob("crash-*.txt"))) == 1
        running.kill()
        running.wait(60)
    assert log_crashes() == 0
    assert list(folder.iterdir()) == []


def test_that_a_session_that_ends_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []  # the handler of the tests' own runner stays
    monkeypatch.setattr(faulthandler, "enable", lambda file: done.append(file.name))
    monkeypatch.setattr(faulthandler, "disable", lambda: done.append("disabled"))
    trace = CrashTrace()
    trace.begin()
    assert done == [str(x) for x in folder.glob("crash-*.txt")]
    trace.end()
    assert done[1:] == ["disabled"]
    assert list(folder.iterdir()) == []


def test_that_the_program_goes_on_without_a_folder_for_traces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(crash_trace, "log_file", lambda: file / "logs" / "rfstudio.log")
    monkeypatch.setattr(faulthandler, "enable", lambda _: pytest.fail("there is no file"))
    CrashTrace().begin()
    assert log_crashes() == 0
