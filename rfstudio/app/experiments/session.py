"""The experiment that runs in the worker, or ran last, and the rows that are known of it."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import platformdirs
from PySide6.QtCore import QObject, Signal

from rfstudio.app.experiments.models import named_model
from rfstudio.app.experiments.part import Part
from rfstudio.app.experiments.work import PART, Cells, run_experiment
from rfstudio.app.failures import failure_words
from rfstudio.app.jobs import JobRunner
from rfstudio.app.work_session import WorkSession
from rfstudio.core.errors import FormatError, RFStudioError
from rfstudio.experiments.other_weights import with_init
from rfstudio.experiments.running import left_in
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.recipe import Recipe

_KEY = "experiment"
_ENDINGS = (".yaml", ".yml")
_MOST_PROBLEMS = 3


def experiments_folder() -> Path:
    """Return the folder of ledgers and results of experiments that the window runs."""
    return platformdirs.user_state_path("rfstudio", appauthor=False) / "experiments"


class ExperimentSession(WorkSession):
    """Runs one experiment at a time: a recipe, or all parts of one, one after another.

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
        The fraction done, of all parts.
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
        self._recipes: dict[str | Path, tuple[Recipe, ...]] = {}
        self._running = _Run(())
        self._rows: Cells = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all that comes with the program: recipes, and those of several parts."""
        return tuple(sorted({*shipped.names(), *shipped.groups()}))

    def recipes_of(self, name: str | Path) -> tuple[Recipe, ...]:
        """Return what a name runs, read at its first use; or a file that was read."""
        if name not in self._recipes:
            self._recipes[name] = shipped.recipes_of(name)
        return self._recipes[name]

    def recipes_with(self, name: str | Path, init: str) -> tuple[Recipe, ...]:
        """Return what a name runs if weights are drawn by another law; empty: as recipes say.

        Raises
        ------
        RFStudioError
            If there is no such law, or it has no effect on what is run.
        """
        return with_init(self.recipes_of(name), init or None)

    def count_of(self, name: str) -> int:
        """Return how many recipes come with the program under a name; none of them is read."""
        return sum(x == name or x.startswith(f"{name}/") for x in shipped.names())

    def words_of(self, name: str | Path) -> tuple[str, str]:
        """Return the title of what a name runs, and what it shows."""
        recipes = self.recipes_of(name)
        if len(recipes) == 1:
            texts = (recipes[0].description, recipes[0].reference)
            return recipes[0].title, " · ".join(x for x in texts if x)
        # Their titles begin with the same words: the paper and the number of the figure.
        parts = [f"{x.name.rpartition('/')[2]}: {x.title.rpartition(': ')[2]}" for x in recipes]
        return f"{name}: all {len(recipes)} parts, one after another", " · ".join(parts)

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
            (recipe,) = shipped.recipes_of(path, named_model)
        except FormatError as error:
            raise RFStudioError(_problems(path, error)) from None
        self._recipes[path] = (recipe,)
        return recipe

    @property
    def name(self) -> str:
        """The name of the experiment that runs or ran last; empty: there is none."""
        recipes = self._running.recipes
        if not recipes:
            return ""
        return recipes[0].name.partition("/")[0] if len(recipes) > 1 else recipes[0].name

    @property
    def command(self) -> str:
        """The command of the experiment that runs or ran last; empty: there is none."""
        now = self._running
        if not now.recipes:
            return ""
        return _command(now.recipes, now.path or self.name, now.seed, quick=now.quick)

    def command_of(self, name: str | Path, *, quick: bool, seed: int, init: str = "") -> str:
        """Return the command that runs what a name runs; raises as `recipes_with`."""
        return _command(self.recipes_with(name, init), name, seed, quick=quick)

    @property
    def results(self) -> Path:
        """The folder of the experiment that runs or ran last.

        Each file of the user has a folder of its own: recipes in several folders may be called
        the same, or like one that comes with the program.
        """
        return self._results_of(self._running.path)

    def _results_of(self, path: Path | None) -> Path:
        if path is None:
            return self.folder
        digest = hashlib.sha256(str(path).encode(errors="replace")).hexdigest()[:8]
        return self.folder / "own" / f"{path.stem}-{digest}"

    def is_last(self, name: str | Path) -> bool:
        """Whether a name is that of the experiment that runs or ran last."""
        return name == (self._running.path or self.name)

    def left_of(
        self, name: str | Path, *, quick: bool, seed: int, init: str = ""
    ) -> tuple[int, int]:
        """Return how many items an earlier run of it has left on the disk, and of how many.

        It may be from before the program was started.  Parts count up to the first that is not
        begun.  Nothing is left of what cannot be run with that law.
        """
        try:
            recipes = self.recipes_with(name, init)
        except RFStudioError:
            return 0, 0
        folder = self._results_of(name if isinstance(name, Path) else None)
        counts = [left_in(x, folder, seed=seed, quick=quick) for x in recipes]
        begun = counts.index(0) if 0 in counts else len(counts)
        return sum(counts[:begun]), sum(len(x.items) for x in recipes)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The recipes of the experiment that runs or ran last, with their rows so far."""
        is_done = self._state == "done"
        return tuple(
            Part(
                recipe,
                tuple(x for x in self._rows if x.get(PART, 0) == i),
                is_done or i < self.current,
                self.results,
            )
            for i, recipe in enumerate(self._running.recipes)
        )

    @property
    def current(self) -> int:
        """The number of the part that has the newest rows."""
        parts = [x.get(PART, 0) for x in self._rows]
        return max((x for x in parts if isinstance(x, int)), default=0)

    def start(
        self,
        *recipes: Recipe,
        quick: bool = False,
        seed: int = 0,
        path: Path | None = None,
        trust: bool = False,
        resume: bool = False,
    ) -> None:
        """Run an experiment; one that runs is stopped.

        Parameters
        ----------
        *recipes
            What to run: a recipe, or all of a name, with the law that weights are drawn by.
        quick
            Take few samples and steps.
        seed
            Of weights, inputs and images.
        path
            The user's file that it was read from; None: it comes with the program.
        trust
            Whether its user agreed that the code in it runs.
        resume
            Go on after what an earlier run of it has left on the disk, instead of beginning anew.
        """
        place = None if path is None else path.absolute()
        self._running = _Run(recipes, quick, seed, place, trust)
        self._rows = ()
        counts = [left_in(x, self.results, seed=seed, quick=quick) for x in recipes]
        left = counts.index(0) if 0 in counts else len(counts)
        self._run(begun=left if resume else 0)

    def go_on(self) -> None:
        """Go on with the stopped experiment after its complete items.

        One whose file has been changed since then has failed: its rows are of another recipe.
        """
        path = self._running.path
        if self._state != "stopped" or not self._running.recipes:
            return
        if path is not None:
            try:
                recipe = self.read(path)
            except RFStudioError as error:
                self.failed.emit(str(error))
                return
            if recipe.digest != self._running.recipes[0].digest:
                self.failed.emit(f"{path.name} has been changed; Run begins anew with it")
                return
        self._run(begun=self.current + 1)

    def cancel(self) -> None:
        """Stop the experiment, with all its parts; its rows so far stay, on the disk too."""
        if self._stop() is not None:
            self._set_state("stopped")

    def _run(self, *, begun: int) -> None:
        now = self._running
        name = self.name if now.path is None else str(now.path)
        work = partial(run_experiment, name, self.results, now.quick, begun)
        self._submit(partial(work, seed=now.seed, trust=now.trust, init=now.init))
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
        self._set_state("done")
        self.rows_changed.emit()

    def _fail(self, error: Exception) -> None:
        self._set_state("stopped")
        path = self._running.path
        if path is not None and isinstance(error, FormatError):
            self.failed.emit(_problems(path, error))
            return
        self.failed.emit(failure_words(error))


class _Run(NamedTuple):
    """What runs or ran, and how."""

    recipes: tuple[Recipe, ...]
    quick: bool = False
    seed: int = 0
    path: Path | None = None
    trust: bool = False

    @property
    def init(self) -> str:
        """The law that its weights are drawn by; empty: that of its recipes."""
        return _init_of(self.recipes)


def _init_of(recipes: Sequence[Recipe]) -> str:
    """Return the law of all recipes that draw weights; empty: each has its own."""
    return next((x.init for x in recipes if x.init), "")


def _command(recipes: Sequence[Recipe], name: str | Path, seed: int, *, quick: bool) -> str:
    """Return the command of all recipes of a name."""
    init = _init_of(recipes)
    words = (
        f"rfstudio experiment {shlex.quote(str(name))}",
        f"--init {shlex.quote(init)}" if init else "",
        "--trust" if any(x.runs_code for x in recipes) else "",
        f"--seed {seed}" if seed else "",
        "--quick" if quick else "",
    )
    return " ".join(x for x in words if x)


def _problems(path: Path, error: FormatError) -> str:
    """Return the first problems of a recipe, a line each, and how many more there are."""
    shown = error.problems[:_MOST_PROBLEMS]
    texts = [f"line {x.line}, column {x.column}: {x.message}" for x in shown]
    more = len(error.problems) - len(shown)
    if more:
        texts.append(f"and {more} more problem{'s' if more > 1 else ''}")
    return f"{path.name}, " + "\n".join(texts)
