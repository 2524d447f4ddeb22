"""Refuses to import what a server with a GPU lacks: importing this module is enough."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

ABSENT = ("PySide6", "shiboken6", "pyqtgraph", "matplotlib", "PIL", "yaml", "onnx", "pytest")


class Absent(MetaPathFinder):
    """Finds none of these modules, wherever they are installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> None:
        """Raise ImportError for them; leave all others to the usual finders."""
        del path, target
        if fullname.partition(".")[0] in ABSENT:
            raise ImportError(f"{fullname} must not be needed where there is no window")


sys.meta_path.insert(0, Absent())


def check() -> None:
    """Raise AssertionError if one of them was imported before, and so found by nobody."""
    found = [x for x in ABSENT if x in sys.modules]
    assert not found, f"imported without a window: {', '.join(found)}"
