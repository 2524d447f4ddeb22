"""The energy of gradients of random networks, sampled, as a reference for the closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from rfstudio.core.effective.expected import Erf
from rfstudio.core.initialisations import HE_NORMAL, Fans, Initialisation
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.initial import draw_weights
from rfstudio.engine.module.layers.base import LayerModule
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


@dataclass(frozen=True)
class Deviations:
    """How far sums over a sampled map are from those over an expected one.

    Attributes
    ----------
    names
        Of the sums: the total; and sums that are 0 for every multiple of the expected map, of
        centroid, second moment and parity along each axis, and of the share near the centroid.
    shares
        Sampled less expected, over the expected total.
    errors
        Their standard errors.
    """

    names: list[str]
    shares: np.ndarray
    errors: np.ndarray

    @property
    def surprises(self) -> np.ndarray:
        """The deviations in standard errors."""
        return self.shares / np.maximum(self.errors, 1e-12)


def deviations(
    architecture: Architecture,
    erf: Erf,
    draws: int,
    *,
    batch: int = 1024,
    seed: int = 0,
    init: Initialisation = HE_NORMAL,
) -> Deviations:
    """Return how far a field is from the mean over draws, each of weights and image anew.

    Many networks are computed at once; norms have fresh statistics.  Sums over the map are much
    sharper than distances of maps: 1 % of the peak shows after some 10,000 draws.
    """
    torch.set_num_threads(1)
    module = GraphModule(architecture, erf.layer).eval()
    source = module.graph.nodes[0]
    generator = torch.Generator().manual_seed(seed)
    source_of_weights = np.random.default_rng(seed)
    scales, others = {}, {}
    for name, layer in module.named_modules():
        if isinstance(layer, LayerModule):
            fans = layer.fan_in()
            for key, parameter in layer.named_parameters():
                scale = (2 / fans[key]) ** 0.5 if key in fans else 0.0 if fans else None
                if init != HE_NORMAL and key in fans and not layer.holds_values:
                    others[f"{name}.{key}"] = layer.fans()[key], parameter
                else:
                    scales[f"{name}.{key}"] = scale, parameter

    def drawn(fans: Fans, parameter: Tensor) -> Tensor:
        shape = parameter.shape
        found = [init.draw(source_of_weights, shape, fans) for _ in range(batch)]
        return torch.from_numpy(np.stack(found))

    def response(weights: dict[str, Tensor], image: Tensor, signs: Tensor) -> Tensor:
        values = functional_call(module, weights, (image[None],))[0]
        return (values[(slice(None), *erf.unit)] * signs).sum()

    gradients = vmap(grad(response, argnums=1))
    names, sums = _sums(erf.map)
    channels = module.graph.nodes[module.target].channels
    found = []
    for _ in range(-(-draws // batch)):
        weights = {
            key: parameter.expand(batch, *parameter.shape)
            if scale is None
            else torch.randn((batch, *parameter.shape), generator=generator) * scale
            for key, (scale, parameter) in scales.items()
        }
        weights |= {key: drawn(*x) for key, x in others.items()}
        images = torch.randn((batch, source.channels, *source.size), generator=generator)
        signs = torch.randint(0, 2, (batch, channels), generator=generator) * 2.0 - 1.0
        energy = gradients(weights, images, signs).square().sum(1).double().numpy()
        assert not energy[:, erf.map == 0].any()
        found.append(energy.reshape(batch, -1) @ sums.T)
    values = np.concatenate(found) / erf.map.sum()
    values[:, 0] -= 1.0
    return Deviations(names, values.mean(0), values.std(0) / len(values) ** 0.5)


def _sums(expected: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return what a map is multiplied with before it is summed, and the names of these sums."""
    share = expected / expected.sum()
    names, found = ["total"], [np.ones(expected.shape)]
    radius = np.zeros(expected.shape)

    def add(name: str, values: np.ndarray) -> None:
        names.append(name)
        found.append(values - (share * values).sum())

    for axis, place in enumerate(np.indices(expected.shape)):
        away = place - (share * place).sum()
        width = max(float((share * away**2).sum()) ** 0.5, 1e-9)
        if expected.shape[axis] > 1 and width > 1e-6:
            radius += (away / width) ** 2
            add(f"centroid {axis}", away / width)
            add(f"second moment {axis}", (away / width) ** 2)
            add(f"parity {axis}", np.where(place % 2, -1.0, 1.0))
    add("inner share", (radius < 0.6 * expected.ndim).astype(np.float64))
    sums = np.stack(found).reshape(len(found), -1)
    seen = expected.ravel() > 0
    # What is constant where anything is seen says nothing more than the total.
    chosen = [i for i, x in enumerate(sums) if i == 0 or np.ptp(x[seen]) > 1e-9]
    return [names[i] for i in chosen], sums[chosen]


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return the relative L1 distance of two maps, both scaled to a sum of 1."""
    return float(np.abs(a / a.sum() - b / b.sum()).sum())
