"""Attention within windows of modules as others write them, against loops over pairs of tokens.

The loops know windows from their definition alone: which row of the padded and shifted map a query
is in, which of the map's own rows are in the same window, and which parts of a shifted map do not
attend to each other.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

import rfstudio
from rfstudio.core.errors import UnitError
from rfstudio.core.metrics.attention import LayerAttention
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.measuring.module_attention import measure_module_attention
from rfstudio.engine.requests.request import ErfRequest
from tests.engine.real_models import timm, torchvision_models

PATCH = 4


class Windows(NamedTuple):
    """The windows of one layer.

    Attributes
    ----------
    window, shift
        Their side, and how far the map is shifted.
    is_masked
        Whether what meets only by the shift over the border does not attend to each other.
    rolls_first
        Whether the map is shifted before it is padded.
    """

    window: int
    shift: int
    is_masked: bool = True
    rolls_first: bool = False


class Layer(NamedTuple):
    """What the loops read: the input (H, W, C), a matrix, its bias, and that of pairs by head."""

    x: NDArray[np.float64]
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    pairs: NDArray[np.float64]


def _lines(n: int, windows: Windows) -> tuple[list[int], list[int]]:
    """Return for each place of a padded and shifted axis its index in the map, and its region.

    The index of padding is −1.
    """
    w, shift, is_masked, rolls_first = windows
    long = -(-n // w) * w
    shift = 0 if w >= long else shift
    if rolls_first:
        line = [(i + shift) % n if i < n else -1 for i in range(long)]
    else:
        line = [(i + shift) % long for i in range(long)]
        line = [i if i < n else -1 for i in line]
    regions = [0 if i < long - w else 1 if i < long - shift else 2 for i in range(long)]
    return line, regions if shift and is_masked else [0] * long


def _by_hand(
    layer: Layer, windows: Windows, jump: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return distances by head, and the weights between all pairs of the map's positions."""
    rows, columns, channels = layer.x.shape
    w, heads = windows.window, len(layer.pairs)
    (down, up), (across, side) = (_lines(n, windows) for n in (rows, columns))
    weights = np.zeros((heads, rows, columns, rows, columns))
    distances = np.zeros(heads)

    def projected(i: int, j: int) -> Any:
        inside = down[i] >= 0 and across[j] >= 0
        x = layer.x[down[i], across[j]] if inside else np.zeros(channels)
        return (layer.weight @ x + layer.bias).reshape(3, heads, -1)

    for top in range(0, len(down), w):
        for left in range(0, len(across), w):
            tokens = [(top + i, left + j) for i in range(w) for j in range(w)]
            parts = np.stack([projected(*x) for x in tokens])
            for a, (i, j) in enumerate(tokens):
                if down[i] < 0 or across[j] < 0:
                    continue
                for head in range(heads):
                    logits = parts[:, 1, head] @ parts[a, 0, head] / parts.shape[-1] ** 0.5
                    logits = logits + layer.pairs[head, a]
                    logits += [
                        0 if (up[i], side[j]) == (up[k], side[m]) else -100 for k, m in tokens
                    ]
                    found = np.exp(logits - logits.max())
                    found /= found.sum()
                    far = near = 0.0
                    for (k, m), share in zip(tokens, found, strict=True):
                        if down[k] < 0 or across[m] < 0:
                            continue
                        weights[head, down[i], across[j], down[k], across[m]] = share
                        apart = np.hypot(down[i] - down[k], across[j] - across[m])
                        far, near = far + share * apart * jump, near + share
                    distances[head] += far / near / (rows * columns)
    return distances, weights


def _agree(found: LayerAttention, layer: Layer, windows: Windows, jump: float) -> None:
    distances, weights = _by_hand(layer, windows, jump)
    assert found.size == layer.x.shape[:2]
    assert found.distance == pytest.approx(distances, abs=1e-10)
    row, column = found.unit
    assert found.maps == pytest.approx(weights[:, row, column], abs=1e-12)


def _measured(module: nn.Module, image: Tensor, **options: Any) -> list[LayerAttention]:
    network = Architecture(name="own", layers=(), input_size=tuple(image.shape[2:]), channels=3)
    request = ErfRequest(architecture=network, layer="", dtype="float64", **options)
    return measure_module_attention(module, request, lambda _: None, images=image)


def _inputs(module: nn.Module, kinds: type[nn.Module], image: Tensor) -> list[Tensor]:
    found: list[Tensor] = []
    handles = [
        x.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].detach()))
        for x in module.modules()
        if isinstance(x, kinds)
    ]
    module(image)
    for handle in handles:
        handle.remove()
    return found


def _numbers(x: Tensor) -> NDArray[np.float64]:
    return x.detach().double().numpy()


# --- a module of a user ------------------------------------------------------------------------


class OwnWindows(nn.Module):
    """Windows of a map whose shift goes over its border, without a mask between its parts."""

    def __init__(self, window: int, shift: int, product: Callable[..., Tensor]) -> None:
        super().__init__()
        self.window, self.shift, self.product = window, shift, product
        self.qkv = nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        n, rows, columns, _ = x.shape
        w, shift = self.window, self.shift
        padded = functional.pad(x, (0, 0, 0, -columns % w, 0, -rows % w))
        high, wide = padded.shape[1:3]
        moved = torch.roll(padded, (-shift, -shift), (1, 2))
        cut = moved.view(n, high // w, w, wide // w, w, 8).permute(0, 1, 3, 2, 4, 5)
        q, k, v = self.qkv(cut.reshape(-1, w * w, 8)).reshape(-1, w * w, 3, 2, 4).unbind(2)
        y = self.product(*(t.transpose(1, 2) for t in (q, k, v)))
        y = y.transpose(1, 2).reshape(n, high // w, wide // w, w, w, 8)
        y = y.permute(0, 1, 3, 2, 4, 5).reshape(n, high, wide, 8)
        y = torch.roll(y, (shift, shift), (1, 2))[:, :rows, :columns]
        return x + y


def _by_matmul(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.softmax(q @ k.mT / 2, -1) @ v


def _by_einsum(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    weights = torch.einsum("bhid,bhjd->bhij", q, k).div(2).softmax(dim=-1)
    return torch.einsum("bhij,bhjd->bhid", weights, v)


class Own(nn.Module):
    """A stem, two layers of windows, a merger of patches, and one layer more."""

    def __init__(self, product: Callable[..., Tensor]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, PATCH, PATCH)
        self.first = OwnWindows(3, 0, product)
        self.second = OwnWindows(3, 1, product)
        self.merge = nn.Linear(32, 8)
        self.third = OwnWindows(2, 1, product)

    def forward(self, image: Tensor) -> Tensor:
        x = self.second(self.first(self.stem(image).permute(0, 2, 3, 1)))
        x = functional.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        x = torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)
        found: Tensor = self.third(self.merge(x))
        return found


PRODUCTS: dict[str, Callable[..., Tensor]] = {
    "fused": functional.scaled_dot_product_attention,
    "matmul": _by_matmul,
    "einsum": _by_einsum,
}


@pytest.mark.parametrize("product", PRODUCTS)
def test_that_windows_are_found_however_they_are_computed(product: str) -> None:
    torch.manual_seed(0)
    module = Own(PRODUCTS[product]).double().eval()
    image = torch.randn(1, 3, 20, 28).double()
    inputs = _inputs(module, OwnWindows, image)
    found = _measured(module, image)
    assert [x.layer for x in found] == ["first", "second", "third"]
    for answer, x, jump in zip(found, inputs, (PATCH, PATCH, 2 * PATCH), strict=True):
        own = module.get_submodule(answer.layer)
        assert isinstance(own, OwnWindows)
        pairs = np.zeros((2, own.window**2, own.window**2))
        layer = Layer(_numbers(x[0]), _numbers(own.qkv.weight), _numbers(own.qkv.bias), pairs)
        _agree(answer, layer, Windows(own.window, own.shift, is_masked=False), jump)


def test_that_a_unit_outside_is_refused_as_in_any_map() -> None:
    module = Own(_by_matmul).double()
    with pytest.raises(UnitError, match=r"'first' has no unit \(5, 0\): coordinates go from 0…4, "):
        _measured(module, torch.randn(1, 3, 20, 28).double(), unit=(5, 0))
    with pytest.raises(UnitError, match="a unit of 'first' has 2 coordinates, not 1"):
        _measured(module, torch.randn(1, 3, 20, 28).double(), unit=(5,))


# --- torchvision and timm ----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("size", [(40, 52), (48, 24)])
def test_that_torchvisions_swin_looks_as_far_as_its_own_weights_say(size: tuple[int, int]) -> None:
    swin = torchvision_models().swin_transformer
    torch.manual_seed(0)
    module = swin.SwinTransformer([PATCH, PATCH], 16, [2, 2], [2, 4], [3, 3]).double().eval()
    for name, value in module.named_parameters():  # biases of pairs are all but 0 at first
        if name.endswith("bias_table"):
            nn.init.normal_(value)
    image = torch.randn(1, 3, *size).double()
    inputs = _inputs(module, swin.ShiftedWindowAttention, image)
    found = _measured(module, image)
    assert len(found) == len(inputs) == 4
    for answer, x, jump in zip(found, inputs, (4, 4, 8, 8), strict=True):
        own = module.get_submodule(answer.layer)
        pairs = _numbers(own.get_relative_position_bias()[0])
        layer = Layer(_numbers(x[0]), _numbers(own.qkv.weight), _numbers(own.qkv.bias), pairs)
        _agree(answer, layer, Windows(own.window_size[0], own.shift_size[0]), jump)


@pytest.mark.slow
def test_that_timms_swin_looks_as_far_as_its_own_weights_say() -> None:
    size = (56, 72)
    create: Any = timm().create_model
    torch.manual_seed(0)
    module = create(
        "swin_tiny_patch4_window7_224",
        img_size=size,
        window_size=(3, 3),
        depths=(2, 2),
        embed_dim=16,
        num_heads=(2, 4),
    )
    module = module.double().eval()
    for name, value in module.named_parameters():
        if name.endswith("bias_table"):
            nn.init.normal_(value)
    image = torch.randn(1, 3, *size).double()
    inputs: dict[str, Tensor] = {}
    blocks = [x for x, y in module.named_modules() if x.endswith(".norm1")]
    for name in blocks:
        module.get_submodule(name).register_forward_hook(
            lambda *arguments, name=name: inputs.update({name: arguments[2].detach()})
        )
    module(image)
    held = dict(inputs)
    found = _measured(module, image)
    assert [x.layer for x in found] == [x.replace("norm1", "attn") for x in blocks]
    for answer, name, jump in zip(found, blocks, (4, 4, 8, 8), strict=True):
        block = module.get_submodule(name.removesuffix(".norm1"))
        own = block.attn
        layer = Layer(
            _numbers(held[name][0]),
            _numbers(own.qkv.weight),
            _numbers(own.qkv.bias),
            _numbers(own._get_rel_pos_bias()[0]),
        )
        windows = Windows(block.window_size[0], block.shift_size[0], rolls_first=True)
        _agree(answer, layer, windows, jump)


@pytest.mark.slow
def test_that_biases_of_pairs_in_a_file_are_those_of_offsets(tmp_path: Path) -> None:
    # Exporters to ONNX work out the bias of each pair, so that the file has no table of offsets.
    pytest.importorskip("onnx")
    torch.manual_seed(0)
    module = torchvision_models().swin_transformer.SwinTransformer(
        [4, 4], 8, [2, 2], [2, 2], window_size=[4, 4], num_classes=5
    )
    module.eval()
    with torch.no_grad():
        for name, x in module.named_parameters():
            if name.endswith("bias_table"):
                x.normal_()
    image, path = torch.randn(1, 3, 64, 64), tmp_path / "swin.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (image,), path, dynamo=False, opset_version=17)
    wanted = rfstudio.attentions(rfstudio.load(module, input_size=(64, 64)), images=image)
    found = rfstudio.attentions(str(path), images=image)
    assert len(found) == len(wanted) == 4
    for own, layer in zip(wanted, found, strict=True):
        assert layer.layer == f"{own.layer}.dot_product_attention1"
        assert layer.distance == pytest.approx(own.distance, rel=1e-4)
