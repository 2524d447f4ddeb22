"""What every test gets: no screen, one thread, no settings of the user, and nothing left behind."""

import gc
import itertools
import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before Qt, torch and matplotlib are imported, since they read these once.
os.environ["QT_QPA_PLATFORM"] = os.environ.get("RFSTUDIO_TEST_PLATFORM", "offscreen")
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
os.environ.setdefault("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib"))

import pytest

from rfstudio import system_libraries

if _complaint := system_libraries.complaint(window=False):
    # Before pytest's plugin for Qt imports Qt, which would end in an internal error of pytest.
    pytest.exit(f"{_complaint}\nOr run ./start test, which does all of this.", returncode=2)

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "repeatable",
    deadline=None,
    max_examples=30,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    # Not to explain: up to Python 3.11 it traces every line of a failing test, for minutes.
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
settings.register_profile("explore", settings.get_profile("repeatable"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

_homes = itertools.count()

PATIENCE = 60_000
"""Milliseconds to wait for what has to happen."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let random actions in the window be many."""
    parser.addoption(
        "--monkey", type=int, default=150, help="random actions in the window for each seed"
    )


@pytest.fixture(scope="session")
def _homes_of_tests() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="rfstudio-tests-") as folder:
        yield folder


@pytest.fixture(autouse=True)
def _settings_of_the_user_are_out_of_reach(
    monkeypatch: pytest.MonkeyPatch, _homes_of_tests: str
) -> None:
    home = f"{_homes_of_tests}/{next(_homes)}"
    for kind in ("CONFIG", "DATA", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", f"{home}/{kind.lower()}")


@pytest.fixture(scope="session", autouse=True)
def _what_has_to_happen_may_take_a_minute() -> None:
    """Wait longer than pytest-qt's five seconds, which a machine that others share may need."""
    from pytestqt.qtbot import QtBot

    waits = (QtBot.waitSignal, QtBot.waitSignals, QtBot.waitUntil, QtBot.waitCallback)
    for wait in (*waits, QtBot.waitExposed, QtBot.waitActive):
        assert wait.__kwdefaults__ is not None
        wait.__kwdefaults__["timeout"] = PATIENCE


@pytest.fixture(autouse=True)
def _no_thread_outlives_its_test() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = _threads_since(before)
    if left:
        gc.collect()  # a computation ends with its owner, of an earlier test perhaps
        left = _threads_since(before)
    assert not left, f"threads outlived the test: {left}"


def _threads_since(before: set[threading.Thread]) -> list[str]:
    # tqdm keeps one monitor of its progress bars for the whole life of a process.
    names = [thread.name for thread in threading.enumerate() if thread not in before]
    return [name for name in names if name != "tqdm_monitor"]


@pytest.fixture(autouse=True)
def _no_process_outlives_its_test() -> Iterator[None]:
    before = _children()
    yield
    multiprocessing.active_children()  # reaps those that have ended
    left = [
        text
        for pid, text in _children().items()
        # Python keeps one tracker of shared memory for its whole life.
        if pid not in before and "resource_tracker" not in text
    ]
    assert not left, f"child processes outlived the test: {left}"


@pytest.fixture(autouse=True)
def _no_window_outlives_its_test(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    widgets = sys.modules.get("PySide6.QtWidgets")
    application = widgets.QApplication.instance() if widgets else None
    if application is None or not hasattr(application, "topLevelWidgets"):
        return
    if "qtbot" in request.fixturenames:
        application.processEvents()
    left = [w for w in application.topLevelWidgets() if w.isVisible()]
    names = [f"{type(w).__name__} {w.objectName() or w.windowTitle()!r}" for w in left]
    for window in left:
        window.hide()  # so that only the test that opened it fails
    if application.styleSheet():
        # A look that a test chose is not that of the next one, whatever their order.
        from rfstudio.widgets.parts.theme import no_collection

        with no_collection():
            application.setStyleSheet("")
            application.setPalette(application.style().standardPalette())
    _release_keys(application)
    assert not left, f"windows outlived the test: {names}"


def _release_keys(application: Any) -> None:
    """Let go of Shift and the like: Qt takes those of a test's last key as held down for ever."""
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QWidget

    if application.keyboardModifiers() != Qt.KeyboardModifier.NoModifier:
        QTest.keyClick(QWidget(), Qt.Key.Key_Shift)


@pytest.fixture(scope="session", autouse=True)
def _workers_end_by_themselves_under_coverage() -> Iterator[None]:
    """Let a worker process write which lines have run; one that is killed cannot."""
    if "COVERAGE_PROCESS_START" not in os.environ:
        yield
        return
    from rfstudio.engine.process.worker import WorkerProcess

    kill = WorkerProcess.kill

    def end(worker: WorkerProcess) -> None:
        worker.connection.close()  # a worker ends when its window is gone
        worker._process.join(timeout=2)
        kill(worker)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkerProcess, "kill", end)
        yield


def pytest_sessionfinish() -> None:
    """Save the lines that have run: a busy process may be killed before it has left by itself."""
    if "COVERAGE_PROCESS_START" in os.environ:
        from coverage import Coverage

        if (current := Coverage.current()) is not None:
            current.save()


def _children() -> dict[int, str]:
    """Return the living child processes of this process, with their command lines."""
    found: dict[int, str] = {}
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return found  # none at all: nearly every test, in a microsecond
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # The fields behind the name in brackets: state, parent.
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(parent) == os.getpid() and state != "Z":
                words = (folder / "cmdline").read_bytes().split(b"\0")
                found[int(folder.name)] = b" ".join(words).decode(errors="replace").strip()
        except OSError:
            continue  # it ended in the meantime
    return found
