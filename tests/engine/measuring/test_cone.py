"""The cone of a unit gives what the whole image gives (erf.md, section 3)."""

import itertools

import pytest
import torch

from rfstudio.core import ops
from rfstudio.core.fields.backtrace import read_by
from rfstudio.core.network.expansion import expand
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.module.cone import input_of, scatter, unit_box
from tests.engine import networks


def _images(module: GraphModule, seed: int = 0) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    node = module.graph.nodes[0]
    return torch.randn((2, node.channels, *node.size), generator=source, dtype=torch.float64)


def _gradient(
    module: GraphModule, images: torch.Tensor, unit: tuple[int, ...], *, full: bool
) -> torch.Tensor:
    plan = module.plan(tuple(images.shape[2:]), unit_box(unit), full=full)
    if plan.input.is_empty:
        return torch.zeros_like(images)
    x = input_of(plan, images).clone().requires_grad_()
    signs = torch.linspace(-1, 1, plan.steps[-1].shape[0], dtype=torch.float64)
    response = (plan.run(x) * signs.view(-1, *[1] * len(unit))).sum()
    if not response.requires_grad:
        return torch.zeros_like(images)
    (gradient,) = torch.autograd.grad(response, x, allow_unused=True)
    return scatter(plan, torch.zeros_like(x) if gradient is None else gradient)


def _corners(size: tuple[int, ...]) -> list[tuple[int, ...]]:
    return sorted({*itertools.product(*({0, n // 2, n - 1} for n in size))})


@pytest.mark.parametrize("op", networks.SAMPLES, ids=networks.NAMES)
def test_that_every_operation_gives_the_same_values_box_by_box(op: ops.Op) -> None:
    module = to_torch(networks.stack(ops.Conv(kernel_size=3, padding=1), op), dtype=torch.float64)
    images = _images(module)
    with torch.no_grad():
        complete = module(images)
        size = module.graph.nodes[-1].size
        assert tuple(complete.shape[1:]) == (module.graph.nodes[-1].channels, *size)
        for corner in _corners(size):
            for width in (1, 3):
                box = tuple((u, min(u + width, n)) for u, n in zip(corner, size, strict=True))
                plan = module.plan(tuple(images.shape[2:]), box)
                part = plan.run(input_of(plan, images))
                wanted = complete[(..., *(slice(a, b) for a, b in box))]
                torch.testing.assert_close(part, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(25))
def test_that_the_cone_has_the_gradient_of_the_whole_image(seed: int) -> None:
    module = to_torch(networks.random_network(seed), seed=seed, dtype=torch.float64)
    images = _images(module, seed)
    for unit in _corners(module.graph.nodes[-1].size):
        cone = _gradient(module, images, unit, full=False)
        full = _gradient(module, images, unit, full=True)
        # A softmax of equal channels, as a custom operation leaves them, has a gradient of 0 but
        # for rounding, some 1e-17.
        peak = max(full.abs().max().item(), 1e-3)
        assert (cone - full).abs().max().item() <= 1e-12 * peak


@pytest.mark.parametrize("seed", range(25))
def test_that_the_positive_network_reads_exactly_the_support(seed: int) -> None:
    architecture = networks.random_network(seed)
    module = to_torch(architecture, weights="ones", positive=True, dtype=torch.float64)
    graph = expand(architecture)
    images = _images(module)
    target = len(graph.nodes) - 1
    for unit in _corners(module.graph.nodes[-1].size):
        region = read_by(graph, target, unit).get(0)
        x = images.clone().requires_grad_()
        response = module(x)[(slice(None), slice(None), *unit)].sum()
        (gradient,) = torch.autograd.grad(response, x)
        read = (gradient[0] != 0).any(0).numpy()
        if region is None:
            assert not read.any()
        else:
            assert (read == region.mask()).all()
