"""The figure of a field on each of several images: in the order of its size, mean and spread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.spread import FieldSpread, ImageField, slices
from rfstudio.figures import SUFFIXES, Curve, Picture, Plot, Sheet, render_sheet
from rfstudio.formats.images.images import read_image
from rfstudio.formats.images.shaping import shaped

Photo = NDArray[np.uint8]

MOST_PICTURES = 24
"""Images that a figure shows; of more it shows some from all of the order, both ends among them."""

_COLUMNS = 6

FIGURE_SUFFIXES: tuple[str, ...] = SUFFIXES


def spread_figure(
    spread: FieldSpread,
    suffix: str,
    *,
    title: str,
    photo_of: Callable[[ImageField], Photo | None],
    facts: str = "",
    note: str = "",
) -> bytes:
    """Return the figure as the bytes of a PNG, SVG or PDF file.

    Parameters
    ----------
    spread
        What was measured.
    suffix
        The ending of the file.
    title, facts, note
        Above, and sentences below.
    photo_of
        Returns an image as it was measured, (H, W, 3); None: its field is drawn alone.

    Raises
    ------
    RFStudioError
        If the network has other than two axes, or the ending is unknown.
    """
    if len(spread.size) != 2:
        raise RFStudioError("a figure of fields on images is of networks with two axes")
    window = window_of(spread)
    ordered = spread.ordered
    chosen = [ordered[i] for i in places(len(ordered))]
    shown = f"{len(chosen)} of {len(ordered)} images" if len(chosen) < len(ordered) else ""
    pictures = []
    for start in range(0, len(chosen), _COLUMNS):
        line = chosen[start : start + _COLUMNS]
        pictures.append((shown, tuple(_picture(spread, x, window, photo_of) for x in line)))
        shown = ""
    means = (
        Picture(title="mean", map=spread.mean[window]),
        Picture(title="standard deviation", map=spread.deviation[window]),
    )
    sheet = Sheet(
        title=title,
        plots=(_order(spread),),
        pictures=(*pictures, ("over images", means)),
        facts=facts,
        note=note,
    )
    return render_sheet(sheet, suffix)


def places(count: int, most: int = MOST_PICTURES) -> list[int]:
    """Return places in an order, evenly, the first and the last among them.

    Examples
    --------
    >>> places(9, 5), places(3, 5)
    ([0, 2, 4, 6, 8], [0, 1, 2])
    """
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def window_of(spread: FieldSpread) -> tuple[slice, ...]:
    """Return the part of the image around the fields that is worth seeing."""
    if not spread.fields:
        return ()
    boxes = np.array([x.box for x in spread.fields])
    first, last = boxes[:, :, 0].min(0), boxes[:, :, 1].max(0)
    margin = max(int((last - first + 1).max()) // 2, 4)
    ends = zip(first.tolist(), last.tolist(), spread.size, strict=True)
    return tuple(slice(max(a - margin, 0), min(b + margin + 1, n)) for a, b, n in ends)


def whole_map(spread: FieldSpread, field: ImageField) -> NDArray[np.float32] | None:
    """Return the field of an image over the whole image; None: its map was not held."""
    if field.map is None:
        return None
    found = np.zeros(spread.size, np.float32)
    found[slices(field.box)] = field.map
    return found


def measured_photo(path: Path, size: Sequence[int], *, since: float) -> Photo | None:
    """Return an image as it was measured, at the input's size; None: it is gone or another one.

    Parameters
    ----------
    path
        Its file.
    size
        Of the network's input.
    since
        When the measurement began, in seconds since 1970: a file that was written or moved there
        later may show something else.
    """
    try:
        state = path.stat()
    except OSError:
        return None
    if max(state.st_mtime, state.st_ctime) > since:
        return None
    try:
        pixels = shaped(read_image(path), tuple(size), "crop")
    except RFStudioError:
        return None
    rows, columns = (
        np.minimum(np.arange(n) * m // n, m - 1) for n, m in zip(size, pixels.shape, strict=False)
    )
    return pixels[np.ix_(rows, columns)]


def _picture(
    spread: FieldSpread,
    field: ImageField,
    window: tuple[slice, ...],
    photo_of: Callable[[ImageField], Photo | None],
) -> Picture:
    sigma = "zero" if field.sigma is None else f"σ {field.sigma:.3g}"
    name = field.name if len(field.name) <= 18 else f"{field.name[:17]}…"
    values, photo = whole_map(spread, field), photo_of(field)
    return Picture(
        title=f"{name}, {sigma}",
        map=np.zeros((1, 1)) if values is None else values[window],
        photo=None if photo is None or values is None else photo[window],
    )


def _order(spread: FieldSpread) -> Plot:
    """Return the size over the place in the order, and of units on and beside the object."""
    ordered = spread.ordered
    numbers: list[tuple[str, list[float | None]]] = [("the unit", [x.sigma for x in ordered])]
    numbers.append(("a unit on the object", [x.on_object for x in ordered]))
    numbers.append(("a unit on the background", [x.on_background for x in ordered]))
    curves = []
    for colour, (label, values) in enumerate(numbers):
        points = [(i, x) for i, x in enumerate(values, 1) if x is not None]
        if points:
            xs, ys = zip(*points, strict=True)
            curves.append(Curve(label=label, xs=xs, ys=ys, colour=colour))
    found = spread.spread_of(lambda x: x.sigma)
    if found is not None:
        label = f"mean {found.mean:.3g} ± {found.deviation:.2g}"
        ends, level = (1, len(ordered)), [found.mean] * 2
        curves.insert(1, Curve(label=label, xs=ends, ys=level, is_published=True))
    return Plot(
        title="images by the size of their field",
        x_label="place in the order",
        y_label="σ (px)",
        curves=tuple(curves),
    )
