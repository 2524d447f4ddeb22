"""The operations of a network: frozen values that are valid by construction.

Parameter names are those of `torch.nn`, as the file format has them.  A size that is the same
on all axes is stored as one integer, so most operations do not depend on the number of spatial
axes; a tuple has one entry per axis, in the order of the tensor.  What an operation does to
positions is in `rfstudio.core.ops.geometry`, what it does to channels in
`rfstudio.core.ops.channels`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import Enum
from fractions import Fraction
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeAlias, get_args

from rfstudio.core.errors import OpError

Sizes: TypeAlias = int | tuple[int, ...]
"""One integer for all axes, or one per axis in the order of the tensor."""

Scales: TypeAlias = int | float | tuple[int | float, ...]
"""One factor for all axes, or one per axis in the order of the tensor."""

PaddingMode: TypeAlias = Literal["same", "same_lower"]
Padding: TypeAlias = int | tuple[int, ...] | tuple[tuple[int, int], ...] | PaddingMode
"""All axes alike; one per axis; one (before, after) per axis; or resolved from the input size."""

Groups: TypeAlias = int | Literal["depthwise"]


LIMIT = 2**31
"""What every whole number of an operation stays below, with either sign."""


class Kind(Enum):
    """What sort of value a parameter takes; readers, writers and forms are driven by it."""

    SIZES = "a whole number or one per axis"
    PADDING = (
        "a whole number, one per axis, one [before, after] per axis, same, same_lower or valid"
    )
    SCALES = "a positive number or one per axis"
    INTEGER = "a whole number"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    CHOICE = "one of a few words"
    GROUPS = "a whole number or depthwise"
    TEXT = "a text"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation, as a file or a form shows it.

    Attributes
    ----------
    name
        Its name in the file format, which is the name of the attribute.
    kind
        The values that it takes.
    default
        Its value if it is not given; meaningless if `required`.
    required
        Whether it must be given.
    minimum
        The least value of a number or of each entry of a size, if there is one.
    choices
        The words of a `Kind.CHOICE`.
    description
        One sentence for tooltips: meaning and unit.
    """

    name: str
    kind: Kind
    default: Any
    required: bool
    minimum: float | None
    choices: tuple[str, ...]
    description: str


def _parameter(
    kind: Kind,
    description: str,
    default: Any = MISSING,
    *,
    minimum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    metadata = {
        "kind": kind,
        "description": description,
        "minimum": minimum,
        "choices": choices,
    }
    if default is MISSING:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


@cache
def parameters(op_type: type[Op]) -> tuple[Parameter, ...]:
    """Return the parameters of a type of operation, in the order of the file format."""
    return tuple(
        Parameter(
            name=x.name,
            kind=x.metadata["kind"],
            default=None if x.default is MISSING else x.default,
            required=x.default is MISSING,
            minimum=x.metadata["minimum"],
            choices=x.metadata["choices"],
            description=x.metadata["description"],
        )
        for x in fields(op_type)
    )


def per_axis(value: Sizes, axes: int) -> tuple[int, ...]:
    """Return `value` as one integer per axis.

    Raises
    ------
    OpError
        If `value` has another number of entries.
    """
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        raise OpError(f"{list(value)} has {len(value)} entries, but the network has {axes} axes")
    return value


def scale_per_axis(value: Scales, axes: int) -> tuple[Fraction, ...]:
    """Return `value` as one exact fraction per axis; 1.5 is 3/2."""
    values = value if isinstance(value, tuple) else (value,) * axes
    if len(values) != axes:
        raise OpError(f"{list(values)} has {len(values)} entries, but the network has {axes} axes")
    return tuple(Fraction(str(x)) for x in values)


def padding_per_axis(
    value: int | tuple[int, ...] | tuple[tuple[int, int], ...], axes: int
) -> tuple[tuple[int, int], ...]:
    """Return an explicit padding as one (before, after) pair per axis."""
    if isinstance(value, int):
        return ((value, value),) * axes
    if len(value) != axes:
        raise OpError(f"padding has {len(value)} entries, but the network has {axes} axes")
    return tuple((x, x) if isinstance(x, int) else x for x in value)


def _collapse(value: Any) -> Any:
    """Return a tuple of equal entries as one entry, so that equal sizes compare equal."""
    if isinstance(value, list):
        value = tuple(tuple(x) if isinstance(x, list) else x for x in value)
    if isinstance(value, tuple) and value:
        value = tuple(
            x[0] if isinstance(x, tuple) and len(x) == 2 and x[0] == x[1] else x for x in value
        )
        if any(isinstance(x, tuple) for x in value):
            return tuple(x if isinstance(x, tuple) else (x, x) for x in value)
        if len(value) > 1 and all(x == value[0] for x in value):
            return value[0]
        if len(value) == 1:
            return value[0]
    return value


class _Operation:
    """What all operations have in common; not an operation itself."""

    __slots__ = ()

    keyword: ClassVar[str]
    title: ClassVar[str]

    def __post_init__(self) -> None:
        for parameter in parameters(type(self)):  # type: ignore[arg-type]
            value = getattr(self, parameter.name)
            if parameter.kind in _COLLAPSIBLE:
                value = _collapse(value)
                if value == "valid":
                    value = 0
                object.__setattr__(self, parameter.name, value)
            message = fault(parameter, value)
            if message:
                raise OpError(f"{parameter.name} must be {message}, not {value!r}")
        self._check()

    def _check(self) -> None:
        """Raise `OpError` if parameters contradict each other."""


_COLLAPSIBLE = (Kind.SIZES, Kind.PADDING, Kind.SCALES)


def fault(parameter: Parameter, value: Any) -> str:
    """Return what `parameter` would have to be, or an empty text if `value` is in order.

    The one place where the type and the range of a value are judged, for files, forms and code.
    """
    if value is None:
        optional = parameter.default is None and not parameter.required
        return "" if optional else f"{parameter.kind.value}"
    least = parameter.minimum
    at_least = "" if least is None else f", at least {least:g}"
    entries = value if isinstance(value, tuple | list) else (value,)
    good: bool
    match parameter.kind:
        case Kind.INTEGER:
            good = _is_int(value)
        case Kind.SIZES:
            good = bool(entries) and all(map(_is_int, entries))
        case Kind.NUMBER:
            good = _is_number(value)
        case Kind.SCALES:
            good = bool(entries) and all(_is_number(x) and x > 0 for x in entries)
        case Kind.BOOLEAN:
            good = isinstance(value, bool)
        case Kind.CHOICE:
            names = ", ".join(parameter.choices)
            return "" if value in parameter.choices else f"one of {names}"
        case Kind.GROUPS:
            good = value == "depthwise" or _is_int(value)
            entries = () if value == "depthwise" else entries
        case Kind.TEXT:
            good = isinstance(value, str)
            entries = ()
        case Kind.PADDING:
            return "" if _is_padding(value) else f"{parameter.kind.value}"
    if not good:
        return f"{parameter.kind.value}{at_least}"
    if least is not None and any(x < least for x in entries):
        return f"at least {least:g}"
    return ""


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < LIMIT


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -1e30 < value < 1e30


def _is_padding(value: object) -> bool:
    if isinstance(value, str):
        return value in ("same", "same_lower", "valid")
    if not isinstance(value, tuple | list):
        return _is_int(value)
    return bool(value) and all(
        _is_int(x) or (isinstance(x, tuple | list) and len(x) == 2 and all(map(_is_int, x)))
        for x in value
    )


def _size(description: str, default: Any = MISSING) -> Any:
    return _parameter(Kind.SIZES, description, default, minimum=1)


_KERNEL = "Number of taps of the window along each axis."
_STRIDE = "Distance between two placements of the window, in samples of the layer's input."
_DILATION = "Distance between two taps of the window; 1 means adjacent."
_PADDING = "Samples added in front of the first and behind the last; negative values crop."
_OUT_CHANNELS = "Number of output channels; empty: as many as the input has."
_GROUPS = "Channel groups that do not mix; depthwise: one group per channel."
_BIAS = "Whether a learned constant is added to every output channel."


# --- windows ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv(_Operation):
    """A convolution."""

    keyword: ClassVar[str] = "conv"
    title: ClassVar[str] = "Convolution"

    kernel_size: Sizes = _size(_KERNEL)
    stride: Sizes = _size(_STRIDE, 1)
    padding: Padding = _parameter(Kind.PADDING, _PADDING, 0)
    dilation: Sizes = _size(_DILATION, 1)
    groups: Groups = _parameter(Kind.GROUPS, _GROUPS, 1, minimum=1)
    out_channels: int | None = _parameter(Kind.INTEGER, _OUT_CHANNELS, None, minimum=1)
    bias: bool = _parameter(Kind.BOOLEAN, _BIAS, True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvTranspose(_Operation):
    """A transposed convolution: the adjoint of a convolution's positions."""

    keyword: ClassVar[str] = "conv_transpose"
    title: ClassVar[str] = "Transposed convolution"

    kernel_size: Sizes = _size(_KERNEL)
    stride: Sizes = _size("Distance in the output between two neighbouring input samples.", 1)
    padding: Padding = _parameter(
        Kind.PADDING, "Samples cut from the front and the back of the output.", 0
    )
    output_padding: Sizes = _parameter(
        Kind.SIZES, "Samples added to the back of the output.", 0, minimum=0
    )
    dilation: Sizes = _size(_DILATION, 1)
    groups: Groups = _parameter(Kind.GROUPS, _GROUPS, 1, minimum=1)
    out_channels: int | None = _parameter(Kind.INTEGER, _OUT_CHANNELS, None, minimum=1)
    bias: bool = _parameter(Kind.BOOLEAN, _BIAS, True)

    def _check(self) -> None:
        if isinstance(self.padding, str):
            raise OpError(f"padding of conv_transpose must be given in numbers, not {self.padding}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeformConv(_Operation):
    """A deformable convolution: each tap moves by a learned offset."""

    keyword: ClassVar[str] = "deform_conv"
    title: ClassVar[str] = "Deformable convolution"

    kernel_size: Sizes = _size(_KERNEL)
    stride: Sizes = _size(_STRIDE, 1)
    padding: Padding = _parameter(Kind.PADDING, _PADDING, 0)
    dilation: Sizes = _size(_DILATION, 1)
    groups: Groups = _parameter(Kind.GROUPS, _GROUPS, 1, minimum=1)
    out_channels: int | None = _parameter(Kind.INTEGER, _OUT_CHANNELS, None, minimum=1)
    bias: bool = _parameter(Kind.BOOLEAN, _BIAS, True)
    max_offset: int | None = _parameter(
        Kind.INTEGER, "Largest offset of a tap in samples; empty: unbounded.", None, minimum=0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxPool(_Operation):
    """The maximum over a window."""

    keyword: ClassVar[str] = "max_pool"
    title: ClassVar[str] = "Max pooling"

    kernel_size: Sizes = _size(_KERNEL)
    stride: Sizes | None = _size(_STRIDE + " Empty: the kernel size.", None)
    padding: Padding = _parameter(Kind.PADDING, _PADDING, 0)
    dilation: Sizes = _size(_DILATION, 1)
    ceil_mode: bool = _parameter(Kind.BOOLEAN, "Keep a last window that is not complete.", False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AvgPool(_Operation):
    """The mean over a window."""

    keyword: ClassVar[str] = "avg_pool"
    title: ClassVar[str] = "Average pooling"

    kernel_size: Sizes = _size(_KERNEL)
    stride: Sizes | None = _size(_STRIDE + " Empty: the kernel size.", None)
    padding: Padding = _parameter(Kind.PADDING, _PADDING, 0)
    ceil_mode: bool = _parameter(Kind.BOOLEAN, "Keep a last window that is not complete.", False)
    count_include_pad: bool = _parameter(
        Kind.BOOLEAN, "Whether padding counts in the divisor of the mean.", True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom(_Operation):
    """An operation that the program does not know, declared by hand."""

    keyword: ClassVar[str] = "custom"
    title: ClassVar[str] = "Custom"

    label: str = _parameter(Kind.TEXT, "What the operation is called.", "")
    whole: bool = _parameter(
        Kind.BOOLEAN,
        "Whether each output reads the whole input map (`global` in files); kernel, stride and "
        "padding then only give the size of the output.",
        False,
    )
    kernel_size: Sizes = _size(_KERNEL, 1)
    stride: Sizes = _size(_STRIDE, 1)
    padding: Padding = _parameter(Kind.PADDING, _PADDING, 0)
    dilation: Sizes = _size(_DILATION, 1)
    out_channels: int | None = _parameter(Kind.INTEGER, _OUT_CHANNELS, None, minimum=1)
    parameters: int = _parameter(
        Kind.INTEGER, "Number of learned parameters, for the counts.", 0, minimum=0
    )


# --- resampling, cropping -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveAvgPool(_Operation):
    """The mean over windows that are spread so that the output has a given size."""

    keyword: ClassVar[str] = "adaptive_avg_pool"
    title: ClassVar[str] = "Adaptive average pooling"

    output_size: Sizes = _size("Size of the output map along each axis.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveMaxPool(_Operation):
    """The maximum over windows that are spread so that the output has a given size."""

    keyword: ClassVar[str] = "adaptive_max_pool"
    title: ClassVar[str] = "Adaptive max pooling"

    output_size: Sizes = _size("Size of the output map along each axis.")


UPSAMPLE_MODES = ("nearest", "linear", "bilinear", "trilinear", "bicubic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsample(_Operation):
    """Interpolation to a larger or smaller map, as `torch.nn.functional.interpolate`."""

    keyword: ClassVar[str] = "upsample"
    title: ClassVar[str] = "Upsampling"

    scale_factor: Scales | None = _parameter(
        Kind.SCALES, "Output size over input size; this or size.", None
    )
    size: Sizes | None = _size(
        "Size of the output map along each axis; this or scale_factor.", None
    )
    mode: str = _parameter(
        Kind.CHOICE, "How values between the samples are found.", "nearest", choices=UPSAMPLE_MODES
    )
    align_corners: bool = _parameter(
        Kind.BOOLEAN, "Whether the corner samples of both maps coincide.", False
    )

    def _check(self) -> None:
        if (self.scale_factor is None) == (self.size is None):
            raise OpError("upsample needs either scale_factor or size")
        if self.align_corners and self.mode == "nearest":
            raise OpError("align_corners has no meaning with mode nearest")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelShuffle(_Operation):
    """Moves channels to positions: r × r fewer channels, r times the size."""

    keyword: ClassVar[str] = "pixel_shuffle"
    title: ClassVar[str] = "Pixel shuffle"

    upscale_factor: int = _parameter(Kind.INTEGER, "Factor of the size.", minimum=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelUnshuffle(_Operation):
    """Moves positions to channels: the inverse of a pixel shuffle."""

    keyword: ClassVar[str] = "pixel_unshuffle"
    title: ClassVar[str] = "Pixel unshuffle"

    downscale_factor: int = _parameter(Kind.INTEGER, "Divisor of the size.", minimum=1)


PAD_MODES = ("zeros", "reflect", "replicate", "circular")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pad(_Operation):
    """Padding as a layer of its own."""

    keyword: ClassVar[str] = "pad"
    title: ClassVar[str] = "Padding"

    padding: Padding = _parameter(Kind.PADDING, _PADDING)
    mode: str = _parameter(Kind.CHOICE, "What the added samples hold.", "zeros", choices=PAD_MODES)

    def _check(self) -> None:
        if isinstance(self.padding, str):
            raise OpError(f"padding of pad must be given in numbers, not {self.padding}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop(_Operation):
    """Keeps a part of the map: the middle of a given size, or all but given margins."""

    keyword: ClassVar[str] = "crop"
    title: ClassVar[str] = "Crop"

    size: Sizes | None = _size("Size that is kept, from the middle; this or margins.", None)
    margins: Padding | None = _parameter(
        Kind.PADDING, "Samples cut from the front and the back; this or size.", None
    )

    def _check(self) -> None:
        if (self.size is None) == (self.margins is None):
            raise OpError("crop needs either size or margins")
        if isinstance(self.margins, str):
            raise OpError(f"margins of crop must be given in numbers, not {self.margins}")


# --- the whole axis -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GlobalAvgPool(_Operation):
    """The mean over the whole map."""

    keyword: ClassVar[str] = "global_avg_pool"
    title: ClassVar[str] = "Global average pooling"


@dataclass(frozen=True, slots=True)
class GlobalMaxPool(_Operation):
    """The maximum over the whole map."""

    keyword: ClassVar[str] = "global_max_pool"
    title: ClassVar[str] = "Global max pooling"


@dataclass(frozen=True, slots=True)
class Flatten(_Operation):
    """Positions become channels."""

    keyword: ClassVar[str] = "flatten"
    title: ClassVar[str] = "Flatten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear(_Operation):
    """A fully connected layer over all positions and channels."""

    keyword: ClassVar[str] = "linear"
    title: ClassVar[str] = "Fully connected"

    out_features: int = _parameter(Kind.INTEGER, "Number of outputs.", minimum=1)
    bias: bool = _parameter(Kind.BOOLEAN, _BIAS, True)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceNorm(_Operation):
    """Normalisation of each channel by its mean and variance over the map."""

    keyword: ClassVar[str] = "instance_norm"
    title: ClassVar[str] = "Instance normalisation"

    eps: float = _parameter(Kind.NUMBER, "Added to the variance.", 1e-5, minimum=0)
    affine: bool = _parameter(Kind.BOOLEAN, "Whether scale and shift are learned.", False)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNorm(_Operation):
    """Normalisation of groups of channels by their mean and variance over the map."""

    keyword: ClassVar[str] = "group_norm"
    title: ClassVar[str] = "Group normalisation"

    num_groups: int = _parameter(Kind.INTEGER, "Number of channel groups.", minimum=1)
    eps: float = _parameter(Kind.NUMBER, "Added to the variance.", 1e-5, minimum=0)
    affine: bool = _parameter(Kind.BOOLEAN, "Whether scale and shift are learned.", True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SqueezeExcite(_Operation):
    """Channels reweighted by a small network of their means over the map."""

    keyword: ClassVar[str] = "squeeze_excite"
    title: ClassVar[str] = "Squeeze and excite"

    reduction: int = _parameter(Kind.INTEGER, "Channels over hidden channels.", 16, minimum=1)
    squeeze_channels: int | None = _parameter(
        Kind.INTEGER, "Hidden channels, instead of by reduction; empty: by it.", None, minimum=1
    )
    activation: str = _parameter(
        Kind.CHOICE, "Activation of the hidden channels.", "relu", choices=("relu", "silu")
    )
    scale_activation: str = _parameter(
        Kind.CHOICE, "What makes the gates.", "sigmoid", choices=("sigmoid", "hardsigmoid")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention(_Operation):
    """Self-attention in which every position of the map is a token."""

    keyword: ClassVar[str] = "attention"
    title: ClassVar[str] = "Self-attention"

    heads: int = _parameter(Kind.INTEGER, "Number of attention heads.", 8, minimum=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowAttention(_Operation):
    """Self-attention among the positions of one window of a grid of windows."""

    keyword: ClassVar[str] = "window_attention"
    title: ClassVar[str] = "Window attention"

    window_size: Sizes = _size("Size of a window along each axis.")
    shift: Sizes = _parameter(
        Kind.SIZES, "Windows start at multiples of window_size minus shift.", 0, minimum=0
    )
    heads: int = _parameter(Kind.INTEGER, "Number of attention heads.", 8, minimum=1)


# --- position by position -----------------------------------------------------------------------


class _Elementwise(_Operation):
    """An operation whose output at a position reads that position alone."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Relu(_Elementwise):
    """max(0, x)."""

    keyword: ClassVar[str] = "relu"
    title: ClassVar[str] = "ReLU"


@dataclass(frozen=True, slots=True)
class Relu6(_Elementwise):
    """min(max(0, x), 6)."""

    keyword: ClassVar[str] = "relu6"
    title: ClassVar[str] = "ReLU6"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyRelu(_Elementwise):
    """x if positive, else a fraction of x."""

    keyword: ClassVar[str] = "leaky_relu"
    title: ClassVar[str] = "Leaky ReLU"

    negative_slope: float = _parameter(Kind.NUMBER, "Slope below zero.", 0.01)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elu(_Elementwise):
    """x if positive, else alpha (exp(x) − 1)."""

    keyword: ClassVar[str] = "elu"
    title: ClassVar[str] = "ELU"

    alpha: float = _parameter(Kind.NUMBER, "Depth of the negative part.", 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gelu(_Elementwise):
    """x Φ(x)."""

    keyword: ClassVar[str] = "gelu"
    title: ClassVar[str] = "GELU"

    approximate: str = _parameter(
        Kind.CHOICE, "Exact, or by the tanh formula.", "none", choices=("none", "tanh")
    )


@dataclass(frozen=True, slots=True)
class Silu(_Elementwise):
    """x sigmoid(x)."""

    keyword: ClassVar[str] = "silu"
    title: ClassVar[str] = "SiLU"


@dataclass(frozen=True, slots=True)
class Hardswish(_Elementwise):
    """x relu6(x + 3) / 6."""

    keyword: ClassVar[str] = "hardswish"
    title: ClassVar[str] = "Hard swish"


@dataclass(frozen=True, slots=True)
class Hardsigmoid(_Elementwise):
    """relu6(x + 3) / 6."""

    keyword: ClassVar[str] = "hardsigmoid"
    title: ClassVar[str] = "Hard sigmoid"


@dataclass(frozen=True, slots=True)
class Sigmoid(_Elementwise):
    """1 / (1 + exp(−x))."""

    keyword: ClassVar[str] = "sigmoid"
    title: ClassVar[str] = "Sigmoid"


@dataclass(frozen=True, slots=True)
class Tanh(_Elementwise):
    """The hyperbolic tangent."""

    keyword: ClassVar[str] = "tanh"
    title: ClassVar[str] = "Tanh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Softplus(_Elementwise):
    """log(1 + exp(beta x)) / beta."""

    keyword: ClassVar[str] = "softplus"
    title: ClassVar[str] = "Softplus"

    beta: float = _parameter(Kind.NUMBER, "Sharpness of the bend.", 1.0, minimum=1e-3)
    threshold: float = _parameter(Kind.NUMBER, "Above it the function is x.", 20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prelu(_Elementwise):
    """x if positive, else a learned fraction of x."""

    keyword: ClassVar[str] = "prelu"
    title: ClassVar[str] = "PReLU"

    num_parameters: int = _parameter(
        Kind.INTEGER, "One slope for all channels, or one per channel.", 1, minimum=1
    )
    init: float = _parameter(Kind.NUMBER, "Slope at the start.", 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerScale(_Elementwise):
    """Each channel times a learned factor: LayerScale of arXiv:2103.17239."""

    keyword: ClassVar[str] = "layer_scale"
    title: ClassVar[str] = "Layer scale"

    init: float = _parameter(Kind.NUMBER, "Factor at the start.", 1e-6, minimum=0)


@dataclass(frozen=True, slots=True)
class Softmax(_Elementwise):
    """The softmax over the channels of a position."""

    keyword: ClassVar[str] = "softmax"
    title: ClassVar[str] = "Softmax"


@dataclass(frozen=True, slots=True)
class Identity(_Elementwise):
    """Nothing."""

    keyword: ClassVar[str] = "identity"
    title: ClassVar[str] = "Identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropout(_Elementwise):
    """Random zeros while training; nothing at inference."""

    keyword: ClassVar[str] = "dropout"
    title: ClassVar[str] = "Dropout"

    p: float = _parameter(Kind.NUMBER, "Share of zeros while training.", 0.5, minimum=0)

    def _check(self) -> None:
        if self.p > 1:
            raise OpError(f"p must be at most 1, not {self.p}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNorm(_Operation):
    """Normalisation of each channel by running statistics (inference)."""

    keyword: ClassVar[str] = "batch_norm"
    title: ClassVar[str] = "Batch normalisation"

    eps: float = _parameter(Kind.NUMBER, "Added to the variance.", 1e-5, minimum=0)
    momentum: float = _parameter(Kind.NUMBER, "Share of a batch in the statistics.", 0.1, minimum=0)
    affine: bool = _parameter(Kind.BOOLEAN, "Whether scale and shift are learned.", True)
    scale: bool = _parameter(
        Kind.BOOLEAN, "Whether affine has a learned scale, besides the shift.", True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNorm(_Elementwise):
    """Normalisation of the channels of each position."""

    keyword: ClassVar[str] = "layer_norm"
    title: ClassVar[str] = "Layer normalisation"

    eps: float = _parameter(Kind.NUMBER, "Added to the variance.", 1e-5, minimum=0)
    elementwise_affine: bool = _parameter(
        Kind.BOOLEAN, "Whether scale and shift are learned.", True
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalResponseNorm(_Elementwise):
    """Each channel divided by the energy of its neighbouring channels."""

    keyword: ClassVar[str] = "local_response_norm"
    title: ClassVar[str] = "Local response normalisation"

    size: int = _parameter(Kind.INTEGER, "Number of neighbouring channels.", 5, minimum=1)
    alpha: float = _parameter(Kind.NUMBER, "Weight of the energy.", 1e-4)
    beta: float = _parameter(Kind.NUMBER, "Exponent.", 0.75)
    k: float = _parameter(Kind.NUMBER, "Added to the energy.", 1.0)


# --- merges -------------------------------------------------------------------------------------


class _Merge(_Operation):
    """An operation that joins several maps of one size."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Add(_Merge):
    """The sum of maps of one shape."""

    keyword: ClassVar[str] = "add"
    title: ClassVar[str] = "Add"


@dataclass(frozen=True, slots=True)
class Multiply(_Merge):
    """The product of maps of one shape."""

    keyword: ClassVar[str] = "multiply"
    title: ClassVar[str] = "Multiply"


@dataclass(frozen=True, slots=True)
class Concat(_Merge):
    """The channels of maps of one size, one behind the other."""

    keyword: ClassVar[str] = "concat"
    title: ClassVar[str] = "Concatenate"


Elementwise: TypeAlias = (
    Relu
    | Relu6
    | LeakyRelu
    | Elu
    | Gelu
    | Silu
    | Hardswish
    | Hardsigmoid
    | Sigmoid
    | Tanh
    | Softplus
    | Prelu
    | Softmax
    | Identity
    | Dropout
    | LayerNorm
    | LayerScale
    | LocalResponseNorm
)
"""Operations whose output at a position reads that position alone."""

Merge: TypeAlias = Add | Multiply | Concat
"""Operations that join several maps."""

Windowed: TypeAlias = Conv | DeformConv | MaxPool | AvgPool | Custom
"""Operations that slide a window over the map."""

Global: TypeAlias = (
    GlobalAvgPool
    | GlobalMaxPool
    | Flatten
    | Linear
    | InstanceNorm
    | GroupNorm
    | SqueezeExcite
    | Attention
)
"""Operations in which every output position reads the whole map."""

Resampling: TypeAlias = (
    ConvTranspose
    | AdaptiveAvgPool
    | AdaptiveMaxPool
    | Upsample
    | PixelShuffle
    | PixelUnshuffle
    | Pad
    | Crop
    | WindowAttention
)
"""Operations with a rule of their own for which positions they read."""

Op: TypeAlias = Windowed | Resampling | Global | Elementwise | BatchNorm | Merge
"""Every operation of a network."""

OPS: Mapping[str, type[Op]] = MappingProxyType({x.keyword: x for x in get_args(Op)})
"""Every type of operation by its keyword in a file, in the order of `Op`."""

ELEMENTWISE: tuple[type[Op], ...] = get_args(Elementwise)
MERGES: tuple[type[Op], ...] = get_args(Merge)
GLOBAL: tuple[type[Op], ...] = get_args(Global)
