"""Unpooling: each position reads what may be put there, whatever the maxima are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.core.fields.analysis import analyze
from rfstudio.engine.importing.load import load_module
from tests.engine.handwritten_modules import conv


class _Unpools(nn.Module):
    kernel = 2

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = conv(3, 8), conv(8, 8), conv(8, 8)
        self.pool = nn.MaxPool2d(self.kernel, 2, return_indices=True)
        self.up = nn.MaxUnpool2d(self.kernel, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        y, where = self.pool(x)
        result: Tensor = self.c(self.up(self.b(y), where, output_size=x.shape[2:]))
        return result


class _Repeats(_Unpools):
    def forward(self, x: Tensor) -> Tensor:
        y, _ = self.pool(self.a(x))
        result: Tensor = self.c(functional.interpolate(self.b(y), scale_factor=2))
        return result


class _Overlaps(_Unpools):
    kernel = 3


def test_that_an_unpooling_reads_as_if_it_repeated_values() -> None:
    torch.manual_seed(0)
    ours = analyze(load_module(_Unpools(), (16, 20)))
    wanted = analyze(load_module(_Repeats(), (16, 20)))
    for unit in [(0, 0), (3, 4), (7, 12), (15, 19)]:
        region = ours.unit("c", unit).visible_region
        assert region == wanted.unit("c", unit).visible_region


def test_that_a_position_reads_all_windows_that_it_is_in() -> None:
    network = load_module(_Overlaps(), (15, 19))
    assert not network.report.of("global")
    layer = analyze(network, reference="pool")
    assert layer["up"].output_size == (15, 19)
    # Windows of 3 start at every other position: position 4 is in those of 1 and 2, 5 in that of 2
    # alone; the convolution before adds one on each side.
    assert layer.unit("up", (4, 5)).visible_region == ((0, 3), (1, 3))
