"""torchvision and timm for tests, with the build of torch that has no CUDA."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
import torch

# The wheel of torchvision holds operators for the CUDA build of torch, which do not load beside any
# other; without these two, it cannot even be imported.
_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_LIBRARY: Any = torch.library.Library("torchvision", "FRAGMENT")


@cache
def torchvision_models() -> Any:
    """Return `torchvision.models`; skips the test where it is not installed."""
    return _imported("torchvision.models")


@cache
def timm() -> Any:
    """Return `timm`, which asks for nothing on the network; skips the test without it."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    _imported("torchvision")
    return _imported("timm")


def _imported(name: str) -> Any:
    for operator in _OPERATORS:
        with suppress(RuntimeError):  # it is there already
            _LIBRARY.define(operator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)
