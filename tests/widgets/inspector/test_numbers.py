"""The numbers of the inspector are never cut, however narrow it is."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from rfstudio.app.wording.facts import Fact
from rfstudio.widgets.inspector.numbers import NumberBlock

FACTS = (
    Fact("size", "188…204×188…204 px", "Its size."),
    Fact("coverage", "53.9 %   (73.4 % × 73.4 %)", "Its share."),
    Fact("jump", "2 px", "Its jump."),
)


@pytest.mark.parametrize("width", [200, 242, 316, 600])
def test_that_a_block_gets_the_height_that_its_lines_need(qtbot: QtBot, width: int) -> None:
    body = QWidget()
    qtbot.addWidget(body)
    layout = QVBoxLayout(body)
    block = NumberBlock("Unit")
    block.show_facts(FACTS)
    layout.addWidget(block)
    layout.addStretch(1)
    body.resize(width, 700)
    with qtbot.waitExposed(body):
        body.show()
    assert block.height() == block.heightForWidth(block.width())
    for label in block.findChildren(QLabel):
        assert label.height() >= label.heightForWidth(label.width())
        assert label.geometry().bottom() < block.height()
    body.close()
