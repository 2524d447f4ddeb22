"""The Python interface of experiments, which command line and window use too."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rfstudio import api
from rfstudio.experiments.other_weights import with_init
from rfstudio.experiments.outcome import Outcome, joined
from rfstudio.experiments.running import RowReport, cost_of, run
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.ledger import Row
from rfstudio.formats.experiments.recipe_reader import Opening


def experiment(
    name: str | Path,
    *,
    output: str | Path | None = None,
    seed: int = 0,
    quick: bool = False,
    resume: bool = False,
    trust: bool = False,
    init: str | None = None,
    report: RowReport | None = None,
) -> Outcome:
    """Run an experiment, or all its parts one after the other.

    Parameters
    ----------
    name
        A shipped recipe, such as "luo2016/fig2", or "luo2016" for all its parts, or the path of a
        recipe.
    output
        Folder for the ledger and the results; None: no files.
    seed
        The same seed gives the same rows.
    quick
        Take few samples and steps.
    resume
        Go on after the complete items of an earlier run in that folder.
    trust
        Whether code that an own recipe names as a network may be run: ``model.py:make``.
    init
        From what random weights are drawn instead, and how trainings begin: as `init` in a recipe.
    report
        Receives the fraction done, and each row as it is found.

    Returns
    -------
    Outcome
        `rows` with their fields, `records()` for a table, `fits`; `parts`, if there are several.

    Raises
    ------
    RFStudioError
        If there is no such experiment, `init` has no effect on it, or it cannot be run.

    Examples
    --------
    >>> found = experiment("luo2016/fig4")
    >>> round(found.records()[0]["sigma"], 3)
    1.826
    """
    recipes = with_init(shipped.recipes_of(name, importing(trust=trust)), init)
    folder = None if output is None else Path(output)
    costs = [cost_of(x, quick=quick) for x in recipes]
    parts = []
    for number, recipe in enumerate(recipes):
        before, share = sum(costs[:number]) / sum(costs), costs[number] / sum(costs)
        tell = None if report is None else partial(_tell, report, before, share)
        parts.append(run(recipe, seed=seed, output=folder, quick=quick, resume=resume, report=tell))
    return parts[0] if len(parts) == 1 else joined(str(name), parts)


def _tell(report: RowReport, before: float, share: float, fraction: float, row: Row | None) -> None:
    """Report how much of all parts is done, from what is done of one."""
    report(before + share * fraction, row)


def importing(*, trust: bool) -> Opening:
    """Return what opens the models that recipes name, and their code only if it is trusted."""
    return lambda name, size: api.load(name, input_size=size, trust=trust)
