"""Experiments as work for the worker process; importing this imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.experiments.interface import importing
from rfstudio.experiments.other_weights import with_init
from rfstudio.experiments.running import cost_of, run
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.ledger import Cell, Row

Cells: TypeAlias = tuple[dict[str, Cell], ...]
"""The rows so far, each with its place under `ITEM` and `PART`."""

ITEM = "item"
"""The number of a row's item in its recipe."""

PART = "(part)"
"""The number of a row's recipe among those that run; without it, it is the first one."""


def run_experiment(
    name: str,
    folder: Path,
    quick: bool,
    begun: int,
    token: CancelToken,
    report: Report,
    *,
    seed: int = 0,
    trust: bool = False,
    init: str = "",
) -> Cells:
    """Run one recipe, or all parts of an experiment, and report all rows so far with each step.

    All of them, since reports that come too fast are dropped on their way to the window.

    Parameters
    ----------
    name
        A shipped recipe or experiment, or the path of a recipe.
    folder
        Of ledgers and results.
    quick, seed
        As in `rfstudio.experiments.running.run`.
    begun
        How many parts go on after what an earlier run has left; later ones begin anew, whatever
        there is of them.
    token, report
        Of the worker.
    trust
        Whether code that a recipe names as a network may be run.
    init
        From what random weights are drawn instead; empty: from what the recipes say.

    Raises
    ------
    RFStudioError
        As `run` does.
    Cancelled
        If `token` was cancelled.
    """
    recipes = with_init(shipped.recipes_of(name, importing(trust=trust)), init or None)
    costs = [cost_of(x, quick=quick) for x in recipes]
    rows: Cells = ()
    furthest = 0.0

    def part_rows(part: int) -> Cells:
        found: list[dict[str, Cell]] = []
        before, share = sum(costs[:part]) / sum(costs), costs[part] / sum(costs)

        def tell(fraction: float, row: Row | None) -> None:
            nonlocal furthest
            if row is not None:
                found.append(_cells(row, part))
            # A row comes with what was done before its item.
            furthest = max(furthest, before + share * fraction)
            report(furthest, (*rows, *found))

        outcome = run(
            recipes[part],
            seed=seed,
            output=folder,
            quick=quick,
            resume=part < begun,
            report=tell,
            token=token,
        )
        return tuple(_cells(row, part) for row in outcome.rows)

    for part in range(len(recipes)):
        rows += part_rows(part)
    return rows


def _cells(row: Row, part: int) -> dict[str, Cell]:
    return {**row.cells, ITEM: row.item, PART: part}
