"""Places of tokens: which pixel each value of a tensor belongs to, followed as a module computes.

A module that attends within windows pads, shifts and cuts its map with torch's own functions, each
in an order of its own, and so do those that attend over a grid, along an axis or to a coarser map.
Nothing in its weights says where a token came from.  So beside the values of a tensor go their
places: what moves values (views, permutations, shifts, padding, slices) moves the places in the
same way, what changes each value alone leaves them, and a convolution or a matrix has the centre of
what it reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

REAL, PADDING, NOWHERE = 0.0, 1.0, 2.0
"""What a value is of: a pixel of the map, what was padded around it, or no place at all."""

_MOVING = frozenset((
    *("reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "expand", "expand_as"),
    *("permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis", "T", "mT"),
    *("roll", "flip", "repeat", "repeat_interleave", "contiguous", "clone", "detach"),
    *("__getitem__", "select", "narrow", "index_select"),
    *("unbind", "chunk", "split", "split_with_sizes", "tensor_split"),
))  # fmt: skip
"""Functions that move values and change none."""

_LOSING = frozenset((
    *("gather", "take_along_dim", "scatter", "index_put", "sort", "argsort", "cumsum"),
    *("rot90", "fliplr", "flipud", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle"),
    *("fft_fft", "fft_fft2", "fft_ifft", "fft_ifft2"),
))  # fmt: skip
"""Functions after which places are not known, although the shape may be the same."""

_PRODUCTS = frozenset(("matmul", "__matmul__", "bmm"))

_WINDOWS = frozenset(("conv", "max_pool", "avg_pool"))


class Places(NamedTuple):
    """The places of all values of a tensor, each with the shape of the tensor.

    Attributes
    ----------
    own
        The coordinate along each axis in pixels, and at the end `REAL`, `PADDING` or `NOWHERE`.
    keys
        Of the weights of attention: the same of the keys, while `own` are those of the queries.
    """

    own: tuple[Tensor, ...]
    keys: tuple[Tensor, ...] = ()

    def changed(self, change: Callable[[Tensor], Tensor]) -> Places:
        """Return the places after something that moves them."""
        return Places(*(tuple([change(x) for x in part]) for part in self))


class Follower:
    """Follows places through the functions of torch that a module calls."""

    def __init__(self) -> None:
        self._known: Any = WeakTensorKeyDictionary()

    def start(self, image: Tensor) -> None:
        """Begin with images (N, C, *size), whose places are their pixels."""
        lines = [torch.arange(n, dtype=torch.float64) for n in image.shape[2:]]
        grids = [x.expand(image.shape) for x in torch.meshgrid(*lines, indexing="ij")]
        self._known[image] = Places((*grids, torch.full((), REAL).double().expand(image.shape)))

    def of(self, tensor: object) -> Places | None:
        """Return the places of a tensor; None: they are not known."""
        found: Places | None = self._known.get(tensor) if isinstance(tensor, Tensor) else None
        return found

    def follow(self, func: Any, args: Sequence[Any], given: Mapping[str, Any], result: Any) -> None:
        """Note the places of what a function has returned; of some they are not known."""
        # Somebody may call a function in a way that its places cannot follow.
        with suppress(RuntimeError, TypeError, ValueError, IndexError, KeyError):
            self._follow(func, args, given, result)

    def _follow(
        self, func: Any, args: Sequence[Any], given: Mapping[str, Any], result: Any
    ) -> None:
        name = _name_of(func)
        if name in ("cat", "concat", "concatenate", "stack"):
            self._join(func, args, given, result)
            return
        places = next((x for x in map(self.of, args) if x is not None), None)
        if places is None or name in _LOSING:
            return
        if name in _MOVING or name == "view":
            moving = torch.Tensor.reshape if name == "view" else func
            self._move(moving, places, args, given, result)
        elif isinstance(result, Tensor):
            found = self._computed(name, args, given, result)
            if found is not None and found.own[0].shape == result.shape:
                self._known[result] = found

    def _computed(
        self, name: str, args: Sequence[Any], given: Mapping[str, Any], result: Tensor
    ) -> Places | None:
        """Return the places of one tensor that was computed; None: they are not known."""
        if name == "einsum":
            return _of_einsum(str(args[0]), [self.of(x) for x in args[1:3]], result)
        first = self.of(args[0])
        if name in _PRODUCTS:
            return _of_product(first, self.of(args[1]), result)
        if name in ("scaled_dot_product_attention", "multi_head_attention_forward"):
            # A value of the result is at the place of its query.
            return None if first is None else _first_of_last(first, result)
        if name == "linear":
            return None if first is None else _centre_of_last(first, result)
        if name == "pad":
            options = dict(zip(("input", "pad", "mode"), args, strict=False)) | dict(given)
            if first is None or options.get("mode", "constant") != "constant":
                return None
            return _padded(first, options["pad"])
        kind = name.strip("_").rstrip("123d")
        if kind in _WINDOWS and first is not None:
            return _of_windows(first, _windows_of(kind, args, given, result), result)
        # What changes each value alone, or all of a place together, as a norm does.
        same = (x for x in args if isinstance(x, Tensor) and x.shape == result.shape)
        return next((x for x in map(self.of, same) if x is not None), None)

    def _move(
        self,
        func: Any,
        places: Places,
        args: Sequence[Any],
        given: Mapping[str, Any],
        result: Any,
    ) -> None:
        if self.of(args[0]) is None:  # an index has places, what it picks from has none
            return
        rest = args[1:]
        if isinstance(result, Tensor):
            self._known[result] = places.changed(lambda x: func(x, *rest, **given))
            return
        moved = [[func(x, *rest, **given) for x in part] for part in places]
        for number, part in enumerate(result):
            self._known[part] = Places(*(tuple([x[number] for x in kind]) for kind in moved))

    def _join(
        self, func: Any, args: Sequence[Any], given: Mapping[str, Any], result: Tensor
    ) -> None:
        tensors = args[0] if args else given["tensors"]
        found = [self.of(x) for x in tensors]
        known = next((x for x in found if x is not None), None)
        if known is None or known.keys:
            return
        nowhere = (*[torch.nan] * (len(known.own) - 1), NOWHERE)
        joined = []
        for number, value in enumerate(nowhere):
            parts = [
                torch.full((), value).double().expand(x.shape) if y is None else y.own[number]
                for x, y in zip(tensors, found, strict=True)
            ]
            rest = {k: v for k, v in given.items() if k != "tensors"}
            joined.append(func(parts, *args[1:], **rest))
        self._known[result] = Places(tuple(joined))


def _name_of(func: Any) -> str:
    """Return the name of a function, or of the property whose getter it is."""
    name: str = getattr(func, "__name__", "")
    return getattr(getattr(func, "__self__", None), "__name__", "") if name == "__get__" else name


def _first_of_last(places: Places, result: Tensor) -> Places:
    """Return places that are the same along the last axis of a tensor."""
    return Places(tuple(x[..., :1].expand(*x.shape[:-1], result.shape[-1]) for x in places.own))


def _centre_of_last(places: Places, result: Tensor) -> Places:
    """Return the centre of what a matrix reads; some of it may be padding."""
    *centres, kind = places.own
    found = [x.mean(-1, keepdim=True) for x in centres]
    found.append(kind.amin(-1, keepdim=True))
    return Places(tuple(x.expand(*x.shape[:-1], result.shape[-1]) for x in found))


def _of_product(first: Places | None, second: Places | None, result: Tensor) -> Places | None:
    """Return the places of a product: of queries and keys, or of weights and values."""
    if first is None:
        return None
    if first.keys:  # a sum over keys is at the place of its query
        return _first_of_last(first, result)
    if second is None or second.keys:
        return None
    queries = tuple(x[..., :, :1].expand(result.shape) for x in first.own)
    return Places(queries, tuple(x[..., :1, :].expand(result.shape) for x in second.own))


def _of_einsum(equation: str, factors: Sequence[Places | None], result: Tensor) -> Places | None:
    """Return the places of a product of two tensors whose axes have letters."""
    sources, arrow, made = equation.replace(" ", "").partition("->")
    letters = sources.split(",")
    known = [x for x in factors if x is not None]
    if not arrow or "." in equation or len(letters) != 2 or len(known) != len(factors):
        return None
    first, second = (
        tuple(_spread(y, axes, made, result) for y in x.own)
        for x, axes in zip(known, letters, strict=True)
    )
    return Places(first, () if known[0].keys else second)


def _spread(x: Tensor, axes: str, made: str, result: Tensor) -> Tensor:
    """Return places along some axes as ones along those of a result; the first of a sum."""
    for place in reversed(range(len(axes))):
        if axes[place] not in made:
            x = x.select(place, 0)
    order = [a for a in axes if a in made]
    x = x.permute([order.index(a) for a in made if a in order])
    for place, a in enumerate(made):
        if a not in order:
            x = x.unsqueeze(place)
    return x.expand(result.shape)


def _padded(places: Places, pad: Sequence[int]) -> Places:
    """Return the places of a padded tensor, which go on beyond its border as they did before it."""
    *centres, kind = places.own
    for number in range(len(pad) // 2):
        axis = kind.dim() - 1 - number
        before, after = pad[2 * number], pad[2 * number + 1]
        n = kind.shape[axis]
        wanted = torch.arange(-before, n + after)
        inside = wanted.clamp(0, n - 1)
        outside = (wanted - inside).double().view(-1, *[1] * number)
        kind = kind.index_select(axis, inside).clone()
        kind = torch.where(outside.expand(kind.shape) == 0, kind, kind.clamp(min=PADDING))
        for i, x in enumerate(centres):
            step = x.narrow(axis, 1, 1) - x.narrow(axis, 0, 1) if n > 1 else 0.0
            centres[i] = x.index_select(axis, inside) + outside * step
    return Places((*centres, kind))


Windows = Sequence[tuple[int, int, int, int]]
"""Kernel, stride, padding before and dilation along each axis."""


def _windows_of(
    kind: str, args: Sequence[Any], given: Mapping[str, Any], result: Tensor
) -> Windows:
    axes = result.dim() - 2
    names = {
        "conv": ("input", "weight", "bias", "stride", "padding", "dilation"),
        "max_pool": ("input", "kernel_size", "stride", "padding", "dilation"),
        "avg_pool": ("input", "kernel_size", "stride", "padding"),
    }
    options = dict(zip(names[kind], args, strict=False)) | dict(given)
    weight = options.get("weight")
    kernel = _per_axis(options["kernel_size"], axes) if weight is None else list(weight.shape[2:])
    default = 1 if kind == "conv" else kernel
    stride = _per_axis(options.get("stride") or default, axes)
    dilation = _per_axis(options.get("dilation") or 1, axes)
    padding = options.get("padding", 0)
    if padding == "same":
        padding = [d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)]
    before = _per_axis(0 if padding == "valid" else padding, axes)
    return list(zip(kernel, stride, before, dilation, strict=True))


def _per_axis(value: Any, axes: int) -> list[int]:
    values = [int(x) for x in value] if isinstance(value, Sequence) else [int(value)]
    return values * axes if len(values) == 1 else values


def _of_windows(places: Places, windows: Windows, result: Tensor) -> Places | None:
    """Return the centres of windows over a regular grid; None: the places are none."""
    if places.keys or len(places.own) != len(windows) + 1:
        return None
    centres = []
    for axis, (kernel, stride, before, dilation) in enumerate(windows):
        x = places.own[axis][:, 0]  # alike in all channels
        n, along = x.shape[1 + axis], [1] * x.dim()
        along[1 + axis] = -1
        corner = x[(slice(None), *[slice(0, 1)] * len(windows))]
        step = x.narrow(1 + axis, 1, 1) - x.narrow(1 + axis, 0, 1) if n > 1 else x * 0
        step = step[(slice(None), *[slice(0, 1)] * len(windows))]
        if not torch.allclose(x, corner + step * torch.arange(n).view(along)):
            return None
        units = torch.arange(result.shape[2 + axis]).double().view(along)
        middle = units * stride - before + dilation * (kernel - 1) / 2
        centres.append((corner + step * middle)[:, None].expand(result.shape))
    return Places((*centres, torch.full((), REAL).double().expand(result.shape)))
