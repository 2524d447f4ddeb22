"""Models of Keras 3 on torch as modules of torch like any other.

They are modules already, but call their layers past torch, keep their tensors in variables of their
own, and mostly take images with channels last.  Nothing here imports Keras: a model brings it.
"""

# Keras shows only some of what its layers hold to others.
# ruff: noqa: SLF001

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional


def is_of_keras(module: nn.Module) -> bool:
    """Whether a module is a model or layer of Keras 3."""
    return any(map(_is_from_keras, type(module).__mro__))


def title_of(model: nn.Module) -> str:
    """Return what a model of Keras is called."""
    return str(getattr(model, "name", "") or type(model).__name__)


def _is_from_keras(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "keras"


class KerasModel(nn.Module):
    """A model of Keras that takes an image (1, channels, *size), by the names of its layers.

    Parameters
    ----------
    model
        A model or layer on the torch backend; it is not changed.
    size
        Size of the image along each axis, at which a model without tensors yet is built.
    """

    model: Any

    def __init__(self, model: nn.Module, size: Sequence[int]) -> None:
        super().__init__()
        self._size = tuple(size)
        # Not as a submodule, under whose name all its layers would stand.
        self.__dict__["model"] = model
        self.is_channels_last = _is_channels_last(model)
        self.channels = _channels(model, self.is_channels_last)
        _build(model, self._size, self.channels or 3, self.is_channels_last)
        _name_layers(self, model)

    def forward(self, image: Tensor) -> object:
        """Return what the model makes of an image (N, channels, *size)."""
        with _called_through_torch(self):
            return self.model(image.movedim(1, -1) if self.is_channels_last else image)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Keras copies a model as it saves it, which custom layers need not be able to.
        try:
            model = copy.deepcopy(self.model, memo)
        except Exception:  # noqa: BLE001 - whatever a layer of somebody else raises
            model = self.model
        return type(self)(model, self._size)


class _Layer(nn.Module):
    """A layer of Keras, which torch sees being called, with its variables as tensors of torch."""

    layer: Any
    own_call: Callable[..., Any]
    variables: dict[str, Any]

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.__dict__.update(layer=layer, own_call=layer.call, variables={})
        names = {} if _norm_of(layer) is None else _NAMES
        for is_trained, variables in (
            (True, layer._trainable_variables),
            (False, layer._non_trainable_variables),
        ):
            for variable in variables:
                name = _free_name(self, names.get(variable.name, variable.name))
                self.variables[name] = variable
                if is_trained:
                    self.register_parameter(name, variable.value)
                else:
                    self.register_buffer(name, variable.value.data)
        _name_layers(self, layer)

    def forward(self, *arguments: Any, **options: Any) -> Any:
        """Return what the layer returns."""
        variables = self.variables.items()
        before = [(x, x._value) for _, x in variables]
        try:
            # While a program is traced, torch puts others in the place of the module's tensors.
            for name, variable in variables:
                variable._value = getattr(self, name)
            norm = _norm_of(self.layer)
            found = None if norm is None else norm(self.layer, *arguments)
            return self.own_call(*arguments, **options) if found is None else found
        finally:
            for variable, value in before:
                variable._value = value


def _batch_norm(layer: Any, x: Tensor) -> Tensor | None:
    """Return what a batch norm makes of a map by torch's own, which a program shows as one step."""
    if not isinstance(layer.axis, int):
        return None
    x = x.movedim(layer.axis, 1)
    mean, variance = layer.moving_mean.value, layer.moving_variance.value

    def norm(scale: Tensor | None, shift: Tensor | None) -> Tensor:
        return functional.batch_norm(x, mean, variance, scale, shift, eps=layer.epsilon)

    return _affine(layer, norm).movedim(1, layer.axis)


def _group_norm(layer: Any, x: Tensor) -> Tensor | None:
    """Return what a group norm makes of a map by torch's own; None: it is of another kind."""
    if not isinstance(layer.axis, int):
        return None
    x, groups = x.movedim(layer.axis, 1), layer.groups
    groups = x.shape[1] if groups == -1 else groups

    def norm(scale: Tensor | None, shift: Tensor | None) -> Tensor:
        return functional.group_norm(x, groups, scale, shift, eps=layer.epsilon)

    return _affine(layer, norm).movedim(1, layer.axis)


def _affine(layer: Any, norm: Callable[[Tensor | None, Tensor | None], Tensor]) -> Tensor:
    """Return a norm of channels, the second dimension, with whichever numbers a layer has."""
    scale, shift = (None if v is None else v.value for v in (layer.gamma, layer.beta))
    if scale is not None and shift is not None:
        return norm(scale, shift)
    # torch's layers have both or none.
    found = norm(None, None)
    rest = [1] * (found.dim() - 2)
    if scale is not None:
        found = found * scale.reshape(-1, *rest)
    return found if shift is None else found + shift.reshape(-1, *rest)


def _layer_norm(layer: Any, x: Tensor) -> Tensor | None:
    """Return what a norm of the last axis makes of a map by torch's own; None: it is another."""
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    if [n % x.dim() for n in axes] != [x.dim() - 1] or getattr(layer, "rms_scaling", False):
        return None

    def norm(scale: Tensor | None, shift: Tensor | None) -> Tensor:
        found = functional.layer_norm(x, x.shape[-1:], scale, shift, eps=layer.epsilon)
        return found.movedim(-1, 1)

    return _affine(layer, norm).movedim(1, -1)


_NORMS = {
    "BatchNormalization": _batch_norm,
    "GroupNormalization": _group_norm,
    "LayerNormalization": _layer_norm,
}
"""Layers that Keras works out in many steps, as they are after a training."""

_NAMES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""What torch calls the tensors of such layers."""


def _norm_of(layer: Any) -> Callable[..., Tensor | None] | None:
    """Return how torch works out a norm of Keras; None: the layer is another, or somebody's own."""
    kind = type(layer)
    return _NORMS.get(kind.__name__) if _is_from_keras(kind) else None


def _name_layers(module: nn.Module, layer: Any) -> None:
    """Give a module a submodule for each layer within one of Keras."""
    for part in layer._layers:
        if isinstance(part, nn.Module) and type(part).__name__ != "InputLayer":
            module.add_module(_free_name(module, str(part.name)), _Layer(part))


def _free_name(module: nn.Module, name: str) -> str:
    """Return a name that a module can have for a part: no path, and none that it has already."""
    name = name.replace(".", "_").replace("/", "_")
    while hasattr(module, name):
        name += "_"
    return name


@contextmanager
def _called_through_torch(model: KerasModel) -> Iterator[None]:
    """Let the layers of a model be called through torch, by the submodules that stand for them."""
    parts = [x for x in model.modules() if isinstance(x, _Layer)]
    before = [x.layer.__dict__.get("call") for x in parts]
    for part in parts:
        part.layer.__dict__["call"] = part
    try:
        yield
    finally:
        for part, call in zip(parts, before, strict=True):
            if call is None:
                part.layer.__dict__.pop("call", None)
            else:
                part.layer.__dict__["call"] = call


def _is_channels_last(model: Any) -> bool:
    """Whether a model takes images with channels last, as its first layer that says so does."""
    for layer in model._flatten_layers():
        if (word := getattr(layer, "data_format", None)) is not None:
            return bool(word == "channels_last")
    return bool(sys.modules["keras"].config.image_data_format() == "channels_last")


def _channels(model: Any, is_channels_last: bool) -> int | None:
    """Return how many channels the images of a model have; None: it does not say."""
    shape = getattr(model, "input_shape", None) if getattr(model, "built", False) else None
    if not isinstance(shape, tuple) or len(shape) < 3:
        return None
    count = shape[-1] if is_channels_last else shape[1]
    return count if isinstance(count, int) else None


def _build(model: Any, size: tuple[int, ...], channels: int, is_channels_last: bool) -> None:
    """Let a model that has no tensors yet make them, by an image."""
    if all(x.built for x in model._flatten_layers()):
        return
    shape = (*size, channels) if is_channels_last else (channels, *size)
    with torch.no_grad():
        model(torch.zeros(1, *shape))
