"""The shelf of measurements: nothing that was measured is lost, and memory has a limit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.effective.measuring_work import Subject
from rfstudio.app.effective.shelf import Shelf, Shelved
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from tests.measurements import FakeRunner, result_of
from tests.narrowing import present

NETWORK = Architecture(
    name="two",
    input_size=(9, 9),
    layers=(
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4), "a"),
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4), "b"),
    ),
)
BYTES = 2 * 9 * 9 * 8  # of a map and its standard error


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    shelf = Shelf(memory=2 * BYTES, disk=10 * BYTES)
    yield shelf
    shelf.close()


def _put(shelf: Shelf, unit: tuple[int, int], seed: int = 0):
    values = np.random.default_rng(seed).random((9, 9))
    subject = Subject(NETWORK, "b", unit)
    return shelf.put(subject, ErfOptions(), "", result_of("b", unit, values), ending="done")


def test_that_the_oldest_maps_go_to_the_disk_and_come_back_to_the_bit(shelf: Shelf) -> None:
    made = [_put(shelf, (0, x), seed=x) for x in range(4)]
    assert [x.is_on_disk for x in made] == [True, True, False, False]
    files = [present(x.file) for x in made[:2]]
    back = present(shelf.result(made[0]))
    assert np.array_equal(back.map, np.random.default_rng(0).random((9, 9)))
    assert sum(not x.is_on_disk for x in made) <= 2
    shelf.close()
    assert not any(x.exists() for x in files)


def test_that_a_snapshot_is_read_whatever_the_shelf_does_meanwhile(shelf: Shelf) -> None:
    made = [_put(shelf, (0, x), seed=x) for x in range(4)]
    on_disk, back, dropped, in_memory = made[0], made[1], made[2], made[3]
    snapshots = {x.shelved: x for x in shelf.snapshots()}
    assert list(snapshots) == made[::-1]
    shelf.result(back)  # another goes to the disk for it
    shelf.remove(dropped)
    values = present(snapshots[on_disk].result()).map
    assert np.array_equal(values, np.random.default_rng(0).random((9, 9)))
    assert on_disk.is_on_disk
    assert not back.is_on_disk
    for seed, kept in ((1, back), (2, dropped), (3, in_memory)):
        values = present(snapshots[kept].result()).map
        assert np.array_equal(values, np.random.default_rng(seed).random((9, 9)))
    shelf.remove(on_disk)
    assert snapshots[on_disk].result() is None


def test_that_what_exceeds_the_disk_is_dropped_and_a_lost_file_is_no_crash() -> None:
    shelf = Shelf(memory=0, disk=3 * BYTES)
    made = [_put(shelf, (0, x), seed=x) for x in range(6)]
    left = list(shelf)
    assert left[0] is made[-1]
    assert 2 <= len(left) <= 4
    lost = left[1]
    present(lost.file).unlink()
    assert shelf.result(lost) is None
    assert lost not in list(shelf)
    shelf.close()


def test_that_the_shelf_goes_on_when_its_folder_was_cleared(shelf: Shelf) -> None:
    made = [_put(shelf, (0, x), seed=x) for x in range(3)]
    folder = present(made[0].file).parent
    shutil.rmtree(folder)  # as systems do with old temporary files
    later = _put(shelf, (0, 3), seed=3)
    assert present(made[1].file).is_file()
    assert np.array_equal(
        present(shelf.result(made[1])).map, np.random.default_rng(1).random((9, 9))
    )
    assert later in list(shelf)
    assert shelf.result(made[0]) is None  # this one is gone


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_that_a_file_that_is_cut_off_is_a_lost_one(share: float) -> None:
    shelf = Shelf(memory=0)
    cut, _ = _put(shelf, (0, 0)), _put(shelf, (0, 1))
    snapshot = next(x for x in shelf.snapshots() if x.shelved is cut)
    data = present(cut.file).read_bytes()
    present(cut.file).write_bytes(data[: int(share * len(data))])
    assert snapshot.result() is None
    assert shelf.result(cut) is None
    assert cut not in list(shelf)
    shelf.close()


def test_that_a_file_that_cannot_be_deleted_loses_no_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: Path, **_options: object) -> None:
        raise PermissionError("another thread reads it")

    shelf = Shelf(memory=0)
    read, _ = _put(shelf, (0, 0), seed=1), _put(shelf, (0, 1))
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuse)
        values = present(shelf.result(read)).map
    assert np.array_equal(values, np.random.default_rng(1).random((9, 9)))
    shelf.close()


class Bench:
    """A session whose measurements go on when the test says so."""

    def __init__(self) -> None:
        self.runner = FakeRunner()
        self.document = Document(NETWORK)
        self.session = AnalysisSession(self.document)
        self.selection = Selection(self.session)
        self.selection.select_layer("b", (4, 4))
        self.erf = ErfSession(self.runner, self.session, self.selection)  # type: ignore[arg-type] # a stand-in
        self.states: list[str] = []
        self.results: list[object] = []
        self.erf.state_changed.connect(self.states.append)
        self.erf.erf_changed.connect(self.results.append)

    def result(self, samples: int, wanted: int = 32):
        layer, unit, _ = self.selection.value
        return result_of(layer, unit, np.full((9, 9), float(samples)), samples, wanted=wanted)


@pytest.fixture
def bench(qapp) -> Bench:
    return Bench()


def test_that_a_measurement_goes_on_while_another_unit_is_chosen(bench: Bench) -> None:
    erf, selection = bench.erf, bench.selection
    erf.measure()
    job = bench.runner.jobs[-1]
    half, whole = bench.result(16), bench.result(32)
    selection.select_unit((1, 1))
    assert (erf.state, erf.is_measuring, erf.result) == ("idle", False, None)
    assert present(erf.running).unit == (4, 4)
    job.progressed.emit(0.5, half)
    assert erf.measurement.result is None

    selection.select_unit((4, 4))
    assert erf.is_measuring
    assert erf.measurement.result is half
    selection.select_layer("a", (2, 2))
    finished: list[Shelved] = []
    erf.finished_elsewhere.connect(finished.append)
    job.succeeded.emit(whole)
    assert [x.subject.unit for x in finished] == [(4, 4)]
    assert erf.result is None

    selection.select_layer("b", (4, 4))
    assert (erf.state, erf.result) == ("done", whole)
    assert bench.states == ["measuring", "idle", "measuring", "idle", "done"]
    assert bench.results == [whole]


def test_that_another_measurement_leaves_the_samples_so_far_on_the_shelf(bench: Bench) -> None:
    erf, selection = bench.erf, bench.selection
    erf.measure()
    so_far = bench.result(16)
    bench.runner.jobs[-1].progressed.emit(0.5, so_far)
    selection.select_unit((1, 1))
    erf.measure()
    assert present(erf.running).unit == (1, 1)
    selection.select_unit((4, 4))
    assert (erf.state, erf.result, erf.shortfall) == ("stopped", so_far, "16 of 32 samples")
    assert not erf.is_current  # following the unit measures it to the end
    erf.measure_more()
    bench.runner.jobs[-1].succeeded.emit(bench.result(32))
    assert [x.progress for x in erf.shelf] == ["32 samples"]


def test_that_undo_brings_the_result_back_and_an_edit_costs_no_samples(bench: Bench) -> None:
    erf, stack = bench.erf, bench.document.undo_stack
    erf.measure()
    whole = bench.result(32)
    bench.runner.jobs[-1].succeeded.emit(whole)
    bench.document.edit("Shorter", Architecture(input_size=(9, 9), layers=NETWORK.layers[:1]))
    assert erf.result is None
    bench.selection.select_unit((4, 4))
    erf.measure()
    bench.runner.jobs[-1].progressed.emit(0.25, bench.result(8))
    stack.undo()
    assert erf.running is None
    bench.selection.select_layer("b", (4, 4))
    assert erf.result is whole
    cut = next(iter(erf.shelf))
    assert (cut.progress, cut.is_aside) == ("8 of 32 samples", True)
    stack.redo()
    bench.selection.select_unit((4, 4))
    assert erf.result is None  # it would be shown on request only
    erf.show(cut)
    assert (erf.state, present(erf.result).samples) == ("stopped", 8)


def test_that_results_on_another_image_are_not_shown(bench: Bench) -> None:
    erf = bench.erf
    photos = [np.full((5, 7, 3), shade, np.uint8) for shade in (10, 20)]
    erf.set_image(photos[0])
    erf.set_options(inputs="image")
    erf.measure()
    on_first = bench.result(32)
    bench.runner.jobs[-1].succeeded.emit(on_first)
    erf.set_image(photos[1])
    assert erf.result is None
    erf.set_image(photos[0].copy())
    assert erf.result is on_first


def test_that_a_result_is_named_and_deleted(bench: Bench) -> None:
    erf = bench.erf
    erf.measure()
    bench.runner.jobs[-1].succeeded.emit(bench.result(32))
    shelved = present(erf.shown)
    erf.rename(shelved, "before training")
    erf.measure_more()
    bench.runner.jobs[-1].succeeded.emit(bench.result(64, 64))
    assert [x.name for x in erf.shelf] == ["before training"]
    erf.remove(present(erf.shown))
    assert (erf.state, erf.result, len(erf.shelf)) == ("idle", None, 0)
