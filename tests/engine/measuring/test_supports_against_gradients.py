"""Supports equal the non-zero pattern of torch's own input gradients (definitions, section 3)."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
import torch

from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.presets import read_preset
from tests.core.random_networks import random_network

NETWORKS = int(os.environ.get("RFSTUDIO_RANDOM_NETWORKS", "240")) // 4
SLICES = 8


def _gradient_pattern(
    architecture: Architecture, layer: str, unit: tuple[int, ...], size: tuple[int, ...]
) -> np.ndarray:
    """Pixels with a gradient in the network of positive weights without non-linearities."""
    module = to_torch(architecture, layer, weights="ones", positive=True, dtype=torch.float64)
    image = torch.rand((1, architecture.channels, *size), dtype=torch.float64, requires_grad=True)
    response = module(image)[(0, slice(None), *unit)].sum()
    if not response.requires_grad:
        return np.zeros(size, bool)
    (gradient,) = torch.autograd.grad(response, image, allow_unused=True)
    if gradient is None:
        return np.zeros(size, bool)
    return (gradient[0] != 0).any(dim=0).numpy()


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_that_supports_of_random_networks_are_the_pattern_of_gradients(part, axes) -> None:
    for seed in range(part, NETWORKS // (2 if axes == 3 else 1), SLICES):
        architecture, graph = random_network(seed + 30_000, axes=axes, layers=6)
        analysis = analyze(architecture)
        rng = random.Random(seed)
        for node in rng.sample(graph.nodes[1:], 2):
            unit = tuple(rng.randrange(n) for n in node.size)
            expected = _gradient_pattern(architecture, node.name, unit, analysis.input_size)
            found = analysis.unit(node.name, unit).support()
            assert (found == expected).all(), (seed, node.name, unit)


@pytest.mark.parametrize(
    ("name", "layer", "size"),
    [
        ("resnet18", "layer2", (97, 83)),
        ("googlenet", "inception4a", (96, 90)),
        pytest.param("unet", "", (64, 48), marks=pytest.mark.slow),
        ("mobilenet_v2", "", (64, 70)),
        ("luo_20_layers", "", (61, 47)),
    ],
)
def test_that_supports_of_presets_are_the_pattern_of_gradients(name, layer, size) -> None:
    architecture = read_preset(name)
    analysis = analyze(architecture, input_size=size)
    local = [x for x in analysis.layers if not any(x.is_global)]
    path = layer if layer in analysis else local[-1].name
    shape = analysis[path].output_size
    for unit in [(0, 0), tuple(n // 2 for n in shape), tuple(n - 1 for n in shape)]:
        expected = _gradient_pattern(architecture, path, unit, size)
        assert (analysis.unit(path, unit).support() == expected).all(), unit
