"""Edits of the window: layers as text and back, and an edit that is refused changes nothing."""

import gc
import threading
from collections.abc import Callable

import pytest
from pytestqt.qtbot import QtBot

from rfstudio.app.editing import layer_edits
from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.app.editing.layer_text import items_of_text, text_of_items
from rfstudio.app.state import document as document_module
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.core import ops
from rfstudio.core.editing import edits, rearranging
from rfstudio.core.errors import RFStudioError
from rfstudio.core.memo import forget
from rfstudio.core.network.architecture import Architecture, Item, Layer, Residual, walk
from rfstudio.formats.networks.presets import read_preset

CONV = ops.Conv(kernel_size=3, padding=1, out_channels=3)
NETWORK = Architecture(
    input_size=(16, 16), layers=(Layer(CONV, "a"), Residual((Layer(CONV, "b"),), name="r"))
)


@pytest.mark.parametrize("name", ["unet", "googlenet", "swin_t", "wavenet", "c3d"])
def test_that_layers_as_text_are_the_layers(name: str) -> None:
    network = read_preset(name)
    assert items_of_text(text_of_items(network.layers), network.axes) == network.layers


REFUSED: dict[str, Callable[[LayerEdits], object]] = {
    "text without layers": lambda x: x.insert_text("[]"),
    "text with a mistake": lambda x: x.insert_text("- konv: {kernel_size: 3}"),
    "a kernel of 0": lambda x: x.set_parameter((0,), "kernel_size", 0),
    "a parameter that it has not": lambda x: x.set_parameter((0,), "heads", 2),
    "an item that is not there": lambda x: x.duplicate([(7,)]),
    "a container moved into itself": lambda x: x.move([(1,)], (1, 0, 0)),
    "a layer unwrapped": lambda x: x.unwrap((0,)),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_that_an_edit_that_is_refused_changes_nothing(kind: str) -> None:
    document = Document(NETWORK)
    session = AnalysisSession(document)
    selection = Selection(session)
    edits = LayerEdits(document, session, selection)
    selection.select_layer("a")
    before = selection.value
    with pytest.raises(RFStudioError):
        REFUSED[kind](edits)
    assert document.architecture is NETWORK
    assert selection.value == before
    assert not document.undo_stack.canUndo()


class Bench:
    """Edits of a small network."""

    def __init__(self) -> None:
        self.document = Document(NETWORK)
        self.session = AnalysisSession(self.document)
        self.selection = Selection(self.session)
        self.edits = LayerEdits(self.document, self.session, self.selection)

    @property
    def count(self) -> int:
        return len(self.document.architecture.layers)


def long_text(last: str = "") -> str:
    return "- conv: {kernel_size: 3, padding: 1, out_channels: 3}\n" * 200 + last


def test_that_a_long_text_is_read_and_inserted_in_slices(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Bench()
    threads = []
    insert = rearranging.insert

    def noted(*arguments):
        threads.append(threading.current_thread().name)
        return insert(*arguments)

    monkeypatch.setattr(edits, "insert", noted)
    made.edits.insert_text(long_text("- relu\n"), (0,))
    assert made.count == 2
    qtbot.waitUntil(lambda: made.count == 203)
    assert threads == ["rfstudio-slices"]
    assert made.selection.item == (0,)


def test_that_an_edit_before_a_long_text_is_read_is_not_undone_by_it(qtbot: QtBot) -> None:
    made = Bench()
    made.edits.insert_text(long_text(), (0,))
    made.edits.delete([(1,)])
    qtbot.waitUntil(lambda: made.count == 201)
    assert made.document.architecture.layers[0].name == "a"  # the chosen one, which it is after


@pytest.mark.parametrize("text", [long_text("- konv\n"), "#" * 9000 + "\n[]"])
def test_that_a_long_text_that_holds_no_layers_is_refused(qtbot: QtBot, text: str) -> None:
    made = Bench()
    with qtbot.waitSignal(made.edits.refused):
        made.edits.insert_text(text, (0,))
    assert made.document.architecture is NETWORK


def test_that_networks_of_steps_that_cannot_be_undone_are_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (document_module, layer_edits):
        monkeypatch.setattr(module, "STEPS", 3)
    document = Document(NETWORK)
    session = AnalysisSession(document)
    edits = LayerEdits(document, session, Selection(session))

    def networks() -> int:
        forget()
        gc.collect()
        return sum(type(x) is Architecture for x in gc.get_objects())

    counts = []
    for _ in range(4):
        for _ in range(4):
            edits.insert_text("- relu")
            document.undo_stack.undo()
            edits.insert_text("- conv: {kernel_size: 5}")
        counts.append(networks())
    assert document.undo_stack.count() == 3
    assert counts[1:] == counts[1:2] * 3


@pytest.mark.parametrize("count", [10, 300, pytest.param(2000, marks=pytest.mark.slow)])
def test_that_half_of_a_chain_of_merges_is_cut_pasted_and_taken_back(
    count: int, qtbot: QtBot
) -> None:
    layers: list[Item] = []
    for i in range(count):
        both = (f"relu{i}", f"conv{i}")
        relu = Layer(ops.Relu(), f"relu{i}")
        layers += [Layer(CONV, f"conv{i}"), relu, Layer(ops.Add(), f"add{i}", both)]
    network = Architecture(layers=tuple(layers), input_size=(8, 8))
    document = Document(network)
    session = AnalysisSession(document)
    edit = LayerEdits(document, session, Selection(session))
    half = [(i,) for i in range(3 * (count // 2))]

    def widest() -> int:
        found = [len(x.inputs) for _, x in walk(document.architecture) if isinstance(x, Layer)]
        return max(found)

    text = edit.text_of(half)
    edit.delete(half, verb="Cut")
    assert len(document.architecture.layers) == len(layers) - len(half)
    assert widest() == 2
    edit.insert_text(text, (0,))
    qtbot.waitUntil(lambda: len(document.architecture.layers) == len(layers))
    assert widest() == 2
    edit.duplicate(half)
    edit.wrap([(i,) for i in range(len(half))], "residual")
    edit.unwrap((0,))
    assert len(document.architecture.layers) == len(layers) + len(half)
    assert widest() == 2
    while document.undo_stack.canUndo():
        document.undo_stack.undo()
    assert document.architecture == network
    while document.undo_stack.canRedo():
        document.undo_stack.redo()
    assert len(document.architecture.layers) == len(layers) + len(half)
