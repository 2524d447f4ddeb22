"""The training that runs in the worker, or ran last, and its film."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import platformdirs
from PySide6.QtCore import QObject, Signal

from rfstudio.app.effective.pins import Pin, Pins
from rfstudio.app.effective.shown_fields import EffectiveField
from rfstudio.app.failures import failure_sentence
from rfstudio.app.jobs import PATIENCE, Job, JobRunner
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.settings import Settings
from rfstudio.app.training.options import TrainingOptions, plan_sentences
from rfstudio.app.training.work import plan_work, training_work
from rfstudio.app.work_session import WorkSession
from rfstudio.core.effective.expected import Erf
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.unit_frame import UnitFrame
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.requests.training_request import TrainingRequest
from rfstudio.experiments.filmed_training import Plan, TrainingNow, request_of
from rfstudio.formats.experiments.film import (
    FILM,
    STATE,
    FilmFrame,
    FilmReader,
    weights_path,
)
from rfstudio.formats.files import is_file, is_there

State: TypeAlias = Literal["idle", "running", "paused", "stopped", "done"]

_KEY = "training"
_PLAN_KEY = "training plan"
_LAST = "training/film"
_PLACE = "training/folder"


def trainings_folder() -> Path:
    """Return the folder of films, unless the user chooses another one."""
    return platformdirs.user_state_path("rfstudio", appauthor=False) / "trainings"


@dataclass(frozen=True)
class Curves:
    """What curves show of a film, each against steps.

    Attributes
    ----------
    loss
        Of the training, at every step or means of a few.
    accuracy, sigma, fwhm
        At the steps of the film.
    """

    loss: tuple[tuple[float, float], ...] = ()
    accuracy: tuple[tuple[float, float], ...] = ()
    sigma: tuple[tuple[float, float], ...] = ()
    fwhm: tuple[tuple[float, float], ...] = ()


class TrainingSession(WorkSession):
    """Plans trainings, runs one at a time, and holds its film.

    What is trained is the network as it is when the training starts: edits and undo later change
    nothing of it.  All of it is on the disk, so that it goes on after a pause, after the worker
    has ended, and when the program is started again.

    Parameters
    ----------
    runner
        Runs it in the worker process, in which measurements wait for its end or a pause.
    document, analysis, pins
        The network of the window, and where frames are pinned.
    settings
        Where the folder and the last film are remembered.

    Signals
    -------
    state_changed
        "idle", "running", "paused", "stopped" or "done".
    planned
        What the next training takes, in sentences; empty: it is not known yet.
    plan_failed
        Why it cannot be made, in words.
    advanced
        The fraction done.
    film_changed
        There are other frames, or further losses.
    failed
        Why a training has ended, in words.
    """

    planned = Signal(str)
    plan_failed = Signal(str)
    advanced = Signal(float)
    film_changed = Signal()

    def __init__(
        self,
        runner: JobRunner,
        document: Document,
        analysis: AnalysisSession,
        pins: Pins,
        settings: Settings,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(runner, _KEY, parent)
        self._document = document
        self._analysis = analysis
        self._pins = pins
        self._settings = settings
        self._plan_job: Job | None = None
        self._request: TrainingRequest | None = None
        self._film: FilmReader | None = None
        self._now = TrainingNow(0, (), 0)
        self.folder: Path | None = None
        place = settings.text(_PLACE)
        self.place = Path(place) if place else trainings_folder()

    # --- what there is --------------------------------------------------------------------------

    @property
    def frames(self) -> tuple[FilmFrame, ...]:
        """The frames of the film so far, by step."""
        if self._film is None:
            return ()
        return tuple(self._film.frames[i] for i in sorted(self._film.frames))

    @property
    def request(self) -> TrainingRequest | None:
        """What is trained, or was last."""
        return self._request

    @property
    def distance(self) -> float | None:
        """Radius of the ring of the task; None: it has none."""
        request = self._request
        return None if request is None or request.data is not None else request.distance

    @property
    def step(self) -> int:
        """Steps so far."""
        frames = self.frames
        return max(self._now.step, frames[-1].step if frames else 0)

    def curves(self) -> Curves:
        """Return the curves of the film so far."""
        frames = self.frames
        loss: list[tuple[float, float]] = []
        start = 0
        parts = [(x.step, x.losses) for x in frames[1:]]
        if self._now.losses:
            parts.append((self._now.step, self._now.losses))
        for end, losses in parts:
            # Of many steps the losses are means of equal parts.
            places = np.linspace(start, end, len(losses) + 1)[1:].tolist()
            loss += zip(places, losses, strict=True)
            start = end

        def column(values: list[float | None]) -> tuple[tuple[float, float], ...]:
            pairs = zip(frames, values, strict=True)
            return tuple((float(x.step), y) for x, y in pairs if y is not None)

        return Curves(
            tuple(loss),
            column([x.accuracy for x in frames]),
            column([x.sigma for x in frames]),
            column([x.metrics.fwhm for x in frames]),
        )

    # --- doing ----------------------------------------------------------------------------------

    def set_place(self, folder: Path) -> None:
        """Choose the folder in which trainings get folders."""
        self.place = folder
        self._settings.set(_PLACE, str(folder))

    def plan(self, options: TrainingOptions) -> None:
        """Find out what a training of the network takes; `planned` or `plan_failed` follow."""
        if self._plan_job is not None:
            self._plan_job.cancel(PATIENCE)
            self._plan_job = None
        if self._state == "running":
            return
        self.planned.emit("")
        try:
            request = options.request(self._document.architecture)
        except RFStudioError as error:
            self.plan_failed.emit(failure_sentence(error))
            return
        job = self._runner.submit(_PLAN_KEY, partial(plan_work, request))
        job.succeeded.connect(self._take_plan)
        job.failed.connect(lambda error: self.plan_failed.emit(failure_sentence(error)))
        self._plan_job = job

    def start(self, options: TrainingOptions) -> None:
        """Train the network as it is now, in a new folder; one that runs is stopped."""
        self.cancel()
        try:
            request = options.request(self._document.architecture)
        except RFStudioError as error:
            self.failed.emit(failure_sentence(error))
            return
        self._request = request
        self.folder = self._new_folder(request.architecture)
        self._film, self._now = FilmReader(self.folder), TrainingNow(0, (), 0)
        self._run(resume=False)

    def pause(self) -> None:
        """Stop after the step; the worker is free for measurements until it goes on."""
        self._end("paused")

    def go_on(self) -> None:
        """Go on from where the training was stopped."""
        if self._state == "paused" and self._request is not None:
            self._run(resume=True)

    def cancel(self) -> None:
        """Stop for good; the film and the weights so far stay."""
        if self._state not in ("running", "paused"):
            return
        folder, job = self.folder, self._job

        def drop_state() -> None:
            if folder is not None and self._state == "stopped" and self.folder == folder:
                (folder / STATE).unlink(missing_ok=True)

        self._end("stopped")
        if job is not None:
            job.finished.connect(drop_state)
        else:
            drop_state()

    def open_film(self, folder: Path) -> None:
        """Show an earlier film; a training that was stopped there can go on.

        Raises
        ------
        RFStudioError
            If there is none, or it cannot be read.
        """
        film = FilmReader(folder)
        film.poll()
        request = request_of(film)
        self._end("stopped")
        self._request, self._film, self.folder = request, film, folder
        self._now = TrainingNow(0, (), len(film.frames))
        self._settings.set(_LAST, str(folder))
        self._set_state("paused" if film.can_go_on else "done")
        self.film_changed.emit()
        self.advanced.emit(self.step / request.steps)

    def open_last(self) -> None:
        """Show the film of the last training, if it is still there."""
        name = self._settings.text(_LAST)
        if not name or self._state != "idle" or not is_file(Path(name) / FILM):
            return
        try:
            self.open_film(Path(name))
        except RFStudioError as error:
            self.failed.emit(failure_sentence(error))

    def pin(self, frame: FilmFrame) -> Pin:
        """Pin the field of a frame, with the network that was trained.

        Raises
        ------
        RFStudioError
            If there are four pins.
        """
        network = self.network()
        assert network is not None
        assert self._request is not None
        analysis = self._analysis.analyze_beside(network)
        layer = self._request.layer or analysis.layers[-1].name
        index = analysis.graph.index(layer)
        unit = self._request.unit or tuple(n // 2 for n in analysis.graph.nodes[index].size)
        erf = Erf(
            map=frame.map.astype(np.float64),
            layer=layer,
            unit=unit,
            estimator="energy",
            exact=False,
            frame=UnitFrame(analysis.graph, index, unit, 0, analysis.fields),
        )
        folder = "" if self.folder is None else self.folder.name
        title = f"{folder}, step {frame.step}"
        field = EffectiveField(erf, f"step {frame.step}", f"trained {frame.step} steps (energy)")
        return self._pins.add_field(title, analysis, layer, unit, field)

    def network(self) -> Architecture | None:
        """Return the network that is trained, with the outputs of its task; None: there is none."""
        if self._film is not None and self._film.head:
            return self._film.network
        return None

    def weights_of(self, frame: FilmFrame) -> Path | None:
        """Return the file of the weights at a step; None: it is not there."""
        if self.folder is None:
            return None
        path = weights_path(self.folder, frame.step)
        return path if is_file(path) else None

    # --- the running training -------------------------------------------------------------------

    def _run(self, *, resume: bool) -> None:
        assert self._request is not None
        assert self.folder is not None
        self._settings.set(_LAST, str(self.folder))
        work = partial(training_work, self._request, self.folder, resume)
        self._submit(work)
        self.film_changed.emit()
        self._set_state("running")

    def _end(self, state: State) -> None:
        self._stop()
        if self._state in ("running", "paused"):
            self._set_state(state)

    def _advance(self, fraction: float, now: TrainingNow) -> None:
        is_news = now.frames != self._now.frames or now.losses != self._now.losses
        self._now = now
        if self._poll() or is_news:
            self.film_changed.emit()
        self.advanced.emit(fraction)

    def _poll(self) -> bool:
        try:
            return self._film is not None and self._film.poll()
        except RFStudioError as error:
            self.failed.emit(failure_sentence(error))
            return False

    def _succeed(self, now: TrainingNow) -> None:
        self._now = now
        self._poll()
        self.film_changed.emit()
        self.advanced.emit(1.0)
        self._set_state("done")

    def _fail(self, error: Exception) -> None:
        if self.folder is not None and is_file(self.folder / FILM):
            self._poll()
            self.film_changed.emit()
        can_go_on = self.folder is not None and is_file(self.folder / STATE)
        self._set_state("paused" if can_go_on else "stopped")
        self.failed.emit(failure_sentence(error))

    def _take_plan(self, plan: Plan) -> None:
        self.planned.emit(plan_sentences(plan))

    def _new_folder(self, network: Architecture) -> Path:
        """Return a folder that is not there yet, called after the network."""
        safe = "".join(x if x.isalnum() or x in "-_ " else "_" for x in network.name).strip()
        name = safe[:60] or "network"
        number = 1
        while is_there(self.place / f"{name} {number}"):
            number += 1
        return self.place / f"{name} {number}"
