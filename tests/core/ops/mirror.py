"""An operation that was added to the core alone, in no family, known to tests alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import AxisRules
from rfstudio.core.layer_models.backward import PASS
from rfstudio.core.layer_models.layer import Layer, Place, Runs
from rfstudio.core.ops import Context, Free, KeepsChannels, Patternless


@dataclass(frozen=True, slots=True)
class Mirror(Free, KeepsChannels, Patternless):
    """An operation that leaves every position where it is."""

    keyword: ClassVar[str] = "mirror"
    title: ClassVar[str] = "Mirror"
    context: ClassVar[Context] = Context.PATTERN
    weighted: ClassVar[bool] = False
    keeps_weights: ClassVar[bool] = False

    def axis_rules(self, sizes: tuple[int, ...]) -> AxisRules:
        return ops.identity_rules(sizes)

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return Layer(PASS, runs)
