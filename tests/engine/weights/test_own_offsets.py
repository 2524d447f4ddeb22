"""Offsets of deformable convolutions that only a file of weights has a convolution for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from rfstudio import erf
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.process.errors import WeightsError
from rfstudio.engine.weights.reading import Loaded, load_weights
from tests.engine.deforming import deformed

_DEFORM = ops.DeformConv(kernel_size=3, padding=1, out_channels=8, bias=False)
NETWORK = Architecture(
    input_size=(9, 10),
    channels=3,
    layers=(
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=8), "conv1"),
        Layer(ops.BatchNorm(), "bn1"),
        Layer(_DEFORM, "conv2"),
        Layer(ops.BatchNorm(), "bn2"),
    ),
)
IMAGE = torch.randn(1, 3, 9, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _random(*shape: int, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=source, dtype=torch.float64) / 4


def _loaded(
    folder: Path,
    others: Mapping[str, Tensor],
    network: Architecture = NETWORK,
    names: Mapping[str, str] | None = None,
) -> tuple[GraphModule, Loaded]:
    """Return a module with the weights of a file that has others beside its own, and what was said.

    Parameters
    ----------
    folder
        Where the file is.
    others
        Tensors of the file that the network has not.
    network
        The network.
    names
        Names in the file for those of the network.
    """
    own = to_torch(network, seed=1, dtype=torch.float64).state_dict()
    renamed = {(names or {}).get(x, x): y for x, y in own.items() if "num_batches" not in x}
    safetensors.torch.save_file({**renamed, **others}, folder / "w.safetensors")
    module = to_torch(network, dtype=torch.float64)
    return module, load_weights(module, folder / "w.safetensors")


def _expected(module: GraphModule, offset: Tensor, mask: Tensor | None) -> Tensor:
    """Return the map of the last norm, which does nothing."""
    state = module.state_dict()
    x = conv2d(IMAGE, state["conv1.weight"], state["conv1.bias"], padding=1)
    x = x / (1 + 1e-5) ** 0.5
    found = deformed(x, state["conv2.weight"], offset, mask, padding=1)
    return found / (1 + 1e-5) ** 0.5


def _before(module: GraphModule) -> Tensor:
    state = module.state_dict()
    x = conv2d(IMAGE, state["conv1.weight"], state["conv1.bias"], padding=1)
    return x / (1 + 1e-5) ** 0.5


@pytest.mark.parametrize("name", ["conv2.conv_offset", "conv2_offset", "conv2.conv_offset_mask"])
@pytest.mark.parametrize("groups", [1, 4])
def test_that_the_last_third_of_the_channels_is_the_mask(
    tmp_path: Path, name: str, groups: int
) -> None:
    weight, bias = _random(27 * groups, 8, 3, 3), _random(27 * groups, seed=1)
    module, loaded = _loaded(tmp_path, {f"{name}.weight": weight, f"{name}.bias": bias})
    both = conv2d(_before(module), weight, bias, padding=1)
    offset, mask = both[:, : 18 * groups], both[:, 18 * groups :].sigmoid()
    assert offset.abs().max() > 1
    torch.testing.assert_close(module(IMAGE), _expected(module, offset, mask))
    assert loaded.notes((), "") == (
        f"offsets of deformable convolutions are those of the file: conv2 from {name}",
        f"masks of deformable convolutions are those of the file: conv2 from {name}",
    )
    assert (loaded.missing, loaded.unexpected) == ((), ())


def test_that_offsets_alone_have_two_channels_for_each_tap(tmp_path: Path) -> None:
    weight = _random(36, 8, 1, 1)  # of two groups, by a convolution of one tap without a bias
    module, loaded = _loaded(tmp_path, {"offset.weight": weight})
    torch.testing.assert_close(
        module(IMAGE), _expected(module, conv2d(_before(module), weight), None)
    )
    assert loaded.offsets.still == ()


def test_that_the_mask_of_a_module_around_torchvision_is_twice_a_sigmoid(tmp_path: Path) -> None:
    others = {
        "block.offset_conv.weight": _random(18, 8, 3, 3),
        "block.offset_conv.bias": _random(18),
        "block.modulator_conv.weight": _random(9, 8, 3, 3, seed=1),
        "block.modulator_conv.bias": _random(9),
    }
    names = {"conv2.weight": "block.regular_conv.weight"}
    module, loaded = _loaded(tmp_path, others, names=names)
    x, (weight, bias, of_mask, shift) = _before(module), others.values()
    offset, logits = conv2d(x, weight, bias, padding=1), conv2d(x, of_mask, shift, padding=1)
    wanted = _expected(module, offset, 2 * logits.sigmoid())
    torch.testing.assert_close(module(IMAGE), wanted)
    text = "conv2 from block.modulator_conv, twice a sigmoid"
    assert text in " ".join(loaded.notes((), ""))


def test_that_the_field_is_that_of_moved_taps(tmp_path: Path) -> None:
    others = {"conv2_offset.weight": _random(18, 8, 3, 3), "conv2_offset.bias": _random(18)}
    module, _ = _loaded(tmp_path, others)
    path = str(tmp_path / "w.safetensors")
    found = erf(NETWORK, "bn2", unit=(4, 5), weights=path, samples=2, dtype="float64")
    wanted = erf(NETWORK, "bn2", unit=(4, 5), module=module, samples=2, dtype="float64")
    np.testing.assert_allclose(found.map, wanted.map, rtol=1e-9)
    window = np.zeros((9, 10), bool)
    window[2:7, 3:8] = True  # what is read without offsets
    assert found.map[~window].max() > 0
    assert any("conv2 from conv2_offset" in x for x in found.notes)


def test_that_each_layer_gets_the_offsets_of_its_own_name(tmp_path: Path) -> None:
    second = Layer(_DEFORM, "conv3")
    network = Architecture(input_size=(9, 10), channels=3, layers=(*NETWORK.layers, second))
    others = {
        f"conv{i}_offset.{part}": _random(*shape, seed=i)
        for i in (3, 2)
        for part, shape in (("weight", (18, 8, 3, 3)), ("bias", (18,)))
    }
    _, loaded = _loaded(tmp_path, others, network)
    pairs = [(x.layer, x.offset) for x in loaded.offsets.moved]
    assert pairs == [("conv2", "conv2_offset"), ("conv3", "conv3_offset")]
    del others["conv3_offset.weight"]
    _, loaded = _loaded(tmp_path, others, network)
    assert loaded.offsets.still == ("conv3",)
    assert loaded.unexpected == ("conv3_offset.bias",)


def test_that_layers_of_the_network_keep_their_weights_whatever_they_are_called(
    tmp_path: Path,
) -> None:
    own = Layer(ops.Conv(kernel_size=3, padding=1, out_channels=18), "offset_mask")
    network = Architecture(input_size=(9, 10), channels=3, layers=(*NETWORK.layers, own))
    names = {x: f"module.{x}" for x in to_torch(network).state_dict() if "num_batches" not in x}
    module, loaded = _loaded(tmp_path, {}, network, names)
    assert (loaded.missing, loaded.unexpected) == ((), ())
    assert loaded.offsets.still == ("conv2",)
    same = to_torch(network, seed=1, dtype=torch.float64)
    torch.testing.assert_close(module(IMAGE), same(IMAGE))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("conv2_offset", (20, 8, 3, 3)),  # no offsets of 9 taps
        ("conv2_offset", (18, 6, 3, 3)),  # of another map
        ("conv2_offset", (18, 8, 2, 2)),  # whose windows have other centres
        ("conv1.offset", (18, 8, 3, 3)),  # inside of another layer
        ("elsewhere", (18, 8, 3, 3)),
    ],
)
def test_that_what_does_not_fit_is_not_used_and_said(
    tmp_path: Path, name: str, shape: tuple[int, ...]
) -> None:
    module, loaded = _loaded(tmp_path, {f"{name}.weight": _random(*shape)})
    still = to_torch(NETWORK, seed=1, dtype=torch.float64)
    torch.testing.assert_close(module(IMAGE), still(IMAGE))
    assert loaded.notes((), "") == (
        "no offsets in the file, so taps of deformable convolutions stay still: conv2",
        f"in the file, not used: {name}.weight",
    )


@pytest.mark.parametrize("shape", [(17,), (18, 2), ()])
def test_that_offsets_with_a_bias_of_other_channels_are_not_used(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    others = {"conv2_offset.weight": _random(18, 8, 3, 3), "conv2_offset.bias": _random(*shape)}
    _, loaded = _loaded(tmp_path, others)
    assert loaded.offsets.still == ("conv2",)
    assert set(loaded.unexpected) == {*others}


def test_that_offsets_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    weight = _random(18, 8, 3, 3)
    weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(WeightsError, match=r"'conv2_offset\.weight' holds NaN or infinity"):
        _loaded(tmp_path, {"conv2_offset.weight": weight})
