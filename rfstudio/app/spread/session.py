"""The fields of a unit on each image of a folder, as they are measured in the worker."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from rfstudio.api.spread import spread_options
from rfstudio.api.spread_figure import (
    FIGURE_SUFFIXES,
    measured_photo,
    spread_figure,
    whole_map,
    window_of,
)
from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.failures import failure_sentence
from rfstudio.app.jobs import JobRunner
from rfstudio.app.spread.work import spread_work
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.object_boxes import ObjectBoxes
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.snippets import spread_command_text
from rfstudio.app.work_session import WorkSession
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.metrics.spread import FieldSpread, ImageField
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.network.sample_words import units_of_input
from rfstudio.engine.requests.request import BY_FILLING, ErfRequest
from rfstudio.formats.files import atomic_write
from rfstudio.formats.tables.analysis_tables import Table
from rfstudio.formats.tables.erf_files import record_json
from rfstudio.formats.tables.found_by import report_of
from rfstudio.formats.tables.spread_tables import (
    spread_npz,
    spread_record,
    spread_sentences,
    spread_table,
)
from rfstudio.formats.tables.table_formats import TABLE_WRITERS

_KEY = "spread"

_WRITERS = {x.suffix: x for x in TABLE_WRITERS}

SPREAD_SUFFIXES = (*_WRITERS, ".json", ".npz", *FIGURE_SUFFIXES)
"""The endings of the files that are written."""

SPREAD_FILES = ";;".join(
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


_IN_NO_FILE = (
    "The network that was measured is in no file; saved as .json, these numbers have the command "
    "with it."
)


@dataclass(frozen=True)
class _Measured:
    """What the rows and the maps are of, whatever was chosen since.

    Attributes
    ----------
    analysis, request
        The network and all options.
    images
        The folder.
    command
        Returns the command from how it names the network.
    title
        Unit, estimator, weights and seed in words.
    since
        When it began; images that have changed since are no longer those that were measured.
    """

    analysis: Analysis
    request: ErfRequest
    images: Path
    command: Callable[[str], str]
    title: str
    since: float


class SpreadSession(WorkSession):
    """Measures the chosen unit on each image of a folder, with the same weights on all of them.

    Parameters
    ----------
    runner
        Runs it in the worker process.
    erf_session
        Whose options it takes: estimator, weights, seed, device.
    analysis, selection
        The network and the unit.
    boxes
        The first of those drawn on the canvas is the object, if it is chosen.

    Signals
    -------
    state_changed
        "idle", "running" or "done".
    rows_changed
        There are other images.
    progressed
        The fraction done.
    failed
        Why it has ended, in words.
    """

    rows_changed = Signal()
    progressed = Signal(float)

    def __init__(
        self,
        runner: JobRunner,
        erf_session: ErfSession,
        analysis: AnalysisSession,
        selection: Selection,
        boxes: ObjectBoxes,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(runner, _KEY, parent)
        self._erf_session = erf_session
        self._analysis = analysis
        self._selection = selection
        self._boxes = boxes
        self._fields: tuple[ImageField, ...] = ()
        self._measured: _Measured | None = None
        self._seconds = 0.0
        self.spread: FieldSpread | None = None
        self.images: Path | None = None
        self.masks: Path | None = None
        self.uses_box = False

    @property
    def fields(self) -> tuple[ImageField, ...]:
        """The images so far; when all are there, those with the smallest field first."""
        return self._fields if self.spread is None else self.spread.ordered

    def table(self) -> Table | None:
        """Return the numbers of all images, their mean and their spread; None: not yet."""
        return None if self.spread is None else spread_table(self.spread)

    @property
    def title(self) -> str:
        """What is or was measured, in words; empty: nothing yet."""
        return "" if self._measured is None else self._measured.title

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        return "" if self.spread is None else spread_sentences(self.spread)

    @property
    def no_images(self) -> str:
        """Why the network reads no images, in a sentence; empty: it does."""
        analysis = self._analysis.analysis
        count = len(analysis.input_size)
        if count == 2:
            return ""
        network = analysis.architecture
        whole = units_of_input(network.input_axes, count).whole
        return f"This network reads a {whole}, so there are no images to measure it on."

    @property
    def lacking(self) -> str:
        """What has to be chosen first, in a sentence; empty: nothing."""
        if self.no_images:
            return self.no_images
        if self.images is None:
            return "Choose a folder of images."
        if self._erf_session.options.estimator in BY_FILLING:
            return "Occlusion and perturbation are not measured image by image; choose another one."
        if self.uses_box and not self._boxes.boxes:
            return "Draw a box around the object on the canvas (key 5)."
        return ""

    def start(self) -> None:
        """Measure the chosen unit; an earlier measurement of images ends."""
        self.cancel()
        options, chosen = self._erf_session.options, self._selection.value
        if self.lacking or self.images is None:
            self.failed.emit(self.lacking)
            return
        try:
            request = ErfRequest(
                architecture=self._analysis.analysis.architecture,
                layer=chosen.layer,
                unit=chosen.unit,
                estimator=options.estimator,
                channel=options.channel,
                activation=options.activation,
                **options.of_weights,
            )
        except RFStudioError as error:
            self.failed.emit(failure_sentence(error))
            return
        images = self.images.absolute()
        work = partial(spread_work, request, images, self.masks, self._box)
        unit = ", ".join(map(str, chosen.unit))
        title = (
            f"{chosen.layer} ({unit}), {options.estimator}, weights {options.weights}, "
            f"seed {options.seed}"
        )
        command = self._command_of(images)
        analysis, now = self._analysis.analysis, time.time()
        self._measured = _Measured(analysis, request, images, command, title, now)
        self._seconds = time.monotonic()
        self._fields, self.spread = (), None
        self._submit(work)
        self.rows_changed.emit()
        self.progressed.emit(0.0)
        self._set_state("running")

    def cancel(self) -> None:
        """Stop; the numbers so far stay."""
        if self._stop() is not None:
            self._set_state("idle")

    def whole_map(self, field: ImageField) -> NDArray[np.float32] | None:
        """Return the field of an image over the whole image; None: its map was not held."""
        return None if self.spread is None else whole_map(self.spread, field)

    def window(self) -> tuple[slice, ...]:
        """Return the part of the image around the fields that is worth seeing."""
        return () if self.spread is None else window_of(self.spread)

    def path_of(self, field: ImageField) -> Path | None:
        """Return the file of an image."""
        if self._measured is None:
            return None
        images = self._measured.images
        return images / field.name if images.is_dir() else images

    def photo(self, field: ImageField) -> NDArray[np.uint8] | None:
        """Return an image as it was measured, at the input's size; None: it is gone or changed."""
        path, spread, measured = self.path_of(field), self.spread, self._measured
        if path is None or spread is None or measured is None:
            return None
        return measured_photo(path, spread.size, since=measured.since)

    @property
    def network(self) -> Architecture:
        """The network that the command is of."""
        measured = self._said
        analysis = self._analysis.analysis if measured is None else measured.analysis
        return analysis.architecture

    def command(self, network: str) -> str:
        """Return the command of what was measured, or would be; empty: no folder is chosen.

        Parameters
        ----------
        network
            How a command names the network that `network` returns.
        """
        measured = self._said
        if measured is not None:
            return measured.command(network)
        return "" if self.images is None else self._command_of(self.images.absolute())(network)

    @property
    def _said(self) -> _Measured | None:
        """What is measured or was, to the end; what was cancelled is not repeated by a command."""
        return self._measured if self.spread is not None or self.state == "running" else None

    def _command_of(self, images: Path) -> Callable[[str], str]:
        return partial(
            spread_command_text,
            chosen=self._selection.value,
            options=self._erf_session.options,
            images=images,
            masks=None if self.masks is None else self.masks.absolute(),
            box=self._box,
        )

    @property
    def _box(self) -> tuple[tuple[int, int], ...]:
        return tuple(self._boxes.boxes[0]) if self.uses_box and self._boxes.boxes else ()

    def save(self, path: Path, command: str) -> None:
        """Write a file, its kind by its ending: the table, everything, the maps, or the figure.

        Parameters
        ----------
        path
            The file.
        command
            That of what was measured; it may write the network into a file first.  Empty: there is
            none.

        Raises
        ------
        RFStudioError
            If nothing was measured, the ending is unknown or the file cannot be written.
        """
        spread, suffix, measured = self.spread, path.suffix.lower(), self._measured
        if spread is None or measured is None:
            raise RFStudioError("no images were measured yet; the button Measure each does")
        options = spread_options(measured.request, spread)
        record = spread_record(measured.analysis, spread, options, self._seconds)
        note = _IN_NO_FILE if "\n" in command else command
        if suffix in FIGURE_SUFFIXES:
            data = spread_figure(
                spread,
                suffix,
                title=f"{measured.analysis.architecture.name}, {self.title}",
                photo_of=self.photo,
                facts=self.sentence,
                note=note,
            )
        elif suffix in _WRITERS:
            writer = _WRITERS[suffix]
            table = spread_table(spread, writer.digits, writer.missing)
            report = report_of({"command": note} | record, self.title, table)
            data = writer.report(report).encode()
        elif suffix in (".json", ".npz"):
            record = {"command": command} | record
            data = record_json(record).encode() if suffix == ".json" else spread_npz(spread, record)
        else:
            endings = ", ".join(SPREAD_SUFFIXES)
            raise RFStudioError(f"fields on images are saved as {endings}; give one of these")
        atomic_write(path, data)

    def _advance(self, fraction: float, fields: tuple[ImageField, ...]) -> None:
        self._fields = fields
        self.rows_changed.emit()
        self.progressed.emit(fraction)

    def _succeed(self, spread: FieldSpread) -> None:
        self.spread, self._seconds = spread, time.monotonic() - self._seconds
        self.rows_changed.emit()
        self.progressed.emit(1.0)
        self._set_state("done")

    def _fail(self, error: Exception) -> None:
        self._set_state("idle")
        self.failed.emit(failure_sentence(error))
