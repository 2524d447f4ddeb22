"""Tables and files of measured attention."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rfstudio.core.metrics.attention import LayerAttention
from rfstudio.core.metrics.registry import digits_text
from rfstudio.formats.tables.analysis_tables import MISSING, Table

_SHOWN = 3
"""Digits in a table for people."""


def attention_table(
    layers: Sequence[LayerAttention], digits: int = _SHOWN, missing: str = MISSING
) -> Table:
    """Return the distances of all heads of one layer, or a row for each of several layers."""

    def text(value: float | None) -> str:
        return missing if value is None else digits_text(float(value), digits)

    if len(layers) == 1:
        (layer,) = layers
        far = layer.distance
        rows = [
            (str(head), text(None if far is None else far[head]), text(layer.to_tokens[head]))
            for head in range(layer.heads)
        ]
        rows.append(("mean", text(layer.mean_distance), text(float(layer.to_tokens.mean()))))
        return Table(("head", "distance", "to_tokens"), tuple(rows), (False, True, True))
    found = []
    for layer in layers:
        far = layer.distance
        ends = (None, None) if far is None else (float(far.min()), float(far.max()))
        numbers = (layer.mean_distance, *ends, float(layer.to_tokens.mean()))
        found.append((layer.layer, str(layer.heads), *map(text, numbers)))
    headers = ("layer", "heads", "distance", "nearest head", "farthest head", "to_tokens")
    return Table(headers, tuple(found), (False, *(True,) * 5))


def attention_record(
    name: str, layers: Sequence[LayerAttention], seconds: float | None = None
) -> dict[str, Any]:
    """Return everything as JSON can hold it, the maps of the query included."""
    first = layers[0]
    record: dict[str, Any] = {
        "format": 1,
        "name": name,
        "estimator": "attention",
        "unit_of_distance": "pixels of the input",
        "options": dict(first.options),
        "notes": list(first.notes),
        "layers": [_layer_record(x) for x in layers],
    }
    return record if seconds is None else record | {"seconds": round(seconds, 3)}


def _layer_record(layer: LayerAttention) -> dict[str, Any]:
    far = layer.distances
    return {
        "layer": layer.layer,
        "heads": layer.heads,
        "unit": list(layer.unit),
        "size": list(layer.size),
        "mean_distance": layer.mean_distance,
        "distance": None if far is None else far.mean(0).tolist(),
        "distance_by_image": None if far is None else far.tolist(),
        "to_tokens": layer.to_tokens.tolist(),
        "token_weights": layer.token_weights.tolist(),
        "maps": layer.maps.tolist(),
    }


def attention_npz(layers: Sequence[LayerAttention], record: Mapping[str, Any]) -> bytes:
    """Return a compressed archive: the maps of each layer by its path, and ``json``."""
    buffer = io.BytesIO()
    slim = {**record, "layers": [{**x, "maps": None} for x in record["layers"]]}
    text = json.dumps(slim, ensure_ascii=False)
    maps: dict[str, Any] = {x.layer: x.maps for x in layers}
    np.savez_compressed(buffer, json=np.array(text), **maps)
    return buffer.getvalue()
