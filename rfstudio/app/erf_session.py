"""Measures the effective field of the chosen unit in the worker, and drops what is stale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from rfstudio.app.analysis_session import AnalysisSession
from rfstudio.app.jobs import Job, JobRunner
from rfstudio.app.selection import Selection
from rfstudio.core.architecture import Architecture
from rfstudio.core.errors import RFStudioError
from rfstudio.engine.measuring import measure_erf
from rfstudio.engine.request import (
    Activation,
    BatchNormMode,
    ErfRequest,
    ErfResult,
    Estimator,
)
from rfstudio.engine.running import CancelToken, Report

_KEY = "erf"


@dataclass(frozen=True, slots=True, eq=False)
class ErfOptions:
    """What the user chooses of a measurement; the unit and the network come from elsewhere.

    Attributes
    ----------
    inputs
        Noise, the image that the canvas shows, or all images of `folder`.
    folder
        Where the images are.
    others
        As in `rfstudio.engine.request.ErfRequest`.
    """

    estimator: Estimator = "energy"
    channel: int | None = None
    activation: Activation = "as_is"
    inputs: Literal["noise", "image", "folder"] = "noise"
    folder: Path | None = None
    weights: str = "random"
    seed: int = 0
    images_per_weights: int = 4
    batch_norm: BatchNormMode = "warmed"
    samples: int = 32
    dtype: Literal["float32", "float64"] = "float32"
    device: str = "auto"
    patch: int = 8
    stride: int = 8
    fill: float = 0.0
    amplitude: float = 1.0


class _Subject(NamedTuple):
    """What is measured, to tell whether a measurement still speaks of what is chosen."""

    architecture: Architecture
    layer: str
    unit: tuple[int, ...]


class ErfSession(QObject):
    """Holds the options of measuring, the running measurement and the last result.

    A result is shown only for as long as network, layer and unit are those that were measured: any
    edit, other layer or other unit ends the measurement and clears the result.

    Signals
    -------
    erf_changed
        The complete `ErfResult` of the chosen unit; None while there is none.
    progressed
        The fraction done, and the `ErfResult` so far (or None).
    failed
        The exception that ended a measurement.
    state_changed
        "idle" (nothing measured), "measuring" or "done".
    options_changed
        The new `ErfOptions`.
    """

    erf_changed = Signal(object)
    progressed = Signal(float, object)
    failed = Signal(Exception)
    state_changed = Signal(str)
    options_changed = Signal(object)

    def __init__(
        self,
        runner: JobRunner,
        session: AnalysisSession,
        selection: Selection,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._session = session
        self._selection = selection
        self._options = ErfOptions()
        self._pixels: NDArray[np.uint8] | None = None
        self._subject: _Subject | None = None
        self._job: Job | None = None
        self._result: ErfResult | None = None
        self._state = "idle"
        session.analysis_changed.connect(self._drop_if_stale)
        selection.selection_changed.connect(self._drop_if_stale)

    @property
    def options(self) -> ErfOptions:
        """How the next measurement is made."""
        return self._options

    @property
    def result(self) -> ErfResult | None:
        """The complete measurement of the chosen unit; None while there is none."""
        return self._result

    @property
    def state(self) -> str:
        """The state: "idle", "measuring" or "done"."""
        return self._state

    @property
    def is_measuring(self) -> bool:
        """Whether a measurement runs."""
        return self._state == "measuring"

    def set_options(self, **changes: Any) -> None:
        """Change some options, by name; a measurement that runs or is done stays as it is."""
        self._options = replace(self._options, **changes)
        self.options_changed.emit(self._options)

    def set_image(self, pixels: NDArray[np.uint8] | None) -> None:
        """Say what the canvas shows, (H, W, 3) bytes, for measurements on the image.

        A measurement on the image before ends, and its result is dropped.
        """
        self._pixels = pixels
        if self._subject is not None and self._options.inputs == "image":
            self._drop()

    def measure(self) -> None:
        """Measure the chosen unit; a measurement that still runs is dropped."""
        self._drop()
        subject = self._chosen()
        try:
            work = self._work(subject)
        except RFStudioError as error:
            self.failed.emit(error)
            return
        job = self._runner.submit(_KEY, work)
        job.progressed.connect(self.progressed)
        job.succeeded.connect(self._succeed)
        job.failed.connect(self._fail)
        self._job = job
        self._subject = subject
        self._set_state("measuring")

    def cancel(self) -> None:
        """Stop the running measurement; what was reported of it stays with who received it."""
        if self.is_measuring:
            self._drop()

    def _work(self, subject: _Subject) -> partial[ErfResult]:
        options = self._options
        if options.inputs == "image" and self._pixels is None:
            raise RFStudioError("there is no image on the canvas; open one, or measure with noise")
        if options.inputs == "folder" and options.folder is None:
            raise RFStudioError("no folder of images is chosen; choose one, or measure with noise")
        images = (self._pixels,) if options.inputs == "image" and self._pixels is not None else ()
        request = ErfRequest(
            architecture=subject.architecture,
            layer=subject.layer,
            unit=subject.unit,
            estimator=options.estimator,
            channel=options.channel,
            activation=options.activation,
            images=images,
            weights=options.weights,
            seed=options.seed,
            images_per_weights=options.images_per_weights,
            batch_norm=options.batch_norm,
            samples=options.samples,
            dtype=options.dtype,
            device=options.device,
            patch=options.patch,
            stride=options.stride,
            fill=options.fill,
            amplitude=options.amplitude,
        )
        if options.inputs == "folder":
            assert options.folder is not None
            return partial(measure_folder, request, options.folder)
        return partial(measure_erf, request)

    def _chosen(self) -> _Subject:
        return _Subject(
            self._session.analysis.architecture, self._selection.layer, self._selection.unit
        )

    def _drop_if_stale(self) -> None:
        # Another analysis of the same network, with another reference say, is no reason.
        if self._subject is not None and self._subject != self._chosen():
            self._drop()

    def _drop(self) -> None:
        """Forget the measurement, whether it runs or is done."""
        self._subject = None
        if self._job is not None:
            job, self._job = self._job, None
            job.cancel()
        if self._result is not None:
            self._result = None
            self.erf_changed.emit(None)
        self._set_state("idle")

    def _succeed(self, result: ErfResult) -> None:
        self._job = None
        self._result = result
        self._set_state("done")
        self.erf_changed.emit(result)

    def _fail(self, error: Exception) -> None:
        self._job = None
        self._subject = None
        self._set_state("idle")
        self.failed.emit(error)

    def _set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self.state_changed.emit(state)


def measure_folder(
    request: ErfRequest, folder: Path, token: CancelToken, report: Report
) -> ErfResult:
    """Measure on the images of a folder, read in the worker, in the order of their names.

    Raises
    ------
    RFStudioError
        If the folder holds no image, or one cannot be read.
    """
    from rfstudio.formats.images import SUFFIXES, read_image  # noqa: PLC0415

    files = sorted(x for x in folder.glob("*") if x.suffix.lower() in SUFFIXES)
    if not files:
        raise RFStudioError(f"{folder}: the folder holds no image ({', '.join(SUFFIXES)})")
    wanted = files[: request.samples]
    images = []
    for file in wanted:
        token.check()
        images.append(read_image(file))
    return measure_erf(replace(request, images=tuple(images)), token, report)
