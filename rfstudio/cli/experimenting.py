"""The command that lists and runs experiments."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rfstudio.cli import terminal
from rfstudio.cli.progress import Progress
from rfstudio.cli.usage import UsageError
from rfstudio.experiments.interface import importing
from rfstudio.experiments.other_weights import with_init
from rfstudio.experiments.outcome import Outcome, cells_table, outcomes_report, summary_json
from rfstudio.experiments.running import run
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.ledger import Cell, Row
from rfstudio.formats.experiments.recipe import Recipe
from rfstudio.formats.tables.table_formats import TableWriter


def experiment(arguments: argparse.Namespace) -> int:
    """List the experiments, or run one of them, or all of its parts."""
    if arguments.name is None:
        if arguments.resume or arguments.output is not None or arguments.init is not None:
            raise UsageError("name an experiment to run; 'rfstudio experiment' alone lists them")
        recipes = [x for name in shipped.names() for x in shipped.recipes_of(name)]
        sys.stdout.write(_listing(recipes, arguments.format))
        return 0
    if arguments.resume and arguments.output is None:
        raise UsageError("--resume needs the --output folder of the earlier run")
    named = shipped.recipes_of(arguments.name, importing(trust=arguments.trust))
    outcomes = []
    is_first = os.environ.get("RANK", "0") == "0"  # under torchrun, every process has all rows
    for recipe in with_init(named, arguments.init):
        outcome = _run(recipe, arguments)
        outcomes.append(outcome)
        if arguments.format == "table" and is_first:
            sys.stdout.write(_text(outcome))
            sys.stdout.flush()
    if arguments.format != "table" and is_first:
        report = outcomes_report(outcomes)
        sys.stdout.write(terminal.WRITERS[arguments.format].report(report))
    return 0


def _run(recipe: Recipe, arguments: argparse.Namespace) -> Outcome:
    folder = None if arguments.output is None else Path(arguments.output)
    found = 0

    def count(fraction: float, row: Row | None) -> None:
        nonlocal found
        found += row is not None
        progress(fraction, row)

    try:
        with Progress() as progress:
            return run(
                recipe,
                seed=arguments.seed,
                output=folder,
                quick=arguments.quick,
                resume=arguments.resume,
                report=count,
            )
    except KeyboardInterrupt:
        if folder is not None:
            place = folder / f"{recipe.file_name}.jsonl"
            rows = "1 row is" if found == 1 else f"{found} rows are"
            print(f"rfstudio: {rows} in {place}; --resume goes on", file=sys.stderr)
        raise


def _listing(recipes: Sequence[Recipe], form: str) -> str:
    rows: list[dict[str, Cell]] = [
        {"experiment": x.name, "rows": len(x.items), "shows": x.title, "reference": x.reference}
        for x in recipes
    ]
    writer = terminal.WRITERS[form]
    if not isinstance(writer, TableWriter):
        return summary_json(rows)
    table = cells_table(rows, tuple(rows[0]), writer.digits, writer.missing)
    return writer.table(table, "Experiments")


def _text(outcome: Outcome) -> str:
    """Return the rows as a table, and the power laws beside what papers print."""
    tables = terminal.TerminalTables()
    text = tables.table(outcome.table(), outcome.recipe.title)
    if outcome.fits:
        text += "\n" + tables.table(outcome.fits_table())
    return f"{text}{outcome.facts}\n{outcome.command}\n\n"
