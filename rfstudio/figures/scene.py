"""The content of a figure of one unit: plain values on the plane of the input's last two axes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rfstudio.core.fields.backtrace import DENSE_CELLS
from rfstudio.core.network.physical import sized_text
from rfstudio.core.network.sample_words import units_of_input
from rfstudio.core.plural import axes_text
from rfstudio.figures.style import FigureError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from rfstudio.core.fields.analysis import Analysis, UnitView
    from rfstudio.core.metrics.metrics import Frame
    from rfstudio.core.network.physical import Axis
    from rfstudio.core.network.sample_words import Units

Interval: TypeAlias = tuple[int, int]
"""First and last pixel, inclusive."""

Region: TypeAlias = tuple[Interval, Interval]
"""One interval per axis, (y, x)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One unit's fields on the input image.

    Attributes
    ----------
    title
        What is shown, in bold above the numbers.
    numbers
        Facts for the caption, one short text each.
    input_size
        (height, width) of the network's input, in pixels.
    image
        (h, w) or (h, w, 3) array of bytes, stretched over the input; None draws a plain plane.
    theoretical, visible
        The regions, in pixels of the input; None where there is none.
    local
        That of the local field, where it differs from the theoretical region.
    support
        (height, width) booleans of the pixels that are read; None: it is not shown which, as of
        an image that is too large for a mask.
    erf
        (height, width) array of the effective receptive field, any non-negative unit.
    erf_label
        How the legend calls it: the estimator and whether it was measured or expected.
    erf_peak
        The value that is drawn densest; None: the largest.
    strip
        Whether the input has one axis only and is drawn as a strip.
    samples
        What the samples of the input are called: "px".
    other_slices
        Of a volume whose slice does not go through the field: the first and last that do.
    """

    title: str
    input_size: tuple[int, int]
    numbers: tuple[str, ...] = ()
    image: NDArray[np.uint8] | None = None
    theoretical: Region | None = None
    local: Region | None = None
    visible: Region | None = None
    support: NDArray[np.bool_] | None = None
    erf: NDArray[np.floating[Any]] | None = None
    erf_label: str = "effective field"
    erf_peak: float | None = None
    strip: bool = False
    samples: str = "px"
    other_slices: Interval | None = None

    def __post_init__(self) -> None:
        for name, values in (("support", self.support), ("effective field", self.erf)):
            if values is not None and values.shape != self.input_size:
                raise FigureError(
                    f"the {name} has {_by(values.shape)} pixels, the input {_by(self.input_size)}"
                )

    @property
    def has_holes(self) -> bool:
        """Whether the visible region holds pixels that are not read."""
        if self.support is None or self.visible is None:
            return False
        (top, bottom), (left, right) = self.visible
        return not bool(self.support[top : bottom + 1, left : right + 1].all())


def scene_of(
    analysis: Analysis,
    layer: str,
    position: Sequence[int],
    *,
    title: str,
    image: NDArray[np.uint8] | None = None,
    erf: NDArray[np.floating[Any]] | None = None,
    erf_label: str = "effective field",
    erf_peak: float | None = None,
) -> Scene:
    """Return the scene of one unit.

    Parameters
    ----------
    analysis
        The analysed network.
    layer
        Path of a layer or container.
    position
        The unit's position in that layer's feature map, one index per axis.
    title
        Name of the network, for the caption.
    image
        (h, w) or (h, w, 3) bytes.
    erf
        An effective field of the same unit, in the shape of the input.
    erf_label
        How the legend calls it.
    erf_peak
        The value that is drawn densest; None: the largest.

    Returns
    -------
    Scene
        A network with one axis becomes a strip, one with three the slice through the middle
        of what the unit sees.  Of a slice beside a field the frame of the field is drawn faintly.

    Raises
    ------
    RFStudioError
        If there is no such layer or unit.
    """
    return scene_of_view(
        analysis.unit(layer, tuple(position)),
        title=f"{title}, {layer}, unit ({', '.join(map(str, position))})",
        jump=analysis[layer].jump,
        units=analysis.units,
        image=image,
        erf=erf,
        erf_label=erf_label,
        erf_peak=erf_peak,
    )


def scene_of_view(
    unit: UnitView,
    *,
    title: str,
    jump: Sequence[object] = (None,),
    units: Units | None = None,
    image: NDArray[np.uint8] | None = None,
    erf: NDArray[np.floating[Any]] | None = None,
    erf_label: str = "effective field",
    erf_peak: float | None = None,
    slice_at: int | None = None,
) -> Scene:
    """Return the scene of one unit whose view is known; `title` is the whole of it.

    `jump` is that of its layer, None where it has none, `units` are the words for what fields are
    given in, None for those of the input, and `slice_at` is the slice of a volume that is drawn,
    None for the middle one of what the unit sees; the others are as in `scene_of`.

    Raises
    ------
    FigureError
        If there is no such slice.
    """
    theoretical, visible = unit.theoretical_region, unit.visible_region
    numbers = (
        [] if theoretical is None else [_size_text("theoretical field", theoretical, unit.axes)]
    )
    near = None if unit.local_region == theoretical else unit.local_region
    if near is not None:
        numbers.append(_size_text("local field", near, unit.axes))
    if visible is None:
        numbers.append("nothing visible")
    else:
        numbers.append(_size_text("visible", visible, unit.axes))
        numbers.append(f"coverage {100 * unit.coverage:.3g} % of the image")
    if unit.gridding:
        numbers.append(f"holes {100 * unit.gridding:.3g} %")
    if None not in jump:
        numbers.append(f"jump {axes_text(jump)} px")
    words = units or units_of_input(unit.axes, len(unit.size))
    numbers = [words.said(x) for x in numbers]
    axes = len(unit.size)
    others: Interval | None = None
    support: NDArray[np.bool_] | None
    index = slice_of(unit.size, unit.visible_region, slice_at)
    if index is not None:
        support = unit.region.slab(index)  # the full volume may be too large for one array
        if erf is not None:
            # A slice at the border of a field is not shaded as its middle is.
            erf_peak = float(erf.max(initial=0.0)) if erf_peak is None else erf_peak
            erf = erf[index]
        others = _unless_in(index, theoretical)
        near = None if _unless_in(index, near) else near
        visible = None if _unless_in(index, visible) else visible
        numbers.append(f"slice {index} of {unit.size[0]}")
    elif axes == 1:
        support = unit.support()[np.newaxis]
        erf = None if erf is None else erf[np.newaxis]
    else:
        is_small = prod(unit.size) <= DENSE_CELLS
        support = unit.support() if is_small else None
    return Scene(
        title=title,
        numbers=tuple(numbers),
        input_size=plane_of(unit.size, 1),
        image=image,
        theoretical=None if theoretical is None else plane_of(theoretical, (0, 0)),
        local=None if near is None else plane_of(near, (0, 0)),
        visible=None if visible is None else plane_of(visible, (0, 0)),
        support=support,
        erf=erf,
        erf_label=erf_label,
        erf_peak=erf_peak,
        strip=axes == 1,
        samples=words.short,
        other_slices=others,
    )


def slice_of(
    size: Sequence[int], region: Sequence[Interval] | None, slice_at: int | None = None
) -> int | None:
    """Return which slice of a volume is drawn; None if the input is no volume.

    Parameters
    ----------
    size
        The size of the input.
    region
        What is looked at in it; None: all.
    slice_at
        The slice that is wanted; None: the middle one of the region.

    Raises
    ------
    FigureError
        If there is no such slice.
    """
    if len(size) != 3:
        if slice_at is not None:
            raise FigureError(f"there are slices of three axes only, here are {len(size)}")
        return None
    if slice_at is None:
        return sum(region[0] if region else (0, size[0] - 1)) // 2
    if not 0 <= slice_at < size[0]:
        raise FigureError(f"there is no slice {slice_at}: they are 0 to {size[0] - 1}")
    return slice_at


def _unless_in(index: int, region: Sequence[Interval] | None) -> Interval | None:
    """Return the slices that go through a region, if slice `index` does not."""
    if region is None or region[0][0] <= index <= region[0][1]:
        return None
    return region[0]


def scene_of_map(
    values: NDArray[np.floating[Any]],
    frame: Frame | None,
    *,
    title: str,
    image: NDArray[np.uint8] | None = None,
    label: str = "effective field",
    peak: float | None = None,
) -> Scene:
    """Return the scene of an effective field by itself, in the frame that it is compared with."""
    theoretical = visible = None
    if frame is not None:
        visible = frame.visible_region
        if frame.center is not None and frame.field_size is not None:
            starts = (c - (n - 1) / 2 for c, n in zip(frame.center, frame.field_size, strict=True))
            theoretical = tuple(
                (round(first), round(first) + n - 1)
                for first, n in zip(starts, frame.field_size, strict=True)
            )
    numbers = [] if theoretical is None else [_size_text("theoretical field", theoretical, ())]
    size = values.shape
    if (middle := slice_of(size, visible)) is not None:
        values = values[middle]
        numbers.append(f"slice {middle} of {size[0]}")
    return Scene(
        title=title,
        numbers=tuple(numbers),
        input_size=plane_of(size, 1),
        image=image,
        theoretical=None if theoretical is None else plane_of(theoretical, (0, 0)),
        visible=None if visible is None else plane_of(visible, (0, 0)),
        erf=values[np.newaxis] if len(size) == 1 else values,
        erf_label=label,
        erf_peak=peak,
        strip=len(size) == 1,
        samples=units_of_input((), len(size)).short,
    )


def plane_of(values: Sequence[Any], missing: object) -> Any:
    """Return the entries of the last two axes; an axis that is not there is `missing`."""
    return (missing, *values)[-2:]


def _size_text(name: str, region: Sequence[Interval], axes: Sequence[Axis]) -> str:
    sizes = [last - first + 1 for first, last in region]
    text = sized_text(_by(sizes), axes, sizes)
    spans = " × ".join(f"{first} … {last}" for first, last in region)
    return f"{name} {text} ({spans})".replace("-", "−")


def _by(sizes: Iterable[object]) -> str:
    return "×".join(map(str, sizes))
