"""Changes that enlarge the field of a network, each analysed before it is proposed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from rfstudio.core import ops
from rfstudio.core.advice.effective_sizes import effective_size
from rfstudio.core.editing.edits import after, insert, set_op
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis, analyze
from rfstudio.core.network.architecture import Architecture, Layer, Location, Residual
from rfstudio.core.ops import Op, per_axis
from rfstudio.core.ops.geometry import resolved_padding

MAX_LAYERS = 4
"""Convolutions, from the end of the network, for which changes are tried."""

MOST_EFFECTIVE = 10
"""Proposals, the cheapest first, of which the effective field is worked out."""

_INNER = 2
"""Of them, those where the jump is largest, if that is not at the end."""

_LARGE = 13
"""Taps of a large kernel."""

_POOL = 5
"""Taps of a pool of stride 1, as in spatial pyramid pooling (SPPF)."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of one layer, and its effect on the network.

    Attributes
    ----------
    edit
        The change in words.
    rf_size
        Size of the largest local field after it, in pixels; None where it sees the whole axis.
    growth
        How much larger that is than without the change, along each axis.
    parameters, macs
        How many more learned parameters and multiply-adds there are.
    alignment
        The worst alignment of any layer after it, along each axis.
    network
        The document with the change.
    erf_size
        Size of the expected effective field of the last layer with positions; None if it is not
        known.
    erf_growth
        How much larger that is than without the change.
    sees_all
        Whether a unit sees the whole input after it, through attention.
    """

    edit: str
    rf_size: tuple[int | None, ...]
    growth: tuple[int | None, ...]
    parameters: int
    macs: int
    alignment: tuple[str, ...]
    network: Architecture = field(repr=False)
    erf_size: float | None = None
    erf_growth: float | None = None
    sees_all: bool = False


@dataclass(frozen=True, slots=True)
class _Change:
    """A changed document, in words, and whether its maps may have other sizes."""

    network: Architecture
    words: str
    keeps_sizes: bool = True
    sees_all: bool = False


def proposals_for(analysis: Analysis) -> tuple[Proposal, ...]:
    """Return changes that enlarge the largest local field, or see everything; cheapest first.

    All but a stride preserve the sizes of all maps, and none makes a merge misaligned that was
    aligned before.
    """
    before = analysis.largest_local_field
    if before is None or before.local is None:
        return ()
    sizes = {x.name: x.size for x in analysis.graph.nodes}
    misfits = _misaligned(analysis)
    found = []
    for change in _changes(analysis):
        changed = analyze(change.network, input_size=analysis.input_size, previous=analysis)
        after = changed.largest_local_field
        if changed.graph.faults or after is None or after.local is None:
            continue
        if not _misaligned(changed) & set(sizes) <= misfits:
            continue
        if change.keeps_sizes and any(
            sizes.get(x.name, x.size) != x.size for x in changed.graph.nodes
        ):
            continue
        growth = tuple(
            None if a is None or b is None else a - b
            for a, b in zip(after.local.rf_size, before.local.rf_size, strict=True)
        )
        if not any((x or 0) > 0 for x in growth) and not change.sees_all:
            continue
        found.append(
            Proposal(
                change.words,
                after.local.rf_size,
                growth,
                changed.parameters - analysis.parameters,
                changed.macs - analysis.macs,
                after.alignment,
                change.network,
                sees_all=change.sees_all,
            )
        )
    found.sort(key=lambda x: (x.parameters, x.macs))
    return tuple(_with_effective(analysis, found))


def _misaligned(analysis: Analysis) -> set[str]:
    return {analysis.graph.nodes[x.index].name for x in analysis.misfits}


def _with_effective(analysis: Analysis, found: list[Proposal]) -> Iterator[Proposal]:
    """Yield proposals with the effective field of the last layer with positions."""
    before = _last_effective(analysis)
    for number, proposal in enumerate(found):
        if number >= MOST_EFFECTIVE:
            yield proposal
            continue
        after = _last_effective(analyze(proposal.network, input_size=analysis.input_size))
        grown = None if before is None or after is None else after - before
        yield replace(proposal, erf_size=after, erf_growth=grown)


def _last_effective(analysis: Analysis) -> float | None:
    """Return the size of the effective field of the last convolution or pool with positions."""
    layers = [
        x
        for x in analysis.layers
        if not any(y.whole for y in x.local_fields)
        and x.operation is not None
        and (x.operation.weighted or x.operation.is_pool)
    ]
    return effective_size(analysis, layers[-1]) if layers else None


def _changes(analysis: Analysis) -> Iterator[_Change]:
    """Yield the changes that are tried."""
    document = analysis.architecture
    for number, (layer, op) in enumerate(_candidates(analysis)):
        location = layer.location
        assert location is not None
        for changed, words in _windows(layer, op):
            yield from _tried(
                f"{words} in '{layer.name}'", partial(set_op, document, location, changed)
            )
        if set(per_axis(op.stride, len(layer.output_size))) == {1}:
            changed = replace(op, stride=2)
            words = f"stride 2 in '{layer.name}' (maps after it are half as large)"
            change = partial(set_op, document, location, changed)
            yield from _tried(words, change, keeps_sizes=False)
        if number == 0:
            yield from _insertions(analysis, layer, op)


def _candidates(analysis: Analysis) -> Iterator[tuple[LayerAnalysis, ops.Conv]]:
    """Yield the last convolutions with a window, of each two where the jump is largest.

    In a network with a decoder what is changed after the largest jump hardly enlarges the field.
    """
    found: dict[Location, tuple[LayerAnalysis, ops.Conv]] = {}
    for layer in reversed(analysis.layers):
        op = layer.operation
        if not isinstance(op, ops.Conv) or layer.location is None or op.kernel_size == 1:
            continue
        if any(x.whole for x in layer.local_fields) or layer.location in found:
            continue
        if layer.node.index in analysis.graph.grown:
            continue  # what one turn of a repeat has is not what all of them can have
        found[layer.location] = layer, op

    def jump(pair: tuple[LayerAnalysis, ops.Conv]) -> float:
        return max((float(x) for x in pair[0].jump if x is not None), default=0.0)

    most = max(map(jump, found.values()), default=0.0)
    inner = [x for x in found.values() if jump(x) == most]
    if inner[:1] == [*found.values()][:1]:
        yield from [*found.values()][:MAX_LAYERS]
    else:
        yield from inner[:_INNER]
        yield from [*found.values()][: MAX_LAYERS - _INNER]


def _tried(
    words: str,
    change: Callable[[], Architecture],
    *,
    keeps_sizes: bool = True,
    sees_all: bool = False,
) -> Iterator[_Change]:
    """Yield a change if the document allows it."""
    with suppress(RFStudioError):
        yield _Change(change(), words, keeps_sizes, sees_all)


def _windows(layer: LayerAnalysis, op: ops.Conv) -> Iterator[tuple[Op, str]]:
    """Yield a convolution with twice the dilation, and with two more taps."""
    axes = len(layer.output_size)
    kernels, dilations = per_axis(op.kernel_size, axes), per_axis(op.dilation, axes)
    pads = resolved_padding(op, tuple(x.n_in for x in layer.node.rules))
    wider = tuple(d * (2 if k > 1 else 1) for k, d in zip(kernels, dilations, strict=True))
    more = tuple(k + 2 if k > 1 else k for k in kernels)
    for kernel, dilation, words in (
        (kernels, wider, f"dilation {_text(wider)}"),
        (more, dilations, f"kernel_size {_text(more)}"),
    ):
        padding = []
        for (first, last), k, d, k0, d0 in zip(
            pads, kernel, dilation, kernels, dilations, strict=True
        ):
            grown = d * (k - 1) - d0 * (k0 - 1)
            padding.append((first + grown // 2, last + grown - grown // 2))
        yield replace(op, kernel_size=kernel, dilation=dilation, padding=tuple(padding)), words


def _insertions(analysis: Analysis, layer: LayerAnalysis, op: ops.Conv) -> Iterator[_Change]:
    """Yield layers and blocks after the last convolution: depth, pool, large kernel, attention."""
    assert layer.location is not None
    channels, place = layer.channels, after(layer.location)
    axes = len(layer.output_size)
    again = replace(
        op,
        out_channels=channels,
        stride=1,
        padding="same",
        groups=op.groups if isinstance(op.groups, str) else 1,
    )
    large = Residual(
        (
            Layer(
                ops.Conv(
                    kernel_size=_LARGE,
                    padding=_LARGE // 2,
                    out_channels=channels,
                    groups="depthwise",
                ),
                "depthwise",
            ),
            Layer(ops.Conv(kernel_size=1, out_channels=channels), "pointwise"),
        ),
        (),
        "large_kernel",
    )
    heads = next(x for x in (8, 4, 2, 1) if channels % x == 0)
    attention = Residual((Layer(ops.Attention(heads=heads), "attention"),), (), "attention_block")
    pool = Layer(ops.MaxPool(kernel_size=_POOL, stride=1, padding=_POOL // 2), "wide_pool")
    kernel = _text(per_axis(op.kernel_size, axes))
    for item, words, sees_all in (
        (Layer(again, "deeper"), f"one more convolution of {kernel}", False),
        (pool, f"max pool of {_POOL}, stride 1", False),
        (large, f"large-kernel block ({_LARGE}, depthwise, with a skip)", False),
        (attention, f"attention block of {heads} heads, with a skip", True),
    ):
        change = partial(insert, analysis.architecture, place, (item,))
        yield from _tried(f"{words} after '{layer.name}'", change, sees_all=sees_all)


def _text(values: tuple[int, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else "×".join(map(str, values))
