"""Opens the window, or says in a sentence why it cannot be opened."""

from __future__ import annotations

import argparse
import gc
import importlib.util
import os
import sys
from pathlib import Path

from rfstudio import system_libraries
from rfstudio.cli import interrupts
from rfstudio.cli.usage import UsageError
from rfstudio.cli.words import STREAM

_WITHOUT_WINDOW = (
    "Without a window, use `rfstudio analyze NETWORK`, `rfstudio presets`, `rfstudio erf`, "
    "`rfstudio figure`, `rfstudio compare` or `rfstudio convert`; `rfstudio --help` shows more."
)


def open_window(arguments: argparse.Namespace) -> int:
    """Open the main window and return when it is closed."""
    if arguments.network == STREAM:
        raise UsageError("The window opens files; only commands read standard input.")
    if reason := _why_no_window():
        raise UsageError(f"{reason} {_WITHOUT_WINDOW}")
    # Qt loses exceptions in its callbacks, and crashes if one comes while it is imported.
    interrupts.end_at_once()
    gc.disable()  # until the window is made
    try:
        return _run(arguments)
    finally:
        gc.enable()


def _run(arguments: argparse.Namespace) -> int:
    try:
        # The window is the only command that needs Qt.
        from rfstudio.app.heap import leave_sources_unread

        leave_sources_unread()
        from rfstudio.gui import run
    except ImportError as error:
        if not str(error).startswith("lib"):
            raise
        # The dynamic linker's message starts with the library's name.
        missing = str(error).partition(":")[0]
        raise UsageError(
            f"Qt cannot start, since the system library {missing} is missing or broken."
        ) from error
    return run(arguments.network, arguments.image)


def _why_no_window() -> str:
    """Return a sentence that says why no window can be opened, or an empty text."""
    if not sys.platform.startswith("linux"):
        return ""
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if platform not in ("", "xcb", "wayland"):
        reason = system_libraries.complaint(window=False)  # offscreen, vnc … need no display
        return f"{reason}." if reason else ""
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        return (
            "There is no display to open a window on (neither DISPLAY nor WAYLAND_DISPLAY is set)."
        )
    if (server := _local_server(os.environ.get("DISPLAY", ""))) and not server.exists():
        return f"There is no display {os.environ['DISPLAY']}: nothing listens at {server}."
    on_x = platform == "xcb" or (platform == "" and not os.environ.get("WAYLAND_DISPLAY"))
    if reason := system_libraries.complaint(window=on_x):
        return f"{reason}."
    if on_x and (plugin := _plugin_for_windows()):
        # Qt would abort the process, and no message of ours would be shown.
        reason = system_libraries.complaint_of_plugin(plugin)
        return f"{reason}." if reason else ""
    return ""


def _local_server(display: str) -> Path | None:
    """Return the socket of a display of this machine, such as ``:0``; None for any other."""
    number = display.removeprefix(":").partition(".")[0]
    is_local = display.startswith(":") and number.isdecimal()
    return Path(f"/tmp/.X11-unix/X{number}") if is_local else None  # noqa: S108 - X's own place


def _plugin_for_windows() -> Path | None:
    """Return Qt's plugin for X displays, found without importing Qt."""
    package = importlib.util.find_spec("PySide6")
    for folder in package.submodule_search_locations or () if package else ():
        plugin = Path(folder) / "Qt" / "plugins" / "platforms" / "libqxcb.so"
        if plugin.exists():
            return plugin
    return None
