"""What one part of a figure is about: a network, one of its units, and an effective field."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rfstudio.core.metrics.registry import BY_NAME
from rfstudio.core.plural import counted
from rfstudio.figures.scene import Scene, scene_of_view, slice_of
from rfstudio.figures.style import FigureError, FigureStyle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rfstudio.core.effective.expected import Erf
    from rfstudio.core.fields.analysis import Analysis, UnitView

_IN_CAPTION = ("luo_size", "erf_trf_ratio", "sigma")
"""Numbers of an effective field that a caption has."""

_WEIGHTS = ("random", "uniform", "model")
"""Weights that are in no file."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """A network, one of its units, and what is shown of it.

    Attributes
    ----------
    analysis
        The analysed network.
    name
        What it is called.
    layer, unit
        The unit; a figure of whole networks needs none.
    erf
        Its effective field; None: none is drawn.
    erf_label
        How a legend calls it: "effective field, expected (exact)".
    erf_peak
        The value that is drawn densest; None: the largest.
    image
        The photo, (h, w) or (h, w, 3) bytes, stretched over the input.
    slice_at
        The slice of a volume that is drawn; None: the middle one of what the unit sees.
    """

    analysis: Analysis
    name: str = ""
    layer: str = ""
    unit: tuple[int, ...] = ()
    erf: Erf | None = None
    erf_label: str = "effective field"
    erf_peak: float | None = None
    image: NDArray[np.uint8] | None = field(default=None, repr=False)
    slice_at: int | None = None

    @property
    def title(self) -> str:
        """Network, layer and unit in a line."""
        return f"{self.name}, {self.layer}, {self.unit_text}"

    @property
    def unit_text(self) -> str:
        """The unit in words."""
        return f"unit ({', '.join(map(str, self.unit))})"

    @cached_property
    def view(self) -> UnitView:
        """What the unit sees."""
        return self.analysis.unit(self.layer, self.unit)

    @cached_property
    def scene(self) -> Scene:
        """The unit's fields on the image."""
        return scene_of_view(
            self.view,
            title=self.title,
            jump=self.analysis[self.layer].jump,
            units=self.analysis.units,
            image=self.image,
            erf=None if self.erf is None else self.erf.map,
            erf_label=self.erf_label,
            erf_peak=self.erf_peak,
            slice_at=self.slice_at,
        )

    @property
    def shown_slice(self) -> int | None:
        """The slice of a volume that is drawn; None if the input is none."""
        return slice_of(self.view.size, self.view.visible_region, self.slice_at)

    @property
    def field(self) -> Erf:
        """Its effective field.

        Raises
        ------
        FigureError
            If there is none.
        """
        if self.erf is None:
            raise FigureError(f"{self.title} has no effective field to draw")
        return self.erf

    @property
    def erf_numbers(self) -> tuple[str, ...]:
        """Numbers of the effective field for a caption; none without one."""
        if self.erf is None:
            return ()
        found = []
        for name in _IN_CAPTION:
            metric, value = BY_NAME[name], self.erf.metrics[name]
            if metric.brief is not None and metric.is_known(value):
                text = metric.brief.text_of(value, self.erf.map.ndim)
                words = self.analysis.units.said(f"{metric.brief.label} {text}")
                found.append(" ".join(words.split()))
        return tuple(f"effective {x}" if x.startswith("size") else x for x in found)

    @property
    def origin(self) -> str:
        """How a measured field came about, for a caption: "energy, 32 samples of noise, seed 0"."""
        options = {} if self.erf is None else self.erf.options
        if "samples" not in options:
            return ""
        count, images = options["samples"], options.get("images")
        inputs = counted(count, "image") if images else f"{counted(count, 'sample')} of noise"
        weights = str(options.get("weights", "random"))
        named = weights if weights in _WEIGHTS else Path(weights).name
        parts = [
            str(options["estimator"]),
            inputs,
            "weights of the model" if weights == "model" else f"weights {named}",
            *([] if options.get("channel") is None else [f"channel {options['channel']}"]),
            f"seed {options.get('seed', 0)}",
        ]
        return f"measured: {', '.join(parts)}"

    def caption(self, style: FigureStyle) -> tuple[str, ...]:
        """Return all numbers for a caption; without a legend also what the field is."""
        label = self.erf_label if self.erf is not None and not style.legend else ""
        words = (*self.scene.numbers, *self.erf_numbers, self.origin or label)
        return tuple(x for x in words if x)

    @property
    def samples(self) -> str:
        """What the samples of the input are called: "px"."""
        return self.analysis.units.short

    @property
    def centre(self) -> tuple[float, ...]:
        """Centre of the unit's local field, in pixels; of an axis that is seen whole, its place.

        Along the slices of a volume it is the slice that is drawn, if one is chosen.
        """
        region = self.view.local_region or self.view.theoretical_region
        found = []
        for axis, (units, pixels) in enumerate(
            zip(self.analysis[self.layer].output_size, self.view.size, strict=True)
        ):
            if region is None or region[axis] == (0, pixels - 1):
                found.append((self.unit[axis] + 0.5) * pixels / max(units, 1) - 0.5)
            else:
                found.append(sum(region[axis]) / 2)
        if self.slice_at is not None:
            found[0] = self.slice_at
        return tuple(found)
