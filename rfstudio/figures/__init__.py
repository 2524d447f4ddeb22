"""Publication figures, drawn with matplotlib and without Qt, for window and command line."""

from rfstudio.figures.growth import Growth, draw_growth, growth_of, render_growth
from rfstudio.figures.plots import new_axes
from rfstudio.figures.render import draw, render
from rfstudio.figures.scene import Scene, scene_of, scene_of_map, scene_of_view
from rfstudio.figures.sheet import Curve, Picture, Plot, Sheet, render_sheet
from rfstudio.figures.style import SUFFIXES, FigureError, FigureStyle, figure_kind

__all__ = [
    "SUFFIXES",
    "Curve",
    "FigureError",
    "FigureStyle",
    "Growth",
    "Picture",
    "Plot",
    "Scene",
    "Sheet",
    "draw",
    "draw_growth",
    "figure_kind",
    "growth_of",
    "new_axes",
    "render",
    "render_growth",
    "render_sheet",
    "scene_of",
    "scene_of_map",
    "scene_of_view",
]
