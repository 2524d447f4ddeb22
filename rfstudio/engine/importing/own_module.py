"""A submodule of a user's own module as a module of its own: image in, its map out.

Fields of a trained model are measured on the model itself, not on a copy that was rebuilt.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from rfstudio.core.network.expansion import expand
from rfstudio.engine.importing.held import held
from rfstudio.engine.measuring.subject import target_of
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.importing.imported import Imported
from rfstudio.importing.layout import Dims, places_of

_CALL = re.compile(r"@(\d+)")


class _Reached(Exception):  # noqa: N818 - not an error: the forward pass has got as far as it must
    """Ends a forward pass at the submodule.

    It carries nothing: a model may raise another exception of the same class in its place.
    """


class LayerOfModule(nn.Module):
    """What a submodule makes of an image, as (N, channels, *size).

    Parameters
    ----------
    module
        The whole module; a copy of it is used, in evaluation mode.
    layer
        Path of the submodule; ``path@1`` is its second call.
    channels, size
        Of its map.
    layout
        What the dimensions of its output run through; empty: not known.

    Raises
    ------
    MeasurementError
        If there is no such submodule.
    """

    def __init__(
        self,
        module: nn.Module,
        layer: str,
        channels: int,
        size: Sequence[int],
        layout: Dims = (),
    ) -> None:
        super().__init__()
        path = _CALL.sub("", layer)
        known = dict(module.named_modules())
        if path not in known:
            raise MeasurementError(_no_submodule(module, path, known))
        self.module = copy.deepcopy(module).eval()
        self._path, self._call = path, sum(map(int, _CALL.findall(layer)))
        self._channels, self._size = channels, tuple(size)
        self._shape = tuple(x.size for x in layout)
        self._places = places_of(layout, self._size, channels) if layout else None

    def forward(self, image: Tensor) -> Tensor:
        """Return the map of the submodule."""
        calls = iter(range(self._call, -1, -1))
        outputs: list[object] = []

        def stop(_module: nn.Module, _arguments: object, output: object) -> None:
            if next(calls) == 0:
                outputs.append(output)
                raise _Reached

        handle = self.module.get_submodule(self._path).register_forward_hook(stop)
        try:
            self.module(image)
        except _Reached:
            return self._as_map(outputs[0], len(image))
        finally:
            handle.remove()
        raise MeasurementError(f"'{self._path}' was not called for this image")

    def _as_map(self, output: object, images: int) -> Tensor:
        tensor = next(_tensors(output), None)
        if tensor is None:
            raise MeasurementError(f"'{self._path}' returns no tensor")
        known = (images * self._shape[0], *self._shape[1:]) if self._shape else ()
        if self._places is not None and tuple(tensor.shape) == known:
            # In any order: tokens may be those of one window after the other, windows be images.
            places = torch.from_numpy(self._places.copy()).to(tensor.device)
            return tensor.reshape(images, -1)[:, places]
        found = as_map(tensor, self._channels, self._size)
        if found is None:
            shape = "×".join(map(str, tensor.shape))
            raise MeasurementError(
                f"'{self._path}' returns {shape} values, which are no map of "
                f"{self._channels} channels of {'×'.join(map(str, self._size))}"
            )
        return found


def layer_of(network: Imported, layer: str, input_size: Sequence[int] | None) -> nn.Module | None:
    """Return a layer of the module from which a network was imported; None: there is no module.

    Raises
    ------
    MeasurementError
        If the layer is no submodule.
    UnknownLayerError
        If there is no such layer.
    """
    if not isinstance(network.module, nn.Module):
        return None
    return _layer(network, network.module, layer, input_size)


def own_layer(request: ErfRequest) -> nn.Module | None:
    """Return what a request measures as a part of the model itself.

    None if it has been edited since, or nothing of it is in this process, or it is no submodule:
    then only the network that is rebuilt from it can be measured.
    """
    network = request.architecture
    if not isinstance(network, Imported) or not network.is_unedited:
        return None
    module = network.module if isinstance(network.module, nn.Module) else held(network.edition)
    graph = expand(network, request.input_size)
    target = graph.nodes[target_of(graph, graph.index(request.layer), request.activation)]
    names = (target.name, request.layer) if request.activation == "as_is" else (target.name,)
    for name in names:
        if module is not None and _CALL.sub("", name) in dict(module.named_modules()):
            return _layer(network, module, name, request.input_size)
    return None


def _layer(
    network: Imported, module: nn.Module, layer: str, input_size: Sequence[int] | None
) -> nn.Module:
    graph = expand(network, None if input_size is None else tuple(input_size))
    node = graph.nodes[graph.index(layer)]
    layout = network.layouts.get(layer, ())
    return LayerOfModule(module, layer, node.channels, node.size, layout).eval()


def as_map(x: Tensor, channels: int, size: tuple[int, ...]) -> Tensor | None:
    """Return a tensor as (N, channels, *size), whatever its layout is; None if it is no such map.

    Tokens without a position, such as a class token, come first and are left out.
    """
    axes, tokens = len(size), prod(size)
    if x.dim() == axes + 2:
        if tuple(x.shape[1:]) == (channels, *size):
            return x
        if tuple(x.shape[1:]) == (*size, channels):
            return x.movedim(-1, 1)
    if x.dim() == 3:
        extra = x.shape[1] - tokens
        if x.shape[2] == channels and 0 <= extra < max(tokens, 2):
            return x[:, extra:].mT.reshape(len(x), channels, *size)
        if tuple(x.shape[1:]) == (channels, tokens):
            return x.reshape(len(x), channels, *size)
    if x.dim() == 2 and tokens == 1 and x.shape[1] == channels:
        return x.reshape(len(x), channels, *size)
    return None


def _tensors(output: Any) -> Iterator[Tensor]:
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        for x in output.values():
            yield from _tensors(x)
    elif isinstance(output, list | tuple):
        for x in output:
            yield from _tensors(x)


def _no_submodule(module: nn.Module, path: str, known: dict[str, nn.Module]) -> str:
    name = type(module).__qualname__
    outer = path.rpartition(".")[0]
    while outer and outer not in known:
        outer = outer.rpartition(".")[0]
    near = [outer] if outer else get_close_matches(path, known, n=1)
    hint = f"; measure '{near[0]}', or" if near else ";"
    return (
        f"'{path}' is no submodule of {name}, so the module itself cannot be measured there{hint} "
        "give weights='model' to measure the network that is rebuilt from it, or weights='random'"
    )
