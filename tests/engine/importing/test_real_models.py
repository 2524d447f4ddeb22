"""Models of torchvision and timm with random weights, against NaN in their images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.engine.importing.load import load_module
from tests.engine.real_models import timm, torchvision_models


def _vit() -> nn.Module:
    module: nn.Module = torchvision_models().VisionTransformer(
        image_size=64, patch_size=16, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64
    )
    return module


def _swin() -> nn.Module:
    module: nn.Module = torchvision_models().SwinTransformer(
        patch_size=[4, 4], embed_dim=24, depths=[2, 2], num_heads=[2, 2], window_size=[4, 4]
    )
    return module


def _of_timm(name: str) -> nn.Module:
    module: nn.Module = timm().create_model(name, pretrained=False)
    return module


# In Swin, NaN passes the masks of shifted windows, whose weight is exp(−100): layers before them.
MODELS: dict[str, tuple[Callable[[], nn.Module], int, tuple[str, ...], int]] = {
    "resnet18": (
        lambda: torchvision_models().resnet18(weights=None),
        64,
        ("maxpool", "layer1.0.conv2", "layer2", "layer3.1.bn2"),
        0,
    ),
    "mobilenet_v3_small": (
        lambda: torchvision_models().mobilenet_v3_small(weights=None),
        64,
        ("features.0", "features.1.block.0", "features.4.block.1", "features.12"),
        0,
    ),
    "swin": (_swin, 64, ("features.0", "features.1.0.attn", "features.1.0.mlp"), 0),
    "vit": (
        _vit,
        64,
        ("conv_proj", "encoder.layers.encoder_layer_0.ln_1", "encoder.ln"),
        1,
    ),
    "edgenext_xx_small": (
        lambda: _of_timm("edgenext_xx_small"),
        64,
        ("stem", "stages.0", "stages.1.blocks.0", "stages.1.blocks.1.mlp", "stages.2.downsample"),
        0,
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_that_the_fields_of_a_real_model_are_those_of_nan_in_its_image(name: str) -> None:
    make, side, paths, extra = MODELS[name]
    torch.manual_seed(0)
    module = make().eval()
    network = load_module(module, (side, side))
    assert not network.report.of("global")
    analysis = analyze(network)
    assert not analysis.graph.faults
    for path in paths:
        size = analysis[path].output_size
        units = {(0, 0), (size[0] // 2, size[1] // 3)}
        for unit in sorted(units):
            region = analysis.unit(path, unit).visible_region
            assert region is not None
            _check(module, side, path, (unit, size, extra), region)


def _check(
    module: nn.Module, side: int, path: str, unit: Any, region: tuple[tuple[int, int], ...]
) -> None:
    """Hold a region against stripes of NaN: at each of its sides, and right outside."""
    stripes: list[tuple[int, slice, bool]] = []
    for axis, (first, last) in enumerate(region):
        stripes.append((axis, slice(first, first + 1), True))
        stripes.append((axis, slice(last, last + 1), True))
        stripes.append((axis, slice(0, first), False))
        stripes.append((axis, slice(last + 1, side), False))
    images = torch.rand((len(stripes), 3, side, side))
    for image, (axis, where, _) in zip(images, stripes, strict=True):
        image[(slice(None), where) if axis == 0 else (slice(None), slice(None), where)] = torch.nan
    outputs: list[Tensor] = []
    handle = module.get_submodule(path).register_forward_hook(
        # At once: what comes later may work in place.
        lambda _m, _i, y: outputs.append((y[0] if isinstance(y, tuple) else y).isnan())
    )
    with torch.no_grad():
        module(images)
    handle.remove()
    reached = _at(outputs[0], *unit)
    assert reached.tolist() == [x for _, _, x in stripes], (path, unit, region)


def _at(found: Tensor, unit: tuple[int, int], size: tuple[int, int], extra: int) -> Tensor:
    """Return whether any channel of a unit is set, in each image, whatever the layout is."""
    if found.dim() == 3:
        return found[:, extra + unit[0] * size[1] + unit[1]].any(-1)
    if tuple(found.shape[2:]) == size:
        return found[:, :, unit[0], unit[1]].any(-1)
    return found[:, unit[0], unit[1]].any(-1)


# Modules whose outputs are no maps: blocks × tokens, or tokens in an order of their own.
REGROUPED: dict[str, tuple[int, tuple[str, ...]]] = {
    "nest_tiny": (
        224,
        ("levels.0.transformer_encoder.1.mlp", "levels.1.transformer_encoder.1.attn.qkv"),
    ),
    "hiera_tiny_224": (224, ("blocks.1.norm2", "blocks.3.attn.qkv")),
    "mobilevitv2_050": (96, ("stages.2.1.transformer.0.norm1", "stages.3.1.transformer.1.norm2")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REGROUPED)
def test_that_values_of_a_regrouped_output_see_what_nan_says(name: str) -> None:
    side, paths = REGROUPED[name]
    torch.manual_seed(0)
    module = _of_timm(name).eval()
    network = load_module(module, (side, side))
    analysis = analyze(network)
    for path in paths:
        shape = tuple(x.size for x in network.layouts[path])
        indices = [tuple(n // 2 for n in shape), tuple(min(n // 2 + 1, n - 1) for n in shape)]
        for index in indices:
            _check_value(module, side, path, index, analysis, network.unit_at(path, index))


class _Reached(Exception):  # noqa: N818 - not an error: the forward pass has got as far as it must
    """Ends a forward pass at a submodule, with its output."""


def _stop(_module: nn.Module, _arguments: object, output: Tensor) -> None:
    raise _Reached(output)


def _check_value(
    module: nn.Module,
    side: int,
    path: str,
    index: tuple[int, ...],
    analysis: Analysis,
    unit: tuple[int, ...] | None,
) -> None:
    """Hold the region of a unit against stripes of NaN, read off the module's own output."""
    assert unit is not None
    region = analysis.unit(path, unit).visible_region
    assert region is not None
    stripes = [
        (axis, *stripe)
        for axis, (first, last) in enumerate(region)
        for stripe in [
            (first, first + 1, True),
            (last, last + 1, True),
            (0, first, False),
            (last + 1, side, False),
        ]
    ]
    images = torch.rand((len(stripes), 3, side, side))
    for image, (axis, start, stop, _) in zip(images, stripes, strict=True):
        image.narrow(1 + axis, start, stop - start).fill_(torch.nan)
    handle = module.get_submodule(path).register_forward_hook(_stop)
    with torch.no_grad(), pytest.raises(_Reached) as reached:
        module(images)
    handle.remove()
    found = reached.value.args[0][(slice(None), *index[1:])].isnan()
    assert found.tolist() == [x for *_, x in stripes], (path, index, unit, region)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["swin_t", "swin_v2_t"])
def test_that_a_shifted_window_sees_what_gradients_say(version: str) -> None:
    # Masks are added as −100, so that what they cut has gradients, but of 1e-43 and less; NaN
    # passes them, and changes of the image are lost when they are small beside the rounding.
    torch.manual_seed(0)
    made = torchvision_models()
    module = getattr(made, version)(weights=None).double().eval()
    path, unit = "features.5.0.norm2", (7, 7) if version == "swin_t" else (8, 8)
    outputs: list[Tensor] = []
    module.get_submodule(path).register_forward_hook(lambda _m, _i, y: outputs.append(y))
    reached = torch.zeros(224, 224, dtype=torch.float64)
    for _ in range(2):
        image = torch.randn((1, 3, 224, 224), dtype=torch.float64, requires_grad=True)
        module(image)
        value = outputs[-1][(0, *unit)]
        (gradient,) = torch.autograd.grad((value * torch.randn_like(value)).sum(), image)
        reached = torch.maximum(reached, gradient[0].abs().amax(0))
    found = (reached > 1e-20 * reached.max()).nonzero()
    wanted = tuple((int(x.min()), int(x.max())) for x in found.T)
    network = load_module(module.float(), (224, 224))
    assert analyze(network).unit(path, unit).visible_region == wanted
