"""The import of a model as work for the worker process, which loads neither Qt nor torch for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.engine.requests.jobs import import_network
from rfstudio.formats.onnx.load import load_onnx
from rfstudio.importing.imported import Imported
from rfstudio.importing.reference import is_onnx
from rfstudio.importing.request import ImportRequest


def import_model(request: ImportRequest, token: CancelToken, report: Report) -> Imported:
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
    SizeUnknownError
        If an ONNX file leaves the size of the image open, and none is given.
    RFStudioError
        If it cannot be imported; the text says why.
    """
    if isinstance(request.source, Path) and is_onnx(request.source):
        report(0.2, "reading the file")
        network = load_onnx(request.source, request.input_size)
    else:
        network = import_network(request, token, report)
    if not isinstance(request.source, Path):
        return network
    state = request.source.stat()  # a file that has changed since has other weights
    return replace(network, edition=f"{request.source}:{state.st_size}:{state.st_mtime_ns}")
