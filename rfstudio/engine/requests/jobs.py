"""Measurements and imports as work for the worker process: importing this imports no torch."""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.engine.process.torch_import import need_torch
from rfstudio.engine.requests.gains_request import GainsRequest, GainsResult
from rfstudio.engine.requests.request import OWN_WEIGHTS, ErfRequest, ErfResult
from rfstudio.importing.imported import Imported
from rfstudio.importing.request import ImportRequest

_ON_MODULE = "measured on the model itself, with its weights"


def measure_erf(
    request: ErfRequest, token: CancelToken, report: Report, earlier: ErfResult | None = None
) -> ErfResult:
    """Measure an effective receptive field; see `rfstudio.engine.measuring.erf.measure`.

    This process caches what the next unit of the same map can use.
    """
    need_torch()
    erf = importlib.import_module("rfstudio.engine.measuring.erf")
    networks = importlib.import_module("rfstudio.engine.measuring.network_cache").HERE
    own = None
    if request.weights == OWN_WEIGHTS:
        own = importlib.import_module("rfstudio.engine.importing.own_module").own_layer(request)
    result: ErfResult = erf.measure(
        request, report=report, token=token, module=own, earlier=earlier, networks=networks
    )
    if own is None or _ON_MODULE in result.notes:
        return result
    return replace(result, notes=(_ON_MODULE, *result.notes))


def measure_gains(request: GainsRequest, token: CancelToken, report: Report) -> GainsResult:
    """Measure how much energy layers pass on; see `rfstudio.engine.measuring.gains`."""
    need_torch()
    gains = importlib.import_module("rfstudio.engine.measuring.gains")
    result: GainsResult = gains.measure_gains(request, report=report, token=token)
    return result


def import_network(request: ImportRequest, token: CancelToken, report: Report) -> Imported:
    """Return a network without the module that it came from, which stays in this process.

    Parameters
    ----------
    request
        What to import.
    token
        Polled between the steps.
    report
        Receives what is done now, in words.

    Raises
    ------
    RFStudioError
        If it cannot be imported; the text says why.
    """
    report(0.1, "starting torch")
    need_torch()
    token.check()
    engine = "rfstudio.engine.importing."
    if isinstance(request.source, Path):
        report(0.5, "reading the program")
        read: Any = importlib.import_module(engine + "pt2").load_pt2
        program: Imported = read(request.source)
        return program
    report(0.2, "running the code")
    module: Any = importlib.import_module(engine + "code").module_from(request.source)
    token.check()
    report(0.6, "following the image through the module")
    load: Any = importlib.import_module(engine + "load").load_given
    found: Imported = load(module, request.input_size)
    holding: Any = importlib.import_module(engine + "held")
    key = holding.hold(module)
    return replace(found, module=None, state=partial(holding.state_of_held, key), edition=key)
