"""Random actions in the real window: no exception, no message of Qt, undo leads to the start."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.measurements import FakeRunner
from tests.widgets.window.monkey import Monkey
from tests.widgets.window.monkey_gauge import STEADY, Gauge, growth
from tests.widgets.window.monkey_hands import alone


def _run(open_window: Callable, seed: int, actions: int) -> None:
    runner = FakeRunner()
    monkey = Monkey(open_window(runner=runner), runner, seed)
    with alone():
        for number in range(actions):
            try:
                monkey.step()
            except Exception as error:
                error.add_note(f"seed {seed}, action {number}: {monkey.done[-5:]}")
                raise
    monkey._undo_all()
    monkey.check_memory()
    monkey.close_dialogs()


def test_that_random_actions_end_well(open_window: Callable) -> None:
    _run(open_window, seed=3, actions=25)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_that_many_random_actions_end_well(
    open_window: Callable, seed: int, request: pytest.FixtureRequest
) -> None:
    _run(open_window, seed, request.config.getoption("--monkey"))


@pytest.mark.parametrize(("kib", "is_found"), [(80, True), (40, True), (0, False), (8, False)])
def test_that_a_leak_of_few_kib_an_action_is_found(kib: int, *, is_found: bool) -> None:
    """The limit is for 1,000 actions; `python -m tests.widgets.window.monkey 1 3000 80` leaks."""
    gauges = [Gauge(230 + (kib * 1000 >> 10) * i, 4000, 0, 1, 0) for i in range(3)]
    assert bool(growth(gauges)) is is_found


def test_that_objects_and_threads_that_are_left_are_found() -> None:
    first = Gauge(230, 4000, 0, 1, 0)
    for change in ({"objects": 5000}, {"dialogs": 1}, {"threads": 2}, {"processes": 1}):
        after = first._replace(**change)
        assert len(growth([first, after])) == 1
    assert not growth([first, first._replace(memory=230 + STEADY)])
