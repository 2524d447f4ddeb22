"""Shares of paths against torch: gradients by one reader of a map, the others detached."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import rfstudio
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Item, Layer, Residual

CHANNELS = 12
Draw = Callable[[int, int], Tensor]
Step = Callable[[Tensor, Draw, list[tuple[str, Tensor]]], Tensor]


def _conv(kernel: int, stride: int = 1) -> Layer:
    pads = kernel // 2
    op = ops.Conv(
        kernel_size=kernel, stride=stride, padding=pads, out_channels=CHANNELS, bias=False
    )
    return Layer(op)


def _block(rng: random.Random, number: int) -> tuple[Item, Step]:
    """Return a residual block with random kernels, as an item and as a function of torch."""
    kernels = [rng.choice((1, 3, 5)) for _ in range(rng.randint(1, 2))]
    stride = rng.choice((1, 1, 2))
    steps = [stride] + [1] * (len(kernels) - 1)
    items: list[Item] = []
    for kernel, step in zip(kernels, steps, strict=True):
        items += [Layer(ops.Relu()), _conv(kernel, step)]
    skip = () if stride == 1 else (_conv(1, stride),)

    def forward(x: Tensor, draw: Draw, inputs: list[tuple[str, Tensor]]) -> Tensor:
        branch, shortcut = x.clone(), x.clone()
        for part, name in ((branch, "branch"), (shortcut, "skip")):
            part.retain_grad()
            inputs.append((f"block{number}.{name}", part))
        for kernel, step in zip(kernels, steps, strict=True):
            weight = draw(CHANNELS, kernel)
            branch = functional.conv2d(branch.relu(), weight, None, step, kernel // 2)
        if stride > 1:
            shortcut = functional.conv2d(shortcut, draw(CHANNELS, 1), None, stride)
        return branch + shortcut

    return Residual(tuple(items), skip, f"block{number}"), forward


def _sampled(
    blocks: list[Step], size: tuple[int, int], draws: int, seed: int
) -> dict[str, np.ndarray]:
    """Return for each way on from a map the energy that comes by it, in each draw."""
    generator = torch.Generator().manual_seed(seed)

    def draw(sources: int, kernel: int) -> Tensor:
        shape = (CHANNELS, sources, kernel, kernel)
        scale = (2 / (sources * kernel**2)) ** 0.5
        return scale * torch.randn(shape, generator=generator)

    found: dict[str, list[float]] = {}
    for _ in range(draws):
        image = torch.randn(1, 3, *size, generator=generator).requires_grad_()
        inputs: list[tuple[str, Tensor]] = []
        x = functional.conv2d(image, draw(3, 3), None, 1, 1)
        for block in blocks:
            x = block(x, draw, inputs)
        signs = torch.randint(0, 2, (CHANNELS,), generator=generator) * 2.0 - 1
        (x[0, :, x.shape[2] // 2, x.shape[3] // 2] * signs).sum().backward()
        for name, part in inputs:
            assert part.grad is not None
            found.setdefault(name, []).append(float(part.grad.square().sum()))
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_that_shares_of_branches_are_those_of_their_gradients(seed: int) -> None:
    torch.set_num_threads(1)
    rng = random.Random(seed + 70)
    pairs = [_block(rng, number) for number in range(4)]
    layers = (_conv(3), *(item for item, _ in pairs))
    network = Architecture("residuals", "", "", (13, 13), 3, layers)
    found = rfstudio.path_shares(network, "block3")
    of_blocks = [found.branches[i : i + 2] for i in range(0, len(found.branches), 2)]
    assert len(of_blocks) == len(pairs)
    energies = _sampled([step for _, step in pairs], (13, 13), 1000, seed)
    for number, (branch, _) in enumerate(of_blocks):
        by_branch = energies[f"block{number}.branch"]
        both = by_branch + energies[f"block{number}.skip"]
        # A ratio of means has the error of the mean of what it leaves over.
        rest = by_branch - branch.share * both
        z = rest.mean() / (rest.std(ddof=1) / len(rest) ** 0.5)
        assert abs(z) < 4, (number, branch.share, by_branch.mean() / both.mean(), z)
        assert 0.02 < branch.share < 0.98
