"""Libraries of the operating system that Qt needs on Linux: which are missing, and how to get them.

pip installs Qt, but not what Qt loads from the system, and without it Qt aborts with a text that
often names the wrong file.  Nothing but Python's own library is imported here, so that ``start``
can run this file before anything is installed: it prints the missing Debian packages, one a line.
"""

from __future__ import annotations

import ctypes
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Library(NamedTuple):
    """A shared library, and the package of Debian and Ubuntu that holds it."""

    name: str
    package: str


DRAWING = (
    Library("libEGL.so.1", "libegl1"),
    Library("libGL.so.1", "libgl1"),
    Library("libX11.so.6", "libx11-6"),
    Library("libglib-2.0.so.0", "libglib2.0-0"),
    Library("libfontconfig.so.1", "libfontconfig1"),
    Library("libdbus-1.so.3", "libdbus-1-3"),
    Library("libxkbcommon.so.0", "libxkbcommon0"),
)
"""What Qt needs to draw anything, also without a display."""

WINDOW = (
    Library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
    Library("libX11-xcb.so.1", "libx11-xcb1"),
    Library("libxcb-cursor.so.0", "libxcb-cursor0"),
    Library("libxcb-icccm.so.4", "libxcb-icccm4"),
    Library("libxcb-image.so.0", "libxcb-image0"),
    Library("libxcb-keysyms.so.1", "libxcb-keysyms1"),
    Library("libxcb-randr.so.0", "libxcb-randr0"),
    Library("libxcb-render-util.so.0", "libxcb-render-util0"),
    Library("libxcb-shape.so.0", "libxcb-shape0"),
    Library("libxcb-xkb.so.1", "libxcb-xkb1"),
)
"""What a window on an X display needs besides."""

FONTS = "fonts-dejavu-core"
"""A package of fonts: without any, Qt draws empty boxes for letters."""

_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")


def missing_libraries(*, window: bool) -> tuple[Library, ...]:
    """Return the libraries that cannot be loaded.

    Parameters
    ----------
    window
        Whether a window is to be opened on an X display; otherwise Qt only draws.
    """
    if not sys.platform.startswith("linux"):
        return ()
    wanted = DRAWING + WINDOW if window else DRAWING
    return tuple(x for x in wanted if not _loads(x.name))


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def has_fonts() -> bool:
    """Return whether there is any font file in the places where Linux has them."""
    folders = (Path(x).expanduser() for x in _FONT_FOLDERS)
    return any(
        file.suffix in (".ttf", ".otf", ".ttc", ".pfb") for x in folders for file in x.rglob("*")
    )


def remedy(missing: Iterable[Library]) -> str:
    """Return how to install libraries, as one line to be copied if the system has apt."""
    packages = " ".join(dict.fromkeys(x.package for x in missing))
    if shutil.which("apt-get"):
        return f"sudo apt-get install {packages}"
    return f"with the package manager of the system (on Debian and Ubuntu: {packages})"


def complaint(*, window: bool) -> str:
    """Return a sentence that names what Qt lacks and the remedy; empty if it lacks nothing."""
    missing = missing_libraries(window=window)
    if not missing:
        return ""
    count = "the system library" if len(missing) == 1 else "system libraries"
    names = ", ".join(x.name for x in missing)
    return f"Qt cannot start without {count} {names}. Install: {remedy(missing)}"


def complaint_of_plugin(plugin: Path) -> str:
    """Return a sentence that names a library which Qt's own plugin for windows fails to load.

    For systems that lack something which is in no table here; empty if the plugin loads.
    """
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        # The dynamic linker's message starts with the library's name.
        name = str(error).partition(":")[0]
        return f"Qt cannot open a window, since the system library {name} is missing or broken"
    return ""


if __name__ == "__main__":
    packages = [x.package for x in missing_libraries(window=True)]
    if sys.platform.startswith("linux") and not has_fonts():
        packages.append(FONTS)
    for package in dict.fromkeys(packages):
        print(package)  # noqa: T201 - this is what the file is run for
