"""The menu entry that opens the window of experiments."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from rfstudio.app.experiments.session import ExperimentSession
from rfstudio.app.jobs import JobRunner
from rfstudio.core.network.architecture import Architecture
from rfstudio.importing.request import ImportRequest
from rfstudio.widgets.experiments.panel import ExperimentsDialog


class ExperimentsEntry(QObject):
    """Opens the experiments, which are made at the first use.

    Parameters
    ----------
    action
        The menu entry.
    runner
        Runs experiments; None: there are none.
    open_network
        Opens the network of a row in the window.
    open_model
        Imports the model of a row, and opens it in the window.
    window
        The main window.
    """

    def __init__(
        self,
        action: QAction,
        runner: JobRunner | None,
        open_network: Callable[[Architecture], object],
        open_model: Callable[[ImportRequest], object],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._runner = runner
        self._open_network = open_network
        self._open_model = open_model
        self._window = window
        self.dialog: ExperimentsDialog | None = None
        action.setEnabled(runner is not None)
        action.triggered.connect(self.show)

    def show(self) -> None:
        """Open the window of experiments, or bring it to the front."""
        if self._runner is None:
            return
        if self.dialog is None:
            session = ExperimentSession(self._runner, self)
            self.dialog = ExperimentsDialog(session, self._window)
            self.dialog.network_wanted.connect(self._open_network)
            self.dialog.model_wanted.connect(self._open_model)
        self.dialog.show()
        self.dialog.raise_()
