"""The last module that code made for the window, which stays in the worker process.

A module cannot travel to the window and back without running code again; the network that was
imported from it knows it by a key.
"""

from __future__ import annotations

from uuid import uuid4

from torch import Tensor, nn

from rfstudio.engine.process.errors import MeasurementError

_HELD: dict[str, nn.Module] = {}


def hold(module: nn.Module) -> str:
    """Keep a module in place of the last one, and return its key."""
    _HELD.clear()
    key = uuid4().hex
    _HELD[key] = module
    return key


def held(key: str) -> nn.Module | None:
    """Return the module of a key; None: it is another one's turn, or another process."""
    return _HELD.get(key)


def state_of_held(key: str) -> dict[str, Tensor]:
    """Return the tensors of a module by name.

    Raises
    ------
    MeasurementError
        If the module is not here any more.
    """
    module = held(key)
    if module is None:
        raise MeasurementError(
            "the model's weights were in a process that has ended since; File › Import again "
            "brings them back, or measure with other weights"
        )
    return {name: x.detach() for name, x in module.state_dict().items()}
