"""Opens the window: checks the platform, makes the state, and runs Qt's event loop."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication, QWidget

from rfstudio import __version__
from rfstudio.app.files.crash_trace import CrashTrace, log_crashes
from rfstudio.app.files.log_file import end_log, log_file, start_log
from rfstudio.app.files.opening import Opening, opening_for, remembered_choice
from rfstudio.app.files.recovery import Recovery
from rfstudio.app.heap import (
    GivingBack,
    IdleCollection,
    begin_collection,
    collect_seldom,
    exempt_from_collection,
    share_one_heap,
)
from rfstudio.app.state.image_source import sample_images
from rfstudio.app.studio import Studio
from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.parts.theme import apply_scheme, remembered_text_scale, scale_text
from rfstudio.widgets.window.crash_dialog import versions_text
from rfstudio.widgets.window.crash_reports import CrashReports
from rfstudio.widgets.window.main_window import MainWindow
from rfstudio.widgets.window.questions import Questions
from rfstudio.widgets.window.tour import TOUR

_CALLS = 200
_WARM_AFTER = 400  # milliseconds after the first paint


class PlatformError(RFStudioError):
    """The installed Qt would crash the program."""


def run(network: str | None = None, image: str | Path | None = None) -> int:
    """Open the window and return when it is closed.

    Parameters
    ----------
    network
        A preset's name or a YAML file; None: what was open last, at first VGG-16.
    image
        An image file; None: the one shown last, at first a sample photo.

    Returns
    -------
    int
        The exit status of the process.

    Raises
    ------
    RFStudioError
        If there is no such network or image, or this Qt is known to crash.
    """
    share_one_heap()
    collect_seldom()
    application = make_application()
    log = start_log(versions_text())
    crashes = log_crashes()
    trace = CrashTrace()
    trace.begin()
    check_references()
    window = make_window(network, image)
    window.closed.connect(trace.end)
    window.closed.connect(partial(end_log, log))
    CrashReports(window).install()
    # Ctrl+C in the terminal ends the program, as it does any other.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    window.show()
    if crashes:
        window.status.tell(crash_text())
    begin_collection()
    if folder := os.environ.get("RFSTUDIO_SELF_TEST"):
        from rfstudio.widgets.window import self_test

        QTimer.singleShot(_WARM_AFTER, window, partial(self_test.start, window, Path(folder)))
    else:
        offer_tour(window)
    QTimer.singleShot(_WARM_AFTER, window, exempt_from_collection)
    IdleCollection(window)
    return application.exec()


def crash_text() -> str:
    """Return what is said at the start after a crash."""
    return f"RF Studio crashed the last time; its log says where, for a report: {log_file()}"


def offer_tour(window: MainWindow) -> None:
    """Begin the tour shortly after the first start, and after no later one."""
    if not window.studio.settings.flag(TOUR, False):
        QTimer.singleShot(_WARM_AFTER, window, window.begin_tour)


def make_application() -> QApplication:
    """Return the application, with its name and version."""
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("rfstudio")
    application.setApplicationDisplayName("RF Studio")
    application.setApplicationVersion(__version__)
    application.setDesktopFileName("rfstudio")
    return application


def lost_references() -> int:
    """Return how many references to None are lost by 200 calls that return nothing."""
    widget = QWidget()
    before = sys.getrefcount(None)
    for _ in range(_CALLS):
        widget.update()
    return before - sys.getrefcount(None)


def check_references() -> None:
    """Refuse a binding that takes a reference from None with every call, and so aborts soon.

    Raises
    ------
    PlatformError
        If it does; PySide6 6.12.0 on Python 3.11 is known to.
    """
    if lost_references() > _CALLS // 2:
        import PySide6

        raise PlatformError(
            f"PySide6 {PySide6.__version__} loses references on this Python and would crash within "
            "a second; install the version that the README names: "
            "pip install 'PySide6-Essentials<6.11'"
        )


def make_window(
    network: str | None = None,
    image: str | Path | None = None,
    questions: Questions | None = None,
) -> MainWindow:
    """Return the main window on a network and an image, not shown yet."""
    # The worker's process starts only when the window asks for it.
    from rfstudio.app.frames import Frames
    from rfstudio.app.jobs import JobRunner
    from rfstudio.app.state.settings import Settings

    settings = Settings()
    opening = opening_for(network, settings)
    runner = JobRunner()
    try:
        studio = Studio(opening.architecture, opening.path, settings=settings, runner=runner)
        if network is None:
            studio.analysis.once_known(partial(_choose_again, studio))
        _show_image(studio, image)
        application = QApplication.instance()
        assert isinstance(application, QApplication)
        scheme = settings.text("scheme", "system")
        apply_scheme(application, scheme if scheme in ("light", "dark") else "system")  # type: ignore[arg-type]
        scale_text(application, remembered_text_scale(settings))
        window = MainWindow(studio, questions, Frames())
    except BaseException:
        runner.shutdown()
        raise
    window.files.remember_preset(opening.preset)
    _report_opening(window, opening)
    if opening.why_not_last:
        window.status.tell(opening.why_not_last)
    _keep_recovery(window, questions or Questions())
    if opening.program is not None:
        QTimer.singleShot(0, window, partial(window.files.open_path, opening.program))
    elif opening.code:
        QTimer.singleShot(0, window, partial(window.files.open_model, opening.code))
    QTimer.singleShot(_WARM_AFTER, window, runner.warm)
    GivingBack([studio.analysis.analysis_changed, studio.erf.changed, studio.pins.changed], window)
    return window


def _choose_again(studio: Studio) -> None:
    """Choose the unit that was chosen last, if the network still has its layer."""
    known = remembered_choice(studio.settings)
    if known is not None and known[0] in studio.analysis.analysis:
        studio.selection.select_layer(*known)


def _show_image(studio: Studio, image: str | Path | None) -> None:
    if image is not None:
        studio.images.open(Path(image))
        return
    known = studio.settings.text("image")
    if known == "none":
        return
    candidates = [Path(known)] if known else []
    for path in (*candidates, *sample_images()):
        try:
            studio.images.open(path)
            return
        except RFStudioError:
            continue  # the last picture may be gone; there is always a sample photo


def _report_opening(window: MainWindow, opening: Opening) -> None:
    if opening.problems and opening.wanted is not None:
        window.show_file_problems(opening.wanted, opening.problems)


def _keep_recovery(window: MainWindow, questions: Questions) -> None:
    studio = window.studio
    recovery = Recovery(studio.document, parent=window)
    window.closed.connect(recovery.remove)
    recovery.failed.connect(window.status.tell)
    left = recovery.left_over()
    decision = questions.recover(window, left) if left else None
    if not decision:
        return  # the next start asks again
    for given_up in decision.discarded:
        recovery.discard(given_up)
    chosen = decision.opened
    if chosen is None or chosen.architecture is None:
        return
    studio.document.replace(
        chosen.architecture, chosen.origin, is_modified=True, known_at=chosen.written
    )
    studio.analysis.once_known(studio.select_informative_layer)
    recovery.write()
    if recovery.file.exists():  # now this session has a copy of its own
        recovery.discard(chosen)
