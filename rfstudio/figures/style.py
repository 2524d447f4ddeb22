"""The style of figures, apart from their content: sizes, fonts and file formats for print."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rfstudio.core.errors import RFStudioError
from rfstudio.figures.pdf_fonts import plain_fonts
from rfstudio.figures.wrapping import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEXT_POINTS = 7.0
"""Size of the letters; journals require 6 to 8 points."""

WIDTHS = (20, 1000)
"""Least and largest width of a figure, in millimetres."""

RESOLUTIONS = (30, 2400)
"""Least and largest resolution of a figure, in dots per inch."""

_FONT_OF_SVG = b"font-family: 'DejaVu Sans'"
_FONTS_OF_SVG = _FONT_OF_SVG + b", Verdana, sans-serif"
"""Where the font of a figure is missing, one with letters as wide, or any without serifs."""

_ONE_AT_A_TIME = threading.RLock()

SUFFIXES = (".png", ".svg", ".pdf")
"""The formats of a figure, as endings of a file's name."""


class FigureError(RFStudioError):
    """The requested figure cannot be drawn."""


ThemeName: TypeAlias = Literal["print", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Theme:
    """The colours of a figure besides those of its data.

    Attributes
    ----------
    paper, ink
        Of the ground, and of letters and lines.
    muted
        Of what is read second: numbers at axes, remarks.
    rule
        Of axes and thin lines.
    beyond
        Of the plane outside the image.
    field
        The blue of effective fields, which must be seen on the ground.
    """

    paper: str
    ink: str
    muted: str
    rule: str
    beyond: str
    field: str = "#1252d9"


THEMES: Mapping[ThemeName, Theme] = MappingProxyType(
    {
        "print": Theme("#ffffff", "#111111", "#444444", "#777777", "#f0f0f0"),
        "light": Theme("#fafafa", "#1b1f24", "#4c545e", "#8b939c", "#ececee"),
        "dark": Theme("#1d2024", "#f1f3f5", "#b4bac2", "#7d858f", "#2a2e34", "#6ea0ff"),
    }
)
"""For paper: black on white; for slides, light and dark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureStyle:
    """How a figure is drawn, apart from its content.

    Attributes
    ----------
    width_mm
        Width of the whole figure, in millimetres; 85 is a usual column, 174 a page.
    dpi
        Dots per inch of a PNG, and of the pixel images inside SVG and PDF.
    colour
        Whether the photo is in colour; on gray the blue of an effective field is easier to
        see.
    dim
        How much of what the unit does not see fades, from 0 (nothing) to 1 (to white).
    scale
        Whether the shading of the effective field is linear or logarithmic over three decades, and
        whether the axes of a chart of growth are logarithmic, with fitted slopes.
    theme
        "print": black on white; "light" or "dark": for slides.
    caption, legend, axes
        Whether the numbers, the key to the lines, and pixel numbers at the border are drawn.
    """

    width_mm: float = 120.0
    dpi: int = 300
    colour: bool = False
    dim: float = 0.55
    scale: Literal["linear", "log"] = "linear"
    theme: ThemeName = "print"
    caption: bool = True
    legend: bool = True
    axes: bool = True

    def __post_init__(self) -> None:
        for name, (least, most), value, unit in (
            ("width", WIDTHS, self.width_mm, "mm"),
            ("resolution", RESOLUTIONS, self.dpi, "dpi"),
        ):
            if not least <= value <= most:
                raise FigureError(
                    f"the {name} must be from {least} to {most} {unit}, not {value:g}"
                )
        if self.theme not in THEMES:
            raise FigureError(f"a theme is {', '.join(THEMES)}, not '{self.theme}'")

    @property
    def colours(self) -> Theme:
        """The colours of its theme."""
        return THEMES[self.theme]


def figure_kind(suffix: str) -> str:
    """Return the format that an ending means: one of `SUFFIXES`.

    Raises
    ------
    FigureError
        If it means none.
    """
    kind = suffix.lower()
    if kind not in SUFFIXES:
        raise FigureError(
            f"a figure is a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file, not '{suffix}'"
        )
    return kind


@contextmanager
def print_settings(style: FigureStyle | None = None) -> Iterator[None]:
    """Let matplotlib draw in a style while the context lasts: text stays text in SVG and PDF."""
    # matplotlib takes half a second to load, so it loads when the first figure is drawn.
    import matplotlib as mpl

    theme = THEMES["print"] if style is None else style.colours
    settings: Any = {
        "figure.facecolor": theme.paper,
        "axes.facecolor": theme.paper,
        "savefig.facecolor": theme.paper,
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.edgecolor": theme.rule,
        "xtick.color": theme.rule,
        "ytick.color": theme.rule,
        "xtick.labelcolor": theme.muted,
        "ytick.labelcolor": theme.muted,
        "axes.labelsize": TEXT_POINTS,
        "axes.titlesize": TEXT_POINTS,
        "legend.fontsize": TEXT_POINTS,
        "xtick.labelsize": TEXT_POINTS,
        "ytick.labelsize": TEXT_POINTS,
        "legend.frameon": False,
        "font.family": ["DejaVu Sans"],
        "font.size": TEXT_POINTS,
        "pdf.fonttype": 42,
        "svg.fonttype": "none",
        "svg.hashsalt": "rfstudio",
        "axes.linewidth": 0.5,
        "text.usetex": False,
    }
    # The settings are those of the whole process, so one thread draws at a time.
    with _ONE_AT_A_TIME, mpl.rc_context(settings), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; that needs no warning.
        warnings.filterwarnings("ignore", "(?s)Glyph .* missing")
        yield


def figure_bytes(figure: Figure, kind: str, dpi: int, title: str) -> bytes:
    """Return a figure as the bytes of a file; no date is written, so equal figures are equal."""
    undated = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}[kind]
    buffer = io.BytesIO()
    with plain_fonts() if kind == ".pdf" else nullcontext():
        figure.savefig(
            buffer,
            format=kind[1:],
            dpi=dpi,
            metadata={**undated, "Title": one_line(title)},
        )
    data = buffer.getvalue()
    return data.replace(_FONT_OF_SVG, _FONTS_OF_SVG) if kind == ".svg" else data
