"""Draws previews of figures on a thread beside the window, the newest one that is wanted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from PySide6.QtCore import QBuffer, QIODevice, QObject, QSize, Qt, Signal, Slot
from PySide6.QtGui import QImage, QImageReader

from rfstudio.core.errors import RFStudioError

_MOST_DOTS = 1200
"""Dots along the longer side of a preview."""


class _Drawn(NamedTuple):
    data: bytes
    picture: QImage


def _small(data: bytes) -> QImage:
    """Return the picture of a file, made smaller if it is large, without holding the window up.

    A reader lets other threads work meanwhile; `QImage.fromData` and `scaled` keep Python's lock,
    for a quarter of a second at 600 dpi.
    """
    buffer = QBuffer()
    buffer.setData(data)
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer, b"png")
    size = reader.size()
    if max(size.width(), size.height()) > _MOST_DOTS:
        most = QSize(_MOST_DOTS, _MOST_DOTS)
        reader.setScaledSize(size.scaled(most, Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read()


class Previews(QObject):
    """Draws one picture after the other; those that nobody waits for any more are left out.

    Signals
    -------
    drawn
        The number of a request, the bytes of its PNG, and its picture, made smaller if it is large.
    failed
        The number of a request, and why there is no picture, in words.
    """

    drawn = Signal(int, bytes, QImage)
    failed = Signal(int, str)

    _ended = Signal(int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread: threading.Thread | None = None
        self._next: tuple[int, Callable[[str], bytes]] | None = None
        self._number = 0
        self._is_busy = False
        self._ended.connect(self._take, Qt.ConnectionType.QueuedConnection)

    def ask(self, draw: Callable[[str], bytes]) -> int:
        """Draw a picture as soon as the last one is ready, and return the number of the request."""
        self._number += 1
        self._next = (self._number, draw)
        self._go_on()
        return self._number

    def wait(self) -> None:
        """Wait until nothing is drawn; what is not begun is dropped."""
        self._next = None
        if self._thread is not None:
            self._thread.join()

    def _go_on(self) -> None:
        if self._next is None or self._is_busy:
            return
        number, draw = self._next
        self._next, self._is_busy = None, True
        self._thread = threading.Thread(
            target=self._draw, args=(number, draw), name="rfstudio-preview"
        )
        self._thread.start()

    def _draw(self, number: int, draw: Callable[[str], bytes]) -> None:
        result: _Drawn | str
        try:
            data = draw(".png")
            result = _Drawn(data, _small(data))
        except RFStudioError as error:
            result = str(error)
        except Exception as error:
            logging.getLogger(__name__).exception("a preview was not drawn")
            result = f"it could not be drawn ({type(error).__name__}: {error})"
        # The window may have been closed meanwhile.
        with suppress(RuntimeError):
            self._ended.emit(number, result)

    @Slot(int, object)
    def _take(self, number: int, result: _Drawn | str) -> None:
        self._is_busy = False
        if isinstance(result, _Drawn):
            self.drawn.emit(number, result.data, result.picture)
        else:
            self.failed.emit(number, f"{result[:1].upper()}{result[1:]}")
        self._go_on()
