"""Operations of one position that are neither activations nor norms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rfstudio.core.ops.operation import Free, Pointwise
from rfstudio.core.ops.values import Kind, parameter


@dataclass(frozen=True, slots=True)
class Softmax(Free, Pointwise):
    """The softmax over the channels of a position."""

    keyword: ClassVar[str] = "softmax"
    title: ClassVar[str] = "Softmax"


@dataclass(frozen=True, slots=True)
class Identity(Free, Pointwise):
    """Nothing."""

    keyword: ClassVar[str] = "identity"
    title: ClassVar[str] = "Identity"
    does_nothing: ClassVar[bool] = True
    followed_apart: ClassVar[bool] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropout(Free, Pointwise):
    """Random zeros while training; nothing at inference."""

    keyword: ClassVar[str] = "dropout"
    title: ClassVar[str] = "Dropout"
    does_nothing: ClassVar[bool] = True
    followed_apart: ClassVar[bool] = True

    p: float = parameter(Kind.NUMBER, "Share of zeros while training.", 0.5, minimum=0, maximum=1)
