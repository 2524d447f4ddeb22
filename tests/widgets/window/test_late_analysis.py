"""A network that takes long to analyse or to read holds up no turn of the event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rfstudio.app import slices
from rfstudio.app.files.presets import read_preset
from rfstudio.app.state import analysis_session
from rfstudio.app.state.document import read_network
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis, UnitView, analyze
from rfstudio.formats.networks.session_file import SavedSession, SavedUnit, write_session
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.widgets.window import session_commands
from rfstudio.widgets.window.main_window import MainWindow
from tests.widgets.conftest import SMALL
from tests.widgets.window.test_event_loop import turns_until

CONV = "- conv: {out_channels: 8, kernel_size: 3, padding: 1}\n"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every analysis be late."""
    monkeypatch.setattr(slices, "AT_ONCE", 0.0)
    monkeypatch.setattr(slices, "SLICE", 0.0)
    monkeypatch.setattr(analysis_session, "MORE", 0.0)
    monkeypatch.setattr(analysis_session, "LATE_AFTER", 0)


def _facts(analysis: Analysis) -> list[tuple[object, ...]]:
    return [(x.name, x.output_size, x.rf_size, x.jump, x.parameters) for x in analysis.layers]


def _is_known(window: MainWindow) -> bool:
    return not window.studio.analysis.is_late


@pytest.mark.usefixtures("hurried")
def test_that_the_last_picture_stays_until_a_late_analysis_is_there(
    window: MainWindow, qtbot: QtBot
) -> None:
    studio = window.studio
    before, chosen = studio.analysis.analysis, studio.selection.value
    studio.edits.insert_text(CONV, (0,))
    assert studio.analysis.is_late
    assert (studio.analysis.analysis, studio.selection.value) == (before, chosen)
    qtbot.waitUntil(lambda: _is_known(window))
    assert studio.analysis.analysis.architecture is studio.document.architecture
    assert studio.selection.item == (0,)  # what was inserted is chosen
    assert window.status.late.isHidden()
    studio.document.undo_stack.undo()
    qtbot.waitUntil(lambda: _is_known(window))
    assert studio.selection.value == chosen


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
def test_that_a_newer_edit_replaces_a_late_analysis(window: MainWindow, qtbot: QtBot) -> None:
    studio = window.studio
    seen: list[object] = []
    studio.analysis.analysis_changed.connect(lambda x: seen.append(x.architecture))
    studio.edits.insert_text(CONV, (0,))
    studio.edits.insert_text(CONV, (0,))
    qtbot.waitUntil(lambda: _is_known(window))
    assert seen == [studio.document.architecture]


@pytest.mark.usefixtures("hurried")
def test_that_a_second_press_waits_for_the_places_of_the_first(
    window: MainWindow, qtbot: QtBot
) -> None:
    studio, actions = window.studio, window.stack.actions_
    names = [x.name for x in studio.document.architecture.layers]
    studio.selection.select_item((0,))
    actions.delete.trigger()
    actions.delete.trigger()
    qtbot.waitUntil(
        lambda: _is_known(window) and len(studio.document.architecture.layers) == len(names) - 2
    )
    assert [x.name for x in studio.document.architecture.layers] == names[2:]


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
def test_that_a_file_is_read_and_shown_between_frames(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    studio = window.studio
    path = tmp_path / "network.yaml"
    path.write_text(write_yaml(studio.document.architecture))
    window.files.open_path(path)
    assert studio.document.path is None
    qtbot.waitUntil(lambda: studio.document.path == path and _is_known(window))
    bad = tmp_path / "bad.yaml"
    bad.write_text("format: 1\nlayers: [nothing]\n")
    with qtbot.waitSignal(window.files.problems_found):
        window.files.open_path(bad)
    assert studio.document.path == path


def test_that_numbers_and_remarks_of_a_large_network_follow_the_picture(
    open_window: Callable, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis_session, "QUICK", 0)
    window = open_window(SMALL)
    studio, problems = window.studio, window.problems
    qtbot.waitUntil(lambda: studio.analysis.is_prepared)

    def shown(*names: str) -> list[str]:
        return [window.inspector.field.texts()[x] for x in names]

    def listed() -> list[str]:
        return [problems.list.item(i).text() for i in range(problems.list.count())]

    assert "…" not in shown("depth", "growth", "interior")
    before, marks = listed(), window.stack.model.severity((0,))
    assert not marks
    studio.edits.set_parameter((0,), "kernel_size", 99)  # larger than the image
    assert studio.analysis.analysis.architecture is studio.document.architecture
    assert shown("size") != ["…"]
    assert shown("depth", "growth", "paths", "interior") == ["…"] * 4
    assert listed() == before
    qtbot.waitUntil(lambda: studio.analysis.is_prepared)
    assert "…" not in shown("depth", "growth", "interior")
    assert any("stem" in x for x in listed())
    assert window.stack.model.severity((0,)) == "error"


@pytest.mark.usefixtures("hurried")
def test_that_the_window_opens_before_its_first_network_is_analysed(
    open_window: Callable, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis_session, "FIRST", 0.0)
    window = open_window(SMALL)
    studio, rows = window.studio, window.stack.model
    assert studio.analysis.is_late
    assert (studio.analysis.analysis.layers, rows.rowCount()) == ((), 1)
    turns = turns_until(qtbot, lambda: _is_known(window))
    assert len(turns) > len(SMALL.layers)  # it gives way after each step
    assert _facts(studio.analysis.analysis) == _facts(analyze(SMALL))
    assert rows.rowCount() == 1 + len(SMALL.layers)
    assert studio.selection.layer == "head"  # the last convolution
    assert studio.analysis.unit(*studio.selection.value[:2]) == analyze(SMALL).unit("head")


@pytest.mark.usefixtures("hurried")
def test_that_an_input_size_is_tried_between_frames(window: MainWindow, qtbot: QtBot) -> None:
    studio = window.studio
    refused: list[str] = []
    window.stack.refused.connect(refused.append)
    studio.edits.insert_text("- avg_pool: {kernel_size: 9, stride: 9}\n")
    qtbot.waitUntil(lambda: _is_known(window))
    before = studio.document.architecture
    studio.edits.set_input_size((4, 4))
    assert not refused
    qtbot.waitUntil(lambda: bool(refused))
    assert refused[0].startswith("the network does not work at 4 × 4: ")
    assert studio.document.architecture is before
    studio.edits.set_input_size((48, 40))
    assert studio.document.architecture is before
    qtbot.waitUntil(lambda: studio.document.architecture.input_size == (48, 40))
    qtbot.waitUntil(lambda: _is_known(window))
    assert _facts(studio.analysis.analysis) == _facts(analyze(studio.document.architecture))


@pytest.mark.usefixtures("hurried")
def test_that_networks_of_pins_are_analysed_between_frames(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    other = read_preset("alexnet")
    units = [SavedUnit(SMALL, "head", (3, 4), "one"), SavedUnit(other, "conv5", (2, 2), "two")]
    lacking = SavedUnit(SMALL, "nothing", (0, 0), "three")
    path = tmp_path / "pins.rfsession"
    write_session(path, SavedSession(units[0], pins=(units[0], lacking, units[1])))
    pins = window.studio.pins
    said: list[str] = []
    window.files.announced.connect(said.append)
    window.files.session_dropped.emit(path)
    turns = turns_until(qtbot, lambda: len(pins) == 2)
    assert len(turns) > len(other.layers)
    for pin, unit in zip(pins, units, strict=True):
        fresh = analyze(unit.network)
        assert (pin.title, pin.layer, pin.unit) == (unit.title, unit.layer, unit.unit)
        assert _facts(pin.analysis) == _facts(fresh)
        assert pin.view == fresh.unit(unit.layer, unit.unit)
    assert "the pin “three” has no layer 'nothing'" in said[-1]


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("is_opened", [True, False], ids=["opened", "edited"])
def test_that_the_unit_shown_first_comes_with_a_late_analysis(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, is_opened: bool
) -> None:
    studio = window.studio
    asked: list[tuple[str, tuple[int, ...]]] = []
    unit_of = Analysis.unit

    def unit(analysis: Analysis, layer: str, unit: tuple[int, ...]) -> UnitView:
        if threading.current_thread() is threading.main_thread():
            asked.append((layer, unit))
        return unit_of(analysis, layer, unit)

    monkeypatch.setattr(Analysis, "unit", unit)
    if is_opened:
        window.files.open_network(read_preset("alexnet"))
    else:
        studio.document.edit("edit", replace(SMALL, input_size=(40, 36)))
    qtbot.waitUntil(lambda: _is_known(window))
    analysis, chosen = studio.selection.shown
    assert analysis.architecture is studio.document.architecture
    assert not asked
    fresh = analyze(analysis.architecture).unit(chosen.layer, chosen.unit)
    assert studio.analysis.unit(chosen.layer, chosen.unit) == fresh


NASTY = {
    "9 shuffles": "- pixel_shuffle: {upscale_factor: 4}\n" * 9,
    "18 nearest": "- upsample: {scale_factor: 2, mode: nearest}\n" * 18,
    "30 bilinear": "- upsample: {scale_factor: 2, mode: bilinear}\n" * 30,
    "30 bicubic": "- upsample: {scale_factor: 2, mode: bicubic}\n" * 30,
    "20 transposed": "- conv_transpose: {kernel_size: 4, stride: 3, padding: 1}\n" * 20,
    "20 pools and resizes": (
        "- max_pool: {kernel_size: 3, stride: 2}\n- upsample: {scale_factor: 3}\n" * 20
    ),
}


@pytest.mark.slow
@pytest.mark.timed
@pytest.mark.parametrize("name", list(NASTY))
def test_that_no_turn_of_the_event_loop_waits_for_what_is_pasted(
    open_window: Callable, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    window = open_window()
    monkeypatch.setattr(slices, "AT_ONCE", 0.03)
    QApplication.clipboard().setText(NASTY[name])
    window.stack.actions_.paste.trigger()
    turns = turns_until(qtbot, lambda: _is_known(window) and not window.studio.erf.slices.is_busy)
    # The last turns also show what was worked out, all panels at once: the window has no frames.
    assert sum(x > 0.1 for x in turns) <= 2
    assert sum(turns) < 2


def test_that_a_refused_file_leaves_nothing_of_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("format: 1\nlayers: [nothing]\n")
    for error in (
        slices.answer_or_error(read_network, path),
        session_commands._read_or_error(path),
    ):
        assert isinstance(error, RFStudioError)
        assert error.__traceback__ is None  # its frames hold every node of the file


@pytest.mark.usefixtures("hurried")
def test_that_a_lesson_is_given_up_if_another_network_is_opened_before_its_own_is_known(
    open_window: Callable, qtbot: QtBot
) -> None:
    window = open_window()
    window.begin_lesson(1)
    window.files.open_preset("alexnet")
    qtbot.waitUntil(lambda: not window.studio.analysis.is_late)
    assert window.lesson.number == 0
    window.begin_lesson(1)
    qtbot.waitUntil(lambda: window.lesson.number == 2)
