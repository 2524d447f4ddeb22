"""What the tree has shown of earlier networks is let go."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.app.state.settings import Settings
from rfstudio.app.studio import Studio
from rfstudio.core.fields.field import AxisField
from rfstudio.core.memo import forget
from rfstudio.widgets.stack.panel import StackPanel
from tests.widgets.conftest import SMALL


@pytest.fixture
def studio(qapp: QApplication, tmp_path: Path) -> Studio:
    return Studio(SMALL, settings=Settings(tmp_path / "settings.ini"))


@pytest.fixture
def panel(studio: Studio, qtbot: QtBot) -> StackPanel:
    panel = StackPanel(studio.document, studio.analysis, studio.selection, studio.edits)
    qtbot.addWidget(panel)
    panel.resize(500, 600)
    with qtbot.waitExposed(panel):
        panel.show()
    panel.expand_sensibly()
    return panel


def _paint(panel: StackPanel) -> None:
    panel.tree.viewport().grab()


def test_that_rows_that_are_removed_are_let_go(studio: Studio, panel: StackPanel) -> None:
    _paint(panel)
    row = weakref.ref(panel.model.row_of(panel.model.index_of((1,))))
    within = weakref.ref(panel.model.row_of(panel.model.index_of((1, 0, 0))))
    studio.edits.delete([(1,)])
    _paint(panel)
    gc.collect()
    assert row() is None
    assert within() is None


def test_that_texts_hold_the_fields_of_no_more_than_two_networks(
    studio: Studio, panel: StackPanel
) -> None:
    counts = []
    for kernel_size in range(3, 15):
        studio.edits.set_parameter((0,), "kernel_size", kernel_size)
        _paint(panel)
        forget()
        gc.collect()
        counts.append(sum(type(x) is AxisField for x in gc.get_objects()))
    assert max(counts[3:]) <= max(counts[:3]), counts
