"""Figures of what the window shows: the dialog, its preview, and copies that draw them again."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication, QImage
from pytestqt.qtbot import QtBot

from rfstudio.app.attention.session import AttentionSession
from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.files.figure_settings import FigureSettings, FigureStyle
from rfstudio.app.jobs import Job, JobRunner
from rfstudio.app.state.image_source import sample_images
from rfstudio.app.wording.inline_networks import InlineNetworks
from rfstudio.cli.program import run
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.process.running import CancelToken, ignore
from rfstudio.figures import KINDS
from rfstudio.widgets.window.figure_dialog import FigureDialog
from rfstudio.widgets.window.main_window import MainWindow

STYLE = FigureStyle(width_mm=85, dpi=80, colour=True)
COPIED = [x for x in KINDS if x not in ("convergence", "film", "attention")]


@pytest.fixture
def shown(window: MainWindow, qtbot: QtBot) -> MainWindow:
    """Return a window with a preset, a photo, a pin, another network and a lesson to speak of."""
    window.files.open_preset("luo_20_layers")
    window.studio.images.open(sample_images()[0])
    window.studio.selection.select_layer("stack.5", (28, 28))
    window.studio.pins.add()
    window.studio.selection.select_layer("stack.3", (20, 24))
    return window


def _copied(window: MainWindow, qtbot: QtBot, kind: str, language: str) -> str:
    """Click the button of the dialog, and return what is on the clipboard."""
    dialog = FigureDialog(FigureSettings(kind, STYLE), window, window.files)
    qtbot.addWidget(dialog)
    button = dialog.copy_python if language == "python" else dialog.copy_command
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert "copied" in dialog.copies.text()
    window.files.previews.wait()
    return QGuiApplication.clipboard().text()


def _drawn(window: MainWindow, kind: str) -> bytes:
    return window.files.drawing(FigureSettings(kind, STYLE))(".svg")


def test_that_what_is_copied_draws_the_same_figure(
    shown: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "growth"
    monkeypatch.chdir(tmp_path)
    words = shlex.split(_copied(shown, qtbot, kind, "command"))
    assert run(words[1:]) == 0
    assert Path("figure.svg").read_bytes() == _drawn(shown, kind)
    Path("figure.svg").unlink()
    exec(_copied(shown, qtbot, kind, "python"), {})
    assert Path("figure.svg").read_bytes() == _drawn(shown, kind)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["command", "python"])
@pytest.mark.parametrize("kind", COPIED)
def test_that_what_is_copied_draws_the_same_figure_in_another_process(
    shown: MainWindow, kind: str, language: str, qtbot: QtBot, tmp_path: Path
) -> None:
    if kind == "lesson":
        shown.begin_lesson(3)
    drawn = _drawn(shown, kind)
    text = _copied(shown, qtbot, kind, language)
    words = ["-c", text] if language == "python" else ["-m", *shlex.split(text)]
    subprocess.run([sys.executable, *words], cwd=tmp_path, check=True, timeout=150)
    assert (tmp_path / "figure.svg").read_bytes() == drawn


def test_that_the_preview_is_the_file_that_is_written(
    shown: MainWindow, answers, qtbot: QtBot, tmp_path: Path
) -> None:
    figure = FigureSettings("field", STYLE)
    with qtbot.waitSignal(shown.files.previews.drawn, timeout=60_000):
        dialog = FigureDialog(figure, shown, shown.files)
        qtbot.addWidget(dialog)
    assert not dialog.preview.pixmap().isNull()
    answers.chosen_figure, answers.path = dialog.chosen, tmp_path / "field.png"
    with qtbot.waitSignal(shown.files.writing.written, timeout=60_000):
        shown.actions_.export_picture.trigger()
    assert answers.path.read_bytes() == dialog.picture


@pytest.mark.parametrize("dpi", [300, pytest.param(600, marks=pytest.mark.slow)])
def test_that_a_large_preview_is_made_small_beside_the_window(
    dpi: int, shown: MainWindow, qtbot: QtBot
) -> None:
    figure = FigureSettings("fields", FigureStyle(width_mm=174, dpi=dpi))
    with qtbot.waitSignal(shown.files.previews.drawn, timeout=60_000) as drawn:
        dialog = FigureDialog(figure, shown, shown.files)
        qtbot.addWidget(dialog)
    _, data, picture = drawn.args
    whole = QImage.fromData(data)
    assert whole.width() == round(174 / 25.4 * dpi)
    assert max(picture.width(), picture.height()) == 1200
    assert picture.width() / picture.height() == pytest.approx(
        whole.width() / whole.height(), abs=0.01
    )
    assert not dialog.preview.pixmap().isNull()


def test_that_the_preview_says_why_there_is_no_picture(shown: MainWindow, qtbot: QtBot) -> None:
    with qtbot.waitSignal(shown.files.previews.failed, timeout=60_000):
        dialog = FigureDialog(FigureSettings("convergence", STYLE), shown, shown.files)
        qtbot.addWidget(dialog)
    assert "energy or rms with random weights" in dialog.preview.text()
    assert not dialog.choose.isEnabled()
    with qtbot.waitSignal(shown.files.previews.failed, timeout=60_000):
        dialog.content.setCurrentIndex(dialog.content.findData("attention"))
    assert "the tab Attention does it" in dialog.preview.text()
    with qtbot.waitSignal(shown.files.previews.drawn, timeout=60_000):
        dialog.content.setCurrentIndex(dialog.content.findData("fields"))
    assert dialog.choose.isEnabled()
    with qtbot.waitSignal(shown.files.previews.failed, timeout=60_000):
        dialog.content.setCurrentIndex(dialog.content.findData("convergence"))
    qtbot.mouseClick(dialog.copy_command, Qt.MouseButton.LeftButton)


@pytest.fixture
def edited(window: MainWindow) -> MainWindow:
    """Return a window with a pin and a network that are in no file."""
    window.files.open_preset("luo_20_layers")
    window.studio.selection.select_layer("stack.5", (28, 28))
    window.studio.edits.set_parameter((0, 0, 0), "kernel_size", 5)
    window.studio.pins.add()
    window.studio.edits.set_parameter((0, 0, 0), "kernel_size", 7)
    return window


@pytest.mark.slow
def test_that_networks_without_a_file_are_copied_with_the_code(
    edited: MainWindow, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = _drawn(edited, "comparison")
    exec(_copied(edited, qtbot, "comparison", "python"), {})
    assert Path("figure.svg").read_bytes() == drawn
    assert sorted(x.stem.split("-")[0] for x in tmp_path.glob("*.yaml")) == ["network", "pin_A"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the command is one of a POSIX shell")
@pytest.mark.parametrize("kind", ["comparison", "growth"])
def test_that_a_shell_draws_networks_without_a_file_by_what_was_copied(
    edited: MainWindow, kind: str, qtbot: QtBot, tmp_path: Path
) -> None:
    drawn = _drawn(edited, kind)
    text = _copied(edited, qtbot, kind, "command")
    text = text.replace("\nrfstudio ", f"\n{sys.executable} -m rfstudio ")
    subprocess.run(["/bin/sh", "-c", text], cwd=tmp_path, check=True, timeout=150)
    assert (tmp_path / "figure.svg").read_bytes() == drawn


def test_that_what_is_copied_of_an_unsaved_network_gives_the_numbers_of_the_window(
    edited: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    edited.actions_.copy_python.trigger()
    names: dict = {}
    exec(QGuiApplication.clipboard().text(), names)
    assert names["layer"].rf_size == edited.studio.analysis.analysis["stack.5"].rf_size
    edited.actions_.copy_command.trigger()
    text, _, command = QGuiApplication.clipboard().text().rpartition("END\n")
    assert text.startswith("cat > network-")
    assert command.startswith("rfstudio erf network-")
    assert "save" not in edited.status.currentMessage()


@pytest.mark.parametrize("text", ['a"""b\n', "back\\slash\n", 'END\nends with "', "carriage\r\n"])
def test_that_any_text_is_written_as_it_is(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rfstudio.app.wording.inline_networks.write_yaml", lambda _: text)
    inline = InlineNetworks()
    name = inline.word("network", Architecture())
    exec(inline.python(repr(name)), {})
    assert Path(name).read_bytes().decode() == text
    assert inline.command(name).count("\nEND_\n") == text.startswith("END")


NETWORK = """\
format: 1
name: small
input: {size: [24, 32], channels: 3}
layers:
  - conv: {name: patch, kernel_size: 8, stride: 8, out_channels: 8}
  - attention: {name: a, heads: 2}
  - attention: {name: b, heads: 2}
"""


class _AtOnce:
    """Does work at once, in this process."""

    def submit(self, _key: str, work: Callable) -> Job:
        job = Job(1, cast("object", None))  # type: ignore[arg-type] # nothing is sent
        found = work(CancelToken(), ignore)
        QTimer.singleShot(0, job, lambda: job.succeeded.emit(found))
        return job


@pytest.mark.slow
@pytest.mark.parametrize("has_photo", [True, False])
@pytest.mark.parametrize("layer", ["b", ""])
def test_that_copied_attention_draws_the_same_figure(
    layer: str,
    has_photo: bool,
    window: MainWindow,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    studio = window.studio
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "small.yaml"
    path.write_text(NETWORK)
    window.files.open_path(path)
    if has_photo:
        studio.images.open(sample_images()[0])
    else:
        studio.images.clear()
    runner = cast("JobRunner", _AtOnce())
    erf = ErfSession(runner, studio.analysis, studio.selection, studio)
    erf.set_options(seed=3)
    session = AttentionSession(
        runner, erf, studio.analysis, studio.selection, studio.images, studio
    )
    window.files.beside.attention = session
    said = window.files.copy_figure(FigureSettings("attention", STYLE), "command")
    assert said == "No attention was measured yet; the tab Attention does it."
    studio.selection.select_layer("b", (2, 1))
    with qtbot.waitSignal(session.results_changed):
        session.start(layer)
    with qtbot.waitSignal(session.results_changed):
        pass
    words = shlex.split(_copied(window, qtbot, "attention", "command"))
    assert run(words[1:]) == 0
    assert Path("figure.svg").read_bytes() == _drawn(window, "attention")
    Path("figure.svg").unlink()
    exec(_copied(window, qtbot, "attention", "python"), {})
    assert Path("figure.svg").read_bytes() == _drawn(window, "attention")
