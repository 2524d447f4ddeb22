"""Measured attention as a sheet: distances by layer, and maps of one query by head."""

from __future__ import annotations

from collections.abc import Sequence

from rfstudio.core.metrics.attention import LayerAttention
from rfstudio.core.metrics.registry import digits_text
from rfstudio.figures.sheet import Curve, Picture, Plot, Sheet

_MOST_HEADS = 12
"""Heads of a layer whose maps are drawn."""

_MOST_LINES = 12
"""Layers whose maps are drawn."""


def attention_sheet(layers: Sequence[LayerAttention], title: str, note: str = "") -> Sheet:
    """Return the distances of several layers as curves, and the maps of their query."""
    return Sheet(
        title=title,
        plots=_plots(layers),
        pictures=tuple([(x.layer, _pictures(x)) for x in _spread_out(layers) if len(x.size) == 2]),
        note=note,
    )


def _spread_out(layers: Sequence[LayerAttention]) -> list[LayerAttention]:
    """Return so many of the layers as a sheet has room for, the first and the last among them."""
    if len(layers) <= _MOST_LINES:
        return list(layers)
    steps = [round(i * (len(layers) - 1) / (_MOST_LINES - 1)) for i in range(_MOST_LINES)]
    return [layers[i] for i in steps]


def _plots(layers: Sequence[LayerAttention]) -> tuple[Plot, ...]:
    known = [(i + 1, x.distance) for i, x in enumerate(layers)]
    points = [(i, x) for i, x in known if x is not None]
    if len(points) < 2:
        return ()
    xs = [float(i) for i, _ in points]
    heights = {
        "mean over heads": [float(x.mean()) for _, x in points],
        "farthest head": [float(x.max()) for _, x in points],
        "nearest head": [float(x.min()) for _, x in points],
    }
    curves = [
        Curve(label=label, xs=xs, ys=ys, colour=i) for i, (label, ys) in enumerate(heights.items())
    ]
    return (
        Plot(
            title="attention distance",
            x_label="attention layer",
            y_label="distance (px)",
            curves=tuple(curves),
        ),
    )


def _pictures(layer: LayerAttention) -> tuple[Picture, ...]:
    far = layer.distance

    def title(name: str, value: float | None) -> str:
        return name if value is None else f"{name}, {digits_text(value, 3)} px"

    heads = [
        Picture(title=title(f"head {i}", None if far is None else float(far[i])), map=layer.maps[i])
        for i in range(min(layer.heads, _MOST_HEADS))
    ]
    return (Picture(title=title("mean", layer.mean_distance), map=layer.map), *heads)
