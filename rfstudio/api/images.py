"""Images that a caller gives as arrays of torch or numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.process.torch_import import need_torch

if TYPE_CHECKING:
    import torch


def size_for(images: object, input_size: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Return the given size, or else that of images (N, C, H, W) or (C, H, W).

    Only modules need to know it before they are networks; those take two axes here.
    """
    shape = tuple(getattr(images, "shape", ()))
    return shape[-2:] if input_size is None and len(shape) in (3, 4) else input_size


def images_of(images: object, network: Architecture) -> torch.Tensor | None:
    """Return a caller's images as one batch (N, C, *size); see `engine.given_images`."""
    if images is None:
        return None
    need_torch()
    from rfstudio.engine.module.given_images import given_images

    return given_images(images, network.channels, network.axes)
