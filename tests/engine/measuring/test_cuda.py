"""Measuring on a CUDA device, where there is one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from rfstudio.formats.networks.presets import read_preset
from tests.engine import cuda_checks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


@pytest.mark.parametrize("check", cuda_checks.CHECKS, ids=lambda check: check.__name__)
def test_that_a_measurement_works_on_a_cuda_device(check: Callable[[], str]) -> None:
    check()


def test_that_cancel_is_prompt_on_a_cuda_device() -> None:
    cuda_checks.check_that_cancel_is_prompt(read_preset("resnet50"), "layer4", 224)
