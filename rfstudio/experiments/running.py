"""Runs the items of a recipe, one after another; every row goes to the ledger at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeAlias

from rfstudio.engine.process.running import CancelToken
from rfstudio.engine.requests.request import check_seed
from rfstudio.experiments.charts import chart_files
from rfstudio.experiments.field_rows import field_row
from rfstudio.experiments.outcome import Outcome
from rfstudio.experiments.training_rows import Trainings
from rfstudio.formats.experiments.ledger import Ledger, Row
from rfstudio.formats.experiments.recipe import FieldItem, Item, Recipe, TrainingItem
from rfstudio.formats.files import atomic_write, make_folder

RowReport: TypeAlias = Callable[[float, Row | None], None]
"""Receives the fraction done, and a row when it is found."""

_QUICK_SAMPLES = 4
_QUICK_STEPS = 0.25


def run(
    recipe: Recipe,
    *,
    seed: int = 0,
    output: Path | None = None,
    quick: bool = False,
    resume: bool = False,
    report: RowReport | None = None,
    token: CancelToken | None = None,
) -> Outcome:
    """Run a recipe.

    Parameters
    ----------
    recipe
        What to run.
    seed
        Of weights, inputs and images; the same seed gives the same rows.
    output
        Folder of the ledger and of the results, which is made if it is not there; None: no files.
    quick
        Take few samples, and a quarter of the steps, to see what it looks like.
    resume
        Take over complete items of an earlier run in that folder.
    report
        Receives the fraction done and each row.
    token
        Stops it between samples; what was found stays in the ledger.

    Raises
    ------
    LedgerError
        If the rows in the folder are of another run.
    RFStudioError
        If a file cannot be written, or an item cannot be measured.
    Cancelled
        If `token` was cancelled.
    """
    check_seed(seed)
    token = token or CancelToken()
    items = [_quick(x) for x in recipe.items] if quick else list(recipe.items)
    if output is not None:
        make_folder(output)
    head = {"format": 1, "experiment": recipe.name, "recipe": recipe.digest, "seed": seed}
    path = None if output is None else output / f"{recipe.file_name}.jsonl"
    ledger = Ledger(head | {"quick": quick}, path, resume=resume)
    trainings = Trainings(ledger, seed, output, recipe.file_name)
    costs = [_cost(x) for x in items]
    for row in ledger.rows:
        _tell(report, 0.0, row)
    for number, item in enumerate(items):
        if isinstance(item, TrainingItem):
            trainings.note(number, item)
        if number in ledger.complete:
            continue
        done, cost, total = sum(costs[:number]), costs[number], sum(costs)

        part = partial(_tell_part, token, report, done / total, cost / total)
        token.check()
        for row in _rows(number, item, trainings, seed, token, part):
            ledger.add(row)
            _tell(report, done / total, row)
        ledger.finish(number)
    outcome = Outcome(recipe, tuple(ledger.rows), seed, quick, is_complete=True)
    if output is not None:
        write_results(outcome, output)
    return outcome


def _rows(
    number: int,
    item: Item,
    trainings: Trainings,
    seed: int,
    token: CancelToken,
    report: Callable[[float, object], None],
) -> Iterator[Row]:
    if isinstance(item, TrainingItem):
        yield from trainings.rows(number, item, token, report)
    else:
        yield field_row(number, item, seed, report)


def write_results(outcome: Outcome, folder: Path) -> list[Path]:
    """Write NAME.json, NAME.csv and the charts, and return their paths.

    Raises
    ------
    FileAccessError
        If one cannot be written.
    """
    name = outcome.recipe.file_name
    files = {f"{name}.json": outcome.json_text().encode()}
    files[f"{name}.csv"] = outcome.csv_text().encode()
    files |= {f"{name}{x}": data for x, data in chart_files(outcome).items()}
    for file, data in files.items():
        atomic_write(folder / file, data)
    return [folder / x for x in files]


def _tell(report: RowReport | None, fraction: float, row: Row | None) -> None:
    if report is not None:
        report(fraction, row)


def _tell_part(
    token: CancelToken,
    report: RowReport | None,
    done: float,
    share: float,
    fraction: float,
    _partial: object,
) -> None:
    """Report how much of all is done, from what is done of one item."""
    token.check()
    _tell(report, done + fraction * share, None)


def _quick(item: Item) -> Item:
    if isinstance(item, FieldItem):
        return replace(item, samples=min(item.samples, _QUICK_SAMPLES))
    steps = max(2, round(item.steps * _QUICK_STEPS))
    film = {min(steps, round(x * _QUICK_STEPS)) for x in item.film}
    return replace(item, steps=steps, film=tuple(sorted(film)))


def _cost(item: Item) -> float:
    """Return about how long an item takes, in twentieths of a second; for the progress alone."""
    if isinstance(item, TrainingItem):
        return 1.25 * item.steps
    layers = float(item.parameters.get("layers", 20))
    return 6.0 + 0.05 * layers * item.samples
