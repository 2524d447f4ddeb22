"""What outlives a run: settings, recent files, the network that was open last."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from rfstudio.app.files.opening import LAST, opening_for
from rfstudio.app.files.recent_files import MAX_RECENT, RecentFiles
from rfstudio.app.state.settings import Settings, settings_file
from rfstudio.core.errors import RFStudioError


def test_that_settings_survive_and_wrong_types_count_as_missing(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.ini")
    settings.set("flag", False)
    settings.set("number", 2.5)
    settings.set("texts", ["a", "b"])
    settings.sync()
    again = Settings(tmp_path / "settings.ini")
    assert again.flag("flag", True) is False
    assert again.number("number", 0) == 2.5
    assert again.texts("texts") == ["a", "b"]
    assert again.number("texts", 7) == 7
    assert again.flag("number", True) is True
    assert again.bytes("flag").isEmpty()


def test_that_settings_of_the_user_lie_in_the_configuration_folder() -> None:
    assert settings_file().parts[-2:] == ("rfstudio", "settings.ini")


def test_that_recent_files_are_newest_first_few_and_there(qtbot: QtBot, tmp_path: Path) -> None:
    recent = RecentFiles(Settings(tmp_path / "settings.ini"))
    paths = [tmp_path / f"{i}.yaml" for i in range(MAX_RECENT + 2)]
    for path in paths:
        path.touch()
        recent.add(path)
    recent.add(paths[-3])
    assert recent.paths[:3] == [paths[-3], paths[-1], paths[-2]]
    assert len(recent.paths) == MAX_RECENT
    paths[-3].unlink()
    assert recent.paths[0] == paths[-1]


def test_that_recent_files_of_another_window_stay(qtbot: QtBot, tmp_path: Path) -> None:
    mine, theirs, last = (tmp_path / f"{x}.yaml" for x in ("mine", "theirs", "last"))
    for path in (mine, theirs, last):
        path.touch()
    file = tmp_path / "settings.ini"
    settings = Settings(file)
    recent = RecentFiles(settings)
    recent.add(mine)
    settings.sync()
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from rfstudio.app.files.recent_files import RecentFiles\n"
        "from rfstudio.app.state.settings import Settings\n"
        "settings = Settings(Path(sys.argv[1]))\n"
        "RecentFiles(settings).add(Path(sys.argv[2]))\n"
        "settings.sync()\n"
    )
    subprocess.run([sys.executable, "-c", code, str(file), str(theirs)], check=True, timeout=60)
    recent.add(last)
    assert recent.paths == [last, theirs, mine]


def test_that_the_program_begins_with_vgg16_and_later_with_what_was_last(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.ini")
    assert opening_for(None, settings).architecture.name == "VGG-16"
    settings.set(LAST, "resnet18")
    assert opening_for(None, settings).architecture.name == "ResNet-18"
    settings.set(LAST, str(tmp_path / "gone.yaml"))
    assert opening_for(None, settings).architecture.name == "VGG-16"


def test_that_a_broken_file_at_the_start_is_told_and_something_is_open(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("format: 1\n")
    opening = opening_for(str(path), Settings(tmp_path / "settings.ini"))
    assert opening.architecture.name == "VGG-16"
    assert opening.wanted == path
    assert opening.problems


@pytest.mark.parametrize(
    "kind", ["locked folder", "long name", "longest name", "null", "folder", "gone"]
)
def test_that_a_last_network_that_cannot_be_read_gives_way_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "locked" / "net.yaml"
    path.parent.mkdir()
    if kind == "locked folder":
        # Root is let into every folder, so the refusal is played.
        for name in ("lstat", "stat"):
            monkeypatch.setattr(Path, name, _refused(getattr(Path, name), path))
    settings = Settings(tmp_path / "settings.ini")
    names = {
        "long name": "n" * 300 + ".yaml",
        "longest name": "n" * 10**6,
        "null": "a\0b.yaml",
        "folder": ".",
    }
    last = str(tmp_path / names[kind]) if kind in names else str(path)
    settings.set(LAST, last)
    settings.set("recent/networks", [last, str(path)])
    opening = opening_for(None, settings)
    assert opening.architecture.name == "VGG-16"
    assert opening.why_not_last.startswith("what was open last is not shown: ")
    assert len(opening.why_not_last) < 600
    assert opening.why_not_last.isprintable()
    assert RecentFiles(settings).paths == []


def test_that_a_network_that_is_gone_is_said_to_be_a_file(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "settings.ini")
    settings.set(LAST, str(tmp_path / "gone.yaml"))
    said = opening_for(None, settings).why_not_last
    assert "gone.yaml' cannot be read: there is no such file" in said
    assert "preset" not in said
    with pytest.raises(RFStudioError, match=r"no preset and no file 'vgg61'; did you mean 'vgg"):
        opening_for("vgg61", settings)


def _refused(method, path: Path):
    def refuse(self: Path, *args, **kwargs):
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return method(self, *args, **kwargs)

    return refuse
