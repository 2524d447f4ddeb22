"""The networks that ship with the program, for the window's menu."""

from __future__ import annotations

import re

from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.networks import presets

START = "vgg16"
"""The network that a first start shows."""

_FAMILIES = (
    ("VGG and AlexNet", ("alexnet", "vgg")),
    ("ResNet", ("resnet",)),
    ("Inception", ("googlenet", "inception", "xception")),
    ("Mobile and dense", ("mobilenet", "efficientnet", "densenet")),
    ("Segmentation", ("unet", "fcn", "deeplab")),
    ("Detection", ("darknet", "fpn", "yolo")),
    ("Pictures that are made", ("cyclegan", "patchgan")),
    ("Large kernels and attention", ("convnext", "replknet", "vit", "swin")),
    ("Sound, text and other sequences", ("crnn", "hifigan", "spliceai", "tcn", "wav")),
    ("Theory", ("luo",)),
)


_END = re.compile(r"(?<!\bal)\.\s")
"""The end of a sentence; "et al." is none."""


def shipped_names() -> tuple[str, ...]:
    """Return the names of all presets."""
    return tuple(presets.names())


def preset_families() -> list[tuple[str, list[str]]]:
    """Return the names of all presets, grouped under headings."""
    rest = list(presets.names())
    groups = []
    for title, stems in _FAMILIES:
        members = [name for name in rest if name.startswith(stems)]
        rest = [name for name in rest if name not in members]
        if members:
            groups.append((title, members))
    if rest:
        groups.append(("Others", rest))
    return groups


def read_preset(name: str) -> Architecture:
    """Return a preset network.

    Raises
    ------
    RFStudioError
        If there is none of that name.
    """
    architecture: Architecture = presets.read_preset(name)
    return architecture


def preset_sentence(name: str) -> str:
    """Return a preset's name in print, and what it is in a sentence."""
    title, description = presets.preset_title(name)
    first = _END.split(description, maxsplit=1)[0].rstrip(".")
    return f"{title}: {first}" if first else title
