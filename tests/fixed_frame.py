"""A frame of an effective field whose numbers a test gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FixedFrame:
    """A frame whose numbers are known; they are those of `rfstudio.core.metrics.metrics.Frame`."""

    center: tuple[float, ...] | None = None
    field_size: tuple[int, ...] | None = None
    visible_region: tuple[tuple[int, int], ...] | None = None
