"""A student takes over the field of its teacher, as the recipe's table says."""

from dataclasses import replace

import pytest

import rfstudio
from rfstudio.experiments.running import run
from rfstudio.formats.experiments import shipped


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_that_a_taught_student_is_nearer_to_its_teacher() -> None:
    (recipe,) = shipped.recipes_of("distill")
    rows = run(replace(recipe, items=recipe.items[:4])).records()
    last = {x["series"]: x for x in rows}
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
