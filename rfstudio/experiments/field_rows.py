"""The row of one computed or measured field, beside the costs of its network."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rfstudio import api
from rfstudio.api.attending import attentions_of
from rfstudio.api.measuring import with_own_weights
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.metrics.phases import phase_contrast
from rfstudio.core.network.attention_layers import attention_paths
from rfstudio.engine.process.running import Report, ignore
from rfstudio.engine.process.torch_import import need_torch
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.formats.experiments.ledger import Cell, Row
from rfstudio.formats.experiments.recipe import COMPUTED, FieldItem
from rfstudio.formats.images.photos import photos_of
from rfstudio.formats.tables.analysis_tables import sizes_text


def field_row(number: int, item: FieldItem, seed: int, report: Report = ignore) -> Row:
    """Compute or measure one field.

    Parameters
    ----------
    number
        That of the item in its recipe.
    item
        What is measured.
    seed
        Of weights, inputs and signs.
    report
        Receives the fraction done.

    Raises
    ------
    RFStudioError
        If the network has no such layer, or the field cannot be measured.
    """
    analysis = api.analyze(item.network)
    layer = analysis[item.layer] if item.layer else analysis.layers[-1]
    metrics, exact = _field(item, analysis, layer, seed, report)
    cells: dict[str, Cell] = {
        "series": item.series,
        **item.parameters,
        "network": item.network.name,
        "layer": item.layer or layer.name,
        "estimator": item.estimator,
        "exact": exact,
    }
    if item.estimator in COMPUTED:  # for all weights of a distribution, so there is no seed
        cells["weights"] = "all equal" if item.estimator == "path-count" else "random"
    else:
        samples = item.samples or len(_photos(item))
        cells |= {"weights": _named(item.weights), "samples": samples, "seed": seed}
    if item.images is not None:
        cells["images"] = item.images.name
    if item.estimator != "path-count" and item.weights == "random":
        cells["init"] = item.init
    cells |= _sizes(metrics, layer)
    cells |= _costs(analysis, layer)
    if item.estimator == "expected":
        cells |= {f"phase_contrast_{m}": _contrast(metrics, m) for m in (2, 4)}
    if item.attention:
        cells |= _attention(item, analysis, item.layer or layer.name, seed)
    return Row(number, cells, scaled(metrics.map))


def _field(
    item: FieldItem, analysis: Analysis, layer: LayerAnalysis, seed: int, report: Report
) -> tuple[Metrics, bool | None]:
    """Return the numbers of the field, and whether it is exact; None: it is measured."""
    if item.estimator == "path-count":
        return api.path_counts(analysis, layer.name).metrics, True
    if item.estimator in COMPUTED:
        erf = api.expected_erf(analysis, layer.name, init=item.init)
        if item.estimator == "expected":
            return erf.metrics, erf.exact
        return Metrics(np.sqrt(erf.map), erf.metrics.frame), erf.exact
    need_torch()
    request, module = with_own_weights(_request(item, layer.name, seed), is_chosen=True)
    return api.measure(request, module=module, report=report).metrics, None


def _request(item: FieldItem, layer: str, seed: int) -> ErfRequest:
    is_measured = item.estimator not in COMPUTED
    return ErfRequest(
        architecture=item.network,
        layer=layer,
        estimator=item.estimator if is_measured else "energy",  # type: ignore[arg-type] # checked
        weights=item.weights,
        init=item.init,
        samples=item.samples or None,
        images=_photos(item),
        images_per_weights=1,
        seed=seed,
        device="cpu",  # the same numbers on every machine
    )


def _photos(item: FieldItem) -> Sequence[NDArray[np.uint8]]:
    return () if item.images is None else photos_of(item.images)


def _named(weights: str) -> str:
    """Return weights as a table says them: of a file its name."""
    return Path(weights).name


def _attention(item: FieldItem, analysis: Analysis, path: str, seed: int) -> dict[str, Cell]:
    """Return the attention distances within a layer or container, measured as the field is."""
    names = attention_paths(analysis.graph)
    within = [x for x in names if x == path or x.startswith(f"{path}.")]
    found = attentions_of(_request(item, "", seed), within) if within else []
    heads = [x.distance for x in found if x.distance is not None]
    if not heads:
        return dict.fromkeys(("attention", "nearest_head", "farthest_head"))
    return {
        "attention": float(np.mean([x.mean() for x in heads])),
        "nearest_head": float(min(x.min() for x in heads)),
        "farthest_head": float(max(x.max() for x in heads)),
    }


def _sizes(metrics: Metrics, layer: LayerAnalysis) -> dict[str, Cell]:
    size, sigma, fit = metrics.luo_size, metrics.sigma, metrics.gaussian
    side = metrics.participation_side
    return {
        "trf": _largest(layer.rf_size),
        "local_trf": None if layer.local is None else _largest(layer.local.rf_size),
        "luo_size": size,
        "pixels": metrics.luo_count,
        "sigma": None if sigma is None else float(np.mean(sigma)),
        "r_squared": None if fit is None else fit.r_squared,
        "ratio": metrics.erf_trf_ratio["side"],
        "contributing": None if side is None else side**metrics.map.ndim,
    }


def _largest(sizes: tuple[int | None, ...]) -> int | None:
    """Return the largest side of a field; None if it is the whole image along some axis."""
    sides = [x for x in sizes if x is not None]
    return max(sides) if len(sides) == len(sizes) else None


def _costs(analysis: Analysis, layer: LayerAnalysis) -> dict[str, Cell]:
    return {
        "parameters": sum(x.parameters for x in analysis.layers),
        "macs": sum(x.macs for x in analysis.layers),
        "depth": layer.depth,
        "jump": sizes_text(layer.jump),
        "output_size": sizes_text(layer.output_size),
        "alignment": layer.alignment[0],
    }


def _contrast(metrics: Metrics, modulus: int) -> float | None:
    contrast = phase_contrast(metrics.map, modulus)
    return contrast if isfinite(contrast) else None


def scaled(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return a map as the ledger holds it, with its largest value 1, which single precision has."""
    peak = float(values.max(initial=0.0))
    return (values / peak if peak > 0 else values).astype(np.float32)
