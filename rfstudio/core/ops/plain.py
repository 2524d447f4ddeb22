"""Operations of one position that are neither activations nor norms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rfstudio.core.layer_models.backward import PASS, Backward
from rfstudio.core.layer_models.layer import Layer, Place, Runs, average
from rfstudio.core.layer_models.moments import Moments, concentration
from rfstudio.core.ops.operation import Free, Pointwise
from rfstudio.core.ops.values import Kind, parameter


@dataclass(frozen=True, slots=True)
class Softmax(Free, Pointwise):
    """The softmax over the channels of a position."""

    keyword: ClassVar[str] = "softmax"
    title: ClassVar[str] = "Softmax"

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        """(E23) M_in = mean square of the Jacobian diag(p) − p pᵀ · M, from (E25)."""
        channels = max(place.channels, 1)
        peaked, moved = concentration(channels, average(runs).variance)
        out = Moments(peaked / channels**2, 1.0 / channels**2, 1.0 / channels)
        return Layer(
            Backward(moved / channels**2),
            ((channels, out),),
            "softmax is modelled with normal inputs to all channels",
        )


class Nothing(Free, Pointwise):
    """An operation that leaves all values as they are, at inference."""

    __slots__ = ()

    does_nothing: ClassVar[bool] = True
    followed_apart: ClassVar[bool] = True

    def energy_model(self, place: Place, runs: Runs) -> Layer:
        return Layer(PASS, runs)


@dataclass(frozen=True, slots=True)
class Identity(Nothing):
    """Nothing."""

    keyword: ClassVar[str] = "identity"
    title: ClassVar[str] = "Identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropout(Nothing):
    """Random zeros while training; nothing at inference."""

    keyword: ClassVar[str] = "dropout"
    title: ClassVar[str] = "Dropout"

    p: float = parameter(Kind.NUMBER, "Share of zeros while training.", 0.5, minimum=0, maximum=1)
