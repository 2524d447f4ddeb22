"""Edits of a long network are spread over turns of the event loop, and do nothing twice."""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction

import pytest
from pytestqt.qtbot import QtBot

from rfstudio.app import slices
from rfstudio.app.editing.layer_edits import Batch
from rfstudio.app.state import analysis_session
from rfstudio.core.fields.analysis import Analysis, UnitView, analyze
from rfstudio.widgets.stack.model import StackModel
from rfstudio.widgets.window.main_window import MainWindow

CONV = "- conv: {out_channels: 8, kernel_size: 3, padding: 1}\n"


@pytest.fixture
def long(window: MainWindow, monkeypatch: pytest.MonkeyPatch) -> MainWindow:
    """Return a window that takes its network for one of thousands of layers."""
    window.studio.selection.select_item((1,))
    monkeypatch.setattr(analysis_session, "LONG", 0)
    monkeypatch.setattr(analysis_session, "QUICK", 0)
    monkeypatch.setattr(slices, "AT_ONCE", 9.0)
    return window


def _edits(window: MainWindow) -> dict[str, Callable[[], object]]:
    edits, actions = window.studio.edits, window.stack.actions_
    return {
        "insert": lambda: edits.insert_text(CONV, (1,)),
        "delete": actions.delete.trigger,
        "duplicate": actions.duplicate.trigger,
        "move": actions.move_up.trigger,
        "wrap": actions.wraps[1].trigger,
        "repeat": actions.wraps[3].trigger,
        "rename": lambda: edits.rename((1,), "renamed"),
    }


_NAMES = ("insert", "delete", "duplicate", "move", "wrap", "repeat", "rename")


def _settle(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not window.studio.analysis.is_late)
    analysis = window.studio.analysis.analysis
    fresh = analyze(window.studio.document.architecture)
    assert analysis.architecture is window.studio.document.architecture
    assert (analysis.graph.nodes, analysis.fields) == (fresh.graph.nodes, fresh.fields)


@pytest.mark.parametrize("name", _NAMES)
def test_that_rearranging_and_analysing_share_no_turn_and_what_is_shown_next_is_foreseen(
    long: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    studio = long.studio
    asked: list[tuple[str, tuple[int, ...]]] = []
    unit_of = Analysis.unit

    def unit(analysis: Analysis, layer: str, unit: tuple[int, ...]) -> UnitView:
        if threading.current_thread() is threading.main_thread():
            asked.append((layer, unit))
        return unit_of(analysis, layer, unit)

    monkeypatch.setattr(Analysis, "unit", unit)
    stack = studio.document.undo_stack
    for step in (_edits(long)[name], stack.undo, stack.redo):
        before = studio.document.architecture
        step()
        assert studio.document.architecture is not before
        assert studio.analysis.is_late
        _settle(long, qtbot)
        assert asked == []


def test_that_a_parameter_is_analysed_in_the_turn_of_its_edit_but_not_those_of_many_layers(
    long: MainWindow, qtbot: QtBot
) -> None:
    edits, session = long.studio.edits, long.studio.analysis
    edits.set_parameter((0,), "kernel_size", 5)
    assert session.analysis.architecture is long.studio.document.architecture
    qtbot.waitUntil(lambda: not session.is_late)
    places = [(i,) for i in range(len(long.studio.document.architecture.layers))]
    edits.change_all(places, Batch("dilation", "multiply", Fraction(2)))
    assert session.is_late
    _settle(long, qtbot)


def test_that_rows_are_not_laid_out_while_the_current_one_is_removed(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    edits, tree = window.studio.edits, window.stack.tree
    edits.insert_text(CONV * 60, (1,))
    window.studio.selection.select_item((30,))
    tree.indexAt(tree.viewport().rect().center())  # lays out what has come
    asked: list[object] = []
    row_of = StackModel.row_of

    def counted(model: StackModel, index):
        if model.is_following:
            asked.append(index)
        return row_of(model, index)

    # Not `flags`, which Qt looks up once.
    monkeypatch.setattr(StackModel, "row_of", counted)
    edits.wrap([(30,), (31,), (32,)], "residual")
    assert len(asked) < 100
    assert window.stack.model.location_of(tree.currentIndex()) == (30,)
    assert tree.selectionModel().isSelected(tree.currentIndex())
