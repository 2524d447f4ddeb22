"""Networks that are rebuilt from an import: the same values as the module, with its weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rfstudio.engine.importing.load import load_module
from rfstudio.engine.module.build import to_torch


class _Shuffled(nn.Module):
    """Two units of ShuffleNet v2, with the shuffle written as torchvision does."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
        self.inner = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.last = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self._shuffled(torch.cat([self.left(x), self.right(x)], 1))
        a, b = x.chunk(2, 1)
        return self.last(self._shuffled(torch.cat([a, self.inner(b)], 1)))

    @staticmethod
    def _shuffled(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def test_that_shuffled_channels_come_in_the_order_of_the_weights() -> None:
    torch.manual_seed(0)
    module = _Shuffled().double().eval()
    network = load_module(module, (9, 7))
    rebuilt = to_torch(network, dtype=torch.float64)
    rebuilt.load_state_dict(module.state_dict())
    image = torch.randn(1, 3, 9, 7, dtype=torch.float64)
    assert torch.equal(rebuilt(image), module(image))
