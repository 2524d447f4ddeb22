"""The experiment that runs in the worker, or ran last, and the rows that are known of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import platformdirs
from PySide6.QtCore import QObject, Signal

from rfstudio.app.experiments.work import ITEM, Cells, run_experiment
from rfstudio.app.jobs import JobRunner
from rfstudio.app.work_session import WorkSession
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.experiments.outcome import cells_table, how_found
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.recipe import Recipe
from rfstudio.formats.tables.analysis_tables import Table

_KEY = "experiment"


def experiments_folder() -> Path:
    """Return the folder of ledgers and results of experiments that the window runs."""
    return platformdirs.user_state_path("rfstudio", appauthor=False) / "experiments"


class ExperimentSession(WorkSession):
    """Runs one experiment at a time.

    Parameters
    ----------
    runner
        Runs it in the worker process, in which measurements wait for its end.
    folder
        Of ledgers and results; None: the user's own.

    Signals
    -------
    rows_changed
        There are other rows, or more of them.
    progressed
        The fraction done.
    state_changed
        "idle", "running", "stopped" or "done".
    failed
        Why an experiment has failed, in words.
    """

    rows_changed = Signal()
    progressed = Signal(float)

    def __init__(
        self, runner: JobRunner, parent: QObject | None = None, *, folder: Path | None = None
    ) -> None:
        super().__init__(runner, _KEY, parent)
        self.folder = experiments_folder() if folder is None else folder
        self._recipes: dict[str, Recipe] = {}
        self._recipe: Recipe | None = None
        self._quick = False
        self._rows: Cells = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all shipped experiments."""
        return shipped.names()

    def recipe_of(self, name: str) -> Recipe:
        """Return a shipped experiment, which is read at its first use."""
        if name not in self._recipes:
            (self._recipes[name],) = shipped.recipes_of(name)
        return self._recipes[name]

    @property
    def recipe(self) -> Recipe | None:
        """The experiment that runs or ran last."""
        return self._recipe

    @property
    def command(self) -> str:
        """The command that runs the same experiment; empty: there is none."""
        if self._recipe is None:
            return ""
        quick = " --quick" if self._quick else ""
        return f"rfstudio experiment {self._recipe.name}{quick}"

    @property
    def picture(self) -> Path | None:
        """The chart of the finished experiment; None: it is not finished, or draws none."""
        if self._state != "done" or self._recipe is None:
            return None
        path = self.folder / f"{self._recipe.file_name}.png"
        return path if path.exists() else None

    def table(self) -> Table:
        """Return the rows so far, in the columns that the recipe names."""
        columns: Sequence[str] = () if self._recipe is None else self._recipe.columns
        return cells_table(self._rows, [x for x in columns if any(x in y for y in self._rows)])

    @property
    def facts(self) -> str:
        """Estimator, weights, samples and seed of the rows so far, in words."""
        return how_found(self._rows)

    def network_of(self, row: int) -> Architecture | None:
        """Return the network of a row; None: there is no such row."""
        if self._recipe is None or not 0 <= row < len(self._rows):
            return None
        number = self._rows[row][ITEM]
        assert isinstance(number, int)
        return self._recipe.items[number].network

    def start(self, recipe: Recipe, *, quick: bool = False) -> None:
        """Run an experiment from its beginning; one that runs is stopped."""
        self._recipe, self._quick = recipe, quick
        self._rows = ()
        self._run(resume=False)

    def go_on(self) -> None:
        """Go on with the stopped experiment after its complete items."""
        if self._state == "stopped":
            self._run(resume=True)

    def cancel(self) -> None:
        """Stop the experiment; its rows so far stay, on the disk too."""
        if self._stop() is not None:
            self._set_state("stopped")

    def _run(self, *, resume: bool) -> None:
        assert self._recipe is not None
        work = partial(run_experiment, self._recipe.name, self.folder, self._quick, resume)
        self._submit(work)
        self.rows_changed.emit()
        self.progressed.emit(0.0)
        self._set_state("running")

    def _advance(self, fraction: float, rows: Cells | None) -> None:
        if rows is not None and len(rows) != len(self._rows):
            self._rows = rows
            self.rows_changed.emit()
        self.progressed.emit(fraction)

    def _succeed(self, rows: Cells) -> None:
        self._rows = rows
        self.rows_changed.emit()
        self._set_state("done")

    def _fail(self, error: Exception) -> None:
        self._set_state("stopped")
        is_expected = isinstance(error, RFStudioError)
        self.failed.emit(str(error) if is_expected else f"{type(error).__name__}: {error}")
