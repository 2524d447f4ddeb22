"""The fields of a unit on each image of a folder, as they are measured in the worker."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.jobs import JobRunner
from rfstudio.app.spread.work import spread_work
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.object_boxes import ObjectBoxes
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.failures import failure_sentence
from rfstudio.app.work_session import WorkSession
from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.spread import FieldSpread, ImageField, slices
from rfstudio.engine.requests.request import BY_FILLING, ErfRequest
from rfstudio.formats.images.images import read_image
from rfstudio.formats.images.shaping import shaped
from rfstudio.formats.tables.analysis_tables import Table
from rfstudio.formats.tables.spread_tables import spread_sentences, spread_table

_KEY = "spread"


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
        self.title = ""
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
    def sentence(self) -> str:
        """What was found, in words."""
        return "" if self.spread is None else spread_sentences(self.spread)

    @property
    def lacking(self) -> str:
        """What has to be chosen first, in a sentence; empty: nothing."""
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
        box = self._boxes.boxes[0] if self.uses_box else ()
        work = partial(spread_work, request, self.images, self.masks, tuple(box))
        unit = ", ".join(map(str, chosen.unit))
        self.title = f"{chosen.layer} ({unit}), {options.estimator}, weights {options.weights}"
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
        if self.spread is None or field.map is None:
            return None
        found = np.zeros(self.spread.size, np.float32)
        found[slices(field.box)] = field.map
        return found

    def window(self) -> tuple[slice, ...]:
        """Return the part of the image around the fields that is worth seeing."""
        spread = self.spread
        if spread is None or not spread.fields:
            return ()
        boxes = np.array([x.box for x in spread.fields])
        first, last = boxes[:, :, 0].min(0), boxes[:, :, 1].max(0)
        margin = max(int((last - first + 1).max()) // 2, 4)
        ends = zip(first.tolist(), last.tolist(), spread.size, strict=True)
        return tuple(slice(max(a - margin, 0), min(b + margin + 1, n)) for a, b, n in ends)

    def path_of(self, field: ImageField) -> Path | None:
        """Return the file of an image."""
        if self.images is None:
            return None
        return self.images / field.name if self.images.is_dir() else self.images

    def photo(self, field: ImageField) -> NDArray[np.uint8] | None:
        """Return an image as it was measured, at the input's size; None: it is gone."""
        path, spread = self.path_of(field), self.spread
        if path is None or spread is None:
            return None
        try:
            pixels = shaped(read_image(path), spread.size, "crop")
        except RFStudioError:
            return None
        rows, columns = (
            np.minimum(np.arange(n) * m // n, m - 1)
            for n, m in zip(spread.size, pixels.shape, strict=False)
        )
        return pixels[np.ix_(rows, columns)]

    def _advance(self, fraction: float, fields: tuple[ImageField, ...]) -> None:
        self._fields = fields
        self.rows_changed.emit()
        self.progressed.emit(fraction)

    def _succeed(self, spread: FieldSpread) -> None:
        self.spread = spread
        self.rows_changed.emit()
        self.progressed.emit(1.0)
        self._set_state("done")

    def _fail(self, error: Exception) -> None:
        self._set_state("idle")
        self.failed.emit(failure_sentence(error))
