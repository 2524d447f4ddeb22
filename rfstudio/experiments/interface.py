"""The Python interface of experiments, which command line and window use too."""

from __future__ import annotations

from pathlib import Path

from rfstudio import api
from rfstudio.core.errors import RFStudioError
from rfstudio.experiments.outcome import Outcome
from rfstudio.experiments.running import RowReport, run
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.recipe_reader import Opening


def experiment(
    name: str | Path,
    *,
    output: str | Path | None = None,
    seed: int = 0,
    quick: bool = False,
    resume: bool = False,
    trust: bool = False,
    report: RowReport | None = None,
) -> Outcome:
    """Run one experiment.

    Parameters
    ----------
    name
        A shipped recipe, such as "luo2016/fig2", or the path of one.
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
    report
        Receives the fraction done, and each row as it is found.

    Returns
    -------
    Outcome
        `rows` with their fields, `records()` for a table, `fits`.

    Raises
    ------
    RFStudioError
        If there is no such experiment, it has several parts, or it cannot be run.

    Examples
    --------
    >>> found = experiment("luo2016/fig4")
    >>> round(found.records()[0]["sigma"], 3)
    1.826
    """
    recipes = shipped.recipes_of(name, importing(trust=trust))
    if len(recipes) > 1:
        parts = ", ".join(x.name for x in recipes)
        raise RFStudioError(f"'{name}' has several parts; run one of {parts}")
    folder = None if output is None else Path(output)
    return run(recipes[0], seed=seed, output=folder, quick=quick, resume=resume, report=report)


def importing(*, trust: bool) -> Opening:
    """Return what opens the models that recipes name, and their code only if it is trusted."""
    return lambda name, size: api.load(name, input_size=size, trust=trust)
