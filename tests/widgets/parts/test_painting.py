"""Whatever raises while something is painted ends in a sentence, and never in Qt."""

from __future__ import annotations

import ast
import gc
import logging
from pathlib import Path

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import QApplication, QLabel, QStyleOptionViewItem

import rfstudio.widgets
from rfstudio.widgets.canvas.scene_item import SceneItem
from rfstudio.widgets.charts import curves
from rfstudio.widgets.graph_view.graph_item import GraphItem
from rfstudio.widgets.parts import painting
from rfstudio.widgets.parts.cells import Letters
from rfstudio.widgets.window.main_window import MainWindow

_OVERRIDES = {"paint": "paints_item", "drawRow": "paints_item", "paintEvent": "paints_widget"}


def raising(*_: object, **__: object) -> None:
    raise KeyError("a draft")


@pytest.mark.parametrize(
    ("place", "name", "what"),
    [
        (GraphItem, "_draw_box", "GraphItem"),
        (SceneItem, "_draw_marker", "SceneItem"),
        (curves, "_draw_curve", "Curves"),
        (Letters, "draw", "TablePanel"),
    ],
    ids=["graph", "canvas", "chart", "table"],
)
def test_that_a_raise_while_painting_is_a_sentence_and_a_line_of_the_log(
    window: MainWindow,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    place: object,
    name: str,
    what: str,
) -> None:
    monkeypatch.setattr(painting, "_logged", set())
    said: list[str] = []
    write = painting._write

    def noted(painter: QPainter, room: QRectF, sentence: str) -> None:
        said.append(sentence)
        write(painter, room, sentence)

    monkeypatch.setattr(painting, "_write", noted)
    tabs = {window.tabs.tabText(i): i for i in range(window.tabs.count())}
    panel = {"GraphItem": "Graph", "Curves": "Growth", "TablePanel": "Table"}.get(what, "Table")
    window.tabs.setCurrentIndex(tabs[panel])
    with monkeypatch.context() as broken, caplog.at_level(logging.ERROR, "rfstudio"):
        broken.setattr(place, name, raising)
        for _ in range(3):
            window.grab()
    assert any("KeyError: 'a draft'" in x and "log file" in x for x in said)
    lines = [x.message for x in caplog.records if x.message.startswith(f"{what} could not")]
    assert len(lines) == 1  # once, though every frame fails
    said.clear()
    window.grab()
    assert not said


def test_that_no_painter_stays_active_after_a_raise(qtbot, monkeypatch) -> None:
    monkeypatch.setattr(painting, "_logged", set())

    class Broken(QLabel):
        @painting.paints_widget
        def paintEvent(self, event) -> None:  # noqa: N802 - Qt's name
            painter = QPainter(self)
            painter.setOpacity(0.5)
            raise RuntimeError("a draft")

    label = Broken("text")
    qtbot.addWidget(label)
    label.resize(300, 80)
    picture = label.grab().toImage()
    assert len({picture.pixel(x, 40) for x in range(0, 300, 3)}) > 1  # a sentence is there


def test_that_every_paint_method_is_guarded() -> None:
    folder = Path(rfstudio.widgets.__file__).parent
    unguarded = [
        f"{path.relative_to(folder)}: {node.name}"
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and (guard := _OVERRIDES.get(node.name))
        and guard not in [ast.unparse(x) for x in node.decorator_list]
    ]
    assert unguarded == []


def test_that_letters_outlive_the_option_that_they_were_made_for(qapp: QApplication) -> None:
    option = QStyleOptionViewItem()
    font = QFont()
    font.setPointSizeF(31)
    option.font = font
    letters = Letters(option.font)
    del option
    gc.collect()
    assert letters.font.pointSizeF() == 31
