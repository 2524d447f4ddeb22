"""A student takes over the field of its teacher, as the recipe's table says."""

import pytest

import rfstudio
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.ledger import Cell


@pytest.fixture(scope="module", params=range(2))
def last(request: pytest.FixtureRequest) -> dict[Cell, dict[str, Cell]]:
    """The last row of the teacher and of each student, of the seeds of the table."""
    found = rfstudio.experiment("distill", seed=request.param)
    return {x["series"]: x for x in found.records()}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_that_a_student_misled_by_a_shortcut_is_nearer_if_it_is_taught(
    last: dict[Cell, dict[str, Cell]],
) -> None:
    taught, misled = last["shortcut, teacher"], last["shortcut, labels"]
    assert float(taught["l1"] or 0) < float(misled["l1"] or 0)
    assert float(taught["accuracy"] or 0) > float(misled["accuracy"] or 0)
    assert float(taught["sigma"] or 0) > float(misled["sigma"] or 0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_that_a_taught_student_is_nearer_to_its_teacher(
    last: dict[Cell, dict[str, Cell]],
) -> None:
    assert float(last["4 channels, teacher"]["l1"] or 0) < float(
        last["4 channels, labels"]["l1"] or 0
    )
    # Its theoretical field of 11 pixels does not reach around the ring, of 13.
    gap = float(last["teacher"]["accuracy"] or 0) - float(
        last["2 blocks, teacher"]["accuracy"] or 0
    )
    assert gap >= 0.15
    assert float(last["2 blocks, teacher"]["l1"] or 0) > float(
        last["4 channels, teacher"]["l1"] or 0
    )


def test_that_a_student_of_two_blocks_does_not_reach_around_the_ring() -> None:
    (recipe,) = shipped.recipes_of("distill")
    fields = {x.series: rfstudio.analyze(x.network).layers[-1].rf_size[0] for x in recipe.items}
    assert fields["teacher"] == 23
    assert fields["2 blocks, teacher"] == 11 < 2 * 6 + 1
