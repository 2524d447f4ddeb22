"""Experiments from recipe to files: rows at once, stopping, resuming, and the same rows again."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

import rfstudio
from rfstudio.cli import main
from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.engine.process.running import CancelToken
from rfstudio.experiments.charts import sheet_of
from rfstudio.experiments.other_weights import with_init
from rfstudio.experiments.outcome import how_found
from rfstudio.experiments.running import run
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.ledger import Cell, LedgerError, Row
from rfstudio.formats.experiments.recipe import Recipe
from rfstudio.formats.experiments.recipe_reader import read_recipe
from tests.experiments.own_recipe import CHARTS, TEXT

# By hand: a kernel of ones of 3 has the variance 2/3, and variances add up.
SIGMAS = [(2 * n / 3) ** 0.5 for n in (2, 3, 4)]


@pytest.fixture
def recipe() -> Recipe:
    return read_recipe(TEXT, "own/part")


def test_that_rows_have_the_numbers_of_each_field(recipe: Recipe) -> None:
    found = run(recipe).records()
    assert [x["layers"] for x in found] == [2, 3, 4]
    assert [x["sigma"] for x in found] == pytest.approx(SIGMAS)
    assert [x["trf"] for x in found] == [5, 7, 9]
    assert [x["parameters"] for x in found] == [18, 27, 36]
    assert {x["estimator"] for x in found} == {"expected"}


def test_that_an_exponent_is_fitted_to_each_curve() -> None:
    (fit,) = run(read_recipe(TEXT + CHARTS, "own/part")).fits
    assert (fit["series"], fit["x"], fit["y"]) == ("expected", "layers", "sigma")
    assert fit["exponent"] == pytest.approx(0.5)


def test_that_results_are_written_as_json_csv_and_figures(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    outcome = run(read_recipe(TEXT + CHARTS, "own/part"), output=folder)
    assert {x.suffix for x in folder.iterdir()} == {".jsonl", ".json", ".csv", ".svg", ".png"}
    assert {x.stem for x in folder.iterdir()} == {"own-part"}
    record = json.loads((folder / "own-part.json").read_text())
    assert record["command"] == "rfstudio experiment own/part --seed 0"
    assert record["complete"]
    assert record["rows"] == outcome.records()
    with (folder / "own-part.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(x["sigma"]) for x in rows] == pytest.approx(SIGMAS)
    # Each number has beside it how it was found.
    assert {(x["estimator"], x["weights"]) for x in rows} == {("expected", "random")}
    assert {x["command"] for x in rows} == {record["command"]}
    assert record["how"] == "expected, random weights"
    head = (folder / "own-part.jsonl").read_text().splitlines()[0]
    assert json.loads(head)["command"] == record["command"]
    assert record["how"] in (folder / "own-part.svg").read_text()
    assert "theory: 0.5" in (folder / "own-part.svg").read_text()


def test_that_a_run_from_before_commands_were_in_ledgers_goes_on(
    recipe: Recipe, tmp_path: Path
) -> None:
    wanted = run(recipe, output=tmp_path).records()
    ledger = tmp_path / "own-part.jsonl"
    head, *lines = ledger.read_text().splitlines()
    older = {name: value for name, value in json.loads(head).items() if name != "command"}
    ledger.write_text("\n".join([json.dumps(older), *lines[:2], ""]))
    found = run(recipe, output=tmp_path, resume=True)
    assert found.records() == wanted
    assert json.loads(ledger.read_text().splitlines()[0])["command"] == found.command


def test_that_a_stopped_run_goes_on_and_ends_the_same(recipe: Recipe, tmp_path: Path) -> None:
    token = CancelToken()
    seen: list[Row] = []

    def stop_at_the_second(_fraction: float, row: Row | None) -> None:
        if row is not None:
            seen.append(row)
        if len(seen) == 2:
            token.cancel()

    with pytest.raises(Cancelled):
        run(recipe, output=tmp_path, report=stop_at_the_second, token=token)
    assert len(seen) == 2
    computed: list[float] = []

    def note(fraction: float, row: Row | None) -> None:
        if row is not None and fraction > 0:
            computed.append(fraction)

    again = run(recipe, output=tmp_path, resume=True, report=note)
    assert len(computed) == 1  # the third; the first two were there
    assert again.records() == run(recipe).records()


def test_that_rows_of_another_recipe_are_not_mixed_in(recipe: Recipe, tmp_path: Path) -> None:
    run(recipe, output=tmp_path)
    other = read_recipe(TEXT.replace("layers: 4", "layers: 5"), "own/part")
    with pytest.raises(LedgerError, match="another run"):
        run(other, output=tmp_path, resume=True)


def test_that_a_seed_is_checked_before_anything_is_written(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(RFStudioError, match="seed"):
        run(recipe, output=tmp_path / "x", seed=-1)
    assert list(tmp_path.iterdir()) == []


def test_that_python_runs_all_parts_and_those_are_what_each_is_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    parts = [read_recipe(TEXT.replace("layers: 4", f"layers: {n}"), f"own/{n}") for n in (4, 5)]
    monkeypatch.setattr(shipped, "recipes_of", lambda *_: parts)
    done: list[float] = []
    found = rfstudio.experiment(
        "own", output=tmp_path, seed=3, report=lambda fraction, _: done.append(fraction)
    )
    alone = [run(x, seed=3) for x in parts]
    assert [x.records() for x in found.parts] == [x.records() for x in alone]
    rows = found.records()
    assert rows == [{"experiment": x.recipe.name, **y} for x in alone for y in x.records()]
    assert found.command == "rfstudio experiment own --seed 3"
    assert [x["command"] for x in found.record()["parts"]] == [x.command for x in alone]
    assert found.fits == [y for x in alone for y in x.fits]
    assert len(found.table().rows) == len(found.rows)
    assert {x.name for x in tmp_path.glob("*.json")} == {"own-4.json", "own-5.json"}
    assert done == sorted(done)
    assert done[-1] > 0.5


def test_that_weights_are_drawn_by_another_law(
    recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (other,) = with_init([recipe], "Xavier_Uniform:relu")
    outcome = run(other, output=tmp_path)
    laws = {x.get("init") for x in outcome.records()}
    assert laws - {None} == {"xavier_uniform:relu"}
    assert "--init xavier_uniform:relu" in outcome.command
    with pytest.raises(LedgerError, match="another run"):
        run(recipe, output=tmp_path, resume=True)
    assert with_init([recipe], None) == (recipe,)
    for name, init, why in (
        ("initialisations", "he_normal", "compare initialisations"),
        ("techniques", "torch", "trains a network"),
        ("context", "gauss", "gauss"),
    ):
        assert main(["experiment", name, "--init", init]) == 1
        assert why in capsys.readouterr().err
    (context,) = with_init(shipped.recipes_of("context"), "torch")
    assert {x.init for x in context.items} == {"torch"}
    for part in with_init(shipped.recipes_of("luo2016"), "orthogonal"):
        assert part.init == "orthogonal"


def test_that_a_field_before_training_and_a_training_take_one_law(recipe: Recipe) -> None:
    (context,) = shipped.recipes_of("context")
    both = replace(recipe, items=(*recipe.items, *context.items))
    (other,) = with_init([both], "orthogonal")
    assert {x.init for x in other.items} == {"orthogonal"}
    (other,) = with_init([both], "torch")
    assert [x.init for x in other.items] == [x.init for x in both.items]
    mixed = [*context.items, replace(context.items[0], init="orthogonal")]
    with pytest.raises(RFStudioError, match=r"compare initialisations \(orthogonal, torch\)"):
        with_init([replace(context, items=tuple(mixed))], "he_normal")


def test_that_words_say_how_the_numbers_of_each_series_were_found() -> None:
    closed: dict[str, Cell] = {"estimator": "expected", "weights": "random"}
    drawn: dict[str, Cell] = {"estimator": "abs", "weights": "random", "samples": 20, "seed": 3}
    trained: dict[str, Cell] = {"estimator": "energy", "weights": "trained", "seed": 3}
    rows = [{"series": "a", **closed}, {"series": "b", **drawn}, {"series": "c", **drawn}]
    rows += [{"series": "d", **trained, "weights": x} for x in ("initial", "trained")]
    assert how_found(rows) == (
        "a: expected, random weights; b / c: abs, random weights, 20 samples, seed 3; "
        "d: energy, during training, seed 3"
    )
    assert how_found(rows[:1]) == "expected, random weights"
    assert how_found([]) == ""


def test_that_pictures_of_one_scale_show_as_many_pixels(recipe: Recipe) -> None:
    chart = "charts:\n  - {pictures: true, label: layers%s}\n"
    sides: list[list[int]] = []
    for words in ("", ", one_scale: true"):
        found = run(read_recipe(TEXT + chart % words, "own/part"))
        ((_, line),) = sheet_of(found).pictures
        sides.append([len(x.map) for x in line])
        # The centre stays the centre.
        assert all(x.map[len(x.map) // 2, len(x.map) // 2] == 1 for x in line)
    # A pixel of margin on each side of what each sees: 5, 7 and 9 pixels.
    assert sides == [[7, 9, 11], [11, 11, 11]]
