"""The way through the lessons: what the reader had open is kept, and comes back after them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from PySide6.QtCore import QObject

from rfstudio.api.lessons import LESSONS
from rfstudio.app.state.selection import Selected
from rfstudio.app.studio import Studio
from rfstudio.core.network.architecture import Architecture
from rfstudio.widgets.lessons.panel import LessonPanel
from rfstudio.widgets.window.file_commands import FileCommands, LaidAside


class _Own(NamedTuple):
    """What the reader had open before the first lesson, and what was chosen in it."""

    work: LaidAside
    chosen: Selected


class LessonCourse(QObject):
    """Opens the networks of lessons.

    Parameters
    ----------
    studio
        The document and the choice.
    files
        Opens networks.
    panel
        The text of the lesson.
    uncover
        Brings the panel into view.
    """

    def __init__(
        self,
        studio: Studio,
        files: FileCommands,
        panel: LessonPanel,
        uncover: Callable[[], object],
    ) -> None:
        super().__init__(files)
        self._studio = studio
        self._files = files
        self._panel = panel
        self._uncover = uncover
        self._own: _Own | None = None
        self._network: Architecture | None = None
        panel.lesson_wanted.connect(self.begin)
        panel.leave_wanted.connect(self.leave)
        files.network_opened.connect(self._notice)

    def begin(self, number: int) -> None:
        """Open the network of a lesson, and show what to do."""
        if not self._may_go_on():
            return
        own = self._own or _Own(self._files.lay_aside(), self._studio.selection.value)
        self._own, self._network = own, LESSONS[number].architecture()
        self._files.open_network(self._network, is_asked=True)
        self._studio.analysis.once_known(partial(self._show, number, self._network))

    def leave(self) -> None:
        """Open again what the reader had before the lessons."""
        own = self._own
        if own is None or not self._may_go_on():
            return
        self._end()
        self._files.take_up(own.work)
        self._studio.analysis.once_known(partial(self._choose, own))

    def _may_go_on(self) -> bool:
        """Whether what is open may go: networks of lessons are for one use, unless saved."""
        is_of_lesson = self._own is not None and self._studio.document.path is None
        return self._files.may_leave(is_kept=not is_of_lesson)

    def _show(self, number: int, network: Architecture) -> None:
        if self._studio.document.architecture is not network:
            return  # it was late, and another one was opened since
        self._studio.selection.select_layer(LESSONS[number].layer)
        self._panel.begin(number)
        self._uncover()

    def _choose(self, own: _Own) -> None:
        if self._studio.document.architecture is own.work.network:
            self._studio.selection.select_layer(own.chosen.layer, own.chosen.unit)

    def _notice(self) -> None:
        """End the lesson when another network is opened."""
        if self._own is not None and self._studio.document.architecture is not self._network:
            self._end()

    def _end(self) -> None:
        self._own = self._network = None
        self._panel.end()
