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
        if size <= 0:
            return 0
        # Without the last digits, which are those of binary fractions: 0.15, not 0.1500…02.
        extent = (size - 1) * self.spacing + window
        return float(f"{extent:.12g}") if isinstance(extent, float) else extent


def samples_word(axes: Sequence[Axis], count: int) -> str:
    """Return what the samples of a map of so many axes are called; `axes` may be unknown."""
    units = {x.unit for x in axes}
    if "samples" in units:
        return "frames"  # of a spectrogram, whose extents are samples of the sound
    if "bp" in units:
        return "bases"
    if count == 3:
        return "voxels"
    return "samples" if count == 1 or any(x.name for x in axes) else "px"


def extents(axes: Sequence[Axis], sizes: Sequence[float | None]) -> tuple[float | None, ...]:
    """Return the extent along each axis; None where there is no size."""
    return tuple(
        None if size is None else axis.extent(size) for axis, size in zip(axes, sizes, strict=True)
    )


def extent_text(axes: Sequence[Axis], sizes: Sequence[float | None]) -> str:
    """Return sizes in the units of their axes, ``13.4×13.4 mm``; empty if they have none."""
    if not any(x.is_measured for x in axes):
        return ""
    units = {x.unit if x.is_measured else samples_word(axes, len(axes)) for x in axes}
    texts = ["all" if x is None else f"{x:.4g}" for x in extents(axes, sizes)]
    if len(units) == 1:
        return f"{'×'.join(texts)} {units.pop()}".rstrip()
    found = [
        text
        if text == "all"
        else f"{text} {axis.unit if axis.is_measured else samples_word(axes, len(axes))}".rstrip()
        for axis, text in zip(axes, texts, strict=True)
    ]
    return " × ".join(found)


def distance_text(axes: Sequence[Axis], steps: Sequence[float | None]) -> str:
    """Return distances of so many samples in the units of their axes; empty if they have none."""
    spans = [Axis(name=x.name, unit=x.unit, spacing=x.spacing, window=x.spacing) for x in axes]
    if not any(x.is_measured for x in axes) or any(x is None for x in steps):
        return ""
    return extent_text(spans, steps)


def sized_text(text: str, axes: Sequence[Axis], sizes: Sequence[float | None]) -> str:
    """Return a size with the word for samples, and in physical units: ``267 px = 13.4 mm``.

    Sizes are the largest of a text that is a range: ``188…204 px, up to 10.2 mm``.
    """
    physical = extent_text(axes, sizes)
    sized = f"{text} {samples_word(axes, len(sizes))}"
    return f"{sized}{', up to ' if '…' in text else ' = '}{physical}" if physical else sized
