"""What a test knows of a value and a type checker does not; a test fails where it is not so."""

from typing import TypeVar

from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer, Location, item_at

T = TypeVar("T")


def present(value: T | None) -> T:
    """Return a value that is there."""
    assert value is not None
    return value


def instance(kind: type[T], value: object) -> T:
    """Return a value that is of a kind."""
    assert isinstance(value, kind)
    return value


def conv_at(architecture: Architecture, place: Location) -> ops.Conv:
    """Return the convolution at a place of the tree."""
    return instance(ops.Conv, instance(Layer, item_at(architecture, place)).op)
