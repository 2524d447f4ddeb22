"""Evaluations of samples that many units share, made and cached when that saves work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from torch import Tensor

from rfstudio.engine.measuring.backward_pass import Tape, bytes_of
from rfstudio.engine.measuring.network import HasRoom, Network
from rfstudio.engine.measuring.subject import ConeSubject
from rfstudio.engine.module.boxes import Box
from rfstudio.engine.module.cone import Plan, input_of

_WORTH_SHARING = 0.8
"""One evaluation of what all cones cover together pays up to this share of their work."""

_WORTH_KEEPING = 0.97
"""The full map is evaluated and cached once units have cost this share of that work.

So the total work is never more than twice that of the best choice in hindsight, and a single unit
whose field does not cover the image costs nothing extra.
"""

_EVALUATIONS = 256
"""Most batches in the cache."""

_SHARED_BYTES = 2**30
"""Memory for the evaluations of one batch that are not cached for later measurements."""

Load: TypeAlias = Callable[[Sequence[int]], Tensor]
"""Returns the images of some samples."""


class Evaluations:
    """The evaluations of one measurement, of which some are cached for later ones.

    Parameters
    ----------
    network
        Holds the cached evaluations.
    subjects
        The units.
    size
        Of the images.
    """

    def __init__(
        self, network: Network, subjects: Sequence[ConeSubject], size: tuple[int, ...]
    ) -> None:
        self._network = network
        self._subject = subjects[0]
        self._whole = network.module.plan(size)
        work = sum(x.cone.macs for x in subjects)
        network.spent += work
        self._pays_to_keep = network.spent >= _WORTH_KEEPING * self._whole.macs
        self._shared_plan = self._covering(subjects, size, work)
        self._shared: tuple[tuple[int, ...], Tape] | None = None

    def _covering(
        self, subjects: Sequence[ConeSubject], size: tuple[int, ...], work: int
    ) -> Plan | None:
        """Return a plan that covers all units, if it is less work than their cones."""
        if len(subjects) < 2:
            return None
        boxes = [x.cone.target.box for x in subjects]
        hull: Box = tuple(
            (min(a for a, _ in spans), max(b for _, b in spans))
            for spans in zip(*boxes, strict=True)
        )
        plan = self._network.module.plan(size, hull)
        return plan if plan.macs < _WORTH_SHARING * work else None

    def together(self, limit: int) -> int:
        """Return how many samples to compute at once: as many as in the cached evaluations."""
        network = self._network
        return min(network.together, limit) if network.together else limit

    def has(self, indices: tuple[int, ...]) -> bool:
        """Whether the evaluation of some samples is cached, so that no image is needed."""
        return indices in self._network.tapes

    def of(self, indices: tuple[int, ...], load: Load, has_room: HasRoom) -> Tape | None:
        """Return the evaluation of some samples; None: the units should be evaluated singly."""
        network = self._network
        if indices in network.tapes:
            return network.tapes[indices]
        if self._shared is not None and self._shared[0] == indices:
            return self._shared[1]
        few = len(network.tapes) < _EVALUATIONS
        if few and self._pays_to_keep and has_room(self._bytes(self._whole) * len(indices)):
            tape = self._tape(self._whole, load(indices))
            network.keep(indices, tape)
            return tape
        plan = self._shared_plan
        if plan is None or self._bytes(plan) * len(indices) > _SHARED_BYTES:
            return None
        self._shared = (indices, self._tape(plan, load(indices)))
        return self._shared[1]

    def end_batch(self) -> None:
        """Drop evaluations that only the units of this measurement share."""
        self._shared = None

    def _tape(self, plan: Plan, images: Tensor) -> Tape:
        return Tape(self._network.module, plan, self._subject.settled(input_of(plan, images)))

    def _bytes(self, plan: Plan) -> int:
        itemsize = 8 if self._subject.request.dtype == "float64" else 4
        return bytes_of(self._network.module, plan, itemsize)
