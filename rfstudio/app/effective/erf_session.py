"""Measures effective fields in the worker; results of other units and networks wait on a shelf."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.measuring_work import ErfWork, Subject, work_of
from rfstudio.app.effective.shelf import Ending, Shelf, Shelved
from rfstudio.app.effective.shown_fields import (
    NOTHING_MEASURED,
    Measurement,
    fields_of_result,
)
from rfstudio.app.jobs import PATIENCE, Job, JobRunner
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.requests.request import CONTINUABLE, OWN_WEIGHTS, ErfResult
from rfstudio.importing.imported import Imported

_KEY = "erf"

_FAILURES = 16
"""Units of whose failed measurements is remembered why."""


@dataclass(frozen=True, eq=False)
class _Run:
    """One requested measurement: the unit, how it is measured, and on which image."""

    subject: Subject
    options: ErfOptions
    pixels: NDArray[np.uint8] | None
    image: str = ""
    continues: Shelved | None = None

    def work(self, earlier: ErfResult | None = None) -> ErfWork:
        """Return the measurement for the worker; it may continue an earlier result."""
        return work_of(self.subject, self.options, self.pixels, earlier)


class _Shown(NamedTuple):
    """What is known of the chosen unit: the running measurement of it, or one from the shelf."""

    state: str = "idle"
    run: _Run | None = None
    shelved: Shelved | None = None
    result: ErfResult | None = None
    error: Exception | None = None


class ErfSession(QObject):
    """Holds the options of measuring, the running measurement and the shelf of results.

    One measurement runs at a time.  It goes on when another unit or layer is chosen; an edit of
    the network ends it.  A result is shown only while network, layer and unit are those that were
    measured; until then it waits on the shelf.

    Parameters
    ----------
    runner
        Runs the measurements.
    session, selection
        What is measured.
    options
        How the first one is made; None: the defaults.
    shelf
        Where results wait; None: a new one.

    Signals
    -------
    measurement_changed
        The `Measurement` of the chosen unit, whenever anything about it changes.
    erf_changed
        The `ErfResult` of the chosen unit, complete or as far as it was when it was stopped; None
        while there is none.
    progressed
        The fraction done, and the `ErfResult` so far (or None), of the chosen unit.
    failed
        The exception that ended a measurement of the chosen unit.
    state_changed
        That of the chosen unit: "idle" (nothing measured), "measuring", "stopped" (measured in
        part) or "done".
    options_changed
        The new `ErfOptions`.
    running_changed
        The `Subject` that is measured, whichever unit is chosen; None: nothing is.
    advanced
        As `progressed`, whichever unit is chosen.
    finished_elsewhere
        A `Shelved` result of a unit that is not chosen, complete.
    failed_elsewhere
        The `Subject` and the exception that ended its measurement.
    cut_short
        The `Subject` whose measurement another one or an edit has ended, and the `Shelved` result
        with the samples so far; None: there were none.
    shelf_changed
        There are other results on the shelf.
    """

    measurement_changed = Signal(object)
    erf_changed = Signal(object)
    progressed = Signal(float, object)
    failed = Signal(Exception)
    state_changed = Signal(str)
    options_changed = Signal(object)
    running_changed = Signal(object)
    advanced = Signal(float, object)
    finished_elsewhere = Signal(object)
    failed_elsewhere = Signal(object, Exception)
    cut_short = Signal(object, object)
    shelf_changed = Signal()

    def __init__(
        self,
        runner: JobRunner,
        session: AnalysisSession,
        selection: Selection,
        parent: QObject | None = None,
        *,
        options: ErfOptions | None = None,
        shelf: Shelf | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._session = session
        self._selection = selection
        self._options = options or ErfOptions()
        self._pixels: NDArray[np.uint8] | None = None
        self._image: str | None = None
        self.shelf = Shelf() if shelf is None else shelf
        self._run: _Run | None = None
        self._earlier: ErfResult | None = None
        self._job: Job | None = None
        self._so_far: ErfResult | None = None
        self._fraction = 0.0
        self._failures: deque[tuple[Subject, Exception]] = deque(maxlen=_FAILURES)
        self._subject = self._chosen()
        self._shown = _Shown()
        session.analysis_changed.connect(self._follow)
        selection.selection_changed.connect(self._follow)

    @property
    def options(self) -> ErfOptions:
        """How the next measurement is made."""
        return self._options

    @property
    def result(self) -> ErfResult | None:
        """The measurement of the chosen unit, complete or stopped; None while there is none."""
        return None if self.is_measuring else self._shown.result

    @property
    def measurement(self) -> Measurement:
        """What is measured of the chosen unit, and what is known of it so far."""
        state, run, shelved, result, error = self._shown
        if run is not None:
            law, fraction = run.options.law, self._fraction
            return Measurement(state, run.subject, run.options, self._so_far, fraction, law)
        if shelved is not None:
            return replace(_measurement(shelved, result), error=error)
        return replace(NOTHING_MEASURED, init=self._options.law, error=error)

    def measurement_of(self, shelved: Shelved) -> Measurement:
        """Return what is known of a result on the shelf, whether it is shown or not."""
        result = self.shelf.result(shelved)
        if result is None:  # its file is gone, and so is it
            self.shelf_changed.emit()
        return _measurement(shelved, result)

    @property
    def shown(self) -> Shelved | None:
        """The result on the shelf that is shown; None: there is none of the chosen unit."""
        return self._shown.shelved

    @property
    def shortfall(self) -> str:
        """How much of a stopped measurement is in its result; empty: all of it, or no result."""
        return self.measurement.progress if self.state == "stopped" else ""

    @property
    def state(self) -> str:
        """The state of the chosen unit: "idle", "measuring", "stopped" or "done"."""
        return self._shown.state

    @property
    def is_measuring(self) -> bool:
        """Whether the chosen unit is being measured."""
        return self.state == "measuring"

    @property
    def running(self) -> Subject | None:
        """What is being measured, whichever unit is chosen."""
        return None if self._run is None else self._run.subject

    @property
    def is_current(self) -> bool:
        """Whether the chosen unit is measured, or is being measured."""
        shelved = self._shown.shelved
        is_whole = shelved is not None and shelved.ending in ("done", "cancelled")
        return self.is_measuring or is_whole

    @property
    def why_no_more(self) -> str:
        """Why no samples can be added to the result, in a sentence; empty: they can."""
        shelved = self._shown.shelved
        if self._shown.result is None or shelved is None:
            return "There is no measurement to continue."
        estimator = shelved.options.estimator
        if estimator not in CONTINUABLE:
            return f"A result of '{estimator}' cannot be continued; measure again from the start."
        return ""

    def set_options(self, **changes: Any) -> None:
        """Change some options, by name; this does not touch a running or finished measurement."""
        self._take_options(replace(self._options, **changes))

    def reset_options(self) -> None:
        """Set every option to its default."""
        self._take_options(ErfOptions())

    def _take_options(self, options: ErfOptions) -> None:
        has_other_law = options.law != self._options.law
        self._options = options
        self.options_changed.emit(options)
        if has_other_law:  # the expected field is another one
            self.measurement_changed.emit(self.measurement)

    def set_image(self, pixels: NDArray[np.uint8] | None) -> None:
        """Set the image that the canvas shows, (H, W, 3) bytes, for measurements on it.

        A measurement on the previous image ends, and its results are not shown any more.
        """
        self._pixels, self._image = pixels, None
        if self._run is not None and self._run.image:
            self._end_run("cut")
        self._show()

    def measure(self) -> None:
        """Measure the chosen unit; a measurement that still runs ends, with the samples so far."""
        subject, options = self._chosen(), self._options
        image = self._image_key() if options.inputs == "image" else ""
        run = _Run(subject, options, self._pixels, image)
        self._end_run("cut" if self.running == subject else "replaced")
        self.shelf.set_aside(subject)
        self._forgive(subject)
        self._show()
        try:
            work = run.work()
        except RFStudioError as error:
            self._failures.append((subject, error))
            self._show()
            self.failed.emit(error)
            return
        self._start(run, work)

    def measure_more(self) -> None:
        """Continue from the result: to the end if it was stopped, else with as many samples again.

        The options are those of the result, even if others are chosen by now.
        """
        earlier, shelved = self._shown.result, self._shown.shelved
        if earlier is None or shelved is None or self.why_no_more:
            return
        is_stopped = self.state == "stopped"
        wanted = earlier.wanted if is_stopped else 2 * earlier.samples
        # A map by filling may have stopped within a sample.
        done = shelved.fraction if is_stopped else earlier.samples / wanted
        options = replace(shelved.options, samples=wanted)
        run = _Run(shelved.subject, options, self._pixels, shelved.image, shelved)
        earlier = replace(earlier, wanted=wanted)
        work = run.work(earlier)
        self._end_run("replaced")
        self._forgive(shelved.subject)
        self._start(run, work, earlier)
        self._advance(done, earlier)

    def cancel(self) -> None:
        """Stop the running measurement; the samples so far become its result."""
        if self._run is None:
            return
        # If it is continued, a warm worker is worth the wait.
        self._end_run("cancelled")
        self._show()

    def show(self, shelved: Shelved) -> str:
        """Choose the unit of a result from the shelf, and show the result as that of its unit.

        The network that was measured must be open.

        Returns
        -------
        str
            Why it is not shown, in words; empty: it is.
        """
        _, layer, unit = shelved.subject
        measurement = self.measurement_of(shelved)
        try:
            # A session file may name a layer or a unit that its network has not.
            fields_of_result(self._session.analysis, measurement)
        except RFStudioError as error:
            return str(error)
        self._selection.select_layer(layer, unit)
        self.shelf.bring_forward(shelved)
        self.shelf_changed.emit()
        self._show()
        if self.shown is shelved:
            return ""
        if self.is_measuring:
            return "its unit is being measured"
        return "it was measured on another image than the one on the canvas"

    def take_back(self, read: Iterable[Shelved]) -> None:
        """Add results of a session file, the oldest first."""
        for shelved in read:
            self.shelf.put_back(shelved)
        self.shelf_changed.emit()
        self._show()

    def remove(self, shelved: Shelved) -> None:
        """Delete a result from the shelf."""
        self.shelf.remove(shelved)
        self.shelf_changed.emit()
        self._show()

    def rename(self, shelved: Shelved, name: str) -> None:
        """Give a result a name."""
        shelved.name = name
        self.shelf_changed.emit()

    def close(self) -> None:
        """Drop all results, as the program ends."""
        self.shelf.close()

    # --- the running measurement ----------------------------------------------------------------

    def _start(self, run: _Run, work: ErfWork, earlier: ErfResult | None = None) -> None:
        job = self._runner.submit(_KEY, work)
        job.progressed.connect(self._advance)
        job.succeeded.connect(self._succeed)
        job.failed.connect(self._fail)
        self._job, self._run = job, run
        self._earlier, self._so_far, self._fraction = earlier, None, 0.0
        self.running_changed.emit(run.subject)
        self._show()

    def _end_run(self, ending: Ending) -> None:
        """End the running measurement, if any; what there is of it goes to the shelf."""
        run, so_far = self._run, self._so_far or self._earlier
        if run is None:
            return
        if self._job is not None:
            self._job.cancel(PATIENCE)
        kept = None if so_far is None else self._put(run, so_far, ending, self._fraction)
        self._forget_run()
        if ending != "cancelled":  # by the user
            self.cut_short.emit(run.subject, kept)

    def _forget_run(self) -> None:
        self._job, self._run = None, None
        self._earlier, self._so_far, self._fraction = None, None, 0.0
        self.running_changed.emit(None)

    def _put(self, run: _Run, result: ErfResult, ending: Ending, fraction: float) -> Shelved:
        shelved = self.shelf.put(
            run.subject,
            run.options,
            run.image,
            result,
            ending=ending,
            fraction=fraction,
            continues=run.continues,
        )
        self.shelf_changed.emit()
        return shelved

    def _advance(self, fraction: float, so_far: ErfResult | None) -> None:
        if so_far is not None:
            self._so_far, self._fraction = so_far, fraction
        self.advanced.emit(fraction, so_far)
        if self.is_measuring:
            self.progressed.emit(fraction, so_far)
            if so_far is not None:
                self.measurement_changed.emit(self.measurement)

    def _succeed(self, result: ErfResult) -> None:
        run = self._run
        if run is None:
            return
        is_here = self.is_measuring
        shelved = self._put(run, result, "done", 1.0)
        self._forget_run()
        if is_here:
            self._show()
        else:
            self.finished_elsewhere.emit(shelved)

    def _fail(self, error: Exception) -> None:
        run, earlier, so_far = self._run, self._earlier, self._so_far
        if run is None:
            return
        is_here = self.is_measuring
        # The samples so far are as good as those of a measurement that was stopped.
        if so_far is not None:
            self._put(run, so_far, "cancelled", self._fraction)
        elif earlier is not None:
            self._put(run, earlier, "cancelled", earlier.samples / earlier.wanted)
        self._failures.append((run.subject, error))
        self._forget_run()
        if is_here:
            self._show()
            self.failed.emit(error)
        else:
            self.failed_elsewhere.emit(run.subject, error)

    def _forgive(self, subject: Subject) -> None:
        """Forget why a unit was not measured, as it is measured again."""
        kept = [x for x in self._failures if not x[0].is_same(subject)]
        self._failures = deque(kept, maxlen=_FAILURES)

    def _error_of(self, subject: Subject) -> Exception | None:
        """Return what ended the last measurement of a unit; None: nothing did."""
        return next((x for of, x in reversed(self._failures) if of.is_same(subject)), None)

    # --- the chosen unit ------------------------------------------------------------------------

    def _chosen(self) -> Subject:
        return Subject(
            self._session.analysis.architecture, self._selection.layer, self._selection.unit
        )

    def _follow_weights(self, before: Architecture, now: Architecture) -> None:
        """Choose the own weights of a model that was imported, and give them up with it."""
        had, has = map(_edition, (before, now))
        if has is not None and has != had:
            self.set_options(weights=OWN_WEIGHTS)
        elif has is None and self._options.weights == OWN_WEIGHTS:
            self.set_options(weights="random")

    def _follow(self) -> None:
        chosen = self._chosen()
        if chosen.architecture is not self._subject.architecture:
            self._follow_weights(self._subject.architecture, chosen.architecture)
        run = self._run
        if run is not None and run.subject.architecture != chosen.architecture:
            self._end_run("cut")
        # Another analysis of the same network, say with another reference, does not count.
        if chosen != self._subject:
            self._show()

    def _show(self) -> None:
        """Find out what is known of the chosen unit, and announce what has changed."""
        subject = self._chosen()
        before = self._shown
        if subject != self._subject:
            # Nothing is known of another unit, until it is found; states of two units do not mix.
            self._shown = _Shown()
            self._tell_state(before)
        self._subject = subject
        last, self._shown = self._shown, self._known()
        _, run, _, result, _ = self._shown
        if last is before and self._shown == before:
            return
        self._tell_state(last)
        if before != self._shown:
            self.measurement_changed.emit(self.measurement)
        if result is not None and result is not last.result:
            self.erf_changed.emit(result)
        if run is not None and run is not last.run and self._so_far is not None:
            self.progressed.emit(self._fraction, self._so_far)

    def _tell_state(self, before: _Shown) -> None:
        """Announce that a result is not shown any more, and another state."""
        if before.result is not None and self._shown.result is not before.result:
            self.erf_changed.emit(None)
        if self._shown.state != before.state:
            self.state_changed.emit(self._shown.state)

    def _known(self) -> _Shown:
        run, subject = self._run, self._subject
        if run is not None and run.subject == subject:
            return _Shown("measuring", run)
        has_images = self.shelf.has_images(subject)
        shelved = self.shelf.of(subject, self._image_key() if has_images else None)
        result = None if shelved is None else self.shelf.result(shelved)
        error = self._error_of(subject)
        if shelved is None or result is None:
            return _Shown(error=error)
        return _Shown(_state_of(shelved), None, shelved, result, error)

    def _image_key(self) -> str:
        """Return what identifies the image on the canvas; empty: there is none."""
        if self._image is None:
            pixels = self._pixels
            self._image = "" if pixels is None else _digest(pixels)
        return self._image


def _state_of(shelved: Shelved) -> str:
    return "done" if shelved.is_complete else "stopped"


def _measurement(shelved: Shelved, result: ErfResult | None) -> Measurement:
    options, subject = shelved.options, shelved.subject
    state, law = _state_of(shelved), options.law
    return Measurement(state, subject, options, result, shelved.fraction, law)


def _digest(pixels: NDArray[np.uint8]) -> str:
    sums = blake2b(repr(pixels.shape).encode(), digest_size=16)
    sums.update(np.ascontiguousarray(pixels).data)
    return sums.hexdigest()


def _edition(network: Architecture) -> str | None:
    """Return which import a network with weights of its own is; None: it has none."""
    return network.edition if isinstance(network, Imported) and network.has_weights else None
