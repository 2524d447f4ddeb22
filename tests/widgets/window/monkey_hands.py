"""What a monkey's hands do with any widget, menu or file, whatever it is for."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from unittest import mock

import numpy as np
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QImage,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QHeaderView,
    QLineEdit,
    QMenu,
    QScrollBar,
    QTabBar,
    QWidget,
)

from rfstudio import paths
from rfstudio.widgets.window.main_window import MainWindow

_LEFT, _NONE = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier

_ELSEWHERE = {"Quit", "New window", "Open the folder of log files"}
"""Commands that end the window, or leave it."""

_KINDS = (
    QAbstractButton, QComboBox, QAbstractSlider, QAbstractSpinBox, QLineEdit, QTabBar,
    QAbstractItemView,
)  # fmt: skip

_TYPED = ("3", "0", "-1", "1e9", "nine", "1/2", "7x7", "conv", "", "0.5")

_SMALL = ("alexnet", "resnet18", "wavenet", "unet", "c3d", "tcn_1d")

_KEYS = (
    Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Home,
    Qt.Key.Key_End, Qt.Key.Key_Return, Qt.Key.Key_Space, Qt.Key.Key_Tab,
)  # fmt: skip


@contextmanager
def alone() -> Iterator[None]:
    """Let dialogs of the system give nothing, and open no other program."""
    nothing = {
        (QFileDialog, "getOpenFileName"): ("", ""),
        (QFileDialog, "getSaveFileName"): ("", ""),
        (QFileDialog, "getExistingDirectory"): "",
        (QDesktopServices, "openUrl"): True,
    }
    with ExitStack() as stack:
        for (owner, name), answer in nothing.items():
            stack.enter_context(mock.patch.object(owner, name, return_value=answer))
        yield


class Hands:
    """Does something with what is there.

    Parameters
    ----------
    window
        The window; its dialogs are there, too.
    choices
        Of all that is random.
    folder
        For files that are dropped.
    """

    def __init__(self, window: MainWindow, choices: Random, folder: Path) -> None:
        self._window = window
        self._random = choices
        self.files = _files_of_all_kinds(folder)

    def menu(self) -> str:
        """Trigger any command of the menus; return its name."""
        action = self._random.choice(list(_commands(self._window.menuBar().actions())))
        text = action.text()
        with self._answering():
            action.trigger()
        return text

    def palette(self, word: str) -> str:
        """Go to any of the first places that a word finds; return its name."""
        palette = self._window.palette_
        palette.go_to_anything()
        QTest.keyClicks(palette.search, word)
        for _ in range(self._random.randrange(6)):
            QTest.keyClick(palette.search, Qt.Key.Key_Down)
        row = palette.list.currentRow()
        if row < 0 or any(x in palette.texts()[row] for x in _ELSEWHERE):
            palette.hide()
            return ""
        text = palette.texts()[row]
        with self._answering():
            QTest.keyClick(palette.search, Qt.Key.Key_Return)
        return text

    def poke(self) -> str:
        """Use any widget that is seen and can be used; return which."""
        owner: QWidget = self._random.choice([self._window, *self.dialogs()])
        found = [x for x in owner.findChildren(QWidget) if isinstance(x, _KINDS) and _is_usable(x)]
        if not found:
            return ""
        widget = self._random.choice(found)
        # A button may be gone once it was clicked.
        said = f"{type(widget).__name__} {widget.objectName() or widget.accessibleName()}".strip()
        with self._answering():
            self._use(widget)
        return said

    def context(self) -> str:
        """Choose any entry of a context menu; return it."""
        window = self._window
        parts = (
            window.stack.tree,
            window.table.viewport(),
            window.canvas.view.viewport(),
            window.inspector,
        )
        part = self._random.choice(parts)
        at = self._somewhere(part)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, part.mapToGlobal(at))
        with self._answering() as chosen:
            QApplication.sendEvent(part, event)
        return ", ".join(chosen)

    def drop(self) -> str:
        """Drop a file of any kind on the window; return its name."""
        path = self._random.choice(self.files)
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        at = self._somewhere(self._window)
        copy = Qt.DropAction.CopyAction
        QApplication.sendEvent(self._window, QDragEnterEvent(at, copy, data, _LEFT, _NONE))
        QApplication.sendEvent(self._window, QDropEvent(QPointF(at), copy, data, _LEFT, _NONE))
        return path.name

    @contextmanager
    def _answering(self) -> Iterator[list[str]]:
        """Choose something in menus that wait, and close dialogs that do; gives what was chosen."""
        chosen: list[str] = []
        timer = QTimer(interval=5)

        def answer() -> None:
            menu, dialog = QApplication.activePopupWidget(), QApplication.activeModalWidget()
            if isinstance(menu, QMenu):
                action = self._random.choice([*_commands(menu.actions()), None])
                menu.close()
                if action is not None:
                    chosen.append(action.text())
                    action.trigger()
            elif menu is not None:
                menu.close()
            elif dialog is not None:
                dialog.close()

        timer.timeout.connect(answer)
        timer.start()
        yield chosen
        timer.stop()
        popup = QApplication.activePopupWidget()
        if popup is not None:  # the window's own menu, which waits for nobody
            popup.close()

    def dialogs(self) -> list[QDialog]:
        """Return the dialogs that are open."""
        return [x for x in QApplication.topLevelWidgets() if isinstance(x, QDialog) and _seen(x)]

    def close_dialogs(self, *, all_: bool = False) -> None:
        """Close those that the user must answer, and now and then the others."""
        for dialog in self.dialogs():
            if all_ or dialog.isModal() or self._random.random() < 0.1:
                dialog.close()

    def _somewhere(self, widget: QWidget) -> QPoint:
        return QPoint(
            self._random.randrange(max(widget.width(), 1)),
            self._random.randrange(max(widget.height(), 1)),
        )

    def _use(self, widget: QWidget) -> None:
        match widget:
            case QAbstractButton():
                widget.click()
            case QComboBox() if widget.count():
                widget.setCurrentIndex(self._random.randrange(widget.count()))
            case QAbstractSlider():
                widget.setValue(self._random.randint(widget.minimum(), widget.maximum()))
            case QTabBar() if widget.count():
                widget.setCurrentIndex(self._random.randrange(widget.count()))
            case QAbstractSpinBox() | QLineEdit():
                if isinstance(widget, QLineEdit):
                    widget.selectAll()
                QTest.keyClicks(widget, self._random.choice(_TYPED))
                QTest.keyClick(widget, self._random.choice(_KEYS))
            case QAbstractItemView():
                place = self._somewhere(widget.viewport())
                QTest.mouseClick(widget.viewport(), _LEFT, _NONE, place)
                QTest.keyClick(widget, self._random.choice(_KEYS))


def _is_usable(widget: QWidget) -> bool:
    is_part = isinstance(widget, (QScrollBar, QHeaderView))
    is_menu = isinstance(widget, QAbstractButton) and hasattr(widget, "menu") and widget.menu()
    return _seen(widget) and widget.isEnabled() and not is_part and not is_menu


def _seen(widget: QWidget) -> bool:
    return widget.isVisible()


def _commands(actions: list[QAction]) -> Iterator[QAction]:
    for action in actions:
        menu = QMenu.menuInAction(action)
        if menu is not None:
            menu.aboutToShow.emit()
            if action.text().replace("&", "") != "Preset":  # the small ones are opened elsewhere
                yield from _commands(menu.actions())
        elif action.isEnabled() and action.text().replace("&", "") not in _ELSEWHERE:
            yield action


def _files_of_all_kinds(folder: Path) -> list[Path]:
    """Return files of each kind that a window takes, whole and broken, and some that it refuses."""
    found = []
    for name in _SMALL:
        found.append(folder / f"{name}.yaml")
        shutil.copy(paths.architectures() / f"{name}.yaml", found[-1])
    for width, height in ((300, 200), (1, 1), (37, 1000)):
        picture = QImage(width, height, QImage.Format.Format_RGB32)
        picture.fill(width * 7)
        found.append(folder / f"{width}.png")
        picture.save(str(found[-1]))
    found.append(folder / "tone.wav")
    with wave.open(str(found[-1]), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((9999 * np.sin(np.arange(4000) / 9)).astype("<i2").tobytes())
    found.append(folder / "volume.npy")
    np.save(found[-1], np.random.default_rng(0).random(3000))
    broken = {
        "broken.yaml": "layers: [{conv: {kernel_size: 0}}]", "empty.png": "", "no.onnx": "x",
        "no.rfsession": "PK", "text.txt": "text", "numbers.csv": "1,2\n3,x\n",
    }  # fmt: skip
    for name, text in broken.items():
        found.append(folder / name)
        found[-1].write_text(text)
    return [*found, folder, folder / "gone.png"]
