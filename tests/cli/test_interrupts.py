"""Ctrl-C while the command line imports, computes or writes: a line, 130, and no half file."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Ctrl-C comes when a module is looked for the first time, or a function is called.
_AT_IMPORT = """
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {place!r}:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""
_AT_CALL = """
real = os.fsync
def fsync(handle):
    os.kill(os.getpid(), signal.SIGINT)
    real(handle)
os.fsync = fsync
"""
_LOST = """
real = os.fsync
def fsync(handle):
    for _ in range({presses}):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            {then}
    real(handle)
os.fsync = fsync
"""
_RUN = """
from rfstudio.cli import main
sys.exit(main())
"""


def _interrupted(trap: str, *words: object) -> tuple[int, str]:
    script = f"import os, signal, sys\n{trap}\n{_RUN}"
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("rfstudio.cli.program", ("presets",)),
        ("rfstudio.core.network.graph", ("presets",)),
        ("yaml", ("analyze", "vgg16")),
        ("torch", ("erf", "vgg16", "--layer", "conv1_1", "--samples", 1)),
        ("matplotlib", ("figure", "vgg16", "--layer", "conv1_1", "--output", "/dev/null/x.svg")),
    ],
)
def test_that_an_interrupt_while_modules_are_imported_is_one_line(
    place: str, words: tuple[object, ...]
) -> None:
    trap = _AT_IMPORT.format(place=place)
    assert _interrupted(trap, *words) == (130, "rfstudio: interrupted\n")


def test_that_an_interrupt_amid_a_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    output = tmp_path / "network.yaml"
    output.write_text("old")
    found = _interrupted(_AT_CALL, "convert", "vgg16", "--output", output)
    assert found == (130, "rfstudio: interrupted\n")
    assert {x.name: x.read_text() for x in tmp_path.iterdir()} == {"network.yaml": "old"}


def test_that_an_interrupt_that_a_library_turns_into_its_own_error_stays_one(
    tmp_path: Path,
) -> None:
    trap = _LOST.format(presses=1, then="raise SystemError('a callback failed')")
    found = _interrupted(trap, "convert", "vgg16", "--output", tmp_path / "network.yaml")
    assert found == (130, "rfstudio: interrupted\n")


def test_that_a_second_interrupt_ends_what_swallowed_the_first(tmp_path: Path) -> None:
    trap = _LOST.format(presses=2, then="pass")
    found = _interrupted(trap, "convert", "vgg16", "--output", tmp_path / "network.yaml")
    assert found == (130, "rfstudio: interrupted\n")


def test_that_an_ignored_interrupt_stays_ignored() -> None:
    trap = "signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + _AT_IMPORT.format(place="yaml")
    assert _interrupted(trap, "analyze", "vgg16", "--layer", "conv1_1") == (0, "")


def test_that_an_interrupt_while_qt_is_imported_is_no_crash() -> None:
    """Its start in C aborts the process at any exception."""
    trap = _AT_IMPORT.format(place="PySide6.support")
    assert _interrupted(trap, "vgg16") == (130, "rfstudio: interrupted\n")


_WAITING = """
import time
from rfstudio.cli import program
def run(argv):
    print("runs", flush=True)
    for _ in range(1200):  # not one sleep: a signal just before it would be heard after it
        time.sleep(0.05)
program.run = run
from rfstudio.cli import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun ends processes by SIGTERM")
@pytest.mark.parametrize(("rank", "lines"), [("1", 1), ("2", 0)])
def test_that_a_process_says_that_torchrun_ends_it(rank: str, lines: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _WAITING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"RANK": rank, "WORLD_SIZE": "4"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n"
    process.terminate()
    _, said = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert said.count("another of the 4 has ended") == len(said.splitlines()) == lines
