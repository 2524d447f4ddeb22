"""Publication figures, drawn with matplotlib and without Qt, for window and command line."""

from rfstudio.figures.growth import Growth, growth_of, render_growth
from rfstudio.figures.render import render
from rfstudio.figures.scene import Scene, scene_of
from rfstudio.figures.style import SUFFIXES, FigureError, FigureStyle, figure_kind

__all__ = [
    "SUFFIXES",
    "FigureError",
    "FigureStyle",
    "Growth",
    "Scene",
    "figure_kind",
    "growth_of",
    "render",
    "render_growth",
    "scene_of",
]
