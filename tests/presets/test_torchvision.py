"""Presets with the weights of torchvision's models: the same names, and the same outputs."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.weight_names import names_in_files
from rfstudio.engine.module.build import to_torch, weight_places
from rfstudio.engine.weights.reading import load_weights
from rfstudio.formats.networks.presets import read_preset
from tests.engine.real_models import torchvision_models


def _fpn() -> nn.Module:
    backbones = torchvision_models().detection.backbone_utils
    found: nn.Module = backbones.resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=nn.BatchNorm2d
    )
    return found


def _model(name: str, **options: Any) -> nn.Module:
    if name == "fpn_resnet50":
        return _fpn()
    models = torchvision_models()
    if name in ("fcn_resnet50", "deeplabv3_resnet50"):
        segmentation = getattr(models.segmentation, name)
        found: nn.Module = segmentation(weights=None, weights_backbone=None, aux_loss=True)
        return found
    make: Callable[..., nn.Module] = getattr(models.video if name == "r3d_18" else models, name)
    return make(weights=None, **options)


_OPTIONS = {"googlenet": {"aux_logits": False, "init_weights": False}}
_NAMES = {
    "vit_b16": "vit_b_16",
    "deeplab_v3_resnet50": "deeplabv3_resnet50",
    "mobilenet_v2_pytorch": "mobilenet_v2",
    **{f"{x}_v1": x for x in ("resnet50", "resnet101", "resnet152")},
}
"""Names of torchvision for presets that are called otherwise."""


def _with_statistics(preset: str) -> nn.Module:
    """Return a model with random weights none of which is equal, whose norms have measured."""
    torch.manual_seed(0)
    module = _model(_NAMES.get(preset, preset), **_OPTIONS.get(preset, {}))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    for key, x in module.named_buffers():
        if key.endswith("running_mean"):
            x.uniform_(-0.2, 0.2)
        elif key.endswith("running_var"):
            x.uniform_(0.5, 1.5)
    return module.double().eval()


def _shuffled(state: dict[str, Tensor]) -> dict[str, Tensor]:
    names = sorted(state)
    random.Random(0).shuffle(names)
    return {name: state[name] for name in names}


_SIDES = {
    **dict.fromkeys(("swin_t", "vit_b16"), 224),
    **dict.fromkeys(("resnet50", "shufflenet_v2_x1_0", "resnet18", "mobilenet_v2_pytorch"), 64),
    **dict.fromkeys(("mobilenet_v3_large", "mobilenet_v3_small", "efficientnet_b0"), 64),
    **dict.fromkeys(("regnet_x_400mf", "densenet121", "convnext_tiny", "resnext50_32x4d"), 64),
    **dict.fromkeys(("googlenet", "squeezenet1_1", "r3d_18", "fpn_resnet50"), 64),
    **dict.fromkeys(("fcn_resnet50", "deeplab_v3_resnet50"), 64),
}
"""Presets, and the side of an image on which their outputs are compared."""


@pytest.mark.slow
@pytest.mark.parametrize("preset", _SIDES)
def test_that_a_preset_computes_what_torchvision_does(preset: str, tmp_path: Path) -> None:
    """With the entries of the file in any order, since names decide."""
    theirs = _with_statistics(preset)
    torch.save(_shuffled(theirs.state_dict()), tmp_path / "weights.pth")
    network = read_preset(preset)
    size = ((4,) if network.axes == 3 else ()) + (_SIDES[preset],) * 2
    ours = to_torch(network, input_size=size, dtype=torch.float64)
    loaded = load_weights(ours, tmp_path / "weights.pth")
    assert (loaded.missing, loaded.unexpected, loaded.renamed) == ((), (), {})
    image = torch.randn(1, 3, *size, dtype=torch.float64)
    outputs = {"fcn_resnet50": "out", "deeplab_v3_resnet50": "out", "fpn_resnet50": "pool"}
    with torch.no_grad():
        wanted = theirs(image)
        wanted = wanted[outputs[preset]] if preset in outputs else wanted
        assert torch.allclose(ours(image).reshape(wanted.shape), wanted, atol=1e-9)


@pytest.mark.slow
def test_that_deeplab_computes_what_torchvision_does_at_another_size(tmp_path: Path) -> None:
    """Its upsampling goes to the size of the image, whatever it is; 97 × 130 is odd in all maps."""
    theirs = _with_statistics("deeplab_v3_resnet50")
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    ours = to_torch(read_preset("deeplab_v3_resnet50"), dtype=torch.float64)
    load_weights(ours, tmp_path / "weights.pth")
    image = torch.randn(1, 3, 97, 130, dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(ours(image), theirs(image)["out"], atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    "preset",
    [
        *("vgg11", "vgg13", "vgg16", "vgg19", "resnet34", "resnet101", "resnet152"),
        *("resnet50_v1", "resnet101_v1", "resnet152_v1", "mobilenet_v2", "alexnet"),
    ],
)
def test_that_a_preset_knows_torchvisions_name_of_each_of_its_weights(preset: str) -> None:
    with torch.device("meta"):
        theirs = _model(_NAMES.get(preset, preset)).state_dict()
    network = read_preset(preset)
    places = weight_places(expand(network))
    paths = {name: x.path for name, x in places.items()}
    names = names_in_files(network.weight_names, paths)
    counters = {x for x in theirs if x.endswith("num_batches_tracked")}
    assert sorted(names.values()) == sorted(theirs.keys() - counters)
    assert all(
        [x for x in theirs[names[own]].shape if x > 1] == [x for x in place.shape if x > 1]
        for own, place in places.items()
    )


@pytest.mark.slow
def test_that_an_embedding_for_another_number_of_positions_is_refused(tmp_path: Path) -> None:
    torch.save(_with_statistics("vit_b16").state_dict(), tmp_path / "weights.pth")
    ours = to_torch(read_preset("vit_b16"), input_size=(160, 160))
    with pytest.raises(RFStudioError, match=r"'encoder.pos_embedding' has the shape \[1, 197,"):
        load_weights(ours, tmp_path / "weights.pth")
