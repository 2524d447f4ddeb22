"""What Qt lacks on a bare machine is said by name, with the line that installs it."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from rfstudio import system_libraries
from rfstudio.system_libraries import DRAWING, FONTS, WINDOW, complaint, missing_libraries

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the names of the libraries that this system lacks, to be filled by the test."""
    names: set[str] = set()
    monkeypatch.setattr(system_libraries, "_loads", lambda name: name not in names)
    monkeypatch.setattr(sys, "platform", "linux")
    return names


def test_that_nothing_is_said_where_nothing_is_missing(lacking: set[str]) -> None:
    assert complaint(window=True) == ""


@pytest.mark.parametrize("library", DRAWING + WINDOW, ids=lambda x: x.name)
def test_that_each_library_is_named_with_its_package(
    lacking: set[str], library: system_libraries.Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    lacking.add(library.name)
    assert complaint(window=True) == (
        f"Qt cannot start without the system library {library.name}. "
        f"Install: sudo apt-get install {library.package}"
    )


def test_that_all_missing_libraries_are_in_one_line(lacking: set[str]) -> None:
    lacking |= {"libEGL.so.1", "libxcb-icccm.so.4"}
    assert "libEGL.so.1, libxcb-icccm.so.4" in complaint(window=True)
    assert "libegl1 libxcb-icccm4" in complaint(window=True)
    assert "icccm" not in complaint(window=False)


def test_that_the_system_is_not_told_of_a_tool_that_it_does_not_have(
    lacking: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    lacking.add("libEGL.so.1")
    assert "sudo" not in complaint(window=True)
    assert "libegl1" in complaint(window=True)


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_that_other_systems_lack_none(
    lacking: set[str], monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    lacking.add("libEGL.so.1")
    monkeypatch.setattr(sys, "platform", platform)
    assert missing_libraries(window=True) == ()


def test_that_the_linker_names_what_no_table_knows(tmp_path: Path) -> None:
    plugin = tmp_path / "libqxcb.so"
    plugin.write_bytes(b"no library")
    assert str(plugin) in system_libraries.complaint_of_plugin(plugin)


def test_that_the_file_prints_the_missing_packages_for_a_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", missing)
    monkeypatch.setattr(Path, "rglob", lambda *_: iter(()))
    runpy.run_path(str(ROOT / "rfstudio" / "system_libraries.py"), run_name="__main__")
    packages = capsys.readouterr().out.split()
    assert packages == [x.package for x in DRAWING + WINDOW] + [FONTS]


def test_that_the_script_that_starts_everything_knows_the_same_packages() -> None:
    done = subprocess.run([ROOT / "start", "packages"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [x.package for x in DRAWING + WINDOW] + [FONTS]
