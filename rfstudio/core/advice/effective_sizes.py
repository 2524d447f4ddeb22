"""The size of the expected effective field of a layer's centre unit, for advice."""

from __future__ import annotations

from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.errors import UnitError
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis

_SECONDS = 3.0
"""Time that one field may take, roughly."""


def effective_size(analysis: Analysis, layer: LayerAnalysis) -> float | None:
    """Return the size as Luo et al. measure it; None where there is none or it takes too long."""
    if 0 in layer.output_size:
        return None
    unit = tuple(n // 2 for n in layer.output_size)
    try:
        erf = expected_erf(
            analysis.graph, layer.index, unit, reference=analysis.reference, seconds=_SECONDS
        )
    except UnitError:  # nothing comes to it, or it is too large
        return None
    size = erf.metrics.luo_size
    return None if size is None else float(size)
