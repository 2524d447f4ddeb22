"""Which containers of the tree are open when another network is shown."""

from __future__ import annotations

from dataclasses import replace

from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.core.network.architecture import Architecture, Repeat
from rfstudio.widgets.stack.panel import StackPanel
from tests.widgets.conftest import conv

BLOCKS = tuple(Repeat(2, (conv("a"), conv("b")), f"stage{i}") for i in range(40))
LARGE = Architecture(name="large", input_size=(64, 64), layers=BLOCKS)


def is_open(panel: StackPanel, *location: int) -> bool:
    return panel.tree.isExpanded(panel.model.index_of(location))


def test_that_a_large_network_is_shown_closed_whatever_was_open_before(state, shown) -> None:
    made = state(LARGE)
    edits = LayerEdits(made.document, made.session, made.selection)
    panel = shown(StackPanel(made.document, made.session, made.selection, edits), (400, 600))
    assert not is_open(panel, 3)
    panel.tree.expand(panel.model.index_of((3,)))
    assert is_open(panel, 3)
    # Most of its rows are those of before.
    made.document.replace(replace(LARGE, name="other", layers=(*BLOCKS[:39], conv("head"))))
    panel.expand_sensibly()
    assert not is_open(panel, 3)
    panel.filter_line.setText("stage")
    assert is_open(panel, 3)
    panel.filter_line.clear()
    panel.expand_sensibly()
    assert not is_open(panel, 3)
    made.document.replace(Architecture(input_size=(64, 64), layers=BLOCKS[:3]))
    panel.expand_sensibly()
    assert is_open(panel, 2)  # a small one is open as a whole
