"""Experiments by several processes: the rows of one, in one ledger."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rfstudio.experiments.running import run
from rfstudio.experiments.sharing import Turn, turns
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.ledger import read_rows
from rfstudio.formats.experiments.recipe_reader import read_recipe
from tests.experiments.own_recipe import CHARTS, TEXT
from tests.torchrun import run_ranks

TRAININGS = """\
  - {series: measured, network: stack, with: {layers: 3, size: 13}, estimator: energy, samples: 5}
  - {series: near, network: stack, with: {layers: 2, size: 12}, train: {distance: 1, steps: 4}}
  - {series: far, network: stack, with: {layers: 2, size: 12}, train: {distance: 2, steps: 5}}
  - series: pupil
    network: stack
    with: {layers: 2, size: 12}
    train: {distance: 2, steps: 3, teacher: far, compare: far}
"""
RECIPE = TEXT.replace("columns:", TRAININGS + "columns:")


def test_that_one_process_takes_the_items_in_their_order() -> None:
    items = read_recipe(RECIPE, "own").items
    assert [x.items for x in turns(items, {1}, [1.0] * 7, 1)] == [(i,) for i in (0, 2, 3, 4, 5, 6)]


def test_that_trainings_that_need_each_other_stay_together() -> None:
    items = read_recipe(RECIPE, "own").items
    assert turns(items, {0, 1}, [1.0] * 7, 2) == [
        Turn((2, 2), is_joint=True),
        Turn((3, 3), is_joint=True),
        Turn((5, 4), is_joint=False),
        Turn((6, None), is_joint=False),
    ]
    assert turns(items, range(7), [1.0] * 7, 2) == []


def test_that_all_trainings_that_learn_from_a_teacher_are_of_one_process() -> None:
    (recipe,) = shipped.recipes_of("distill")
    found = turns(recipe.items, set(), [1.0] * 6, 4)
    assert [x.items for x in found] == [(i, None, None, None) for i in range(6)]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("total", [2, 4])
def test_that_several_processes_find_the_rows_of_one(total: int, tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(RECIPE + CHARTS)
    folder = tmp_path / "out"
    command = ["-m", "rfstudio", "experiment", str(path), "--seed", "3", "--format", "json"]
    printed = run_ranks([*command, "--output", str(folder)], total)
    assert printed[1:] == [""] * (total - 1)
    record = json.loads(printed[0])
    (recipe,) = shipped.recipes_of(path)
    for found, wanted in zip(record["rows"], run(recipe, seed=3).records(), strict=True):
        assert found == {
            name: pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
            for name, value in wanted.items()
        }
    assert {x.suffix for x in folder.iterdir()} >= {".jsonl", ".json", ".csv", ".svg", ".png"}
    assert len(list(folder.glob("*.safetensors"))) == 3
    # What one process and an earlier run have found is not measured again by several.
    ledger = next(folder.glob("*.jsonl"))
    assert len(read_rows(ledger)) == len(record["rows"])
    (again,) = json.loads(run_ranks([*command, "--output", str(folder), "--resume"], total)[0])[
        "rows"
    ][:1]
    assert again == record["rows"][0]


@pytest.mark.slow
def test_that_a_run_of_one_process_goes_on_with_two(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(RECIPE)
    folder = tmp_path / "out"
    (recipe,) = shipped.recipes_of(path)
    wanted = run(recipe, output=folder)
    ledger = next(folder.glob("*.jsonl"))
    lines = ledger.read_text().splitlines()
    end = next(i for i, x in enumerate(lines) if json.loads(x).get("complete") == 4)
    ledger.write_text("\n".join(lines[:end]) + "\n")  # the second training is cut off
    command = ["-m", "rfstudio", "experiment", str(path), "--resume", "--format", "json"]
    record = json.loads(run_ranks([*command, "--output", str(folder)], 2)[0])
    found = replace(wanted, rows=tuple(read_rows(ledger))).records()
    assert sorted(map(str, found)) == sorted(map(str, wanted.records()))
    assert record["rows"] == wanted.records()
