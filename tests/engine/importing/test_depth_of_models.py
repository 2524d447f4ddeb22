"""The effective field through the depth of torchvision's and timm's models, by their own gradients.

What is measured is compared with torch's gradients of the submodule's own output, found by a hook:
tokens as (1, tokens, channels), Swin's maps as (1, h, w, channels), ConvNeXt's as (1, channels,
h, w).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import rfstudio
from tests.engine.real_models import timm, torchvision_models

Unit = tuple[int, ...]


def _token(output: Tensor, unit: Unit) -> Tensor:
    side = round((output.shape[1] - 1) ** 0.5)
    return output[0, 1 + unit[0] * side + unit[1]]


def _swin_value(output: Tensor, unit: Unit) -> Tensor:
    return output[0, unit[0], unit[1]]


def _map_value(output: Tensor, unit: Unit) -> Tensor:
    return output[0, :, unit[0], unit[1]]


class Model(NamedTuple):
    """A model, submodules in the order of depth, and which values of an output are of a unit."""

    make: Callable[[], nn.Module]
    size: int
    layers: tuple[str, ...]
    values: Callable[[Tensor, Unit], Tensor]


def _vit() -> Any:
    return torchvision_models().VisionTransformer(64, 16, 3, 2, 32, 64)


def _timm_vit() -> Any:
    options = {"img_size": 64, "embed_dim": 32, "depth": 3, "num_heads": 2}
    return timm().create_model("vit_tiny_patch16_224", **options)


def _convnext() -> Any:
    return timm().create_model("convnext_atto", depths=(1, 1, 2, 1))


MODELS = {
    "vit": Model(_vit, 64, tuple(f"encoder.layers.encoder_layer_{i}" for i in range(3)), _token),
    "timm vit": Model(_timm_vit, 64, ("blocks.0", "blocks.1", "blocks.2"), _token),
    "swin": Model(
        lambda: torchvision_models().swin_t(),
        96,
        ("features.1.1", "features.3.1", "features.5.1"),
        _swin_value,
    ),
    "convnext": Model(
        lambda: torchvision_models().convnext_tiny(),
        96,
        ("features.1.2", "features.3.2", "features.5.3"),
        _map_value,
    ),
    "timm convnext": Model(
        _convnext,
        96,
        ("stages.0", "stages.1", "stages.2"),
        _map_value,
    ),
}


def _gradient(model: Model, module: nn.Module, layer: str, unit: Unit, image: Tensor) -> Any:
    """Return Σ_i |Σ_c ∂y_c/∂x_i| of a unit of a submodule's output."""
    caught: list[Tensor] = []
    handle = module.get_submodule(layer).register_forward_hook(lambda *x: caught.append(x[2]))
    pixels = image.clone().requires_grad_()
    module(pixels)
    handle.remove()
    (gradient,) = torch.autograd.grad(model.values(caught[0], unit).sum(), pixels)
    found: NDArray[np.float64] = gradient[0].abs().sum(0).double().numpy()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_that_fields_through_the_depth_of_a_model_are_those_of_its_gradients(name: str) -> None:
    torch.manual_seed(0)
    model = MODELS[name]
    module = model.make().eval()
    image = torch.randn(1, 3, model.size, model.size)
    network = rfstudio.load(module, input_size=(model.size, model.size))
    analysis = rfstudio.analyze(network)
    for layer in model.layers:
        unit = tuple(n // 2 for n in analysis[layer].output_size)
        found = rfstudio.erf(network, layer, unit, estimator="abs", images=image, samples=1)
        wanted = _gradient(model, module, layer, unit, image)
        assert np.abs(found.map - wanted).max() < 2e-3 * wanted.max(), layer
        assert found.metrics.luo_size
        assert found.metrics.sigma
