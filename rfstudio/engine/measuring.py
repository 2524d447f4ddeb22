"""Measurements as work for the worker process: importing this imports no torch."""

from __future__ import annotations

import importlib

from rfstudio.engine.request import ErfRequest, ErfResult
from rfstudio.engine.running import CancelToken, Report


def measure_erf(
    request: ErfRequest, token: CancelToken, report: Report, kept: ErfResult | None = None
) -> ErfResult:
    """Measure an effective receptive field; see `rfstudio.engine.erf.measure`.

    What the next unit of the same map can use stays in this process.
    """
    erf = importlib.import_module("rfstudio.engine.erf")
    networks = importlib.import_module("rfstudio.engine.kept").HERE
    result: ErfResult = erf.measure(
        request, report=report, token=token, kept=kept, networks=networks
    )
    return result
