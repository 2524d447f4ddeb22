"""While the unit is followed, whatever rests is measured, and many moves are one measurement."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from PySide6.QtCore import QObject, Signal
from pytestqt.qtbot import QtBot

from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.effective.unit_following import NETWORK_RESTS, UNIT_RESTS, UnitFollowing
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer

NETWORK = Architecture(
    name="two",
    input_size=(9, 9),
    layers=(
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4), "a"),
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4), "b"),
    ),
)


class Measurements(QObject):
    """Notes what is to be measured."""

    options_changed = Signal(object)
    state_changed = Signal(str)
    measured = Signal()

    def __init__(self, session: AnalysisSession, selection: Selection) -> None:
        super().__init__()
        self._session, self._selection = session, selection
        self.subjects: list[tuple[Architecture, str, tuple[int, ...]]] = []

    def _chosen(self) -> tuple[Architecture, str, tuple[int, ...]]:
        chosen = self._selection.value
        return self._session.analysis.architecture, chosen.layer, chosen.unit

    @property
    def is_current(self) -> bool:
        return bool(self.subjects) and self.subjects[-1] == self._chosen()

    def measure(self) -> None:
        self.subjects.append(self._chosen())
        self.state_changed.emit("measuring")
        self.measured.emit()


class Bench:
    def __init__(self) -> None:
        self.document = Document(NETWORK)
        self.session = AnalysisSession(self.document)
        self.selection = Selection(self.session)
        self.selection.select_layer("b", (4, 4))
        self.erf = Measurements(self.session, self.selection)
        self.following = UnitFollowing(cast("ErfSession", self.erf), self.session, self.selection)


@pytest.fixture
def bench(qtbot: QtBot) -> Bench:
    bench = Bench()
    bench.following.switch(True)
    qtbot.waitUntil(lambda: len(bench.erf.subjects) == 1)  # what is chosen already, at once
    return bench


def test_that_nothing_is_measured_by_itself_while_it_is_off(qtbot: QtBot) -> None:
    bench = Bench()
    bench.selection.select_unit((1, 1))
    assert not bench.following.is_waiting
    bench.following.switch(True)
    assert bench.following.is_waiting
    bench.following.switch(False)
    assert not bench.following.is_waiting
    assert bench.erf.subjects == []


def test_that_many_moves_in_a_row_are_one_measurement_of_the_last(
    qtbot: QtBot, bench: Bench
) -> None:
    with qtbot.waitSignal(bench.erf.measured):
        for x in range(4):
            bench.selection.select_unit((2, x))
    assert [x[2] for x in bench.erf.subjects] == [(4, 4), (2, 3)]
    with qtbot.waitSignal(bench.erf.measured):
        bench.selection.select_layer("a")
    assert bench.erf.subjects[-1][1] == "a"


def test_that_an_edit_waits_longer_even_if_it_moves_the_unit(qtbot: QtBot, bench: Bench) -> None:
    assert NETWORK_RESTS > UNIT_RESTS
    narrow = replace(NETWORK, input_size=(7, 7))
    bench.document.edit("Narrow", narrow)
    bench.selection.select_unit((0, 0))
    assert bench.following._rest.interval() > UNIT_RESTS
    with qtbot.waitSignal(bench.erf.measured):
        pass
    assert bench.erf.subjects[-1] == (narrow, "b", (0, 0))


def test_that_another_view_of_the_same_network_is_no_reason_but_an_option_is(
    qtbot: QtBot, bench: Bench
) -> None:
    bench.session.set_reference("a")
    assert not bench.following.is_waiting
    bench.erf.options_changed.emit(None)
    assert bench.following.is_waiting
    bench.erf.measure()  # asked for by hand in the meantime
    assert not bench.following.is_waiting


def test_that_another_image_is_a_reason_where_it_has_cost_the_measurement(bench: Bench) -> None:
    bench.following.look()
    assert not bench.following.is_waiting
    bench.erf.subjects.clear()
    bench.following.look()
    assert bench.following.is_waiting
    bench.following.switch(False)
