"""All dialogs: they fit a small screen with large texts and long contents, and Escape ends them."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontMetrics, QUndoStack
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QDialog,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QStyle,
    QStyleOptionButton,
)
from pytestqt.qtbot import QtBot

from rfstudio import widgets
from rfstudio.app.files.figure_settings import FigureSettings
from rfstudio.app.files.importing import Importing
from rfstudio.app.files.recovery import LeftOver
from rfstudio.app.jobs import JobRunner
from rfstudio.core.network.architecture import Architecture
from rfstudio.importing.reference import Reference
from rfstudio.widgets.experiments.code_dialog import CodeDialog
from rfstudio.widgets.experiments.panel import ExperimentsDialog
from rfstudio.widgets.help.help_window import HelpWindow
from rfstudio.widgets.parts.elided_label import ElidedLabel
from rfstudio.widgets.parts.theme import apply_scheme, scale_text
from rfstudio.widgets.parts.words import Words
from rfstudio.widgets.stack.batch_dialog import BatchDialog
from rfstudio.widgets.training.dialog import TrainDialog
from rfstudio.widgets.window.about_dialog import AboutDialog
from rfstudio.widgets.window.advise_dialog import AdviseDialog
from rfstudio.widgets.window.crash_dialog import CrashDialog
from rfstudio.widgets.window.figure_dialog import FigureDialog
from rfstudio.widgets.window.history_dialog import HistoryDialog
from rfstudio.widgets.window.import_progress import ImportProgress
from rfstudio.widgets.window.keys_dialog import KeysDialog
from rfstudio.widgets.window.main_window import MainWindow
from rfstudio.widgets.window.model_dialog import ModelDialog, SizeDialog
from rfstudio.widgets.window.notice_dialog import NoticeDialog
from rfstudio.widgets.window.recover_dialog import RecoverDialog
from tests.measurements import FakeRunner
from tests.widgets.conftest import SMALL, conv

WORD = "a_name_that_nobody_should_give_a_layer_but_somebody_will_do_so_" * 3
PATH = f"/home/somebody/{'deep/' * 30}network of the last experiment.py"
SCREEN = (1024, 700)


def of_window(window: MainWindow, kind: type[QDialog]) -> QDialog:
    """Return a dialog that a menu entry has opened."""
    actions = window.actions_
    entries = {
        TrainDialog: actions.train,
        ExperimentsDialog: actions.experiments,
        AdviseDialog: actions.advise,
        KeysDialog: actions.keys,
        HelpWindow: actions.documentation,
        AboutDialog: actions.about,
    }
    entries[kind].trigger()
    (found,) = [x for x in QApplication.topLevelWidgets() if type(x) is kind and x.isVisible()]
    return found


def experiments(window: MainWindow) -> QDialog:
    dialog = cast("ExperimentsDialog", of_window(window, ExperimentsDialog))
    dialog.state.setText(f"no memory at {WORD}")
    return dialog


def training(window: MainWindow) -> QDialog:
    dialog = cast("TrainDialog", of_window(window, TrainDialog))
    dialog.state.setText(f"no memory at {WORD}")
    dialog.caption.setText("step 10,000  ·  accuracy 0.123  ·  σ 12.34 px  ·  in the ring 100%")
    return dialog


def advice(window: MainWindow) -> QDialog:
    dialog = cast("AdviseDialog", of_window(window, AdviseDialog))
    dialog.take_path(PATH)
    dialog.answer.setText(f"There is no folder {PATH}{WORD}")
    return dialog


def keys(window: MainWindow) -> QDialog:
    dialog = cast("KeysDialog", of_window(window, KeysDialog))
    dialog.choose("Save")
    dialog.take.show()
    dialog.message.setText("Ctrl+Shift+S is the key of “Move into container above” (Edit).")
    return dialog


def recovery(_window: MainWindow) -> QDialog:
    now = time.time()
    named = [replace(SMALL, name=x) for x in ("net", WORD)]
    left = [LeftOver(Path(PATH), now - 90, x) for x in named]
    return RecoverDialog([*left, LeftOver(Path(PATH), now, None, trouble=f"line 3: {WORD}")])


def history(window: MainWindow) -> QDialog:
    stack = window.studio.document.undo_stack
    assert isinstance(stack, QUndoStack)
    window.studio.edits.set_input_size((48, 48))
    return HistoryDialog(stack, window)


def batch(window: MainWindow) -> QDialog:
    return BatchDialog(window.studio.edits, [(x,) for x in range(9)])


def progress(window: MainWindow) -> QDialog:
    importing = Importing(cast("JobRunner", FakeRunner()), window)
    dialog = ImportProgress(f"{WORD}.onnx", importing)
    dialog._show(0.5, "following the layers of the model, and giving them names")
    return dialog


CODE = [Reference(PATH, "make")]

MAKERS: dict[type[QDialog], Callable[[MainWindow], QDialog]] = {
    AboutDialog: lambda x: of_window(x, AboutDialog),
    AdviseDialog: advice,
    BatchDialog: batch,
    CodeDialog: lambda _: CodeDialog(f"the recipe {WORD}.yaml", CODE),
    CrashDialog: lambda _: CrashDialog(f"Traceback\n{WORD}"),
    ExperimentsDialog: experiments,
    FigureDialog: lambda x: FigureDialog(FigureSettings(), x, x.files),
    HelpWindow: lambda x: of_window(x, HelpWindow),
    HistoryDialog: history,
    ImportProgress: progress,
    KeysDialog: keys,
    ModelDialog: lambda _: ModelDialog(f"{PATH}:make"),
    NoticeDialog: lambda _: NoticeDialog(None, f"“{WORD}” was not opened.", f"{PATH}\n" * 40),
    RecoverDialog: recovery,
    SizeDialog: lambda _: SizeDialog(f"“{PATH}{WORD}” does not say the size of its input."),
    TrainDialog: training,
}
"""Each dialog with contents that are as long as they may be."""


@pytest.fixture(params=[1.0, 2.0], ids=["usual", "large"])
def text_size(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[None]:
    apply_scheme(qapp, "light")
    scale_text(qapp, request.param)
    yield
    scale_text(qapp, 1.0)


def test_that_no_dialog_is_forgotten_here() -> None:
    for module in pkgutil.walk_packages(widgets.__path__, "rfstudio.widgets."):
        importlib.import_module(module.name)
    ours = {x for x in QDialog.__subclasses__() if x.__module__.startswith("rfstudio.")}
    assert ours == set(MAKERS)


@pytest.mark.usefixtures("text_size")
def test_that_every_dialog_fits_cuts_no_text_and_ends_with_escape(
    open_window: Callable, qtbot: QtBot
) -> None:
    layers = tuple(conv(f"{WORD}{x}") for x in range(9))
    network = Architecture(name="long", input_size=(32, 32), layers=layers)
    window = open_window(network, SCREEN, cast("JobRunner", FakeRunner()))
    faults = []
    for kind, make in MAKERS.items():
        dialog = make(window)
        qtbot.addWidget(dialog)
        least = dialog.minimumSizeHint()
        if least.width() > SCREEN[0] or least.height() > SCREEN[1]:
            faults.append(f"{kind.__name__} is at least {least.width()}×{least.height()}")
        dialog.hide()
        dialog.resize(min(dialog.width(), SCREEN[0]), min(dialog.height(), SCREEN[1]))
        with qtbot.waitExposed(dialog):
            dialog.show()
        faults += [f"{kind.__name__} cuts {x}" for x in cut_texts(dialog)]
        qtbot.keyClick(dialog.focusWidget() or dialog, Qt.Key.Key_Escape)
        if dialog.isVisible():
            faults.append(f"{kind.__name__} ignores Escape")
            dialog.close()
    assert faults == []


def cut_texts(dialog: QDialog) -> Iterator[str]:
    """Yield texts that are not seen whole and cannot be scrolled."""
    for label in dialog.findChildren(QLabel):
        if label.isVisible() and label.text() and not isinstance(label, ElidedLabel):
            wide, high = label.width(), label.height()
            lacks = label.heightForWidth(wide) > high + 1 if label.wordWrap() else False
            if lacks or (not label.wordWrap() and label.sizeHint().width() > wide + 1):
                yield label.text()
    for button in dialog.findChildren(QAbstractButton):
        is_ours = isinstance(button, QPushButton | QCheckBox) and button.isVisible()
        if is_ours and button.sizeHint().width() > button.width() + 1:
            yield button.text()
    for words in dialog.findChildren(Words):
        is_whole = words.heightForWidth(words.width()) <= words.height() + 1
        if words.isVisible() and not is_whole:
            yield words.text()
    for field in dialog.findChildren(QLineEdit):
        is_inner = isinstance(field.parent(), QAbstractSpinBox | QComboBox)
        least = 6 * QFontMetrics(field.font()).averageCharWidth()
        if field.isVisible() and not is_inner and field.width() < least:
            yield f"field {field.text()}"


@pytest.mark.usefixtures("text_size")
def test_that_code_and_ticks_are_as_large_as_other_texts(qtbot: QtBot) -> None:
    dialog = CrashDialog("Traceback")
    qtbot.addWidget(dialog)
    (code,) = dialog.findChildren(QPlainTextEdit)
    assert code.font().pointSizeF() == pytest.approx(dialog.font().pointSizeF())
    box = QCheckBox("Legend")
    qtbot.addWidget(box)
    box.ensurePolished()
    option = QStyleOptionButton()
    box.initStyleOption(option)
    part = QStyle.SubElement.SE_CheckBoxIndicator
    side = box.style().subElementRect(part, option, box).height()
    assert side >= 0.9 * box.fontMetrics().height()


def test_that_what_is_asked_first_loses_nothing_and_says_what_it_wants(qtbot: QtBot) -> None:
    dialog = SizeDialog("The file does not say it.")
    qtbot.addWidget(dialog)
    assert dialog.size_of_image == (224, 224)
    dialog.line.setText("many")
    assert dialog.size_of_image is None
    assert "224 × 224" in dialog.hint.text()
    assert not dialog.buttons.buttons()[0].isEnabled()
    dialog.line.setText("64 x 48")
    assert dialog.size_of_image == (64, 48)


def test_that_copying_says_so_and_return_closes(open_window: Callable, qtbot: QtBot) -> None:
    for dialog in (CrashDialog("Traceback"), AboutDialog()):
        qtbot.addWidget(dialog)
        with qtbot.waitExposed(dialog):
            dialog.show()
        assert [x.text() for x in dialog.findChildren(QPushButton) if x.isDefault()] == ["Close"]
        dialog.copy.click()
        assert dialog.copy.text() == "Copied"
        assert QApplication.clipboard().text() == dialog.text
        dialog.close()
