"""Random networks, nastier than any preset, for comparisons with slow answers.

Kernels are even, paddings asymmetric or negative, strides larger than kernels, merges misaligned;
the two axes always differ.  Sizes stay small, since the judges walk every position.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph

MAX_SIDE = 26

_WITH_OWN_VALUES = (
    *(ops.Conv, ops.ConvTranspose, ops.DeformConv, ops.MaxPool, ops.AvgPool, ops.LpPool),
    *(ops.Custom, ops.Unfold, ops.Fold),
    *(ops.AdaptiveAvgPool, ops.AdaptiveMaxPool, ops.Upsample, ops.PixelShuffle),
    *(ops.PixelUnshuffle, ops.Pad, ops.Crop, ops.WindowAttention, ops.BatchNorm),
    *(ops.Gather, ops.DotProductAttention, ops.Affine),  # have tests of their own
    *(ops.Slice, ops.Roll, ops.Flip, ops.Tile, ops.BlockMix, ops.GridMix, ops.GridAttention),
)
# Of a new operation there is one with its usual parameters, until it has values of its own below.
_OTHERS = [
    x
    for x in ops.OPS.values()
    if x not in (*_WITH_OWN_VALUES, *ops.ELEMENTWISE, *ops.GLOBAL, *ops.MERGES)
]


def random_network(
    seed: int, *, axes: int = 2, layers: int = 8, global_ops: bool = True
) -> tuple[Architecture, Graph]:
    """Return a random network without faults, and its graph."""
    rng = random.Random(seed)
    size = tuple(rng.randint(6, 13) for _ in range(axes))
    items: list[Layer] = []
    names = ["input"]

    def build(candidate: list[Layer]) -> Graph | None:
        try:
            graph = expand(Architecture("random", "", "", size, 4, tuple(candidate)))
        except RFStudioError:
            return None
        last = graph.nodes[-1]
        good = not graph.faults and 0 not in last.size and max(last.size) <= MAX_SIDE
        return graph if good else None

    graph = expand(Architecture("random", "", "", size, 4, ()))
    while len(items) < layers:
        index = len(items)
        source = rng.choice(names[-3:])
        if index > 1 and rng.random() < 0.45:
            new = _merge(rng, names, graph, index)
        else:
            try:
                op = _op(rng, axes, global_ops)
            except RFStudioError:
                continue
            if rng.random() < 0.12:
                op = _following(rng, axes, rng.choice(names))
            new = [Layer(op, f"n{index}", (source,))]
            if isinstance(op, ops.PixelShuffle | ops.Fold):
                # A shuffle reads other channels at each position.  Fields are stated for all
                # channels of a map, so what it reads has to be mixed over channels.
                mix = Layer(ops.Conv(kernel_size=1), f"m{index}", (source,))
                new = [mix, Layer(op, f"n{index}", (mix.name,))]
        extended = build([*items, *new])
        if extended is None:
            continue
        items += new
        names += [x.name for x in new]
        graph = extended
    return Architecture("random", "", "", size, 4, tuple(items)), graph


def _merge(rng: random.Random, names: list[str], graph: Graph, index: int) -> list[Layer]:
    """Two or three maps, cropped to one size, so that most of them do not align."""
    chosen = [rng.choice(names[-5:]) for _ in range(rng.choice([2, 2, 3]))]
    sizes = [graph.nodes[graph.paths[x]].size for x in chosen]
    least = tuple(map(min, zip(*sizes, strict=True)))
    new: list[Layer] = []
    sources: list[str] = []
    for i, (name, size) in enumerate(zip(chosen, sizes, strict=True)):
        if size == least:
            sources.append(name)
            continue
        if rng.random() < 0.5:
            crop = ops.Crop(size=least)
        else:
            margins = []
            for n, m in zip(size, least, strict=True):
                before = rng.randint(0, n - m)
                margins.append((before, n - m - before))
            crop = ops.Crop(margins=tuple(margins))
        new.append(Layer(crop, f"c{index}_{i}", (name,)))
        sources.append(new[-1].name)
    merges: list[ops.Op] = [ops.Concat(), ops.Concat(), ops.Add(), ops.Multiply()]
    op = rng.choice(merges)
    if rng.random() < 0.25 and not isinstance(op, ops.Concat):
        # One sample along some axes, or one channel, beside many: torch broadcasts.
        thin = tuple(1 if rng.random() < 0.5 else n for n in least)
        start = tuple(rng.randint(0, n - m) for n, m in zip(least, thin, strict=True))
        sides = tuple((a, n - m - a) for a, n, m in zip(start, least, thin, strict=True))
        cut = Layer(ops.Crop(margins=sides), f"t{index}", (sources[0],))
        one = Layer(ops.Conv(kernel_size=1, out_channels=1), f"o{index}", (cut.name,))
        new += [cut, one] if rng.random() < 0.5 else [cut]
        sources[0] = new[-1].name
    return [*new, Layer(op, f"n{index}", tuple(sources))]


def _following(rng: random.Random, axes: int, name: str) -> ops.Op:
    """An operation that takes its size from any map before it."""
    linear = {1: "linear", 2: "bilinear", 3: "trilinear"}[axes]
    corners = rng.random() < 0.3
    following: list[ops.Op] = [
        ops.Upsample(size_of=name),
        ops.Upsample(size_of=name, mode=linear, align_corners=corners),
        ops.AdaptiveAvgPool(size_of=name),
        ops.AdaptiveMaxPool(size_of=name),
        ops.Crop(size_of=name),
        ops.Pad(size_of=name, mode=rng.choice(["zeros", "reflect", "replicate"])),
    ]
    return rng.choice(following)


def _some_kept(rng: random.Random, axes: int) -> tuple[int | None, ...]:
    """One cell along one axis, the others as they are or with a few."""
    size: list[int | None] = [rng.choice([None, 3]) for _ in range(axes)]
    size[rng.randrange(axes)] = 1
    return tuple(size)


def _each(rng: random.Random, axes: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(rng.randint(low, high) for _ in range(axes))


def _padding(rng: random.Random, axes: int, low: int = -1, high: int = 3):
    return tuple((rng.randint(low, high), rng.randint(low, high)) for _ in range(axes))


def _linear(choice: int, axes: int) -> ops.Op:
    """A fully connected layer, half of the time along one axis."""
    if choice >= axes:
        return ops.Linear(out_features=4)
    size = None if choice % 2 else tuple(5 if x == choice else None for x in range(axes))
    return ops.AxisLinear(axes=(choice,), output_size=5 if axes == 1 and size else size)


def _declared(window: dict[str, Any], dilation: dict[str, Any]) -> ops.Op:
    """An operation without weights that reads a window."""
    if sum(window["kernel_size"]) % 2:
        return ops.Custom(**window, **dilation, label="mystery")
    return ops.Unfold(**window, **dilation)


def _blocks(size: tuple[int, ...], shift: tuple[int, ...]) -> ops.BlockMix:
    """Return a mixing in blocks, or of all that comes before, which is as likely to be causal."""
    if not any(shift):
        size = tuple([8 * x for x in size])
    return ops.BlockMix(size=size, shift=shift, causal=sum(size) % 2 == 0)


def _across_grid(grid: tuple[int, ...]) -> ops.Op:
    """Either operation that joins positions of one remainder."""
    return ops.GridAttention(grid=grid, heads=1) if sum(grid) % 2 else ops.GridMix(grid=grid)


def _op(rng: random.Random, axes: int, global_ops: bool) -> ops.Op:
    window: dict[str, Any] = {
        "kernel_size": _each(rng, axes, 1, 4),
        "stride": _each(rng, axes, 1, 3),
        "padding": rng.choice([_padding(rng, axes), "same", "same_lower", 0, 1]),
    }
    dilation: dict[str, Any] = {"dilation": _each(rng, axes, 1, 3)}
    ceil_mode = {"ceil_mode": rng.random() < 0.5}
    linear = {1: "linear", 2: "bilinear", 3: "trilinear"}[axes]
    modes = ["nearest", linear] + (["bicubic"] if axes == 2 else [])
    mode = rng.choice(modes)
    corners = mode != "nearest" and rng.random() < 0.4
    scale = tuple(rng.choice([2, 3, 1.5, 0.5, 1]) for _ in range(axes))
    choices: list[Callable[[], ops.Op]] = [
        lambda: ops.Conv(**window, **dilation),
        lambda: ops.Conv(**window, **dilation),
        lambda: ops.Conv(**window, **dilation, groups="depthwise"),
        lambda: ops.Conv(
            **window, **dilation, padding_mode=rng.choice(["reflect", "replicate", "circular"])
        ),
        lambda: ops.MaxPool(**window, **dilation, **ceil_mode),
        lambda: ops.AvgPool(**window, **ceil_mode, count_include_pad=rng.random() < 0.5),
        lambda: ops.LpPool(
            norm_type=rng.choice([1, 2, 4]),
            kernel_size=window["kernel_size"],
            stride=window["stride"],
            **ceil_mode,
        ),
        lambda: ops.ConvTranspose(
            kernel_size=_each(rng, axes, 1, 4),
            stride=_each(rng, axes, 1, 3),
            dilation=_each(rng, axes, 1, 3),
            padding=_padding(rng, axes, 0, 2),
        ),
        lambda: ops.Fold(kernel_size=(2, *(1,) * (axes - 1)), stride=_each(rng, axes, 1, 3)),
        lambda: ops.DeformConv(**window, **dilation, max_offset=rng.randint(0, 2)),
        lambda: ops.AdaptiveAvgPool(output_size=_each(rng, axes, 1, 9)),
        lambda: ops.AdaptiveMaxPool(output_size=_each(rng, axes, 1, 9)),
        lambda: ops.Upsample(scale_factor=scale, mode=mode, align_corners=corners),
        lambda: ops.Upsample(size=_each(rng, axes, 3, 14), mode=mode, align_corners=corners),
        lambda: ops.PixelUnshuffle(downscale_factor=2),
        lambda: ops.PixelShuffle(upscale_factor=2),
        lambda: ops.Pad(padding=_padding(rng, axes)),
        lambda: ops.Pad(
            padding=_padding(rng, axes, 0, 2), mode=rng.choice(["reflect", "replicate", "circular"])
        ),
        lambda: ops.Crop(margins=_padding(rng, axes, 0, 2)),
        lambda: ops.WindowAttention(
            window_size=_each(rng, axes, 2, 4), shift=_each(rng, axes, 0, 2), heads=1
        ),
        lambda: rng.choice([x for x in ops.ELEMENTWISE if x is not ops.Prelu]).usual(),
        lambda: ops.BatchNorm(),
        lambda: _declared(window, dilation),
        lambda: ops.Slice(
            start=_each(rng, axes, -4, 3),
            stop=rng.choice([None, -1, 9]),
            step=_each(rng, axes, 1, 3),
        ),
        lambda: ops.Roll(shift=_each(rng, axes, -3, 5)),
        lambda: ops.Flip(along=_each(rng, axes, 0, 1)),
        lambda: ops.Tile(repeats=_each(rng, axes, 1, 2)),
        lambda: _blocks(_each(rng, axes, 1, 4), _each(rng, axes, 0, 3)),
        lambda: _across_grid(_each(rng, axes, 1, 3)),
        *(x.usual for x in _OTHERS),
    ]
    if global_ops and rng.random() < 0.06:
        wide: list[ops.Op] = [
            ops.SqueezeExcite(reduction=1),
            ops.GroupNorm(num_groups=1),
            ops.InstanceNorm(),
            ops.Attention(heads=1),
            ops.Attention(heads=1, causal=True, axes=None if axes == 1 else (1,)),
            ops.Recurrent(axis=rng.randrange(axes)),
            ops.Recurrent(axis=rng.randrange(axes), reverse=True),
            ops.Recurrent(axis=rng.randrange(axes), bidirectional=True),
            ops.DeformConv(**window, **dilation),
            ops.Custom(whole=True, label="mystery"),
            ops.Custom(**window, whole=tuple(rng.random() < 0.5 for _ in range(axes))),
            ops.AdaptiveAvgPool(output_size=_some_kept(rng, axes)),
            ops.AdaptiveMaxPool(output_size=_some_kept(rng, axes)),
            ops.GlobalAvgPool(),
            ops.GlobalMaxPool(),
            _linear(rng.randrange(2 * axes), axes),
            ops.Flatten() if axes == 1 else ops.GlobalAvgPool(),
        ]
        return rng.choice(wide)
    return rng.choice(choices)()
