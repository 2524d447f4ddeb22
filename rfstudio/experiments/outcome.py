"""What an experiment has found: its rows, the power laws through them, and its files."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from rfstudio import __version__
from rfstudio.core.metrics.power_law import fit_power_law
from rfstudio.core.metrics.registry import ALL_DIGITS, DIGITS, digits_text
from rfstudio.formats.experiments.ledger import Cell, Row
from rfstudio.formats.experiments.recipe import CurveChart, Recipe
from rfstudio.formats.tables.analysis_tables import MISSING, Table, table_csv
from rfstudio.formats.tables.table_formats import Report


class Fit(TypedDict):
    """A power law through the points of one curve of a chart."""

    series: str
    x: str
    y: str
    exponent: float
    factor: float
    r_squared: float


@dataclass(frozen=True, eq=False)
class Outcome:
    """The rows of one recipe, complete or so far.

    Attributes
    ----------
    recipe
        What was run.
    rows
        Its rows, with their fields, in the order in which they were found.
    seed, quick
        How it was run.
    is_complete
        Whether all items are done.
    parts
        The outcomes of all parts of an experiment that has several; empty: it is one recipe.
    """

    recipe: Recipe
    rows: tuple[Row, ...]
    seed: int
    quick: bool
    is_complete: bool
    parts: tuple[Outcome, ...] = ()

    @property
    def command(self) -> str:
        """The command that gives the same rows; it names a recipe of one's own as it was named."""
        options = f" --init {self.recipe.init}" if self.recipe.init else ""
        options += " --quick" if self.quick else ""
        options += " --trust" if self.recipe.runs_code else ""
        name = shlex.quote(self.recipe.file or self.recipe.name)
        return f"rfstudio experiment {name} --seed {self.seed}{options}"

    @property
    def facts(self) -> str:
        """How the numbers were found, in words: see `how_found`."""
        return how_found([x.cells for x in self.rows])

    @property
    def fits(self) -> list[Fit]:
        """The power law through each curve of the charts with logarithmic axes."""
        if self.parts:
            return [fit for part in self.parts for fit in part.fits]
        return [
            Fit(
                series=series,
                x=chart.x,
                y=chart.y,
                exponent=law.exponent,
                factor=law.factor,
                r_squared=law.r_squared,
            )
            for chart in self.recipe.charts
            if isinstance(chart, CurveChart) and chart.log and not chart.theory
            for series, xs, ys in curves_of(self.rows, chart)
            for law in [fit_power_law(xs, ys)]
        ]

    def records(self) -> list[dict[str, Cell]]:
        """Return the cells of each row; of several parts with that of the experiment."""
        return [
            {"experiment": part.recipe.name, **row} for part in self.parts for row in part.records()
        ] or [dict(x.cells) for x in self.rows]

    def record(self) -> dict[str, Any]:
        """Return everything but the fields as JSON can hold it."""
        recipe = self.recipe
        found: dict[str, Any] = {
            "format": 1,
            "experiment": recipe.name,
            "title": recipe.title,
            "reference": recipe.reference,
            "command": self.command,
            "seed": self.seed,
            "quick": self.quick,
            "how": self.facts,
            "complete": self.is_complete,
            "versions": {"rfstudio": __version__},
        }
        if self.parts:
            return found | {"parts": [x.record() for x in self.parts]}
        return found | {"rows": self.records(), "fits": self.fits}

    def json_text(self) -> str:
        """Return everything but the fields as JSON."""
        return _json(self.record())

    def csv_text(self) -> str:
        """Return all columns of all rows as CSV, with the command that gives them."""
        return table_csv(_all_columns(self.parts or [self]))

    def table(self) -> Table:
        """Return the columns that the recipe names, for people."""
        cells = self.records()
        columns = [x for x in self.recipe.columns if any(x in y for y in cells)]
        return cells_table(cells, columns)

    def fits_table(self) -> Table:
        """Return the power laws and what papers print, one row each."""
        rows = [
            (x["series"], f"{x['y']} over {x['x']}", digits_text(x["exponent"], 3))
            for x in self.fits
        ]
        charts = [chart for x in self.parts or (self,) for chart in x.recipe.charts]
        for chart in charts:
            if isinstance(chart, CurveChart):
                rows += [
                    (x.label, f"{chart.y} over {chart.x}", digits_text(x.exponent, 3))
                    for x in chart.published
                ]
        return Table(("power law", "of", "exponent"), tuple(rows), (False, False, True))


def joined(name: str, parts: Sequence[Outcome]) -> Outcome:
    """Return the outcomes of all parts of an experiment as one."""
    recipes = [x.recipe for x in parts]
    columns = dict.fromkeys(["experiment", *(y for x in recipes for y in x.columns)])
    inits = {x.init for x in recipes if x.init}
    whole = Recipe(
        name=name,
        title=name,
        items=tuple(item for x in recipes for item in x.items),
        reference=recipes[0].reference,
        columns=tuple(columns),
        init="".join(inits),
    )
    return Outcome(
        whole,
        tuple(row for x in parts for row in x.rows),
        parts[0].seed,
        parts[0].quick,
        is_complete=all(x.is_complete for x in parts),
        parts=tuple(parts),
    )


def how_found(rows: Sequence[Mapping[str, Cell]]) -> str:
    """Return estimator, weights, samples and seed of rows in words, by series if they differ."""
    found: dict[str, list[str]] = {}
    for row in rows:
        words = [str(row.get("estimator"))]
        if (weights := row.get("weights")) is not None:
            # Of a training, those at its start and those that it has found.
            is_trained = weights in ("initial", "trained")
            words.append("during training" if is_trained else f"{weights} weights")
        if isinstance(samples := row.get("samples"), int):
            images = row.get("images")
            words.append("1 sample" if samples == 1 else f"{samples} samples")
            words[-1] += f" of {images}" if images else ""
        if (seed := row.get("seed")) is not None:
            words.append(f"seed {seed}")
        series = found.setdefault(", ".join(words), [])
        if (name := str(row.get("series"))) not in series:
            series.append(name)
    if len(found) < 2:
        return "".join(found)
    return "; ".join(f"{' / '.join(series)}: {how}" for how, series in found.items())


def outcomes_report(outcomes: Sequence[Outcome]) -> Report:
    """Return an outcome, or those of all parts of an experiment, for any format of tables."""
    name = outcomes[0].recipe.name
    facts = [
        fact
        for x in outcomes
        for fact in (("command", x.command), ("found by", x.facts))
        if fact[1]
    ]
    tables = []
    for x in outcomes:
        tables.append((x.recipe.title, x.table()))
        if x.fits:
            tables.append((f"{x.recipe.title}: power laws", x.fits_table()))
    return Report(
        title=name if len(outcomes) == 1 else name.partition("/")[0],
        facts=facts,
        tables=tables,
        rows=_all_columns(outcomes),
        record=lambda: summary_json(outcomes),
    )


def _all_columns(outcomes: Sequence[Outcome]) -> Table:
    """Return all rows with all their columns and digits, and the command that gives each."""
    cells = [{**row.cells, "command": x.command} for x in outcomes for row in x.rows]
    names = dict.fromkeys(name for x in cells for name in x if name != "command")
    return cells_table(cells, [*names, "command"], ALL_DIGITS, "")


def summary_json(entries: Sequence[Outcome | Mapping[str, Cell]]) -> str:
    """Return several outcomes, or rows of a list, as JSON; one outcome alone is not in a list."""
    records = [x.record() if isinstance(x, Outcome) else dict(x) for x in entries]
    alone = len(entries) == 1 and isinstance(entries[0], Outcome)
    return _json(records[0] if alone else records)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def cells_table(
    cells: Sequence[Mapping[str, Cell]],
    columns: Sequence[str],
    digits: int = DIGITS,
    missing: str = MISSING,
) -> Table:
    """Return some columns of rows as texts."""

    def text(value: Cell) -> str:
        if value is None:
            return missing
        if isinstance(value, bool):
            return "yes" if value else "no"
        return digits_text(value, digits) if isinstance(value, float) else str(value)

    numeric = tuple(all(_is_number(x.get(name)) for x in cells) for name in columns)
    rows = tuple(tuple(text(x.get(name)) for name in columns) for x in cells)
    return Table(tuple(columns), rows, numeric)


def _is_number(value: Cell) -> bool:
    return not isinstance(value, str | bool)


def curves_of(
    rows: Sequence[Row], chart: CurveChart
) -> Iterator[tuple[str, list[float], list[float]]]:
    """Yield the points of each series that has two at least.

    A logarithmic chart shows positive numbers only.
    """
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        x, y, series = (row.cells.get(name) for name in (chart.x, chart.y, "series"))
        if not isinstance(x, int | float) or not isinstance(y, int | float):
            continue
        if chart.log and min(x, y) <= 0:
            continue
        if not chart.series or series in chart.series:
            found.setdefault(str(series), []).append((float(x), float(y)))
    for series, points in found.items():
        xs, ys = (list(x) for x in zip(*points, strict=True))
        if len(set(xs)) > 1:
            yield series, xs, ys
