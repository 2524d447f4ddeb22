"""The words of remarks for sizes and distances: pixels, samples or frames, and physical units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rfstudio.core.fields.remarks.remark import AXIS_NAMES
from rfstudio.core.network.physical import Axis, extent_text
from rfstudio.core.network.sample_words import Units


@dataclass(frozen=True, slots=True)
class Scale:
    """What sizes are given in.

    Attributes
    ----------
    units
        The words for samples of the map to which fields refer.
    axes
        What its axes measure; empty: it is not known.
    count
        Number of its axes.
    """

    units: Units
    axes: tuple[Axis, ...]
    count: int

    def along(self, axes: Iterable[int]) -> str:
        """Return names of axes: ``y and x``, or those that the document gives."""
        given = self.axes or (Axis(),) * self.count
        names = zip(given, AXIS_NAMES[self.count], strict=True)
        texts = [axis.name or letter for axis, letter in names]
        return " and ".join(texts[x] for x in axes)

    def length(self, size: int, axis: int) -> str:
        """Return a size along an axis, in physical units too if they are known."""
        physical = extent_text(self.axes[axis : axis + 1], (size,)) if self.axes else ""
        text = f"{size} {self.units.one if size == 1 else self.units.many}"
        return text + (f" ({physical})" if physical else "")

    def sizes(self, sizes: Sequence[int | None]) -> str:
        """Return sizes along all axes, in physical units too if they are known."""
        words = "×".join("all" if x is None else str(x) for x in sizes)
        physical = extent_text(self.axes, sizes) if self.axes else ""
        return f"{words} {self.units.many}" + (f" ({physical})" if physical else "")
