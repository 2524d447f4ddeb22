"""Modules of torch as networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn

from rfstudio.core.errors import RFStudioError
from rfstudio.engine.importing.aten_graph import ExportError
from rfstudio.engine.importing.export import export_words, exported
from rfstudio.engine.importing.keras_modules import KerasModel, is_of_keras, title_of
from rfstudio.importing.imported import Imported
from rfstudio.importing.report import Remark, no_network
from rfstudio.importing.tree import network_of


def load_module(
    module: nn.Module, input_size: Sequence[int], channels: int | None = None, name: str = ""
) -> Imported:
    """Return a module as a network that holds the module.

    A detector whose heads depend on values is imported up to them: its `backbone`, which the
    network then holds, with a remark on what was left out.

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
    if is_of_keras(module):
        name = name or title_of(module)
        model = module = _of_keras(module, size, name)
        channels = channels or model.channels
    tries = [channels] if channels is not None else _likely_channels(module)
    try:
        return _first_that_fits(module, size, tries, name)
    except ExportError as error:
        backbone = getattr(module, "backbone", None)
        if not isinstance(backbone, nn.Module):
            raise
        try:
            network = _first_that_fits(
                _Backbone(backbone), size, tries, name or type(module).__name__
            )
        except ExportError:
            raise error from None
        left = ", ".join(f"'{x}'" for x, _ in module.named_children() if x != "backbone")
        remark = Remark(
            "dropped",
            "",
            f"only its backbone is imported, for an image as it is given to that; left out: {left}",
        )
        report = replace(network.report, remarks=(remark, *network.report.remarks))
        return replace(network, report=report)


def _of_keras(module: nn.Module, size: tuple[int, ...], name: str) -> KerasModel:
    try:
        return KerasModel(module, size)
    except Exception as error:
        # Whatever its layers raise for an image that they cannot take, when they are first built.
        raise ExportError(export_words(name, module, (1, 1, *size), error)) from error


class _Backbone(nn.Module):
    """The part of a detector before its heads, by the name that it has in the detector."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, image: Tensor) -> object:
        """Return the maps of the backbone."""
        return self.backbone(image)


def _first_that_fits(
    module: nn.Module, size: tuple[int, ...], tries: Sequence[int], name: str
) -> Imported:
    """Return a module as a network, for the first of some numbers of channels that it takes."""
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
