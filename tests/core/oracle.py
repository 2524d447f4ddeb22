"""What a unit sees, found the slow way: straight from the table of the file format.

Nothing here uses the geometry of the program.  Positions are walked back one by one through every
path, so the result is only as clever as the table: it is the judge of the fast answers.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction

from rfstudio.core import ops
from rfstudio.core.network.graph import Graph, Node

Reader = Callable[[int], list[int]]
"""From an output index to the input indices that it reads; empty for none."""


def _axis(value, axis):
    return value[axis] if isinstance(value, tuple) else value


def _pads(padding, axis, n, k, s, d):
    if isinstance(padding, str):
        total = max((math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0)
        return (
            (total // 2, total - total // 2)
            if padding == "same"
            else (
                total - total // 2,
                total // 2,
            )
        )
    value = _axis(padding, axis)
    return value if isinstance(value, tuple) else (value, value)


def _placed(op: ops.Crop | ops.Inset, axis: int, n: int, m: int) -> Reader:
    if isinstance(op, ops.Crop):
        margin = _margin(op, axis, n)
        return lambda i: [i + margin]
    # Nothing beside the map, until it comes again after at least as much of nothing.
    before = _axis(op.before, axis)
    period = m if n == m else 2 ** math.ceil(math.log2(m + max(m, 64)))
    return lambda i: [i - before] if n == m or 0 <= i % period - before < n else []


def _margin(op: ops.Crop, axis: int, n: int) -> int:
    """How many samples a crop takes away before the first that it leaves."""
    if op.size is not None:
        return (n - min(_axis(op.size, axis), n)) // 2
    return _pads(op.margins, axis, n, 1, 1, 1)[0]


def theoretical(op, axis: int, n: int, m: int) -> Reader | None:
    """What output i reads by the formula, on one axis; None: the whole axis."""
    match op:
        case (
            ops.GlobalAvgPool()
            | ops.GlobalMaxPool()
            | ops.Flatten()
            | ops.Linear()
            | ops.InstanceNorm()
            | ops.GroupNorm()
            | ops.SqueezeExcite()
            | ops.DeformConv(max_offset=None)
        ):
            return None
        case ops.Attention() | ops.AxisPool() | ops.AxisLinear() | ops.Recurrent():
            along = (op.axis,) if isinstance(op, ops.Recurrent) else op.axes
            return None if along is None or axis in along else lambda i: [i]
        case ops.Custom() if _axis(op.whole, axis):
            return None
        case ops.Windowed():
            k = _axis(op.kernel_size, axis)
            s = k if op.stride is None else _axis(op.stride, axis)
            d = _axis(op.dilation, axis)
            p = _pads(op.padding, axis, n, k, s, d)[0]
            reach = (op.max_offset or 0) if isinstance(op, ops.DeformConv) else 0
            return lambda i: sorted(
                {i * s - p + d * t + e for t in range(k) for e in range(-reach, reach + 1)}
            )
        case ops.ConvTranspose() | ops.Fold():
            k, s, d = (_axis(x, axis) for x in (op.kernel_size, op.stride, op.dilation))
            p = _pads(op.padding, axis, n, k, s, d)[0]
            return lambda i: sorted(
                (i + p - d * t) // s for t in range(k) if (i + p - d * t) % s == 0
            )
        case ops.AdaptiveAvgPool() | ops.AdaptiveMaxPool():
            kept = isinstance(op.output_size, tuple) and op.output_size[axis] is None
            if m == 1 and not kept:  # an axis that is kept is no cell, even of one sample
                return None
            return lambda i: list(
                range(math.floor(Fraction(i * n, m)), math.ceil(Fraction((i + 1) * n, m)))
            )
        case ops.Upsample():
            return _interpolation(op, axis, n, m)
        case ops.PixelShuffle():
            return lambda i: [i // op.upscale_factor]
        case ops.PixelUnshuffle():
            r = op.downscale_factor
            return lambda i: list(range(r * i, r * i + r))
        case ops.Pad():
            before = _pads(op.padding, axis, n, 1, 1, 1)[0]
            return lambda i: [i - before]
        case ops.Crop() | ops.Inset():
            return _placed(op, axis, n, m)
        case ops.Broadcast():
            return lambda i: [i] if n == m else [0]
        case ops.WindowAttention() | ops.DotProductAttention():
            w, shift = _axis(op.window_size or n, axis), -_axis(op.shift_size, axis)

            def window(i: int) -> list[int]:
                (start,) = (x for x in range(i - w + 1, i + 1) if (x + shift) % w == 0)
                return list(range(start, start + w))

            return window
        case ops.Move():
            return _copied(op, axis, n, m)
        case ops.Mixer() | ops.GridAttention():
            return _mixed(op, axis, n)
    by_position = (ops.Context.POSITION, ops.Context.STATISTICS, ops.Context.MAPS)
    assert op is None or op.context in by_position, f"what {op.keyword} reads is to be added here"
    return lambda i: [i]


def _copied(op: ops.Move, axis: int, n: int, m: int) -> Reader:
    match op:
        case ops.Slice():
            ends = (None if x is None else _axis(x, axis) for x in (op.start, op.stop))
            first = slice(*ends).indices(n)[0]
            return lambda i: [first + i * _axis(op.step, axis)]
        case ops.Roll():
            # Of the shifts that do the same the least, as if padding were circular.
            shifts = (_axis(op.shift, axis) + turn * n for turn in range(9, -10, -1))
            shift = min(shifts, key=abs)
            return lambda i: [i - shift]
        case ops.Flip():
            return lambda i: [n - 1 - i if _axis(op.along, axis) else i]
    assert isinstance(op, ops.Tile)
    return lambda i: [i // m * m + i % m % n]  # the whole map goes on beyond its end


def _mixed(op: ops.Mixer | ops.GridAttention, axis: int, n: int) -> Reader | None:
    if isinstance(op, ops.BlockMix):
        w, start, causal = (_axis(x, axis) for x in (op.size, op.shift, op.causal))

        def block(i: int) -> list[int]:
            (first,) = (x for x in range(i - w + 1, i + 1) if (x - start) % w == 0)
            return list(range(first, i + 1 if causal else first + w))

        # All that comes before has no size of its own.
        return None if causal and start == 0 and w >= max(n, 2) else block
    assert isinstance(op, ops.GridMix | ops.GridAttention)
    apart = n // _axis(op.grid, axis)
    if apart == n:
        return lambda i: [i]
    if apart == 1:
        return None
    return lambda i: [i // n * n + x for x in range(i % n % apart, n, apart)]


def _interpolation(op: ops.Upsample, axis: int, n: int, m: int) -> Reader:
    if op.size is not None:
        ratio = Fraction(n, m)
    else:
        ratio = 1 / Fraction(str(_axis(op.scale_factor, axis)))

    def read(i: int) -> list[int]:
        if n == m and (op.mode != "bicubic" or op.align_corners or ratio == 1):
            return [i]  # torch copies, whatever the factor is
        if op.mode == "nearest":
            return [math.floor(i * ratio)]
        if op.align_corners:
            source = Fraction(i * (n - 1), m - 1) if m > 1 else Fraction(0)
        else:
            source = (i + Fraction(1, 2)) * ratio - Fraction(1, 2)
        first = math.floor(source)
        if source == first:
            return [first]
        return list(range(first - 1, first + 3)) if op.mode == "bicubic" else [first, first + 1]

    return read


def visible(op, axis: int, n: int, m: int) -> Reader:
    """What output i reads of the samples that are there, on one axis."""
    formula = theoretical(op, axis, n, m)
    if formula is None and isinstance(op, ops.Recurrent | ops.Attention | ops.BlockMix):
        backwards = isinstance(op, ops.Recurrent) and op.reverse
        forwards = not op.bidirectional if isinstance(op, ops.Recurrent) else bool(op.causal)
        if backwards:
            return lambda i: list(range(i, n))
        if forwards:
            return lambda i: list(range(i + 1))
    if formula is None:
        return lambda _i: list(range(n))

    def read(i: int) -> list[int]:
        found = formula(i)
        if isinstance(op, ops.Upsample):
            return sorted({min(max(x, 0), n - 1) for x in found})
        if isinstance(op, ops.Roll):
            return [x % n for x in found]
        if isinstance(op, ops.Pad) and op.mode != "zeros":
            return sorted({_reflected(x, n, op.mode) for x in found})
        if isinstance(op, ops.Conv) and op.padding_mode != "zeros":
            return sorted({_reflected(x, n, op.padding_mode) for x in found})
        end = n
        if isinstance(op, ops.MaxPool | ops.AvgPool) and not isinstance(op.padding, str):
            end += min(_pads(op.padding, axis, n, 1, 1, 1)[1], 0)  # cropped, so not there
        return [x for x in found if 0 <= x < end]

    return read


def _reflected(x: int, n: int, mode: str) -> int:
    while not 0 <= x < n:
        if mode == "replicate":
            x = 0 if x < 0 else n - 1
        elif mode == "circular":
            x += n if x < 0 else -n
        else:
            x = -x if x < 0 else 2 * (n - 1) - x
    return x


def seen_by(graph: Graph, index: int, unit: tuple[int, ...], reference: int = 0) -> set:
    """Positions of the reference map that reach a unit, one by one."""
    wanted: dict[int, set] = {index: {unit}}
    readers: dict[tuple, Reader] = {}
    for i in range(index, reference, -1):
        node = graph.nodes[i]
        for position in wanted.pop(i, ()):
            for source in set(node.inputs):
                size = graph.nodes[source].size
                per_axis = []
                for axis, u in enumerate(position):
                    key = (i, source, axis)
                    if key not in readers:
                        readers[key] = visible(node.op, axis, size[axis], node.size[axis])
                    per_axis.append(readers[key](u))
                wanted.setdefault(source, set()).update(itertools.product(*per_axis))
    return wanted.get(reference, set())


def paths(graph: Graph, index: int, reference: int = 0) -> Iterator[list[tuple[Node, int]]]:
    """All ways from the reference to a node: nodes from first to last, each with its source."""
    if index == reference:
        yield []
        return
    if index < reference:
        return
    node = graph.nodes[index]
    for source in node.inputs:
        for path in paths(graph, source, reference):
            yield [*path, (node, source)]


def seen_on(graph: Graph, path, axis: int, unit: int) -> set[int] | None:
    """Pixels that a unit sees along one path and axis by the formulas; None: the whole axis."""
    wanted = {unit}
    for i, (node, source) in reversed(list(enumerate(path))):
        n = graph.nodes[source].size[axis]
        formula = theoretical(node.op, axis, n, node.size[axis])
        if formula is None:
            # The whole of a map that sees nothing is nothing.
            before = [seen_on(graph, path[:i], axis, u) for u in range(n)]
            return None if any(x is None or x for x in before) else set()
        wanted = {x for i in wanted for x in formula(i)}
    return wanted


def jump_on(graph: Graph, path, axis: int) -> Fraction:
    """Pixels between neighbouring units along one path and axis: the product of its strides."""
    jump = Fraction(1)
    for node, source in path:
        op, n, m = node.op, graph.nodes[source].size[axis], node.size[axis]
        match op:
            case ops.Upsample(mode="nearest" | "linear" | "bilinear" | "trilinear") if n == m:
                pass
            case ops.Windowed(stride=None):
                jump *= _axis(op.kernel_size, axis)
            case ops.Windowed():
                jump *= _axis(op.stride, axis)
            case ops.ConvTranspose() | ops.Fold():
                jump /= _axis(op.stride, axis)
            case ops.AdaptiveAvgPool() | ops.AdaptiveMaxPool():
                jump *= Fraction(n, m)
            case ops.Upsample(align_corners=True):
                jump *= 1 if n == m else Fraction(n - 1, m - 1) if m > 1 else 0
            case ops.Upsample(size=None):
                jump /= Fraction(str(_axis(op.scale_factor, axis)))
            case ops.Upsample():
                jump *= Fraction(n, m)
            case ops.Broadcast() if n != m:
                jump *= 0
            case ops.PixelShuffle():
                jump /= op.upscale_factor
            case ops.Slice():
                jump *= _axis(op.step, axis)
            case ops.Flip():
                jump *= -1 if _axis(op.along, axis) else 1
            case ops.PixelUnshuffle():
                jump *= op.downscale_factor
    return jump
