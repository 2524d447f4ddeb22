"""Presets with the weights of torchvision's models: the same outputs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from rfstudio.engine.module.build import to_torch
from rfstudio.engine.weights.reading import load_weights
from rfstudio.formats.networks.presets import read_preset
from tests.engine.real_models import torchvision_models


def _with_statistics(name: str) -> nn.Module:
    """Return a model with random weights whose norms have measured something."""
    torch.manual_seed(0)
    module: nn.Module = getattr(torchvision_models(), name)(weights=None)
    for key, x in module.named_buffers():
        if key.endswith("running_mean"):
            x.uniform_(-0.2, 0.2)
        elif key.endswith("running_var"):
            x.uniform_(0.5, 1.5)
    return module.double().eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("preset", "model", "side"),
    [
        ("resnet50", "resnet50", 64),
        ("shufflenet_v2_x1_0", "shufflenet_v2_x1_0", 64),
        ("swin_t", "swin_t", 224),
    ],
)
def test_that_a_preset_computes_what_torchvision_does(
    preset: str, model: str, side: int, tmp_path: Path
) -> None:
    theirs = _with_statistics(model)
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    ours = to_torch(read_preset(preset), input_size=(side, side), dtype=torch.float64)
    loaded = load_weights(ours, tmp_path / "weights.pth")
    assert (loaded.missing, loaded.unexpected) == ((), ())
    image = torch.randn(1, 3, side, side, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(ours(image).flatten(1), theirs(image), atol=1e-9)
