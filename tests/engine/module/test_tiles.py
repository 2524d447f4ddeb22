"""Tiles of a plan, run in torch, equal the whole image to the last bit.

Weights are multiples of 2⁻¹⁰ and every map is rounded to multiples of 2⁻¹², so that sums of
products are exact in float64 in whatever order they are taken: a difference is one of geometry.
"""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch

import rfstudio
from rfstudio.core import ops
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.fields.tiles import TilePlan, tile_plan
from rfstudio.core.network.architecture import Architecture, Item, Layer, with_bodies
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.cone import input_of
from tests.narrowing import instance


def _plan(analysis: Analysis, layer: str, tile: tuple[int, ...] | None = None) -> TilePlan:
    index = analysis.graph.index(layer)
    return tile_plan(analysis.graph, analysis.local, index, tile=tile, with_plan=True)


def _thin(item: Item) -> Item:
    """The same layer or container with a few of the channels: positions do not change."""
    if isinstance(item, Layer):
        channels = getattr(item.op, "out_channels", None)
        if channels is None:
            return item
        fewer: dict[str, Any] = {"out_channels": max(channels // 64, 1)}
        op = replace(item.op, **fewer)
        return replace(item, op=op)
    return with_bodies(item, tuple(tuple(map(_thin, body)) for body in item.bodies))


def _on_grid(values: torch.Tensor, bits: int) -> torch.Tensor:
    return (values * 2**bits).round() / 2**bits


def _run(module: GraphModule, image: torch.Tensor) -> torch.Tensor:
    """Compute the module's map, with every map on the way rounded to the grid."""
    plan = module.plan(tuple(image.shape[2:]))
    maps = {0: input_of(plan, image)}
    for step in plan.steps:
        assert step.evaluate is not None
        maps[step.index] = _on_grid(step.evaluate([maps[x] for x in step.inputs]), 12)
        for done in step.release:
            del maps[done]
    return maps[module.target]


def _largest_difference(
    network: Architecture, layer: str, size: tuple[int, ...], tile: tuple[int, ...] | None
) -> tuple[float, TilePlan]:
    """Run the plan in float64 and return how far it is from the whole at most."""
    analysis = analyze(network, input_size=size)
    plan = _plan(analysis, layer, tile)
    # Sizes are no part of the weights: one module serves the whole and its tiles.
    module = instance(GraphModule, rfstudio.to_torch(network, layer, seed=1, input_size=size))
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(_on_grid(parameter, 10))
    generator = torch.Generator().manual_seed(2)
    shape = (1, network.channels, *size)
    image = _on_grid(torch.randn(shape, generator=generator, dtype=torch.float64), 12)
    with torch.no_grad():
        whole = _run(module, image)
        result = torch.full_like(whole, float("nan"))
        for part in plan.plan:
            read: tuple[Any, ...] = tuple(slice(a, b + 1) for a, b in part.read)
            for (first, _), period in zip(part.read, plan.period, strict=True):
                assert first % period == 0
            write: tuple[Any, ...] = tuple(slice(a, b + 1) for a, b in part.write)
            inside: list[Any] = []
            for (start, _), (a, b), axis in zip(
                part.read, part.write, range(len(size)), strict=True
            ):
                shift = Fraction(start) / instance(int, analysis[layer].jump[axis])
                assert shift == int(shift)
                inside.append(slice(a - int(shift), b + 1 - int(shift)))
            result[(..., *write)] = _run(module, image[(..., *read)])[(..., *inside)]
    return float((result - whole).abs().max()), plan


@pytest.mark.parametrize(
    ("name", "layer", "size", "tile"),
    [
        ("unet", "classifier", (320, 48), (256, 48)),
        ("unet", "classifier", (32, 336), (32, 272)),
        ("fcn_resnet50", "upsample", (552, 40), (496, 40)),
        pytest.param("unet_3d", "labels", (124, 92, 92), (116, 92, 92), marks=pytest.mark.slow),
    ],
)
def test_that_tiles_of_segmentation_presets_equal_the_whole(name, layer, size, tile) -> None:
    preset = rfstudio.load(name)
    network = replace(preset, layers=tuple(map(_thin, preset.layers)))
    difference, plan = _largest_difference(network, layer, size, tile)
    assert plan.exact
    assert len(plan.plan) > 1
    assert difference == 0


def test_that_a_u_net_has_its_known_overlap_and_period() -> None:
    # Public question M.
    plan = _plan(rfstudio.analyze("unet"), "classifier")
    assert plan.overlap == ((107, 107), (107, 107))
    assert plan.period == (16, 16)
    assert plan.exact
    assert plan.reasons == ()


def test_that_an_operation_over_the_whole_map_is_the_reason_why_tiles_differ() -> None:
    plan = _plan(rfstudio.analyze("deeplab_v3_resnet50"), "upsample")
    assert not plan.exact
    assert any("classifier.aspp.image.pool" in x for x in plan.reasons)
    assert all(x is not None for x in plan.overlap)
    assert not _plan(rfstudio.analyze("vgg16"), "fc8").overlap[0]


def _random_u_net(seed: int) -> Architecture:
    """Kernels of any size with paddings of any side, pools, two ways up, skips."""
    rng = random.Random(seed)

    def conv(name: str) -> Layer:
        k, d = rng.randint(1, 4), rng.choice([1, 1, 2])
        total = d * (k - 1)
        pads = []
        for _ in "yx":
            before = rng.randint(0, total)
            pads.append((before, total - before))
        return Layer(ops.Conv(kernel_size=k, dilation=d, padding=tuple(pads), out_channels=3), name)

    levels = rng.randint(1, 3)
    items: list[Layer] = []
    for i in range(levels):
        items += [conv(f"down{i}"), Layer(ops.Relu(), f"skip{i}")]
        pool = rng.choice(
            [
                ops.MaxPool(kernel_size=2),
                ops.AvgPool(kernel_size=3, stride=2, padding=1),
                ops.Conv(kernel_size=3, stride=2, padding="same"),
                ops.Conv(kernel_size=2, stride=2),
                ops.PixelUnshuffle(downscale_factor=2),
            ]
        )
        items.append(Layer(pool, f"pool{i}"))
    items.append(conv("bottom"))
    if rng.random() < 0.3:
        items.append(Layer(ops.WindowAttention(window_size=2, shift=rng.randint(0, 1), heads=1)))
    for i in reversed(range(levels)):
        up = rng.choice(
            [
                ops.ConvTranspose(kernel_size=2, stride=2, out_channels=3),
                ops.ConvTranspose(kernel_size=4, stride=2, padding=1, out_channels=3),
                ops.Upsample(scale_factor=2, mode="bilinear"),
                ops.Upsample(scale_factor=2),
            ]
        )
        items += [Layer(up, f"up{i}"), Layer(ops.Concat(), f"join{i}", (f"up{i}", f"skip{i}"))]
        items.append(conv(f"conv{i}"))
    items.append(Layer(ops.Pad(padding=2, mode="reflect"), "pad"))
    items.append(Layer(ops.Conv(kernel_size=5, out_channels=2), "out"))
    return Architecture("random U-Net", "", "", (128, 128), 2, tuple(items))


@pytest.mark.parametrize("seed", range(16))
def test_that_tiles_of_random_u_nets_equal_the_whole(seed) -> None:
    network = _random_u_net(seed)
    known = _plan(analyze(network), "out")
    tile = tuple(sum(x or ()) + 2 * p for x, p in zip(known.overlap, known.period, strict=True))
    # Whole periods, since a U-Net takes no other sizes.
    size = tuple((n // p + 4) * p for n, p in zip(tile, known.period, strict=True))
    difference, plan = _largest_difference(network, "out", size, tile)
    assert plan.exact
    assert len(plan.plan) >= 4
    assert difference == 0


def test_that_the_layers_of_a_plan_are_written_once() -> None:
    plan = _plan(analyze(_random_u_net(3), input_size=(160, 160)), "out", (112, 112))
    written = torch.zeros(160, 160)
    for part in plan.plan:
        written[tuple(slice(a, b + 1) for a, b in part.write)] += 1
    assert bool((written == 1).all())
