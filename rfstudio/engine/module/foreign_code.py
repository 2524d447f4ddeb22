"""Errors of a user's own module, shown with the line of their code instead of a page of torch's."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

import rfstudio
from rfstudio.core.errors import RFStudioError
from rfstudio.engine.process import devices
from rfstudio.engine.process.errors import MeasurementError

_NOT_THEIRS = tuple(str(Path(x.__file__).parent) for x in (torch, rfstudio) if x.__file__)


@contextmanager
def told_in_words(module: nn.Module, what: str) -> Iterator[None]:
    """Turn what a module raises into a sentence; the error itself stays as its cause.

    Parameters
    ----------
    module
        Whose code runs meanwhile.
    what
        What it does then: "its forward pass fails".

    Raises
    ------
    MeasurementError
        That names the module, the error and the last line of code that is neither torch's nor ours.
        Lack of memory, which smaller batches may help, passes as it is.
    """
    try:
        yield
    except RFStudioError:
        raise
    except Exception as error:
        if devices.is_out_of_memory(error):
            raise
        raise MeasurementError(
            f"{type(module).__qualname__}: {what}{_place(error)}: {type(error).__name__}: {error}"
        ) from error


def _place(error: BaseException) -> str:
    """Return where the user's code was, in words; empty: it is not among the calls."""
    theirs = [
        x
        for x in traceback.extract_tb(error.__traceback__)
        if not x.filename.startswith((*_NOT_THEIRS, "<frozen"))
    ]
    if not theirs:
        return ""
    last = theirs[-1]
    return f" in {last.name}, line {last.lineno} of {last.filename}"
