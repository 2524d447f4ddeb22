"""Rules that turn arguments of ATen operations into options of records; `aten` has the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any

from torch import Tensor, fx

from rfstudio.core import ops
from rfstudio.core.ops import Op
from rfstudio.importing.bounds import cut
from rfstudio.importing.constants import Constant, constant_by_word

Kind = tuple[str, dict[str, Any]]
"""Kind and options of a record."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation, with its arguments by name."""

    node: fx.Node
    arguments: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an argument, or a default."""
        value = self.arguments.get(name, default)
        return default if value is None else value

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor argument."""
        return shape_of(self.arguments[name])

    @property
    def out(self) -> tuple[int, ...]:
        """The shape of the result, or of its first tensor."""
        return shape_of(self.node)


def shape_of(node: Any) -> tuple[int, ...]:
    """Return the shape of a value, or of the first tensor of several; () if it is none."""
    value = node.meta.get("val") if isinstance(node, fx.Node) else node
    if isinstance(value, list | tuple):
        value = next((x for x in value if isinstance(x, Tensor)), None)
    return tuple(int(x) for x in value.shape) if isinstance(value, Tensor) else ()


def _numbers(value: Any, count: int) -> tuple[int, ...]:
    found = tuple(value) if isinstance(value, list | tuple) else (value,)
    return found * count if len(found) == 1 else found


def _pairs(values: Sequence[int]) -> tuple[tuple[int, int], ...]:
    return tuple((x, x) for x in values)


def conv(c: Call) -> Kind:
    """Return the record of `conv`."""
    weight = c.shape("weight")
    n = len(weight) - 2
    kernel, dilation = weight[2:], _numbers(c.get("dilation", 1), n)
    padding: Any = c.get("padding", 0)
    if padding == "same":
        spare = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        pads = tuple((x // 2, x - x // 2) for x in spare)
    else:
        pads = _pairs(_numbers(0 if padding == "valid" else padding, n))
    return "conv", {
        "kernel": kernel,
        "stride": _numbers(c.get("stride", 1), n),
        "padding": pads,
        "dilation": dilation,
        "groups": c.get("groups", 1),
        "out": weight[0],
        "bias": c.get("bias") is not None,
    }


def convolution(c: Call) -> Kind:
    """Return the record of `convolution`."""
    return conv_transpose(c) if c.get("transposed") else conv(c)


def conv_transpose(c: Call) -> Kind:
    """Return the record of `conv_transpose`."""
    weight = c.shape("weight")
    n = len(weight) - 2
    groups = c.get("groups", 1)
    return "conv_transpose", {
        "kernel": weight[2:],
        "stride": _numbers(c.get("stride", 1), n),
        "padding": _pairs(_numbers(c.get("padding", 0), n)),
        "dilation": _numbers(c.get("dilation", 1), n),
        "output_padding": _numbers(c.get("output_padding", 0), n),
        "groups": groups,
        "out": weight[1] * groups,
        "bias": c.get("bias") is not None,
    }


def pool(how: str, axes: int) -> Callable[[Call], Kind]:
    """Return the record of `pool`."""

    def rule(c: Call) -> Kind:
        kernel = _numbers(c["kernel_size"], axes)
        stride = c.get("stride") or kernel
        return "pool", {
            "how": how,
            "kernel": kernel,
            "stride": _numbers(stride, axes),
            "padding": _pairs(_numbers(c.get("padding", 0), axes)),
            "dilation": _numbers(c.get("dilation", 1), axes),
            "ceil": c.get("ceil_mode", False),
            "count": c.get("count_include_pad", True),
        }

    return rule


def adaptive(how: str, axes: int) -> Callable[[Call], Kind]:
    """Return the record of `adaptive`."""
    return lambda c: ("adaptive_pool", {"how": how, "size": c.out[-axes:]})


def upsample(mode: str) -> Callable[[Call], Kind]:
    """Return the record of `upsample`."""

    def rule(c: Call) -> Kind:
        scale = c.get("scale_factors")
        return "upsample", {"mode": mode, "align": c.get("align_corners", False), "scale": scale}

    return rule


def activation(op: Callable[[Call], Op]) -> Callable[[Call], Kind]:
    """Return the record of `activation`."""
    return lambda c: ("activation", {"op": op(c)})


def _dims(c: Call, name: str = "dim") -> list[int]:
    value = c.get(name)
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def reduce(how: str) -> Callable[[Call], Kind]:
    """Return the record of `reduce`."""

    def rule(c: Call) -> Kind:
        rank = len(c.shape("self"))
        dims = [x % max(rank, 1) for x in _dims(c)]
        return "reduce", {"dims": dims, "keep": c.get("keepdim", False), "how": how}

    return rule


def sliced(c: Call) -> Kind:
    """Return the record of `sliced`."""
    rank = len(c.shape("self"))
    dim = c.get("dim", 0) % rank
    n = c.shape("self")[dim]
    start = c.get("start", 0)
    start = max(start + n, 0) if start < 0 else min(start, n)
    return "slice", {"dim": dim, "start": start, "step": c.get("step", 1)}


def select(c: Call) -> Kind:
    """Return the record of `select`."""
    shape = c.shape("self")
    dim = c["dim"] % len(shape)
    return "slice", {"dim": dim, "start": c["index"] % shape[dim], "step": 1, "select": True}


def permute(c: Call) -> Kind:
    """Return the record of `permute`."""
    rank = len(c.shape("self"))
    return "permute", {"dims": [x % rank for x in c["dims"]]}


def transpose(first: str, second: str) -> Callable[[Call], Kind]:
    """Return the record of `transpose`."""

    def rule(c: Call) -> Kind:
        rank = len(c.shape("self"))
        dims = list(range(rank))
        a, b = c[first] % rank, c[second] % rank
        dims[a], dims[b] = dims[b], dims[a]
        return "permute", {"dims": dims}

    return rule


def turned(_c: Call) -> Kind:
    """Return the record of `turned`."""
    return "permute", {"dims": list(range(len(_c.shape("self"))))[::-1]}


def movedim(c: Call) -> Kind:
    """Return the record of `movedim`."""
    rank = len(c.shape("self"))
    sources = [x % rank for x in _numbers(c["source"], 1)]
    targets = [x % rank for x in _numbers(c["destination"], 1)]
    rest = [x for x in range(rank) if x not in sources]
    dims = [-1] * rank
    for a, b in zip(sources, targets, strict=True):
        dims[b] = a
    for i, x in enumerate(dims):
        if x < 0:
            dims[i] = rest.pop(0)
    return "permute", {"dims": dims}


def cat(c: Call) -> Kind:
    """Return the record of `cat`."""
    rank = len(c.out)
    return "cat", {"dim": c.get("dim", 0) % rank}


def stack(c: Call) -> Kind:
    """Return the record of `stack`."""
    rank = len(c.out)
    return "cat", {"dim": c.get("dim", 0) % rank, "stack": True}


def pad(c: Call) -> Kind:
    """Return the record of `pad`."""
    rank = len(c.shape("self"))
    values = list(c["pad"])
    pads = {rank - 1 - i: (values[2 * i], values[2 * i + 1]) for i in range(len(values) // 2)}
    mode = {"constant": "zeros"}.get(c.get("mode", "constant"), c.get("mode", "constant"))
    return "pad", {"pads": pads, "mode": mode}


def padding(mode: str) -> Callable[[Call], Kind]:
    """Return the record of `padding`."""

    def rule(c: Call) -> Kind:
        rank = len(c.shape("self"))
        values = list(c["padding"])
        pads = {rank - 1 - i: (values[2 * i], values[2 * i + 1]) for i in range(len(values) // 2)}
        return "pad", {"pads": pads, "mode": mode}

    return rule


def layer_norm(c: Call) -> Kind:
    """Return the record of `layer_norm`."""
    count = len(c["normalized_shape"])
    affine = c.get("weight") is not None
    op = ops.LayerNorm(eps=c.get("eps", 1e-5), elementwise_affine=affine)
    return "mix", {"dims": list(range(-count, 0)), "op": op}


def rms_norm(c: Call) -> Kind:
    """Return the record of `rms_norm`."""
    return "mix", {"dims": list(range(-len(c["normalized_shape"]), 0))}


def group_norm(c: Call) -> Kind:
    """Return the record of `group_norm`."""
    affine = c.get("weight") is not None
    op = ops.GroupNorm(num_groups=c["num_groups"], eps=c.get("eps", 1e-5), affine=affine)
    rank = len(c.out)
    return "mix", {"dims": list(range(2, rank)), "whole_op": op}


def native_group_norm(c: Call) -> Kind:
    """Return the record of `native_group_norm`."""
    affine = c.get("weight") is not None
    op = ops.GroupNorm(num_groups=c["group"], eps=c.get("eps", 1e-5), affine=affine)
    return "mix", {"dims": list(range(2, len(c.out))), "whole_op": op}


def instance_norm(c: Call) -> Kind:
    """Return the record of `instance_norm`."""
    op = ops.InstanceNorm(eps=c.get("eps", 1e-5), affine=c.get("weight") is not None)
    return "mix", {"dims": list(range(2, len(c.out))), "whole_op": op}


def batch_norm(c: Call) -> Kind:
    """Return the record of `batch_norm`."""
    affine = c.get("weight") is not None
    return "activation", {"op": ops.BatchNorm(eps=c.get("eps", 1e-5), affine=affine)}


def softmax(c: Call) -> Kind:
    """Return the record of `softmax`."""
    return "mix", {"dims": [c["dim"]], "op": ops.Softmax()}


def over(name: str) -> Callable[[Call], Kind]:
    """Return the record of `over`."""
    return lambda c: ("mix", {"dims": _dims(c, name) or [-1]})


def running(c: Call) -> Kind:
    """Return the record of a sum, a product or an extreme over what is not after a value."""
    return "mix", {"dims": [c["dim"]], "causal": True}


def merge(how: str) -> Callable[[Call], Kind]:
    """Return the record of `merge`."""
    return lambda _c: ("merge", {"how": how})


def addcmul(c: Call) -> Kind:
    """Return the record of a tensor plus a number times two others."""
    value = c.get("value", 1)
    factor = float(value) if isinstance(value, int | float) else nan
    return "merge", {"how": "multiply", **({} if factor == 1 else {"alpha": factor})}


def arithmetic(word: str) -> Callable[[Call], Kind]:
    """Return the rule of a sum, difference, product or quotient, of two maps or with a number."""
    how = "multiply" if word in ("mul", "div") else "add"

    def rule(c: Call) -> Kind:
        options: dict[str, Any] = {"how": how}
        alpha, other = c.get("alpha", 1), c.get("other")
        if c.get("rounding_mode") is not None:
            return "merge", {**options, "rounded": True}
        if not isinstance(alpha, int | float):
            return "merge", options
        if alpha != 1:
            options["alpha"] = float(alpha)
        if isinstance(other, int | float) and not isinstance(other, bool):
            found = constant_by_word(word, float(other), alpha=float(alpha))
            options["constant"] = found
        return "merge", options

    return rule


def negated(_c: Call) -> Kind:
    """Return the record of a change of the sign."""
    return "merge", {"how": "multiply", "constant": Constant(-1.0)}


def converted(c: Call) -> Kind:
    """Return the record of a conversion, which may round to whole numbers."""
    before, after = (x.meta.get("val") for x in (c["self"], c.node))
    rounds = (
        isinstance(before, Tensor)
        and before.is_floating_point()
        and isinstance(after, Tensor)
        and not after.is_floating_point()
    )
    return ("pointwise" if rounds else "same"), {}


def recurrent(op: str) -> Callable[[Call], Kind]:
    """Return the rule of a recurrent layer, whose first result has a state for each step."""

    def rule(c: Call) -> Kind:
        ways = 2 if c.get("bidirectional", False) else 1
        return "recurrent", {
            "op": op,
            "hidden": c.out[-1] // ways,
            "layers": c["num_layers"],
            "bidirectional": ways == 2,
            "time": 1 if c.get("batch_first", False) else 0,
        }

    return rule


def plain(kind: str) -> Callable[[Call], Kind]:
    """Return the record of `plain`."""
    return lambda _c: (kind, {})


def linear(c: Call) -> Kind:
    """Return the record of `linear`."""
    return "linear", {"out": c.shape("weight")[0], "bias": c.get("bias") is not None}


def roll(c: Call) -> Kind:
    """Return the record of `roll`."""
    rank = len(c.shape("self"))
    dims, shifts = c.get("dims") or [], c["shifts"]
    dims = list(dims) if isinstance(dims, list | tuple) else [dims]
    shifts = list(shifts) if isinstance(shifts, list | tuple) else [shifts]
    return "roll", {"dims": [x % rank for x in dims], "shifts": shifts}


def glu(c: Call) -> Kind:
    """Return the record of `glu`."""
    return "gated", {"dim": c.get("dim", -1) % len(c.out)}


def flip(c: Call) -> Kind:
    """Return the record of `flip`."""
    rank = len(c.shape("self"))
    return "flip", {"dims": [x % rank for x in c["dims"]]}


def repeat(c: Call) -> Kind:
    """Return the record of `repeat`."""
    return "repeat", {"times": list(c["repeats"])}


def repeat_interleave(c: Call) -> Kind:
    """Return the record of `repeat_interleave`."""
    rank = len(c.shape("self"))
    times = [1] * rank
    times[c["dim"] % rank] = c["repeats"]
    return "repeat", {"times": times, "inner": True}


def shuffle(kind: str, name: str) -> Callable[[Call], Kind]:
    """Return the record of `shuffle`."""
    return lambda c: (kind, {"factor": c[name]})


def unfold(c: Call) -> Kind:
    """Return the record of `unfold`."""
    rank = len(c.shape("self"))
    return "unfold", {"dim": c["dimension"] % rank, "size": c["size"], "step": c["step"]}


def im2col(kind: str) -> Callable[[Call], Kind]:
    """Return the record of `im2col`."""

    def rule(c: Call) -> Kind:
        return kind, {
            "kernel": _numbers(c["kernel_size"], 2),
            "dilation": _numbers(c.get("dilation", 1), 2),
            "padding": _pairs(_numbers(c.get("padding", 0), 2)),
            "stride": _numbers(c.get("stride", 1), 2),
        }

    return rule


def deform(c: Call) -> Kind:
    """Return the record of `deform`."""
    weight = c.shape("weight")
    return "deform_conv", {
        "kernel": weight[2:],
        "stride": (c["stride_h"], c["stride_w"]),
        "padding": ((c["pad_h"], c["pad_h"]), (c["pad_w"], c["pad_w"])),
        "dilation": (c["dilation_h"], c["dilation_w"]),
        "groups": c["groups"],
        "mask": c["use_mask"],
    }


def attention(c: Call) -> Kind:
    """Return the record of `attention`."""
    mask = c.get("attn_mask")
    return "attention", {
        "mask": mask.name if isinstance(mask, fx.Node) else "",
        "causal": c.get("is_causal", False),
        "scale": c.get("scale"),
    }


def clamp(low: str, high: str) -> Callable[[Call], Kind]:
    """Return the rule of a cut to a range, whose limits are arguments of these names."""

    def rule(c: Call) -> Kind:
        limits = c.get(low), c.get(high)
        return ("pointwise", {}) if any(isinstance(x, fx.Node) for x in limits) else cut(*limits)

    return rule


def elu(c: Call) -> Kind:
    """Return the record of `elu`."""
    if c.get("scale", 1) != 1 or c.get("input_scale", 1) != 1:
        return "pointwise", {}
    return "activation", {"op": ops.Elu(alpha=float(c.get("alpha", 1)))}


def prelu(c: Call) -> Kind:
    """Return the record of `prelu`."""
    (count,) = c.shape("weight") or (1,)
    return "activation", {"op": ops.Prelu(num_parameters=count)}
