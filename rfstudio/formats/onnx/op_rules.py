"""Rules that turn ONNX operations into steps, which become records of `rfstudio.importing`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

import numpy as np

from rfstudio.core import ops
from rfstudio.core.ops import Op
from rfstudio.formats.onnx.resizing import Resizing
from rfstudio.formats.onnx.tensors import Array
from rfstudio.importing.bounds import cut
from rfstudio.importing.constants import Constant

Shape = tuple[int, ...]

_WHOLE_NUMBERS = (2, 3, 4, 5, 6, 7, 12, 13)
"""Types of ONNX: (u)int8 to (u)int64."""


class Step(NamedTuple):
    """One record to be.

    Attributes
    ----------
    kind, options
        Of the record.
    shape
        Of its value.
    reads
        For the first step which inputs it reads; None: all.
    """

    kind: str
    shape: Shape
    options: Mapping[str, Any] = {}
    reads: tuple[int, ...] | None = None


Steps = list[Step]
"""Steps after one another, the last of which gives the result."""

Rule = Callable[["Call"], "Steps | list[Steps]"]
"""Returns the steps of the first result, or a list with those of each result."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation.

    Attributes
    ----------
    op, version
        Its name and the version of the set of operations.
    shapes
        Shapes of its inputs; None: left out.
    outs
        Shapes of its results.
    attributes
        Its attributes.
    values
        Numbers of its inputs, as far as they are constant and known.
    constant
        Which inputs are constant.
    """

    op: str
    version: int
    shapes: tuple[Shape | None, ...]
    outs: tuple[Shape, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    values: tuple[Array | None, ...] = ()
    constant: tuple[bool, ...] = ()

    @property
    def out(self) -> Shape:
        """The shape of the first result."""
        return self.outs[0]

    def has(self, place: int) -> bool:
        """Whether there is an input at a place."""
        return place < len(self.shapes) and self.shapes[place] is not None

    def shape(self, place: int = 0) -> Shape:
        """Return the shape of an input."""
        found = self.shapes[place]
        if found is None:
            raise ValueError("an input is left out")
        return found

    def value(self, place: int) -> Array | None:
        """Return the numbers of an input; None if it is left out or not known."""
        return self.values[place] if place < len(self.values) else None

    def given(self, place: int, name: str) -> list[int] | None:
        """Return whole numbers that are an input, or in older versions an attribute."""
        if self.has(place):
            value = self.value(place)
            if value is None:
                raise ValueError(f"its {name} are not constant")
            return [int(n) for n in value.reshape(-1)]
        found = self.attributes.get(name)
        return None if found is None else list(found)

    def get(self, name: str, default: Any) -> Any:
        """Return an attribute."""
        return self.attributes.get(name, default)


def _pads(c: Call, sizes: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> list[Any]:
    """Return padding of a window along each axis, which may depend on the size."""
    how = c.get("auto_pad", "NOTSET")
    if how in ("SAME_UPPER", "SAME_LOWER"):
        found = []
        for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            less, more = total // 2, total - total // 2
            found.append((less, more) if how == "SAME_UPPER" else (more, less))
        return found
    count = len(kernel)
    if how == "VALID":
        return [(0, 0)] * count
    pads = c.get("pads", [0] * 2 * count)
    return list(zip(pads[:count], pads[count:], strict=True))


def _geometry(c: Call, kernel: Shape) -> tuple[Shape, Shape, list[Any]]:
    ones = [1] * len(kernel)
    stride, dilation = tuple(c.get("strides", ones)), tuple(c.get("dilations", ones))
    return stride, dilation, _pads(c, c.shape()[2:], kernel, stride, dilation)


def conv(weight: int, bias: int) -> Rule:
    """Return the rule of a convolution whose weight and bias are at these places."""

    def rule(c: Call) -> Steps:
        shape = c.shape(weight)
        kernel = shape[2:]
        stride, dilation, padding = _geometry(c, kernel)
        options = {
            "kernel": kernel,
            "stride": stride,
            "padding": tuple(padding),
            "dilation": dilation,
            "groups": c.get("group", 1),
            "out": shape[0],
            "bias": c.has(bias),
        }
        reads = (0, weight, bias) if c.has(bias) else (0, weight)
        return [Step("conv", c.out, options, reads)]

    return rule


def deform_conv(c: Call) -> Steps:
    """Return the steps of a deformable convolution: map, weight, offsets, bias and mask."""
    shape = c.shape(1)
    stride, dilation, padding = _geometry(c, shape[2:])
    options = {
        "kernel": shape[2:],
        "stride": stride,
        "padding": tuple(padding),
        "dilation": dilation,
        "groups": c.get("group", 1),
        "bias": c.has(3),
        "mask": c.has(4),
    }
    reads = (0, 1, 2, *[x for x in (4, 3) if c.has(x)])
    return [Step("deform_conv", c.out, options, reads)]


def conv_transpose(c: Call) -> Steps:
    """Return the steps of a transposed convolution."""
    weight, sizes, outs = c.shape(1), c.shape()[2:], c.out[2:]
    kernel, groups = weight[2:], c.get("group", 1)
    ones = [1] * len(kernel)
    stride, dilation = tuple(c.get("strides", ones)), tuple(c.get("dilations", ones))
    spare = list(c.get("output_padding", [0] * len(kernel)))
    how = c.get("auto_pad", "NOTSET")
    if "output_shape" in c.attributes or how in ("SAME_UPPER", "SAME_LOWER"):
        padding = []
        for j, (n, m) in enumerate(zip(sizes, outs, strict=True)):
            full = (n - 1) * stride[j] + dilation[j] * (kernel[j] - 1) + 1
            total = full + spare[j] - m
            if total < 0:
                spare[j], total = spare[j] - total, 0
            less, more = total // 2, total - total // 2
            padding.append((less, more) if how == "SAME_UPPER" else (more, less))
    else:
        padding = _pads(c, sizes, kernel, stride, dilation)
    options = {
        "kernel": kernel,
        "stride": stride,
        "padding": tuple(padding),
        "dilation": dilation,
        "output_padding": tuple(spare),
        "groups": groups,
        "out": weight[1] * groups,
        "bias": c.has(2),
    }
    return [Step("conv_transpose", c.out, options)]


def pool(how: str) -> Rule:
    """Return the rule of a pooling."""

    def rule(c: Call) -> Steps:
        kernel = tuple(c.attributes["kernel_shape"])
        stride, dilation, padding = _geometry(c, kernel)
        if how == "mean" and any(d > 1 for d in dilation):
            return [Step("unknown", c.out)]
        options = {
            "how": how,
            "kernel": kernel,
            "stride": stride,
            "padding": tuple(padding),
            "dilation": dilation,
            "ceil": bool(c.get("ceil_mode", 0)),
            "count": bool(c.get("count_include_pad", 0)),
        }
        return [Step("pool", c.out, options)]

    return rule


def global_pool(how: str) -> Rule:
    """Return the rule of a pooling over the whole map."""
    return lambda c: [Step("adaptive_pool", c.out, {"how": how, "size": c.out[2:]})]


def activation(op: Callable[[Call], Op | None]) -> Rule:
    """Return the rule of an activation; None: one without an op of its own."""

    def rule(c: Call) -> Steps:
        found = op(c)
        kind, options = ("pointwise", {}) if found is None else ("activation", {"op": found})
        return [Step(kind, c.out, options)]

    return rule


def hard_sigmoid(c: Call) -> Op | None:
    """Return the operation that torch has, if it is the same."""
    same = abs(c.get("alpha", 0.2) - 1 / 6) < 1e-4 and abs(c.get("beta", 0.5) - 0.5) < 1e-6
    return ops.Hardsigmoid() if same else None


def clip(c: Call) -> Steps:
    """Return the steps of a cut to a range."""
    limits = []
    for place, name in ((1, "min"), (2, "max")):
        value = c.value(place)
        if c.has(place) and value is None:
            return [Step("pointwise", c.out, {})]
        limits.append(c.get(name, None) if value is None else float(value.reshape(-1)[0]))
    kind, options = cut(*limits)
    return [Step(kind, c.out, options)]


def prelu(c: Call) -> Op:
    """Return the operation, with one slope or one for each channel."""
    return ops.Prelu(num_parameters=max(prod(c.shape(1)), 1))


def batch_norm(c: Call) -> Steps:
    """Return the steps of a batch norm; statistics are no learned numbers."""
    op = ops.BatchNorm(eps=float(c.get("epsilon", 1e-5)))
    return [Step("activation", c.out, {"op": op}, (0, 1, 2))]


def layer_norm(c: Call) -> Steps:
    """Return the steps of a layer norm."""
    rank = len(c.shape())
    op = ops.LayerNorm(eps=float(c.get("epsilon", 1e-5)))
    return [Step("mix", c.out, {"dims": list(range(c.get("axis", -1) % rank, rank)), "op": op})]


def map_norm(op: Callable[[Call], Op | None]) -> Rule:
    """Return the rule of a norm over whole maps."""

    def rule(c: Call) -> Steps:
        options = {"dims": list(range(2, len(c.out))), "whole_op": op(c)}
        return [Step("mix", c.out, options)]

    return rule


def mean_variance(c: Call) -> Steps:
    """Return the steps of a norm over chosen dimensions."""
    rank = len(c.out)
    return [Step("mix", c.out, {"dims": [i % rank for i in c.get("axes", [0, 2, 3])]})]


def over_axis(default: int) -> Rule:
    """Return the rule of something that reads whole one dimension."""
    return lambda c: [Step("mix", c.out, {"dims": [c.get("axis", default) % len(c.out)]})]


def cum_sum(c: Call) -> Steps:
    """Return the steps of a sum over what came before."""
    axis = c.given(1, "axis") or [0]
    return [Step("mix", c.out, {"dims": [axis[0] % len(c.out)]}, (0,))]


def softmax(c: Call) -> Steps:
    """Return the steps of a softmax, which was over all dimensions from one on before opset 13."""
    rank = len(c.out)
    axis = c.get("axis", -1 if c.version >= 13 else 1) % rank
    dims = [axis] if c.version >= 13 else [i for i in range(axis, rank) if c.out[i] > 1]
    return [Step("mix", c.out, {"dims": dims or [axis], "op": ops.Softmax()})]


def merge(how: str) -> Rule:
    """Return the rule of a sum or a product."""
    return lambda c: [Step("merge", c.out, {"how": how})]


def negated(c: Call) -> Steps:
    """Return the steps of a change of the sign."""
    return [Step("merge", c.out, {"how": "multiply", "constant": Constant(-1.0)}, (0,))]


def cast(c: Call) -> Steps:
    """Return the steps of a conversion, which may round to whole numbers."""
    kind = "pointwise" if c.get("to", 0) in _WHOLE_NUMBERS else "same"
    return [Step(kind, c.out, {}, (0,))]


def reduce(how: str) -> Rule:
    """Return the rule of a reduction."""

    def rule(c: Call) -> Steps:
        axes = c.given(1, "axes")
        if not axes and c.get("noop_with_empty_axes", 0):
            return [Step("same", c.out, {}, (0,))]
        rank = len(c.shape())
        dims = [i % rank for i in axes or range(rank)]
        keep = bool(c.get("keepdims", 1))
        return [Step("reduce", c.out, {"dims": dims, "keep": keep, "how": how}, (0,))]

    return rule


def arg_reduce(c: Call) -> Steps:
    """Return the steps of a search for the largest or smallest."""
    dims = [c.get("axis", 0) % len(c.shape())]
    keep = bool(c.get("keepdims", 1))
    return [Step("reduce", c.out, {"dims": dims, "keep": keep, "how": "other"})]


def plain(kind: str) -> Rule:
    """Return the rule of what reads its first input only, without options."""
    return lambda c: [Step(kind, c.out, {}, (0,))]


def transpose(c: Call) -> Steps:
    """Return the steps of a transposition."""
    dims = c.get("perm", list(range(len(c.out)))[::-1])
    return [Step("permute", c.out, {"dims": list(dims)})]


def tile(c: Call) -> Steps:
    """Return the steps of a repetition."""
    return [Step("repeat", c.out, {"times": c.given(1, "repeats")}, (0,))]


def concat(c: Call) -> Steps:
    """Return the steps of a concatenation."""
    return [Step("cat", c.out, {"dim": c.get("axis", 1) % len(c.out)})]


def split(c: Call) -> list[Steps]:
    """Return the steps of each part of a split."""
    axis, start, found = c.get("axis", 0) % len(c.shape()), 0, []
    for shape in c.outs:
        options = {"dim": axis, "start": start, "step": 1}
        found.append([Step("slice", shape, options, (0,))])
        start += shape[axis]
    return found


def sliced(c: Call) -> Steps:
    """Return the steps of slices, one dimension after the other."""
    shape = list(c.shape())
    starts, ends = c.given(1, "starts") or [], c.given(2, "ends") or []
    axes = c.given(3, "axes") or list(range(len(starts)))
    steps = (c.given(4, "steps") if c.has(4) else None) or [1] * len(starts)
    found: Steps = []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis %= len(shape)
        n = shape[axis]
        index = range(n)[slice(start, None if step < 0 and end < -n else end, step)]
        if index == range(n):
            continue
        shape[axis] = len(index)
        if step < 0:
            if index == range(n)[::-1]:
                found.append(Step("flip", tuple(shape), {"dims": [axis]}, (0,)))
                continue
            places = {"dim": axis, "index": np.array(index)}
            found.append(Step("gather", tuple(shape), places, (0,)))
            continue
        first = index.start if len(index) else 0
        options = {"dim": axis, "start": first, "step": step}
        found.append(Step("slice", tuple(shape), options, (0,)))
    return found or [Step("same", c.out, {}, (0,))]


def gather(c: Call) -> Steps:
    """Return the steps of a choice of positions: one, or several at constant places."""
    value, rank = c.value(1), len(c.shape())
    axis = c.get("axis", 0) % rank
    if value is None:
        return [Step("unknown", c.out)]
    index = value.astype(np.int64)
    index = np.where(index < 0, index + c.shape()[axis], index)
    if index.ndim == 0 or index.size == 1:
        options = {"dim": axis, "start": int(index.reshape(-1)[0]), "step": 1, "select": True}
        shape = (*c.shape()[:axis], *c.shape()[axis + 1 :])
        steps = [Step("slice", shape, options, (0,))]
        return steps if shape == c.out else [*steps, Step("reshape", c.out)]
    flat = index.reshape(-1)
    shape = (*c.shape()[:axis], len(flat), *c.shape()[axis + 1 :])
    steps = [Step("gather", shape, {"dim": axis, "index": flat}, (0,))]
    return steps if shape == c.out else [*steps, Step("reshape", c.out)]


def pad(c: Call) -> Steps:
    """Return the steps of padding."""
    rank = len(c.out)
    values = c.given(1, "pads") or []
    axes = c.given(3, "axes") if c.has(3) else None
    places = range(rank) if axes is None else [i % rank for i in axes]
    half = len(values) // 2
    pads = {i: (values[k], values[half + k]) for k, i in enumerate(places)}
    modes = {"constant": "zeros", "edge": "replicate", "wrap": "circular"}
    mode = modes.get(c.get("mode", "constant"), c.get("mode", "constant"))
    return [Step("pad", c.out, {"pads": pads, "mode": mode}, (0,))]


def gemm(c: Call) -> Steps:
    """Return the steps of a linear layer."""
    if c.constant[0] or not c.constant[1]:
        return [Step("unknown", c.out)]
    a = c.shape()
    steps: Steps = []
    if c.get("transA", 0):
        steps.append(Step("permute", a[::-1], {"dims": [1, 0]}, (0,)))
    options = {"out": c.out[-1], "bias": c.has(2)}
    reads = (0, 1, 2) if c.has(2) else (0, 1)
    return [*steps, Step("linear", c.out, options, reads)]


def matmul(c: Call, right: int = 1) -> Steps:
    """Return the steps of a product of tensors; with a constant matrix it is a linear layer."""
    both = (0, right)
    if min(len(c.shape(0)), len(c.shape(right))) < 2:
        return [Step("unknown", c.out, {}, both)]
    if c.constant[right] and not c.constant[0] and len(c.shape(right)) == 2:
        return [Step("linear", c.out, {"out": c.out[-1], "bias": False}, both)]
    return [Step("matmul", c.out, {}, both)]


def depth_to_space(c: Call) -> Steps:
    """Return the steps of a pixel shuffle, in either order of channels."""
    r = c.attributes["blocksize"]
    n, channels, height, width = c.shape()
    deep = channels // (r * r)
    if c.get("mode", "DCR") == "CRD":
        return [Step("pixel_shuffle", c.out, {"factor": r})]
    return [
        Step("reshape", (n, r, r, deep, height, width)),
        Step("permute", (n, deep, height, r, width, r), {"dims": [0, 3, 4, 1, 5, 2]}),
        Step("reshape", c.out),
    ]


def space_to_depth(c: Call) -> Steps:
    """Return the steps of the inverse of a pixel shuffle."""
    r = c.attributes["blocksize"]
    n, channels, height, width = c.shape()
    rows, columns = height // r, width // r
    return [
        Step("reshape", (n, channels, rows, r, columns, r)),
        Step("permute", (n, r, r, channels, rows, columns), {"dims": [0, 3, 5, 1, 2, 4]}),
        Step("reshape", c.out),
    ]


def resize(c: Call) -> Steps:
    """Return the steps of an interpolation, in all its ways to map positions."""
    shape, rank = c.shape(), len(c.shape())
    first = c.version < 11
    mode = c.get("mode", "nearest")
    mode = {"bilinear": "linear", "trilinear": "linear"}.get(mode, mode)
    position = c.get("coordinate_transformation_mode", "asymmetric" if first else "half_pixel")
    rounding = c.get("nearest_mode", "floor" if first else "round_prefer_floor")
    axes = [i % rank for i in c.get("axes", range(rank))]
    scales = _scales(c)
    by_size = c.get("keep_aspect_ratio_policy", "stretch") != "stretch"
    roi = c.value(1) if not first and c.has(1) else None
    resized = {}
    for k, i in enumerate(axes):
        scale = scales[k] if scales is not None and not by_size else None
        part = (0.0, 1.0)
        if roi is not None and roi.size == 2 * len(axes):
            part = float(roi.reshape(-1)[k]), float(roi.reshape(-1)[len(axes) + k])
        if shape[i] == c.out[i] and (position != "tf_crop_and_resize" or part == (0, 1)):
            continue
        resized[i] = Resizing(
            shape[i],
            c.out[i],
            scale,
            mode,
            position,
            rounding,
            part,
            bool(c.get("antialias", 0)),
        )
    if not resized:
        return [Step("same", c.out, {}, (0,))]
    return _interpolated(c, resized, mode, position, scales)


def _scales(c: Call) -> list[float] | None:
    place = 1 if c.version < 11 else 2
    if c.op == "Upsample" and "scales" in c.attributes:
        return list(c.attributes["scales"])
    value = c.value(place)
    if value is None or value.size == 0:
        return None
    return [float(x) for x in value.reshape(-1)]


def _interpolated(
    c: Call,
    resized: Mapping[int, Resizing],
    mode: str,
    position: str,
    scales: Sequence[float] | None,
) -> Steps:
    """Return an interpolation as torch has it, or by what each position reads."""
    rank = len(c.out)
    spatial = list(range(2, rank))
    as_torch = (
        position in ("half_pixel", "pytorch_half_pixel", "align_corners")
        and mode in ("linear", "cubic")
        and not c.get("antialias", 0)
        and not c.get("exclude_outside", 0)
        and all(i in spatial for i in resized)
        and (mode == "linear" or rank == 4)
        and all(c.out[i] > 1 for i in resized)
    )
    if not as_torch and any(x.is_listed_in_vain for x in resized.values()):
        return [Step("unknown", c.out, {}, (0,))]
    if not as_torch:
        taps = {i: x.taps() for i, x in resized.items()}
        return [Step("resample", c.out, {"taps": taps}, (0,))]
    words = {3: "linear", 4: "bilinear", 5: "trilinear"}
    align = position == "align_corners"
    scale = None
    if scales is not None and len(scales) == rank and not align:
        scale = [scales[i] for i in spatial]
    options = {
        "mode": "bicubic" if mode == "cubic" else words[rank],
        "align": align,
        "scale": scale,
    }
    return [Step("upsample", c.out, options, (0,))]


def recurrent(kind: str) -> Rule:
    """Return the rule of a recurrent layer, whose results are (time, direction, batch, state)."""

    def rule(c: Call) -> Steps:
        if c.get("layout", 0):
            return [Step("unknown", c.out)]
        time, batch, _ = c.shape()
        hidden = c.attributes["hidden_size"]
        both = c.get("direction", "forward") == "bidirectional"
        if c.get("direction", "forward") == "reverse":
            return [Step("unknown", c.out)]
        ways = 2 if both else 1
        options = {"op": kind, "hidden": hidden, "layers": 1, "bidirectional": both, "time": 0}
        return [
            Step("recurrent", (time, batch, ways * hidden), options, (0, 1, 2, 3)),
            Step("reshape", (time, batch, ways, hidden)),
            Step("permute", (time, ways, batch, hidden), {"dims": [0, 2, 1, 3]}),
        ]

    return rule


def einsum(c: Call) -> Steps:
    """Return the steps of a sum over indices."""
    return [Step("einsum", c.out, {"equation": c.attributes["equation"]})]
