"""How a long computation hears that nobody wants it any more, and tells how far it is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from rfstudio.core.errors import Cancelled

Report: TypeAlias = Callable[[float, Any], None]
"""Receives the fraction done, from 0 to 1, and what is known so far (or None)."""


class CancelToken:
    """A flag that one thread raises and another one polls."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the computation to stop at its next check."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody asked for the computation to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if somebody asked for the computation to stop."""
        if self.is_cancelled:
            raise Cancelled("cancelled")


def ignore(fraction: float, partial: object) -> None:
    """Drop a report."""
    del fraction, partial
