"""The preset ShuffleNet v2 against the network written out in torch.

Structure and names are those of torchvision/models/shufflenetv2.py.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.engine.importing.load import load_module
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.presets import read_preset


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels)


def _conv(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)


class _Unit(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        self.branch1 = nn.Sequential()
        if stride > 1:
            self.branch1 = nn.Sequential(
                *(_conv(inputs, inputs, 3, stride, inputs), _norm(inputs)),
                *(_conv(inputs, half), _norm(half), nn.ReLU()),
            )
        self.branch2 = nn.Sequential(
            *(_conv(inputs if stride > 1 else half, half), _norm(half), nn.ReLU()),
            *(_conv(half, half, 3, stride, half), _norm(half)),
            *(_conv(half, half), _norm(half), nn.ReLU()),
        )
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, 1) if self.stride == 1 else (self.branch1(x), x)
        joined = torch.cat([left, self.branch2(right)], 1)
        return functional.channel_shuffle(joined, 2)


class _ShuffleNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(_conv(3, 24, 3, 2), _norm(24), nn.ReLU())
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = 24
        for stage, count, outputs in ((2, 4, 116), (3, 8, 232), (4, 4, 464)):
            units = [_Unit(inputs, outputs, 2)]
            units += [_Unit(outputs, outputs, 1) for _ in range(count - 1)]
            setattr(self, f"stage{stage}", nn.Sequential(*units))
            inputs = outputs
        self.conv5 = nn.Sequential(_conv(464, 1024), _norm(1024), nn.ReLU())
        self.fc = nn.Linear(1024, 1000)

    def maps(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.conv1(x))
        for stage in (2, 3, 4):
            x = self.get_submodule(f"stage{stage}")(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.conv5(self.maps(x)).mean([2, 3]))


@pytest.mark.slow
def test_that_the_preset_has_the_weights_by_name_and_computes_the_same() -> None:
    ours = to_torch(read_preset("shufflenet_v2_x1_0"), seed=1)
    theirs = _ShuffleNet().eval()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(image).flatten(1), theirs(image), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_that_the_written_network_is_imported_with_its_names_and_values() -> None:
    theirs = _ShuffleNet().eval()
    network = load_module(theirs, (64, 64))
    assert not network.report.remarks
    ours = to_torch(network)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    image = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(image).flatten(1), theirs(image), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_that_the_gradient_of_the_last_stage_reaches_527_pixels() -> None:
    module = _ShuffleNet().double().eval()
    for weight in module.parameters():
        nn.init.constant_(weight, 0.02)
    # A max pool passes gradients on to one pixel alone; a mean reads the same window.
    module.maxpool = nn.AvgPool2d(3, 2, 1)  # type: ignore[assignment]
    image = torch.ones(1, 3, 640, 640, dtype=torch.float64, requires_grad=True)
    module.maps(image)[0, :, 10, 10].sum().backward()
    assert image.grad is not None
    rows, columns = (image.grad[0].sum(0) != 0).nonzero(as_tuple=True)
    first, last = 10 * 32 - 263, 10 * 32 - 263 + 526
    assert [int(x) for x in (rows.min(), rows.max(), columns.min(), columns.max())] == [
        *(first, last),
        *(first, last),
    ]
