"""Makes the strict device known to torch, and keeps torch on one thread."""

import pytest
import torch

from tests.engine import strict_device

strict_device.register()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
