"""Fields on each image as work for the worker process; importing this imports no torch."""

from __future__ import annotations

from pathlib import Path

from rfstudio.api.measuring import with_own_weights
from rfstudio.api.spread import photo_set, spread_of
from rfstudio.core.metrics.spread import FieldSpread
from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.engine.process.torch_import import need_torch
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
    need_torch()
    request, module = with_own_weights(request, is_chosen=True)
    photos = photo_set(images, masks, box)
    return spread_of(request, photos, module=module, report=report, token=token)
