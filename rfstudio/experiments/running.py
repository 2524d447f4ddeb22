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
from rfstudio.experiments.sharing import Share, on_first, shared, turns
from rfstudio.experiments.training_rows import Trainings
from rfstudio.formats.experiments.ledger import Ledger, Row, complete_in
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
    with shared() as share:
        return _run(recipe, seed, output, quick, resume, report, token or CancelToken(), share)


def _run(
    recipe: Recipe,
    seed: int,
    output: Path | None,
    quick: bool,
    resume: bool,
    report: RowReport | None,
    token: CancelToken,
    share: Share,
) -> Outcome:
    items = [_quick(x) for x in recipe.items] if quick else list(recipe.items)
    path = None if output is None else ledger_path(recipe, output)
    command = Outcome(recipe, (), seed, quick, is_complete=False).command
    ledger = _ledger(_head(recipe, seed, quick=quick), command, path, resume, share)
    trainings = Trainings(ledger, seed, output, recipe.file_name)
    costs = [_cost(x) for x in items]
    for row in ledger.rows:
        _tell(report, 0.0, row)
    for number, item in enumerate(items):
        if isinstance(item, TrainingItem):
            trainings.note(number, item)
    for turn in turns(items, ledger.complete, costs, share.total):
        done, total = sum(costs[i] for i in ledger.complete), sum(costs)
        own: list[Row] = []
        mine = turn.items[share.number]
        if mine is not None:
            part = partial(_tell_part, token, report, done / total, costs[mine] / total)
            token.check()
            for row in _rows(mine, items[mine], trainings, seed, token, part):
                own.append(row)
                ledger.add(row)
                _tell(report, done / total, row)
        if not turn.is_joint:
            for other, rows in enumerate(share.of_all(own)):
                for row in rows if other != share.number else ():
                    ledger.add(row)
                    _tell(report, done / total, row)
        for finished in sorted({x for x in turn.items if x is not None}):
            ledger.finish(finished)
    found = tuple(sorted(ledger.rows, key=lambda row: row.item))
    outcome = Outcome(recipe, found, seed, quick, is_complete=True)
    if output is not None and share.is_first:
        write_results(outcome, output)
    return outcome


def ledger_path(recipe: Recipe, folder: Path) -> Path:
    """Return the file of the ledger of a recipe in a folder of results."""
    return folder / f"{recipe.file_name}.jsonl"


def left_in(recipe: Recipe, folder: Path, *, seed: int, quick: bool) -> int:
    """Return how many items of an earlier run like this are complete in a folder of results."""
    return complete_in(ledger_path(recipe, folder), _head(recipe, seed, quick=quick))


def _head(recipe: Recipe, seed: int, *, quick: bool) -> dict[str, object]:
    """Return what identifies a run in its ledger."""
    # Rows of another initialisation are as those of another text.
    text = " ".join(x for x in (recipe.digest, recipe.init) if x)
    head = {"format": 1, "experiment": recipe.name, "recipe": text, "seed": seed}
    return head | {"quick": quick}


def cost_of(recipe: Recipe, *, quick: bool) -> float:
    """Return about how long a recipe takes, in twentieths of a second; for the progress alone."""
    return sum(_cost(_quick(x) if quick else x) for x in recipe.items)


def _ledger(
    head: dict[str, object], command: str, path: Path | None, resume: bool, share: Share
) -> Ledger:
    """Return the ledger: with its file in the first process, in memory alone in the others."""
    own: list[Ledger] = []

    def open_file() -> tuple[list[Row], set[int]]:
        if path is not None:
            make_folder(path.parent)
        own.append(Ledger(head, path, resume=resume, facts={"command": command}))
        return own[0].rows, own[0].complete

    rows, complete = on_first(share, open_file)
    if own:
        return own[0]
    if path is not None:
        make_folder(path.parent)  # for weights; the machine may be another one
    ledger = Ledger(head)
    ledger.rows, ledger.complete = rows, complete
    return ledger


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
