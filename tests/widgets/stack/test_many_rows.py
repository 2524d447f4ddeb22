"""What is done with thousands of rows costs as many calls as rows are seen, where it can."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from PySide6.QtWidgets import QTreeView

from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.core.network.architecture import Architecture, Repeat, Residual
from rfstudio.widgets.stack.model import StackModel
from rfstudio.widgets.stack.panel import StackPanel
from rfstudio.widgets.stack.row_texts import RowTexts
from tests.core.editing.random_documents import random_document
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


def test_that_all_rows_of_many_open_containers_are_chosen_without_comparing_them(
    state, shown, calls: Counter[str]
) -> None:
    blocks = tuple(Residual((conv(f"a{i}"), conv(f"b{i}"))) for i in range(80))
    made = state(Architecture(input_size=(64, 64), layers=blocks))
    edits = LayerEdits(made.document, made.session, made.selection)
    panel = shown(StackPanel(made.document, made.session, made.selection, edits), (400, 600))
    panel.tree.expandAll()
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
    around = {x.siblingAtColumn(i) for x in panel.tree.rows_around() for i in range(9)}
    assert chosen == set(panel.tree.selectionModel().selectedIndexes()) - around
    assert chosen or words


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
