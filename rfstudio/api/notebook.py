"""Results in a notebook: tables in HTML, pictures, plots, and tables of pandas.

`rfstudio.api` registers it with `rfstudio.core.shown`, whose methods call it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfstudio.api.networks import Presets, analyze
from rfstudio.core.advice.covers import Advice
from rfstudio.core.effective.expected import Erf
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis, LayerAnalysis, UnitView
from rfstudio.core.fields.tiles import TilePlan
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.plural import counted
from rfstudio.core.shown import Photo
from rfstudio.importing.imported import Imported
from rfstudio.importing.report import Report

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from pandas import DataFrame

    from rfstudio.figures import FigureStyle, Scene

_WIDTH_MM = 110.0
_DPI = 130
_MANY = 20
"""Tiles that are listed."""


class NotebookPresenter:
    """Shows results with the tables of `formats` and the figures of `figures`."""

    def html(self, value: object) -> str:
        """Return a value as HTML."""
        for kind, show in _SHOWN:
            if isinstance(value, kind):
                return show(value)
        raise TypeError(f"a {type(value).__name__} has no form in HTML")

    def png(self, value: object) -> bytes:
        """Return the figure of a unit or of an effective field."""
        from rfstudio.figures import render

        return render(_scene(value, None), ".png", _style())

    def plot(self, value: object, axes: Axes | None, image: Photo | None) -> Axes:
        """Draw a value into axes."""
        from rfstudio.figures import draw, draw_growth, growth_of, new_axes

        if isinstance(value, Analysis):
            axes = new_axes() if axes is None else axes
            draw_growth(axes, [growth_of(value.architecture.name, value)])
            return axes
        scene = _scene(value, image)
        axes = new_axes() if axes is None else axes
        draw(axes, scene)
        return axes

    def dataframe(self, value: object) -> DataFrame:
        """Return the layers of an analysis as a table of pandas."""
        from rfstudio.formats.tables.analysis_tables import analysis_cells

        try:
            pandas = import_module("pandas")
        except ImportError:
            raise RFStudioError(
                "a DataFrame needs pandas: pip install pandas; "
                "`rfstudio analyze NETWORK --format csv` writes the same table without it"
            ) from None
        assert isinstance(value, Analysis)
        headers, rows = analysis_cells(value.layers)
        return pandas.DataFrame(rows, columns=headers)


def _style() -> FigureStyle:
    from rfstudio.figures import FigureStyle

    return FigureStyle(width_mm=_WIDTH_MM, dpi=_DPI)


def _scene(value: object, image: Photo | None) -> Scene:
    from rfstudio.api.measuring import COMPUTED
    from rfstudio.core.metrics.metrics import measured_peak
    from rfstudio.figures import scene_of_map, scene_of_view

    photo = photo_of(image)
    if isinstance(value, UnitView):
        return scene_of_view(value, title=_unit_title(value.layer, value.position), image=photo)
    assert isinstance(value, Erf)
    is_computed = value.estimator.replace(" ", "-") in COMPUTED
    return scene_of_map(
        value.map,
        value.frame,
        title=_unit_title(value.layer, value.unit),
        image=photo,
        label=f"effective field ({value.estimator}{'' if is_computed else ', measured'})",
        peak=None if is_computed else measured_peak(value.map),
    )


def _unit_title(layer: str, unit: tuple[int, ...]) -> str:
    return f"{layer}, unit ({', '.join(map(str, unit))})"


def photo_of(image: Photo | None) -> NDArray[np.uint8] | None:
    """Return a photo as (h, w) or (h, w, 3) bytes; a file of a signal as a photo of one line.

    Raises
    ------
    RFStudioError
        If it cannot be read, or an array is of another form.
    """
    import numpy as np

    if image is None:
        return None
    if isinstance(image, str | Path):
        from rfstudio.formats.images.images import read_image
        from rfstudio.formats.images.signals import as_line, is_signal, read_signal

        return as_line(read_signal(image)) if is_signal(Path(image)) else read_image(image)
    photo = np.asarray(image)
    if photo.dtype != np.uint8 or photo.ndim not in (2, 3) or photo.shape[2:] not in ((), (3,)):
        raise RFStudioError(
            "a photo has (h, w) or (h, w, 3) bytes, from 0 to 255, not "
            f"{photo.dtype} of shape {photo.shape}"
        )
    return photo


def _analysis_html(analysis: Analysis) -> str:
    from rfstudio.formats.tables import html
    from rfstudio.formats.tables.analysis_tables import analysis_table, sizes_text
    from rfstudio.formats.tables.facts import totals_text

    network = analysis.architecture
    size = f"input {sizes_text(analysis.input_size)}, {network.channels} channels"
    title = " · ".join(x for x in (network.name, size, network.reference) if x)
    return (
        html.heading_html(title, totals_text(analysis))
        + html.table_html(analysis_table(analysis.layers))
        + html.list_html(f"{x.severity}: {x.message}" for x in analysis.diagnostics)
    )


def _architecture_html(network: Architecture) -> str:
    from rfstudio.formats.tables import html

    text = html.heading_html("", network.description) if network.description else ""
    if isinstance(network, Imported):
        text += _report_html(network.report)

    return text + _analysis_html(analyze(network))


def _report_html(report: Report) -> str:
    from rfstudio.formats.tables import html

    count = len(report)
    remarks = counted(count, "remark") if count else "no remarks"
    title = f"{counted(report.layers, 'layer')} imported, {remarks}"
    return html.heading_html(title) + html.list_html(map(str, report))


def _layer_html(layer: LayerAnalysis) -> str:
    from rfstudio.formats.tables import html
    from rfstudio.formats.tables.facts import layer_facts

    return html.heading_html(layer.name) + html.facts_html(layer_facts(layer))


def _unit_html(unit: UnitView) -> str:
    from rfstudio.formats.tables import html
    from rfstudio.formats.tables.facts import unit_facts

    return html.picture_html(
        NotebookPresenter().png(unit), f"what {_unit_title(unit.layer, unit.position)} sees"
    ) + html.facts_html(unit_facts(unit))


def _erf_html(erf: Erf) -> str:
    from rfstudio.core.metrics.registry import BY_NAME, IN_SHORT
    from rfstudio.formats.tables import html

    title = _unit_title(erf.layer, erf.unit)
    facts = [("estimator", erf.estimator), ("exactness", "exact" if erf.exact else "approximate")]
    facts += [(x, str(erf.options[x])) for x in ("samples", "seed", "weights") if x in erf.options]
    for name in IN_SHORT:
        brief = BY_NAME[name].brief
        value = erf.metrics[name]
        if brief is not None and BY_NAME[name].is_known(value):
            facts.append((brief.label, brief.text_of(value, erf.map.ndim)))
    return (
        html.picture_html(NotebookPresenter().png(erf), f"the effective field of {title}")
        + html.facts_html(facts)
        + html.list_html(erf.notes)
    )


def _tiles_html(plan: TilePlan) -> str:
    from dataclasses import replace

    from rfstudio.formats.tables import html
    from rfstudio.formats.tables.answer_records import tiles_facts, tiles_table

    text = html.facts_html(tiles_facts(plan))
    if plan.plan:
        text += html.table_html(tiles_table(replace(plan, plan=plan.plan[:_MANY])))
    return text


def _advice_html(advice: Advice) -> str:
    from rfstudio.formats.tables import html
    from rfstudio.formats.tables.answer_records import advice_facts

    return html.facts_html(advice_facts(advice))


def _presets_html(presets: Presets) -> str:
    from rfstudio.formats.tables import html

    return html.facts_html(presets.items())


_SHOWN: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (Analysis, _analysis_html),
    (LayerAnalysis, _layer_html),
    (UnitView, _unit_html),
    (Erf, _erf_html),
    (TilePlan, _tiles_html),
    (Advice, _advice_html),
    (Architecture, _architecture_html),
    (Report, _report_html),
    (Presets, _presets_html),
)
