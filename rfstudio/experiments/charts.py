"""The charts of an experiment, as a sheet that `rfstudio.figures` draws."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.metrics.power_law import fit_power_law
from rfstudio.core.metrics.registry import digits_text
from rfstudio.experiments.outcome import Outcome, curves_of
from rfstudio.figures import Curve, Picture, Plot, Sheet, render_sheet
from rfstudio.formats.experiments.ledger import Row
from rfstudio.formats.experiments.recipe import CLOSED_FORM, SAMPLED, CurveChart, PictureChart

_LABELS = {
    "layers": "layers",
    "step": "step",
    "luo_size": "size of the effective field (px)",
    "ratio": "effective / theoretical size",
    "sigma": "σ (px)",
    "depth": "depth (layers with weights)",
    "attention": "attention distance (px)",
    "accuracy": "accuracy",
    "ring_share": "share of the ring",
}
"""How axes call columns."""

_SMALLEST = 1e-3
"""Share of the largest value below which the border of a picture is cut off."""


def sheet_of(outcome: Outcome) -> Sheet:
    """Return all charts of the rows so far."""
    recipe = outcome.recipe
    names = list(dict.fromkeys(str(x.cells["series"]) for x in outcome.rows))
    colours = {name: i for i, name in enumerate(names)}
    plots = [_plot(outcome, x, colours) for x in recipe.charts if isinstance(x, CurveChart)]
    pictures = []
    for chart in recipe.charts:
        if isinstance(chart, PictureChart):
            for name in [x for x in names if not chart.series or x in chart.series]:
                rows = [x for x in outcome.rows if x.cells["series"] == name]
                maps = [x.map for x in rows if x.map is not None]
                side = max(map(_side, maps), default=0) if chart.one_scale else 0
                line = tuple(_picture(x, chart, side) for x in rows if x.map is not None)
                if line:
                    pictures.append((name, line))
    return Sheet(
        title=recipe.title,
        plots=tuple(plots),
        pictures=tuple(pictures),
        facts=outcome.facts,
        note=outcome.command,
    )


def chart_files(outcome: Outcome) -> dict[str, bytes]:
    """Return the charts as PNG and SVG, by the endings of their files; none without charts."""
    sheet = sheet_of(outcome)
    if not sheet.plots and not sheet.pictures:
        return {}
    return {x: render_sheet(sheet, x) for x in (".svg", ".png")}


def _plot(outcome: Outcome, chart: CurveChart, colours: dict[str, int]) -> Plot:
    if chart.theory:
        return _labelled(chart, _beside_theory(outcome, chart))
    curves = []
    for series, xs, ys in curves_of(outcome.rows, chart):
        label, law = series, None
        if chart.log:
            fit = fit_power_law(xs, ys)
            label = f"{series}: {_slope(fit.exponent)}"
            ends = (min(xs), max(xs))
            law = (ends, [fit.at(x) for x in ends])
        curves.append(Curve(label=label, xs=xs, ys=ys, colour=colours[series], law=law))
    if curves:
        curves += [_published(x.label, x.exponent, curves) for x in chart.published]
    return _labelled(chart, curves)


def _labelled(chart: CurveChart, curves: Iterable[Curve]) -> Plot:
    return Plot(
        title=chart.title,
        x_label=_LABELS.get(chart.x, chart.x),
        y_label=_LABELS.get(chart.y, chart.y),
        log=chart.log,
        curves=tuple(curves),
    )


def _beside_theory(outcome: Outcome, chart: CurveChart) -> Iterator[Curve]:
    """Yield the sampled points of each series with the line of its closed form."""
    known = {name: (xs, ys) for name, xs, ys in curves_of(outcome.rows, chart)}
    names = list(dict.fromkeys(x.removesuffix(SAMPLED).removesuffix(CLOSED_FORM) for x in known))
    for colour, name in enumerate(names):
        line, points = known.get(f"{name}{CLOSED_FORM}"), known.get(f"{name}{SAMPLED}")
        xs, ys = points or line or known[name]
        yield Curve(label=name, xs=xs, ys=ys, colour=colour, law=line if points else None)


def _published(label: str, exponent: float, curves: list[Curve]) -> Curve:
    """Return a line of a published slope through the middle of all points.

    Papers print the slope alone, so the height is ours.
    """
    xs = [x for curve in curves for x in curve.xs]
    ys = [y for curve in curves for y in curve.ys]
    middle = sum(map(log, ys)) / len(ys) - exponent * sum(map(log, xs)) / len(xs)
    ends = (min(xs), max(xs))
    return Curve(
        label=f"{label}: {_slope(exponent)}",
        xs=ends,
        ys=[exp(middle) * x**exponent for x in ends],
        is_published=True,
    )


def _slope(exponent: float) -> str:
    """Return an exponent with the minus sign that the numbers of the axes have."""
    return digits_text(exponent, 3).replace("-", "\N{MINUS SIGN}")


def _picture(row: Row, chart: PictureChart, side: int) -> Picture:
    assert row.map is not None
    value = row.cells.get(chart.label)
    sigma = row.cells.get("sigma")
    # A word needs no name beside it.
    words = [] if value is None else [value if isinstance(value, str) else f"{chart.label} {value}"]
    words += [f"σ {digits_text(sigma, 3)}"] if isinstance(sigma, float) else []
    distance = row.cells.get("distance")
    if isinstance(distance, int | float):
        return Picture(title=", ".join(words), map=row.map, ring=float(distance))
    return Picture(title=", ".join(words), map=_cut(row.map, side))


def _side(values: NDArray[np.float32]) -> int:
    """Return the side of the square around all that can be seen of a map."""
    seen = _seen(values)
    return int(np.ptp(seen, 0).max()) + 3 if len(seen) else 0


def _seen(values: NDArray[np.float32]) -> NDArray[np.intp]:
    return np.argwhere(values >= _SMALLEST * values.max(initial=0.0))


def _cut(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the square around all that can be seen of a map, with a margin of a pixel.

    It has at least that side; what is outside of the map is black.
    """
    seen = _seen(values)
    if values.ndim != 2 or not len(seen):
        return values
    low, high = seen.min(0), seen.max(0)
    side = max(_side(values), side)
    lacking = [max(side - n, 0) for n in values.shape]
    if any(lacking):
        margins = [(n // 2, n - n // 2) for n in lacking]
        values = np.pad(values, margins)
        low, high = (x + np.array([a for a, _ in margins]) for x in (low, high))
    starts = [(int(a) + int(b) + 1 - side) // 2 for a, b in zip(low, high, strict=True)]
    # Moved back into the map where it would leave it.
    starts = [max(min(x, n - side), 0) for x, n in zip(starts, values.shape, strict=True)]
    return values[tuple(slice(x, x + side) for x in starts)]
