"""Opens the window, or says in a sentence why it cannot be opened."""

from __future__ import annotations

import argparse
import ctypes
import os
import sys

from rfstudio.cli import interrupts
from rfstudio.cli.usage import UsageError

_WITHOUT_DISPLAY = (
    "Without one, use `rfstudio analyze NETWORK`, `rfstudio presets`, `rfstudio erf`, "
    "`rfstudio figure`, `rfstudio compare` or `rfstudio convert`; `rfstudio --help` tells more."
)
_PACKAGES = (
    "On Debian or Ubuntu, install the packages that the README names under 'Qt on a server'."
)


def open_window(arguments: argparse.Namespace) -> int:
    """Open the main window and return when it is closed."""
    if reason := _why_no_window():
        raise UsageError(f"{reason} {_WITHOUT_DISPLAY}")
    # Qt loses exceptions in its callbacks, and crashes if one comes while it is imported.
    interrupts.end_at_once()
    try:
        # The window is the only command that needs Qt.
        from rfstudio.gui import run
    except ImportError as error:
        if not str(error).startswith("lib"):
            raise
        # The dynamic linker's message starts with the library's name.
        missing = str(error).partition(":")[0]
        raise UsageError(
            f"Qt cannot start, since the system library {missing} is missing. {_PACKAGES}"
        ) from error
    return run(arguments.network, arguments.image)


def _why_no_window() -> str:
    """Return a sentence that says why no window can be opened, or an empty text."""
    if not sys.platform.startswith("linux"):
        return ""
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if platform not in ("", "xcb", "wayland"):
        return ""  # offscreen, vnc and others need no display
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        return (
            "There is no display to open a window on (neither DISPLAY nor WAYLAND_DISPLAY is set)."
        )
    if platform == "xcb" or (platform == "" and not os.environ.get("WAYLAND_DISPLAY")):
        try:
            # Qt would abort without a word of ours.
            ctypes.CDLL("libxcb-cursor.so.0")
        except OSError:
            return f"Qt cannot open a window without the system library libxcb-cursor. {_PACKAGES}"
    return ""
