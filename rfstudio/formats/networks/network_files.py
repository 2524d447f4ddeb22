"""Writes a network to a file, in the format that its ending names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.files import atomic_write
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.pytorch.source import write_pytorch

WRITERS: Mapping[str, Callable[[Architecture], str]] = MappingProxyType(
    {".yaml": write_yaml, ".yml": write_yaml, ".py": write_pytorch}
)
"""The functions that write a network, by the ending of its file."""


def write_network_file(path: Path, architecture: Architecture) -> None:
    """Write a network as YAML or as PyTorch source, by the ending of the path.

    Raises
    ------
    RFStudioError
        If the ending is unknown, the network cannot be written as source, or the file cannot be
        written; an old file is then unchanged.
    """
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise RFStudioError(f"{path}: a network is written as .yaml or .py (PyTorch)")
    atomic_write(path, writer(architecture).encode())
