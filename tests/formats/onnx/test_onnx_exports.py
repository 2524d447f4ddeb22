"""Modules that torch exports to ONNX: the same regions as the modules themselves have.

The exporter does not know `mT`, which the module of tokens uses, so that one is not among them.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rfstudio
from rfstudio.engine.importing.load import load_module
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.weights.own_weights import take_own_weights
from rfstudio.formats.onnx.load import load_onnx
from tests.engine.handwritten_modules import (
    MODULES,
    Gates,
    Interleaved,
    Pieces,
    Residuals,
    Signal,
    Volume,
    Windows,
)

pytest.importorskip("onnx")


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Residuals, Pieces, Interleaved, Windows, Gates, Volume, Signal])
def test_that_an_export_has_the_regions_of_its_module(kind: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, size = kind().eval(), MODULES[kind][2:]
    original = load_module(module, size)
    path = tmp_path / "net.onnx"
    image = torch.zeros(1, original.channels, *size)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that needs no other package is deprecated
        torch.onnx.export(module, (image,), path, dynamo=False, opset_version=17)
    expected, found = rfstudio.analyze(original), rfstudio.analyze(load_onnx(path))
    known = {x.name for x in found.layers}
    # Exports have no norms that are folded into convolutions, nor modules that do nothing.
    modules = dict(module.named_modules())
    shared = [x.name for x in expected.layers if x.name in known and x.name in modules]
    assert len(shared) >= 2
    for name in shared:
        size = expected[name].output_size
        assert found[name].output_size == size
        for unit in ((0,) * len(size), tuple(n // 2 for n in size), tuple(n - 1 for n in size)):
            region = found.unit(name, unit).visible_region
            assert region == expected.unit(name, unit).visible_region, (name, unit)


class _Trained(nn.Module):
    """Layers whose numbers a file holds in other shapes or under other names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 4, 2, 2)
        self.act, self.last = nn.PReLU(4), nn.Linear(4 * 12 * 8, 5)
        assert self.norm.running_mean is not None
        self.norm.running_mean.normal_()

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.norm(torch.relu(self.conv(x))))
        return self.last(self.act(self.up(x)).flatten(1))


@pytest.mark.slow
def test_that_an_export_computes_what_its_module_does_with_the_weights_of_the_file(
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    module, path, image = _Trained().eval(), tmp_path / "net.onnx", torch.randn(1, 3, 8, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (image,), path, dynamo=False, opset_version=17)
    network = load_onnx(path)
    rebuilt = GraphModule(network).eval()
    assert take_own_weights(rebuilt, network) == ((), (), (), (), ())
    assert torch.allclose(rebuilt(image).flatten(1), module(image), atol=1e-5)
    found = rfstudio.erf(str(path), "up", samples=2)
    assert found.notes == ("weights of the model, in the network that is rebuilt from it",)
