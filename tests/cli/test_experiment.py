"""The command that lists and runs experiments."""

import json
from pathlib import Path

import pytest

from rfstudio.cli import main
from rfstudio.experiments import field_rows, running
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
