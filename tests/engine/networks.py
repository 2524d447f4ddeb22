"""Small networks for the tests of the engine: one of each operation, and random graphs."""

import random

from rfstudio.core import ops
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Item,
    Layer,
    Parallel,
    Residual,
)
from rfstudio.core.network.expansion import expand
from rfstudio.core.ops import Op

# Operations on 8 channels that keep a map of 12×10 large enough for more of them.
_SAMPLES: tuple[Op, ...] = (
    ops.Conv(kernel_size=3),
    ops.Conv(kernel_size=(3, 2), stride=(1, 2), padding=((1, 2), (0, 1)), dilation=(2, 1)),
    ops.Conv(kernel_size=3, padding="same", stride=2, out_channels=16),
    ops.Conv(kernel_size=4, padding="same_lower", groups="depthwise", bias=False),
    ops.Conv(kernel_size=3, padding=((-1, 3), (2, -2)), groups=2),
    ops.Conv(kernel_size=3, padding=((1, 2), (0, 1)), padding_mode="reflect", dilation=(1, 2)),
    ops.Conv(kernel_size=5, padding=2, padding_mode="circular", stride=2),
    ops.Conv(kernel_size=2, padding=((3, -1), (0, 2)), padding_mode="replicate"),
    ops.ConvTranspose(kernel_size=3, stride=2, padding=1, output_padding=1),
    ops.ConvTranspose(kernel_size=(2, 3), stride=(3, 1), padding=((0, 1), (2, 0)), groups=4),
    ops.ConvTranspose(kernel_size=3, dilation=2, padding=((-1, 0), (1, 2)), out_channels=4),
    ops.DeformConv(kernel_size=3, padding=1, max_offset=2),
    ops.DeformConv(kernel_size=3, padding=1),
    ops.MaxPool(kernel_size=3, stride=2, padding=1),
    ops.MaxPool(kernel_size=3, stride=2, ceil_mode=True),
    ops.MaxPool(kernel_size=2, stride=1, padding=((0, 1), (2, 0)), dilation=(1, 2)),
    ops.MaxPool(kernel_size=3, stride=2, padding="same"),
    ops.AvgPool(kernel_size=3, stride=1, padding=1),
    ops.AvgPool(kernel_size=3, stride=1, padding=1, count_include_pad=False),
    ops.AvgPool(kernel_size=3, stride=2, padding=1, ceil_mode=True),
    ops.AvgPool(kernel_size=2, stride=2, padding=((0, 1), (1, 0)), ceil_mode=True),
    ops.LpPool(norm_type=2, kernel_size=3, stride=2, ceil_mode=True),
    ops.Custom(kernel_size=3, padding=1),
    ops.Custom(kernel_size=2, stride=2, out_channels=4),
    ops.Custom(whole=True, kernel_size=1),
    ops.Custom(whole=(False, True), kernel_size=(3, 2), stride=(2, 1), padding=1, out_channels=4),
    ops.AdaptiveAvgPool(output_size=(5, 4)),
    ops.AdaptiveMaxPool(output_size=(5, 4)),
    ops.AdaptiveAvgPool(output_size=(6, 10)),
    ops.Upsample(scale_factor=2),
    ops.Upsample(scale_factor=(1.5, 2), mode="bilinear"),
    ops.Upsample(size=(17, 9), mode="bilinear", align_corners=True),
    ops.Upsample(size=(7, 19), mode="nearest"),
    ops.Upsample(scale_factor=2, mode="bicubic"),
    ops.Upsample(size_of="input", mode="bilinear"),
    ops.PixelShuffle(upscale_factor=2),
    ops.PixelUnshuffle(downscale_factor=2),
    ops.Pad(padding=((1, 2), (-1, 1))),
    ops.Pad(padding=((1, 2), (-1, 1)), mode="reflect"),
    ops.Pad(padding=((3, 0), (2, -2)), mode="replicate"),
    ops.Pad(padding=((1, 2), (3, 1)), mode="circular"),
    ops.Crop(size=(9, 8)),
    ops.Inset(before=(2, 0), after=(1, 3)),
    ops.Crop(margins=((1, 0), (2, 1))),
    ops.Slice(start=(1, -8), stop=(-1, 9), step=(2, 1)),
    ops.Roll(shift=(3, -2)),
    ops.Flip(along=(0, 1)),
    ops.Tile(repeats=(1, 2)),
    ops.BlockMix(size=(4, 3), shift=(2, 0)),
    ops.BlockMix(size=(1, 4), out_channels=4),
    ops.BlockMix(size=(30, 4), causal=(True, False)),
    ops.BlockMix(size=(4, 3), shift=(2, 0), causal=True, out_channels=4),
    ops.GridMix(grid=(3, 5)),
    ops.Pad(size_of="input", mode="replicate"),
    ops.Broadcast(),
    ops.AdaptiveMaxPool(size_of="input"),
    ops.GlobalAvgPool(),
    ops.GlobalMaxPool(),
    ops.Flatten(),
    ops.Linear(out_features=6),
    ops.InstanceNorm(affine=True),
    ops.GroupNorm(num_groups=2),
    ops.SqueezeExcite(reduction=2),
    ops.SqueezeExcite(reduction=2, activation="silu"),
    ops.SqueezeExcite(squeeze_channels=3, scale_activation="hardsigmoid"),
    ops.LayerScale(init=0.5),
    ops.LayerScale(init=0.5, shift=True),
    ops.LayerScale(scale=False, shift=True, shared=True),
    ops.Attention(heads=2),
    ops.Recurrent(hidden=6),
    ops.Recurrent(kind="gru", axis=0, reverse=True),
    ops.Recurrent(kind="rnn", axis=0, bidirectional=True, hidden=4),
    ops.WindowAttention(window_size=(4, 3), heads=2),
    ops.WindowAttention(window_size=4, shift=(2, 1), heads=4),
    ops.Relu(),
    ops.Relu6(),
    ops.LeakyRelu(),
    ops.Elu(),
    ops.Gelu(),
    ops.Gelu(approximate="tanh"),
    ops.Silu(),
    ops.Hardswish(),
    ops.Hardsigmoid(),
    ops.Sigmoid(),
    ops.Tanh(),
    ops.Softplus(),
    ops.Prelu(num_parameters=8),
    ops.Softmax(),
    ops.Identity(),
    ops.ChannelShuffle(groups=4),
    ops.ChannelSlice(start=2, stop=-2, step=3),
    ops.Split(channels=(3, 5)),
    ops.Dropout(),
    ops.BatchNorm(),
    ops.BatchNorm(affine=False),
    ops.LayerNorm(),
    ops.LocalResponseNorm(),
)
# Random networks hold none of these: with more to draw from, all of them would be other ones.
_ALONE: tuple[Op, ...] = (
    ops.Affine(factor=-1.5, shift=0.25),
    ops.DotProductAttention(heads=2),
    ops.DotProductAttention(window_size=(4, 3), shift_size=(1, 0), heads=4),
    ops.DotProductAttention(window_size=(12, 1), relative_position_bias=True),
    ops.GridAttention(grid=(3, 5), heads=2),
    ops.GridAttention(grid=(12, 1), heads=4),
    ops.AxisMean(axes=(0,)),
    ops.AxisMean(axes=(1,), keep=True),
    ops.AxisMax(axes=(1,)),
    ops.AxisMax(axes=(0, 1), keep=True),
    ops.Unfold(kernel_size=(3, 2), stride=(1, 2), padding=((1, 2), (0, 1)), dilation=(2, 1)),
    ops.Unfold(kernel_size=2, stride=2),
    ops.Fold(kernel_size=(2, 4), stride=(1, 2), padding=((1, 0), (0, 2)), dilation=(2, 1)),
    ops.Fold(kernel_size=2, stride=3, output_size=(36, 30)),
    ops.AxisLinear(axes=(1,)),
    ops.AxisLinear(axes=(0, 1), output_size=(5, 3), bias=False),
    ops.Attention(heads=2, axes=(1,)),
    ops.Attention(heads=2, axes=(0,), causal=True),
)
_SAMPLED = {type(x) for x in (*_SAMPLES, *_ALONE)}
_DRAWN = (
    *_SAMPLES,
    *(x.usual() for x in ops.OPS.values() if not x.merges and x not in _SAMPLED),
)
SAMPLES = (*_DRAWN, *_ALONE)

NAMES = tuple(f"{i}-{op.keyword}" for i, op in enumerate(SAMPLES))


def stack(*layers: Op, size: tuple[int, ...] = (12, 10), channels: int = 8) -> Architecture:
    """Return the network of the given operations, one behind the other."""
    return Architecture(
        name="test",
        input_size=size,
        channels=channels,
        layers=tuple(Layer(op, name=f"l{i}") for i, op in enumerate(layers)),
    )


def random_network(seed: int) -> Architecture:
    """Return a random network of a few operations with branches, whose maps all exist."""
    source = random.Random(seed)
    while True:
        layers = tuple(_item(source) for _ in range(source.randint(3, 6)))
        network = Architecture(
            name=f"random {seed}", input_size=(19, 17), channels=8, layers=layers
        )
        graph = expand(network)
        if not graph.faults and max(max(n.size) for n in graph.nodes) < 60:
            return network


def _item(source: random.Random) -> Item:
    kind = source.random()
    if kind < 0.15:
        same = ops.Conv(kernel_size=3, padding=1, dilation=1)
        return Residual((Layer(same), Layer(ops.Relu()), Layer(same)))
    if kind < 0.35:
        branches = (
            Branch((Layer(ops.Conv(kernel_size=3, padding=1)), Layer(ops.Relu()))),
            Branch((Layer(ops.MaxPool(kernel_size=3, stride=1, padding=1)),)),
            Branch((Layer(ops.Conv(kernel_size=(1, 5), padding=((0, 0), (3, 1)))),)),
        )
        return Parallel(branches[: source.randint(1, 3)], merge="add")
    op = source.choice(_DRAWN)
    if kind < 0.75 and isinstance(op, (*ops.GLOBAL, ops.DeformConv)):
        op = ops.Conv(kernel_size=3, stride=2, padding=1)
    return Layer(op)
