"""Rows painted in one go look as Qt would paint them cell by cell."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QFontMetrics, QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from rfstudio.app.files.presets import read_preset
from rfstudio.app.state.settings import Settings
from rfstudio.app.studio import Studio
from rfstudio.widgets.parts.cells import MARGIN, Letters
from rfstudio.widgets.stack import tree
from rfstudio.widgets.stack.panel import StackPanel
from rfstudio.widgets.stack.tree import LayerTree
from rfstudio.widgets.table.panel import TablePanel
from tests.narrowing import instance
from tests.widgets.conftest import SMALL


@pytest.fixture
def studio(qapp: QApplication, tmp_path: Path) -> Studio:
    return Studio(read_preset("resnet18"), settings=Settings(tmp_path / "settings.ini"))


def picture(widget: QWidget) -> QImage:
    image: QImage = widget.grab().toImage()
    return image


def shown(qtbot: QtBot, widget: QWidget) -> None:
    qtbot.addWidget(widget)
    widget.resize(700, 460)
    with qtbot.waitExposed(widget):
        widget.show()


def test_that_rows_of_the_tree_look_as_qt_paints_them(studio: Studio, qtbot: QtBot) -> None:
    panel = StackPanel(studio.document, studio.analysis, studio.selection, studio.edits)
    shown(qtbot, panel)
    studio.selection.select_layer("layer1.1.relu1")
    quick = picture(panel.tree.viewport())
    instance(LayerTree, panel.tree).is_quick = False
    assert picture(panel.tree.viewport()) == quick


@pytest.mark.parametrize("hidden", [None, 2, 3])
@pytest.mark.parametrize("is_narrow", [False, True])
def test_that_rows_that_are_chosen_with_many_look_as_qt_paints_them(
    studio: Studio,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    hidden: int | None,
    is_narrow: bool,
) -> None:
    panel = StackPanel(studio.document, studio.analysis, studio.selection, studio.edits)
    shown(qtbot, panel)
    if is_narrow:
        panel.resize(180, 460)
    if hidden is not None:
        panel.tree.hideColumn(hidden)
    panel.tree.expandAll()
    panel.tree.selectAll()
    panel.tree.setFocus()
    usual = picture(panel.tree.viewport())
    monkeypatch.setattr(tree, "_MANY_PARTS", 1)
    assert picture(panel.tree.viewport()) == usual
    instance(LayerTree, panel.tree).is_quick = False
    assert picture(panel.tree.viewport()) == usual


@pytest.mark.parametrize("column", [0, 3])
def test_that_rows_of_the_table_look_as_qt_paints_them(
    studio: Studio, qtbot: QtBot, column: int
) -> None:
    panel = TablePanel(studio.analysis, studio.selection)
    shown(qtbot, panel)
    studio.selection.select_layer("layer1.1.conv1")
    panel.horizontalHeader().hideSection(5)
    panel.horizontalScrollBar().setValue(column)
    quick = picture(panel.viewport())
    panel.is_quick = False
    assert picture(panel.viewport()) == quick


@pytest.mark.slow
def test_that_no_number_of_three_axes_is_cut(studio: Studio, qtbot: QtBot) -> None:
    panel = StackPanel(studio.document, studio.analysis, studio.selection, studio.edits)
    shown(qtbot, panel)
    studio.document.replace(read_preset("r3d_18"))
    metrics, header = panel.tree.fontMetrics(), panel.tree.header()
    index = panel.model.index(1, 0)
    while (index := panel.tree.indexBelow(index)).isValid():
        for column in (1, 2, 3):
            text = str(index.siblingAtColumn(column).data() or "")
            assert metrics.horizontalAdvance(text) + 14 <= header.sectionSize(column), text
    panel.resize(420, 460)
    assert panel.tree.isColumnHidden(1)
    assert header.sectionSize(0) > 120


@pytest.mark.slow
def test_that_names_have_room_where_fields_are_cubes(studio: Studio, qtbot: QtBot) -> None:
    panel = StackPanel(studio.document, studio.analysis, studio.selection, studio.edits)
    shown(qtbot, panel)
    panel.resize(280, 460)
    studio.document.replace(read_preset("r3d_18"))
    narrow = panel.tree.header().sectionSize(0)
    studio.document.replace(read_preset("unet_3d"))
    assert panel.tree.header().sectionSize(0) > narrow + 30


@pytest.mark.slow
def test_that_the_longest_range_of_fields_is_not_cut(qtbot: QtBot, settings: Settings) -> None:
    studio = Studio(read_preset("hrnet_w32"), settings=settings)
    panel = StackPanel(studio.document, studio.analysis, studio.selection, studio.edits)
    qtbot.addWidget(panel)
    texts = [panel.model.texts.field_of(x) for x in studio.analysis.analysis.layers]
    longest = max(panel.tree.fontMetrics().horizontalAdvance(x) for x in texts)
    assert "…" in max(texts, key=len)
    assert panel.tree.columnWidth(2) >= longest + 2 * MARGIN
    studio.document.replace(SMALL)
    studio.analysis.finish()
    panel.expand_sensibly()
    assert panel.tree.columnWidth(2) < longest


def test_that_jumps_give_way_to_names(qtbot: QtBot, settings: Settings) -> None:
    studio = Studio(read_preset("c3d"), settings=settings)
    panel = StackPanel(studio.document, studio.analysis, studio.selection, studio.edits)
    shown(qtbot, panel)
    metrics, header = panel.tree.fontMetrics(), panel.tree.header()
    longest = metrics.horizontalAdvance("16×32×32")  # of pool5
    assert header.sectionSize(3) >= longest + 2 * MARGIN
    panel.resize(panel.minimumWidth(), 460)
    assert panel.tree.isColumnHidden(3)
    assert not panel.tree.isColumnHidden(2)
    assert header.sectionSize(0) > metrics.horizontalAdvance("pool5 max_pool")
    panel.resize(700, 460)
    assert header.sectionSize(3) >= longest + 2 * MARGIN


def test_that_no_few_letters_of_a_summary_stand_beside_a_name(qapp: QApplication) -> None:
    letters = Letters(qapp.font())
    one = QFontMetrics(qapp.font()).averageCharWidth()
    assert letters.shows("batch_norm", 4 * one, 4)
    assert not letters.shows("batch_norm", 4 * one - 1, 4)
    assert letters.shows("²", one, 4)  # what is shorter only has to fit
