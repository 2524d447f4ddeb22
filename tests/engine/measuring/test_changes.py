"""Evaluating only what a change reaches gives what evaluating everything gives."""

import itertools

import pytest
import torch

from rfstudio.core import ops
from rfstudio.engine.measuring.changes import Reached, Whole
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.module.cone import Plan, input_of, unit_box
from tests.engine import networks


@pytest.mark.parametrize("seed", range(20))
def test_that_what_a_patch_reaches_is_all_that_changes(seed: int) -> None:
    module = to_torch(networks.random_network(seed), seed=seed, dtype=torch.float64)
    source = torch.Generator().manual_seed(seed)
    image = torch.randn((1, 8, 19, 17), generator=source, dtype=torch.float64)
    size = module.graph.nodes[-1].size
    for unit in {tuple(0 for _ in size), tuple(n // 2 for n in size)}:
        plan = module.plan((19, 17), unit_box(unit))
        pixels = input_of(plan, image)
        if pixels.numel() == 0:
            continue
        starts = [range(0, n, 5) for n in pixels.shape[2:]]
        spans = [
            [(a, min(a + 3, n)) for a in of_axis]
            for of_axis, n in zip(starts, pixels.shape[2:], strict=True)
        ]
        patches = list(itertools.product(*spans))
        contents = [
            torch.randn((8, *(b - a for a, b in x)), generator=source, dtype=torch.float64)
            for x in patches
        ]
        graph = module.graph_at((19, 17))
        with torch.no_grad():
            reached = Reached(graph, module.by_index, plan, pixels, spans)

            def flat_map(x: torch.Tensor, plan: Plan = plan) -> torch.Tensor:
                return plan.run(x).flatten(1)

            whole = Whole(flat_map, pixels, 0, 0)
            torch.testing.assert_close(reached.before, whole.before, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(
                reached.after(patches, contents),
                whole.after(patches, contents),
                rtol=1e-10,
                atol=1e-10,
            )


def test_that_what_a_patch_reaches_of_a_deep_network_is_little() -> None:
    layers: list[ops.Op] = [ops.Conv(kernel_size=3, padding=1), ops.Relu()] * 6
    module = to_torch(networks.stack(*layers, size=(60, 60)))
    plan = module.plan((60, 60), unit_box((30, 30)))
    n = plan.input.extent[0]
    spans = [[(a, a + 1) for a in range(n)]] * 2
    image = torch.zeros((1, 8, 60, 60))
    with torch.no_grad():
        reached = Reached(module.graph, module.by_index, plan, input_of(plan, image), spans)
    # 3² … 13² ∩ 11² … 1² for each patch, against 11² … 1² for all of it
    assert reached.macs < 0.5 * plan.macs
