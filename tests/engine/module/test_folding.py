"""A folded network computes what the plain one does, to rounding."""

import copy

import pytest
import torch

from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer, Residual
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.module.folding import fold_norms, order_for_speed, part_norms
from rfstudio.engine.module.initial import draw_weights
from rfstudio.engine.module.layers.pointwise import BatchNormModule
from rfstudio.formats.networks.presets import read_preset
from tests.engine import networks

_CONV = ops.Conv(kernel_size=3, padding=1, bias=False)

NETWORKS = {
    "with and without bias, shift and scale": networks.stack(
        _CONV,
        ops.BatchNorm(),
        ops.Relu(),
        ops.Conv(kernel_size=3, groups="depthwise"),
        ops.BatchNorm(scale=False),
        ops.Conv(kernel_size=3, stride=2),
        ops.BatchNorm(affine=False),
    ),
    "a convolution that two read": Architecture(
        name="two readers",
        input_size=(12, 10),
        channels=8,
        layers=(Layer(_CONV), Residual((Layer(ops.BatchNorm()), Layer(ops.Relu()), Layer(_CONV)))),
    ),
    "a norm after a pool": networks.stack(
        _CONV, ops.MaxPool(kernel_size=2, stride=2), ops.BatchNorm(), ops.Relu(), _CONV
    ),
}


def _module(network: Architecture, layer: str | None = None) -> GraphModule:
    """Return a network whose norms all do something."""
    module = to_torch(network, layer, seed=1, batch_norm="warmed", dtype=torch.float64)
    source = torch.Generator().manual_seed(2)
    for norm in module.layers():
        if isinstance(norm, BatchNormModule):
            for values in (norm.weight, norm.bias):
                if values is not None:
                    values.data.copy_(torch.rand(values.shape, generator=source) - 0.3)
    return module


def _images(module: GraphModule, count: int = 2) -> torch.Tensor:
    node = module.graph.nodes[0]
    source = torch.Generator().manual_seed(3)
    return torch.randn((count, node.channels, *node.size), generator=source, dtype=torch.float64)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS.keys())
def test_that_folding_changes_no_value(network: Architecture) -> None:
    module = _module(network)
    images = _images(module)
    wanted = module(images)
    fold_norms(module)
    fold_norms(module)  # a second time there is nothing to do
    torch.testing.assert_close(module(images), wanted, rtol=1e-12, atol=1e-12)


def test_that_all_norms_of_a_resnet_are_folded_and_nothing_else_changes() -> None:
    module = _module(read_preset("resnet18"), "layer1")
    images = _images(module, 1)[..., :64, :64]
    wanted = module(images)
    fold_norms(module)
    assert all(x.is_folded for x in module.layers() if isinstance(x, BatchNormModule))
    torch.testing.assert_close(module(images), wanted, rtol=1e-12, atol=1e-12)


def test_that_norms_of_a_batch_and_those_that_cannot_be_moved_stay() -> None:
    module = _module(NETWORKS["a convolution that two read"])
    fold_norms(module)
    assert not any(x.is_folded for x in module.layers() if isinstance(x, BatchNormModule))
    training = copy.deepcopy(_module(NETWORKS["with and without bias, shift and scale"])).train()
    fold_norms(training)
    assert not any(x.is_folded for x in training.layers() if isinstance(x, BatchNormModule))


def test_that_weights_drawn_anew_are_those_of_a_new_network() -> None:
    network = NETWORKS["with and without bias, shift and scale"]
    module = to_torch(network, seed=1, batch_norm="warmed", dtype=torch.float64)
    fold_norms(module)
    part_norms(module)
    draw_weights(module.layers(), 5)
    images = _images(module)
    fresh = to_torch(network, seed=5, dtype=torch.float64)
    assert torch.equal(module(images), fresh(images))


def test_that_another_order_of_memory_changes_values_by_rounding_alone() -> None:
    network = NETWORKS["with and without bias, shift and scale"]
    module = to_torch(network, seed=1, batch_norm="warmed")
    images = _images(module).float()
    wanted = module(images)
    layout = order_for_speed(module)
    assert layout is torch.channels_last
    found = module(images.contiguous(memory_format=layout))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert order_for_speed(module.double()) is torch.contiguous_format
