"""The program as a whole: the platform is checked, the first window is quick and says something."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import QByteArray, QSettings, Qt, QTimer, QUrl
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio import __version__, gui
from rfstudio.app.files.log_file import end_log, log_file, start_log
from rfstudio.app.state.settings import Settings
from rfstudio.core.errors import RFStudioError, UnknownLayerError
from rfstudio.widgets.parts.theme import scale_text, text_scale
from rfstudio.widgets.window.about_dialog import AboutDialog
from rfstudio.widgets.window.crash_dialog import CrashDialog, report_text
from rfstudio.widgets.window.crash_reports import CrashReports
from rfstudio.widgets.window.tour import TOUR
from tests.narrowing import present

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def window(qtbot: QtBot):
    made = gui.make_window()
    yield made
    made.studio.document.undo_stack.setClean()  # nobody answers
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
    report = CrashReports(window).take
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


@pytest.fixture
def log() -> Iterator[logging.Handler | None]:
    handler = start_log("version 0")
    yield handler
    end_log(handler)


@pytest.fixture
def reports(window, monkeypatch: pytest.MonkeyPatch) -> CrashReports:
    """Return the reports of the window, which take all errors until the test ends."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    made = CrashReports(window)
    made.install()
    return made


@pytest.mark.usefixtures("reports", "log")
def test_that_an_error_of_a_thread_is_told_with_what_was_done_before(window, qtbot: QtBot) -> None:
    window.studio.edits.delete([(0,)])

    def work() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    qtbot.waitUntil(lambda: window.findChild(CrashDialog) is not None)
    (dialog,) = window.findChildren(CrashDialog)
    assert "ValueError: in a thread" in dialog.text
    assert "network VGG-16" in dialog.text
    assert "unit (112, 112) of relu1" in dialog.text
    assert "last edits: Delete conv1_1" in dialog.text
    assert "torch" in dialog.text.splitlines()[1]
    assert "in a thread" in log_file().read_text()
    qtbot.mouseClick(dialog.copy, Qt.MouseButton.LeftButton)
    assert QApplication.clipboard().text() == dialog.text
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


class _Restless:
    def __del__(self) -> None:
        raise ValueError("as it was deleted")


@pytest.mark.usefixtures("log")
def test_that_an_error_of_something_deleted_is_in_the_log(reports: CrashReports) -> None:
    assert reports
    thing = _Restless()
    del thing
    assert "ValueError: as it was deleted" in log_file().read_text()


@pytest.mark.usefixtures("log")
def test_that_a_report_of_millions_of_letters_loses_its_middle(
    window, reports: CrashReports, capsys: pytest.CaptureFixture
) -> None:
    reports.take(ValueError, ValueError(f"first{'x' * 5_000_000}last"), None)
    (dialog,) = window.findChildren(CrashDialog)
    assert "ValueError: first" in dialog.text
    assert "… 4,99" in dialog.text
    assert dialog.text.rstrip().endswith("last")
    assert len(dialog.text) < 10_000
    assert log_file().stat().st_size < 20_000
    dialog.close()


def test_that_one_dialog_takes_all_errors_while_another_one_waits(
    window, reports: CrashReports, capsys: pytest.CaptureFixture
) -> None:
    # A dialog that was closed while another one waits for an answer is deleted only after that.
    reports.take(ValueError, ValueError("earlier"), None)
    (closed,) = window.findChildren(CrashDialog)
    closed.hide()
    for i in range(3):
        reports.take(ValueError, ValueError(f"later {i}"), None)
    (dialog,) = [x for x in window.findChildren(CrashDialog) if x is not closed]
    assert "later 2" in dialog.text
    dialog.close()


class _Hostile:
    """A file of settings in which everything has the same value."""

    def __init__(self, value: object) -> None:
        self._value = value

    def value(self, _key: str, _default: object = None) -> object:
        return self._value

    def setValue(self, *_: object) -> None: ...  # noqa: N802 - Qt's name

    def remove(self, _key: str) -> None: ...

    def sync(self) -> None: ...


@pytest.mark.parametrize(
    "value",
    [
        "nan",
        pytest.param("-inf", marks=pytest.mark.slow),
        pytest.param("1e300", marks=pytest.mark.slow),
        pytest.param("\0", marks=pytest.mark.slow),
        pytest.param("a" * 5000, marks=pytest.mark.slow),
        pytest.param(["conv5_3", "9" * 5000], marks=pytest.mark.slow),
        pytest.param(QByteArray(b"x" * 100), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_that_the_window_opens_whatever_is_in_the_settings(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    usual = Settings.__init__

    def begin(settings: Settings, path: Path | None = None) -> None:
        usual(settings, path)
        settings._store = cast("QSettings", _Hostile(value))

    monkeypatch.setattr(Settings, "__init__", begin)
    window = gui.make_window()
    with qtbot.waitExposed(window):
        window.show()
    window.actions_.train.trigger()  # which shows the film that was open last
    dialog = present(window.training.dialog)
    assert window.studio.document.architecture.name == "VGG-16"
    assert 1 <= text_scale() <= 2
    dialog.close()
    window.close()
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    scale_text(application, 1.0)


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
    report = CrashReports(window).take
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
