"""The tree follows the document row by row, and never tells a view anything else than it shows."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester
from pytestqt.qtbot import QtBot

from rfstudio.app.files.presets import read_preset
from rfstudio.app.state.settings import Settings
from rfstudio.app.studio import Studio
from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture, Layer, Parallel, Repeat, Residual, walk
from rfstudio.widgets.stack.model import SUMMARY, StackModel
from tests.widgets.conftest import SMALL


def model_of(studio: Studio) -> StackModel:
    return StackModel(studio.document, studio.analysis, studio.selection, studio.edits)


def shown(model: StackModel, parent: QModelIndex | None = None) -> list:
    parent = QModelIndex() if parent is None else parent
    rows = []
    for row in range(model.rowCount(parent)):
        cells = [model.index(row, column, parent) for column in range(4)]
        rows.append(([x.data() for x in cells], cells[0].data(SUMMARY), shown(model, cells[0])))
    return rows


_PRESETS = ["resnet18", *(pytest.param(x, marks=pytest.mark.slow) for x in ("googlenet", "unet"))]


@pytest.mark.parametrize("preset", _PRESETS)
def test_that_the_rows_are_those_of_a_new_tree_after_any_edits(
    qtbot: QtBot, tmp_path: Path, preset: str
) -> None:
    studio = Studio(read_preset(preset), settings=Settings(tmp_path / "settings.ini"))
    model = model_of(studio)
    chance = random.Random(3)
    before = shown(model)
    for _ in range(25):
        places = [location for location, _ in walk(studio.document.architecture)]
        place, other = chance.choice(places), chance.choice(places)
        edits: list[Callable[[], object]] = [
            partial(studio.edits.delete, [place]),
            partial(studio.edits.duplicate, [place]),
            partial(studio.edits.move, [place], other),
            partial(studio.edits.wrap, [place], "residual"),
            partial(studio.edits.wrap, [place], "parallel"),
            partial(studio.edits.unwrap, place),
            partial(studio.edits.add_branch, place),
            partial(studio.edits.add, "conv", place),
            studio.document.undo_stack.undo,
        ]
        try:
            chance.choice(edits)()
        except RFStudioError:
            continue
        assert shown(model) == shown(model_of(studio))
    while studio.document.undo_stack.canUndo():
        studio.document.undo_stack.undo()
    studio.selection.select_layer(studio.analysis.analysis.layers[-1].name)
    assert [x[0][0] for x in shown(model)] == [x[0][0] for x in before]
    assert shown(model) == shown(model_of(studio))


def test_that_qt_finds_no_contradiction_in_the_tree(qtbot: QtBot, tmp_path: Path) -> None:
    # All layers have names: those that are called by a number would change while rows move.
    studio = Studio(SMALL, settings=Settings(tmp_path / "settings.ini"))
    studio.edits.rename((1, 0, 1), "act")
    model = model_of(studio)
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Warning)
    studio.edits.duplicate([(0,)])
    studio.edits.delete([(0,)])
    studio.edits.move([(2,)], (1, 0, 0))
    studio.edits.wrap([(0,)], "parallel")
    studio.edits.add_branch((0,))
    while studio.document.undo_stack.canUndo():
        studio.document.undo_stack.undo()
    assert model.rowCount() == 4
    del tester


def test_that_a_changed_number_keeps_every_row_where_it_is(qtbot: QtBot, tmp_path: Path) -> None:
    studio = Studio(read_preset("resnet18"), settings=Settings(tmp_path / "settings.ini"))
    model = model_of(studio)
    places = [location for location, _ in walk(studio.document.architecture)]
    rows = [QPersistentModelIndex(model.index_of(place)) for place in places]
    studio.edits.set_parameter((0,), "kernel_size", 5)
    studio.edits.rename((4,), "first_stage")
    assert all(row.isValid() for row in rows)
    assert [model.location_of(row) for row in rows] == places


def test_that_a_parallel_without_branches_has_a_name(qtbot: QtBot, tmp_path: Path) -> None:
    empty = Architecture(input_size=(8, 8), layers=(Parallel((), "concat"),))
    model = model_of(Studio(empty, settings=Settings(tmp_path / "settings.ini")))
    assert model.index(1, 0).data() == "parallel"


def test_that_merges_that_are_summed_up_have_their_own_badges_and_tips(qtbot, tmp_path) -> None:
    # Causal blocks: of eight notes of one reason the first is given, and one on the other seven.
    conv = Layer(ops.Conv(kernel_size=3, padding=((2, 0),)))
    blocks = tuple(Residual((conv,), (), f"block{i}") for i in range(8))
    network = Architecture("causal", "", "", (64,), 4, blocks)
    studio = Studio(network, settings=Settings(tmp_path / "settings.ini"))
    assert len(studio.analysis.analysis.diagnostics) == 2
    model = model_of(studio)
    assert [model.severity((i,)) for i in range(8)] == ["note"] * 8
    tips = [
        model.index(i + 1, 0, QModelIndex()).data(Qt.ItemDataRole.ToolTipRole) for i in range(8)
    ]
    assert all(f"'block{i}.add' joins branches" in tips[i] for i in (0, 2, 7))
    assert "7 more merges, from 'block1.add'" in tips[1]
    assert "such merges: see the remark on 'block1.add'" in tips[2]


def test_that_a_closed_container_is_marked_for_what_is_broken_in_it(settings) -> None:
    broken = Residual((Layer(ops.Conv(kernel_size=99), "wide"),), name="inner")
    network = Architecture(input_size=(16, 16), layers=(Repeat(2, (broken,), "outer"),))
    model = model_of(Studio(network, settings=settings))
    assert [model.severity(x) for x in ((0,), (0, 0, 0), (0, 0, 0, 0, 0))] == ["error"] * 3
    tip = model.index(1, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert "would be empty" in tip
