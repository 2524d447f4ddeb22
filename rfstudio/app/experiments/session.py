"""The experiment that runs in the worker, or ran last, and the rows that are known of it."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import platformdirs
from PySide6.QtCore import QObject, Signal

from rfstudio.app.experiments.work import ITEM, Cells, run_experiment
from rfstudio.app.jobs import JobRunner
from rfstudio.app.work_session import WorkSession
from rfstudio.core.errors import FormatError, RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.experiments.outcome import cells_table, how_found
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.recipe import Recipe
from rfstudio.formats.tables.analysis_tables import Table

_KEY = "experiment"
_ENDINGS = (".yaml", ".yml")
_MOST_PROBLEMS = 3


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
        self._recipes: dict[str | Path, Recipe] = {}
        self._recipe: Recipe | None = None
        self._path: Path | None = None
        self._quick = False
        self._rows: Cells = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all shipped experiments."""
        return shipped.names()

    def recipe_of(self, name: str | Path) -> Recipe:
        """Return a shipped experiment, which is read at its first use, or a file that was read."""
        if name not in self._recipes:
            (self._recipes[name],) = shipped.recipes_of(name)
        return self._recipes[name]

    def read(self, path: Path) -> Recipe:
        """Read a recipe of the user, again if it was read; no code that it names is run.

        Raises
        ------
        RFStudioError
            If it cannot be read, or is no recipe: its first problems with line and column.
        """
        if path.suffix not in _ENDINGS:
            raise RFStudioError(f"{path.name} is no recipe: the name of one ends with .yaml")
        try:
            (recipe,) = shipped.recipes_of(path)
        except FormatError as error:
            raise RFStudioError(_problems(path, error)) from None
        self._recipes[path] = recipe
        return recipe

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
        name = self._recipe.name if self._path is None else str(self._path)
        return f"rfstudio experiment {shlex.quote(name)}{quick}"

    @property
    def results(self) -> Path:
        """The folder of the experiment that runs or ran last.

        Each file of the user has a folder of its own: recipes in several folders may be called
        the same, or like one that comes with the program.
        """
        if self._path is None:
            return self.folder
        digest = hashlib.sha256(str(self._path).encode(errors="replace")).hexdigest()[:8]
        return self.folder / "own" / f"{self._path.stem}-{digest}"

    @property
    def picture(self) -> Path | None:
        """The chart of the finished experiment; None: it is not finished, or draws none."""
        if self._state != "done" or self._recipe is None:
            return None
        path = self.results / f"{self._recipe.file_name}.png"
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

    def start(self, recipe: Recipe, *, quick: bool = False, path: Path | None = None) -> None:
        """Run an experiment from its beginning; one that runs is stopped.

        Parameters
        ----------
        recipe
            What to run.
        quick
            Take few samples and steps.
        path
            The user's file that it was read from; None: it comes with the program.
        """
        self._recipe, self._quick = recipe, quick
        self._path = None if path is None else path.absolute()
        self._rows = ()
        self._run(resume=False)

    def go_on(self) -> None:
        """Go on with the stopped experiment after its complete items.

        One whose file has been changed since then has failed: its rows are of another recipe.
        """
        if self._state != "stopped" or self._recipe is None:
            return
        if self._path is not None:
            try:
                recipe = self.read(self._path)
            except RFStudioError as error:
                self.failed.emit(str(error))
                return
            if recipe.digest != self._recipe.digest:
                self.failed.emit(f"{self._path.name} has been changed; Run begins anew with it")
                return
        self._run(resume=True)

    def cancel(self) -> None:
        """Stop the experiment; its rows so far stay, on the disk too."""
        if self._stop() is not None:
            self._set_state("stopped")

    def _run(self, *, resume: bool) -> None:
        assert self._recipe is not None
        name = self._recipe.name if self._path is None else str(self._path)
        work = partial(run_experiment, name, self.results, self._quick, resume)
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


def _problems(path: Path, error: FormatError) -> str:
    """Return the first problems of a recipe, a line each, and how many more there are."""
    shown = error.problems[:_MOST_PROBLEMS]
    texts = [f"line {x.line}, column {x.column}: {x.message}" for x in shown]
    more = len(error.problems) - len(shown)
    if more:
        texts.append(f"and {more} more problem{'s' if more > 1 else ''}")
    return f"{path.name}, " + "\n".join(texts)
