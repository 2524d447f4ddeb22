"""The command that lists and runs experiments."""

import csv
import io
import json
import math
from pathlib import Path

import pytest

from rfstudio.cli import main
from rfstudio.experiments import field_rows, running
from rfstudio.experiments.outcome import outcomes_report
from rfstudio.formats.experiments import shipped
from tests.experiments.own_recipe import CHARTS, TEXT


def _recipe(folder: Path, charts: str = "") -> str:
    path = folder / "own.yaml"
    path.write_text(TEXT + charts)
    return str(path)


def test_that_the_command_alone_lists_all_experiments(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["experiment"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in shipped.names())
    assert main(["experiment", "--format", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [x["experiment"] for x in listed] == list(shipped.names())


def test_that_rows_and_power_laws_are_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["experiment", _recipe(tmp_path, CHARTS)]) == 0
    printed = capsys.readouterr().out
    assert "1.155" in printed  # √(4/3)
    assert "theory" in printed
    assert [x.name for x in tmp_path.iterdir()] == ["own.yaml"]


def test_that_json_has_rows_fits_and_command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["experiment", _recipe(tmp_path, CHARTS), "--format", "json", "--seed", "3"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["seed"] == 3
    assert len(record["rows"]) == 3
    assert record["fits"][0]["exponent"] == pytest.approx(0.5)
    assert record["command"] == f"rfstudio experiment {tmp_path / 'own.yaml'} --seed 3"


def test_that_the_list_is_written_in_every_format_of_tables(
    capsys: pytest.CaptureFixture[str],
) -> None:
    texts = {}
    for form in ("csv", "markdown", "latex"):
        assert main(["experiment", "--format", form]) == 0
        texts[form] = capsys.readouterr().out
    listed = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert [x["experiment"] for x in listed] == list(shipped.names())
    assert texts["markdown"].startswith("| experiment")
    assert r"\caption{Experiments}" in texts["latex"]


def test_that_printed_csv_is_that_of_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recipe, folder = _recipe(tmp_path), tmp_path / "out"
    assert main(["experiment", recipe, "--output", str(folder), "--format", "csv"]) == 0
    printed = capsys.readouterr().out
    assert printed == (folder / "own.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [x["layers"] for x in rows] == ["2", "3", "4"]
    # Each 3 taps wide kernel of ones has the variance 2/3; that of n layers is the sum.
    assert [float(x["sigma"]) for x in rows] == pytest.approx(
        [math.sqrt(n * 2 / 3) for n in (2, 3, 4)]
    )


def test_that_tables_for_papers_have_rows_power_laws_and_the_command(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for form, mark in (("markdown", "| expected |"), ("latex", "expected & 2 & 1.155")):
        assert main(["experiment", _recipe(tmp_path, CHARTS), "--format", form]) == 0
        printed = capsys.readouterr().out
        assert mark in printed
        assert "theory" in printed
        assert "rfstudio experiment" in printed


def test_that_parts_of_an_experiment_are_one_table_of_csv(tmp_path: Path) -> None:
    recipe = shipped.recipes_of(_recipe(tmp_path))[0]
    outcomes = [running.run(recipe, seed=x) for x in (1, 2)]
    report = outcomes_report(outcomes)
    assert report.title == "own"
    rows = report.rows
    assert rows.headers[-1] == "command"
    assert [x[-1].partition("--seed ")[2] for x in rows.rows] == ["1"] * 3 + ["2"] * 3


def test_that_an_interrupt_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = field_rows.field_row

    def field_row(number, *rest):
        if number == 1:
            raise KeyboardInterrupt
        return real(number, *rest)

    monkeypatch.setattr(running, "field_row", field_row)
    recipe, folder = _recipe(tmp_path), tmp_path / "out"
    assert main(["experiment", recipe, "--output", str(folder)]) == 130
    told = capsys.readouterr().err
    assert f"1 row is in {folder / 'own.jsonl'}; --resume goes on" in told
    monkeypatch.undo()
    assert main(["experiment", recipe, "--output", str(folder), "--resume"]) == 0
    assert (folder / "own.json").exists()


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (["lou2016"], 1, "did you mean 'luo2016'?"),
        (["luo2016", "--resume"], 2, "--resume needs the --output folder"),
        (["--output", "x"], 2, "name an experiment to run"),
        (["luo2016/fig4", "--seed", "-1"], 1, "seed must be"),
    ],
)
def test_that_wrong_usage_is_a_sentence(
    capsys: pytest.CaptureFixture[str], words: list[str], status: int, reason: str
) -> None:
    assert main(["experiment", *words]) == status
    assert reason in capsys.readouterr().err
