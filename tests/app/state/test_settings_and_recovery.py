"""What outlives a run: settings, recent files, the copy of what was not saved."""

from __future__ import annotations

from pathlib import Path

from pytestqt.qtbot import QtBot

from rfstudio.app.files.opening import LAST, opening_for
from rfstudio.app.files.recent_files import MAX_RECENT, RecentFiles
from rfstudio.app.files.recovery import Recovery
from rfstudio.app.state.document import Document
from rfstudio.app.state.settings import Settings, settings_file
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer

NETWORK = Architecture(name="mine", layers=(Layer(ops.Relu()),))
UNUSED_PID = 2**22 + 1  # beyond the largest process id of Linux


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


def test_that_unsaved_work_is_offered_after_a_crash(qtbot: QtBot, tmp_path: Path) -> None:
    document = Document(Architecture())
    recovery = Recovery(document, tmp_path)
    document.edit("edit", NETWORK)
    recovery.write()
    (kept,) = tmp_path.glob("*.yaml")
    kept.rename(tmp_path / f"{UNUSED_PID}.yaml")
    assert Recovery(Document(Architecture()), tmp_path).take_left_over() == NETWORK
    assert not list(tmp_path.glob("*.yaml"))


def test_that_nothing_is_left_when_everything_is_saved(qtbot: QtBot, tmp_path: Path) -> None:
    document = Document(Architecture())
    recovery = Recovery(document, tmp_path)
    document.edit("edit", NETWORK)
    recovery.write()
    document.undo_stack.setClean()
    recovery.write()
    assert not list(tmp_path.glob("*.yaml"))
    assert Recovery(document, tmp_path).take_left_over() is None


def test_that_a_damaged_copy_is_no_reason_to_fail(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / f"{UNUSED_PID}.yaml").write_text("{{{{")
    assert Recovery(Document(Architecture()), tmp_path).take_left_over() is None


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
