"""Measures the effective field of the chosen unit in the worker, and drops what is stale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.measuring_work import ErfWork, Subject, work_of
from rfstudio.app.effective.shown_fields import NOTHING_MEASURED, Measurement
from rfstudio.app.jobs import PATIENCE, Job, JobRunner
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.core.errors import RFStudioError
from rfstudio.engine.requests.request import CONTINUABLE, ErfResult

_KEY = "erf"


class _Run(NamedTuple):
    """One requested measurement: the unit, how it is measured, and on which image."""

    subject: Subject
    options: ErfOptions
    pixels: NDArray[np.uint8] | None

    def work(self, earlier: ErfResult | None = None) -> ErfWork:
        """Return the measurement for the worker; it may continue an earlier result."""
        return work_of(self.subject, self.options, self.pixels, earlier)


class ErfSession(QObject):
    """Holds the options of measuring, the running measurement and the last result.

    A result is shown only while network, layer and unit are those that were measured: an edit, or
    choosing another layer or unit, ends the measurement and clears the result.

    Parameters
    ----------
    runner
        Runs the measurements.
    session, selection
        What is measured.
    options
        How the first one is made; None: the defaults.

    Signals
    -------
    measurement_changed
        The `Measurement`, whenever anything about it changes.
    erf_changed
        The `ErfResult` of the chosen unit, complete or as far as it was when it was stopped; None
        while there is none.
    progressed
        The fraction done, and the `ErfResult` so far (or None).
    failed
        The exception that ended a measurement.
    state_changed
        "idle" (nothing measured), "measuring", "stopped" (measured in part) or "done".
    options_changed
        The new `ErfOptions`.
    """

    measurement_changed = Signal(object)
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
        *,
        options: ErfOptions | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._session = session
        self._selection = selection
        self._options = options or ErfOptions()
        self._pixels: NDArray[np.uint8] | None = None
        self._run: _Run | None = None
        self._earlier: ErfResult | None = None
        self._job: Job | None = None
        self._so_far: ErfResult | None = None
        self._fraction = 0.0
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
        """The measurement of the chosen unit, complete or stopped; None while there is none."""
        return self._result

    @property
    def measurement(self) -> Measurement:
        """What is measured, and what is known of it so far."""
        if self._run is None:
            return NOTHING_MEASURED
        subject, options, _ = self._run
        result = self._so_far if self.is_measuring else self._result
        return Measurement(self._state, subject, options, result, self._fraction)

    @property
    def shortfall(self) -> str:
        """How much of a stopped measurement is in its result; empty: all of it, or no result."""
        return self.measurement.progress if self._state == "stopped" else ""

    @property
    def state(self) -> str:
        """The state: "idle", "measuring", "stopped" or "done"."""
        return self._state

    @property
    def is_measuring(self) -> bool:
        """Whether a measurement runs."""
        return self._state == "measuring"

    @property
    def is_current(self) -> bool:
        """Whether the chosen unit is measured, or is being measured."""
        return self._run is not None and self._run.subject == self._chosen()

    @property
    def why_no_more(self) -> str:
        """Why no samples can be added to the result, in a sentence; empty: they can."""
        if self._result is None or self._run is None:
            return "There is no measurement to continue."
        estimator = self._run.options.estimator
        if estimator not in CONTINUABLE:
            return f"A result of '{estimator}' cannot be continued; measure again from the start."
        return ""

    def set_options(self, **changes: Any) -> None:
        """Change some options, by name; this does not touch a running or finished measurement."""
        self._options = replace(self._options, **changes)
        self.options_changed.emit(self._options)

    def reset_options(self) -> None:
        """Set every option to its default."""
        self._options = ErfOptions()
        self.options_changed.emit(self._options)

    def set_image(self, pixels: NDArray[np.uint8] | None) -> None:
        """Set the image that the canvas shows, (H, W, 3) bytes, for measurements on it.

        A measurement on the previous image ends, and its result is dropped.
        """
        self._pixels = pixels
        if self._run is not None and self._run.options.inputs == "image":
            self._drop()

    def measure(self) -> None:
        """Measure the chosen unit; a measurement that still runs is dropped."""
        self._drop()
        run = _Run(self._chosen(), self._options, self._pixels)
        try:
            work = run.work()
        except RFStudioError as error:
            self.failed.emit(error)
            return
        self._run = run
        self._start(work)

    def measure_more(self) -> None:
        """Continue from the result: to the end if it was stopped, else with as many samples again.

        The options are those of the result, even if others are chosen by now.
        """
        earlier, run = self._result, self._run
        if earlier is None or run is None or self.why_no_more:
            return
        is_stopped = self._state == "stopped"
        wanted = earlier.wanted if is_stopped else 2 * earlier.samples
        # A map by filling may have stopped within a sample.
        done = self._fraction if is_stopped else earlier.samples / wanted
        self._run = run._replace(options=replace(run.options, samples=wanted))
        earlier = replace(earlier, wanted=wanted)
        work = self._run.work(earlier)
        self._result = None
        self.erf_changed.emit(None)
        self._start(work, earlier)
        self._advance(done, earlier)

    def cancel(self) -> None:
        """Stop the running measurement; the samples so far become its result."""
        if not self.is_measuring:
            return
        so_far = self._so_far
        if so_far is None:
            self._drop()
            return
        self._end_job(PATIENCE)  # if it is continued, a warm worker is worth the wait
        self._result = so_far
        self._set_state("stopped")
        self._announce()

    def _start(self, work: ErfWork, earlier: ErfResult | None = None) -> None:
        job = self._runner.submit(_KEY, work)
        job.progressed.connect(self._advance)
        job.succeeded.connect(self._succeed)
        job.failed.connect(self._fail)
        self._job = job
        self._earlier, self._so_far, self._fraction = earlier, None, 0.0
        self._set_state("measuring")

    def _chosen(self) -> Subject:
        return Subject(
            self._session.analysis.architecture, self._selection.layer, self._selection.unit
        )

    def _drop_if_stale(self) -> None:
        # Another analysis of the same network, say with another reference, does not count.
        if self._run is not None and self._run.subject != self._chosen():
            self._drop()

    def _drop(self) -> None:
        """Forget the measurement, whether it is running or finished."""
        self._run = None
        self._end_job(PATIENCE)
        had_result, had_part = self._result is not None, self._so_far is not None
        self._earlier, self._so_far, self._fraction = None, None, 0.0
        self._result = None
        if had_result:
            self.erf_changed.emit(None)
        self._set_state("idle")
        if had_result or had_part:
            self.measurement_changed.emit(self.measurement)

    def _end_job(self, *grace: float) -> None:
        if self._job is not None:
            job, self._job = self._job, None
            job.cancel(*grace)

    def _advance(self, fraction: float, so_far: ErfResult | None) -> None:
        if so_far is not None:
            self._so_far, self._fraction = so_far, fraction
        self.progressed.emit(fraction, so_far)
        if so_far is not None:
            self.measurement_changed.emit(self.measurement)

    def _succeed(self, result: ErfResult) -> None:
        self._job = None
        self._earlier, self._so_far = None, None
        self._result = result
        self._set_state("done")
        self._announce()

    def _fail(self, error: Exception) -> None:
        self._job = None
        earlier, self._earlier = self._earlier, None
        if earlier is None:
            self._run, self._so_far = None, None
            self._set_state("idle")
            self.measurement_changed.emit(self.measurement)
        else:
            self._so_far, self._fraction = earlier, earlier.samples / earlier.wanted
            self._result = earlier
            self._set_state("stopped")
            self._announce()
        self.failed.emit(error)

    def _announce(self) -> None:
        """Announce a result."""
        self.measurement_changed.emit(self.measurement)
        self.erf_changed.emit(self._result)

    def _set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self.state_changed.emit(state)
