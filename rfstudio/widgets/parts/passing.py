"""Dialogs that are shown once and are gone with their answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from PySide6.QtWidgets import QDialog

D = TypeVar("D", bound=QDialog)


@contextmanager
def passing(dialog: D) -> Iterator[D]:
    """Delete a dialog once its answer was read: its parent would hold it, and all that it shows.

    Examples
    --------
    ::

        with passing(FigureDialog(chosen, parent)) as dialog:
            return dialog.chosen if dialog.exec() else None
    """
    try:
        yield dialog
    finally:
        dialog.deleteLater()
