"""Files as a careful user has them: changed by others, gone, without an ending, for print."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.files.figure_settings import FigureSettings, FigureStyle, remembered_figure
from rfstudio.app.files.presets import read_preset
from rfstudio.app.jobs import JobRunner
from rfstudio.app.spread.session import SpreadSession
from rfstudio.app.state.settings import Settings
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.metrics.spread import FieldSpread, ImageField
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.widgets.window.figure_dialog import FigureDialog
from rfstudio.widgets.window.main_window import MainWindow
from rfstudio.widgets.window.notice_dialog import NoticeDialog
from rfstudio.widgets.window.questions import of_kind


def test_that_a_file_that_others_changed_is_not_written_over_without_asking(
    window: MainWindow, answers, tmp_path: Path
) -> None:
    path = answers.path = tmp_path / "shared.yaml"
    window.actions_.save.trigger()
    window.studio.edits.delete([(0,)])
    window.actions_.save.trigger()
    assert answers.asked == []
    theirs = "# theirs\n" + path.read_text()
    path.write_text(theirs)
    window.studio.edits.delete([(0,)])
    window.actions_.save.trigger()
    assert answers.asked == ["overwrite shared.yaml"]
    assert path.read_text() == theirs
    assert window.studio.document.is_modified
    answers.overwrite = True
    window.actions_.save.trigger()
    assert "theirs" not in path.read_text()
    assert not window.studio.document.is_modified


def test_that_a_file_that_is_gone_is_written_anew(
    window: MainWindow, answers, tmp_path: Path
) -> None:
    path = answers.path = tmp_path / "gone.yaml"
    window.actions_.save.trigger()
    path.unlink()
    window.studio.edits.delete([(0,)])
    window.actions_.save.trigger()
    assert path.exists()
    assert answers.asked == []


def test_that_an_ending_is_put_on_before_it_is_asked_whether_to_replace() -> None:
    # Else a name without one would take the ending later, and replace a file unasked.
    assert of_kind(Path("net"), Path("x/suggested.yaml"), "All files (*)") == Path("net.yaml")


def test_that_the_reason_of_a_failure_is_in_sight_and_can_be_copied(qtbot: QtBot) -> None:
    box = NoticeDialog(None, "“a.yaml” was not saved.", "there is no <folder> /x")
    qtbot.addWidget(box)
    assert box.reason.text() == "There is no <folder> /x"
    for words in (box.text, box.reason):
        assert words.textInteractionFlags() & Qt.TextInteractionFlag.TextSelectableByKeyboard
        assert words.focusPolicy() == Qt.FocusPolicy.StrongFocus


def png_size(path: Path) -> tuple[int, int]:
    """Return width and height from the header of a PNG (ISO/IEC 15948, IHDR)."""
    return struct.unpack(">II", path.read_bytes()[16:24])


def test_that_a_figure_is_as_wide_and_as_fine_as_was_asked_for_and_so_the_next_one(
    window: MainWindow, answers, settings: Settings, qtbot: QtBot, tmp_path: Path
) -> None:
    answers.path = tmp_path / "figure.png"
    answers.chosen_figure = FigureSettings("fields", FigureStyle(width_mm=85, dpi=100, scale="log"))
    with qtbot.waitSignal(window.files.writing.written, timeout=60_000):
        window.actions_.export_picture.trigger()
    assert png_size(answers.path)[0] == pytest.approx(85 / 25.4 * 100, abs=1)
    answers.chosen_figure = None
    with qtbot.waitSignal(window.files.writing.written, timeout=60_000):
        window.actions_.export_picture.trigger()
    assert answers.offered_figures[-1].style.width_mm == 85
    assert remembered_figure(settings) == FigureSettings(
        "fields", FigureStyle(width_mm=85, dpi=100, scale="log")
    )


def test_that_the_growth_of_all_networks_in_the_chart_is_exported(
    window: MainWindow, answers, qtbot: QtBot, tmp_path: Path
) -> None:
    window.growth.add_network("alexnet", analyze(read_preset("alexnet")))
    answers.path = tmp_path / "growth.svg"
    answers.chosen_figure = FigureSettings("growth")
    with qtbot.waitSignal(window.files.writing.written, timeout=60_000):
        window.actions_.export_picture.trigger()
    text = answers.path.read_text()
    assert "alexnet" in text
    assert "small" in text


def test_that_the_growth_of_an_empty_network_is_exported(
    open_window: Callable, answers, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window(Architecture())
    answers.path = tmp_path / "growth.pdf"
    answers.chosen_figure = FigureSettings("growth")
    with qtbot.waitSignal(window.files.writing.written, timeout=60_000):
        window.actions_.export_picture.trigger()
    assert answers.path.exists()


def test_that_settings_of_figures_that_make_no_sense_are_not_taken(settings: Settings) -> None:
    settings.set("figure/dpi", "inf")
    settings.set("figure/width_mm", "4")
    assert remembered_figure(settings) == FigureSettings()


def test_that_the_dialog_of_figures_shows_and_returns_what_is_wanted(qtbot: QtBot) -> None:
    figure = FigureSettings("fields", FigureStyle(width_mm=174, dpi=600, scale="log", legend=False))
    dialog = FigureDialog(figure)
    qtbot.addWidget(dialog)
    assert dialog.chosen == figure
    assert dialog.colour.isEnabled()
    dialog.content.setCurrentIndex(1)
    assert dialog.chosen.content == "growth"
    assert not dialog.colour.isEnabled()


def test_that_copies_speak_of_the_same_map_as_the_window(
    window: MainWindow, capsys: pytest.CaptureFixture
) -> None:
    window.files.open_preset("resnet18")
    window.studio.selection.select_layer("layer1.0.conv1")
    window.actions_.fields_from_here.trigger()
    window.actions_.training.trigger()
    window.studio.selection.select_layer("layer1.1.conv1", (3, 4))
    window.actions_.copy_python.trigger()
    names: dict = {}
    exec(QGuiApplication.clipboard().text(), names)
    shown = window.studio.analysis.analysis["layer1.1.conv1"]
    assert names["layer"].rf_size == shown.rf_size
    assert names["unit"].theoretical_region == (
        window.studio.analysis.unit("layer1.1.conv1", (3, 4)).theoretical_region
    )
    window.actions_.copy_command.trigger()
    assert QGuiApplication.clipboard().text() == (
        "rfstudio analyze resnet18 --reference layer1.0.conv1 --layer layer1.1.conv1 --unit 3 4"
    )


def test_that_the_panel_below_is_copied_as_a_picture(window: MainWindow) -> None:
    window.tabs.setCurrentWidget(window.growth)
    window.actions_.copy_panel.trigger()
    picture = QGuiApplication.clipboard().image()
    assert picture.size() == window.growth.size()
    assert "Picture of Growth copied" in window.statusBar().currentMessage()


def test_that_a_figure_that_cannot_be_written_is_reported(
    window: MainWindow, answers, qtbot: QtBot, tmp_path: Path
) -> None:
    answers.path = tmp_path / "none" / "figure.png"
    with qtbot.waitSignal(window.files.writing.failed, timeout=60_000):
        window.actions_.export_picture.trigger()
    assert "was not written" in answers.reports[-1][0]


def test_that_a_file_is_compared_with_in_the_growth_chart(
    window: MainWindow, answers, tmp_path: Path
) -> None:
    answers.path = tmp_path / "other.yaml"
    answers.path.write_text(
        "format: 1\nname: other\ninput: {size: [9, 9], channels: 1}\nlayers:\n  - relu\n"
    )
    window.growth.file.trigger()
    assert window.growth.networks == ("other",)
    assert window.studio.document.architecture.name == "small"


def test_that_the_command_of_fields_on_images_is_of_the_network_that_was_measured(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, answers, tmp_path: Path
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    window.files.open_preset("vgg11")
    window.studio.selection.select_layer("conv1_1", (3, 4))
    studio = window.studio
    runner = cast("JobRunner", None)  # nothing is measured
    erf = ErfSession(runner, studio.analysis, studio.selection, studio)
    session = SpreadSession(runner, erf, studio.analysis, studio.selection, studio.boxes, studio)
    studio.spread = session
    monkeypatch.setattr(session, "_submit", lambda _: None)
    session.images = tmp_path
    session.start()
    size = (224, 224)
    values = np.ones((3, 3), np.float32)
    field = ImageField("a.png", values, ((2, 4), (3, 5)), 1.0, 3.0, 2.0, 9.0)
    session._succeed(
        FieldSpread("conv1_1", (3, 4), size, (field,), np.ones(size), np.ones(size), 0.0, 8)
    )
    command = f"rfstudio erf vgg11 --layer conv1_1 --unit 3 4 --images {tmp_path} --spread"
    window.files.copies.spread()
    assert QGuiApplication.clipboard().text().startswith(command)
    # The preset is written out, once another network is open or it was edited.
    window.studio.edits.delete([(0,)])
    window.files.copies.spread()
    lines = QGuiApplication.clipboard().text().splitlines()
    assert lines[0].startswith("cat > network-")
    assert "name: VGG-11" in lines
    assert lines[-1].startswith("rfstudio erf network-")
    assert command.removeprefix("rfstudio erf vgg11") in lines[-1]
    text = "\n".join(lines[1 : lines.index("END")])
    assert read_yaml(text).layers == read_preset("vgg11").layers
    answers.path = tmp_path / "out.json"
    window.files.export_spread()
    assert json.loads(answers.path.read_text())["command"].splitlines() == lines
    answers.path = tmp_path / "out.svg"
    window.files.export_spread()
    assert "is in no file" in answers.path.read_text()
