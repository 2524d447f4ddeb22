"""Changes that enlarge the field of a network, each analysed before it is proposed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from rfstudio.core import ops
from rfstudio.core.editing.edits import set_op
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis, analyze
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.ops import Op, per_axis
from rfstudio.core.ops.geometry import resolved_padding

MAX_LAYERS = 4
"""Convolutions, from the end of the network, for which changes are tried."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of one layer, and its effect on the network.

    Attributes
    ----------
    edit
        The change in words.
    rf_size
        Size of the largest local field after it, in pixels.
    growth
        How much larger that is than without the change, along each axis.
    parameters, macs
        How many more learned parameters and multiply-adds there are.
    alignment
        The worst alignment of any layer after it, along each axis.
    network
        The document with the change.
    """

    edit: str
    rf_size: tuple[int | None, ...]
    growth: tuple[int | None, ...]
    parameters: int
    macs: int
    alignment: tuple[str, ...]
    network: Architecture = field(repr=False)


def proposals_for(analysis: Analysis) -> tuple[Proposal, ...]:
    """Return changes that enlarge the largest local field and keep all sizes, cheapest first."""
    before = analysis.largest_local_field
    if before is None:
        return ()
    sizes = [x.size for x in analysis.graph.nodes]
    found = []
    for layer, op, words in _changes(analysis):
        assert layer.location is not None
        try:
            network = set_op(analysis.architecture, layer.location, op)
        except RFStudioError:
            continue
        changed = analyze(network, input_size=analysis.input_size, previous=analysis)
        after = changed.largest_local_field
        if [x.size for x in changed.graph.nodes] != sizes or after is None:
            continue
        assert after.local is not None
        assert before.local is not None
        growth = tuple(
            None if a is None or b is None else a - b
            for a, b in zip(after.local.rf_size, before.local.rf_size, strict=True)
        )
        if not any(growth):
            continue
        found.append(
            Proposal(
                f"{words} in '{layer.name}'",
                after.local.rf_size,
                growth,
                changed.parameters - analysis.parameters,
                changed.macs - analysis.macs,
                after.alignment,
                network,
            )
        )
    return tuple(sorted(found, key=lambda x: (x.parameters, x.macs)))


def _changes(analysis: Analysis) -> Iterator[tuple[LayerAnalysis, Op, str]]:
    """Yield twice the dilation, and two more taps, of the last convolutions with a window."""
    seen = set()
    for layer in reversed(analysis.layers):
        op = layer.operation
        if not isinstance(op, ops.Conv) or layer.location in seen:
            continue
        if any(x.whole for x in layer.local_fields) or op.kernel_size == 1:
            continue
        if layer.node.index in analysis.graph.grown:
            continue  # what one turn of a repeat has is not what all of them can have
        seen.add(layer.location)
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
            changed = replace(op, kernel_size=kernel, dilation=dilation, padding=tuple(padding))
            yield layer, changed, words
        if len(seen) == MAX_LAYERS:
            return


def _text(values: tuple[int, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else "×".join(map(str, values))
