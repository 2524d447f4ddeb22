"""The weights of a module as the bytes of a safetensors file, as measuring reads them."""

from __future__ import annotations

import safetensors.torch
from torch import nn


def weights_bytes(module: nn.Module) -> bytes:
    """Return all weights and statistics of a module, by their names."""
    state = {name: x.detach().cpu().contiguous() for name, x in module.state_dict().items()}
    data: bytes = safetensors.torch.save(state)
    return data
