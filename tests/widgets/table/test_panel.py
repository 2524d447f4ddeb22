"""The table of all layers: numbers sort as numbers, and it keeps in step with the choice."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QStyleOptionHeaderV2
from pytestqt.qtbot import QtBot

from rfstudio.app.files.presets import read_preset
from rfstudio.core.network.architecture import Architecture
from rfstudio.widgets.table.model import COLUMNS
from rfstudio.widgets.table.panel import TablePanel


def _column(title: str) -> int:
    return next(i for i, x in enumerate(COLUMNS) if x.title == title)


def test_that_channels_sort_as_numbers_and_not_as_texts(state, shown) -> None:
    made = state("alexnet")
    panel = shown(TablePanel(made.session, made.selection))
    column = _column("Channels")
    panel.sortByColumn(column, Qt.SortOrder.AscendingOrder)
    model = panel.model()
    found = [model.index(row, column).data() for row in range(model.rowCount())]
    wanted = sorted(x.channels for x in made.session.analysis.layers)
    assert found == [str(x) for x in wanted]
    assert found != sorted(found)  # as texts, 1000 would come before 64


@pytest.mark.parametrize("network", ["resnet18", pytest.param("r3d_18", marks=pytest.mark.slow)])
def test_that_no_number_is_cut(state, shown, network: str) -> None:
    made = state("tcn_1d")
    panel = shown(TablePanel(made.session, made.selection))
    made.document.replace(read_preset(network))
    metrics = panel.fontMetrics()
    for row in range(panel.layers.rowCount()):
        for column, text in enumerate(panel.layers.texts_of(row)):
            if COLUMNS[column].is_number:
                assert metrics.horizontalAdvance(text) + 18 <= panel.columnWidth(column), text


def test_that_the_arrow_of_the_sorting_is_beside_the_title_and_not_over_it(
    state, shown, qtbot: QtBot
) -> None:
    made = state("alexnet")
    panel = shown(TablePanel(made.session, made.selection), (1200, 260))
    header = panel.horizontalHeader()
    column = _column("Padding")
    for arrow in ("▴", "▾"):
        place = QPoint(header.sectionViewportPosition(column) + 20, header.height() // 2)
        qtbot.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=place)
        option = QStyleOptionHeaderV2()
        header.initStyleOptionForIndex(option, column)
        assert option.text == f"{arrow} Padding"
        assert option.sortIndicator == QStyleOptionHeaderV2.SortIndicator.None_
        needed = header.fontMetrics().horizontalAdvance(option.text) + 15
        assert needed <= panel.columnWidth(column)


def test_that_a_row_chooses_its_layer_and_a_chosen_layer_its_row(state, shown) -> None:
    made = state("alexnet")
    panel = shown(TablePanel(made.session, made.selection))
    panel.sortByColumn(_column("Op"), Qt.SortOrder.DescendingOrder)
    for name in ("conv1", "conv5", "conv3"):
        made.selection.select_layer(name)
        assert panel.currentIndex().row() == panel.layers.row_of(name)
        assert panel.model().index(panel.currentIndex().row(), 0).data() == name
    panel.selectRow(panel.layers.row_of("conv2"))
    assert made.selection.layer == "conv2"


def test_that_a_table_without_layers_says_so(state, shown) -> None:
    made = state(Architecture(input_size=(32, 32)))
    panel = shown(TablePanel(made.session, made.selection))
    image = panel.viewport().grab().toImage()
    middle = image.height() // 2
    colours = {
        image.pixelColor(x, y).name()
        for x in range(image.width() // 4, 3 * image.width() // 4)
        for y in range(middle - 8, middle + 8)
    }
    assert len(colours) > 5
