"""Attention and sums that read nothing after a position, against gradients of the module itself.

NaN in the image would not do: it passes a mask, whose weights are 0.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.core.fields.analysis import analyze
from rfstudio.engine.importing.load import load_module
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml


class _Line(nn.Module):
    """Something along a line of tokens, between two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv1d(3, 8, 3, padding=1), nn.Conv1d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.b(self.along(self.a(x).mT).mT)
        return result

    def along(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class _ByFlag(_Line):
    def along(self, x: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(x, x, x, is_causal=True)


class _ByModule(_Line):
    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

    def along(self, x: Tensor) -> Tensor:
        mask = torch.full((x.shape[1], x.shape[1]), float("-inf"), dtype=x.dtype).triu(1)
        result: Tensor = self.attend(x, x, x, attn_mask=mask, need_weights=False)[0]
        return result


class _ByFilling(_Line):
    def along(self, x: Tensor) -> Tensor:
        scores = x @ x.mT / 8**0.5
        later = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        return scores.masked_fill(later, float("-inf")).softmax(-1) @ x


class _Sums(_Line):
    def along(self, x: Tensor) -> Tensor:
        return x.cumsum(1)


class _Rows(nn.Module):
    """Tokens of a picture in the order of rows, as in image GPT."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 1)
        self.b = nn.Conv2d(8, 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        tokens = y.flatten(2).mT
        tokens = functional.scaled_dot_product_attention(tokens, tokens, tokens, is_causal=True)
        result: Tensor = self.b(tokens.mT.view_as(y))
        return result


def _region(module: nn.Module, shape: tuple[int, ...], unit: tuple[int, ...]) -> tuple[object, ...]:
    image = torch.randn((1, *shape), dtype=torch.float64, requires_grad=True)
    module(image)[(0, slice(None), *unit)].sum().backward()
    assert image.grad is not None
    reached = image.grad[0].abs().sum(0).nonzero()
    return tuple((int(x.min()), int(x.max())) for x in reached.T)


@pytest.mark.parametrize("kind", [_ByFlag, _ByModule, _ByFilling, _Sums])
def test_that_what_comes_after_a_position_is_not_read(kind) -> None:
    torch.manual_seed(0)
    module = kind().double().eval()
    network = load_module(module.float(), (20,))
    analysis = analyze(network)
    for unit in range(20):
        wanted = _region(module.double(), (3, 20), (unit,))
        assert analysis.unit("b", (unit,)).visible_region == wanted
    assert analyze(read_yaml(write_yaml(network))).fields == analysis.fields


def test_that_in_the_order_of_rows_all_earlier_rows_are_read() -> None:
    torch.manual_seed(0)
    module = _Rows().eval()
    network = load_module(module, (6, 5))
    analysis = analyze(network)
    for unit in [(1, 0), (3, 2), (5, 4)]:
        wanted = _region(module.double(), (3, 6, 5), unit)
        assert analysis.unit("b", unit).visible_region == wanted
