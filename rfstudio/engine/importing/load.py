"""Modules of torch as networks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from rfstudio.core.errors import RFStudioError
from rfstudio.engine.importing.export import ExportError, exported
from rfstudio.importing.imported import Imported
from rfstudio.importing.report import no_network
from rfstudio.importing.tree import network_of


def load_module(
    module: nn.Module, input_size: Sequence[int], channels: int | None = None, name: str = ""
) -> Imported:
    """Return a module as a network that holds the module.

    Parameters
    ----------
    module
        Any module that takes one image.
    input_size
        Size of the image along each axis, in pixels.
    channels
        Number of its channels; None: found by trying.
    name
        What the network is to be called; empty: the module's class.

    Raises
    ------
    ExportError
        If torch cannot export it.
    """
    size = tuple(input_size)
    tries = [channels] if channels is not None else _likely_channels(module)
    first: RFStudioError | None = None
    for count in tries:
        try:
            return network_of(exported(module, (1, count, *size), name), module)
        except ExportError as error:
            first = first or error
    assert first is not None
    raise first


def load_given(network: object, input_size: Sequence[int] | None) -> Imported:
    """Return what a caller gave as a network: a module at the size of its image.

    Raises
    ------
    RFStudioError
        If it is no module, or there is no size.
    """
    if not isinstance(network, nn.Module):
        raise RFStudioError(no_network(network))
    if input_size is None:
        raise RFStudioError(
            f"say for which size of image {type(network).__qualname__} is: input_size=(224, 224)"
        )
    return load_module(network, input_size)


def _likely_channels(module: nn.Module) -> list[int]:
    found = [3]
    for part in module.modules():
        count = getattr(part, "in_channels", None)
        if isinstance(count, int) and hasattr(part, "kernel_size"):
            found.append(count)
            break
    return list(dict.fromkeys([*found, 1]))
