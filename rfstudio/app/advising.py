"""Advice on object sizes for the network that is open, worked out beside the window."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from rfstudio.api import advise
from rfstudio.api.regions import advice_work
from rfstudio.app.failures import failure_words
from rfstudio.app.jobs import Job, JobRunner
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.core.advice.covers import Advice
from rfstudio.core.advice.proposals import Proposal
from rfstudio.core.advice.task_rules import Task
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture

Objects = Sequence[Sequence[int]] | Path
"""The size of each object; or a COCO file or a folder of masks."""


class Advising(QObject):
    """Works out advice, and applies its proposals.

    Parameters
    ----------
    document, session
        The network.
    runner
        Works beside the window; None: in it.

    Signals
    -------
    changed
        Advice has come, or why there is none, or it is being worked out.
    """

    changed = Signal()

    def __init__(
        self,
        document: Document,
        session: AnalysisSession,
        runner: JobRunner | None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._session = session
        self._runner = runner
        self._job: Job | None = None
        self._asked: Architecture | None = None
        self.advice: Advice | None = None
        self.trouble = ""
        document.architecture_changed.connect(self._follow)

    @property
    def is_running(self) -> bool:
        """Whether advice is being worked out."""
        return self._job is not None

    @property
    def is_stale(self) -> bool:
        """Whether the advice is on another network than the one that is open."""
        return self.advice is not None and self._asked != self._document.architecture

    def ask(self, objects: Objects, task: Task | None) -> None:
        """Work out advice for objects; what was being worked out is dropped."""
        self._asked = self._document.architecture
        self.advice, self.trouble = None, ""
        if self._runner is None:
            try:
                self._show(advise(self._session.analysis, objects=objects, task=task))
            except RFStudioError as error:
                self._fail(error)
            return
        work = partial(advice_work, self._asked, objects, task)
        job = self._runner.submit("advice", work)
        self._job = job
        job.succeeded.connect(self._show)
        job.failed.connect(self._fail)
        job.finished.connect(partial(self._end, job))
        self.changed.emit()

    def apply(self, proposal: Proposal) -> None:
        """Change the document as proposed, undoably.

        Raises
        ------
        RFStudioError
            If the network has changed since.
        """
        if self.is_stale:
            raise RFStudioError("the network has changed since; ask for advice again")
        self._document.edit(f"Apply: {proposal.edit}", proposal.network)

    def _show(self, advice: object) -> None:
        assert isinstance(advice, Advice)
        self.advice = advice
        self.changed.emit()

    def _fail(self, error: Exception) -> None:
        self.trouble = failure_words(error)
        self.changed.emit()

    def _end(self, job: Job) -> None:
        if self._job is job:
            self._job = None
            self.changed.emit()

    def _follow(self) -> None:
        if self.advice is not None:
            self.changed.emit()
