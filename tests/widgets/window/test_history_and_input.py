"""The list of edits, the size of the input in the toolbar, pasted images and own signals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QMimeData, QObject, Qt, QUrl
from PySide6.QtGui import QAction, QColor, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.files.presets import read_preset
from rfstudio.widgets.window.history_dialog import HistoryDialog
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import present

CONTROL = Qt.KeyboardModifier.ControlModifier


def test_that_a_click_in_the_history_goes_to_the_step(window: MainWindow, qtbot: QtBot) -> None:
    before = window.studio.document.architecture
    window.stack.add("relu")
    window.studio.edits.set_parameter((0,), "kernel_size", 5)
    window.stack.tree.setFocus()
    qtbot.keyClick(window.stack.tree, Qt.Key.Key_H, CONTROL)
    dialog = present(window.findChild(HistoryDialog))
    assert dialog.texts() == ["As it was opened", "Add relu", "Set kernel size of stem"]
    view = dialog.view
    first = view.visualRect(view.model().index(0, 0)).center()
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=first)
    assert window.studio.document.architecture == before
    assert dialog.texts()[1:] == ["Add relu", "Set kernel size of stem"]  # to do again
    window.studio.edits.set_parameter((0,), "kernel_size", 7)
    assert dialog.texts() == ["As it was opened", "Set kernel size of stem"]
    dialog.close()


def _size(window: MainWindow, text: str) -> QAction:
    menu = window.actions_.input_sizes.menu
    menu.aboutToShow.emit()
    return next(x for x in menu.actions() if x.text() == text)


def test_that_the_size_of_the_input_is_in_the_toolbar(window: MainWindow, qtbot: QtBot) -> None:
    sizes = window.actions_.input_sizes
    assert sizes.button.isVisible()
    assert sizes.button.text() == "32×32 ▾"
    assert _size(window, "32×32").isChecked()
    _size(window, "224×224").trigger()
    assert window.studio.document.architecture.input_size == (224, 224)
    assert sizes.button.text() == "224×224 ▾"
    window.actions_.undo.trigger()
    assert sizes.button.text() == "32×32 ▾"
    _size(window, "Another size…").trigger()
    assert window.studio.selection.item is None
    field = present(QApplication.focusWidget())
    assert field.accessibleName() == "size"
    assert window.inspector.form.isAncestorOf(field)


def test_that_a_size_at_which_the_network_does_not_work_is_refused(
    open_window: Callable[..., MainWindow],
) -> None:
    window = open_window(read_preset("vgg16"))
    before = window.studio.document.architecture
    _size(window, "28×28").trigger()
    assert window.studio.document.architecture is before
    assert "does not work at 28 × 28" in window.status.currentMessage()


def test_that_images_and_copied_files_are_pasted_on_the_canvas(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    images, clipboard = window.studio.images, QGuiApplication.clipboard()
    clipboard.setText("no image")
    window.canvas.view.setFocus()
    qtbot.keyClick(window.canvas.view, Qt.Key.Key_V, CONTROL)
    assert window.status.currentMessage() == "the clipboard holds no image"
    picture = QImage(8, 8, QImage.Format.Format_RGB32)
    picture.fill(QColor(10, 200, 30))
    clipboard.setImage(picture)
    with qtbot.waitSignal(images.opened):
        qtbot.keyClick(window.canvas.view, Qt.Key.Key_V, CONTROL)
    assert present(images.pixels)[0, 0].tolist() == [10, 200, 30]
    assert present(images.picture).path.is_file()  # so it is there at the next start
    picture.fill(QColor(1, 2, 3))
    picture.save(str(tmp_path / "copied.png"))
    copied = QMimeData()
    copied.setUrls([QUrl.fromLocalFile(str(tmp_path / "copied.png"))])
    clipboard.setMimeData(copied)
    with qtbot.waitSignal(images.opened):
        window.actions_.paste_image.trigger()
    assert present(images.picture).name == "copied"
    clipboard.clear()


def test_that_a_network_of_one_axis_shows_an_own_signal(
    open_window: Callable[..., MainWindow], qtbot: QtBot, answers, tmp_path: Path
) -> None:
    window = open_window(read_preset("wavenet"))
    (length,) = window.studio.document.architecture.input_size
    path = tmp_path / "sine.npy"
    np.save(path, np.sin(np.arange(length) / 50))
    with qtbot.waitSignal(window.studio.images.opened):
        window.files.open_dropped(path)
    line = present(window.studio.images.pixels)
    assert line.shape == (1, length, 3)
    assert present(window.studio.images.picture).name == "sine"
    window.files.open_preset("alexnet")
    assert window.studio.images.pixels is None  # a signal is no photo
    window.files.open_image_path(path)
    assert "read as signals along one axis, and this network has 2" in answers.reports[-1][1]


def test_that_a_volume_is_not_shown_and_a_sentence_says_what_can_be(
    open_window: Callable[..., MainWindow], answers, tmp_path: Path
) -> None:
    window = open_window(read_preset("unet_3d"))
    path = tmp_path / "volume.npy"
    np.save(path, np.zeros((4, 4, 4)))
    window.files.open_dropped(path)
    assert answers.reports == [
        (
            "“volume.npy” cannot be shown.",
            ".wav, .npy, .csv are read as signals along one axis, and this network has 3; behind"
            " its fields there can be a photo",
        )
    ]


def test_that_the_menu_of_sizes_leaves_nothing_behind(window: MainWindow) -> None:
    menu = window.actions_.input_sizes.menu
    counts = []
    for _ in range(3):
        menu.aboutToShow.emit()
        counts.append(len(menu.findChildren(QObject)))
    assert counts == counts[:1] * 3
