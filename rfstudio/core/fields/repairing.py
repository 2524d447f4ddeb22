"""Applies the remedies that remarks offer, one after the other."""

from __future__ import annotations

from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network.architecture import Architecture

MAX_REPAIRS = 100
"""Remedies that are applied at most; each is analysed before the next is looked for."""


def repaired(analysis: Analysis) -> tuple[Architecture, tuple[str, ...]]:
    """Return the document with all remedies applied, and what was changed, in words."""
    changes = []
    for _ in range(MAX_REPAIRS):
        remedy = next((x.remedy for x in analysis.diagnostics if x.remedy is not None), None)
        if remedy is None:
            break
        changes.append(remedy.text)
        analysis = analyze(
            remedy.architecture,
            input_size=analysis.input_size,
            reference=analysis.graph.nodes[analysis.reference].name,
            batch_norm_training=analysis.batch_norm_training,
        )
    return analysis.architecture, tuple(changes)
