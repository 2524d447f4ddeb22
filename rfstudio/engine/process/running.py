"""Cancelling a long computation, and reporting its progress."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeAlias

from rfstudio.core.errors import Cancelled

Report: TypeAlias = Callable[[float, Any], None]
"""Receives the fraction done, from 0 to 1, and what is known so far (or None)."""


class CancelToken:
    """A flag that one thread sets and another polls."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask the computation to stop at its next check."""
        self._event.set()

    @property
    def is_cancelled(self) -> bool:
        """Whether the computation was asked to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise `Cancelled` if the computation was asked to stop."""
        if self.is_cancelled:
            raise Cancelled("cancelled")


def ignore(fraction: float, partial: object) -> None:
    """Drop a report."""
    del fraction, partial
