"""Linear layers over positions, and patches: rebuilt networks compute what the modules do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.core.fields.analysis import analyze
from rfstudio.engine.importing.load import load_module
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml


class _Mixer(nn.Module):
    """The token mixing of MLP-Mixer, through another number of tokens and back."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.norm = nn.LayerNorm(8)
        self.fc1, self.fc2 = nn.Linear(30, 50), nn.Linear(50, 30)
        self.last = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        tokens = x.flatten(2).mT
        mixed = self.fc2(functional.gelu(self.fc1(self.norm(tokens).mT)))
        return self.last(x + mixed.unflatten(2, (5, 6)))


class _Gate(nn.Module):
    """The spatial gate of gMLP."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.norm = nn.LayerNorm(4)
        self.proj = nn.Linear(30, 30)

    def forward(self, x: Tensor) -> Tensor:
        kept, gate = self.stem(x).flatten(2).mT.chunk(2, -1)
        gate = self.proj(self.norm(gate).mT).mT
        return (kept * gate).mT.unflatten(2, (5, 6))


class _Axes(nn.Module):
    """Linear layers along the height and the width, as in Vision Permutator."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, 4)
        self.height, self.width = nn.Linear(5, 5, bias=False), nn.Linear(6, 9)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.width(self.height(x.mT).mT)


class _Patches(nn.Module):
    """Patches with overlap, mixed and folded back."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.mix = nn.Conv2d(36, 36, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = functional.unfold(x, 3, padding=1, stride=2).unflatten(2, (10, 12))
        return functional.fold(self.mix(y).flatten(2), (20, 24), 3, padding=1, stride=2)


KEYWORDS = {
    _Mixer: ["axis_linear", "axis_linear"],
    _Gate: ["axis_linear"],
    _Axes: ["axis_linear", "axis_linear"],
    _Patches: ["unfold", "fold"],
}


@pytest.mark.parametrize("kind", KEYWORDS, ids=lambda x: x.__name__)
def test_that_a_rebuilt_network_computes_what_the_module_does(kind) -> None:
    torch.manual_seed(0)
    module = kind().eval()
    network = load_module(module, (20, 24))
    assert not list(network.report)
    found = [x.op.keyword for x in analyze(network).graph.nodes[1:] if x.op is not None]
    assert [x for x in found if x in ("axis_linear", "unfold", "fold")] == KEYWORDS[kind]
    assert "custom" not in found
    rebuilt = to_torch(read_yaml(write_yaml(network)))
    rebuilt.load_state_dict(module.state_dict())
    image = torch.randn(2, 3, 20, 24)
    with torch.no_grad():
        torch.testing.assert_close(rebuilt(image), module(image), rtol=1e-4, atol=1e-5)
