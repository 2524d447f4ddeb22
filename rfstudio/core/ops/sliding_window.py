"""Windows that slide over the map: how many there are, what they read, and their padding.

References
----------
.. [1] PyTorch 2 documentation of `torch.nn`.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from rfstudio.core.axes.axis_rule import AxisRules, Window
from rfstudio.core.memo import remembered
from rfstudio.core.ops.operation import Context, Operation, Patternless
from rfstudio.core.ops.values import Padding, Sizes, padding_per_axis, per_axis, text_per_axis


class Sliding(Operation):
    """An operation with a kernel that slides over its input or its output."""

    __slots__ = ()

    slides: ClassVar[bool] = True

    kernel_size: Sizes
    stride: Sizes | None
    """None: that of the kernel."""
    padding: Padding = 0
    dilation: Sizes = 1

    def text(self, axes: int) -> str:
        return " ".join([self.keyword, *self._window_words(axes)])

    def _window_words(self, axes: int) -> list[str]:
        words = [text_per_axis(self.kernel_size, axes)]
        stride = self.kernel_size if self.stride is None else self.stride
        if stride != 1:
            words.append(f"/{text_per_axis(stride)}")
        if self.dilation != 1:
            words.append(f"dil {text_per_axis(self.dilation)}")
        return words


class Windowed(Sliding, Patternless):
    """An operation that slides a window over the map that it reads."""

    __slots__ = ()

    context: ClassVar[Context] = Context.WINDOW

    ceil_mode: bool = False

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        return window_rules(self, sizes)


def window_rules(op: Windowed, sizes: tuple[int, ...]) -> tuple[Window, ...]:
    """Return for each axis the window of an operation.

    Operations of one form have the same object: networks have few forms, but many layers.
    """
    return _windows(
        _Form(op.kernel_size, op.stride, op.padding, op.dilation, op.ceil_mode), tuple(sizes)
    )


class _Form(NamedTuple):
    """What says how a window slides."""

    kernel_size: Sizes
    stride: Sizes | None
    padding: Padding
    dilation: Sizes
    ceil_mode: bool


@remembered(1024)
def _axes_of(
    op: _Form, axes: int
) -> tuple[bool, tuple[tuple[int, int, int, tuple[int, int]], ...]]:
    """Return what a form says on any size: kernel, stride, dilation and padding of each axis.

    A padding that depends on the size is left open.
    """
    is_open = isinstance(op.padding, str)
    pads = ((0, 0),) * axes if isinstance(op.padding, str) else padding_per_axis(op.padding, axes)
    each = tuple(zip(*window_of(op, axes), pads, strict=True))
    return op.ceil_mode and not is_open, each


@remembered(8192)
def _windows(op: _Form, sizes: tuple[int, ...]) -> tuple[Window, ...]:
    ceil_mode, each = _axes_of(op, len(sizes))
    if isinstance(op.padding, str):
        pads = resolved_padding(op, sizes)
        each = tuple([(*x[:3], pad) for x, pad in zip(each, pads, strict=True)])
    rules: list[Window] = []
    for n, (k, s, d, (before, after)) in zip(sizes, each, strict=True):
        out = window_output_size(n, k, s, d, (before, after), ceil_mode=ceil_mode) if n > 0 else 0
        cropped = max(-after, 0) if ceil_mode else 0
        rules.append(Window(n, out, k, s, d, before, cropped=cropped))
    return tuple(rules)


def window_output_size(
    n: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int], *, ceil_mode: bool
) -> int:
    """Return the number of placements of a window on `n` samples, by PyTorch's rule [1]_."""
    spare = n + sum(pads) - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return max(spare // stride + 1, 0)
    if n + sum(pads) < 1:
        return 0  # nothing is left of the map on which a window could start
    out = -(-spare // stride) + 1
    if (out - 1) * stride >= n + pads[0]:
        out -= 1  # the last window would start after the input
    return max(out, 0)


def same_padding(
    n: int, kernel: int, stride: int, dilation: int, *, lower: bool = False
) -> tuple[int, int]:
    """Return the padding (before, after) that makes the output size ceil(n / stride).

    The odd sample goes to the end (TensorFlow SAME, ONNX SAME_UPPER), or with `lower` to the start.
    """
    out = -(-n // stride)
    total = max((out - 1) * stride + dilation * (kernel - 1) + 1 - n, 0)
    less, more = total // 2, total - total // 2
    return (more, less) if lower else (less, more)


def resolved_padding(op: Windowed | _Form, sizes: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the padding of a window operation as (before, after) per axis, in samples.

    `same` is resolved from `sizes`, the size of the operation's input along each axis.
    """
    axes = len(sizes)
    if not isinstance(op.padding, str):
        return padding_per_axis(op.padding, axes)
    lower = op.padding == "same_lower"
    return tuple(
        same_padding(n, k, s, d, lower=lower)
        for n, k, s, d in zip(sizes, *window_of(op, axes), strict=True)
    )


def window_of(
    op: Sliding | _Form, axes: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Return kernel, stride and dilation of an operation, each with one entry per axis."""
    kernel = per_axis(op.kernel_size, axes)
    stride = kernel if op.stride is None else per_axis(op.stride, axes)
    return kernel, stride, per_axis(op.dilation, axes)
