"""Places that are followed through a module, against tensors whose values are their places."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from rfstudio.engine.measuring.token_places import NOWHERE, PADDING, REAL, Follower
from tests.narrowing import present


class _Watch(TorchFunctionMode):
    def __init__(self, follower: Follower) -> None:
        super().__init__()
        self._follower = follower

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self._follower.follow(func, args, kwargs or {}, result)
        return result


def _followed(work: Callable[[Tensor], Tensor], image: Tensor) -> tuple[Tensor, list[Any]]:
    follower = Follower()
    follower.start(image)
    with _Watch(follower):
        result = work(image)
    return result, [x.numpy() for x in present(follower.of(result)).own]


def _rows(*size: int) -> Tensor:
    """Return an image whose values are 1 + the row of each pixel: padding is 0."""
    return 1 + torch.arange(size[2]).double()[:, None].expand(size).contiguous()


MOVES: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda x: x.transpose(0, -1),
    lambda x: x.flip(1),
    lambda x: x.roll((1, -2), (0, 2)),
    lambda x: x.permute(3, 1, 0, 2),
    lambda x: functional.pad(x, (1, 2, 0, 1)),
    lambda x: x[:, : max(x.shape[1] - 1, 1)],
    lambda x: x.unflatten(0, (1, -1)).flatten(1, 2).unsqueeze(0).squeeze(0),
    lambda x: x.mT.contiguous(),
    lambda x: x.reshape(x.shape[0], -1, 1, 1).view(x.shape),
    lambda x: torch.cat(x.chunk(2, 2)[::-1], 2),
    lambda x: torch.stack(x.unbind(1), 1).expand_as(x).clone(),
)


@pytest.mark.parametrize("seed", range(12))
def test_that_places_go_where_values_go(seed: int) -> None:
    source = random.Random(seed)
    moves = source.choices(MOVES, k=7)

    def work(x: Tensor) -> Tensor:
        for move in moves:
            x = move(x)
        return x

    values, (rows, _, kinds) = _followed(work, _rows(2, 3, 4, 6))
    is_padding = values.numpy() == 0
    np.testing.assert_array_equal(kinds, np.where(is_padding, PADDING, REAL))
    np.testing.assert_array_equal(rows[~is_padding], values.numpy()[~is_padding] - 1)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation"),
    [(4, 4, 0, 1), (3, 2, 1, 1), (7, 4, 2, 1), (3, 1, 2, 2)],
)
def test_that_windows_have_the_centre_of_what_they_read(
    kernel: int, stride: int, padding: int, dilation: int
) -> None:
    weight = torch.ones(1, 1, kernel, kernel).double() / kernel**2
    image = _rows(1, 1, 24, 24)
    # Values go on beyond the border as places do.
    outer = _rows(1, 1, 24 + 2 * padding, 24 + 2 * padding) - padding
    judged = functional.conv2d(outer, weight, stride=stride, dilation=dilation)
    _, (rows, columns, kinds) = _followed(
        lambda x: functional.conv2d(x, weight, None, stride, padding, dilation), image
    )
    np.testing.assert_allclose(rows, judged.numpy() - 1, atol=1e-12)
    np.testing.assert_allclose(columns, rows.swapaxes(2, 3), atol=1e-12)
    assert (kinds == REAL).all()


def test_that_tokens_have_no_place_and_merged_patches_their_centre() -> None:
    token = torch.zeros(1, 1, 4)

    def work(x: Tensor) -> Tensor:
        patches = torch.cat([x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)], 1)
        tokens = functional.linear(patches.flatten(2).mT, torch.ones(4, 12))
        return torch.nn.functional.gelu(torch.cat([token, tokens], 1) + 1)

    _, (rows, columns, kinds) = _followed(work, torch.zeros(1, 3, 4, 6))
    assert kinds[0, :, 0].tolist() == [NOWHERE, *6 * [REAL]]
    assert rows[0, 1:, 0].tolist() == [0.5, 0.5, 0.5, 2.5, 2.5, 2.5]
    assert columns[0, 1:, 0].tolist() == [0.5, 2.5, 4.5, 0.5, 2.5, 4.5]


def test_that_places_are_not_known_after_what_they_cannot_follow() -> None:
    image, follower = torch.zeros(1, 1, 4, 4), Follower()
    follower.start(image)
    with _Watch(follower):
        sorted_rows = torch.rot90(image, 2, (2, 3))
        smaller = functional.adaptive_avg_pool2d(image, 3)
        bits = image.view(torch.int32)
    assert [follower.of(x) for x in (sorted_rows, smaller, bits)] == [None, None, None]
