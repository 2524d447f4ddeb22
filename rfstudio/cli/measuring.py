"""The command that computes or measures an effective receptive field."""

from __future__ import annotations

import argparse

from rfstudio.cli.usage import UsageError


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command accepts besides network, layer and unit."""
    del parser


def erf(arguments: argparse.Namespace) -> int:
    """Print the metrics of an effective field, and write its map."""
    raise UsageError("not yet")
