"""Resolves the arguments of a command into a network, an input size and a unit."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from rfstudio import api
from rfstudio.cli.usage import UsageError
from rfstudio.cli.words import STREAM
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis, UnitView
from rfstudio.core.network import inputs
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.process.torch_import import need_torch
from rfstudio.engine.requests.request import FIXED_WEIGHTS
from rfstudio.engine.weights.safety_scan import checked_kind
from rfstudio.formats.networks.bounded_yaml import MAX_BYTES
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.tables.analysis_tables import one_line
from rfstudio.importing.imported import Imported


def load_network(arguments: argparse.Namespace) -> Architecture:
    """Return the network that a command names, at the input size that it names."""
    return opened(arguments.network, arguments.input_size, trust=arguments.trust)


def opened(name: str, size: tuple[int, ...] | None, *, trust: bool) -> Architecture:
    """Return a network by its name, at an input size; what an import did goes to standard error."""
    if size is not None and min(size) < 1:
        raise UsageError("--input-size must be at least 1 along each axis")
    if name == STREAM:
        return resized(_from_standard_input(), size)
    network = api.load(name, input_size=size, trust=trust)
    if isinstance(network, Imported):
        for remark in network.report:
            print(one_line(f"rfstudio: import: {remark}"), file=sys.stderr)
    return resized(network, size)


def _from_standard_input() -> Architecture:
    """Return the network that standard input describes as YAML."""
    if sys.stdin is None:
        raise UsageError("there is no standard input to read the network from")
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise RFStudioError(f"standard input has more than {MAX_BYTES:,} bytes")
    return read_yaml(data, "<stdin>")


def resized(network: Architecture, size: tuple[int, ...] | None) -> Architecture:
    """Return a network with another input size; None: with its own.

    Raises
    ------
    UsageError
        If the size has another number of axes or is empty.
    """
    if size is None:
        return network
    if len(size) != network.axes:
        raise UsageError(
            f"--input-size takes {numbers(network.axes)} for '{network.name}', not {len(size)}"
        )
    if min(size) < 1:
        raise UsageError("--input-size must be at least 1 along each axis")
    return inputs.resized(network, size)


def unit_of(analysis: Analysis, arguments: argparse.Namespace) -> UnitView | None:
    """Return the unit that a command names, the last layer's if it names no layer."""
    if arguments.layer is None and arguments.unit is None:
        return None
    if arguments.layer is None and not analysis.layers:
        raise RFStudioError(f"'{analysis.architecture.name}' has no layers, so there is no unit")
    layer = arguments.layer or analysis.layers[-1].name
    unit = analysis.unit(layer, position_of(analysis, layer, arguments.unit))
    return dataclasses.replace(unit, layer=layer)


def position_of(
    analysis: Analysis, layer: str, position: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    """Return the position of a unit; None, which means the centre, stays None.

    Raises
    ------
    UsageError
        If it has another number of axes than the layer.
    UnknownLayerError
        If there is no such layer.
    """
    axes = len(analysis[layer].output_size)
    if position is not None and len(position) != axes:
        raise UsageError(f"--unit takes {numbers(axes)} for '{layer}', not {len(position)}")
    return position


def make_ready(weights: str) -> None:
    """Import torch, after a look at the file of weights: one that is refused is told at once.

    Raises
    ------
    RFStudioError
        If there is no torch, or the file cannot be read within bounds.
    """
    if weights not in FIXED_WEIGHTS:
        checked_kind(Path(weights))
    need_torch()


def numbers(count: int) -> str:
    """Return how many numbers an option takes, in words."""
    return "1 number" if count == 1 else f"{count} numbers"
