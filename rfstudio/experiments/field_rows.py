"""The row of one computed or measured field, beside the costs of its network."""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from rfstudio import api
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.metrics.phases import phase_contrast
from rfstudio.engine.process.running import Report, ignore
from rfstudio.engine.process.torch_import import need_torch
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.formats.experiments.ledger import Cell, Row
from rfstudio.formats.experiments.recipe import COMPUTED, FieldItem
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
        cells |= {"weights": item.weights, "samples": item.samples, "seed": seed}
    if item.estimator != "path-count" and item.weights == "random":
        cells["init"] = item.init
    cells |= _sizes(metrics, layer)
    cells |= _costs(analysis, layer)
    if item.estimator == "expected":
        cells |= {f"phase_contrast_{m}": _contrast(metrics, m) for m in (2, 4)}
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
    request = ErfRequest(
        architecture=item.network,
        layer=layer.name,
        estimator=item.estimator,  # type: ignore[arg-type] # the reader has checked the word
        weights=item.weights,
        init=item.init,
        samples=item.samples,
        images_per_weights=1,
        seed=seed,
        device="cpu",  # the same numbers on every machine
    )
    return api.measure(request, report=report).metrics, None


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
