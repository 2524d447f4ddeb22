"""Images that come from a caller's own code, as one batch whatever array holds them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rfstudio.engine.process.errors import MeasurementError

_AXES = {1: "L", 2: "H×W", 3: "D×H×W"}


def given_images(images: object, channels: int, axes: int) -> Tensor:
    """Return images as a tensor (N, C, *size); a single one, (C, *size), gets its batch axis.

    Parameters
    ----------
    images
        A tensor of torch or an array of numpy; its values are used as they are.
    channels, axes
        Of the network's input.

    Raises
    ------
    MeasurementError
        If it is no such array, has another shape, or holds no real numbers.
    """
    tensor = _as_tensor(images, channels, axes)
    shape = tuple(tensor.shape)
    if len(shape) == axes + 1 and shape[0] == channels:
        tensor = tensor[None]
    if tensor.ndim != axes + 2 or tensor.shape[1] != channels or 0 in tensor.shape:
        known = len(shape) == axes + 2 and 0 not in shape[2:]
        size = "×".join(map(str, shape[2:])) if known else _AXES[axes]
        raise MeasurementError(
            f"images must be of shape N×{channels}×{size}, not {'×'.join(map(str, shape)) or '()'}"
            + _remedy(shape, channels, axes)
        )
    return tensor


def _as_tensor(images: object, channels: int, axes: int) -> Tensor:
    if isinstance(images, np.ndarray) and images.dtype.kind in "fiu":
        # torch accepts neither negative strides nor another byte order.
        images = torch.from_numpy(np.array(images, images.dtype.newbyteorder("=")))
    if not isinstance(images, Tensor):
        what = f"an array of {images.dtype}" if isinstance(images, np.ndarray) else type(images)
        found = what if isinstance(what, str) else f"a {what.__name__}"
        raise MeasurementError(
            f"images must be a tensor of torch or an array of numpy, N×{channels}×{_AXES[axes]} "
            f"real numbers, not {found}; torch.stack and numpy.stack make one of several"
        )
    if images.layout != torch.strided or images.is_meta or images.is_complex():
        raise MeasurementError("images must be dense and hold real numbers")
    return images.detach()


def _remedy(shape: tuple[int, ...], channels: int, axes: int) -> str:
    """Return a hint for images whose channels come last, as in files."""
    if len(shape) in (axes + 1, axes + 2) and shape[-1] == channels:
        return "; channels come before the size: move the last axis there"
    return ""
