"""The canvas in words: the sentence above it, and what is under the pointer."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from rfstudio.app.wording.texts import short_name, some_names
from rfstudio.core.axes.unit_intervals import Interval
from rfstudio.core.network.physical import Axis, sized_text
from rfstudio.core.network.sample_words import Units
from rfstudio.widgets.canvas.shading import signal_value
from rfstudio.widgets.canvas.sight import Sight

_RED_DOT = '<span style="color:#d62728">■</span>'
_PURPLE_DOT = '<span style="color:#8c3fd1">■</span>'
_BLUE_DOT = '<span style="color:#1252d9">■</span>'
RED = f"{_RED_DOT}&nbsp;<b>red frame</b>"
_PURPLE = f"{_PURPLE_DOT}&nbsp;<b>purple frame</b>"
DASHED = "<b>Dashed</b>"
BLUE = f"{_BLUE_DOT}&nbsp;<b>Blue</b>"


def extent(region: Sequence[Interval]) -> str:
    """Return the size of a region: ``196×196``."""
    return "×".join(str(b - a + 1) for a, b in region)


def sized(region: Sequence[Interval], axes: Sequence[Axis], units: Units) -> str:
    """Return the size of a region in samples and in the units of the axes, as rich text."""
    text = sized_text(extent(region), axes, [b - a + 1 for a, b in region])
    return escape(units.said(text)).replace(" ", "&nbsp;")


def caption(sight: Sight, erf_name: str, shading: str, why_none: str = "") -> str:
    """Return what the canvas shows, in a sentence or two of rich text.

    Parameters
    ----------
    sight
        What the unit sees.
    erf_name
        "expected" or "measured"; empty while no effective field is shown.
    shading
        The name of the shading: "blue", or that of a colour map.
    why_none
        Why there is no effective field, in a sentence; empty: there is one, or none is wanted.
    """
    view = sight.view
    where = ", ".join(map(str, sight.unit))
    who = f"Unit ({where}) of <b>{escape(short_name(sight.layer.layer))}</b>"
    if sight.trouble or view is None or view.theoretical_region is None:
        return who
    region, visible = view.theoretical_region, view.visible_region
    units = sight.layer.analysis.units
    is_global = all(sight.layer.analysis[sight.layer.layer].is_global)
    what = "whole input" if is_global else f"{RED}, {sized(region, view.axes, units)}"
    near = view.local_region
    whole = "it"
    if near is not None and near != region:
        # The local frame was named last, and may reach beyond the image.
        whole = "the input" if is_global else "the red frame"
        through = escape(some_names(sight.layer.analysis[sight.layer.layer].context, 1))
        what += f" through <b>{through}</b>; locally {_PURPLE}, {sized(near, view.axes, units)}"
    words = [f"{who} can see the {what}."]
    if visible is not None:
        read = "" if not sight.has_holes else f": {_percent(1 - view.gridding)} of it, the dots"
        words.append(
            f"All of {whole} reaches the unit{read}."
            if visible == region and not read
            else f"{DASHED}: what really reaches it, {extent(visible)}{read}."
        )
    if erf_name:
        tone = BLUE if shading == "blue" else f"<b>{escape(shading.capitalize())}</b>"
        words.append(f"{tone}: how strongly each {units.one} moves it ({erf_name}).")
    elif why_none:
        words.append(escape(why_none))
    analysis = sight.layer.analysis
    if analysis.reference != 0:
        name = escape(short_name(analysis.graph.nodes[analysis.reference].name))
        words.append(f"All sizes are in samples of the map of <b>{name}</b>.")
    return " ".join(words)


def brief_caption(sight: Sight, erf_name: str) -> str:
    """Return the `caption` in few words, for a narrow canvas, of which it is two lines at most."""
    view = sight.view
    where = ", ".join(map(str, sight.unit))
    who = f"({where}) of <b>{escape(short_name(sight.layer.layer, 12))}</b>"
    if sight.trouble or view is None or view.theoretical_region is None:
        return who
    region, visible, near = view.theoretical_region, view.visible_region, view.local_region
    is_global = all(sight.layer.analysis[sight.layer.layer].is_global)
    words = ["whole input" if is_global else f"{_RED_DOT}&nbsp;{extent(region)}"]
    if near is not None and near != region:
        words.append(f"{_PURPLE_DOT}&nbsp;{extent(near)}")
    if visible is not None and visible != region:
        words.append(f"{DASHED}&nbsp;{extent(visible)}")
    if erf_name:
        words.append(f"{_BLUE_DOT}&nbsp;{erf_name}")
    return f"{who}: {', '.join(words)}"


def under_pointer(
    sight: Sight,
    position: tuple[float, ...],
    colour: tuple[int, int, int] | None,
    erf: NDArray[np.float64] | None,
) -> str:
    """Return what is under the pointer, for the status line.

    Parameters
    ----------
    sight
        What the unit sees.
    position
        A position of the input, in pixels.
    colour
        Red, green and blue of the image there, if there is an image.
    erf
        The effective field shown, in the shape of the input.
    """
    size = sight.layer.plane.size
    pixel = tuple(int(np.floor(x + 0.5)) for x in position)
    axes = ("z", "y", "x")[-len(size) :]
    words = [", ".join(f"{axis} {p}" for axis, p in zip(axes, pixel, strict=True))]
    units = sight.layer.analysis.units
    if not all(0 <= p < n for p, n in zip(pixel, size, strict=True)):
        is_padding = _is_in(pixel, sight)
        words.append(
            f"outside the {units.whole}" + (", padding of the field" if is_padding else "")
        )
        return "  ·  ".join(words)
    if colour is not None:
        is_signal = sight.layer.plane.is_strip
        words.append(
            f"value {signal_value(colour):+.2f}" if is_signal else "RGB {} {} {}".format(*colour)
        )
    if erf is not None and erf.shape == size:
        peak = float(erf.max())
        if peak > 0:
            words.append(f"ERF {_percent(float(erf[pixel]) / peak)} of its peak")
    if sight.view is not None:
        words.append("reaches the unit" if sight.reads(pixel) else "does not reach the unit")
    return "  ·  ".join(words)


def _is_in(pixel: tuple[int, ...], sight: Sight) -> bool:
    region = None if sight.view is None else sight.view.theoretical_region
    return region is not None and all(a <= p <= b for p, (a, b) in zip(pixel, region, strict=True))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
