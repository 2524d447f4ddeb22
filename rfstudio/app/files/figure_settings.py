"""Settings of a figure for print: what it shows and how; remembered for the next figure."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from rfstudio.app.state.settings import Settings
from rfstudio.figures import FigureError, FigureStyle

__all__ = [
    "RESOLUTIONS",
    "WIDTHS",
    "FigureSettings",
    "FigureStyle",
    "remember_figure",
    "remembered_figure",
]

Content = Literal["fields", "growth"]

WIDTHS = (20, 1000)
"""Least and largest width of a figure, in millimetres."""

RESOLUTIONS = (30, 2400)
"""Least and largest resolution of a figure, in dots per inch."""


@dataclass(frozen=True, slots=True)
class FigureSettings:
    """What a figure shows, and how it is drawn.

    Attributes
    ----------
    content
        "fields": those of the chosen unit, on the image; "growth": size against depth.
    style
        Width, resolution and so on.
    """

    content: Content = "fields"
    style: FigureStyle = field(default_factory=lambda: FigureStyle(colour=True))


def remembered_figure(settings: Settings) -> FigureSettings:
    """Return the last settings; what is missing or makes no sense has its default."""
    usual = FigureSettings()
    style = replace(
        usual.style,
        colour=settings.flag("figure/colour", usual.style.colour),
        scale="log" if settings.text("figure/scale") == "log" else "linear",
        caption=settings.flag("figure/caption", usual.style.caption),
        legend=settings.flag("figure/legend", usual.style.legend),
    )
    with suppress(FigureError, ValueError, OverflowError):  # the file may have been edited
        style = replace(
            style,
            width_mm=settings.number("figure/width_mm", style.width_mm),
            dpi=round(settings.number("figure/dpi", style.dpi)),
        )
    content: Content = "growth" if settings.text("figure/content") == "growth" else "fields"
    return FigureSettings(content, style)


def remember_figure(settings: Settings, figure: FigureSettings) -> None:
    """Remember these settings for the next figure."""
    settings.set("figure/content", figure.content)
    for name in ("width_mm", "dpi", "colour", "scale", "caption", "legend"):
        settings.set(f"figure/{name}", getattr(figure.style, name))
