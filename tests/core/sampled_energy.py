"""The energy of gradients of random networks, sampled: what the closed form has to meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.initial import draw_weights
from rfstudio.engine.module.layers.pointwise import BatchNormModule

PER_WEIGHTS = 8
"""Images that share one draw of weights."""


@dataclass(frozen=True)
class Sampled:
    """The mean over samples and how sure it is.

    Attributes
    ----------
    mean
        Σ_i (Σ_c ε_c g)² by pixel, ε random signs, averaged over samples.
    error
        Its standard error by pixel, over draws of the weights.
    total, total_error
        Sum over pixels and its standard error.
    """

    mean: np.ndarray
    error: np.ndarray
    total: float
    total_error: float


def sampled_energy(
    architecture: Architecture,
    layer: str,
    unit: tuple[int, ...],
    samples: int,
    *,
    batch_norm: str = "warmed",
    seed: int = 0,
) -> Sampled:
    """Return the mean energy over draws of weights, noise images and signs."""
    torch.set_num_threads(1)
    module = GraphModule(architecture, layer).eval()
    source = module.graph.nodes[0]
    shape = (PER_WEIGHTS, source.channels, *source.size)
    generator = torch.Generator().manual_seed(seed)
    norms = [x for x in module.layers() if isinstance(x, BatchNormModule)]
    maps = []
    for draw in range(samples // PER_WEIGHTS):
        draw_weights(module.layers(), seed, draw)
        if norms and batch_norm == "warmed":
            for norm in norms:
                norm.warming = True
            module(torch.randn(shape, generator=generator))
            for norm in norms:
                norm.warming = False
        images = torch.randn(shape, generator=generator).requires_grad_()
        values = module(images)[(slice(None), slice(None), *unit)]
        signs = torch.randint(0, 2, values.shape, generator=generator) * 2 - 1
        (gradient,) = torch.autograd.grad((values * signs).sum(), images)
        maps.append(gradient.double().square().sum(1).mean(0).numpy())
    stack = np.stack(maps)
    totals = stack.reshape(len(stack), -1).sum(1)
    root = len(stack) ** 0.5
    return Sampled(
        stack.mean(0),
        stack.std(0, ddof=1) / root,
        float(totals.mean()),
        float(totals.std(ddof=1)) / root,
    )


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the relative L1 distance of two maps, both scaled to a sum of 1."""
    return float(np.abs(a / a.sum() - b / b.sum()).sum())
