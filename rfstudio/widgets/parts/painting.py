"""One boundary for painting: what raises while it is drawn becomes a sentence, and is logged.

An exception that leaves a paint method reaches Qt in the middle of a paint, with a painter that is
still active; the process then ends.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar, cast

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPalette
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QWidget

from rfstudio.app.files.log_file import LOGGER

Paint = TypeVar("Paint", bound=Callable[..., None])

_MOST = 20
"""Different failures that are logged; one of them comes back with every frame."""

_MARGIN = 12

_logged: set[str] = set()


def paints_item(paint: Paint) -> Paint:
    """Guard a method that gets a painter first: of a graphics item or of a cell."""

    @wraps(paint)
    def guarded(self: Any, painter: QPainter, *rest: Any, **more: Any) -> None:
        painter.save()
        sentence = _run(paint, self, painter, *rest, **more)
        painter.restore()
        if sentence:
            painter.save()
            painter.resetTransform()
            _write(painter, QRectF(painter.viewport()), sentence)
            painter.restore()

    return cast("Paint", guarded)


def paints_widget(paint: Paint) -> Paint:
    """Guard a `paintEvent`."""

    @wraps(paint)
    def guarded(self: QWidget, *rest: Any) -> None:
        sentence = _run(paint, self, *rest)
        if sentence:
            device = self.viewport() if isinstance(self, QAbstractScrollArea) else self
            painter = QPainter(device)
            _write(painter, QRectF(device.rect()), sentence)
            painter.end()

    return cast("Paint", guarded)


def _run(paint: Callable[..., None], self: Any, *rest: Any, **more: Any) -> str:
    """Paint, and return what to draw instead; empty: it is painted."""
    try:
        paint(self, *rest, **more)
    except Exception as error:  # noqa: BLE001 - whatever a draft provokes, the window goes on
        told = f"{type(error).__name__}: {error}"
        _log(f"{type(self).__name__} could not be drawn", traceback.format_exc())
        error.__traceback__ = None  # it holds the painter, which Qt wants back now
        return (
            f"This cannot be drawn ({told[:200]}). Everything else goes on; the log file has the "
            "details (Help › Open the folder of log files)."
        )
    return ""


def _log(what: str, trace: str) -> None:
    if trace not in _logged and len(_logged) < _MOST:
        _logged.add(trace)
        LOGGER.error("%s\n%s", what, trace)


def _write(painter: QPainter, room: QRectF, sentence: str) -> None:
    with suppress(RuntimeError):  # a painter that has ended
        palette = QApplication.palette()
        painter.setClipping(False)
        painter.setOpacity(1.0)
        painter.fillRect(room, palette.color(QPalette.ColorRole.Base))
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        painter.setFont(QApplication.font())
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(room.adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN), int(flags), sentence)
