"""Operations as PyTorch source: the module that holds the weights, and its call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.graph import Node
from rfstudio.core.ops import OpTable, group_count, per_axis, resolved_padding, window_of
from rfstudio.formats.pytorch.padding import padded, padding_of, pads_text, sizes_text


@dataclass(frozen=True, slots=True)
class Written:
    """An operation in source.

    Attributes
    ----------
    call
        The expression of its output, with ``{0}``, ``{1}`` … for what it reads, and ``{self}`` for
        its module.
    module
        The expression that creates its module; empty if it needs none.
    parts
        Names of the `parts` that both use.
    """

    call: str
    module: str = ""
    parts: tuple[str, ...] = ()


WRITERS: OpTable[[Node, Sequence[Node]], Written] = OpTable("PyTorch source")
"""Writes an operation, as that node, which reads those sources."""

writer_for = WRITERS.entry


def written(node: Node, sources: Sequence[Node]) -> Written:
    """Return the source of one node that reads `sources`.

    Raises
    ------
    RFStudioError
        If PyTorch has no counterpart.
    """
    op = node.op
    assert op is not None
    return WRITERS(op, node, sources)


def _call(function: str, *arguments: object, **options: object) -> str:
    """Return a call; options that are None are left out."""
    given = [str(x) for x in arguments]
    given += [f"{key}={value}" for key, value in options.items() if value is not None]
    return f"{function}({', '.join(given)})"


def _unless(value: object, default: object) -> str | None:
    """Return the source of an option, None if it has its default."""
    return None if value == default else repr(value)


# --- windows -------------------------------------------------------------------------------------


@writer_for(ops.Conv, ops.DeformConv)
def _conv(op: ops.Conv | ops.DeformConv, node: Node, sources: Sequence[Node]) -> Written:
    axes = len(node.size)
    (source,) = sources
    kernel, stride, dilation = window_of(op, axes)
    padding = padding_of(op, node, source, is_pool=False)
    mode = op.padding_mode if isinstance(op, ops.Conv) else "zeros"
    module = _call(
        f"nn.Conv{axes}d",
        source.channels,
        node.channels,
        sizes_text(kernel),
        stride=_unless(_one(stride), 1),
        padding=None if padding.native in ("", "0") else padding.native,
        dilation=_unless(_one(dilation), 1),
        groups=_unless(group_count(op, source.channels), 1),
        bias=_unless(op.bias, default=True),
        padding_mode=_unless(mode, "zeros") if padding.native else None,
    )
    if padding.native:
        return Written("{self}({0})", module)
    if mode == "zeros":
        return Written(f"{{self}}({padded(padding)})", module)
    return Written(f"{{self}}({_padded_with(mode, padding.pairs)})", module)


@writer_for(ops.DeformTaps)
def _taps(_: ops.DeformTaps, __: Node, ___: Sequence[Node]) -> Written:
    return Written("{0}")  # before a deformable convolution, which reads it by itself


@writer_for(ops.Deforming)
def _deforming(op: ops.Deforming, node: Node, sources: Sequence[Node]) -> Written:
    conv, axes = op.convolution, len(node.size)
    kernel, stride, dilation = window_of(conv, axes)
    before = tuple(x for x, _ in resolved_padding(conv, tuple(x.n_in for x in sources[0].rules)))
    module = _call(
        "DeformConv",
        op.channels,
        node.channels,
        kernel,
        stride=stride,
        padding=before,
        dilation=dilation,
        groups=_unless(group_count(conv, op.channels), 1),
        bias=_unless(conv.bias, default=True),
        max_offset=conv.max_offset,
    )
    maps = ", ".join(f"{{{i}}}" for i in range(len(sources)))
    return Written(f"{{self}}({maps})", module, ("DeformConv",))


def _one(values: tuple[int, ...]) -> int | tuple[int, ...]:
    return values[0] if len(set(values)) == 1 else values


@writer_for(ops.ConvTranspose)
def _conv_transpose(op: ops.ConvTranspose, node: Node, sources: Sequence[Node]) -> Written:
    axes = len(node.size)
    (source,) = sources
    stride, dilation = per_axis(op.stride, axes), per_axis(op.dilation, axes)
    extra = per_axis(op.output_padding, axes)
    pairs = op.pads(axes)
    is_native = all(x == y >= 0 for x, y in pairs) and all(
        x < max(s, d) for x, s, d in zip(extra, stride, dilation, strict=True)
    )
    ends = [x - after for x, (_, after) in zip(extra, pairs, strict=True)]
    grows = any(before < 0 for before, _ in pairs) or any(x > 0 for x in ends)
    if not is_native and grows and op.bias:
        raise RFStudioError(
            f"'{node.name}' cannot be written: PyTorch has no transposed convolution that adds"
            " samples before the map, or as many after it as its stride; remove its bias"
        )
    module = _call(
        f"nn.ConvTranspose{axes}d",
        source.channels,
        node.channels,
        sizes_text(per_axis(op.kernel_size, axes)),
        stride=_unless(_one(stride), 1),
        padding=_unless(_one(tuple(x for x, _ in pairs)), 0) if is_native else None,
        output_padding=_unless(_one(extra), 0) if is_native else None,
        dilation=_unless(_one(dilation), 1),
        groups=_unless(group_count(op, source.channels), 1),
        bias=_unless(op.bias, default=True),
    )
    if is_native:
        return Written("{self}({0})", module)
    cut = [(-before, end) for (before, _), end in zip(pairs, ends, strict=True)]
    return Written(f"F.pad({{self}}({{0}}), {pads_text(cut)})", module)


@writer_for(ops.MaxPool)
def _max_pool(op: ops.MaxPool, node: Node, sources: Sequence[Node]) -> Written:
    axes = len(node.size)
    kernel, stride, dilation = window_of(op, axes)
    padding = padding_of(op, node, sources[0], is_pool=True)
    is_native = bool(padding.native)
    call = _call(
        f"F.max_pool{axes}d",
        "{0}" if is_native else padded(padding, "-math.inf"),
        sizes_text(kernel),
        stride=_unless(_one(stride), _one(kernel)),
        padding=None if padding.native in ("", "0") else padding.native,
        dilation=_unless(_one(dilation), 1),
        ceil_mode=_unless(op.ceil_mode and is_native, default=False),
    )
    # The maximum over padding alone is minus infinity in PyTorch; here it is 0.
    end = ".nan_to_num(neginf=0.0)" if _has_empty_window(op, node, sources[0]) else ""
    return Written(call + end)


def _has_empty_window(op: ops.MaxPool, node: Node, source: Node) -> bool:
    """Return whether some window holds no sample of the map."""
    for n, m, k, s, d, (before, after) in zip(
        source.size,
        node.size,
        *window_of(op, len(node.size)),
        resolved_padding(op, source.size),
        strict=True,
    ):
        end = n + min(after, 0)
        for first in (i * s - before for i in range(m)):
            # The first tap that is not before the map.
            tap = first if first >= 0 else first % d
            if tap >= end or tap > first + d * (k - 1):
                return True
    return False


@writer_for(ops.AvgPool)
def _avg_pool(op: ops.AvgPool, node: Node, sources: Sequence[Node]) -> Written:
    axes = len(node.size)
    kernel, stride, _ = window_of(op, axes)
    padding = padding_of(op, node, sources[0], is_pool=True)
    if padding.native:
        is_padded = padding.native != "0"
        return Written(
            _call(
                f"F.avg_pool{axes}d",
                "{0}",
                sizes_text(kernel),
                stride=_unless(_one(stride), _one(kernel)),
                padding=padding.native if is_padded else None,
                ceil_mode=_unless(op.ceil_mode, default=False),
                count_include_pad=_unless(op.count_include_pad or not is_padded, default=True),
            )
        )
    extra = pads_text([(0, x) for x in padding.extra])
    call = _call(
        "avg_pool",
        "{0}",
        repr(kernel),
        repr(stride),
        pads_text(padding.pairs),
        extra,
        repr(op.count_include_pad),
    )
    return Written(call, parts=("avg_pool",))


@writer_for(ops.LpPool)
def _lp_pool(op: ops.LpPool, node: Node, __: Sequence[Node]) -> Written:
    axes = len(node.size)
    kernel, stride, _ = window_of(op, axes)
    call = _call(
        f"F.lp_pool{axes}d",
        "{0}",
        repr(float(op.norm_type)),
        sizes_text(kernel),
        stride=_unless(_one(stride), _one(kernel)),
        ceil_mode=_unless(op.ceil_mode, default=False),
    )
    return Written(call)


@writer_for(ops.Custom)
def _custom(op: ops.Custom, node: Node, sources: Sequence[Node]) -> Written:
    if node.location is None:  # before one of several maps, which reads it by itself
        return Written("{0}")
    return _declared(op.label, node, sources)


@writer_for(ops.CustomMerge)
def _custom_merge(op: ops.CustomMerge, node: Node, sources: Sequence[Node]) -> Written:
    maps = ", ".join(f"{{{i}}}" for i in range(len(sources)))
    return replace(_declared(op.label, node, sources), call=f"{{self}}({maps})")


@WRITERS.family(ops.Mixer)
def _mixer(op: ops.Mixer, node: Node, sources: Sequence[Node]) -> Written:
    return _declared(op.label or op.keyword, node, sources)


def _declared(label: str, node: Node, sources: Sequence[Node]) -> Written:
    """Return an operation that the reader of the source has to fill in."""
    text = ascii(label or node.name).replace("{", "{{").replace("}", "}}")
    return Written(
        "{self}({0})", f"Custom({text}, {sources[0].channels}, {node.channels})", ("Custom",)
    )


# --- resampling ----------------------------------------------------------------------------------


@writer_for(ops.AdaptiveAvgPool, ops.GlobalAvgPool)
def _mean_to_size(_: ops.Pool, node: Node, __: Sequence[Node]) -> Written:
    return Written(f"F.adaptive_avg_pool{len(node.size)}d({{0}}, {sizes_text(node.size)})")


@writer_for(ops.AdaptiveMaxPool, ops.GlobalMaxPool)
def _maximum_to_size(_: ops.Pool, node: Node, __: Sequence[Node]) -> Written:
    return Written(f"F.adaptive_max_pool{len(node.size)}d({{0}}, {sizes_text(node.size)})")


@writer_for(ops.AxisMean, ops.AxisMax)
def _over_axes(op: ops.AxisMean | ops.AxisMax, node: Node, _: Sequence[Node]) -> Written:
    function = "mean" if isinstance(op, ops.AxisMean) else "amax"
    dims = [2 + x for x in op.along(len(node.size))]
    call = _call(f"{{0}}.{function}", dims, keepdim=True)
    return Written(_call(f"{call}.expand", -1, -1, *node.size) if op.keep else call)


@writer_for(ops.Upsample)
def _upsample(op: ops.Upsample, node: Node, _: Sequence[Node]) -> Written:
    axes = len(node.size)
    return _interpolated(op, axes, None if op.size is None else repr(per_axis(op.size, axes)))


def _interpolated(op: ops.Upsample, axes: int, size: str | None) -> Written:
    mode = op.mode
    if mode in ("linear", "bilinear", "trilinear"):
        mode = ("linear", "bilinear", "trilinear")[axes - 1]
    scale = op.scale_factor
    return Written(
        _call(
            "F.interpolate",
            "{0}",
            size=size,
            scale_factor=None if scale is None else repr(scale),
            mode=_unless(mode, "nearest"),
            align_corners=None if mode == "nearest" else repr(op.align_corners),
        )
    )


def written_to_size(node: Node) -> Written:
    """Return the source of a node that reads one map, ``{0}``, and has the size of ``{1}``."""
    op, axes = node.op, len(node.size)
    match op:
        case ops.Broadcast():
            return Written(_call("{0}.expand", "-1", node.channels, "*{1}.shape[2:]"))
        case ops.Upsample():
            return _interpolated(op, axes, "{1}.shape[2:]")
        case ops.AdaptiveAvgPool():
            return Written(f"F.adaptive_avg_pool{axes}d({{0}}, {{1}}.shape[2:])")
        case ops.AdaptiveMaxPool():
            return Written(f"F.adaptive_max_pool{axes}d({{0}}, {{1}}.shape[2:])")
        case ops.Pad():
            mode = None if op.mode == "zeros" else repr(op.mode)
            return Written(_call("pad_to", "{0}", "{1}.shape[2:]", mode=mode), parts=("pad_to",))
        case ops.Crop():
            return Written("crop_to({0}, {1}.shape[2:])", parts=("crop_to",))
    raise RFStudioError(f"'{node.name}' cannot be written: it takes its size from another map")


@writer_for(ops.PixelShuffle)
def _pixel_shuffle(op: ops.PixelShuffle, node: Node, _: Sequence[Node]) -> Written:
    return _shuffled("pixel_shuffle", op.upscale_factor, node)


@writer_for(ops.PixelUnshuffle)
def _pixel_unshuffle(op: ops.PixelUnshuffle, node: Node, _: Sequence[Node]) -> Written:
    return _shuffled("pixel_unshuffle", op.downscale_factor, node)


def _shuffled(function: str, factor: int, node: Node) -> Written:
    if len(node.size) == 2:
        return Written(f"F.{function}({{0}}, {factor})")
    return Written(f"{function}({{0}}, {factor})", parts=(function,))


@writer_for(ops.Unfold)
def _unfold(op: ops.Unfold, node: Node, sources: Sequence[Node]) -> Written:
    axes = len(node.size)
    kernel, stride, dilation = window_of(op, axes)
    pairs = resolved_padding(op, sources[0].size)
    before, after = (tuple(x) for x in zip(*pairs, strict=True))
    if axes != 2 or before != after or min(before) < 0:
        text = f"F.pad({{0}}, {pads_text(pairs)})" if any(map(any, pairs)) else "{0}"
        call = _call("unfold", text, kernel, stride=stride, dilation=dilation)
        return Written(call, parts=("one_tap_each", "unfold"))
    call = _call(
        "F.unfold",
        "{0}",
        _one(kernel),
        dilation=_unless(_one(dilation), 1),
        padding=_unless(_one(before), 0),
        stride=_unless(_one(stride), 1),
    )
    return Written(f"{call}.unflatten(2, {node.size})")


@writer_for(ops.Fold)
def _fold(op: ops.Fold, node: Node, sources: Sequence[Node]) -> Written:
    axes = len(node.size)
    kernel, stride, dilation = window_of(op, axes)
    pairs = op.pads(axes)
    before, after = (tuple(x) for x in zip(*pairs, strict=True))
    windows = [
        (m + 2 * p - d * (k - 1) - 1) // s + 1
        for m, p, k, s, d in zip(node.size, before, kernel, stride, dilation, strict=True)
    ]
    if axes != 2 or before != after or min(before) < 0 or tuple(windows) != sources[0].size:
        spread = [
            (n - 1) * s + d * (k - 1) + 1
            for n, s, d, k in zip(sources[0].size, stride, dilation, kernel, strict=True)
        ]
        cut = [(-x, m + x - n) for x, m, n in zip(before, node.size, spread, strict=True)]
        call = _call("fold", "{0}", kernel, stride=stride, dilation=dilation)
        text = f"F.pad({call}, {pads_text(cut)})" if any(map(any, cut)) else call
        return Written(text, parts=("one_tap_each", "fold"))
    call = _call(
        "F.fold",
        "{0}.flatten(2)",
        node.size,
        _one(kernel),
        dilation=_unless(_one(dilation), 1),
        padding=_unless(_one(before), 0),
        stride=_unless(_one(stride), 1),
    )
    return Written(call)


@writer_for(ops.Pad)
def _pad(op: ops.Pad, node: Node, _: Sequence[Node]) -> Written:
    if node.location is None:  # before causal attention, which does it by itself
        return Written("{0}")
    pairs = op.pads(len(node.size))
    if op.mode == "zeros":
        return _zero_padded(pairs)
    return Written(_padded_with(op.mode, pairs))


def _padded_with(mode: str, pairs: Sequence[tuple[int, int]]) -> str:
    """Return `{0}` with samples of its own around it."""
    # The added samples come from the uncropped map, so crop afterwards.
    text = "{0}"
    added = [(max(x, 0), max(y, 0)) for x, y in pairs]
    cropped = [(min(x, 0), min(y, 0)) for x, y in pairs]
    if any(x != (0, 0) for x in added):
        text = _call("F.pad", text, pads_text(added), mode=repr(mode))
    if any(x != (0, 0) for x in cropped):
        text = _call("F.pad", text, pads_text(cropped))
    return text


@writer_for(ops.Crop)
def _crop(_: ops.Crop, node: Node, sources: Sequence[Node]) -> Written:
    befores = [getattr(rule, "before", 0) for rule in node.rules]
    pairs = [
        (before, m - n - before)
        for before, n, m in zip(befores, sources[0].size, node.size, strict=True)
    ]
    return _zero_padded(pairs)


@writer_for(ops.Slice)
def _slice(op: ops.Slice, node: Node, sources: Sequence[Node]) -> Written:
    found = [op.indices(axis, sources[0].size) for axis in range(len(node.size))]
    parts = [
        f"{x.start or ''}:{'' if x.stop >= n else x.stop}{'' if x.step == 1 else f':{x.step}'}"
        for x, n in zip(found, sources[0].size, strict=True)
    ]
    return Written(f"{{0}}[..., {', '.join(parts)}]")


@writer_for(ops.Roll)
def _roll(op: ops.Roll, node: Node, _: Sequence[Node]) -> Written:
    axes = len(node.size)
    dims = tuple(range(2, 2 + axes))
    return Written(f"torch.roll({{0}}, {per_axis(op.shift, axes)}, {dims})")


@writer_for(ops.Flip)
def _flip(op: ops.Flip, node: Node, _: Sequence[Node]) -> Written:
    mirrored = per_axis(op.along, len(node.size))
    dims = [2 + axis for axis, x in enumerate(mirrored) if x]
    return Written(f"{{0}}.flip({dims})")


@writer_for(ops.Gather)
def _gather(op: ops.Gather, node: Node, _: Sequence[Node]) -> Written:
    skipped = ":, " * (2 + op.along(len(node.size)))
    return Written(f"{{0}}[{skipped}{list(op.index)}]")


@writer_for(ops.Tile)
def _tile(op: ops.Tile, node: Node, _: Sequence[Node]) -> Written:
    times = ", ".join(map(str, per_axis(op.repeats, len(node.size))))
    return Written(f"{{0}}.repeat(1, 1, {times})")


@writer_for(ops.Broadcast)
def _broadcast(_: ops.Broadcast, node: Node, __: Sequence[Node]) -> Written:
    if node.location is None:  # before a sum or product, which does it by itself
        return Written("{0}")
    return Written(_call("{0}.expand", "-1", node.channels, *node.size))


@writer_for(ops.FurtherInput)
def _further_input(_: ops.FurtherInput, __: Node, ___: Sequence[Node]) -> Written:
    return Written("{0}")  # an argument of the module


@writer_for(ops.Inset)
def _inset(op: ops.Inset, node: Node, _: Sequence[Node]) -> Written:
    if node.location is None:  # before a concat along an axis, which does it by itself
        return Written("{0}")
    return _zero_padded(op.pads(len(node.size)))


def _zero_padded(pairs: Sequence[tuple[int, int]]) -> Written:
    return Written(f"F.pad({{0}}, {pads_text(pairs)})" if any(map(any, pairs)) else "{0}")


# --- the whole map, norms, attention -------------------------------------------------------------


def _as_map(node: Node) -> str:
    """Return the index that gives a vector of channels the axes of a map of one position."""
    return f"[..., {', '.join(['None'] * len(node.size))}]"


@writer_for(ops.Flatten)
def _flatten(_: ops.Flatten, node: Node, __: Sequence[Node]) -> Written:
    if node.location is None:  # before cross-attention, which does it by itself
        return Written("{0}")
    return Written(f"{{0}}.flatten(1){_as_map(node)}")


@writer_for(ops.Linear)
def _linear(op: ops.Linear, node: Node, sources: Sequence[Node]) -> Written:
    features = sources[0].channels * prod(sources[0].size)
    module = _call("nn.Linear", features, node.channels, bias=_unless(op.bias, default=True))
    return Written(f"{{self}}({{0}}.flatten(1)){_as_map(node)}", module)


@writer_for(ops.AxisLinear)
def _axis_linear(op: ops.AxisLinear, node: Node, sources: Sequence[Node]) -> Written:
    axes = len(node.size)
    along = op.along(axes)
    made = [node.size[x] for x in along]
    read = prod([sources[0].size[x] for x in along])
    layer = _call("nn.Linear", read, prod(made), bias=_unless(op.bias, default=True))
    if len(along) == 1:
        (dim,) = (2 + x for x in along)
        if dim == 1 + axes:
            return Written("{self}({0})", layer)
        return Written(f"{{self}}({{0}}.movedim({dim}, -1)).movedim(-1, {dim})", layer)
    module = _call("AxisLinear", layer, tuple(2 + x for x in along), tuple(made))
    return Written("{self}({0})", module, ("AxisLinear",))


@writer_for(ops.BatchNorm)
def _batch_norm(op: ops.BatchNorm, node: Node, _: Sequence[Node]) -> Written:
    has_scale = op.affine and op.scale
    module = _call(
        f"nn.BatchNorm{len(node.size)}d",
        node.channels,
        eps=_unless(op.eps, 1e-5),
        momentum=_unless(op.momentum, 0.1),
        affine=_unless(has_scale, default=True),
    )
    if op.affine and not op.scale:
        return Written("{self}({0})", f"ShiftedBatchNorm({module})", ("ShiftedBatchNorm",))
    return Written("{self}({0})", module)


@writer_for(ops.InstanceNorm)
def _instance_norm(op: ops.InstanceNorm, node: Node, _: Sequence[Node]) -> Written:
    name = f"nn.InstanceNorm{len(node.size)}d"
    eps, affine = _unless(op.eps, 1e-5), _unless(op.affine, default=False)
    return Written("{self}({0})", _call(name, node.channels, eps=eps, affine=affine))


@writer_for(ops.GroupNorm)
def _group_norm(op: ops.GroupNorm, node: Node, _: Sequence[Node]) -> Written:
    eps, affine = _unless(op.eps, 1e-5), _unless(op.affine, default=True)
    module = _call("nn.GroupNorm", op.num_groups, node.channels, eps=eps, affine=affine)
    return Written("{self}({0})", module)


@writer_for(ops.LayerNorm)
def _layer_norm(op: ops.LayerNorm, node: Node, _: Sequence[Node]) -> Written:
    eps, affine = _unless(op.eps, 1e-5), _unless(op.elementwise_affine, default=True)
    module = _call("ChannelNorm", node.channels, eps=eps, elementwise_affine=affine)
    return Written("{self}({0})", module, ("ChannelNorm",))


@writer_for(ops.SqueezeExcite)
def _squeeze_excite(op: ops.SqueezeExcite, node: Node, _: Sequence[Node]) -> Written:
    hidden = max(op.hidden_channels(node.channels), 1)
    activation = None if op.activation == "relu" else f"F.{op.activation}"
    gate = None if op.scale_activation == "sigmoid" else f"F.{op.scale_activation}"
    module = _call(
        "SqueezeExcite", node.channels, hidden, activation=activation, scale_activation=gate
    )
    return Written("{self}({0})", module, ("SqueezeExcite",))


@writer_for(ops.Attention)
def _attention(op: ops.Attention, node: Node, _: Sequence[Node]) -> Written:
    causal = _unless(op.causal, default=False)
    axes = None if op.axes is None else repr(op.along(len(node.size)))
    module = _call("Attention", node.channels, op.heads, causal=causal, axes=axes)
    return Written("{self}({0})", module, ("Attention",))


@writer_for(ops.Before)
def _before(_: ops.Before, __: Node, ___: Sequence[Node]) -> Written:
    return Written("{0}")  # causal attention does it by itself


@writer_for(ops.CausalAttending)
def _in_order(op: ops.CausalAttending, node: Node, _: Sequence[Node]) -> Written:
    axes = None if op.axes == tuple(range(len(node.size))) else repr(op.axes)
    module = _call("Attention", node.channels, op.heads, causal=True, axes=axes)
    return Written("{self}({0})", module, ("Attention",))


@writer_for(ops.CrossAttending, ops.CrossAttention)
def _across(
    op: ops.CrossAttending | ops.CrossAttention, node: Node, sources: Sequence[Node]
) -> Written:
    theirs = op.key_channels if isinstance(op, ops.CrossAttending) else sources[-1].channels
    module = _call("CrossAttention", node.channels, theirs, op.heads)
    return Written("{self}({0}, {1})", module, ("CrossAttention",))


@writer_for(ops.Tokens)
def _tokens(op: ops.Tokens, node: Node, _: Sequence[Node]) -> Written:
    if not op.position_embedding:
        return Written("{0}")
    module = _call("PositionEmbedding", node.channels, *node.size)
    return Written("{self}({0})", module, ("PositionEmbedding",))


@writer_for(ops.ExtraTokens)
def _extra_tokens(op: ops.ExtraTokens, node: Node, _: Sequence[Node]) -> Written:
    embedding = _unless(op.position_embedding, default=True)
    module = _call("ExtraTokens", node.channels, *node.size, embedding=embedding)
    return Written("{self}({0})", module, ("ExtraTokens",))


@writer_for(ops.Recurrent)
def _recurrent(op: ops.Recurrent, node: Node, sources: Sequence[Node]) -> Written:
    channels = sources[0].channels
    layer = _call(
        f"nn.{op.kind.upper()}",
        channels,
        op.state(channels),
        batch_first=True,
        bidirectional=_unless(op.bidirectional, default=False),
    )
    reverse = _unless(op.reverse, default=False)
    module = _call("Recurrent", layer, 2 + op.along(len(node.size)), reverse=reverse)
    return Written("{self}({0})", module, ("Recurrent",))


@writer_for(ops.WindowAttention)
def _window_attention(op: ops.WindowAttention, node: Node, _: Sequence[Node]) -> Written:
    axes = len(node.size)
    windows, shift = per_axis(op.window_size, axes), per_axis(op.shift, axes)
    module = f"WindowAttention({node.channels}, {op.heads}, {windows}, {shift})"
    return Written("{self}({0})", module, ("WindowAttention",))


@writer_for(ops.DotProductAttention)
def _dot_product(op: ops.DotProductAttention, node: Node, _: Sequence[Node]) -> Written:
    if op.window_size is None:
        call = _call("attended", "{0}", op.heads, stacked=_unless(op.stacked, default=False))
        return Written(call, "", ("attended",))
    windows, shift = op.windows(node.size), op.starts(node.size)
    module = _call(
        "WindowDotProduct",
        node.channels,
        op.heads,
        windows,
        shift,
        stacked=_unless(op.stacked, default=False),
        bias=_unless(op.relative_position_bias, default=False),
    )
    return Written("{self}({0})", module, ("WindowAttention", "WindowDotProduct"))


@writer_for(ops.DotProductAttending)
def _among_tokens(op: ops.DotProductAttending, _: Node, __: Sequence[Node]) -> Written:
    stacked = _unless(op.stacked, default=False)
    return Written(_call("attended", "{0}", op.heads, "{1}", stacked=stacked), "", ("attended",))


@writer_for(ops.GridAttention)
def _grid_attention(op: ops.GridAttention, node: Node, _: Sequence[Node]) -> Written:
    module = f"GridAttention({node.channels}, {op.heads}, {per_axis(op.grid, len(node.size))})"
    return Written("{self}({0})", module, ("WindowAttention", "GridAttention"))


# --- position by position ------------------------------------------------------------------------


@WRITERS.family(ops.Activation)
def _activation(op: ops.Activation, _: Node, __: Sequence[Node]) -> Written:
    options = {x.name: _unless(getattr(op, x.name), x.default) for x in ops.parameters(type(op))}
    return Written(_call(op.torch_function, "{0}", **options))


@writer_for(ops.LeakyRelu)
def _leaky_relu(op: ops.LeakyRelu, _: Node, __: Sequence[Node]) -> Written:
    return Written(_call("F.leaky_relu", "{0}", repr(op.negative_slope)))


@writer_for(ops.Softmax)
def _softmax(_: ops.Softmax, __: Node, ___: Sequence[Node]) -> Written:
    return Written("torch.softmax({0}, 1)")


@writer_for(ops.ChannelShuffle)
def _channel_shuffle(op: ops.ChannelShuffle, _: Node, __: Sequence[Node]) -> Written:
    return Written("{self}({0})", f"nn.ChannelShuffle({op.groups})")


@writer_for(ops.ChannelSlice)
def _channel_slice(op: ops.ChannelSlice, _: Node, __: Sequence[Node]) -> Written:
    start = op.start or ""
    stop = "" if op.stop is None else op.stop
    step = "" if op.step == 1 else f":{op.step}"
    return Written(f"{{0}}[:, {start}:{stop}{step}]")


@writer_for(ops.Identity, ops.Split)
def _identity(_: ops.Identity | ops.Split, __: Node, ___: Sequence[Node]) -> Written:
    return Written("{0}")


@writer_for(ops.Affine)
def _affine(op: ops.Affine, _: Node, __: Sequence[Node]) -> Written:
    shift = f" + {op.shift!r}" if op.shift else ""
    return Written(f"({{0}} * {op.factor!r}{shift})")


@writer_for(ops.LocalResponseNorm)
def _local_response_norm(op: ops.LocalResponseNorm, _: Node, __: Sequence[Node]) -> Written:
    arguments = (op.size, op.alpha, op.beta, op.k)
    return Written(_call("F.local_response_norm", "{0}", *map(repr, arguments)))


@writer_for(ops.Prelu)
def _prelu(op: ops.Prelu, _: Node, __: Sequence[Node]) -> Written:
    return Written("{self}({0})", f"nn.PReLU({op.num_parameters}, {op.init!r})")


@writer_for(ops.LayerScale)
def _layer_scale(op: ops.LayerScale, node: Node, __: Sequence[Node]) -> Written:
    count = 1 if op.shared else node.channels
    if op.scale and not op.shift:
        return Written("{self}({0})", f"LayerScale({count}, {op.init!r})", ("LayerScale",))
    if not op.shift:
        return Written("{0}")
    first = f"{op.init!r}" if op.scale else "scale=False"
    return Written("{self}({0})", f"ScaleAndShift({count}, {first})", ("ScaleAndShift",))


@writer_for(ops.Dropout)
def _dropout(op: ops.Dropout, _: Node, __: Sequence[Node]) -> Written:
    return Written("{self}({0})", f"nn.Dropout({op.p!r})")


@writer_for(ops.Add)
def _add(_: ops.Add, __: Node, sources: Sequence[Node]) -> Written:
    return _joined("+", sources)


@writer_for(ops.Multiply)
def _multiply(_: ops.Multiply, __: Node, sources: Sequence[Node]) -> Written:
    return _joined("*", sources)


def _joined(sign: str, sources: Sequence[Node]) -> Written:
    return Written(f" {sign} ".join(f"{{{i}}}" for i in range(len(sources))))


@writer_for(ops.Concat)
def _concat(_: ops.Concat, node: Node, sources: Sequence[Node]) -> Written:
    if node.location is None and all(isinstance(x.op, ops.Flatten) for x in sources):
        # Keys of attention, whose maps are written as they are.
        return Written("torch.cat([{0}.flatten(2), {1}.flatten(2)], 2)")
    return _concatenated(sources, 1)


@writer_for(ops.Joined)
def _along_axis(op: ops.Joined, _: Node, sources: Sequence[Node]) -> Written:
    return _concatenated(sources, 2 + op.axis)


def _concatenated(sources: Sequence[Node], dim: int) -> Written:
    names = ", ".join(f"{{{i}}}" for i in range(len(sources)))
    return Written(f"torch.cat([{names}], {dim})")
