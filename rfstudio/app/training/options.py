"""What the user chooses for a training, and what it says of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from rfstudio.core.errors import RFStudioError
from rfstudio.core.initialisations import AS_TORCH, checked_start
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.requests.training_request import TrainingRequest, film_steps
from rfstudio.experiments.filmed_training import Plan
from rfstudio.formats.networks.yaml_writer import write_yaml

USUAL_FILM = "0, 25, 50, 100, 200, 400"


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How the next training is made; the network comes from elsewhere.

    Attributes
    ----------
    data
        Folder of labelled images; None: the context task with the ring's `distance`.
    film
        The steps that are filmed, as typed: ``0, 25, 100`` or ``every 20``.
    layer, unit
        Whose field is filmed; empty: that of what the network answers.
    others
        As in `rfstudio.engine.requests.training_request.TrainingRequest`.
    """

    distance: float = 6.0
    data: Path | None = None
    steps: int = 400
    batch: int = 16
    rate: float = 4e-3
    film: str = USUAL_FILM
    layer: str = ""
    unit: tuple[int, ...] | None = None
    seed: int = 0
    init: str = AS_TORCH
    teacher: Path | None = None
    device: str = "auto"

    def request(self, network: Architecture) -> TrainingRequest:
        """Return the training of a network.

        Raises
        ------
        RFStudioError
            If the steps of the film are no numbers, or another option makes no sense.
        """
        return TrainingRequest(
            architecture=network,
            distance=self.distance,
            data=self.data,
            steps=self.steps,
            batch=self.batch,
            rate=self.rate,
            film=film_of(self.film, self.steps),
            layer=self.layer,
            unit=self.unit,
            seed=self.seed,
            init=self.init,
            teacher=self.teacher,
            device=self.device,
        )


def film_of(text: str, steps: int) -> tuple[int, ...]:
    """Return the steps that are filmed, the first and the last among them.

    Raises
    ------
    RFStudioError
        If the text is neither a list of steps nor ``every N``.

    Examples
    --------
    >>> film_of("every 20", 50)
    (0, 20, 40, 50)
    >>> film_of("10, 30 200", 50)
    (0, 10, 30, 50)
    """
    words = re.split(r"[,;\s]+", text.strip())
    if len(words) == 2 and words[0].lower() == "every" and re.fullmatch(r"[1-9]\d{0,8}", words[1]):
        return film_steps(range(0, steps, int(words[1])), steps)
    if not all(re.fullmatch(r"\d{0,9}", x) for x in words):
        raise RFStudioError(f"the film takes steps, as in 0, 25, 100, or every 20, not '{text}'")
    return film_steps([int(x) for x in words if x], steps)


def plan_sentences(plan: Plan) -> str:
    """Return what would be trained, and what it takes, in sentences."""
    request, found = plan.request, plan.estimate
    name = request.architecture.name or "This network"
    changes = f" {plan.changes}" if plan.changes else ""
    network = f"{name}{changes}, {found.parameters:,} weights, on {plan.data}."
    work = (
        f"{request.steps:,} steps of {request.batch} images and {len(request.film)} frames: about "
        f"{duration(found.seconds)} on {found.device}, {size(found.memory)} of memory, "
        f"{size(found.disk)} on the disk."
    )
    return f"{network} {work}"


def duration(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 60:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Return a number of bytes in words."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def recipe_text(options: TrainingOptions, network: Architecture) -> str:
    """Return the recipe with which `rfstudio experiment` makes the same training.

    Raises
    ------
    RFStudioError
        If an option makes no sense.
    """
    film = ", ".join(map(str, film_of(options.film, options.steps)))
    own = options.data
    task = f"distance: {options.distance:g}" if own is None else f"data: {json.dumps(str(own))}"
    layer = f", layer: {json.dumps(options.layer)}" if options.layer else ""
    columns = "" if own is not None else ", ring_share"
    start = checked_start(options.init)
    init = "" if start == AS_TORCH else f", init: {json.dumps(start)}"
    name = json.dumps(f"Training of {network.name or 'a network'}", ensure_ascii=False)
    return f"""\
format: 1
title: {name}
networks:
  own:
{indent(write_yaml(network), "    ")}
rows:
  - series: trained
    network: own
    train:
      {{{task}{layer}{init}, steps: {options.steps}, batch: {options.batch}, \
rate: {options.rate:g}, film: [{film}]}}
columns: [series, step, accuracy, sigma{columns}, loss]
charts:
  - {{x: step, y: accuracy, title: accuracy}}
  - {{x: step, y: sigma, title: width of the field}}
  - {{pictures: true, label: step}}
"""
