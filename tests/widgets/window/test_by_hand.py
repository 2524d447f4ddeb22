"""The menus, dialogs of files and questions of the window, with mouse and keyboard alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QObject, QPoint, QPointF, QProcess, Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QToolBar, QWidget
from pytestqt.qtbot import QtBot

from rfstudio import paths
from rfstudio.app.files.log_file import log_file
from rfstudio.app.frames import Frames
from rfstudio.app.state.settings import Settings
from rfstudio.app.studio import Studio
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.networks import session_file
from rfstudio.formats.networks.session_file import read_session
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.widgets.parts.theme import TEXT_SCALE, apply_scheme, is_dark
from rfstudio.widgets.window.about_dialog import AboutDialog
from rfstudio.widgets.window.main_window import MainWindow
from rfstudio.widgets.window.questions import Questions
from tests.narrowing import present
from tests.widgets.conftest import SMALL
from tests.widgets.dialogs import answering, dialog_of, escape, press, type_path
from tests.widgets.hands import LEFT, Hands


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(tmp_path / "settings.ini")
    for purpose in ("network", "image", "export"):
        made.set(f"folders/{purpose}", str(tmp_path))
    return made


@pytest.fixture
def by_hand(qtbot: QtBot, settings: Settings) -> Iterator[Callable[..., MainWindow]]:
    """Return what opens a window that asks its questions in real dialogs."""
    windows = []

    def make(network: Architecture = SMALL) -> MainWindow:
        window = MainWindow(Studio(network, settings=settings), Questions(), Frames())
        windows.append(window)
        window.resize(1440, 900)
        with qtbot.waitExposed(window):
            window.show()
        window.activateWindow()
        return window

    yield make
    for window in windows:
        window.studio.document.undo_stack.setClean()
        window.close()
        window.deleteLater()


@pytest.fixture
def window(by_hand: Callable[..., MainWindow]) -> MainWindow:
    return by_hand()


def focus(window: MainWindow, part: QWidget) -> None:
    """Move the keyboard to a part of a window, in which a dialog may have been before."""
    window.activateWindow()
    assert QTest.qWaitForWindowActive(window)
    part.setFocus()


def delete_first(window: MainWindow) -> None:
    """Delete the first layer, with the keyboard."""
    tree = window.stack.tree
    focus(window, tree)
    QTest.keyClick(tree, Qt.Key.Key_Home)
    QTest.keyClick(tree, Qt.Key.Key_Down)
    QTest.keyClick(tree, Qt.Key.Key_Delete)
    assert window.studio.document.is_modified


def test_that_a_network_is_saved_opened_and_found_among_recent_ones(
    window: MainWindow, tmp_path: Path
) -> None:
    delete_first(window)
    saved = window.studio.document.architecture
    with answering(type_path(tmp_path / "mine")):
        QTest.keyClick(window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
    assert read_yaml((tmp_path / "mine.yaml").read_bytes()) == saved
    assert not window.studio.document.is_modified
    Hands(window).menu("File", "New network")
    assert not window.studio.document.architecture.layers
    Hands(window).menu("File", "Open recent", "mine.yaml")
    assert window.studio.document.architecture == saved
    Hands(window).menu("File", "New network")
    with answering(type_path(tmp_path / "mine.yaml")):
        Hands(window).menu("File", "Open…")
    assert window.studio.document.architecture == saved
    (tmp_path / "mine.yaml").unlink()
    with pytest.raises(AssertionError, match="No files yet"):
        Hands(window).menu("File", "Open recent", "mine.yaml")
    popup = present(QApplication.activePopupWidget())
    assert isinstance(popup, QMenu)
    QTest.keyClick(popup, Qt.Key.Key_Escape)
    present(QApplication.activePopupWidget()).close()


def test_that_why_an_edit_was_refused_is_said_no_longer_than_to_the_next_edit(
    window: MainWindow,
) -> None:
    tree = window.stack.tree
    focus(window, tree)
    QTest.keyClick(tree, Qt.Key.Key_Home)
    QTest.keyClick(tree, Qt.Key.Key_Down)
    for text in ("[[[", "- relu"):
        QGuiApplication.clipboard().setText(text)
        QTest.keyClick(tree, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
        assert window.studio.document.is_modified == (text == "- relu")
        assert ("this is not YAML" in window.status.currentMessage()) == (text == "[[[")


@pytest.mark.parametrize("answer", ["Cancel", "Discard", "Save"])
def test_that_a_window_asks_once_before_it_closes(
    window: MainWindow, tmp_path: Path, answer: str
) -> None:
    with answering(type_path(tmp_path / "net.yaml")):
        Hands(window).menu("File", "Save as…")
    before = (tmp_path / "net.yaml").read_bytes()
    delete_first(window)
    with answering(press(answer)):
        Hands(window).menu("File", "Quit")
    assert window.isVisible() == (answer == "Cancel")
    assert ((tmp_path / "net.yaml").read_bytes() != before) == (answer == "Save")


def test_that_two_windows_do_not_write_over_each_other_unasked(
    by_hand: Callable[..., MainWindow], tmp_path: Path
) -> None:
    first, second = by_hand(), by_hand()
    path = tmp_path / "shared.yaml"
    with answering(type_path(path)):
        Hands(first).menu("File", "Save as…")
    with answering(type_path(path)):
        Hands(second).menu("File", "Open…")
    delete_first(first)
    Hands(first).menu("File", "Save")
    theirs = path.read_bytes()
    delete_first(second)
    delete_first(second)
    with answering(escape):
        Hands(second).menu("File", "Save")
    assert path.read_bytes() == theirs
    assert second.studio.document.is_modified
    with answering(press("Save")):
        Hands(second).menu("File", "Save")
    assert path.read_bytes() != theirs


def test_that_an_edit_of_a_session_is_not_written_over_a_newer_file_unasked(
    window: MainWindow, tmp_path: Path
) -> None:
    path, session = tmp_path / "net.yaml", tmp_path / "work.rfsession"
    with answering(type_path(path)):
        Hands(window).menu("File", "Save as…")
    delete_first(window)
    with answering(type_path(session)):
        Hands(window).menu("File", "Save session as…")
    window.actions_.sessions.writing.wait()
    window.actions_.sessions.writing.tell()
    assert read_session(session).is_modified
    with answering(press("Discard")):
        Hands(window).menu("File", "New network")
    newer = b"# theirs\n" + path.read_bytes()
    path.write_bytes(newer)
    with answering(type_path(session)):
        Hands(window).menu("File", "Open session…")
    assert window.studio.document.path == path
    assert window.studio.document.is_modified
    with answering(press("Cancel")):
        Hands(window).menu("File", "Save")
    assert path.read_bytes() == newer


class Hiding(QObject):
    """Notes that a window is hidden."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.is_done = threading.Event()
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if event.type() == QEvent.Type.Hide:
            self.is_done.set()
        return super().eventFilter(watched, event)


def test_that_a_window_stays_if_what_it_still_writes_cannot_be_written(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hiding = Hiding(window)

    def write(path: Path, *_: bytes) -> None:
        hiding.is_done.wait(5)  # otherwise it would be told before the window is closed
        raise RFStudioError("the disk is full")

    with monkeypatch.context() as full:
        full.setattr(session_file, "atomic_write", write)
        with answering(type_path(tmp_path / "work.rfsession")):
            Hands(window).menu("File", "Save session as…")
        with answering(press("OK")):
            Hands(window).menu("File", "Quit")
    assert window.isVisible()
    with answering(type_path(tmp_path / "work.rfsession")):
        Hands(window).menu("File", "Save session as…")
    Hands(window).menu("File", "Quit")  # at once: it is written on the way
    assert not window.isVisible()
    assert read_session(tmp_path / "work.rfsession")


@pytest.mark.parametrize("works", [True, False])
def test_that_a_window_is_not_seen_while_it_waits_for_a_file(
    window: MainWindow, tmp_path: Path, works: bool
) -> None:
    hiding = Hiding(window)

    def write(path: Path) -> None:
        if not hiding.is_done.wait(5):
            raise RFStudioError("the window is still there")
        if not works:
            raise RFStudioError("the disk is full")
        path.touch()

    window.files.writing.start(tmp_path / "figure.png", write)
    with answering(*([] if works else [press("OK")])):
        assert window.close() is works
    assert hiding.is_done.is_set()
    assert window.isVisible() is not works
    assert (tmp_path / "figure.png").exists() is works


@pytest.mark.parametrize(
    ("entry", "name", "words"),
    [
        ("Table (CSV, Markdown, LaTeX, JSON)…", "table.md", b"| layer"),
        ("Network (YAML, PyTorch source)…", "net.py", b"nn.Module"),
        ("Effective field (NPZ, TIFF, PNG, JSON, CSV)…", "field.json", b"--estimator"),
    ],
)
def test_that_exports_ask_for_a_file_and_write_it(
    window: MainWindow, tmp_path: Path, entry: str, name: str, words: bytes
) -> None:
    with answering(type_path(tmp_path / name)):
        Hands(window).menu("File", "Export", entry)
    assert words in (tmp_path / name).read_bytes()
    assert f"Wrote {name}" in window.status.currentMessage()


def test_that_copies_are_on_the_clipboard(window: MainWindow) -> None:
    for entry, words in (
        ("Copy as Python", "import rfstudio"),
        ("Copy as command", "rfstudio erf"),
    ):
        Hands(window).menu("File", "Export", entry)
        assert words in QGuiApplication.clipboard().text()
    for entry in ("Copy picture", "Copy picture of the panel below"):
        QGuiApplication.clipboard().clear()
        Hands(window).menu("File", "Export", entry)
        assert not QGuiApplication.clipboard().image().isNull()


def test_that_the_look_is_chosen_in_the_menu_and_stays(
    window: MainWindow, settings: Settings, qapp: QApplication
) -> None:
    apply_scheme(qapp, "light")
    Hands(window).menu("View", "Appearance", "Dark")
    assert is_dark(window)
    assert settings.text("scheme") == "dark"
    Hands(window).menu("View", "Appearance", "Light")
    assert not is_dark(window)
    Hands(window).menu("View", "Text size", "150 %")
    assert settings.number(TEXT_SCALE, 1.0) == 1.5
    assert "150 %" in window.status.currentMessage()


def test_that_help_opens_the_folder_of_logs_and_the_versions_to_copy(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def open_url(url: QUrl) -> bool:
        opened.append(url.toLocalFile())
        return len(opened) == 1

    monkeypatch.setattr(QDesktopServices, "openUrl", open_url)
    Hands(window).menu("Help", "Open the folder of log files")
    assert opened == [str(log_file().parent)]
    assert Path(opened[0]).is_dir()
    Hands(window).menu("Help", "Open the folder of log files")  # which no program shows
    assert str(log_file().parent) in window.status.currentMessage()
    Hands(window).menu("Help", "About RF Studio")
    dialog = dialog_of(window, AboutDialog)
    assert isinstance(dialog, AboutDialog)
    QTest.mouseClick(dialog.copy, LEFT)
    assert str(log_file()) in QGuiApplication.clipboard().text()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()


def test_that_a_folder_of_logs_that_cannot_be_made_is_said(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    Hands(window).menu("Help", "Open the folder of log files")
    assert "cannot be made" in window.status.currentMessage()


@pytest.mark.parametrize("starts", [True, False])
def test_that_another_window_is_opened_or_it_is_said_that_it_is_not(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, starts: bool
) -> None:
    monkeypatch.setattr(QProcess, "startDetached", lambda *_: starts)
    Hands(window).menu("File", "New window")
    assert ("not opened" in window.status.currentMessage()) == (not starts)


def drop(window: QWidget, *files: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(x)) for x in files])
    copy, none = Qt.DropAction.CopyAction, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(window, QDragEnterEvent(QPoint(5, 5), copy, data, LEFT, none))
    QApplication.sendEvent(window, QDropEvent(QPointF(5, 5), copy, data, LEFT, none))


def test_that_of_many_dropped_files_a_network_and_an_image_are_opened(
    window: MainWindow, tmp_path: Path
) -> None:
    presets = sorted(paths.architectures().glob("*.yaml"))[:50]
    cat = paths.sample_images() / "cat.jpg"
    drop(window, tmp_path, *presets, cat)
    assert window.studio.document.path == presets[0]
    assert present(window.studio.images.picture).path == cat
    assert window.status.currentMessage().startswith("50 files more were dropped")
    drop(window, tmp_path)
    assert "is neither a network" in window.status.currentMessage()
    drop(window, tmp_path, tmp_path / "gone.txt")
    assert window.status.currentMessage().startswith("1 file more was dropped")
    assert window.studio.document.path == presets[0]


@pytest.mark.parametrize("content", ["nothing", "text", "html", "colour", "urls", "long", "image"])
def test_that_whatever_is_on_the_clipboard_is_pasted_or_refused_in_words(
    window: MainWindow, content: str
) -> None:
    data = QMimeData()
    match content:
        case "text":
            data.setText("\0\ufffe layers: [")
        case "html":
            data.setHtml("<b>x</b>")
        case "colour":
            data.setColorData("red")
        case "urls":
            data.setUrls([QUrl("https://example.org/a.png"), QUrl("")])
        case "long":
            data.setUrls([QUrl.fromLocalFile("/" + "x" * 5000 + ".png")])
        case "image":
            data.setData("image/png", b"\x89PNG no picture")
    QGuiApplication.clipboard().setMimeData(data)
    before = window.studio.document.architecture
    keys = Qt.KeyboardModifier.ControlModifier
    asked = [press("OK")] if content == "long" else []
    focus(window, window.canvas.view)
    with answering(*asked):
        QTest.keyClick(window.canvas.view, Qt.Key.Key_V, keys)
    assert asked or window.status.currentMessage()
    window.status.clearMessage()
    focus(window, window.stack.tree)
    QTest.keyClick(window.stack.tree, Qt.Key.Key_V, keys)
    assert window.studio.document.architecture is before
    assert window.status.currentMessage()


def test_that_the_toolbar_opens_presets_with_the_mouse(window: MainWindow) -> None:
    bar = present(window.findChild(QToolBar))
    (button,) = [x for x in bar.findChildren(QWidget) if x.accessibleName() == "Preset"]
    chosen: list[str] = []

    def choose_first() -> None:
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        QTest.mouseClick(menu, LEFT, pos=menu.actionGeometry(menu.actions()[0]).center())
        QTest.keyClick(menu, Qt.Key.Key_Right)
        inner = present(QMenu.menuInAction(menu.actions()[0]))
        chosen.append(inner.actions()[0].text())
        QTest.mouseClick(inner, LEFT, pos=inner.actionGeometry(inner.actions()[0]).center())

    QTimer.singleShot(100, choose_first)
    QTest.mouseClick(button, LEFT, pos=QPoint(5, 5))  # which waits for the menu
    assert chosen == [window.files.preset]
