"""Measurements as work for the worker process: importing this imports no torch."""

from __future__ import annotations

import importlib

from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.engine.process.torch_import import need_torch
from rfstudio.engine.requests.gains_request import GainsRequest, GainsResult
from rfstudio.engine.requests.request import ErfRequest, ErfResult


def measure_erf(
    request: ErfRequest, token: CancelToken, report: Report, earlier: ErfResult | None = None
) -> ErfResult:
    """Measure an effective receptive field; see `rfstudio.engine.measuring.erf.measure`.

    This process caches what the next unit of the same map can use.
    """
    need_torch()
    erf = importlib.import_module("rfstudio.engine.measuring.erf")
    networks = importlib.import_module("rfstudio.engine.measuring.network_cache").HERE
    result: ErfResult = erf.measure(
        request, report=report, token=token, earlier=earlier, networks=networks
    )
    return result


def measure_gains(request: GainsRequest, token: CancelToken, report: Report) -> GainsResult:
    """Measure how much energy layers pass on; see `rfstudio.engine.measuring.gains`."""
    need_torch()
    gains = importlib.import_module("rfstudio.engine.measuring.gains")
    result: GainsResult = gains.measure_gains(request, report=report, token=token)
    return result
