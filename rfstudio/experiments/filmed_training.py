"""A training that is filmed: everything of it is on disk, so that it can stop and go on."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rfstudio.core.editing.outputs import with_outputs
from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.core.initialisations import AS_TORCH
from rfstudio.core.labelled_images import LabelledImages
from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.engine.process.torch_import import need_torch
from rfstudio.engine.requests.training_request import Estimate, TrainingRequest, film_steps
from rfstudio.experiments.field_rows import scaled
from rfstudio.formats.data_sets.reading import read_data_set
from rfstudio.formats.experiments.film import (
    STATE,
    FilmFrame,
    FilmReader,
    FilmWriter,
    last_weights,
    thinned,
)
from rfstudio.formats.files import atomic_write, make_folder, read_bounded
from rfstudio.formats.networks.yaml_writer import write_yaml

if TYPE_CHECKING:
    from rfstudio.engine.module.build import GraphModule
    from rfstudio.engine.training.training import Frame, Training

SAVED_EVERY = 15.0
"""Seconds after which the state is written between two frames: a killed process loses no more."""

_MAX_STATE = 1 << 34


@dataclass(frozen=True)
class TrainingNow:
    """How far a training is; the frames themselves are in its film.

    Attributes
    ----------
    step
        Steps so far.
    losses
        The loss over the steps since the last frame, thinned.
    frames
        Frames in the film.
    """

    step: int
    losses: tuple[float, ...]
    frames: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would be trained, and what it will take.

    Attributes
    ----------
    request
        With the network's outputs as the task needs them.
    changes
        How the network differs from the one given, in words; empty: not at all.
    data
        The images in words.
    estimate
        Time, memory and room on the disk.
    """

    request: TrainingRequest
    changes: str
    data: str
    estimate: Estimate


def plan_training(request: TrainingRequest) -> Plan:
    """Try a few steps of a training, and return what all of it will take.

    Raises
    ------
    RFStudioError
        If it cannot be trained, or needs more memory than there is.
    """
    need_torch()
    request, data, changes = prepared_request(request)
    training = _training(request, data)
    words = "white noise with rings" if data is None else data.name
    return Plan(request=request, changes=changes, data=words, estimate=training.estimate())


def prepared_request(
    request: TrainingRequest,
) -> tuple[TrainingRequest, LabelledImages | None, str]:
    """Return a request with the outputs that its task needs, its images, and what was changed."""
    data = None if request.data is None else read_data_set(request.data)
    classes = 2 if data is None else len(data.classes)
    network, changes = with_outputs(request.architecture, classes, per_pixel=data is None)
    film = film_steps(request.film, request.steps)
    return replace(request, architecture=network, film=film), data, changes


def run_training(
    request: TrainingRequest,
    folder: Path,
    *,
    resume: bool,
    token: CancelToken,
    report: Report,
) -> TrainingNow:
    """Train, and write the film, the weights and the state to a folder.

    Parameters
    ----------
    request
        What is trained.
    folder
        Of the film, made if it is not there; an earlier film in it is replaced or gone on with.
    resume
        Go on from the state in the folder, if there is one.
    token
        Stops it after a step; the state is written.
    report
        Receives the fraction done and a `TrainingNow`.

    Raises
    ------
    RFStudioError
        If it cannot be trained, or a file cannot be written.
    Cancelled
        If `token` was cancelled.
    """
    need_torch()
    from rfstudio.engine.weights.saving import weights_bytes

    request, data, changes = prepared_request(request)
    make_folder(folder)
    writer = FilmWriter(folder, head_of(request, data, changes), resume=resume)
    training = _training(request, data)
    state = folder / STATE
    if resume and state.exists():
        training.restore(read_bounded(state, _MAX_STATE))
    earlier = FilmReader(folder)
    earlier.poll()
    steps = set(earlier.frames)
    saved = time.monotonic()

    def tell(fraction: float, losses: Any) -> None:
        nonlocal saved
        report(fraction, TrainingNow(training.step, thinned(tuple(losses)), len(steps)))
        if time.monotonic() - saved > SAVED_EVERY:
            atomic_write(state, training.state())
            saved = time.monotonic()

    try:
        for frame in training.frames(token, tell):
            writer.add(film_frame(frame), weights_bytes(training.module))
            steps.add(frame.step)
            atomic_write(state, training.state())
            saved = time.monotonic()
            now = TrainingNow(frame.step, (), len(steps))
            report(frame.step / request.steps, now)
    except Cancelled:
        atomic_write(state, training.state())
        raise
    state.unlink(missing_ok=True)
    return TrainingNow(training.step, (), len(steps))


def film_frame(frame: Frame) -> FilmFrame:
    """Return a frame as a film has it."""
    return FilmFrame(frame.step, frame.accuracy, frame.loss, scaled(frame.map), frame.losses)


def head_of(request: TrainingRequest, data: LabelledImages | None, changes: str) -> dict[str, Any]:
    """Return what identifies a training, as JSON can hold it."""
    # Films from before there was a choice have no word for the usual start.
    start = {} if request.init == AS_TORCH else {"init": request.init}
    return start | {
        "network": write_yaml(request.architecture),
        "changes": changes,
        "data": None if request.data is None else str(request.data),
        "classes": None if data is None else list(data.classes),
        "distance": request.distance if data is None else None,
        "steps": request.steps,
        "batch": request.batch,
        "rate": request.rate,
        "film": list(request.film),
        "layer": request.layer,
        "unit": None if request.unit is None else list(request.unit),
        "seed": request.seed,
        "teacher": None if request.teacher is None else str(request.teacher),
        "temperature": request.temperature,
        "shortcut": request.shortcut,
    }


def request_of(film: FilmReader, device: str = "cpu") -> TrainingRequest:
    """Return what a film was trained with.

    Raises
    ------
    RFStudioError
        If its first line lacks something.
    """
    head = film.head
    try:
        return TrainingRequest(
            architecture=film.network,
            distance=6.0 if head["distance"] is None else float(head["distance"]),
            data=None if head["data"] is None else Path(head["data"]),
            steps=head["steps"],
            batch=head["batch"],
            rate=float(head["rate"]),
            film=tuple(head["film"]),
            layer=head["layer"],
            unit=None if head["unit"] is None else tuple(head["unit"]),
            seed=head["seed"],
            init=head.get("init", AS_TORCH),
            teacher=None if head["teacher"] is None else Path(head["teacher"]),
            temperature=float(head["temperature"]),
            shortcut=float(head["shortcut"]),
            device=device,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RFStudioError(f"the film does not say how it was trained: {error!r}") from None


def _training(request: TrainingRequest, data: LabelledImages | None) -> Training:
    from rfstudio.engine.training.training import Training

    teacher = None if request.teacher is None else teacher_of(request.teacher, request)
    return Training(request, teacher, data)


def teacher_of(folder: Path, request: TrainingRequest) -> GraphModule:
    """Return the network of an earlier training, with its latest weights.

    Raises
    ------
    RFStudioError
        If the folder has no film, or its network has other outputs.
    """
    from rfstudio.engine.module.build import GraphModule
    from rfstudio.engine.weights.reading import load_weights

    film = FilmReader(folder)
    film.poll()
    network = film.network
    own = request.architecture
    module = GraphModule(network)
    student = GraphModule(own)
    ends = [x.graph.nodes[x.target] for x in (module, student)]
    same_input = (network.input_size, network.channels) == (own.input_size, own.channels)
    if not same_input or (ends[0].size, ends[0].channels) != (ends[1].size, ends[1].channels):
        raise RFStudioError(
            f"the teacher in '{folder}' has other inputs or outputs than the network"
        )
    load_weights(module, last_weights(folder))
    return module.requires_grad_(requires_grad=False).eval()
