"""Draws a lesson as a page: the unit that it is about, what to see, what to change, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rfstudio.figures.page import LINE, MARGIN, inner_width, new_page
from rfstudio.figures.render import draw_scene, form_of, scene_handles
from rfstudio.figures.style import TEXT_POINTS
from rfstudio.figures.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rfstudio.figures.panel import Panel
    from rfstudio.figures.scene import Scene
    from rfstudio.figures.style import FigureStyle

_AROUND = 3.0
"""How many times the field a picture is wide, if the field is small."""

_GAP = 0.15
_BESIDE = 3.8
"""Inches from which the text is beside the picture."""


NO_LESSON = "no lesson is open: Help › Lessons has them"


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonText:
    """The words of a lesson.

    Attributes
    ----------
    title
        With its number.
    parts
        Headings with their texts: See, Change, Why, Source.
    """

    title: str
    parts: tuple[tuple[str, str], ...]


def draw_lesson(panel: Panel, lesson: LessonText, style: FigureStyle) -> Figure:
    """Return the whole figure, to be called within `print_settings`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    room = inner_width(style)
    is_beside = room >= _BESIDE
    width = 0.42 * room if is_beside else room
    tall = min(form_of(panel.scene), 1.5) * width
    canvas = FigureCanvasAgg(Figure(figsize=(style.width_mm / 25.4, 1)))
    lines = _lines(canvas, lesson, room - width - _GAP if is_beside else room)
    high = LINE * len(lines)
    body = max(tall, high) if is_beside else tall + _GAP + high
    page = new_page(
        style,
        body,
        title=panel.title,
        numbers=panel.caption(style),
        handles=scene_handles(panel.scene, style),
    )
    axes = page.axes(MARGIN, 0.0, width, tall)
    draw_scene(axes, panel.scene, style, width)
    _zoom(axes, panel.scene)
    axes.set_xticks([])
    axes.set_yticks([])
    left, down = (MARGIN + width + _GAP, 0.0) if is_beside else (MARGIN, tall + _GAP)
    for i, (text, is_heading) in enumerate(lines):
        weight = "bold" if is_heading else "normal"
        page.write(left, down + LINE * i, text, weight=weight)
    return page.figure


def _zoom(axes: Axes, scene: Scene) -> None:
    """Show a small field with some of the image around it, not all of the image."""
    if scene.theoretical is None or scene.strip:
        return
    middles = [(a + b) / 2 for a, b in scene.theoretical]
    half = _AROUND * max(b - a + 1 for a, b in scene.theoretical) / 2
    if 2 * half < min(scene.input_size):
        axes.set_xlim(middles[1] - half, middles[1] + half)
        axes.set_ylim(middles[0] + half, middles[0] - half)


def _lines(canvas: Any, lesson: LessonText, room: float) -> Sequence[tuple[str, bool]]:
    """Return lines of text, and whether each is a heading."""
    found = [
        (x, True) for x in wrapped(canvas, (lesson.title,), room, points=TEXT_POINTS, bold=True)
    ]
    for heading, text in lesson.parts:
        found += [("", False), (heading, True)]
        found += [(x, False) for x in wrapped(canvas, (text,), room, points=TEXT_POINTS)]
    return found
