"""A training as a plain value, which travels to the worker; importing this imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from rfstudio.core.initialisations import AS_TORCH, checked_start
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.requests.request import check_numbers

MAX_FILM = 500
"""Steps of a film: each takes memory and time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingRequest:
    """One training, on the context task or on images of classes.

    Attributes
    ----------
    architecture
        The network; with two outputs at each pixel for the context task, and with an output for
        each class otherwise.
    distance
        Radius of the ring that decides the label of a pixel of the context task, in pixels.
    data
        Folder of labelled images; None: the context task.
    steps, batch, rate
        Steps, images in each, and the largest learning rate of one cycle.
    film
        Steps at which the field is measured.
    layer, unit
        Whose field: a layer or container path and a position in its map; empty and None: that of
        the answer: of the difference of both outputs at the centre, or of the output of the image's
        own class.
    seed
        Of weights and images.
    init
        How weights begin: "torch", as torch's own layers do, biases too; or drawn as
        `rfstudio.core.initialisations.initialisation` says, with a gain after a colon and biases 0.
    teacher
        Folder of an earlier training whose outputs are learned instead of labels; None: labels.
    temperature
        By which outputs are divided before they are compared with a teacher's.
    shortcut
        How much of the label is added to the images of the training.
    device
        "auto", "cpu", "cuda" …
    """

    architecture: Architecture
    distance: float = 6.0
    data: Path | None = None
    steps: int = 400
    batch: int = 16
    rate: float = 4e-3
    film: tuple[int, ...] = (0, 400)
    layer: str = ""
    unit: tuple[int, ...] | None = None
    seed: int = 0
    init: str = AS_TORCH
    teacher: Path | None = None
    temperature: float = 2.0
    shortcut: float = 0.0
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_numbers(self, at_least_1=("steps", "batch"), any_whole=("seed",))
        object.__setattr__(self, "init", checked_start(self.init))
        for name in ("distance", "rate", "temperature"):
            value = getattr(self, name)
            if not isfinite(value) or value <= 0:
                raise MeasurementError(f"{name} must be a number above 0, not {value!r}")
        if len(self.film) > MAX_FILM:
            raise MeasurementError(
                f"a film has at most {MAX_FILM} steps, not {len(self.film):,}; film fewer of them"
            )


def film_steps(wanted: Iterable[int], steps: int) -> tuple[int, ...]:
    """Return the steps of a film in order: those wanted, the first and the last."""
    return tuple(sorted({0, steps, *(x for x in wanted if 0 <= x <= steps)}))


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a training will take, from a few steps of it.

    Attributes
    ----------
    seconds_per_step, seconds_per_frame
        Time of a step, and of measuring the field once.
    seconds
        All of the training.
    memory
        Bytes for weights, their moments, activations of a step or a frame, and images.
    disk
        Bytes of the film and of the weights at each of its steps.
    parameters
        Weights of the network.
    device
        Where it computes, in words.
    """

    seconds_per_step: float
    seconds_per_frame: float
    seconds: float
    memory: int
    disk: int
    parameters: int
    device: str
