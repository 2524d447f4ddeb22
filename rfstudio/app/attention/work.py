"""Attention as work for the worker process; importing this imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rfstudio.api.attending import attentions_of
from rfstudio.core.metrics.attention import LayerAttention
from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.formats.images.photos import photos_of


def attention_work(
    request: ErfRequest,
    folder: Path | None,
    layers: Sequence[str],
    token: CancelToken,
    report: Report,
) -> list[LayerAttention]:
    """Measure attention layers, on the images of a folder if there is one.

    Raises
    ------
    RFStudioError
        As `rfstudio.api.attending.attentions_of` does, and if the folder holds no image.
    """
    if folder is not None:
        request = replace(request, images=photos_of(folder))
    return attentions_of(request, layers, report=report, token=token)
