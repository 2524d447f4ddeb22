"""Recurrent layers, means over one axis and channel shuffles in imported modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import rfstudio


class _Causal(nn.Module):
    """A recurrent layer over time after a causal convolution."""

    def __init__(self, *, bidirectional: bool = False, layers: int = 1) -> None:
        super().__init__()
        self.pad = nn.ConstantPad1d((2, 0), 0.0)
        self.conv = nn.Conv1d(4, 4, 3)
        self.rnn = nn.LSTM(4, 3, layers, batch_first=True, bidirectional=bidirectional)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.rnn(self.conv(self.pad(x)).transpose(1, 2))
        return states.transpose(1, 2)


class _Reader(nn.Module):
    """Text in a picture: columns are the steps of a sequence, rows are pooled away."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.rnn = nn.GRU(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = self.conv(x).mean(2).permute(2, 0, 1)
        return self.rnn(steps)[0].permute(1, 2, 0)[:, :, None]


def _read(module: nn.Module, shape: tuple[int, ...], unit: tuple[int, ...]) -> list[list[int]]:
    """Return along each axis the samples of the image that move a unit."""
    torch.manual_seed(0)
    image = torch.rand(1, *shape, dtype=torch.double, requires_grad=True)
    out = module.double().eval()(image)
    out[(0, slice(None), *unit)].sum().backward()
    assert image.grad is not None
    moved = (image.grad[0] != 0).any(0)
    others = [tuple(j for j in range(moved.dim()) if j != i) for i in range(moved.dim())]
    return [(moved.any(x) if x else moved).nonzero()[:, 0].tolist() for x in others]


@pytest.mark.parametrize(("bidirectional", "layers"), [(False, 1), (False, 2), (True, 1)], ids=str)
def test_that_a_unit_sees_the_steps_that_move_it(bidirectional: bool, layers: int) -> None:
    module = _Causal(bidirectional=bidirectional, layers=layers)
    network = rfstudio.load(module, input_size=(30,))
    analysis = rfstudio.analyze(network)
    assert not network.report.remarks
    for unit in (0, 10, 29):
        (steps,) = _read(module, (4, 30), (unit,))
        seen = analysis.unit(analysis.layers[-1].name, (unit,)).visible_region
        assert seen == ((steps[0], steps[-1]),)


def test_that_columns_are_read_from_the_left_and_rows_all_at_once() -> None:
    module = _Reader()
    network = rfstudio.load(module, input_size=(16, 24))
    analysis = rfstudio.analyze(network)
    assert not network.report.remarks
    rows, columns = _read(module, (1, 16, 24), (0, 5))
    seen = analysis.unit(analysis.layers[-1].name, (0, 5)).visible_region
    assert seen == ((rows[0], rows[-1]), (columns[0], columns[-1]))
    assert [x.op.keyword for x in analysis.graph.nodes if x.op is not None] == [
        "conv",
        "adaptive_avg_pool",
        "recurrent",
    ]


def test_that_a_channel_shuffle_is_an_operation_of_its_own() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ChannelShuffle(4), nn.Conv2d(8, 8, 3, groups=4))
    network = rfstudio.load(module, input_size=(12, 12))
    assert not network.report.remarks
    nodes = rfstudio.analyze(network).graph.nodes
    assert [x.op.keyword for x in nodes if x.op is not None] == ["conv", "channel_shuffle", "conv"]
