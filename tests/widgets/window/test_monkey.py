"""Random actions in the real window: no exception, no message of Qt, undo leads to the start."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.measurements import FakeRunner
from tests.widgets.window.monkey import Monkey


def _run(open_window: Callable, seed: int, actions: int) -> None:
    runner = FakeRunner()
    monkey = Monkey(open_window(runner=runner), runner, seed)
    for number in range(actions):
        try:
            monkey.step()
        except Exception as error:
            error.add_note(f"seed {seed}, action {number}: {monkey.done[-5:]}")
            raise
    monkey._undo_all()
    monkey.check_memory()


def test_that_random_actions_end_well(open_window: Callable) -> None:
    _run(open_window, seed=3, actions=25)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_that_many_random_actions_end_well(
    open_window: Callable, seed: int, request: pytest.FixtureRequest
) -> None:
    _run(open_window, seed, request.config.getoption("--monkey"))
