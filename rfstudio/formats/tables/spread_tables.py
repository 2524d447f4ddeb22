"""Tables and files of the fields of one unit on several images."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.metrics.registry import digits_text
from rfstudio.core.metrics.spread import FieldSpread, ImageField, Spread
from rfstudio.formats.tables.analysis_tables import MISSING, Table

NUMBERS: tuple[tuple[str, Callable[[ImageField], float | None]], ...] = (
    ("sigma", lambda x: x.sigma),
    ("luo_size", lambda x: x.luo_size),
    ("fwhm", lambda x: x.fwhm),
    ("strength", lambda x: x.strength),
    ("object_share", lambda x: x.object_share),
    ("object_area", lambda x: x.object_area),
    ("preference", lambda x: x.preference),
    ("sigma_on_object", lambda x: x.on_object),
    ("sigma_on_background", lambda x: x.on_background),
)
"""The numbers of an image, with their names in files."""

_SHOWN = 3
"""Digits in a table for people."""


def spread_table(spread: FieldSpread, digits: int = _SHOWN, missing: str = MISSING) -> Table:
    """Return the images, those with the smallest field first, then their mean and spread."""
    numbers = [(name, of) for name, of in NUMBERS if spread.spread_of(of) is not None]

    def cells(values: Sequence[float | None]) -> tuple[str, ...]:
        return tuple(missing if x is None else digits_text(x, digits) for x in values)

    rows = [(x.name, *cells([of(x) for _, of in numbers])) for x in spread.ordered]
    found = [spread.spread_of(of) for _, of in numbers]
    rows.append(("mean", *cells([None if x is None else x.mean for x in found])))
    deviations = [None if x is None else x.deviation for x in found]
    rows.append(("± over images", *cells(deviations)))
    headers = ("image", *(name for name, _ in numbers))
    return Table(headers, tuple(rows), (False, *(True for _ in numbers)))


def spread_record(
    analysis: Analysis, spread: FieldSpread, options: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """Return everything but the maps, as JSON can hold it."""

    def entry(found: Spread | None) -> dict[str, Any] | None:
        if found is None:
            return None
        return {"mean": found.mean, "deviation": found.deviation, "count": found.count}

    return {
        "format": 1,
        "name": analysis.architecture.name,
        "input": {"size": list(spread.size), "channels": analysis.architecture.channels},
        "layer": spread.layer,
        "unit": list(spread.unit),
        "options": dict(options),
        "draws": spread.draws,
        "sigma_noise": spread.noise,
        "seconds": round(seconds, 3),
        "summary": {name: entry(spread.spread_of(of)) for name, of in NUMBERS},
        "images": [
            {"name": x.name, "box": [list(y) for y in x.box]}
            | {name: of(x) for name, of in NUMBERS}
            for x in spread.ordered
        ],
    }


def spread_npz(spread: FieldSpread, record: Mapping[str, Any]) -> bytes:
    """Return a compressed archive: ``mean``, ``deviation``, ``maps`` by size, and ``json``.

    The maps are within the box of the record, and only there if memory held all of them.
    """
    arrays: dict[str, Any] = {"mean": spread.mean, "deviation": spread.deviation}
    maps = [x.map for x in spread.ordered if x.map is not None]
    if len(maps) == len(spread.fields):
        arrays["maps"] = np.stack(maps)
    buffer = io.BytesIO()
    text = json.dumps(record, ensure_ascii=False)
    np.savez_compressed(buffer, json=np.array(text), **arrays)
    return buffer.getvalue()


def spread_sentences(spread: FieldSpread) -> str:
    """Return what was found, in sentences."""
    sigma = spread.spread_of(lambda x: x.sigma)
    count = len(spread.fields)
    if sigma is None:
        return f"The field is zero on all {count} images."
    words = [f"σ {sigma.mean:.3g} ± {sigma.deviation:.2g} px over {sigma.count} images"]
    if spread.draws > 1:
        words.append(f"{spread.noise:.2g} of it from the {spread.draws} draws of signs")
    found = [", ".join(words)]
    preference = spread.spread_of(lambda x: x.preference)
    if preference is not None:
        found.append(
            f"the object has {preference.mean:.2f} ± {preference.deviation:.2f} times the energy "
            "of an even field"
        )
    pair = [spread.spread_of(x) for x in (lambda x: x.on_object, lambda x: x.on_background)]
    on_object, on_background = pair
    if on_object is not None and on_background is not None:
        found.append(
            f"units on the object have σ {on_object.mean:.3g} ± {on_object.deviation:.2g}, on the "
            f"background {on_background.mean:.3g} ± {on_background.deviation:.2g}"
        )
    return "; ".join(found) + "."
