"""One recipe of a run, with the rows that are known of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rfstudio.app.experiments.work import ITEM, Cells
from rfstudio.core.network.architecture import Architecture
from rfstudio.experiments.outcome import cells_table, how_found
from rfstudio.formats.experiments.recipe import Recipe
from rfstudio.formats.files import is_there
from rfstudio.formats.tables.analysis_tables import Table


@dataclass(frozen=True)
class Part:
    """A recipe that runs, ran, or waits for those before it.

    Attributes
    ----------
    recipe
        What is run.
    rows
        Those that are known.
    is_complete
        Whether all of it is done, and its results are written.
    folder
        Of its results.
    """

    recipe: Recipe
    rows: Cells
    is_complete: bool
    folder: Path

    @property
    def name(self) -> str:
        """Its name within its experiment."""
        return self.recipe.name.rpartition("/")[2]

    @property
    def title(self) -> str:
        """What it shows."""
        return self.recipe.title

    @property
    def progress(self) -> str:
        """How many of its items have rows, as in ``3 of 16``."""
        return f"{len({x[ITEM] for x in self.rows})} of {len(self.recipe.items)}"

    def table(self) -> Table:
        """Return the rows so far, in the columns that the recipe names."""
        columns = [x for x in self.recipe.columns if any(x in y for y in self.rows)]
        return cells_table(self.rows, columns)

    @property
    def facts(self) -> str:
        """Estimator, weights, samples and seed of the rows so far, in words."""
        return how_found(self.rows)

    @property
    def picture(self) -> Path | None:
        """The chart; None: it is not complete, or draws none."""
        if not self.is_complete:
            return None
        path = self.folder / f"{self.recipe.file_name}.png"
        return path if is_there(path) else None

    def network_of(self, row: int) -> Architecture | None:
        """Return the network of a row; None: there is no such row."""
        if not 0 <= row < len(self.rows):
            return None
        number = self.rows[row][ITEM]
        assert isinstance(number, int)
        return self.recipe.items[number].network
