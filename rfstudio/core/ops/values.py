"""The parameters of operations: their kinds, ranges and descriptions, and values one per axis."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from enum import Enum
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from rfstudio.core.errors import OpError

Sizes: TypeAlias = int | tuple[int, ...]
"""One integer for all axes, or one per axis in the order of the tensor."""

KeptSizes: TypeAlias = int | tuple[int | None, ...]
"""As `Sizes`, with None for an axis whose size stays what it is; not for all of them."""

Flags: TypeAlias = bool | tuple[bool, ...]
"""Yes or no for all axes, or for each axis in the order of the tensor."""

Scales: TypeAlias = int | float | tuple[int | float, ...]
"""One factor for all axes, or one per axis in the order of the tensor."""

PaddingMode: TypeAlias = Literal["same", "same_lower"]
Padding: TypeAlias = int | tuple[int, ...] | tuple[tuple[int, int], ...] | PaddingMode
"""One for all axes; one per axis; one (before, after) per axis; or resolved from the input size."""

Groups: TypeAlias = int | Literal["depthwise"]


LIMIT = 2**31
"""What every whole number of an operation stays below, with either sign."""


STEEPEST = 1000
"""Greatest slope or factor; what formulas make of it stays within a float for many layers."""

GREATEST = 1e6
"""Greatest number that is added to an energy or a variance."""


class Kind(Enum):
    """What sort of value a parameter takes; readers, writers and forms are driven by it."""

    SIZES = "a whole number or one per axis"
    KEPT_SIZES = "a whole number or one per axis, where null keeps the axis as it is"
    PADDING = (
        "a whole number, one per axis, one [before, after] per axis, same, same_lower or valid"
    )
    SCALES = "a positive number or one per axis"
    INTEGER = "a whole number"
    INTEGERS = "a list of whole numbers"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    FLAGS = "true or false or one per axis"
    CHOICE = "one of a few words"
    GROUPS = "a whole number or depthwise"
    TEXT = "a text"
    LAYER = "the name of a layer"
    SOURCES = "a list with what is read of each source"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation, as a file or a form shows it.

    Attributes
    ----------
    name
        The name of the attribute.
    kind
        The values that it takes.
    default
        Its value if it is not given; meaningless if `required`.
    required
        Whether it must be given.
    minimum, maximum
        The least and the greatest value of a number or of each entry of a size, if there is one.
    choices
        The words of a `Kind.CHOICE`.
    description
        One sentence for tooltips: meaning and unit.
    word
        Its key in a file.
    """

    name: str
    kind: Kind
    default: Any
    required: bool
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    description: str
    word: str


def parameter(
    kind: Kind,
    description: str,
    default: Any = MISSING,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
    word: str = "",
) -> Any:
    """Declare a parameter of an operation: a dataclass field that knows what `Parameter` says.

    Its word in a file is its name, unless that is no good name for an attribute.
    """
    metadata = {
        "kind": kind,
        "description": description,
        "minimum": minimum,
        "maximum": maximum,
        "choices": choices,
        "word": word,
    }
    if default is MISSING:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def size_parameter(description: str, default: Any = MISSING) -> Any:
    """Declare a size: a whole number from 1 on, or one per axis."""
    return parameter(Kind.SIZES, description, default, minimum=1)


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


def flags_per_axis(value: Flags, axes: int) -> tuple[bool, ...]:
    """Return `value` as yes or no for each axis."""
    return tuple([bool(x) for x in per_axis(value, axes)])


def kept_per_axis(value: KeptSizes, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Return `value` as one integer per axis, that of `sizes` where an axis is unchanged.

    Raises
    ------
    OpError
        If `value` has another number of entries.
    """
    axes = len(sizes)
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        raise OpError(f"{list(value)} has {len(value)} entries, but the network has {axes} axes")
    return tuple(n if x is None else x for x, n in zip(value, sizes, strict=True))


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


def collapsed(value: Any) -> Any:
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


COLLAPSIBLE = (Kind.SIZES, Kind.KEPT_SIZES, Kind.PADDING, Kind.SCALES, Kind.FLAGS)
"""Kinds of which a tuple of equal entries is stored as one entry."""


def fault(parameter: Parameter, value: Any) -> str:
    """Return what `parameter` would have to be, or an empty text if `value` is in order.

    The one place where the type and the range of a value are judged, for files, forms and code.
    """
    if value is None:
        optional = parameter.default is None and not parameter.required
        return "" if optional else f"{parameter.kind.value}"
    least, most = parameter.minimum, parameter.maximum
    entries = value if isinstance(value, tuple | list) else (value,)
    good: bool
    match parameter.kind:
        case Kind.INTEGER:
            good = _is_int(value)
        case Kind.INTEGERS | Kind.SOURCES:
            is_good = _is_int if parameter.kind is Kind.INTEGERS else _is_anything
            good = isinstance(value, tuple | list) and bool(value) and all(map(is_good, value))
        case Kind.SIZES:
            good = bool(entries) and all(map(_is_int, entries))
        case Kind.KEPT_SIZES:
            entries = tuple(x for x in entries if x is not None)
            good = bool(entries) and all(map(_is_int, entries))
        case Kind.NUMBER:
            good = _is_number(value)
        case Kind.SCALES:
            good = bool(entries) and all(_is_number(x) and x > 0 for x in entries)
        case Kind.BOOLEAN:
            good = isinstance(value, bool)
        case Kind.FLAGS:
            good = bool(entries) and all(isinstance(x, bool) for x in entries)
        case Kind.CHOICE:
            names = ", ".join(parameter.choices)
            return "" if value in parameter.choices else f"one of {names}"
        case Kind.GROUPS:
            good = value == "depthwise" or _is_int(value)
            entries = () if value == "depthwise" else entries
        case Kind.TEXT:
            good = isinstance(value, str)
            entries = ()
        case Kind.LAYER:
            good = isinstance(value, str) and bool(value)
            entries = ()
        case Kind.PADDING:
            return "" if _is_padding(value) else f"{parameter.kind.value}"
    if not good:
        return f"{parameter.kind.value}{_range_text(least, most)}"
    if least is not None and any(x < least for x in entries):
        return f"at least {least:g}"
    if most is not None and any(x > most for x in entries):
        return f"at most {most:g}"
    return ""


def _range_text(least: float | None, most: float | None) -> str:
    if most is None:
        return "" if least is None else f", at least {least:g}"
    return f", at most {most:g}" if least is None else f", from {least:g} to {most:g}"


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < LIMIT


def _is_anything(_: object) -> bool:
    return True  # the operation judges by itself


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


# Descriptions that several operations share.
SIZE_OF_TEXT = "Layer whose map gives the size of the output, at any size of the input."
KERNEL_TEXT = "Number of taps of the window along each axis."
STRIDE_TEXT = "Distance between two placements of the window, in samples of the layer's input."
DILATION_TEXT = "Distance between two taps of the window; 1 means adjacent."
PADDING_TEXT = "Samples added before the first and after the last; negative values crop."
OUT_CHANNELS_TEXT = "Number of output channels; empty: as many as the input has."
GROUPS_TEXT = "Channel groups that do not mix; depthwise: one group per channel."
BIAS_TEXT = "Whether a learned constant is added to every output channel."


def text_per_axis(value: Any, axes: int = 1) -> str:
    """Return a value as text: one number per axis, or a single one as often as there are axes."""
    if isinstance(value, tuple | list):
        return "×".join(map(str, value))
    return "×".join([str(value)] * axes)
