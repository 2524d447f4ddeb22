"""Statistics from few values have the expectation of those from whole images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rfstudio import api
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Item, Layer, Residual
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.reexpansion import first_nodes_at
from rfstudio.core.ops import Op
from rfstudio.engine.measuring import spare_modules
from rfstudio.engine.measuring.erf import measure
from rfstudio.engine.measuring.network import Network
from rfstudio.engine.measuring.sampling import Images
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.module.layers.pointwise import BatchNormModule
from rfstudio.engine.module.warming import QuickWarming
from rfstudio.engine.requests.request import ErfRequest, ErfResult
from tests.engine import networks


def _conv(kernel: int, channels: int, stride: int = 1) -> Layer:
    op = ops.Conv(
        kernel_size=kernel,
        stride=stride,
        padding=kernel // 2,
        out_channels=channels,
        bias=False,
    )
    return Layer(op)


def _block(channels: int, *, stride: int = 1, changes: bool = False) -> tuple[Item, ...]:
    norm, relu, half = Layer(ops.BatchNorm()), Layer(ops.Relu()), channels // 2
    first = (_conv(1, half), norm, relu, _conv(3, half, stride), norm, relu)
    shortcut = (_conv(1, channels, stride), norm) if changes else ()
    return (Residual((*first, _conv(1, channels), norm), shortcut), relu)


def _residual_network(side: int) -> Architecture:
    """Return the first stages of a narrow ResNet-50: borders, strides, a pool, residuals, norms."""
    stem = (_conv(7, 8, 2), Layer(ops.BatchNorm()), Layer(ops.Relu()))
    pool = Layer(ops.MaxPool(kernel_size=3, stride=2, padding=1))
    layers = (*stem, pool, *_block(8), *_block(16, stride=2, changes=True), *_block(16))
    return Architecture(name="narrow", input_size=(side, side), layers=layers)


def _stack(side: int) -> Architecture:
    norm, relu = Layer(ops.BatchNorm()), Layer(ops.Relu())
    body = [x for stride in (1, 2, 1, 1) for x in (_conv(3, 8, stride), norm, relu)]
    return Architecture(name="stack", input_size=(side, side), layers=tuple(body))


def _variances(
    warm: Callable[[torch.Tensor], object], norms: list[BatchNormModule], images: list[torch.Tensor]
) -> NDArray[np.float64]:
    found = []
    for x in images:
        warm(x)
        found.append(torch.cat([norm.running_var for norm in norms]).double().numpy().copy())
    return np.stack(found)


def test_that_a_smaller_image_has_the_statistics_of_the_whole_one() -> None:
    """Padding lowers variances at the border, so a small map that counted as it is would have less.

    Of a map of 76 × 76, as one of 32 × 32 that counts by shares.
    """
    module = to_torch(_stack(152), seed=1)
    quick = QuickWarming(module, (152, 152), 8)
    assert quick.size == (64, 64)
    assert quick.count == 1
    norms = [x for x in module.layers() if isinstance(x, BatchNormModule)]
    source = torch.Generator().manual_seed(0)

    def noise(count: int, side: int) -> list[torch.Tensor]:
        return [torch.randn((1, 3, side, side), generator=source) for _ in range(count)]

    whole = _variances(module.warm, norms, noise(8, 152))
    few = _variances(quick.run, norms, noise(40, 64))
    quick._shares = {}
    plain = _variances(quick.run, norms, noise(40, 64))
    near, far = (np.mean(x.mean(0) / whole.mean(0)) for x in (few, plain))
    # Each is the mean over 32 channels of 8 and 40 runs, with an error of 0.1 %.
    assert near == pytest.approx(1, abs=0.003)
    assert far < 0.996


_CONV = ops.Conv(kernel_size=3, padding=1)


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (networks.stack(_CONV, ops.BatchNorm(), _CONV, size=(8, 8)), 4),
        # What reads the whole map makes a smaller map another matter.
        (networks.stack(_CONV, ops.GlobalAvgPool(), ops.BatchNorm(), size=(99, 99)), 4),
        (networks.stack(_CONV, ops.Relu(), size=(99, 99)), 0),
    ],
    ids=["small map", "whole map read", "no norm"],
)
def test_that_images_stay_whole_where_a_part_would_not_do(
    network: Architecture, count: int
) -> None:
    assert network.input_size is not None
    quick = QuickWarming(to_torch(network), network.input_size, 8)
    assert quick.size == network.input_size
    assert quick.count == count


def test_that_a_channel_of_one_value_is_not_divided_by_next_to_nothing() -> None:
    """0.1 has no exact binary form, so sums of it are off by some bits."""
    module = to_torch(networks.stack(ops.BatchNorm(), size=(31, 17)))
    images = torch.full((3, 8, 31, 17), 0.1)
    module.warm(images)
    (norm,) = (x for x in module.layers() if isinstance(x, BatchNormModule))
    assert norm.running_var.tolist() == [1.0] * 8


def test_that_each_draw_has_statistics_from_images_of_its_own() -> None:
    """So that an unlucky one does not shift all draws of a seed."""
    images = Images(3, (64, 64), seed=0)
    draws = [images.noise_for_warming(group, 2, (8, 8)) for group in (0, 1, 0)]
    assert draws[0].shape == (2, 3, 8, 8)
    assert torch.equal(draws[0], draws[2])
    assert len(torch.cat(draws[:2]).unique()) == 4 * 3 * 64


def _moments(field: NDArray[np.float64]) -> tuple[float, float]:
    """Return the total of a map and its spread around its centroid."""
    places = np.indices(field.shape)
    total = field.sum()
    centre = [(x * field).sum() / total for x in places]
    spread = sum(((x - c) ** 2 * field).sum() for x, c in zip(places, centre, strict=True)) / total
    return float(total), float(spread)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("network", [_stack(152), _residual_network(96)], ids=lambda x: x.name)
def test_that_statistics_from_few_values_change_no_expectation(
    network: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Total and spread of the field, against four whole images a draw, as it was before."""

    layer = expand(network).nodes[-1].name

    def sampled(first: int) -> NDArray[np.float64]:
        rows = []
        for seed in range(first, first + 12):
            request = ErfRequest(
                architecture=network,
                layer=layer,
                samples=32,
                images_per_weights=2,
                seed=seed,
                device="cpu",
            )
            rows.append(_moments(measure(request).map))
        return np.array(rows)

    few = sampled(0)

    def whole(self: Network, group: int | None = None) -> None:
        self.module.warm(self.images.for_warming())

    monkeypatch.setattr(Network, "_warm", whole)
    many = sampled(1000)
    error = np.sqrt((few.var(0, ddof=1) + many.var(0, ddof=1)) / len(few))
    z = (few.mean(0) - many.mean(0)) / error
    assert np.abs(z).max() < 4, (z, few.mean(0), many.mean(0))


@pytest.mark.parametrize(
    "name",
    [
        "resnet50",
        "densenet121",
        "inception_v3",
        "unet",
        "vit_b16",
        "wavenet",
        "deeplab_v3_resnet50",
    ],
)
def test_that_a_smaller_graph_is_the_beginning_of_what_expanding_gives(name: str) -> None:
    network = api.load(name)
    graph = expand(network)
    smaller = tuple(max(n * 3 // 4, 64) for n in graph.nodes[0].size)
    whole = expand(replace(network), smaller)
    for last in (1, len(graph.nodes) // 3, len(graph.nodes) - 2, len(graph.nodes) - 1):
        first = first_nodes_at(smaller, graph, last)
        if first is None:  # its layers follow sizes, split maps or share weights
            assert graph.form is None
            continue
        assert first.nodes == whole.nodes[: last + 1]
        assert dict(first.paths) == {x: i for x, i in whole.paths.items() if i <= last}
        assert first.faults == tuple(x for x in whole.faults if whole.paths[x.node] <= last)


@pytest.mark.parametrize(
    ("size", "first"),
    [
        ((10, 13), [ops.AvgPool(kernel_size=1, stride=3, padding=2, count_include_pad=False)]),
        ((9, 14, 5), [ops.AvgPool(kernel_size=2, stride=1, padding=((3, 0), (-1, 1), (0, -1)))]),
        ((4, 11), [ops.MaxPool(kernel_size=2, stride=1, padding=((-1, 3), (3, 2)), dilation=3)]),
        ((12,), [ops.Slice(start=(3,), stop=(9,), step=(1,)), ops.Conv(kernel_size=3, padding=1)]),
    ],
    ids=["strides past the border", "volume that is cropped", "holes", "signal that is cut"],
)
def test_that_statistics_are_those_of_what_is_read(size: tuple[int, ...], first: list[Op]) -> None:
    network = networks.stack(*first, ops.BatchNorm(), ops.Relu(), size=size, channels=3)
    quick, plain = to_torch(network, seed=4), to_torch(network, seed=4)
    assert not quick.plan(size).input.is_whole
    warming = QuickWarming(quick, size, 4)
    assert warming.size == size
    images = torch.randn(2, 3, *size)
    warming.run(images)
    plain.warm(images)
    for found, right in zip(quick.layers(), plain.layers(), strict=True):
        if isinstance(found, BatchNormModule):
            assert isinstance(right, BatchNormModule)
            assert torch.equal(found.running_mean, right.running_mean)
            assert torch.equal(found.running_var, right.running_var)
    measure(ErfRequest(architecture=network, layer=f"l{len(first) + 1}", samples=2))


def test_that_statistics_come_from_the_nodes_that_are_needed_alone() -> None:
    network = _residual_network(224)
    module = to_torch(network, "relu4")
    quick = QuickWarming(module, (224, 224), 4)
    assert quick.size != (224, 224)
    assert len(module.graph_at(quick.size).nodes) == module.target + 1 < len(module.graph.nodes)


@pytest.mark.parametrize("layer", ["relu4", "relu7"])
def test_that_a_smaller_graph_changes_no_bit_of_a_field(
    layer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def field() -> ErfResult:
        spare_modules.HERE.clear()
        network = _residual_network(128)
        return measure(
            ErfRequest(architecture=network, layer=layer, seed=3, samples=6, images_per_weights=2)
        )

    cut = field()
    monkeypatch.setattr(GraphModule, "_at_other_size", lambda *_: None)
    assert (cut.map == field().map).all()
