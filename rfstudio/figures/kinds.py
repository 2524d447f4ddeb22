"""The kinds of figures: one registry for window, command line and Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias

from rfstudio.figures.answers import Answer, draw_pixel, draw_tiles
from rfstudio.figures.attention import AttentionView, draw_attention
from rfstudio.figures.comparison import draw_comparison, draw_difference
from rfstudio.figures.convergence import Convergence, draw_convergence
from rfstudio.figures.diagram import draw_diagram
from rfstudio.figures.film import Frame, draw_film
from rfstudio.figures.growth import Growth, draw_growth_page
from rfstudio.figures.lesson import NO_LESSON, LessonText, draw_lesson
from rfstudio.figures.panel import Panel
from rfstudio.figures.render import draw_page
from rfstudio.figures.sections import draw_sections
from rfstudio.figures.style import (
    FigureError,
    FigureStyle,
    figure_bytes,
    figure_kind,
    print_settings,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Subjects: TypeAlias = Literal[
    "unit", "units", "network", "networks", "run", "lesson", "attention", "answer"
]
"""What a figure is about."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """What a figure shows; each kind reads what it needs.

    Attributes
    ----------
    panels
        Units with their fields, or networks.
    growths
        Curves over depth.
    curves
        Measurements.
    frames
        Of films.
    lesson
        The words of a lesson, about the first panel.
    attention
        What was measured of attention layers.
    answer
        Tiles of the input, or the units that read a pixel.
    """

    panels: tuple[Panel, ...] = ()
    growths: tuple[Growth, ...] = ()
    curves: tuple[Convergence, ...] = ()
    frames: tuple[Frame, ...] = ()
    lesson: LessonText | None = None
    attention: AttentionView | None = None
    answer: Answer | None = None

    @property
    def panel(self) -> Panel:
        """The first panel.

        Raises
        ------
        FigureError
            If there is none.
        """
        if not self.panels:
            raise FigureError("there is nothing to draw; choose a layer")
        return self.panels[0]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of figure.

    Attributes
    ----------
    word
        What the command line calls it.
    title
        What the window calls it.
    what
        What it shows, in a sentence.
    subjects
        What it is about.
    needs_field
        Whether it cannot be drawn without an effective field.
    draw
        Draws it, within `print_settings`.
    """

    word: str
    title: str
    what: str
    subjects: Subjects
    draw: Callable[[Content, FigureStyle], Figure]
    needs_field: bool = False

    @property
    def has_photo(self) -> bool:
        """Whether it shows the photo."""
        return self.subjects == "answer" or self.word in (
            "fields",
            "comparison",
            "difference",
            "lesson",
            "attention",
        )

    @property
    def has_shades(self) -> bool:
        """Whether its scale may be logarithmic."""
        return self.subjects != "answer" and self.word not in ("network", "convergence")


def _draw_fields(content: Content, style: FigureStyle) -> Figure:
    panel = content.panel
    return draw_page(replace(panel.scene, numbers=panel.caption(style)), style)


def _draw_lesson(content: Content, style: FigureStyle) -> Figure:
    if content.lesson is None:
        raise FigureError(NO_LESSON)
    return draw_lesson(content.panel, content.lesson, style)


_ALL = (
    Kind(
        "fields",
        "Fields of the unit, on the image",
        "What one unit sees, on the image, with a legend and numbers.",
        "unit",
        _draw_fields,
    ),
    Kind(
        "growth",
        "Growth with depth",
        "Sizes of fields against depth, of one network or several; logarithmic with fitted slopes.",
        "networks",
        lambda content, style: draw_growth_page(content.growths, style),
    ),
    Kind(
        "field",
        "Effective field with sections",
        "The effective field of one unit, with sections through its centre and fitted Gaussians.",
        "unit",
        lambda content, style: draw_sections((content.panel,), style),
        needs_field=True,
    ),
    Kind(
        "comparison",
        "Several units side by side",
        "Units of networks, layers or estimators side by side.",
        "units",
        lambda content, style: draw_comparison(content.panels, style),
    ),
    Kind(
        "difference",
        "Differences of effective fields",
        "The same, and the first effective field minus each other one.",
        "units",
        lambda content, style: draw_difference(content.panels, style),
        needs_field=True,
    ),
    Kind(
        "network",
        "Diagram of the network",
        "Layers, or containers of many, as boxes with their sizes and fields.",
        "network",
        lambda content, style: draw_diagram((content.panel,), style),
    ),
    Kind(
        "convergence",
        "Convergence of a measurement",
        "The distance of measured fields from the expected one, sample by sample.",
        "units",
        lambda content, style: draw_convergence(content.curves, style),
    ),
    Kind(
        "film",
        "Film of a training",
        "The effective field at the steps of a training, from the folder of an experiment.",
        "run",
        lambda content, style: draw_film(content.frames, style),
    ),
    Kind(
        "attention",
        "Attention",
        "Where one query looks, by head of one layer or by layer, and how far all queries do.",
        "attention",
        lambda content, style: draw_attention(content.attention, style),
    ),
    Kind(
        "tiles",
        "Tiles of the image",
        "How the input is cut into tiles whose results equal those of the whole.",
        "answer",
        lambda content, style: draw_tiles(content.answer, style),
    ),
    Kind(
        "pixel",
        "Units that read a pixel",
        "A pixel of the input, and which units of a layer read it.",
        "answer",
        lambda content, style: draw_pixel(content.answer, style),
    ),
    Kind(
        "lesson",
        "Lesson",
        "A lesson as a page: its unit, what to see, what to change, and why.",
        "lesson",
        _draw_lesson,
    ),
)

KINDS: Mapping[str, Kind] = MappingProxyType({x.word: x for x in _ALL})
"""All kinds, by their words."""


def kind_of(word: str) -> Kind:
    """Return a kind by its word.

    Raises
    ------
    FigureError
        If there is no such kind.
    """
    if word not in KINDS:
        raise FigureError(f"a figure is one of {', '.join(KINDS)}, not {word!r}")
    return KINDS[word]


def render_kind(word: str, content: Content, suffix: str, style: FigureStyle) -> bytes:
    """Return a figure as the bytes of a PNG, SVG or PDF file; equal content gives equal bytes.

    Raises
    ------
    FigureError
        If there is no such kind or format, or the content has not what the kind shows.
    """
    kind, form = kind_of(word), figure_kind(suffix)
    with print_settings(style):
        figure = kind.draw(content, style)
        title = content.panels[0].name if content.panels else kind.title
        if kind.subjects == "attention" and content.attention is not None:
            title = content.attention.title
        if kind.subjects == "answer" and content.answer is not None:
            title = content.answer.name
        return figure_bytes(figure, form, style.dpi, title)
