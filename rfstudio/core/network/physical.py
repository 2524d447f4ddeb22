"""Physical units of the input's axes: what sizes in samples mean in mm, ms, bases or frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """What one axis of the input measures.

    Attributes
    ----------
    name
        What it is called, such as "time".
    unit
        Of spacing and window, such as "ms"; empty: the spacing has none.
    spacing
        Distance of two neighbouring samples.
    window
        Extent of one sample; None: the spacing.
    """

    name: str = ""
    unit: str = ""
    spacing: float = 1
    window: float | None = None

    @property
    def is_measured(self) -> bool:
        """Whether it says anything about sizes."""
        return bool(self.unit) or self.spacing != 1 or self.window is not None

    def extent(self, size: float) -> float:
        """Return the extent of so many samples in a row: (size − 1) · spacing + window."""
        window = self.spacing if self.window is None else self.window
        return (size - 1) * self.spacing + window if size > 0 else 0


def samples_word(axes: Sequence[Axis]) -> str:
    """Return what samples are called: pixels of an image, and of what nobody says more about."""
    units = {x.unit for x in axes}
    if "samples" in units:
        return "frames"  # of a spectrogram, whose extents are samples of the sound
    if "bp" in units:
        return "bases"
    if len(axes) == 3:
        return "voxels"
    return "samples" if len(axes) == 1 or any(x.name for x in axes) else "px"


def extents(axes: Sequence[Axis], sizes: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return the extent along each axis; None where there is no size."""
    return tuple(
        None if size is None else axis.extent(size) for axis, size in zip(axes, sizes, strict=True)
    )


def extent_text(axes: Sequence[Axis], sizes: Sequence[float | None]) -> str:
    """Return sizes in the units of their axes, ``13.4×13.4 mm``; empty if they have none."""
    if not any(x.is_measured for x in axes):
        return ""
    units = {x.unit if x.is_measured else samples_word(axes) for x in axes}
    texts = ["all" if x is None else f"{x:.4g}" for x in extents(axes, sizes)]
    if len(units) == 1:
        return f"{'×'.join(texts)} {units.pop()}".rstrip()
    found = [
        text
        if text == "all"
        else f"{text} {axis.unit if axis.is_measured else samples_word(axes)}".rstrip()
        for axis, text in zip(axes, texts, strict=True)
    ]
    return " × ".join(found)


def sized_text(text: str, axes: Sequence[Axis], sizes: Sequence[float | None]) -> str:
    """Return a size with the word for samples, and in physical units: ``267 px = 13.4 mm``."""
    physical = extent_text(axes, sizes)
    return f"{text} {samples_word(axes)}" + (f" = {physical}" if physical else "")
