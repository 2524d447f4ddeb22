"""The menu entry that opens the window of trainings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from rfstudio.app.studio import Studio
from rfstudio.app.training.session import TrainingSession
from rfstudio.core.network.architecture import Architecture
from rfstudio.widgets.training.dialog import TrainDialog


class TrainingEntry(QObject):
    """Opens the window of trainings, which is made at the first use.

    Parameters
    ----------
    action
        The menu entry.
    studio
        The state of the main window.
    open_network
        Opens the network of a training in the main window.
    window
        The main window.
    """

    def __init__(
        self,
        action: QAction,
        studio: Studio,
        open_network: Callable[[Architecture], object],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._studio = studio
        self._open_network = open_network
        self._window = window
        self.dialog: TrainDialog | None = None
        action.setEnabled(studio.runner is not None)
        action.triggered.connect(self.show)

    def show(self) -> None:
        """Open the window of trainings, or bring it to the front."""
        studio = self._studio
        if studio.runner is None:
            return
        if self.dialog is None:
            session = TrainingSession(
                studio.runner,
                studio.document,
                studio.analysis,
                studio.pins,
                studio.settings,
                self,
            )
            self.dialog = TrainDialog(
                session, studio.document, studio.selection, parent=self._window
            )
            self.dialog.network_wanted.connect(self._open_network)
            self.dialog.weights_wanted.connect(self._measure_with)
            session.open_last()
        self.dialog.show()
        self.dialog.raise_()

    def _measure_with(self, path: Path) -> None:
        if self._studio.erf_session is not None:
            self._studio.erf_session.set_options(weights=str(path))
