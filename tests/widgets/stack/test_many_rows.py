"""What is done with thousands of rows costs as many calls as rows are seen, where it can."""

from __future__ import annotations

from collections import Counter

import pytest

from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.core.network.architecture import Architecture, Repeat
from rfstudio.widgets.stack.model import StackModel
from rfstudio.widgets.stack.panel import StackPanel
from rfstudio.widgets.stack.row_texts import RowTexts
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

    for name in ("index", "flags"):
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
