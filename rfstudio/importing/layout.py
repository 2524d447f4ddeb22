"""The layout of a tensor: which positions and channels of a map each dimension runs through.

A dimension of size n is a list of digits, the outermost first: each runs through a part of one
axis of a map.  Reshaping splits and joins digits, permuting moves them; neither computes
anything, so that windows, patches and shuffles by `view` need no special case.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import gcd, prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CHANNEL = -1
"""The "axis" of digits that run through channels."""

FREE = -2
"""The "axis" of digits along which a tensor is the same everywhere."""

KEY = -3
"""The "axis" of digits that run through positions of the other side of an attention; the key of
axis 0.  Those of axis 1 are KEY − 1, and so on."""


MAX_LISTED = 1 << 22
"""Positions along an axis that are listed, with eight bytes each, several times."""


def positions(count: int) -> NDArray[np.int64]:
    """Return the positions along an axis, from 0 on.

    Raises
    ------
    ValueError
        If there are more than `MAX_LISTED`.
    """
    if count > MAX_LISTED:
        raise ValueError(f"{count:,} positions are too many to list")
    return np.arange(count)


class Digit(NamedTuple):
    """A part of an axis that a dimension runs through.

    Attributes
    ----------
    axis
        Axis of the map from 0, or CHANNEL, FREE or a key.
    size
        Number of steps.
    stride
        What one step is, in samples of the map.
    """

    axis: int
    size: int
    stride: int = 1

    @property
    def is_position(self) -> bool:
        """Whether it runs through positions of the map."""
        return self.axis >= 0

    @property
    def is_key(self) -> bool:
        """Whether it runs through positions of the other side of an attention."""
        return self.axis <= KEY


@dataclass(frozen=True, slots=True)
class Dim:
    """One dimension of a tensor.

    Attributes
    ----------
    digits
        What it runs through, the outermost digit first; none: its size is 1.
    extra
        Tokens without a position, which come first.
    last
        How many of these tokens come last instead.
    """

    digits: tuple[Digit, ...] = ()
    extra: int = 0
    last: int = 0

    @property
    def size(self) -> int:
        """Its size."""
        return self.extra + prod(x.size for x in self.digits)

    @property
    def places(self) -> range:
        """Where in it what it runs through is, without the extra tokens."""
        return range(self.extra - self.last, self.size - self.last)


Dims = tuple[Dim, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A tensor as a view of a map.

    Attributes
    ----------
    node
        The map that holds its values.
    dims
        What its dimensions run through.
    start
        First channel of the map that it has.
    offsets
        Along each axis, how far it is rolled: its position p is the map's (p + offset) mod n.
    scores
        Of the scores of an attention: what they came from.
    """

    node: int
    dims: Dims
    start: int = 0
    offsets: tuple[int, ...] = ()
    scores: Scores | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape."""
        return tuple(x.size for x in self.dims)

    @property
    def digits(self) -> list[Digit]:
        """All digits of all dimensions."""
        return [x for dim in self.dims for x in dim.digits]

    def of_axis(self, axis: int) -> list[Digit]:
        """Return the digits of one axis, the one of the largest stride first."""
        return sorted((x for x in self.digits if x.axis == axis), key=lambda x: -x.stride)

    @property
    def channels(self) -> int:
        """Number of channels of the map that it has."""
        return prod(x.size for x in self.digits if x.axis == CHANNEL)


@dataclass(frozen=True, slots=True)
class Scores:
    """The two sides of an attention whose scores have not met their values yet.

    Attributes
    ----------
    query, key
        The two sides.
    others
        Further maps that were added on the way.
    cut
        Whether a constant mask was found to cut along the borders of rolled windows.
    masked
        Whether a constant mask was met that is not understood.
    causal
        Whether a position reads none after it.
    heads, width
        Number of heads and channels of each, if those of both sides come in that order; else 0.
    factor
        The number by which the products are multiplied.
    softmax
        Whether they went through a softmax.
    bias, window
        Name of the learned table of offsets that was added, and the window that it is for.
    plain
        Whether nothing else was done to them.
    """

    query: View
    key: View
    others: tuple[int, ...] = ()
    cut: bool = False
    masked: bool = False
    causal: bool = False
    heads: int = 0
    width: int = 0
    factor: float = 1.0
    softmax: bool = False
    bias: str = ""
    window: tuple[int, ...] = ()
    plain: bool = True


def places_of(dims: Dims, size: Sequence[int], channels: int) -> NDArray[np.int64] | None:
    """Return where in a tensor the values of a map are.

    Parameters
    ----------
    dims
        What the dimensions of the tensor run through.
    size, channels
        Of the map.

    Returns
    -------
    (channels, *size) array
        Indices into the flattened tensor; None if it does not hold all values of the map.

    Examples
    --------
    >>> rows = Dim((Digit(0, 2),))
    >>> places_of((rows, Dim((Digit(CHANNEL, 3),))), (2,), 3).tolist()
    [[0, 3], [1, 4], [2, 5]]
    """
    shape = (channels, *size)
    result: NDArray[np.int64] = np.zeros((1,) * len(shape), np.int64)
    covered = [1] * len(shape)
    stride = 1
    for dim in reversed(dims):
        step = stride
        result = result + dim.places.start * stride
        for digit in reversed(dim.digits):
            if digit.is_key:
                return None
            place = 0 if digit.axis == CHANNEL else digit.axis + 1
            if digit.axis != FREE and place < len(shape):
                where = positions(shape[place]) // digit.stride % digit.size * step
                result = result + where.reshape(
                    [-1 if i == place else 1 for i in range(len(shape))]
                )
                covered[place] *= digit.size
            step *= digit.size
        stride *= dim.size
    return np.broadcast_to(result, shape) if covered == list(shape) else None


def unit_at(dims: Dims, index: Sequence[int], axes: int) -> tuple[int, ...] | None:
    """Return the position in a map of a value of a tensor; None: it is of a token without one.

    Parameters
    ----------
    dims
        What the dimensions of the tensor run through.
    index
        Where the value is in the tensor.
    axes
        Number of axes of the map.

    Examples
    --------
    Of two blocks of three rows, the second row of the second block:

    >>> unit_at((Dim((Digit(0, 2, 3),)), Dim((Digit(0, 3),))), (1, 1), 1)
    (4,)
    """
    unit = [0] * axes
    for dim, where in zip(dims, index, strict=True):
        if where not in dim.places:
            return None
        rest = where - dim.places.start
        for digit in reversed(dim.digits):
            rest, step = divmod(rest, digit.size)
            if digit.is_position:
                unit[digit.axis] += step * digit.stride
    return tuple(unit)


def joined(digits: Iterable[Digit]) -> tuple[Digit, ...]:
    """Return digits with neighbours that run on joined to one, and without those of size 1."""
    result: list[Digit] = []
    for digit in digits:
        if digit.size == 1:
            continue
        last = result[-1] if result else None
        if last is not None and last.axis == digit.axis and _runs_on(last, digit):
            result[-1] = Digit(digit.axis, last.size * digit.size, digit.stride)
            continue
        result.append(digit)
    return tuple(result)


def _runs_on(outer: Digit, inner: Digit) -> bool:
    return inner.axis == FREE or outer.stride == inner.size * inner.stride


def split(digit: Digit, inner: int) -> tuple[Digit, Digit]:
    """Return a digit as two, the inner one of a given size, which divides its own."""
    return (
        Digit(digit.axis, digit.size // inner, digit.stride * inner),
        Digit(digit.axis, inner, digit.stride),
    )


def reshaped(dims: Dims, shape: Sequence[int]) -> Dims | None:
    """Return the dimensions after a reshape; None if digits cannot be split like that."""
    if any(x.extra for x in dims):
        return _reshaped_around_tokens(dims, shape)
    queue = [x for dim in dims for x in dim.digits][::-1]
    result = []
    for size in shape:
        taken: list[Digit] = []
        left = size
        while left > 1:
            if not queue:
                return None
            digit = queue.pop()
            if left % digit.size == 0:
                taken.append(digit)
                left //= digit.size
                continue
            common = gcd(left, digit.size)
            if common == 1 or common != left:
                return None
            outer, inner = split(digit, digit.size // common)
            taken.append(outer)
            queue.append(inner)
            left = 1
        if left < 1:
            return None
        result.append(Dim(joined(taken)))
    return None if queue else tuple(result)


def _reshaped_around_tokens(dims: Dims, shape: Sequence[int]) -> Dims | None:
    """Reshape what is before and after the one dimension that has extra tokens."""
    place = next(i for i, x in enumerate(dims) if x.extra)
    before = prod(x.size for x in dims[:place])
    done = 1
    for i, size in enumerate(shape):
        if done == before and size == dims[place].size:
            head, tail = (
                reshaped(dims[:place], shape[:i]),
                reshaped(dims[place + 1 :], shape[i + 1 :]),
            )
            return None if head is None or tail is None else (*head, dims[place], *tail)
        done *= size
    return None


def refined(
    a: Sequence[Digit], b: Sequence[Digit]
) -> list[tuple[Digit | None, Digit | None]] | None:
    """Return two lists of digits of one size, split so that they go in pairs; None: impossible."""
    left, right = list(a)[::-1], list(b)[::-1]
    pairs: list[tuple[Digit | None, Digit | None]] = []
    while left and right:
        x, y = left.pop(), right.pop()
        if x.size > y.size:
            if x.size % y.size:
                return None
            x, rest = split(x, x.size // y.size)
            left.append(rest)
        elif y.size > x.size:
            if y.size % x.size:
                return None
            y, rest = split(y, y.size // x.size)
            right.append(rest)
        pairs.append((x, y))
    return None if left or right else pairs


def with_channels(dims: Sequence[Dim]) -> tuple[Dim, ...]:
    """Return dimensions whose channel digits number the channels of a map of their own, in order.

    The order of channels stays what it was.
    """
    order = sorted(
        (
            (x.stride, -i, -j, x)
            for i, dim in enumerate(dims)
            for j, x in enumerate(dim.digits)
            if x.axis == CHANNEL
        ),
        key=lambda x: x[:3],
    )
    strides: dict[tuple[int, int], int] = {}
    stride = 1
    for _, i, j, digit in order:
        strides[-i, -j] = stride
        stride *= digit.size
    return tuple(
        replace(
            dim,
            digits=tuple(
                x._replace(stride=strides[i, j]) if (i, j) in strides else x
                for j, x in enumerate(dim.digits)
            ),
        )
        for i, dim in enumerate(dims)
    )


def coarser(dims: Sequence[Dim], axis: int, factor: int) -> tuple[Dim, ...]:
    """Return dimensions in which an axis has only every so manyth position."""
    return tuple(
        replace(
            dim,
            digits=tuple(
                x._replace(stride=x.stride // factor) if x.axis == axis else x for x in dim.digits
            ),
        )
        for dim in dims
    )


def without_axis(dims: Sequence[Dim], axis: int) -> tuple[Dim, ...]:
    """Return dimensions in which one axis is gone, so that the tensor is the same along it."""
    return tuple(
        replace(
            dim,
            digits=tuple(Digit(FREE, x.size, 0) if x.axis == axis else x for x in dim.digits),
        )
        for dim in dims
    )


def numbered(dims: Sequence[Dim], axis: int) -> tuple[Dim, ...]:
    """Return dimensions in which one axis is numbered in the order of the dimensions."""
    stride = 1
    result = []
    for dim in reversed(dims):
        digits = []
        for digit in reversed(dim.digits):
            if digit.axis == axis:
                digit = digit._replace(stride=stride)
                stride *= digit.size
            digits.append(digit)
        result.append(replace(dim, digits=tuple(reversed(digits))))
    return tuple(reversed(result))


def in_order(dims: Sequence[Dim]) -> tuple[Dim, ...]:
    """Return dimensions whose channels are numbered in their order, with joined digits."""
    return tuple(replace(x, digits=joined(x.digits)) for x in numbered(dims, CHANNEL))


def with_inner_channels(dims: Sequence[Dim], place: int, count: int) -> tuple[Dim, ...]:
    """Return dimensions of which one runs through new channels, inside of all that there are."""
    result = [
        replace(
            dim,
            digits=tuple(
                x._replace(stride=x.stride * count) if x.axis == CHANNEL else x for x in dim.digits
            ),
        )
        for dim in dims
    ]
    result[place] = Dim(joined([Digit(CHANNEL, count)]))
    return tuple(result)
