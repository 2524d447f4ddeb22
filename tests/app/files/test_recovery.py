"""Copies of unsaved work: two seconds of edits at most are lost, and nothing is deleted unasked."""

from __future__ import annotations

import os
import random
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from rfstudio.app.files.recovery import MAX_AGE, LeftOver, Recovery, recovery_folder
from rfstudio.app.state.document import Document, write_network
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.formats.networks.yaml_reader import read_draft
from rfstudio.widgets.window.recover_dialog import RecoverDialog
from tests.app.files.edits_until_killed import TICK
from tests.narrowing import present

NETWORK = Architecture(name="mine", layers=(Layer(ops.Relu()),))
KILLS = int(os.environ.get("RFSTUDIO_KILLS", "2"))
"""How often a session is killed; 200 take some minutes."""

EDITOR = Path(__file__).with_name("edits_until_killed.py")


def _crashed(folder: Path, architecture: Architecture = NETWORK, path: Path | None = None) -> Path:
    """Leave what a session leaves that is killed: its copy, and a lock that nobody holds."""
    document = Document(Architecture(), path)
    recovery = Recovery(document, folder)
    document.edit("edit", architecture)
    recovery.write()
    copy = recovery.file
    content = copy.read_bytes()
    recovery.remove()
    copy.write_bytes(content)
    copy.with_suffix(".lock").touch()
    return copy


def test_that_everything_left_over_is_listed_and_stays(qtbot: QtBot, tmp_path: Path) -> None:
    file = tmp_path / "saved.yaml"
    write_network(file, NETWORK)
    first = _crashed(tmp_path / "r", replace(NETWORK, name="first"))
    second = _crashed(tmp_path / "r", replace(NETWORK, layers=(Layer(ops.Silu()),)), file)
    os.utime(first, (time.time() - 7300, time.time() - 7300))
    recovery = Recovery(Document(Architecture()), tmp_path / "r")
    for _ in range(2):
        left = recovery.left_over()
        assert [x.path for x in left] == [second, first]
    assert [x.name for x in left] == ["saved.yaml", "first"]
    assert [x.age() for x in left] == ["less than a minute ago", "2 hours ago"]
    assert [x.changes() for x in left] == ["1 of 1 item changed", "never saved; 1 item"]
    assert left[0].origin == file
    recovery.discard(left[1])
    assert [x.path for x in recovery.left_over()] == [second]


def test_that_a_session_that_lives_is_left_alone(qtbot: QtBot, tmp_path: Path) -> None:
    document = Document(Architecture())
    living = Recovery(document, tmp_path)
    document.edit("edit", NETWORK)
    living.write()
    other = Recovery(Document(Architecture()), tmp_path)
    assert other.left_over() == ()
    other.discard(LeftOver(living.file, 0.0))
    assert living.file.exists()
    document.undo_stack.setClean()
    living.write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"{{{{", b"\xff\0", b"", b"format: 2\n"])
def test_that_what_cannot_be_read_is_listed_with_the_reason_and_stays(
    qtbot: QtBot, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "20260101-000000-00000000.yaml"
    path.write_bytes(content)
    (left,) = Recovery(Document(Architecture()), tmp_path).left_over()
    assert left.architecture is None
    assert left.changes().startswith("cannot be read: ")
    assert path.exists()


def test_that_copies_are_private(qtbot: QtBot, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "recovery"
    document = Document(Architecture())
    recovery = Recovery(document, folder)
    document.edit("edit", NETWORK)
    recovery.write()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(x.stat().st_mode) for x in folder.iterdir()} == {0o600}
    recovery.remove()


def test_that_a_copy_that_cannot_be_written_is_said_once(qtbot: QtBot, tmp_path: Path) -> None:
    folder = tmp_path / "recovery"
    folder.touch()  # a file where the folder should be
    document = Document(Architecture())
    recovery = Recovery(document, folder)
    said: list[str] = []
    recovery.failed.connect(said.append)
    for name in "ab":
        document.edit("edit", replace(NETWORK, name=name))
        recovery.write()
    assert len(said) == 1
    assert said[0].startswith("Unsaved work is not secured against a crash: ")
    folder.unlink()
    recovery.write()
    assert recovery.file.exists()
    recovery.remove()


def test_that_edits_at_a_steady_pace_do_not_put_off_the_copy(qtbot: QtBot, tmp_path: Path) -> None:
    document = Document(Architecture())
    recovery = Recovery(document, tmp_path)
    document.edit("edit", replace(NETWORK, name="0"))
    first = recovery._timer.remainingTime()
    for name in "1234":
        document.edit("edit", replace(NETWORK, name=name))
    assert recovery._timer.remainingTime() <= first <= MAX_AGE
    recovery.remove()


def test_that_an_edit_makes_the_copy_that_is_late(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No event loop runs here, as in one that is too busy: the timer never comes.
    now = [0.0]
    monkeypatch.setattr("rfstudio.app.files.recovery.time.monotonic", lambda: now[0])
    document = Document(Architecture())
    recovery = Recovery(document, tmp_path)
    document.edit("first", NETWORK)
    assert not recovery.file.exists()
    now[0] = 0.95
    document.edit("second", replace(NETWORK, name="second"))
    assert read_draft(recovery.file.read_bytes()).name == "second"
    now[0] = 1.0
    document.edit("third", replace(NETWORK, name="third"))
    assert read_draft(recovery.file.read_bytes()).name == "second"  # 50 ms old
    recovery.remove()


def test_that_no_kill_costs_more_than_two_seconds_or_leaves_half_a_file(tmp_path: Path) -> None:
    rng = random.Random(20)
    waiting = [
        (tmp_path / str(i), rng.uniform(0.3, 2.0 if KILLS < 10 else 5.0)) for i in range(KILLS)
    ]
    lost: list[float] = []
    while waiting:
        together, waiting = waiting[:8], waiting[8:]
        started = []
        for folder, delay in together:
            folder.mkdir()
            notes = folder / "notes"
            words = [sys.executable, str(EDITOR), str(folder / "r"), str(notes), folder.name]
            started.append((subprocess.Popen(words), folder, notes, delay))
        for process, folder, notes, delay in started:
            lost.append(_lost_by_kill(process, folder / "r", notes, delay))
    assert max(lost) <= 2.0, sorted(lost)


def _lost_by_kill(process: subprocess.Popen, folder: Path, notes: Path, delay: float) -> float:
    """Kill a session some time after its first edit; return the age of the oldest edit lost.

    By the session's own clock: see there.
    """
    while not notes.exists() or not notes.read_text().count("\n"):
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.02)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(delay)
    worked = _seconds_of_processor(process.pid)
    process.kill()
    process.wait()
    lines = [line.split() for line in notes.read_text().splitlines() if line.count(" ") == 2]
    made = {word: seconds for word, seconds, _ in lines}
    _, last, worked_then = lines[-1]
    killed = float(last) + TICK + max(0.0, worked - float(worked_then))
    copies = list(folder.glob("*.yaml"))
    saved = 0
    if copies:
        saved = int(read_draft(copies[0].read_bytes()).name.removeprefix("edit "))
    first_lost = made.get(str(saved + 1))
    return 0.0 if first_lost is None else killed - float(first_lost)


def _seconds_of_processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_that_the_dialog_lists_opens_and_deletes(qtbot: QtBot, tmp_path: Path) -> None:
    for name in ("one", "two", "three"):
        _crashed(tmp_path, replace(NETWORK, name=name))
    left = Recovery(Document(Architecture()), tmp_path).left_over()
    dialog = RecoverDialog(left)
    qtbot.addWidget(dialog)
    dialog.open()
    assert dialog.list.topLevelItemCount() == 3
    dialog.delete_button.click()
    assert dialog.decision.discarded == (left[0],)
    dialog.list.setCurrentItem(present(dialog.list.topLevelItem(1)))
    dialog.open_button.click()
    assert dialog.decision.opened == left[2]
    assert not dialog.isVisible()
    later = RecoverDialog(left)
    qtbot.addWidget(later)
    later.open()
    later.later_button.click()
    assert later.decision == type(later.decision)()


def test_that_a_copy_that_took_long_makes_the_next_one_begin_earlier(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("rfstudio.app.files.recovery.time.monotonic", lambda: 0.5 * next(clock))
    document = Document(Architecture())
    recovery = Recovery(document, tmp_path)
    assert recovery._timer.interval() == 900
    document.edit("first", NETWORK)
    recovery.write()
    # 1.8 s less twice the 0.5 s that it took
    assert recovery._timer.interval() == 800
    recovery.remove()


def _said_until_killed(button: str, last: str) -> list[str]:
    """Start the program, kill it once it has said something, and return what it has said."""
    program = Path(__file__).with_name("recover_by_hand.py")
    words = [sys.executable, str(program), button]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        said = []
        for line in present(process.stdout):
            said.append(line.strip())
            if line.startswith(last):
                break
        process.kill()
    return said


@pytest.mark.slow
def test_that_a_kill_during_and_after_the_question_loses_nothing(qtbot: QtBot) -> None:
    folder = recovery_folder()
    copy = _crashed(folder)
    content = copy.read_bytes()
    assert _said_until_killed("none", "asks") == ["asks about mine"]  # killed at the question
    assert copy.read_bytes() == content
    assert _said_until_killed("Decide later", "shows")[1] == "shows VGG-16 False"
    assert copy.read_bytes() == content
    said = _said_until_killed("Open", "shows")
    assert said == ["asks about mine", "shows mine True"]  # killed as soon as it is shown
    (left,) = folder.glob("*.yaml")
    assert left != copy  # the copy of the session that was killed
    assert read_draft(left.read_bytes()) == NETWORK
    assert _said_until_killed("Delete", "shows")[1] == "shows VGG-16 False"
    assert list(folder.glob("*.yaml")) == []
