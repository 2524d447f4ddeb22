"""Every operation means what PyTorch means by it, in one, two and three dimensions."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.core import ops
from rfstudio.core.errors import GraphError
from rfstudio.core.network.architecture import Architecture, Branch, Layer, Parallel, Repeat
from rfstudio.core.network.expansion import expand
from rfstudio.engine.module.build import GraphModule, to_torch
from tests.engine import networks


def _pad(x: Tensor, y: tuple[int, int], z: tuple[int, int], value: float = 0.0) -> Tensor:
    return functional.pad(x, (*z, *y), value=value)


def _layer(module: GraphModule) -> Any:
    """Return the only layer, whose weights have names that no common class knows."""
    return next(iter(module.layers()))


Reference = Callable[[Tensor, Any], Tensor]

CASES: list[tuple[ops.Op, tuple[int, ...], Reference]] = [
    (
        ops.Conv(kernel_size=3, stride=2, padding="same"),
        (12, 9),  # the odd sample after, as TensorFlow's SAME
        lambda x, m: functional.conv2d(_pad(x, (0, 1), (1, 1)), m.weight, m.bias, 2),
    ),
    (
        ops.Conv(kernel_size=3, stride=2, padding="same_lower"),
        (12, 9),
        lambda x, m: functional.conv2d(_pad(x, (1, 0), (1, 1)), m.weight, m.bias, 2),
    ),
    (
        ops.Conv(kernel_size=3, padding="same", dilation=2),
        (12, 9),
        lambda x, m: functional.conv2d(x, m.weight, m.bias, 1, "same", 2),
    ),
    (
        ops.Conv(kernel_size=3, padding=((-1, 2), (0, -3)), groups="depthwise"),
        (12, 9),
        lambda x, m: functional.conv2d(_pad(x, (-1, 2), (0, -3)), m.weight, m.bias, groups=8),
    ),
    (
        ops.Conv(kernel_size=5, stride=3, padding=4, dilation=2),
        (31,),
        lambda x, m: functional.conv1d(x, m.weight, m.bias, 3, 4, 2),
    ),
    (
        ops.Conv(kernel_size=(1, 2, 3), stride=(1, 2, 1), padding=(0, 1, 1)),
        (5, 6, 7),
        lambda x, m: functional.conv3d(x, m.weight, m.bias, (1, 2, 1), (0, 1, 1)),
    ),
    (
        ops.ConvTranspose(kernel_size=3, stride=2, padding=1, output_padding=1, groups=2),
        (6, 5),
        lambda x, m: functional.conv_transpose2d(x, m.weight, m.bias, 2, 1, 1, 2),
    ),
    (
        ops.ConvTranspose(kernel_size=2, stride=3, padding=0, dilation=2),
        (7,),
        lambda x, m: functional.conv_transpose1d(x, m.weight, m.bias, 3, 0, 0, 1, 2),
    ),
    (
        ops.ConvTranspose(kernel_size=3, stride=2, padding=((0, 1), (2, 0))),
        (6, 5),
        lambda x, m: functional.conv_transpose2d(x, m.weight, m.bias, 2)[:, :, :-1, 2:],
    ),
    *(
        (
            ops.MaxPool(kernel_size=3, stride=2, padding=1, ceil_mode=True),
            size,
            lambda x, m: getattr(functional, f"max_pool{x.dim() - 2}d")(x, 3, 2, 1, ceil_mode=True),
        )
        for size in ((9,), (8, 10), (11, 12), (5, 6, 7))
    ),
    (
        ops.MaxPool(kernel_size=2, padding=((0, 1), (1, 0))),
        (9, 7),
        lambda x, m: functional.max_pool2d(_pad(x, (0, 1), (1, 0), -torch.inf), 2),
    ),
    *(
        (
            ops.AvgPool(
                kernel_size=3, stride=2, padding=1, ceil_mode=ceil, count_include_pad=include
            ),
            size,
            lambda x, m, c=ceil, i=include: getattr(functional, f"avg_pool{x.dim() - 2}d")(
                x, 3, 2, 1, c, i
            ),
        )
        for size in ((10,), (8, 9), (4, 5, 6))
        for ceil in (False, True)
        for include in (False, True)
    ),
    (
        ops.AvgPool(kernel_size=(2, 3), padding=((0, 1), (1, 0))),
        (9, 8),
        lambda x, m: functional.avg_pool2d(_pad(x, (0, 1), (1, 0)), (2, 3)),
    ),
    *(
        (
            ops.LpPool(norm_type=power, kernel_size=3, stride=2, ceil_mode=ceil),
            size,
            lambda x, m, p=power, c=ceil: getattr(functional, f"lp_pool{x.dim() - 2}d")(
                x, float(p), 3, 2, c
            ),
        )
        for size in ((10,), (8, 9), (4, 5, 6))
        for ceil in (False, True)
        for power in (1, 2, 4)
    ),
    (
        ops.AdaptiveAvgPool(output_size=5),
        (12, 9),
        lambda x, m: functional.adaptive_avg_pool2d(x, 5),
    ),
    (
        ops.AdaptiveMaxPool(output_size=5),
        (12, 9),
        lambda x, m: functional.adaptive_max_pool2d(x, 5),
    ),
    *(
        (
            ops.Upsample(scale_factor=factor, mode=mode, align_corners=align),
            (7, 6),
            lambda x, m, f=factor, n=mode, a=align: functional.interpolate(
                x, scale_factor=f, mode=n, align_corners=None if n == "nearest" else a
            ),
        )
        for mode in ("nearest", "bilinear", "bicubic")
        for factor in (2.0, 1.5, 0.6)
        for align in ((False,) if mode == "nearest" else (False, True))
    ),
    (
        ops.Upsample(size=(3, 11, 5), mode="trilinear"),
        (6, 4, 5),
        lambda x, m: functional.interpolate(x, (3, 11, 5), mode="trilinear"),
    ),
    (
        ops.Upsample(size=17, mode="linear", align_corners=True),
        (6,),
        lambda x, m: functional.interpolate(x, 17, mode="linear", align_corners=True),
    ),
    (ops.PixelShuffle(upscale_factor=2), (3, 4), lambda x, m: functional.pixel_shuffle(x, 2)),
    (ops.PixelUnshuffle(downscale_factor=2), (6, 4), lambda x, m: functional.pixel_unshuffle(x, 2)),
    (ops.Pad(padding=2), (5, 6), lambda x, m: functional.pad(x, (2,) * 4)),
    *(
        (
            ops.Pad(padding=((2, 1), (0, 3)), mode=mode),
            (5, 6),
            lambda x, m, n=mode: functional.pad(x, (0, 3, 2, 1), mode=n),
        )
        for mode in ("reflect", "replicate", "circular")
    ),
    (ops.InstanceNorm(), (5, 6), lambda x, m: functional.instance_norm(x)),
    (
        ops.GroupNorm(num_groups=4),
        (5, 6),
        lambda x, m: functional.group_norm(x, 4, m.weight, m.bias),
    ),
    (ops.LocalResponseNorm(), (5, 6), lambda x, m: nn.LocalResponseNorm(5)(x)),
    (ops.Affine(factor=-2, shift=3), (5, 6), lambda x, m: 3 - 2 * x),
    (
        ops.LayerNorm(),
        (5, 6),
        lambda x, m: functional.layer_norm(x.permute(0, 2, 3, 1), (8,)).permute(0, 3, 1, 2),
    ),
    (ops.BatchNorm(), (5, 6), lambda x, m: x / (1 + 1e-5) ** 0.5),
    (ops.GlobalAvgPool(), (5, 6), lambda x, m: x.mean((2, 3), keepdim=True)),
    (
        ops.Linear(out_features=4),
        (5, 6),
        lambda x, m: functional.linear(x.flatten(1), m.weight, m.bias)[..., None, None],
    ),
]


@pytest.mark.parametrize(
    ("op", "size", "reference"), CASES, ids=[f"{i}-{x[0].keyword}" for i, x in enumerate(CASES)]
)
def test_that_an_operation_means_what_it_means_in_pytorch(
    op: ops.Op, size: tuple[int, ...], reference: Reference
) -> None:
    module = to_torch(networks.stack(op, size=size), dtype=torch.float64)
    source = torch.Generator().manual_seed(1)
    images = torch.randn((2, 8, *size), generator=source, dtype=torch.float64)
    wanted = reference(images, _layer(module))
    torch.testing.assert_close(module(images), wanted, rtol=1e-12, atol=1e-12)


def test_that_attention_is_that_of_torch() -> None:
    module = to_torch(networks.stack(ops.Attention(heads=2), size=(3, 4)), dtype=torch.float64)
    theirs = nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    theirs.load_state_dict(_layer(module).state_dict())
    images = torch.randn((2, 8, 3, 4), dtype=torch.float64)
    tokens = images.flatten(2).mT
    wanted = theirs(tokens, tokens, tokens, need_weights=False)[0].mT.reshape(2, 8, 3, 4)
    torch.testing.assert_close(module(images), wanted, rtol=1e-12, atol=1e-12)


def test_that_window_attention_is_attention_within_each_window() -> None:
    """A shifted grid of 4×4 windows on 6×5 has cut windows at every border."""
    op = ops.WindowAttention(window_size=4, shift=(1, 2), heads=2)
    module = to_torch(networks.stack(op, size=(6, 5)), dtype=torch.float64)
    layer = _layer(module)
    theirs = nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    state = {
        "in_proj_weight": layer.qkv.weight,
        "in_proj_bias": layer.qkv.bias,
        "out_proj.weight": layer.proj.weight,
        "out_proj.bias": layer.proj.bias,
    }
    theirs.load_state_dict(state)
    images = torch.randn((1, 8, 6, 5), dtype=torch.float64)
    result = module(images)
    for rows in (slice(0, 3), slice(3, 6)):  # starts at −1 and 3
        for columns in (slice(0, 2), slice(2, 5)):  # starts at −2 and 2
            part = images[:, :, rows, columns]
            tokens = part.flatten(2).mT
            wanted = theirs(tokens, tokens, tokens, need_weights=False)[0].mT.reshape(part.shape)
            torch.testing.assert_close(result[:, :, rows, columns], wanted, rtol=1e-12, atol=1e-12)


def test_that_grid_attention_is_attention_among_positions_of_one_remainder() -> None:
    """A grid of 2×3 on 6×6: steps of 3 and 2, so 6 groups of 6 positions."""
    op = ops.GridAttention(grid=(2, 3), heads=2)
    module = to_torch(networks.stack(op, size=(6, 6)), dtype=torch.float64)
    layer = _layer(module)
    theirs = nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    state = {
        "in_proj_weight": layer.qkv.weight,
        "in_proj_bias": layer.qkv.bias,
        "out_proj.weight": layer.proj.weight,
        "out_proj.bias": layer.proj.bias,
    }
    theirs.load_state_dict(state)
    images = torch.randn((1, 8, 6, 6), dtype=torch.float64)
    result = module(images)
    for row in range(3):
        for column in range(2):
            part = images[:, :, row::3, column::2]
            tokens = part.flatten(2).mT
            wanted = theirs(tokens, tokens, tokens, need_weights=False)[0].mT.reshape(part.shape)
            found = result[:, :, row::3, column::2]
            torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_that_a_seed_gives_the_same_weights_again_and_leaves_torchs_own_alone() -> None:
    network = networks.stack(ops.Conv(kernel_size=3), ops.SqueezeExcite(reduction=2))
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, second, other = (to_torch(network, seed=s) for s in (5, 5, 6))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.state_dict()["l0.weight"], second.state_dict()["l0.weight"])
    assert not torch.equal(first.state_dict()["l0.weight"], other.state_dict()["l0.weight"])


def test_that_weights_have_the_variance_of_he() -> None:
    module = to_torch(networks.stack(ops.Conv(kernel_size=3, out_channels=500), channels=40))
    weight = module.state_dict()["l0.weight"]
    assert weight.var().item() == pytest.approx(2 / (40 * 9), rel=0.02)
    assert weight.mean().item() == pytest.approx(0, abs=1e-3)


def test_that_a_network_takes_images_of_another_size_unless_a_linear_layer_forbids_it() -> None:
    network = networks.stack(ops.Conv(kernel_size=3, stride=2, padding="same"))
    assert to_torch(network)(torch.zeros(1, 8, 7, 31)).shape == (1, 8, 4, 16)
    fixed = networks.stack(ops.Linear(out_features=3))
    with pytest.raises(GraphError, match="'l0' is fully connected and takes 960 values"):
        to_torch(fixed)(torch.zeros(1, 8, 7, 31))


def test_that_a_layer_called_as_the_scope_of_a_repeat_keeps_its_weights() -> None:
    conv = ops.Conv(kernel_size=1, out_channels=2, bias=False)
    repeat = Repeat(2, (Layer(conv, "c"),))
    for items in ((repeat, Layer(conv, "0")), (Layer(conv, "0"), repeat)):
        architecture = Architecture(input_size=(4, 4), channels=2, layers=items)
        assert not expand(architecture).faults
        module = to_torch(architecture).double()
        assert len(module.state_dict()) == 3
        assert {x.dtype for x in module.parameters()} == {torch.float64}


@pytest.mark.parametrize("op", [ops.Conv, ops.MaxPool, ops.AvgPool])
def test_that_a_window_leaves_out_the_end_that_another_layer_reads(op: type) -> None:
    window = op(kernel_size=2, padding=((1, -2),), stride=1)
    beside = ops.Crop(margins=((2, 0),))
    join = Parallel((Branch((Layer(window),)), Branch((Layer(beside),))), merge="concat")
    network = Architecture("t", "", "", (12,), 4, (Layer(ops.Conv(kernel_size=1)), join))
    module = to_torch(network, seed=1, dtype=torch.float64)
    images = torch.randn((1, 4, 12), dtype=torch.float64)
    changed = images.clone()
    changed[..., 10:] += 1
    first, second = module(images), module(changed)
    assert first.shape == (1, 8, 10)
    assert torch.equal(first[:, :4], second[:, :4])
    assert not torch.equal(first[:, 4:], second[:, 4:])


@pytest.mark.parametrize("padding", ["same", "same_lower"])
@pytest.mark.parametrize("op", [ops.Conv, ops.MaxPool])
def test_that_holes_over_a_single_sample_leave_the_size_alone(op: type, padding: str) -> None:
    # Taps at −5, −2, 1, 4 or at −4, −1, 2, 5 of a map of one sample read none of it.
    window = op(kernel_size=4, stride=1, dilation=3, padding=padding)
    network = Architecture("t", "", "", (1, 1), 2, (Layer(window),))
    values = to_torch(network)(torch.randn(1, 2, 1, 1))
    assert values.shape == (1, 2, 1, 1)
    assert not values.any()


def test_that_a_mean_may_be_larger_than_a_volume() -> None:
    mean = ops.AvgPool(kernel_size=(1, 3, 1), stride=1, padding="same")
    network = Architecture("t", "", "", (4, 2, 3), 1, (Layer(mean),))
    image = torch.rand(1, 1, 4, 2, 3)
    rows = image.sum(3, keepdim=True).expand(image.shape) / 3
    torch.testing.assert_close(to_torch(network)(image), rows)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_that_a_map_that_keeps_its_size_is_copied_whatever_the_factor(mode: str) -> None:
    upsample = ops.Upsample(scale_factor=1.1, mode=mode)
    module = to_torch(networks.stack(upsample, size=(6, 6), channels=1))
    x = torch.rand(1, 1, 6, 6)
    assert torch.equal(module(x), x)  # as the fields have it: each unit sees its own pixel


def test_that_squeeze_and_excite_has_torchs_hidden_channels_and_gate() -> None:
    op = ops.SqueezeExcite(squeeze_channels=3, scale_activation="hardsigmoid")
    module = to_torch(networks.stack(op, size=(4, 5), channels=8), dtype=torch.float64)
    layer = _layer(module)
    x = 3 * torch.randn(2, 8, 4, 5, dtype=torch.float64)
    assert layer.fc1.weight.shape == (3, 8)
    hidden = functional.relu(functional.linear(x.mean((2, 3)), layer.fc1.weight, layer.fc1.bias))
    gate = functional.hardsigmoid(functional.linear(hidden, layer.fc2.weight, layer.fc2.bias))
    torch.testing.assert_close(module(x), x * gate[:, :, None, None], rtol=1e-12, atol=1e-12)
