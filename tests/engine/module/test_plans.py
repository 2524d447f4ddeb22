"""How what a network evaluates is planned and bound: quick ways say what the plain ones say."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import Periodic, Whole, Window
from rfstudio.core.axes.axis_set import AxisSet, read_back
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.reexpansion import first_nodes_at
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.module.cone import make_plan, unit_box
from rfstudio.engine.module.direct_reads import evaluated
from rfstudio.engine.module.layers.base import read_box
from rfstudio.engine.module.layers.pointwise import BatchNormModule
from tests.engine import networks


@pytest.mark.parametrize(
    "rule",
    [
        Window(6, 6),
        Window(6, 4),
        Window(6, 6, cropped=1),
        Window(6, 6, dilation=3),
        Window(6, 7),
        Window(6, 3, stride=2),
        Window(6, 6, 3, before=1),
        Window(6, 6, before=1, mode="circular"),
        Whole(6, 6),
        Periodic(6, 6, 2, ((0,), (0, 1))),
    ],
)
def test_that_a_box_reads_what_its_rule_says(rule: Any) -> None:
    for start, stop in product(range(rule.n_out), range(1, rule.n_out + 1)):
        if start < stop:
            read = read_back(AxisSet(start, stop), rule)
            for other in ((start, stop), (0, rule.n_out)):
                wanted = read_back(AxisSet(*other), rule)
                found = read_box((rule, rule), ((start, stop), other))
                assert found == ((read.start, read.stop), (wanted.start, wanted.stop))


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("dilation", [1, 2, 4])
@pytest.mark.parametrize("padding", [(0, 0), (1, 2), (3, 0), (4, 4), (0, -2)])
def test_that_windows_without_a_real_sample_give_0(
    kernel: int, dilation: int, padding: tuple[int, int]
) -> None:
    op = ops.MaxPool(kernel_size=kernel, stride=1, dilation=dilation, padding=(padding,))
    for n in (3, 5, 8):
        network = networks.stack(op, channels=1, size=(n,))
        graph = expand(network)
        size = graph.nodes[-1].size
        if graph.faults or 0 in size:
            continue
        signal = -1.0 - torch.rand(1, 1, n)
        before, after = padding
        padded = functional.pad(signal, (before, after), value=-torch.inf)
        windows = padded[..., np.arange(size[0])[:, None] + dilation * np.arange(kernel)].amax(-1)
        right = windows.where(windows.isfinite(), 0.0)
        module = to_torch(network)
        assert torch.equal(module(signal), right)
        for place in range(size[0]):
            plan = module.plan((n,), ((place, place + 1),))
            (low, high) = plan.input.box[0]
            assert torch.equal(plan.run(signal[..., low:high]), right[..., place : place + 1])


def test_that_all_is_bound_before_the_first_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    network = networks.stack(*[ops.BatchNorm() for _ in range(3)], channels=2)
    module = to_torch(network)
    plan = make_plan(module.graph, module.by_index, module.target, unit_box((2, 2)))
    seen: list[str] = []
    bind, apply_to = BatchNormModule.bind, BatchNormModule.apply_to

    def binding(self: BatchNormModule, *arguments: Any) -> Any:
        seen.append("bind")
        return bind(self, *arguments)

    def applying(self: BatchNormModule, *arguments: Any) -> Any:
        seen.append("apply")
        return apply_to(self, *arguments)

    monkeypatch.setattr(BatchNormModule, "bind", binding)
    monkeypatch.setattr(BatchNormModule, "apply_to", applying)
    for _ in range(2):
        plan.run(torch.randn(1, 2, 1, 1))
    assert seen == ["bind"] * 3 + ["apply"] * 6


def test_that_weights_of_a_layer_are_known_however_they_are_set() -> None:
    module = to_torch(
        networks.stack(ops.Conv(kernel_size=1, out_channels=2, bias=False), channels=2)
    )
    (layer,) = module.layers()
    assert [x for x, _ in layer.named_parameters()] == ["weight"]
    bias = nn.Parameter(torch.zeros(2))
    layer.bias = bias
    assert dict(layer.named_parameters())["bias"] is layer.bias is bias
    layer.bias = None
    assert [x for x, _ in layer.named_parameters()] == ["weight"]
    layer.bias = bias
    assert dict(layer.named_parameters())["bias"] is bias
    layer.own = nn.Parameter(torch.ones(1))
    assert {x for x, _ in layer.named_parameters()} == {"weight", "bias", "own"}


def test_that_taps_that_move_are_not_expanded_from_another_size() -> None:
    layers = (
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=18), name="offsets"),
        Layer(
            ops.DeformConv(kernel_size=3, padding=1, out_channels=4),
            name="moved",
            inputs=("input", "offsets"),
        ),
    )
    network = Architecture(name="test", input_size=(12, 10), channels=2, layers=layers)
    graph = evaluated(expand(network))
    assert not graph.faults
    assert any(isinstance(x.op, ops.Deforming) for x in graph.nodes)
    assert first_nodes_at((7, 7), graph, len(graph.nodes) - 1) is None
    module = to_torch(network)
    assert module.graph_at((7, 8)).nodes == evaluated(expand(network, (7, 8))).nodes
