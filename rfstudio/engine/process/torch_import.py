"""Imports torch, or says in a sentence why that fails, before anything that needs it is imported.

Importing this module does not import torch.
"""

from __future__ import annotations

import importlib
import sys

from rfstudio.engine.process.errors import TorchMissingError

_PARTS = ("torch", "torch.nn.functional", "safetensors.torch")
_USED = ("Tensor", "nn", "autograd")
_REMEDY = (
    "this packed program comes without it"
    if getattr(sys, "frozen", False)
    else "pip install 'rfstudio[measure]' adds it, and the README says how large it is"
)


class _Import:
    """The outcome of the first attempt; a broken module would fail differently the second time."""

    is_done = False
    failure = ""


def need_torch() -> None:
    """Import torch.

    Raises
    ------
    TorchMissingError
        If it cannot be imported for any reason: it is not installed, a library of the system is
        missing, or an installation was interrupted.
    """
    if not _Import.is_done:
        _Import.failure = _failure()
        _Import.is_done = True
    if _Import.failure:
        raise TorchMissingError(
            f"measuring needs torch, which cannot be used here ({_Import.failure}); {_REMEDY}. "
            "Fields, figures and the expected effective field work without it"
        )


def _failure() -> str:
    """Return why torch cannot be imported, in a line; empty if it can."""
    try:
        for name in _PARTS:
            importlib.import_module(name)
        torch = importlib.import_module("torch")
    except MemoryError:
        raise TorchMissingError(
            "there is not enough memory to load torch; close other programs, or measure on a "
            "machine with more"
        ) from None
    # Broken libraries raise OSError, half an installation anything.
    except Exception as error:  # noqa: BLE001
        message = " ".join(str(error).split())
        return f"{type(error).__name__}: {message[:300]}"
    missing = [x for x in _USED if not hasattr(torch, x)]
    return f"it has no {missing[0]}, so its installation is broken" if missing else ""
