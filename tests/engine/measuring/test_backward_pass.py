"""The way back from kept evaluations is the gradient itself, for any unit and many at once."""

from __future__ import annotations

import itertools
from collections import defaultdict

import pytest
import torch

from rfstudio.core import ops
from rfstudio.engine.measuring.backward_pass import Tape, bytes_of, kind_of
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.module.cone import Plan, input_of, unit_box
from rfstudio.engine.module.folding import fold_norms
from rfstudio.formats.networks.presets import read_preset
from tests.engine import networks


def _images(module: GraphModule, size: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    shape = (2, module.graph.nodes[0].channels, *size)
    return torch.randn(shape, generator=source, dtype=torch.float64)


def _factors(values: torch.Tensor) -> torch.Tensor:
    return torch.linspace(-1, 1, values.shape[1], dtype=values.dtype).expand_as(values)


def _by_autograd(plan: Plan, images: torch.Tensor) -> torch.Tensor:
    pixels = input_of(plan, images).clone().requires_grad_()
    values = plan.run(pixels).flatten(1)
    response = (values * _factors(values)).sum()
    if not response.requires_grad:
        return torch.zeros_like(pixels)
    (gradient,) = torch.autograd.grad(response, pixels, allow_unused=True)
    return torch.zeros_like(pixels) if gradient is None else gradient


def _compare(module: GraphModule, images: torch.Tensor, units: list[tuple[int, ...]]) -> int:
    """Compare units by one tape with autograd; return the most units of one kind."""
    size = tuple(images.shape[2:])
    whole = module.plan(size)
    tape = Tape(module, whole, input_of(whole, images))
    assert tape.bytes == 2 * bytes_of(module, whole, 8)
    kinds: dict[object, list[Plan]] = defaultdict(list)
    for unit in units:
        plan = module.plan(size, unit_box(unit))
        if not plan.input.is_empty:
            kinds[kind_of(module.graph_at(size), plan)].append(plan)
    for plans in kinds.values():
        found = tape.gradient(plans, _factors).split(len(images))
        for plan, gradient in zip(plans, found, strict=True):
            wanted = _by_autograd(plan, images)
            peak = wanted.abs().max().item()
            assert (gradient - wanted).abs().max().item() <= 1e-12 * peak
    return max(map(len, kinds.values()), default=0)


def _spread(size: tuple[int, ...], count: int) -> list[tuple[int, ...]]:
    return list(itertools.product(*(range(0, n, max(1, n // count)) for n in size)))


@pytest.mark.parametrize("seed", range(14, 17))
def test_that_random_networks_have_the_gradient_of_autograd(seed: int) -> None:
    module = to_torch(networks.random_network(seed), seed=seed, dtype=torch.float64)
    fold_norms(module)
    nodes = module.graph.nodes
    _compare(module, _images(module, nodes[0].size, seed), _spread(nodes[-1].size, 3))


@pytest.mark.parametrize("op", networks.SAMPLES, ids=networks.NAMES)
def test_that_every_operation_has_its_way_back(op: ops.Op) -> None:
    conv = ops.Conv(kernel_size=3, padding=1)
    module = to_torch(networks.stack(conv, op, conv), dtype=torch.float64)
    nodes = module.graph.nodes
    size = nodes[-1].size
    _compare(module, _images(module, nodes[0].size), [(0, 0), tuple(n // 2 for n in size)])


@pytest.mark.parametrize(
    ("preset", "layer", "side"),
    [
        ("resnet50", "layer1", 80),
        ("vgg16", "pool2", 48),
        ("densenet121", "denseblock1.1.concat1", 64),
    ],
)
def test_that_inner_units_of_presets_go_back_together(preset: str, layer: str, side: int) -> None:
    module = to_torch(
        read_preset(preset),
        layer,
        batch_norm="warmed",
        input_size=(side, side),
        dtype=torch.float64,
    )
    fold_norms(module)
    n = module.graph.nodes[module.target].size[0]
    units = [*itertools.product((n // 2 - 1, n // 2), repeat=2), (0, 0), (n - 1, n // 2)]
    assert _compare(module, _images(module, (side, side)), units) == 4
