"""Settings of a figure for print: what it shows and how; remembered for the next figure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace

from rfstudio import figures
from rfstudio.app.state.settings import Settings
from rfstudio.figures import FigureError, FigureStyle, ThemeName
from rfstudio.figures.style import RESOLUTIONS, WIDTHS

__all__ = [
    "KINDS",
    "RESOLUTIONS",
    "THEMES",
    "WIDTHS",
    "FigureSettings",
    "FigureStyle",
    "remember_figure",
    "remembered_figure",
    "uses_of",
]

KINDS = tuple((x.title, x.word) for x in figures.KINDS.values())
"""Titles and words of all kinds of figures."""

THEMES = (("Print, black on white", "print"), ("Slide, light", "light"), ("Slide, dark", "dark"))
"""Titles and words of the themes of figures."""


@dataclass(frozen=True, slots=True)
class FigureSettings:
    """What a figure shows, and how it is drawn.

    Attributes
    ----------
    content
        One of the words of `KINDS`.
    style
        Width, resolution and so on.
    """

    content: str = "fields"
    style: FigureStyle = field(default_factory=lambda: FigureStyle(colour=True))


def remembered_figure(settings: Settings) -> FigureSettings:
    """Return the last settings; what is missing or makes no sense has its default."""
    usual = FigureSettings()
    style = replace(
        usual.style,
        colour=settings.flag("figure/colour", usual.style.colour),
        scale="log" if settings.text("figure/scale") == "log" else "linear",
        theme=_theme(settings.text("figure/theme")),
        caption=settings.flag("figure/caption", usual.style.caption),
        legend=settings.flag("figure/legend", usual.style.legend),
    )
    with suppress(FigureError, ValueError, OverflowError):  # the file may have been edited
        style = replace(
            style,
            width_mm=settings.number("figure/width_mm", style.width_mm),
            dpi=round(settings.number("figure/dpi", style.dpi)),
        )
    content = settings.text("figure/content")
    return FigureSettings(content if content in figures.KINDS else "fields", style)


def _theme(word: str) -> ThemeName:
    return next((x for x in figures.THEMES if x == word), "print")


def uses_of(content: str) -> tuple[bool, bool]:
    """Return whether a kind of figure shows the photo, and whether its scale may be logarithmic."""
    kind = figures.kind_of(content)
    return kind.has_photo, kind.has_shades


def remember_figure(settings: Settings, figure: FigureSettings) -> None:
    """Remember these settings for the next figure."""
    settings.set("figure/content", figure.content)
    for name in ("width_mm", "dpi", "colour", "scale", "theme", "caption", "legend"):
        settings.set(f"figure/{name}", getattr(figure.style, name))
