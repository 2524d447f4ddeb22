"""The ledger: what is on disk when an experiment is stopped, and what a later run takes over."""

import json
from pathlib import Path

import numpy as np
import pytest

from rfstudio.formats.experiments.ledger import Ledger, LedgerError, Row
from rfstudio.formats.files import FileAccessError

HEAD = {"experiment": "own", "seed": 0}


def _row(item: int, value: float) -> Row:
    return Row(item, {"series": "a", "value": value}, np.full((2, 3), value, np.float32))


def test_that_a_row_is_on_disk_as_soon_as_it_is_added(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    ledger = Ledger(HEAD, path)
    ledger.add(_row(0, 0.5))
    lines = [json.loads(x) for x in path.read_text().splitlines()]
    assert lines[0] == HEAD
    assert lines[1]["cells"] == {"series": "a", "value": 0.5}


def test_that_complete_items_are_taken_over_and_others_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    ledger = Ledger(HEAD, path)
    ledger.add(_row(0, 0.25))
    ledger.finish(0)
    ledger.add(_row(1, 0.75))
    with path.open("a") as file:
        file.write('{"item": 1, "cel')  # the power failed
    again = Ledger(HEAD, path, resume=True)
    assert again.complete == {0}
    (row,) = again.rows
    assert row.cells == {"series": "a", "value": 0.25}
    assert row.map is not None
    assert np.array_equal(row.map, np.full((2, 3), 0.25, np.float32))
    assert len(path.read_text().splitlines()) == 3


def test_that_rows_of_another_run_are_not_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    Ledger(HEAD, path)
    with pytest.raises(LedgerError, match="another run \\(seed: 0, not 1\\)"):
        Ledger(HEAD | {"seed": 1}, path, resume=True)


def test_that_a_run_goes_on_whatever_its_command_was_called(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    Ledger(HEAD, path, facts={"command": "rfstudio experiment ../own.yaml"}).finish(0)
    again = Ledger(HEAD, path, resume=True, facts={"command": "rfstudio experiment own.yaml"})
    assert again.complete == {0}
    first = json.loads(path.read_text().splitlines()[0])
    assert first == {**HEAD, "command": "rfstudio experiment own.yaml"}


def test_that_a_run_that_does_not_resume_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    ledger = Ledger(HEAD, path)
    ledger.add(_row(0, 1.0))
    ledger.finish(0)
    assert Ledger(HEAD, path).rows == []


def test_that_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text("something else\n")
    with pytest.raises(LedgerError, match="is not a ledger"):
        Ledger(HEAD, path, resume=True)


def test_that_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileAccessError, match="cannot be saved"):
        Ledger(HEAD, tmp_path / "no" / "own.jsonl")
