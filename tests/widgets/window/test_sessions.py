"""Sessions as files: what was open comes back, and a damaged file ends in a sentence."""

from __future__ import annotations

import base64
import json
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QProcess
from PySide6.QtGui import QAction
from pytestqt.qtbot import QtBot

from rfstudio.app.effective import shelf
from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.measuring_work import Subject
from rfstudio.app.effective.saved_options import texts_of
from rfstudio.app.effective.shelf import Shelf
from rfstudio.app.state.image_source import sample_images
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.networks import session_file
from rfstudio.formats.networks.saved_results import SavedResult, result_facts
from rfstudio.formats.networks.session_file import (
    SavedSession,
    SavedUnit,
    SessionFileError,
    read_session,
    write_session,
)
from rfstudio.formats.networks.yaml_reader import read_draft
from rfstudio.widgets.window.main_window import MainWindow
from tests.measurements import FakeRunner, result_of
from tests.narrowing import present
from tests.widgets.conftest import SMALL, Answers

_EMPTY = {"network": "format: 1\ninput: {size: [8, 8], channels: 3}\nlayers: []\n"}
_GOOD = {"kind": "RF Studio session", "version": 1, "chosen": {"network": "", "layer": "a"}}


def chosen_of(window: MainWindow) -> tuple[str, tuple[int, ...]]:
    layer, unit, _ = window.studio.selection.value
    return layer, unit


@pytest.fixture
def save(qtbot: QtBot) -> Callable[[MainWindow], None]:
    """Return what saves the session of a window, and waits until it is written."""

    def saved(window: MainWindow) -> None:
        with qtbot.waitSignal(window.actions_.sessions.writing.written):
            window.actions_.save_session.trigger()

    return saved


def test_that_a_session_comes_back_with_edits_pins_unit_and_image(
    open_window: Callable, answers: Answers, tmp_path: Path, save: Callable
) -> None:
    window = open_window()
    studio = window.studio
    studio.images.open(sample_images()[0])
    studio.selection.select_layer("head", (9, 4))
    window.actions_.pin.trigger()
    studio.edits.set_parameter((0,), "kernel_size", 7)
    studio.selection.select_layer("stage.1.a", (3, 5))
    saved, architecture = chosen_of(window), studio.document.architecture
    answers.path = tmp_path / "work"
    save(window)
    assert "Saved the session work.rfsession" in window.status.currentMessage()

    again = open_window()
    answers.path = tmp_path / "work.rfsession"
    again.actions_.open_session.trigger()
    assert again.studio.document.architecture == architecture
    assert again.studio.document.is_modified  # the edit was saved in no file of a network
    assert chosen_of(again) == saved
    (pin,) = again.studio.pins
    assert (pin.letter, pin.layer, pin.unit, pin.title) == ("A", "head", (9, 4), "small")
    assert pin.analysis.architecture == SMALL
    # 13 pixels before the edit: its field is worked out again.
    assert present(pin.view).theoretical_region == ((3, 15), (-2, 10))
    assert pin.field is not None
    assert present(again.studio.images.picture).path == sample_images()[0]
    assert "Opened the session work.rfsession" in again.status.currentMessage()


def test_that_measured_results_come_back_and_say_where_from(
    open_window: Callable, answers: Answers, tmp_path: Path, save: Callable
) -> None:
    runner = FakeRunner()
    window = open_window(runner=runner)
    values = np.random.default_rng(0).random((32, 32))
    values[:4] = 0
    result = result_of(
        "head", (9, 4), values, 32, box=((4, 32), (0, 32)), notes=("In two batches",)
    )
    window.studio.selection.select_layer("head", (9, 4))
    window.actions_.measure.trigger()
    runner.jobs[-1].succeeded.emit(result)
    answers.path = tmp_path / "work.rfsession"
    save(window)

    again = open_window(runner=FakeRunner())
    again.studio.edits.set_parameter((0,), "kernel_size", 7)
    answers.save = "discard"
    again.actions_.open_session.trigger()
    session = present(again.studio.erf_session)
    read = present(session.result)
    np.testing.assert_array_equal(read.map, values)
    np.testing.assert_array_equal(read.standard_error, result.standard_error)
    assert (read.samples, read.device, read.versions) == (
        32,
        "cpu",
        {"rfstudio": "0", "torch": "2"},
    )
    assert (read.options["estimator"], read.options["seed"], read.options["weights"]) == (
        "energy",
        0,
        "random",
    )
    assert session.state == "done"
    assert "measured (energy, 32 samples)" in again.inspector.effective._title.text()
    assert read.notes == (
        "In two batches",
        "read from the session file work.rfsession, not measured since the program was started",
    )
    assert "Read from the session file work.rfsession" in again.measure_panel.run.text.text()
    assert [row[3] for row in again.results.texts()] == ["32 samples, from work.rfsession"]
    # Saved and opened once more in the same window, it is neither doubled nor noted twice.
    save(again)
    again.actions_.open_session.trigger()
    assert len(session.shelf) == 1
    (saved,) = read_session(answers.path).results
    assert saved.notes == ("In two batches",)


def test_that_results_on_the_disk_are_saved_beside_the_window_as_many_as_have_room(
    open_window: Callable,
    answers: Answers,
    tmp_path: Path,
    save: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = open_window(runner=FakeRunner())
    session = present(window.studio.erf_session)
    session.shelf = Shelf(memory=0)
    for i in range(6):
        values = np.full((32, 32), float(i))
        subject = Subject(SMALL, "head", (i, i))
        result = result_of("head", (i, i), values)
        session.shelf.put(subject, ErfOptions(), "", result, ending="done")
    on_disk = [x.is_on_disk for x in session.shelf]
    assert sum(on_disk) == 5
    threads = []
    read = shelf._read

    def noted(*arguments):
        threads.append(threading.current_thread())
        return read(*arguments)

    monkeypatch.setattr(shelf, "_read", noted)
    monkeypatch.setattr(session_file, "MOST_RESULTS", 4)
    answers.path = tmp_path / "s.rfsession"
    save(window)
    assert "without its 2 oldest results" in window.status.currentMessage()
    assert [x.unit[0] for x in read_session(answers.path).results] == [2, 3, 4, 5]
    assert len(threads) == 3  # the newest is in memory
    assert threading.main_thread() not in threads
    assert [x.is_on_disk for x in session.shelf] == on_disk  # and none took the room of another


def test_that_a_session_that_cannot_be_written_says_so_and_the_next_one_is_saved(
    open_window: Callable, answers: Answers, tmp_path: Path, save: Callable, qtbot: QtBot
) -> None:
    window = open_window()
    answers.path = tmp_path / "no_such_folder" / "s.rfsession"
    with qtbot.waitSignal(window.actions_.sessions.writing.failed):
        window.actions_.save_session.trigger()
    ((what, why),) = answers.reports
    assert what == "“s.rfsession” was not saved."
    assert "no such file or folder" in why
    answers.path = tmp_path / "s.rfsession"
    save(window)
    assert read_session(answers.path).chosen.network == SMALL


def saved_result(**changes: object) -> dict[str, object]:
    """Return a result of an 8×8 network in JSON's terms, with some of it changed."""
    ones = np.ones((8, 8))
    made = SavedResult(
        network=read_draft(_EMPTY["network"]),
        layer="a",
        unit=(0, 0),
        map=ones,
        standard_error=ones,
        options=texts_of(ErfOptions()),
        samples=4,
        wanted=4,
    )
    return {**_EMPTY, "layer": "a", "unit": [0, 0], **result_facts(made), **changes}


def _zeros(count: int) -> str:
    return base64.b64encode(zlib.compress(bytes(count))).decode()


@pytest.mark.parametrize(
    ("results", "why"),
    [
        (7, "no list of at most 64"),
        ([saved_result()] * 65, "no list of at most 64"),
        ([saved_result(map="no base64")], "result 1: its map cannot be read"),
        ([saved_result(map=None)], "its map cannot be read"),
        ([saved_result(map=_zeros(8 * 8 * 8 - 1))], "of another size"),
        ([saved_result(map=_zeros(50_000_000))], "of another size"),
        ([saved_result(map=base64.b64encode(zlib.compress(b"\xff" * 512)).decode())], "no numbers"),
        ([saved_result(box=[[0, 9], [0, 8]])], "part of the input"),
        ([saved_result(box=[[0, True], [0, 8]])], "part of the input"),
        ([saved_result(samples=5)], "more samples than"),
        ([saved_result(samples=10**30)], "number of samples"),
        ([saved_result(seconds="1")], "its seconds is no number"),
        ([saved_result(ending="won")], "how it ended"),
        ([saved_result(options=[1])], "its options are missing"),
        ([saved_result(notes=["a"] * 100)], "no list of short texts"),
        (
            [
                saved_result(
                    network="format: 1\ninput: {size: [9000, 9000], channels: 3}\nlayers: []"
                )
            ],
            "too large",
        ),
    ],
    ids=range(16),
)
def test_that_results_that_are_none_end_in_a_sentence(
    tmp_path: Path, results: object, why: str
) -> None:
    path = tmp_path / "s.rfsession"
    path.write_text(json.dumps({**_GOOD, "chosen": _EMPTY, "results": results}))
    with pytest.raises(SessionFileError, match=why):
        read_session(path)


def test_that_a_file_of_too_many_values_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.rfsession"
    path.write_text(json.dumps(_GOOD)[:-1] + ', "x": [' + "[]," * 500_001 + "[]]}")
    monkeypatch.setattr(json, "loads", None)  # which would take seconds and gigabytes
    with pytest.raises(SessionFileError, match="more than 1,000,000 values"):
        read_session(path)


@pytest.mark.slow
def test_that_results_of_no_unit_and_with_no_options_break_nothing(
    open_window: Callable, answers: Answers, tmp_path: Path
) -> None:
    window = open_window(runner=FakeRunner())
    answers.path = tmp_path / "s.rfsession"
    senseless = saved_result(options={**texts_of(ErfOptions()), "estimator": "rm -rf"})
    results = [saved_result(), saved_result(unit=[2**30, 7, 7]), senseless]
    answers.path.write_text(json.dumps({**_GOOD, "chosen": _EMPTY, "results": results}))
    window.actions_.open_session.trigger()
    assert "1 of its results were measured with options" in window.status.currentMessage()
    window.tabs.setCurrentWidget(window.results)
    for row in range(2):
        window.results.tree.setCurrentItem(present(window.results.tree.topLevelItem(row)))
        window.results.show_.click()
    assert not answers.reports


@pytest.mark.slow
def test_that_the_oldest_results_are_left_out_of_a_file_that_would_be_too_large(
    tmp_path: Path,
) -> None:
    network = Architecture(input_size=(1100, 1100))
    random = np.zeros((1100, 1100))
    results = tuple(
        SavedResult(
            network=network,
            layer=str(i),
            unit=(),
            map=random,
            standard_error=random,
            options={},
            samples=1,
            wanted=1,
        )
        for i in range(5)
    )
    path = tmp_path / "s.rfsession"
    # 2 maps of 1100 × 1100 × 8 bytes are 19.4 MB: three results have room in 64 MiB.
    assert write_session(path, SavedSession(SavedUnit(network, "", ()), results=results)) == 3
    assert [x.layer for x in read_session(path).results] == ["2", "3", "4"]


def test_that_a_session_names_its_network_file_and_says_what_is_gone(
    window: MainWindow, answers: Answers, tmp_path: Path
) -> None:
    network = tmp_path / "net.yaml"
    answers.path = network
    window.files.save_as()
    session = SavedSession(
        SavedUnit(SMALL, "no_such_layer", (1,)), path=network, image=tmp_path / "gone.png"
    )
    write_session(tmp_path / "s.rfsession", session)
    window.files.open_dropped(tmp_path / "s.rfsession")
    assert window.studio.document.path == network
    assert not window.studio.document.is_modified
    assert "“gone.png” is not there any more" in window.status.currentMessage()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "cut off"),
        ("[" * 100_000, "cut off"),
        ('{"kind": "else"}', "not a session"),
        ('{"kind": "RF Studio session", "version": 99}', "another version (99)"),
        ('{"kind": "RF Studio session", "version": 1}', "the open network is missing"),
        (json.dumps({**_GOOD, "chosen": {"network": "&a [*a]"}}), "damaged"),
        (json.dumps({**_GOOD, "pins": [1] * 9}), "at most four"),
        (json.dumps({**_GOOD, "chosen": {"network": "", "unit": ["x"]}}), "no position"),
        (json.dumps({**_GOOD, "chosen": {"network": "!!python/object:os.system {}"}}), "damaged"),
        (json.dumps({**_GOOD, "chosen": {"network": "", "source": "\x1b[2J"}}), "no name"),
        (json.dumps({**_GOOD, "chosen": _EMPTY, "path": "\ud800"}), "its path is no path"),
        (json.dumps({**_GOOD, "chosen": _EMPTY, "image": "x" * 5_000}), "its image is no path"),
    ],
    ids=[
        "cut",
        "deep",
        "else",
        "later",
        "empty",
        "alias",
        "pins",
        "unit",
        "code",
        "control",
        "surrogate",
        "long",
    ],
)
def test_that_a_damaged_session_ends_in_a_sentence_and_changes_nothing(
    window: MainWindow, answers: Answers, tmp_path: Path, text: str, why: str
) -> None:
    before = window.studio.document.architecture
    answers.path = tmp_path / "bad.rfsession"
    answers.path.write_text(text)
    window.actions_.open_session.trigger()
    ((what, reason),) = answers.reports
    assert what == "“bad.rfsession” was not opened."
    assert why in reason
    assert window.studio.document.architecture is before


def test_that_the_networks_of_a_session_are_no_more_work_than_one(tmp_path: Path) -> None:
    def unit(letter: str) -> SavedUnit:
        return SavedUnit(Architecture(description=letter * 60_000), "", ())

    path = tmp_path / "s.rfsession"
    write_session(path, SavedSession(unit("a"), pins=(unit("a"),) * 4))
    assert len(read_session(path).pins) == 4
    facts = json.loads(path.read_text())
    long = [_EMPTY["network"] + "#" * (300_000 + i) for i in range(4)]
    facts["pins"] = [{**_EMPTY, "network": x} for x in long]
    path.write_text(json.dumps(facts))
    with pytest.raises(SessionFileError, match="more than 1,048,576 characters"):
        read_session(path)


def test_that_an_image_that_cannot_be_looked_for_is_said_to_be_gone(
    window: MainWindow, tmp_path: Path
) -> None:
    image = tmp_path / ("x" * 300)  # longer than names of files may be
    write_session(tmp_path / "s.rfsession", SavedSession(SavedUnit(SMALL, "", ()), image=image))
    window.files.open_dropped(tmp_path / "s.rfsession")
    assert "is not there any more" in window.status.currentMessage()


def test_that_unsaved_work_is_asked_about_before_a_session_replaces_it(
    window: MainWindow, answers: Answers, tmp_path: Path
) -> None:
    write_session(tmp_path / "s.rfsession", SavedSession(SavedUnit(SMALL, "stem", (1, 1))))
    window.studio.edits.set_parameter((0,), "kernel_size", 5)
    edited = window.studio.document.architecture
    answers.path, answers.save = tmp_path / "s.rfsession", "cancel"
    window.actions_.open_session.trigger()
    assert answers.asked
    assert window.studio.document.architecture is edited


def test_that_another_window_is_a_process_of_its_own(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[list[str]] = []

    def start(program: str, arguments: list[str]) -> bool:
        started.append([Path(program).name, *arguments])
        return True

    monkeypatch.setattr(QProcess, "startDetached", start)
    (action,) = [x for x in window.findChildren(QAction) if x.text() == "New window"]
    action.trigger()
    assert started[0][1:] == ["-m", "rfstudio"]
