"""Training moves the effective field to where the task needs it, as the recipe's table says."""

from dataclasses import replace

import pytest

import rfstudio
from rfstudio.experiments.outcome import Outcome
from rfstudio.experiments.running import run
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.ledger import Cell


@pytest.fixture(scope="module", params=range(3))
def outcome(request: pytest.FixtureRequest) -> Outcome:
    """The rings of 6 and 3, of the seeds of the table; that of 8 may learn or not."""
    (recipe,) = shipped.recipes_of("context")
    return run(replace(recipe, items=recipe.items[:2]), seed=request.param)


def _ends(outcome: Outcome, series: str) -> tuple[dict[str, Cell], dict[str, Cell]]:
    rows = [x for x in outcome.records() if x["series"] == series]
    assert [x["step"] for x in rows] == [0, 25, 50, 100, 200, 400]
    return rows[0], rows[-1]


def _number(row: dict[str, Cell], column: str) -> float:
    value = row[column]
    assert isinstance(value, float)
    return value


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_that_a_field_grows_to_a_ring_of_six(outcome: Outcome) -> None:
    before, after = _ends(outcome, "ring of 6")
    assert _number(after, "sigma") >= 1.4 * _number(before, "sigma")
    assert _number(after, "ring_share") >= 0.5
    assert _number(after, "accuracy") >= 0.8


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_that_a_field_that_covers_its_ring_does_not_grow(outcome: Outcome) -> None:
    before, after = _ends(outcome, "ring of 3")
    assert abs(_number(after, "sigma") - _number(before, "sigma")) <= 0.25
    assert _number(after, "accuracy") >= 0.9


def test_that_the_network_is_that_of_the_table() -> None:
    (recipe,) = shipped.recipes_of("context")
    network = recipe.items[0].network
    analysis = rfstudio.analyze(network)
    assert sum(x.parameters for x in analysis.layers) == 6026
    assert analysis.layers[-1].rf_size == (23, 23)
