"""A training as a plain value, which travels to the worker; importing this imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.requests.request import check_seed


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingRequest:
    """One training on the context task.

    Attributes
    ----------
    architecture
        A network with two outputs at each pixel.
    distance
        Radius of the ring that decides the label of a pixel, in pixels.
    steps, batch, rate
        Steps, images in each, and the largest learning rate of one cycle.
    film
        Steps at which the field is measured.
    seed
        Of weights and images.
    temperature
        By which outputs are divided before they are compared with a teacher's.
    shortcut
        How much of the label is added to the images of the training.
    """

    architecture: Architecture
    distance: float
    steps: int = 400
    batch: int = 16
    rate: float = 4e-3
    film: tuple[int, ...] = (0, 400)
    seed: int = 0
    temperature: float = 2.0
    shortcut: float = 0.0

    def __post_init__(self) -> None:
        check_seed(self.seed)
