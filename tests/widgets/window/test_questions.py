"""Dialogs of questions are gone once they are answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication, QDialog
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
