"""Dialogs of questions are gone once they are answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QMessageBox
from pytestqt.qtbot import QtBot

from rfstudio.app.files.figure_settings import FigureSettings
from rfstudio.widgets.experiments.code_dialog import CodeQuestions
from rfstudio.widgets.window.main_window import MainWindow
from rfstudio.widgets.window.questions import Questions

_ASKED: dict[str, Callable[[Any], object]] = {
    "save": lambda x: Questions().save_changes(x, "mine"),
    "overwrite": lambda x: Questions().may_overwrite(x, "mine"),
    "figure": lambda x: Questions().figure(x, FigureSettings(), x.files),
    "model": lambda x: Questions().model(x, "a.py", None),
    "size": lambda x: Questions().image_size(x, "mine"),
    "recover": lambda x: Questions().recover(x, []),
    "tell": lambda x: Questions().tell(x, "Done."),
    "report": lambda x: Questions().report(x, "Not done.", "why"),
    "code": lambda x: CodeQuestions().may_run(x, "mine", []),
}


def _close() -> None:
    dialog = QApplication.activeModalWidget()
    if isinstance(dialog, QDialog):
        dialog.reject()
    else:  # it is not shown yet
        QTimer.singleShot(0, _close)


@pytest.mark.parametrize("question", _ASKED)
def test_that_no_dialog_outlives_its_answer(
    window: MainWindow, qtbot: QtBot, question: str
) -> None:
    before = window.findChildren(QDialog)
    QTimer.singleShot(0, _close)
    _ASKED[question](window)
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert len(window.findChildren(QDialog)) == len(before)


@pytest.mark.parametrize("question", ["save_changes", "may_overwrite"])
def test_that_a_question_quotes_a_long_name_so_that_it_is_read(
    window: MainWindow, qtbot: QtBot, question: str
) -> None:
    faults: list[str] = []

    def look() -> None:
        box = QApplication.activeModalWidget()
        if not isinstance(box, QMessageBox):
            QTimer.singleShot(0, look)
            return
        (label,) = [x for x in box.findChildren(QLabel) if x.text() == box.text()]
        widest = max(label.fontMetrics().horizontalAdvance(x) for x in box.text().split())
        faults.extend([f"{widest} > {label.width()}"] if widest > label.width() else [])
        box.reject()

    QTimer.singleShot(0, look)
    getattr(Questions(), question)(window, "a_name_that_nobody_should_give_a_file_" * 5)
    assert faults == []
