"""Fields on each image as work for the worker process; importing this imports no torch."""

from __future__ import annotations

from pathlib import Path

from rfstudio.api.spread import photo_set, spread_of
from rfstudio.core.metrics.spread import FieldSpread
from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.engine.requests.request import ErfRequest


def spread_work(
    request: ErfRequest,
    images: Path,
    masks: Path | None,
    box: tuple[tuple[int, int], ...],
    token: CancelToken,
    report: Report,
) -> FieldSpread:
    """Measure on each image; see `rfstudio.engine.per_image.fields.measure_spread`."""
    return spread_of(request, photo_set(images, masks, box), report=report, token=token)
