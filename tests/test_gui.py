"""The program as a whole: the platform is checked, the first window is quick and says something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer, QUrl
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio import __version__, gui
from rfstudio.app.files.log_file import end_log, log_file, start_log
from rfstudio.core.errors import RFStudioError, UnknownLayerError
from rfstudio.widgets.window.about_dialog import AboutDialog
from rfstudio.widgets.window.crash_dialog import CrashDialog, report_text
from rfstudio.widgets.window.tour import TOUR
from tests.narrowing import present

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def window(qtbot: QtBot):
    made = gui.make_window()
    yield made
    made.close()
    made.deleteLater()


def test_that_calls_that_return_nothing_keep_references(qtbot: QtBot) -> None:
    assert gui.lost_references() < 100
    gui.check_references()


def test_that_a_binding_that_loses_references_is_refused_in_words(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gui, "lost_references", lambda: 200)
    with pytest.raises(RFStudioError, match="loses references"):
        gui.check_references()


def test_that_the_first_start_shows_a_deep_unit_of_vgg16_on_a_photo(window, qtbot: QtBot) -> None:
    studio = window.studio
    assert studio.document.architecture.name == "VGG-16"
    assert studio.images.picture is not None
    assert studio.selection.layer == "conv5_3"
    assert studio.selection.unit == (7, 7)
    # 196 with jump 16: Simonyan and Zisserman's network, as in the published tables
    assert studio.analysis.analysis["conv5_3"].rf_size == (196, 196)
    assert window.canvas.sight is not None


def test_that_the_tour_is_offered_at_the_first_start_only(
    window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    gui.offer_tour(window)
    qtbot.waitUntil(lambda: window.tour is not None)
    qtbot.keyClick(window.tour, Qt.Key.Key_Escape)
    assert window.tour is None
    offered: list[object] = []
    monkeypatch.setattr(QTimer, "singleShot", lambda *what: offered.append(what))
    gui.offer_tour(window)
    assert offered == []
    window.studio.settings.set(TOUR, False)
    gui.offer_tour(window)
    assert len(offered) == 1


def test_that_a_named_network_and_image_are_shown(qtbot: QtBot) -> None:
    from rfstudio import paths

    window = gui.make_window("resnet18", paths.sample_images() / "cat.jpg")
    assert window.studio.document.architecture.name == "ResNet-18"
    assert present(window.studio.images.picture).name == "cat"
    window.close()


def test_that_an_unknown_network_is_an_error_with_the_nearest_name(qtbot: QtBot) -> None:
    with pytest.raises(RFStudioError, match="vgg16"):
        gui.make_window("vgg166")


def test_that_a_broken_file_opens_the_window_with_its_problems(
    qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("format: 1\nlayers: [konv]\n")
    window = gui.make_window(str(path))
    assert window.problems.file_problem_texts()
    assert window.studio.document.architecture.name == "VGG-16"
    window.close()


@pytest.mark.slow
def test_that_the_last_network_is_shown_again(qtbot: QtBot) -> None:
    first = gui.make_window()
    first.files.open_preset("alexnet")
    first.studio.selection.select_layer("conv2", (3, 5))
    first.tabs.setCurrentWidget(first.graph)
    first.close()
    second = gui.make_window()
    assert second.studio.document.architecture.name == "AlexNet"
    assert second.studio.selection.value[:2] == ("conv2", (3, 5))
    assert second.tabs.currentWidget() is second.graph
    second.close()
    third = gui.make_window("resnet18")  # asked for: nothing of another network counts
    assert third.studio.selection.layer != "conv2"
    third.close()


def test_that_a_crash_is_told_with_a_text_to_copy(qtbot: QtBot) -> None:
    try:
        raise ValueError("something odd")
    except ValueError as error:
        text = report_text(type(error), error, error.__traceback__)
    dialog = CrashDialog(text)
    qtbot.addWidget(dialog)
    dialog.copy.click()
    copied = QApplication.clipboard().text()
    assert "ValueError: something odd" in copied
    assert "Qt" in copied.splitlines()[0]


def test_that_an_expected_error_is_a_line_and_a_bug_is_a_dialog(
    window, qtbot: QtBot, capsys: pytest.CaptureFixture
) -> None:
    report = gui._reporter(window)
    expected = UnknownLayerError("there is no layer 'x'")
    report(UnknownLayerError, expected, None)
    assert window.status.currentMessage() == "there is no layer 'x'"
    assert window.findChild(CrashDialog) is None
    report(ZeroDivisionError, ZeroDivisionError("oops"), None)
    dialog = window.findChild(CrashDialog)
    assert "oops" in dialog.text
    for i in range(50):  # as of a mistake in what is painted
        report(ZeroDivisionError, ZeroDivisionError(f"again {i}"), None)
    assert window.findChildren(CrashDialog) == [dialog]
    assert "again 3" in dialog.text
    assert "again 9" not in dialog.text
    dialog.copy.click()
    assert "again 3" in QApplication.clipboard().text()
    dialog.close()


def test_that_neither_torch_nor_matplotlib_is_loaded_for_the_first_window() -> None:
    code = (
        "import sys\n"
        "from rfstudio import gui\n"
        "app = gui.make_application()\n"
        "window = gui.make_window()\n"
        "window.show()\n"
        "print(sorted({'torch', 'matplotlib', 'onnx', 'scipy', 'networkx'} & set(sys.modules)))\n"
        "window.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr
    assert done.returncode == 0


def test_that_errors_are_in_the_log_file_whose_folder_a_menu_opens(
    window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = start_log("version 0")
    report = gui._reporter(window)
    report(ZeroDivisionError, ZeroDivisionError("oops"), None)
    window.findChild(CrashDialog).close()
    end_log(log)
    text = log_file().read_text()
    assert "started: version 0" in text
    assert "ZeroDivisionError: oops" in text
    opened: list[str] = []

    def open_url(url: QUrl) -> bool:
        opened.append(url.toLocalFile())
        return True

    monkeypatch.setattr("rfstudio.widgets.window.main_window.QDesktopServices.openUrl", open_url)
    window.actions_.logs.trigger()
    assert opened == [str(log_file().parent)]


def test_that_the_about_box_has_versions_to_copy(window) -> None:
    window.actions_.about.trigger()
    dialog = window.findChild(AboutDialog)
    dialog.copy.click()
    copied = QApplication.clipboard().text()
    assert __version__ in copied
    assert str(log_file()) in copied
    dialog.close()
