"""The numbers of the measured and the expected field side by side, under their standard names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.metrics import SHARES, Metrics
from rfstudio.formats.tables.tables import (
    MISSING,
    Table,
    table_csv,
    table_latex,
    table_markdown,
)

HEADERS = ("number", "unit", "measured", "expected", "measured (RepLKNet's way)")
"""Columns; the last one has area ratios alone."""

NUMBER_KINDS = ("CSV", "Markdown", "LaTeX")

_AXES = ("z", "y", "x")

_Value = Callable[[Metrics], float | None]


class NumberRow(NamedTuple):
    """One number of both fields.

    Attributes
    ----------
    name
        Its standard name, that of `rfstudio.core.metrics.metrics`, followed by an axis or a share.
    unit
        "px", "°", or nothing for a ratio.
    values
        Measured, expected, and measured in RepLKNet's way; None where there is none.
    meaning
        What it is, in a sentence.
    """

    name: str
    unit: str
    values: tuple[float | None, float | None, float | None]
    meaning: str

    def texts(self, digits: int) -> tuple[str, ...]:
        """Return the cells of the row, numbers with that many digits."""
        return (self.name, self.unit, *(_text(x, digits) for x in self.values))


class _Kind(NamedTuple):
    name: str
    unit: str
    of: _Value
    meaning: str
    replknet: _Value | None = None


def number_rows(measured: Metrics | None, expected: Metrics | None) -> tuple[NumberRow, ...]:
    """Return the numbers of a measured and an expected field, of those that there are."""
    one = measured or expected
    if one is None:
        return ()
    return tuple(
        NumberRow(
            kind.name,
            kind.unit,
            (
                None if measured is None else kind.of(measured),
                None if expected is None else kind.of(expected),
                None if measured is None or kind.replknet is None else kind.replknet(measured),
            ),
            kind.meaning,
        )
        for kind in _kinds(one.map.ndim)
    )


def numbers_text(rows: tuple[NumberRow, ...], kind: str, caption: str = "") -> str:
    """Return the numbers as "CSV", "Markdown" or "LaTeX"; CSV has all digits.

    Raises
    ------
    RFStudioError
        If it is another kind.
    """
    match kind:
        case "CSV":
            return table_csv(_table(rows, 17, ""))
        case "Markdown":
            return table_markdown(_table(rows, 4, MISSING))
        case "LaTeX":
            return table_latex(_table(rows, 4, MISSING), caption)
    raise RFStudioError(f"numbers are written as {', '.join(NUMBER_KINDS)}, not as {kind}")


def _table(rows: tuple[NumberRow, ...], digits: int, missing: str) -> Table:
    cells = tuple(tuple(x or missing for x in row.texts(digits)) for row in rows)
    cells = tuple((row[0], "" if row[1] == missing else row[1], *row[2:]) for row in cells)
    return Table(HEADERS, cells, (False, False, True, True, True))


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}g}"


def _kinds(axes: int) -> Iterator[_Kind]:
    names = _AXES[-axes:]
    yield _Kind(
        "luo_size", "px", lambda m: m.luo_size,
        "√ of the number of pixels above 1 − 0.9545 of the centre's value (Luo et al. 2016); "
        "4.406 σ for a Gaussian.",
    )  # fmt: skip
    yield _Kind(
        "luo_size_of_maximum", "px", lambda m: m.luo_size_of_maximum,
        "The same, with the share of the largest value.",
    )  # fmt: skip
    yield from _by_axis(
        "sigma",
        names,
        lambda m: m.sigma,
        "Standard deviation of the position, from second moments.",
    )
    yield from _by_axis(
        "gaussian.sigma", names, lambda m: None if m.gaussian is None else m.gaussian.sigma,
        "Standard deviation of the Gaussian that fits best by least squares.",
    )  # fmt: skip
    yield _Kind(
        "gaussian.r_squared", "", lambda m: None if m.gaussian is None else m.gaussian.r_squared,
        "How much of the map's variance that Gaussian explains (R²); 1 is all of it.",
    )  # fmt: skip
    yield _Kind(
        "fwhm", "px", lambda m: m.fwhm,
        "Full width at half maximum: diameter of a disc of as many pixels; 2.355 σ for a Gaussian.",
    )  # fmt: skip
    yield _Kind(
        "r50", "px", lambda m: m.r50,
        "Radius around the unit's centre that holds half of the map; 1.177 σ for a Gaussian.",
    )  # fmt: skip
    yield _Kind(
        "participation_side", "px", lambda m: m.participation_side,
        "Side of a square of (ΣM)² / ΣM² pixels: how many take part; 2√π σ for a Gaussian.",
    )  # fmt: skip
    for share in SHARES:
        yield _Kind(
            f"area_ratio.{share:g}", "", _entry("area_ratio", f"{share:g}"),
            f"Share of the image in the smallest square around the unit's centre that holds "
            f"{share:.0%} of the map. RepLKNet's way: of log10(map + 1), around the image's "
            "middle; it depends on the scale of the map.",
            _entry("area_ratio_replknet", f"{share:g}"),
        )  # fmt: skip
    for side in ("side", "area"):
        yield _Kind(
            f"erf_trf_ratio.{side}", "", _entry("erf_trf_ratio", side),
            f"luo_size over the theoretical field, of the {side}s.",
        )  # fmt: skip
    yield _Kind(
        "anisotropy", "", lambda m: m.anisotropy,
        "Largest over smallest standard deviation in any direction; 1 is round.",
    )  # fmt: skip
    yield _Kind(
        "angle", "°", lambda m: m.angle, "Direction of the largest extent, from x towards y."
    )
    yield from _by_axis("centroid", names, lambda m: m.centroid, "Mean position.")
    yield from _by_axis(
        "offset", names, lambda m: m.offset, "Centroid minus the centre of the unit's field."
    )
    yield _Kind(
        "outside", "", lambda m: m.outside,
        "Share of the map outside the visible region; anything but 0 is a mistake.",
    )  # fmt: skip


def _by_axis(
    name: str, axes: tuple[str, ...], of: Callable[[Metrics], Any], meaning: str
) -> Iterator[_Kind]:
    for i, axis in enumerate(axes):
        yield _Kind(f"{name}.{axis}", "px", _component(of, i), f"{meaning[:-1]}, along {axis}.")


def _component(of: Callable[[Metrics], Any], index: int) -> _Value:
    def value(metrics: Metrics) -> float | None:
        found = of(metrics)
        return None if found is None else float(found[index])

    return value


def _entry(name: str, key: str) -> _Value:
    def value(metrics: Metrics) -> float | None:
        found: float | None = metrics[name][key]
        return found

    return value
