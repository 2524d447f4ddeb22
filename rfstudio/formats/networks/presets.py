"""Networks by name or path: the presets that ship with the program, and files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from rfstudio import paths
from rfstudio.core.errors import RFStudioError, shown
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.files import FileAccessError, read_bounded
from rfstudio.formats.networks.bounded_yaml import MAX_BYTES
from rfstudio.formats.networks.wording import suggestion
from rfstudio.formats.networks.yaml_reader import read_yaml

_SUFFIXES = (".yaml", ".yml")


class UnknownNetworkError(RFStudioError):
    """The requested network is neither a preset nor a file."""


@dataclass(frozen=True, slots=True)
class Preset:
    """One line of the list of presets.

    Attributes
    ----------
    name
        The name by which it is opened: that of its file without the suffix.
    title
        Its name in print, such as ``ResNet-50``.
    description, reference
        What it is, and its source.
    """

    name: str
    title: str
    description: str
    reference: str


def names() -> tuple[str, ...]:
    """Return the names of all presets, in the order of the alphabet."""
    return tuple(sorted(x.stem for x in paths.architectures().glob("*.yaml")))


def preset_path(name: str) -> Path:
    """Return the file of a preset.

    Raises
    ------
    UnknownNetworkError
        If there is no such preset; the nearest one is named.
    """
    known = names()
    if name not in known:
        near = suggestion(name, known) or "; 'rfstudio presets' lists them"
        raise UnknownNetworkError(f"there is no preset '{shown(name)}'{near}")
    return paths.architectures() / f"{name}.yaml"


@cache
def read_preset(name: str) -> Architecture:
    """Return a preset.

    Raises
    ------
    UnknownNetworkError
        If there is no such preset; the nearest one is named.
    """
    path = preset_path(name)
    return read_yaml(read_bounded(path, MAX_BYTES), path.name)


@cache
def preset_title(name: str) -> tuple[str, str]:
    """Return a preset's name in print and what it is, without reading its layers.

    Raises
    ------
    UnknownNetworkError
        If there is no such preset.
    """
    text = read_bounded(preset_path(name), MAX_BYTES).decode()
    head = yaml.safe_load(_INPUT.split(text, maxsplit=1)[0])  # one of our own files
    fields = head if isinstance(head, dict) else {}
    return str(fields.get("name", name)), str(fields.get("description", ""))


_INPUT = re.compile(r"^(?:input|layers):", re.MULTILINE)


def presets() -> tuple[Preset, ...]:
    """Return what a list of presets shows, in the order of the alphabet."""
    return tuple(
        Preset(x, network.name, network.description, network.reference)
        for x in names()
        for network in (read_preset(x),)
    )


def open_network(name_or_path: str | Path) -> Architecture:
    """Return the network that a user names: a preset, or the path of a YAML file.

    A word that is a preset means the preset, even if a file or folder has that name; write
    ``./resnet18`` for the file.

    Raises
    ------
    UnknownNetworkError
        If there is neither, or the argument is something else, such as a torch module.
    FileAccessError
        If the file cannot be read.
    FormatError
        If the file is not in the format; with all its problems.
    """
    if not isinstance(name_or_path, str | Path):
        raise UnknownNetworkError(
            "a network is a preset's name, the path of a file, an Architecture or a torch module, "
            f"not {type(name_or_path).__name__}; a torch module is measured with module=… beside "
            "an architecture of its layers, too"
        )
    text = str(name_or_path)
    if isinstance(name_or_path, str) and text in names():
        return read_preset(text)
    try:
        data = read_bounded(name_or_path, MAX_BYTES)
    except FileAccessError:
        if not _looks_like_a_name(name_or_path):
            raise
        near = suggestion(text, names()) or "; 'rfstudio presets' lists the presets"
        message = f"there is no preset and no file '{shown(text)}'{near}"
        raise UnknownNetworkError(message) from None
    return read_yaml(data, text)


def _looks_like_a_name(name_or_path: str | Path) -> bool:
    if not isinstance(name_or_path, str) or set(name_or_path) & set("/\\\0"):
        return False
    return Path(name_or_path).suffix.lower() not in _SUFFIXES
