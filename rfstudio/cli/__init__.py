"""The command line: the same answers as the window, for terminals and scripts."""

from rfstudio.cli.main import main

__all__ = ["main"]
