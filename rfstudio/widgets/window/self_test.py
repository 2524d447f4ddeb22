"""A test of an installed program by itself: measures a sample, writes a figure, and ends.

``RFSTUDIO_SELF_TEST=FOLDER rfstudio NETWORK`` runs it in the real window.  It shows whether a
packed program has all that it needs: its worker, its files, and what is loaded late.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QTimer

from rfstudio.app.files.exports import save_picture
from rfstudio.widgets.window.main_window import MainWindow

_PATIENCE = 180_000  # milliseconds; a first import of torch may take a minute
FIGURES = (".png", ".svg", ".pdf")


def start(window: MainWindow, folder: Path) -> None:
    """Begin when the window is shown; the process ends with status 0 if everything worked."""
    session = window.studio.erf_session
    if session is None:
        QCoreApplication.exit(1)
        return
    session.measurement_changed.connect(partial(_finish, window, folder))
    session.failed.connect(_fail)
    session.set_options(samples=1, device="cpu")
    QTimer.singleShot(_PATIENCE, window, partial(_fail, TimeoutError("it took too long")))
    QTimer.singleShot(0, window, session.measure)


def _finish(window: MainWindow, folder: Path, _measurement: object) -> None:
    session, shown = window.studio.erf_session, window.studio.erf.shown
    if session is None or session.state != "done" or shown.field is None:
        return
    if not shown.field.is_measured:
        return
    for suffix in FIGURES:
        save_picture(folder / f"self-test{suffix}", shown, image=window.studio.images.pixels)
    window.close()
    QCoreApplication.exit(0)


def _fail(error: Exception) -> None:
    sys.stderr.write(f"rfstudio: self-test: {error}\n")
    QCoreApplication.exit(1)
