"""What is done with thousands of rows costs as many calls as rows are seen, where it can."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial

import pytest
from PySide6.QtCore import QItemSelectionModel, QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTreeView

from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.core.network.architecture import Architecture, Repeat, Residual
from rfstudio.widgets.stack import tree as tree_module
from rfstudio.widgets.stack.model import StackModel
from rfstudio.widgets.stack.panel import StackPanel
from rfstudio.widgets.stack.row_texts import RowTexts
from rfstudio.widgets.stack.tree import LayerTree
from tests.core.editing.random_documents import random_document
from tests.narrowing import instance
from tests.widgets.conftest import conv

MANY = Architecture(
    name="many",
    input_size=(64, 64),
    layers=(*(conv(f"c{i}") for i in range(1500)), Repeat(2, (conv("in1"), conv("in2")), "r")),
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what is asked of the model and of its texts, from before they are made."""
    found: Counter[str] = Counter()

    def count(owner: type, name: str) -> None:
        work = getattr(owner, name)

        def counted(*args: object, **options: object) -> object:
            found[name] += 1
            return work(*args, **options)

        monkeypatch.setattr(owner, name, counted)

    for name in ("index", "flags", "parent"):
        count(StackModel, name)
    count(RowTexts, "_numbers_of")
    return found


@pytest.fixture
def panel(state, shown, calls: Counter[str]) -> StackPanel:
    made = state(MANY)
    edits = LayerEdits(made.document, made.session, made.selection)
    return shown(StackPanel(made.document, made.session, made.selection, edits), (400, 600))


def test_that_all_rows_can_be_chosen_and_painted_without_asking_for_each(
    panel: StackPanel, calls: Counter[str]
) -> None:
    panel.tree.collapseAll()
    panel.tree.selectAll()
    calls.clear()
    assert panel.chosen() == [(i,) for i in range(1501)]
    assert not calls["index"] + calls["flags"]
    panel.tree.viewport().grab()
    assert calls["index"] + calls["flags"] < 1500


def _open_blocks(state, shown) -> StackPanel:
    blocks = tuple(Residual((conv(f"a{i}"), conv(f"b{i}"))) for i in range(80))
    made = state(Architecture(input_size=(64, 64), layers=blocks))
    edits = LayerEdits(made.document, made.session, made.selection)
    panel = shown(StackPanel(made.document, made.session, made.selection, edits), (400, 600))
    panel.tree.expandAll()
    return panel


def test_that_all_rows_of_many_open_containers_are_chosen_without_comparing_them(
    state, shown, calls: Counter[str]
) -> None:
    panel = _open_blocks(state, shown)
    panel.tree.viewport().grab()
    calls.clear()
    panel.tree.selectAll()
    assert len(panel.chosen()) == 240
    assert calls["parent"] < 30 * 80


@pytest.mark.parametrize("words", ["", "conv", "a"])
@pytest.mark.parametrize("seed", range(6))
def test_that_all_are_the_rows_that_qt_would_choose_but_those_around_them(
    state, shown, seed: int, words: str
) -> None:
    chance = random.Random(seed)
    made = state(random_document(chance))
    edits = LayerEdits(made.document, made.session, made.selection)
    panel = shown(StackPanel(made.document, made.session, made.selection, edits), (400, 600))
    panel.tree.expandAll()
    panel.filter_line.setText(words)
    for i in range(panel.model.rowCount()):
        if chance.random() < 0.4:
            panel.tree.collapse(panel.model.index(i, 0))
    panel.tree.selectAll()
    chosen = set(panel.tree.selectionModel().selectedIndexes())
    QTreeView.selectAll(panel.tree)
    model, around = panel.model, panel.tree.rows_around()
    around = {model.index_of_row(x, i) for x in around for i in range(model.columnCount())}
    assert chosen == set(panel.tree.selectionModel().selectedIndexes()) - around
    assert chosen or words


def test_that_rows_of_many_open_containers_are_chosen_by_keys_without_comparing_them(
    state, shown, calls: Counter[str]
) -> None:
    panel = _open_blocks(state, shown)
    tree, shift = panel.tree, Qt.KeyboardModifier.ShiftModifier
    tree.setCurrentIndex(panel.model.index_of((0,)))
    tree.viewport().grab()
    for key in (Qt.Key.Key_End, Qt.Key.Key_Up):
        calls.clear()
        QTest.keyClick(tree, key, shift)
        tree.viewport().grab()
        assert len(panel.chosen()) == 240
        assert calls["parent"] < 60 * 80
    tree.scrollTo(panel.model.index_of((60,)))
    at = tree.visualRect(panel.model.index_of((60,))).center()
    calls.clear()
    QTest.mouseClick(tree.viewport(), Qt.MouseButton.LeftButton, shift, at)
    assert len(panel.chosen()) == 181
    assert calls["parent"] < 60 * 80


@pytest.mark.parametrize("seed", range(6))
def test_that_rows_between_two_places_are_those_that_qt_would_choose(
    state, shown, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    made = state(random_document(chance))
    edits = LayerEdits(made.document, made.session, made.selection)
    panel = shown(StackPanel(made.document, made.session, made.selection, edits), (400, 600))
    panel.tree.expandAll()
    for i in range(panel.model.rowCount()):
        if chance.random() < 0.2:
            panel.tree.collapse(panel.model.index(i, 0))
    tree, flags = instance(LayerTree, panel.tree), QItemSelectionModel.SelectionFlag
    monkeypatch.setattr(tree_module, "_MANY_PARTS", 1)
    many = (flags.ClearAndSelect, flags.SelectCurrent, flags.ToggleCurrent, flags.Select)
    for _ in range(8):
        command = chance.choice(many) | flags.Rows
        corners = [QPoint(chance.randrange(300), chance.randrange(-40, 700)) for _ in range(2)]
        rect, before = QRect(*corners), tree.selectionModel().selection()
        found = []
        for choose in (partial(QTreeView.setSelection, tree), tree.setSelection):
            tree.selectionModel().select(before, flags.ClearAndSelect)
            choose(rect, command)
            found.append(set(tree.selectionModel().selectedIndexes()))
        assert found[0] == found[1]


def test_that_chosen_rows_are_in_containers_too(panel: StackPanel) -> None:
    panel.tree.expand(panel.model.index_of((1500,)))
    panel._select_rows([(3,), (1500, 0, 1), (7,)])
    assert panel.chosen() == [(3,), (7,), (1500, 0, 1)]


def test_that_a_filter_works_out_no_numbers_of_rows_that_are_not_seen(
    panel: StackPanel, calls: Counter[str]
) -> None:
    calls.clear()
    panel.filter_line.setText("c1 conv")
    assert calls["_numbers_of"] < 100
    seen = [i for i in range(1, 1501) if not panel.tree.isRowHidden(i, panel.model.index(-1, 0))]
    assert seen == [i + 1 for i in range(1500) if "c1" in f"c{i}"]
