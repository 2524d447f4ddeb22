"""Draws several units side by side, and how their effective fields differ from the first one."""

from __future__ import annotations

from functools import partial
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from rfstudio.core.fields.comparable import map_text
from rfstudio.core.metrics.difference import DifferenceError, FieldDifference, difference_of
from rfstudio.figures.cells import Cell, draw_cells
from rfstudio.figures.render import draw_frames, draw_scene, form_of, scene_handles, view_of
from rfstudio.figures.shades import LOG_DECADES, difference_map, shading_map
from rfstudio.figures.style import FigureError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from rfstudio.figures.panel import Panel
    from rfstudio.figures.style import FigureStyle


def draw_comparison(panels: Sequence[Panel], style: FigureStyle) -> Figure:
    """Return the figure of several units, to be called within `print_settings`."""
    return _draw(panels, style, [])


def draw_difference(panels: Sequence[Panel], style: FigureStyle) -> Figure:
    """Return the same with the first effective field minus each other one.

    Raises
    ------
    FigureError
        If there are fewer than two fields, or they are over inputs of different size.
    """
    if len(panels) < 2:
        raise FigureError("a difference needs two fields: name two units, networks or estimators")
    found = []
    for panel in panels[1:]:
        maps = [map_text(x.analysis) for x in (panels[0], panel)]
        if maps[0] != maps[1]:
            raise FigureError(
                f"{panels[0].title} minus {panel.title}: one field is over {maps[0]}, the other "
                f"over {maps[1]}"
            )
        try:
            found.append(difference_of(panels[0].field.map, panel.field.map))
        except DifferenceError as error:
            raise FigureError(f"{panels[0].title} minus {panel.title}: {error}") from None
    return _draw(panels, style, found)


def _draw(
    panels: Sequence[Panel], style: FigureStyle, differences: Sequence[FieldDifference]
) -> Figure:
    cells = [_cell(x, panels, style) for x in panels]
    largest = max((x.largest for x in differences), default=0.0) or 1.0
    letters = ascii_lowercase
    for i, (panel, difference) in enumerate(zip(panels[1:], differences, strict=False), 1):
        cells.append(
            Cell(
                lines=(
                    f"a − {letters[i % 26]}",
                    f"{100 * difference.moved:.3g} % is elsewhere" if difference.moved else "equal",
                ),
                draw=partial(
                    _draw_difference, panel=panel, found=difference, top=largest, style=style
                ),
                form=form_of(panel.scene),
                pixels=_across(panel),
                samples=panel.samples,
            )
        )
    columns = None
    if differences and len(panels) == 2:
        # Two in a row leave room for the names of both fields.
        columns = 3 if style.width_mm >= 110 else 2
    has_fields = any(x.erf is not None for x in panels)
    numbers = [f"{letters[i]}: {'; '.join(_numbers(x))}" for i, x in enumerate(panels[:26])]
    numbers += _origins(panels)
    if has_fields:
        numbers.append("each effective field is shaded up to its own peak")
    if differences:
        numbers.append("differences are of fields that are divided by their sums")
    return draw_cells(
        cells,
        style,
        title=_title(panels),
        numbers=numbers,
        handles=_handles(panels, style),
        columns=columns,
        bars=_bars(style, has_fields=has_fields, largest=largest if differences else None),
    )


def _title(panels: Sequence[Panel]) -> str:
    """Return the layers of each network, which is named once."""
    layers: dict[str, dict[str, None]] = {}
    for panel in panels:
        layers.setdefault(panel.name, {})[panel.layer] = None
    return "; ".join(f"{name}, {', '.join(found)}" for name, found in layers.items())


def _cell(panel: Panel, panels: Sequence[Panel], style: FigureStyle) -> Cell:
    """Return a picture that says how it differs from the others: by network, layer, unit, field."""
    name = [panel.name] if len({x.name for x in panels}) > 1 or len(panels) == 1 else []
    if len({x.layer for x in panels}) > 1 or len({x.unit for x in panels}) > 1 or not name:
        is_other = len({x.unit for x in panels}) > 1
        name.append(f"{panel.layer}, {panel.unit_text}" if is_other else panel.layer)
    lines = (*name, panel.erf_label.removeprefix("effective field, ")) if panel.erf else tuple(name)

    def draw(axes: Axes, width: float) -> None:
        draw_scene(axes, panel.scene, style, width)

    return Cell(
        lines=tuple(lines),
        draw=draw,
        form=form_of(panel.scene),
        pixels=_across(panel),
        samples=panel.samples,
    )


def _across(panel: Panel) -> float:
    low, high = view_of(panel.scene)[1]
    return high - low


def _draw_difference(
    axes: Axes,
    _width: float,
    *,
    panel: Panel,
    found: FieldDifference,
    top: float,
    style: FigureStyle,
) -> None:
    height, width = panel.scene.input_size
    values = found.map
    if panel.shown_slice is not None:
        values = values[panel.shown_slice]
    axes.imshow(
        values.reshape(-1, values.shape[-1]),
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        cmap=difference_map(style),
        vmin=-top,
        vmax=top,
        interpolation="nearest",
    )
    draw_frames(axes, panel.scene, style)
    vertical, horizontal = view_of(panel.scene)
    axes.set_xlim(horizontal)
    axes.set_ylim(vertical[1], vertical[0])
    axes.set_aspect("auto" if panel.scene.strip else "equal")


def _numbers(panel: Panel) -> list[str]:
    """Return the few numbers for which there is room below several pictures."""
    field = [x for x in panel.scene.numbers if x.startswith(("theoretical", "local", "slice"))]
    return [*(x.partition(" (")[0] for x in field), *panel.erf_numbers[:2]]


def _origins(panels: Sequence[Panel]) -> list[str]:
    """Return how measured fields came about, each way with the letters of its pictures."""
    found: dict[str, list[str]] = {}
    for letter, panel in zip(ascii_lowercase, panels, strict=False):
        if panel.origin:
            found.setdefault(panel.origin, []).append(letter)
    if len(found) == 1 and len(panels) == sum(map(len, found.values())):
        return list(found)
    return [f"{', '.join(letters)} {origin}" for origin, letters in found.items()]


def _handles(panels: Sequence[Panel], style: FigureStyle) -> list[Any]:
    found: dict[str, Any] = {}
    for panel in panels:
        for handle in scene_handles(panel.scene, style):
            label = handle.get_label()
            if label == panel.scene.erf_label:
                continue  # the colour bar says it
            found.setdefault(label, handle)
    return list(found.values())


def _bars(
    style: FigureStyle, *, has_fields: bool, largest: float | None
) -> list[tuple[Any, str, list[tuple[float, str]]]]:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bars: list[tuple[Any, str, list[tuple[float, str]]]] = []
    if has_fields:
        ticks = [(0.0, "0"), (0.5, "½"), (1.0, "1")]
        if style.scale == "log":
            ticks = [(x / LOG_DECADES, f"{10 ** (x - LOG_DECADES):g}") for x in (0, 1, 2, 3)]
        scale = ScalarMappable(Normalize(0, 1), shading_map(style))
        bars.append((scale, "share of the peak", ticks))
    if largest is not None:
        scale = ScalarMappable(Normalize(-largest, largest), difference_map(style))
        ends = [(-largest, f"−{largest:.2g}"), (0.0, "0"), (largest, f"+{largest:.2g}")]
        bars.append((scale, "difference (share of the peak)", ends))
    return bars
