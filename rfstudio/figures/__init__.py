"""Publication figures, drawn with matplotlib and without Qt, for window and command line."""

from rfstudio.figures.attention import AttentionView
from rfstudio.figures.convergence import Convergence
from rfstudio.figures.film import Frame
from rfstudio.figures.growth import Growth, draw_growth, growth_of, render_growth
from rfstudio.figures.kinds import KINDS, Content, Kind, kind_of, render_kind
from rfstudio.figures.lesson import LessonText
from rfstudio.figures.panel import Panel
from rfstudio.figures.plots import new_axes
from rfstudio.figures.render import draw, render
from rfstudio.figures.scene import Scene, scene_of, scene_of_map, scene_of_view
from rfstudio.figures.sheet import Curve, Picture, Plot, Sheet, render_sheet
from rfstudio.figures.style import (
    SUFFIXES,
    THEMES,
    FigureError,
    FigureStyle,
    Theme,
    ThemeName,
    figure_kind,
)

__all__ = [
    "KINDS",
    "SUFFIXES",
    "THEMES",
    "AttentionView",
    "Content",
    "Convergence",
    "Curve",
    "FigureError",
    "FigureStyle",
    "Frame",
    "Growth",
    "Kind",
    "LessonText",
    "Panel",
    "Picture",
    "Plot",
    "Scene",
    "Sheet",
    "Theme",
    "ThemeName",
    "draw",
    "draw_growth",
    "figure_kind",
    "growth_of",
    "kind_of",
    "new_axes",
    "render",
    "render_growth",
    "render_kind",
    "render_sheet",
    "scene_of",
    "scene_of_map",
    "scene_of_view",
]
