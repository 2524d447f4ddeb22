"""The registry of metrics: name, unit, meaning, parts and format of every number of a field.

Files, command line and window take names, units, sentences and formats from here.  A number is
computed by the property with its name in `rfstudio.core.metrics.metrics.Metrics`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

SHARES = (0.2, 0.3, 0.5, 0.99)
"""Shares of the map for which area ratios are given, those of RepLKNet's paper."""

MODULI = (2, 4)
"""Moduli by which pixels are classed for the phase contrast: usual strides of a stem."""

DIGITS = 4
"""Significant digits of a number that people read."""

ALL_DIGITS = 17
"""Significant digits of a number that programs read."""

_MINUS = "−"
_AREA = re.compile(r" +\(area [^)]*\)")
_AXES = ("z", "y", "x")

Compute: TypeAlias = Callable[[Any], float | None]
"""Reads a number from a `Metrics`; None where it has no meaning."""


def digits_text(value: float, digits: int = DIGITS) -> str:
    """Return a number with a given number of significant digits; zero has no sign."""
    return f"{value + 0.0:.{digits}g}"


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a metric: the metric itself, or its value along an axis or for a share.

    Attributes
    ----------
    name
        That of the metric, followed by an axis, a share or a part: ``sigma.y``.
    unit
        "px", "°", or nothing for a ratio.
    sentence
        What it is.
    of
        Reads it from a `Metrics`.
    in_other_way
        The same, computed as in published work, if that differs.
    """

    name: str
    unit: str
    sentence: str
    of: Compute
    in_other_way: Compute | None = None


@dataclass(frozen=True, slots=True)
class Brief:
    """How a metric is shown where there is room for a few of them.

    Attributes
    ----------
    label
        A word or two.
    text
        Returns the metric's value as a text with its unit.
    sentence
        What it is, with line breaks; empty: the metric's own sentence.
    """

    label: str
    text: Callable[[Any], str]
    sentence: str = ""

    def text_of(self, value: Any, axes: int) -> str:
        """Return the value of a map of so many axes, where an area may be a volume or nothing."""
        text = self.text(value)
        if axes == 1:
            return _AREA.sub("", text)
        return _AREA.sub(lambda x: x[0].replace("area", "volume"), text) if axes == 3 else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric that is one number.

    Attributes
    ----------
    name
        The property of `Metrics` that computes it, and its key in files.
    unit
        As in `Number`.
    sentence
        What it is, with a line break where a narrow place needs one.
    brief
        How it is shown in short; None: only in full tables.
    """

    name: str
    unit: str = ""
    sentence: str
    brief: Brief | None = None

    def value(self, metrics: Any) -> Any:
        """Return the metric of a map; None where it has no meaning."""
        return getattr(metrics, self.name)

    def is_known(self, value: Any) -> bool:
        """Whether a value has a meaning."""
        return value is not None

    def plain(self, value: Any) -> Any:
        """Return a value as JSON holds it."""
        return list(value) if isinstance(value, tuple) else value

    def numbers(self, axes: int) -> Iterator[Number]:
        """Yield the numbers of the metric for a map with a given number of axes."""
        del axes
        yield Number(self.name, self.unit, self._line, self.value)

    @property
    def _line(self) -> str:
        return self.sentence.replace("\n", " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisMetric(Metric):
    """A metric with one number along each axis."""

    def numbers(self, axes: int) -> Iterator[Number]:
        """Yield the number along each axis."""
        for index, axis in enumerate(_AXES[-axes:]):
            sentence = f"{self._line[:-1]}, along {axis}."
            yield Number(f"{self.name}.{axis}", self.unit, sentence, _component(self.value, index))


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsMetric(Metric):
    """A metric with one number for each of some parts, such as shares of the map.

    Attributes
    ----------
    parts
        Keys of the parts, and what the sentence says of each instead of ``{}``.
    in_other_way
        The metric that has the same parts as published work computes them.
    """

    parts: Mapping[str, str]
    in_other_way: str = ""

    def is_known(self, value: Any) -> bool:
        """Whether all parts have a meaning."""
        return all(x is not None for x in value.values())

    def numbers(self, axes: int) -> Iterator[Number]:
        """Yield the number of each part."""
        del axes
        for key, words in self.parts.items():
            yield Number(
                f"{self.name}.{key}",
                self.unit,
                self._line.format(words),
                _part(self.name, key),
                _part(self.in_other_way, key) if self.in_other_way else None,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherWay(Metric):
    """A metric computed as in published work; tables show it beside the plain one."""

    def numbers(self, axes: int) -> Iterator[Number]:
        """Yield nothing: the plain metric's numbers have it."""
        del axes
        yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FitMetric(Metric):
    """The fitted Gaussian, a `GaussianFit`: how wide along each axis, and how well it fits."""

    def plain(self, value: Any) -> Any:
        """Return the fit as JSON holds it."""
        return value and {
            "amplitude": value.amplitude,
            "center": list(value.center),
            "sigma": list(value.sigma),
            "r_squared": value.r_squared,
        }

    def numbers(self, axes: int) -> Iterator[Number]:
        """Yield its standard deviations, and the share of the variance that it explains."""
        sigma = AxisMetric(name=f"{self.name}.sigma", unit=self.unit, sentence=self.sentence)
        for index, number in enumerate(sigma.numbers(axes)):
            of = _component(self._sigma, index)
            yield Number(number.name, number.unit, number.sentence, of)
        yield Number(
            f"{self.name}.r_squared",
            "",
            "How much of the map's variance that Gaussian explains (R²); 1 is all of it.",
            self._r_squared,
        )

    def _sigma(self, metrics: Any) -> tuple[float, ...] | None:
        fit = self.value(metrics)
        return None if fit is None else fit.sigma

    def _r_squared(self, metrics: Any) -> float | None:
        fit = self.value(metrics)
        return None if fit is None else fit.r_squared


def _component(of: Callable[[Any], Any], index: int) -> Compute:
    def number(metrics: Any) -> float | None:
        values = of(metrics)
        return None if values is None else float(values[index])

    return number


def _part(name: str, key: str) -> Compute:
    def number(metrics: Any) -> float | None:
        value: float | None = getattr(metrics, name)[key]
        return value

    return number


# --- texts of the few that are shown in short -----------------------------------------------------


def _pixels(value: float) -> str:
    return f"{value:.1f} px"


def _pixels_by_axis(values: tuple[float, ...]) -> str:
    # z: what rounds to zero has no sign.
    return " × ".join(f"{x:z.1f}".replace("-", _MINUS) for x in values) + " px"


def _ratios(value: Mapping[str, float]) -> str:
    return f"{100 * value['side']:.3g} %   (area {100 * value['area']:.3g} %)"


def _shares(value: Mapping[str, float]) -> str:
    return " · ".join(f"{100 * x:.3g}" for x in value.values()) + " % of the image"


def _contrasts(value: Mapping[str, float]) -> str:
    return " · ".join(f"{x:.3g} (mod {modulus})" for modulus, x in value.items())


def _plain_number(value: float) -> str:
    return f"{value:.3g}"


METRICS: tuple[Metric, ...] = (
    Metric(
        name="luo_size",
        unit="px",
        sentence=(
            "Side of a square of as many pixels as are above 4.55 % of the centre's value,\n"
            "which is 1 − 0.9545 (Luo et al. 2016); 4.406 σ for a Gaussian."
        ),
        brief=Brief("size", _pixels),
    ),
    Metric(
        name="luo_size_of_maximum",
        unit="px",
        sentence="The same, with the share of the largest value.",
    ),
    AxisMetric(
        name="sigma",
        unit="px",
        sentence="Standard deviation of the position, from second moments.",
        brief=Brief(
            "σ",
            _pixels_by_axis,
            "Standard deviation along each axis (y × x): how far the map is spread around its\n"
            "centre of gravity, the root of the mean squared distance.",
        ),
    ),
    FitMetric(
        name="gaussian",
        unit="px",
        sentence="Standard deviation of the Gaussian that fits best by least squares.",
    ),
    Metric(
        name="fwhm",
        unit="px",
        sentence=(
            "Full width at half maximum: diameter of a disc of as many pixels;\n"
            "2.355 σ for a Gaussian."
        ),
        brief=Brief("FWHM", _pixels),
    ),
    Metric(
        name="r50",
        unit="px",
        sentence=(
            "Radius around the unit's centre that holds half of the map;\n1.177 σ for a Gaussian."
        ),
        brief=Brief("r50", _pixels),
    ),
    Metric(
        name="participation_side",
        unit="px",
        sentence=(
            "Side of a square of (ΣM)² / ΣM² pixels: how many take part; 2√π σ for a Gaussian."
        ),
        brief=Brief(
            "participation",
            _pixels,
            "Side of the square of (ΣM)² / ΣM² pixels: how many take part;\n2√π σ for a Gaussian.",
        ),
    ),
    PartsMetric(
        name="area_ratio",
        sentence=(
            "Share of the image in the smallest square around the unit's centre that holds {} of "
            "the map. RepLKNet's way: of log10(map + 1), around the image's middle; it depends on "
            "the scale of the map."
        ),
        parts={f"{share:g}": f"{share:.0%}" for share in SHARES},
        in_other_way="area_ratio_replknet",
        brief=Brief(
            "areas",
            _shares,
            "Share of the image in the smallest square around the unit's centre that holds\n"
            + ", ".join(f"{100 * share:g} %" for share in SHARES)
            + " of the map.",
        ),
    ),
    OtherWay(
        name="area_ratio_replknet",
        sentence="The same as in RepLKNet's script: of log10(map + 1), around the middle.",
    ),
    PartsMetric(
        name="erf_trf_ratio",
        sentence="luo_size over the theoretical field, of the {}.",
        parts={"side": "sides", "area": "areas"},
        brief=Brief(
            "ERF / TRF",
            _ratios,
            "Effective over theoretical size: ratio of the sides, and of the areas.",
        ),
    ),
    Metric(
        name="anisotropy",
        sentence="Largest over smallest standard deviation in any direction; 1 is round.",
        brief=Brief("anisotropy", _plain_number),
    ),
    PartsMetric(
        name="phase_contrast",
        sentence=(
            "Largest over smallest share of the map, by the remainder of a pixel's place modulo "
            "{}: 1 is even. Nothing where one remainder has none of it."
        ),
        parts={f"{modulus}": f"{modulus}" for modulus in MODULI},
        brief=Brief(
            "phases",
            _contrasts,
            "Phase contrast: largest over smallest share of the map, by the remainder of a\n"
            f"pixel's place modulo {' and '.join(map(str, MODULI))}. 1 is even; large values are "
            "the “dead pixels” of Kim et al. 2021.",
        ),
    ),
    Metric(
        name="angle",
        unit="°",
        sentence="Direction of the largest extent, from x towards y.",
    ),
    AxisMetric(name="centroid", unit="px", sentence="Mean position."),
    AxisMetric(
        name="offset",
        unit="px",
        sentence="Centroid minus the centre of the unit's field.",
        brief=Brief(
            "offset",
            _pixels_by_axis,
            "Centre of gravity minus the centre of the field, along each axis (y × x).",
        ),
    ),
    Metric(
        name="outside",
        sentence="Share of the map outside the visible region; anything but 0 is a mistake.",
    ),
)
"""All metrics, in the order of tables and files."""

NAMES = tuple(x.name for x in METRICS)
"""Their names, which are keys in files and so a contract."""

BY_NAME: Mapping[str, Metric] = {x.name: x for x in METRICS}

IN_SHORT = (
    "luo_size",
    "erf_trf_ratio",
    "sigma",
    "fwhm",
    "r50",
    "participation_side",
    "area_ratio",
    "offset",
    "anisotropy",
    "phase_contrast",
)
"""Metrics that are shown where there is room for a few, the most informative first."""


def numbers(axes: int) -> Iterator[Number]:
    """Yield the numbers of all metrics for a map with a given number of axes."""
    for metric in METRICS:
        yield from metric.numbers(axes)
