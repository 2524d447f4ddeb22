"""Files of effective fields: the map, and a JSON record of how it was computed.

Window and command line write the same.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.other_numbers import OtherNumber
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.metrics.registry import digits_text, numbers
from rfstudio.formats.tables.analysis_tables import Table
from rfstudio.formats.tables.answer_records import other_numbers_record


class Run(Protocol):
    """The facts of a measurement, as in `rfstudio.engine.requests.request.ErfResult`."""

    @property
    def samples(self) -> int:
        """Samples in its mean."""

    @property
    def options(self) -> Mapping[str, Any]:
        """All options of the run."""

    @property
    def device(self) -> str:
        """The device that computed it."""

    @property
    def versions(self) -> Mapping[str, str]:
        """Of program, torch and Python."""

    @property
    def seconds(self) -> float:
        """How long it took, in seconds."""


class Computed(Protocol):
    """A field in closed form, as `rfstudio.core.effective.expected.Erf` holds it."""

    @property
    def exact(self) -> bool:
        """Whether it is exact to rounding."""

    @property
    def exponent(self) -> int:
        """The true values are the map times two to this power."""

    @property
    def options(self) -> Mapping[str, Any]:
        """How it was computed."""


def computed_facts(erf: Computed, version: str, seconds: float | None = None) -> dict[str, Any]:
    """Return the facts of a computed field for its record, beside map and metrics.

    ``exactness`` is the word for the truth value ``exact``; programs rely on both.
    """
    facts = {
        "exact": erf.exact,
        "exactness": "exact" if erf.exact else "approximate",
        "exponent": erf.exponent,
        "options": dict(erf.options),
        "versions": {"rfstudio": version},
    }
    return facts if seconds is None else facts | {"seconds": round(seconds, 6)}


def measured_facts(run: Run, recipe: str | None) -> dict[str, Any]:
    """Return the facts of a measurement for its record, beside map and metrics."""
    return {
        "recipe": recipe,
        "samples": run.samples,
        "options": dict(run.options),
        "device": run.device,
        "versions": dict(run.versions),
        "seconds": round(run.seconds, 3),
    }


def erf_record(
    analysis: Analysis,
    layer: str,
    unit: Sequence[int],
    estimator: str,
    facts: Mapping[str, Any],
    notes: Sequence[str],
    metrics: Mapping[str, Any],
    others: Iterable[OtherNumber] = (),
) -> dict[str, Any]:
    """Return everything of a field except its map, as JSON can hold it.

    Parameters
    ----------
    analysis, layer, unit
        Whose field it is.
    estimator
        What was averaged, or "expected".
    facts
        How it was computed, such as `measured_facts`.
    notes
        What a reader of the numbers should know.
    metrics
        The numbers of the map, by their standard names.
    others
        Other sizes that are found for the field, and why they differ.
    """
    name = analysis.architecture.input_name
    return {
        "format": 1,
        "name": analysis.architecture.name,
        "input": {
            **({"name": name} if name else {}),
            "size": list(analysis.input_size),
            "channels": analysis.architecture.channels,
        },
        "layer": layer,
        "unit": list(unit),
        "estimator": estimator,
        **{key: plain(value) for key, value in facts.items()},
        "notes": list(notes),
        "metrics": plain(metrics),
        "other_numbers": other_numbers_record(others),
    }


def erf_npz(field: NDArray[np.float64], record: Mapping[str, Any]) -> bytes:
    """Return a compressed NumPy archive of ``map``, the field, and ``json``, its record."""
    buffer = io.BytesIO()
    text = json.dumps(record, ensure_ascii=False)
    np.savez_compressed(buffer, map=field.astype(np.float64), json=np.array(text))
    return buffer.getvalue()


def record_json(record: Mapping[str, Any]) -> str:
    """Return the record of a measurement as JSON text, which ends with a line break."""
    return json.dumps(record, ensure_ascii=False, indent=1) + "\n"


def numbers_table(metrics: Metrics, digits: int, missing: str) -> Table:
    """Return all numbers of a field, one row each.

    Parameters
    ----------
    metrics
        The numbers.
    digits
        How many significant digits they get.
    missing
        The text where a number has no meaning.
    """
    rows = []
    for number in numbers(metrics.map.ndim):
        value = number.of(metrics)
        text = missing if value is None else digits_text(value, digits)
        rows.append((number.name, number.unit, text))
    return Table(("number", "unit", "value"), tuple(rows), (False, False, True))


def plain(value: object) -> Any:
    """Return `value` as JSON can hold it; a number that does not exist becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(x) for key, x in value.items()}
    if isinstance(value, tuple | list | np.ndarray):
        return [plain(x) for x in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)
