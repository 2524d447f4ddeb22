"""One experiment as work for the worker process; importing this imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.experiments.running import run
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.ledger import Cell, Row

Cells: TypeAlias = tuple[dict[str, Cell], ...]
"""The rows so far, each with the number of its item under `ITEM`."""

ITEM = "item"


def run_experiment(
    name: str, folder: Path, quick: bool, resume: bool, token: CancelToken, report: Report
) -> Cells:
    """Run one recipe, and report all rows so far with each step.

    All of them, since reports that come too fast are dropped on their way to the window.

    Parameters
    ----------
    name
        A shipped recipe, or the path of one.
    folder
        Of its ledger and results.
    quick, resume
        As in `rfstudio.experiments.running.run`.
    token, report
        Of the worker.

    Raises
    ------
    RFStudioError
        As `run` does.
    Cancelled
        If `token` was cancelled.
    """
    found: list[dict[str, Cell]] = []

    def tell(fraction: float, row: Row | None) -> None:
        if row is not None:
            found.append(_cells(row))
        report(fraction, tuple(found))

    (recipe,) = shipped.recipes_of(name)
    outcome = run(recipe, output=folder, quick=quick, resume=resume, report=tell, token=token)
    return tuple(map(_cells, outcome.rows))


def _cells(row: Row) -> dict[str, Cell]:
    return {**row.cells, ITEM: row.item}
