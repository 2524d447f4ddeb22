"""Values become publication figures with matplotlib; no Qt, for window and command line."""

from rfstudio.figures.render import SUFFIXES, FigureStyle, render
from rfstudio.figures.scene import FigureError, Scene, scene_of

__all__ = ["SUFFIXES", "FigureError", "FigureStyle", "Scene", "render", "scene_of"]
