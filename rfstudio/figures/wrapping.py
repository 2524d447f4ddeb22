"""Breaks a caption into lines by the measured width of its letters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_USUAL = 64
"""About how many letters a line has."""


def one_line(text: str) -> str:
    """Return `text` with a space for each character that cannot be seen, such as a line's end.

    Most of these characters are not allowed in an SVG file.
    """
    return "".join(x if x.isprintable() else " " for x in text)


def wrapped(
    canvas: Any, texts: tuple[str, ...], width: float, *, points: float, bold: bool = False
) -> list[str]:
    """Return `texts` in as few lines as hold them; a text is split only if it is too long alone.

    Parameters
    ----------
    canvas
        A canvas of Agg, which measures the letters.
    texts
        Short texts; neighbours in a line are joined by a middle dot, and characters that cannot
        be seen, such as the end of a line, become spaces.
    width
        Room for a line, in inches.
    points
        Size of the letters.
    bold
        Whether they are bold.
    """

    def length(line: str) -> float:
        return text_width(canvas, line, points=points, bold=bold)

    lines: list[str] = []
    for text in map(one_line, texts):
        joined = f"{lines[-1]} · {text}" if lines else text
        if lines and length(joined) <= width:
            lines[-1] = joined
        else:
            lines.extend(broken(text, width, length))
    return lines


def text_width(canvas: Any, text: str, *, points: float, bold: bool = False) -> float:
    """Return how wide a line of text is, in inches, with a little room."""
    from matplotlib.font_manager import FontProperties

    font = FontProperties(family="DejaVu Sans", size=points, weight="bold" if bold else "normal")
    renderer = canvas.get_renderer()
    dots, _, _ = renderer.get_text_width_height_descent(text, font, ismath=False)
    # Letters have slightly other widths at other resolutions.
    return 1.04 * float(dots) / float(canvas.figure.dpi)


def in_lines(canvas: Any, text: str, width: float, *, points: float) -> list[str]:
    """Return a text in lines of `width` inches, of which none is cut.

    A path that is too long for a line is split after a point or an underscore, if it has one.
    """

    def length(line: str) -> float:
        return text_width(canvas, line, points=points)

    lines: list[str] = []
    for word in one_line(text).split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and length(joined) <= width:
            lines[-1] = joined
            continue
        rest = word
        while length(rest) > width:
            most = _fitting(rest, width, length)
            cut = max(rest.rfind(".", 0, most), rest.rfind("_", 0, most)) + 1 or most
            lines.append(rest[:cut])
            rest = rest[cut:]
        lines.append(rest)
    return lines


def broken(text: str, width: float, length: Callable[[str], float]) -> list[str]:
    """Return one text in lines of `width` inches, split where it must be."""
    lines = []
    while (fitting := _fitting(text, width, length)) < len(text):
        space = text.rfind(" ", 1, fitting + 1)
        cut = space if space > 0 else fitting
        lines.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [*lines, text]


def _fitting(text: str, width: float, length: Callable[[str], float]) -> int:
    """Return how many letters fit into `width` inches, at least one if there are any.

    A text is never wider than a longer one that begins with it, so a few measurements find the
    last letter that fits; long texts are not measured as a whole, which takes milliseconds.
    """
    fits, too_many = min(1, len(text)), len(text) + 1
    reach = _USUAL
    while fits + 1 < too_many:
        tried = min(reach, len(text)) if too_many > len(text) else (fits + too_many) // 2
        if length(text[:tried]) <= width:
            fits = tried
            reach *= 2
        else:
            too_many = tried
    return fits
