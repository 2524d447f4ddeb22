"""The attention of one layer or of all, as it is measured in the worker for the chosen unit."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from rfstudio.api.attending import attention_view
from rfstudio.app.attention.work import attention_work
from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.failures import failure_sentence
from rfstudio.app.jobs import JobRunner
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.image_source import ImageSource
from rfstudio.app.state.selection import Selection
from rfstudio.app.work_session import WorkSession
from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.attention import LayerAttention
from rfstudio.core.metrics.registry import digits_text
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.network.attention_layers import attention_paths, nearest_layer
from rfstudio.core.network.sample_words import units_of_input
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.figures import SUFFIXES, AttentionView, Content, FigureStyle, render_kind
from rfstudio.figures.attention import plane, short_names
from rfstudio.formats.files import atomic_write
from rfstudio.formats.images.shaping import shaped
from rfstudio.formats.tables.analysis_tables import Table
from rfstudio.formats.tables.attention_tables import (
    attention_npz,
    attention_record,
    attention_table,
)
from rfstudio.formats.tables.erf_files import record_json
from rfstudio.formats.tables.found_by import report_of
from rfstudio.formats.tables.table_formats import TABLE_WRITERS

__all__ = ["ALL", "ATTENTION_FILES", "ATTENTION_SUFFIXES", "AttentionSession", "short_names"]

_KEY = "attention"

_LONGEST = 224
"""Pixels of a map's longer side; a photo below it has no more."""

_STRIP = 0.12
"""Height per width of the map of a signal."""

ALL = ""
"""Stands for all attention layers."""

_WRITERS = {x.suffix: x for x in TABLE_WRITERS}

ATTENTION_SUFFIXES = (*_WRITERS, ".json", ".npz", *SUFFIXES)

ATTENTION_FILES = ";;".join(
    [
        *(f"{x.file_title} (*{x.suffix})" for x in TABLE_WRITERS),
        "JSON (*.json)",
        "Maps as numbers (*.npz)",
        "PNG picture (*.png)",
        "SVG picture (*.svg)",
        "PDF (*.pdf)",
    ]
)
"""The same, as a dialog lists them."""


class AttentionSession(WorkSession):
    """Measures where the chosen unit looks, with the weights of Measure on what the canvas shows.

    Parameters
    ----------
    runner
        Runs it in the worker process.
    erf_session
        Whose options it takes: weights, seed, device, and the folder of images if one is chosen.
    analysis, selection
        The network and the unit.
    images
        The photo; without one it is measured on noise.

    Signals
    -------
    state_changed
        "idle", "running" or "done".
    results_changed
        There are other results, or none any more.
    progressed
        The fraction done.
    failed
        Why it has ended, in words.
    """

    results_changed = Signal()
    progressed = Signal(float)

    def __init__(
        self,
        runner: JobRunner,
        erf_session: ErfSession,
        analysis: AnalysisSession,
        selection: Selection,
        images: ImageSource,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(runner, _KEY, parent)
        self._erf_session = erf_session
        self._analysis = analysis
        self._selection = selection
        self._images = images
        self._network: Architecture = analysis.analysis.architecture
        self._options = ErfOptions()
        self._photo: NDArray[np.uint8] | None = None
        self._image: Path | None = None
        self._unit: tuple[int, ...] | None = None
        self._names: tuple[object, list[str]] = (None, [])
        self._found: tuple[LayerAttention, ...] = ()
        self.what = ""
        analysis.analysis_changed.connect(self._follow)

    # --- what can be measured -------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """The paths of all attention layers, in graph order."""
        graph = self._analysis.analysis.graph
        if self._names[0] is not graph:
            self._names = graph, attention_paths(graph)
        return self._names[1]

    @property
    def nearest(self) -> str:
        """The attention layer that is chosen, or whose path is most like that of what is chosen."""
        return nearest_layer(self._selection.value.layer, self.names)

    @property
    def lacking(self) -> str:
        """What is missing for a measurement, in a sentence; empty: nothing."""
        if not self.names:
            return "This network has no attention layer."
        return self._erf_session.options.lacking

    def unit_of(self, layer: str) -> tuple[int, ...] | None:
        """Return the query in a layer, or in `ALL`: the chosen unit if it is one of its map.

        None: it is not; the centre unit is the query.
        """
        chosen, analysis = self._selection.value, self._analysis.analysis
        names = self.names if layer == ALL else [layer]
        size = analysis[chosen.layer].output_size
        fits = all(tuple(analysis[x].output_size) == tuple(size) for x in names)
        return tuple(chosen.unit) if fits else None

    # --- measuring ------------------------------------------------------------------------------

    def start(self, layer: str) -> None:
        """Measure an attention layer, or `ALL`; an earlier measurement of attention ends."""
        self.cancel()
        if self.lacking:
            self.failed.emit(self.lacking)
            return
        options, analysis = self._erf_session.options, self._analysis.analysis
        has_folder = options.inputs == "folder"
        pixels = None if has_folder or analysis.input_size[1:] == () else self._images.pixels
        self._unit = self.unit_of(layer)
        try:
            request = ErfRequest(
                architecture=analysis.architecture,
                layer="",
                unit=self._unit,
                images=() if pixels is None else (pixels,),
                images_per_weights=options.images_per_weights,
                **options.of_weights,
            )
        except RFStudioError as error:
            self.failed.emit(failure_sentence(error))
            return
        self._network, self._options = analysis.architecture, options
        self._photo = None if pixels is None else shaped(pixels, analysis.input_size, "crop")
        picture = self._images.picture
        self._image = None if pixels is None or picture is None else picture.path
        self._found = ()
        self.what = self._words(layer, has_photo=pixels is not None)
        names = [layer] if layer != ALL else self.names
        folder = options.folder if has_folder else None
        self._submit(partial(attention_work, request, folder, names))
        self.progressed.emit(0.0)
        self._set_state("running")
        self.results_changed.emit()

    def cancel(self) -> None:
        """Stop."""
        if self._stop() is not None:
            self._set_state("idle")

    # --- what was found -------------------------------------------------------------------------

    @property
    def layers(self) -> tuple[LayerAttention, ...]:
        """What was measured of the network that is open; empty: nothing yet."""
        # An edit is announced to others first, which must not see results of another network.
        return self._found if self._analysis.analysis.architecture is self._network else ()

    @property
    def is_of_choice(self) -> bool:
        """Whether the query is still the chosen unit, if that is one of the map."""
        if not self.layers:
            return True
        layer = ALL if len(self.layers) > 1 else self.layers[0].layer
        return self.unit_of(layer) in (None, self.layers[0].unit)

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        far = [x.mean_distance for x in self.layers if x.mean_distance is not None]
        if not far:
            return ""
        short = self.samples
        if len(self.layers) > 1:
            first, last = (digits_text(x, 3) for x in (far[0], far[-1]))
            return f"mean distance from {first} {short} in the first layer to {last} in the last"
        return f"mean distance {digits_text(far[0], 3)} {short}"

    @property
    def samples(self) -> str:
        """What distances are given in: "px"."""
        # Of the input, also where fields are given in samples of the map of a layer.
        architecture = self._analysis.analysis.architecture
        return units_of_input(architecture.input_axes, len(architecture.input_size)).short

    def table(self) -> Table | None:
        """Return the distances by head, or by layer if there are several; None: not yet."""
        return attention_table(self.layers) if self.layers else None

    def view(self) -> AttentionView | None:
        """Return what a figure shows; None: nothing was measured."""
        if not self.layers:
            return None
        return attention_view(self._network, self.layers, self._photo)

    @property
    def photo(self) -> NDArray[np.uint8] | None:
        """The image that was measured on; None: noise, or several."""
        return self._photo

    @property
    def measured_with(self) -> tuple[ErfOptions, Path | None, tuple[int, ...] | None]:
        """Options, the file of the image if there is one, and the query; None: centre units."""
        return self._options, self._image, self._unit

    def picture(self, layer: LayerAttention, head: int | None) -> NDArray[np.float64]:
        """Return the map of a head, or the mean, in the proportions of the input."""
        values = plane(layer.map if head is None else layer.maps[head], layer.unit)
        rows, columns = (
            np.arange(n) * m // n for n, m in zip(self._shape(), values.shape, strict=True)
        )
        found: NDArray[np.float64] = values[np.ix_(rows, columns)]
        return found

    def query(self, layer: LayerAttention) -> tuple[tuple[int, int], ...]:
        """Return the first and last pixels of the query in such a picture; none: it is a token."""
        if layer.layer.endswith(".extra") or len(layer.unit) != len(layer.size):
            return ()
        places = zip((0, *layer.unit)[-2:], (1, *layer.size)[-2:], self._shape(), strict=True)
        return tuple(
            (-(-at * n // cells), -(-(at + 1) * n // cells) - 1) for at, cells, n in places
        )

    def save(self, path: Path) -> None:
        """Write a file, its kind by its ending: the table, everything, maps, or the figure.

        Raises
        ------
        RFStudioError
            If nothing was measured, the ending is unknown or the file cannot be written.
        """
        view, suffix = self.view(), path.suffix.lower()
        if view is None:
            raise RFStudioError("no attention was measured yet; the button Measure does")
        record = attention_record(view.name, self.layers)
        if suffix in _WRITERS:
            writer = _WRITERS[suffix]
            table = attention_table(self.layers, writer.digits, writer.missing)
            data = writer.report(report_of(record, view.title, table)).encode()
        elif suffix in (".json", ".npz"):
            is_text = suffix == ".json"
            data = record_json(record).encode() if is_text else attention_npz(self.layers, record)
        elif suffix in SUFFIXES:
            style = FigureStyle(width_mm=174, colour=True)
            data = render_kind("attention", Content(attention=view), suffix, style)
        else:
            endings = ", ".join(ATTENTION_SUFFIXES)
            raise RFStudioError(f"attention is saved as {endings}; give the file one of these")
        atomic_write(path, data)

    def _shape(self) -> tuple[int, int]:
        size = self._network.input_size
        if len(size) == 1:
            return round(_STRIP * _LONGEST), _LONGEST
        scale = _LONGEST / max(size[-2:])
        return max(round(size[-2] * scale), 1), max(round(size[-1] * scale), 1)

    def _words(self, layer: str, *, has_photo: bool) -> str:
        options = self._options
        query = "centre units" if self._unit is None else f"unit {self._unit}".replace(",)", ")")
        what = "noise" if not has_photo else "the image"
        if options.inputs == "folder" and options.folder is not None:
            what = f"the images of {options.folder.name}"
        weights = options.weights
        name = weights if "/" not in weights and "\\" not in weights else Path(weights).name
        how = f"weights {name}, seed {options.seed}"
        return f"{layer or 'all layers'}, {query}, on {what}, {how}"

    def _follow(self) -> None:
        """Give up what was measured of another network."""
        network = self._analysis.analysis.architecture
        if network is self._network:
            return
        is_equal, self._network = network == self._network, network
        if is_equal:
            return
        self.cancel()
        self._found, self.what = (), ""
        self._set_state("idle")
        self.results_changed.emit()

    def _advance(self, fraction: float, _partial: object) -> None:
        self.progressed.emit(fraction)

    def _succeed(self, layers: list[LayerAttention]) -> None:
        self._found = tuple(layers)
        self.progressed.emit(1.0)
        self._set_state("done")
        self.results_changed.emit()

    def _fail(self, error: Exception) -> None:
        self._set_state("idle")
        self.failed.emit(failure_sentence(error))
