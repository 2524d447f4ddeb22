"""Measurements as work for the worker process: importing this imports no torch."""

from __future__ import annotations

import importlib

from rfstudio.engine.gains_request import GainsRequest, GainsResult
from rfstudio.engine.request import ErfRequest, ErfResult
from rfstudio.engine.running import CancelToken, Report
from rfstudio.engine.torch_import import need_torch


def measure_erf(
    request: ErfRequest, token: CancelToken, report: Report, kept: ErfResult | None = None
) -> ErfResult:
    """Measure an effective receptive field; see `rfstudio.engine.erf.measure`.

    What the next unit of the same map can use stays in this process.
    """
    need_torch()
    erf = importlib.import_module("rfstudio.engine.erf")
    networks = importlib.import_module("rfstudio.engine.kept").HERE
    result: ErfResult = erf.measure(
        request, report=report, token=token, kept=kept, networks=networks
    )
    return result


def measure_gains(request: GainsRequest, token: CancelToken, report: Report) -> GainsResult:
    """Measure how much energy layers pass on; see `rfstudio.engine.gains.measure_gains`."""
    need_torch()
    gains = importlib.import_module("rfstudio.engine.gains")
    result: GainsResult = gains.measure_gains(request, report=report, token=token)
    return result
