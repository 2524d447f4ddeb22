"""What is known of all layers of a large network is prepared after the network is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from pytestqt.qtbot import QtBot

from rfstudio.app import slices
from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.app.state import analysis_session
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.core import ops
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network.architecture import Architecture, Branch, Layer, Parallel
from rfstudio.formats.networks.yaml_reader import read_draft


def conv(name: str, padding: int | tuple[tuple[int, int], ...] = 1) -> Layer:
    return Layer(ops.Conv(kernel_size=3, padding=padding, out_channels=3), name)


MISFIT = Parallel(
    (Branch((conv("a"),)), Branch((conv("b", ((0, 2), (0, 2))),))), name="fork", merge="add"
)
NETWORK = Architecture(input_size=(20, 20), layers=(conv("stem"), MISFIT, conv("head")))


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> Callable[[Architecture], _Bench]:
    """Return what makes a session to which every network is large."""
    monkeypatch.setattr(analysis_session, "QUICK", 0)
    return _Bench


class _Bench:
    def __init__(self, architecture: Architecture) -> None:
        self.document = Document(architecture)
        self.session = AnalysisSession(self.document)
        self.selection = Selection(self.session)
        self.edits = LayerEdits(self.document, self.session, self.selection)


def facts(analysis: Analysis) -> list[tuple[object, ...]]:
    return [(x.depth, x.growth, x.path_fields, x.interior) for x in analysis.layers]


def test_that_remarks_and_answers_come_after_the_analysis_and_are_those_of_a_fresh_one(
    session, qtbot: QtBot
) -> None:
    made = session(NETWORK)
    told: list[int] = []
    made.session.prepared.connect(lambda: told.append(1))
    assert not made.session.is_prepared
    qtbot.waitUntil(lambda: bool(told))
    assert made.session.is_prepared
    fresh = analyze(NETWORK)
    assert made.session.remarks == fresh.diagnostics != ()
    assert facts(made.session.analysis) == facts(fresh)

    before = made.session.remarks
    layers = (NETWORK.layers[0], NETWORK.layers[2])
    made.document.edit("Straighten", replace(NETWORK, layers=layers))
    assert made.session.analysis.architecture.layers == layers
    assert made.session.remarks == before  # until those of the new network are known
    qtbot.waitUntil(lambda: made.session.is_prepared)
    assert made.session.remarks == analyze(made.document.architecture).diagnostics
    assert facts(made.session.analysis) == facts(analyze(made.document.architecture))


def test_that_a_newer_edit_ends_what_is_prepared_of_the_one_before(session, qtbot: QtBot) -> None:
    made = session(NETWORK)
    told: list[Architecture] = []
    made.session.prepared.connect(lambda: told.append(made.session.analysis.architecture))
    for size in (21, 22, 23):
        made.document.edit("Size", replace(NETWORK, input_size=(size, size)))
    qtbot.waitUntil(lambda: made.session.is_prepared)
    assert told == [made.document.architecture]
    made.document.edit("Size", NETWORK)
    made.session.finish()
    assert made.session.is_prepared
    assert made.session.remarks == analyze(NETWORK).diagnostics


def test_that_what_waits_for_a_large_network_is_done_in_later_turns(session, qtbot: QtBot) -> None:
    made = session(NETWORK)
    made.session.finish()
    done: list[str] = []
    made.edits.insert_text("- relu\n", (0,))
    assert made.session.analysis.architecture is made.document.architecture
    made.session.once_known(lambda: done.append("a"))
    made.session.once_known(lambda: done.append("b"))
    assert not done
    qtbot.waitUntil(lambda: done == ["a", "b"])
    assert made.selection.item == (0,)  # what was inserted is chosen, before what came later
    made.session.once_known(lambda: done.append("c"))
    assert done[-1] == "c"


def test_that_a_small_network_is_prepared_by_whoever_asks(qtbot: QtBot) -> None:
    made = _Bench(NETWORK)
    assert made.session.is_prepared
    assert made.session.remarks == analyze(NETWORK).diagnostics


def test_that_answers_that_are_prepared_are_those_that_are_asked_for() -> None:
    gated = "- conv: {out_channels: 4, kernel_size: 3}\n- squeeze_excite: {reduction: 1}\n"
    text = f"format: 1\ninput: {{size: [16, 16], channels: 3}}\nlayers:\n{gated}"
    for network in (NETWORK, read_draft(text.encode())):
        for ignores in (False, True):
            prepared = analyze(network, ignore_gates=ignores)
            prepared.prepare_answers()
            assert facts(prepared) == facts(analyze(network, ignore_gates=ignores))


def test_that_what_waits_may_ask_for_another_late_analysis(
    session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both waited for the other: the analysis for a turn of the event loop, the loop for it."""
    made = session(NETWORK)
    made.session.finish()
    monkeypatch.setattr(slices, "AT_ONCE", -1.0)
    monkeypatch.setattr(analysis_session, "MORE", 0.0)
    done: list[tuple[int, ...]] = []

    def enlarge() -> None:
        size = tuple(n + 1 for n in made.document.architecture.input_size)
        made.document.edit("Size", replace(NETWORK, input_size=size))
        done.append(made.session.analysis.input_size)

    made.document.edit("Size", replace(NETWORK, input_size=(30, 30)))
    assert made.session.is_late
    for _ in range(3):
        made.session.once_known(enlarge)
    made.session.finish()
    assert done == [(30, 30), (31, 31), (32, 32)]
    assert not made.session.is_late
    assert made.session.analysis.input_size == (33, 33)
