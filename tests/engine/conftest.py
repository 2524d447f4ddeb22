"""Makes the networks of the engine's tests importable, and keeps torch on one thread."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

import strict_device

strict_device.register()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
