"""Nothing that is measured is lost, whatever the mouse and the keyboard do meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from rfstudio.app.effective.measuring_work import Subject
from rfstudio.engine.requests.request import ErfResult
from rfstudio.widgets.window.main_window import MainWindow
from tests.measurements import FakeRunner, result_of
from tests.narrowing import present
from tests.widgets.conftest import Answers
from tests.widgets.hands import CONTROL, LEFT, NO_KEYS, Hands


class Bench(Hands):
    """Hands, and a worker that does what a test says."""

    def __init__(self, window: MainWindow, runner: FakeRunner) -> None:
        super().__init__(window)
        self.runner = runner

    def measure(self) -> None:
        self.tool(self.window.actions_.measure)

    @property
    def running(self) -> Subject | None:
        return present(self.window.studio.erf_session).running

    def some(self, samples: int = 16) -> None:
        """Let samples arrive."""
        self.runner.jobs[-1].progressed.emit(samples / 32, self._result(samples))

    def all(self) -> None:
        self.runner.jobs[-1].succeeded.emit(self._result(32))

    def _result(self, samples: int) -> ErfResult:
        subject = present(self.running)
        values = np.random.default_rng(samples).random(subject.architecture.input_size)
        return result_of(subject.layer, subject.unit, values, samples, wanted=32)

    @property
    def shelf(self) -> list[tuple[str, ...]]:
        return [x[1:4] for x in self.window.results.texts()]


@pytest.fixture
def hands(open_window: Callable[..., MainWindow]) -> Bench:
    runner = FakeRunner()
    bench = Bench(open_window(runner=runner), runner)
    bench.layer("head")
    bench.unit(16, 16)
    return bench


WHOLE = "Effective field, measured (energy, 32 samples)"


@pytest.mark.parametrize(
    "elsewhere",
    [
        lambda x: x.unit(3, 4),
        lambda x: x.canvas_key(Qt.Key.Key_Right),
        lambda x: x.layer("stem"),
        lambda x: x.row((1, 0, 0, 0, 1)),
        lambda x: x.go("stage.0.b"),
        lambda x: x.row(None),
    ],
    ids=["click", "key", "table", "tree", "palette", "input"],
)
def test_that_a_measurement_goes_on_wherever_one_looks_and_is_there_on_return(
    hands: Bench, elsewhere: Callable[[Bench], None]
) -> None:
    hands.measure()
    hands.some()
    elsewhere(hands)
    assert present(hands.running).unit == (16, 16)
    assert hands.window.status.progress.isVisible()
    assert hands.window.status.progress.text() == "elsewhere, 16 of 32"
    assert "still being measured" in hands.status
    assert "expected" in hands.effective_title or hands.window.studio.selection.item is None
    assert "measured" not in hands.caption
    hands.all()
    hands.layer("head")
    hands.unit(16, 16)
    assert hands.effective_title == WHOLE
    assert "(measured)" in hands.caption


def test_that_a_result_is_there_after_right_and_left_a_preset_and_undo(
    hands: Bench, answers: Answers
) -> None:
    hands.measure()
    hands.all()
    hands.canvas_key(Qt.Key.Key_Right)
    assert "expected" in hands.effective_title
    hands.canvas_key(Qt.Key.Key_Left)
    assert hands.effective_title == WHOLE
    hands.row((0,))
    hands.number("kernel_size", 5)
    hands.layer("head")
    assert "expected" in hands.effective_title
    hands.key(Qt.Key.Key_Z, CONTROL)
    hands.layer("head")
    hands.unit(16, 16)
    assert hands.effective_title == WHOLE
    answers.save = "discard"
    hands.preset("alexnet")
    hands.tab("Results")
    results = hands.window.results
    hands.press(results.show_)
    assert hands.window.studio.document.architecture.name == "small"
    assert hands.effective_title == WHOLE


@pytest.mark.parametrize(
    "cut",
    [
        lambda x: x.tree_key(Qt.Key.Key_Delete),
        lambda x: x.preset("alexnet"),
        lambda x: (x.unit(3, 3), x.measure()),
    ],
    ids=["edit", "preset", "another"],
)
def test_that_what_ends_a_measurement_says_so_and_keeps_its_samples(
    hands: Bench, cut: Callable[[Bench], object]
) -> None:
    hands.measure()
    hands.some()
    cut(hands)
    wanted = "The measurement of unit (16, 16) of head has ended: its 16 of 32 samples are on the"
    assert hands.status.startswith(wanted)
    hands.tab("Results")
    assert hands.shelf == [("head", "16, 16", "16 of 32 samples")]


def test_that_no_samples_at_all_are_said_to_be_none_and_cancel_says_nothing_of_the_shelf(
    hands: Bench,
) -> None:
    hands.measure()
    hands.tree_key(Qt.Key.Key_Delete)
    assert hands.status.endswith("has ended: without samples")
    hands.key(Qt.Key.Key_Z, CONTROL)
    hands.layer("head")
    hands.measure()
    hands.some()
    hands.press(hands.window.status.cancel)
    assert hands.status == "Stopped after 16 of 32 samples"
    assert "16 of 32 samples" in hands.effective_title


def test_that_all_parts_say_expected_or_measured_alike_through_references(hands: Bench) -> None:
    hands.measure()
    hands.some()
    hands.layer("stem")
    hands.menu("View", "Fields relative to this layer")
    hands.layer("head")
    hands.unit(16, 16)
    for title, word in (("", "expected"), ("Fields relative to the input", "measured")):
        if title:
            hands.menu("View", title)
        assert word in hands.caption
        assert word in hands.effective_title
        hands.tab("Numbers")
        hands.window.numbers.refresh()
        assert word in hands.window.numbers.title.text()
        hands.tab("Profile")
        assert ("measured" in hands.window.profile.legend.text()) == (word == "measured")
    hands.all()
    assert hands.effective_title == WHOLE


def test_that_results_are_named_shown_by_enter_and_deleted_by_key(hands: Bench) -> None:
    results = hands.window.results
    hands.measure()
    hands.all()
    hands.unit(3, 3)
    hands.measure()
    hands.all()
    hands.tab("Results")
    assert [x[1] for x in hands.shelf] == ["3, 3", "16, 16"]
    second = results.tree.visualItemRect(present(results.tree.topLevelItem(1)))
    QTest.mouseClick(results.tree.viewport(), LEFT, NO_KEYS, second.center())
    hands.key(Qt.Key.Key_F2)
    hands.key(Qt.Key.Key_A, CONTROL)
    QTest.keyClicks(hands.focus, "of the paper")
    hands.key(Qt.Key.Key_Return)
    assert results.texts()[1][0] == "of the paper"
    hands.key(Qt.Key.Key_Return)
    assert hands.window.studio.selection.unit == (16, 16)
    assert hands.effective_title == WHOLE
    hands.key(Qt.Key.Key_Delete)
    assert [x[1] for x in hands.shelf] == ["3, 3"]
    assert "expected" in hands.effective_title
