"""Imports of models beside the window, and what the code of one says before it is run."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal

from rfstudio.app.failures import failure_words
from rfstudio.app.files.model_import import import_model
from rfstudio.app.jobs import Job, JobRunner
from rfstudio.core.errors import RFStudioError
from rfstudio.formats.onnx.model_file import SizeUnknownError
from rfstudio.importing.reference import Reference, likeliest
from rfstudio.importing.request import ImportRequest

_LINES = 30
_MAX_LINES = 100_000
_MAX_WIDTH = 160
_MAX_READ = 100_000  # characters that are looked through for names


class Preview(NamedTuple):
    """The code that would run.

    Attributes
    ----------
    path
        Its file; None: there is none, or none that was found.
    text
        Its first lines, and those where the model is made.
    """

    path: Path | None
    text: str


def with_a_name(path: Path) -> str:
    """Return a file of Python with the name in it that most likely makes the model."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return likeliest(str(path), file.read(_MAX_READ))
    except OSError:
        return f"{path}:"


def preview(reference: Reference) -> Preview:
    """Return where code is and how it begins; nothing is imported for that."""
    path = Path(reference.place) if reference.is_file else _file_of_module(reference.place)
    if path is None:
        return Preview(None, "")
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = [x.rstrip()[:_MAX_WIDTH] for x in islice(file, _MAX_LINES)]
    except (OSError, ValueError):
        return Preview(None, "")
    name = re.escape(reference.name.partition(".")[0])
    made = re.compile(rf"(async )?(def|class) {name}\b|{name}\s*[:=]")
    start = next((i for i, x in enumerate(lines) if made.match(x)), 0)
    shown = lines[:_LINES]
    if start + _LINES // 2 > _LINES:
        shown = [*lines[: _LINES // 2], "…", *lines[start : start + _LINES]]
    elif len(lines) > _LINES:
        shown = [*shown, "…"]
    return Preview(path.absolute(), "\n".join(shown))


def not_found(reference: Reference) -> str:
    """Return that there is no code for a preview, and what to do, in a sentence."""
    if reference.is_file:
        return f"There is no file {reference.place} that can be read."
    return (
        f"There is no Python module {reference.place}: install it beside RF Studio, or name a file."
    )


def _file_of_module(name: str) -> Path | None:
    """Return the file of a module without importing its packages, as Python's own search would."""
    inner = Path(*name.split("."))
    for folder in (str(Path.cwd()), *sys.path):
        for path in (Path(folder, inner, "__init__.py"), Path(folder, inner).with_suffix(".py")):
            if path.is_file():
                return path
    return None


def fingerprint(code: Sequence[Reference]) -> str:
    """Return a text that is another one if code or its file is: consent is for what was shown.

    What the code imports is not looked at.
    """
    found = hashlib.sha256()
    for reference in code:
        path = preview(reference).path
        found.update(f"{reference.place}:{reference.name}:{path}\n".encode(errors="replace"))
        if path is not None:
            found.update(path.read_bytes())
    return found.hexdigest()


class Importing(QObject):
    """Imports one model at a time in the worker process.

    Parameters
    ----------
    runner
        Runs it; None: nothing can be imported.

    Signals
    -------
    progressed
        The fraction done and what is done now.
    succeeded
        The request and the network.
    failed
        The request and why, in words.
    size_needed
        The request, and that it needs a size of the image, in words.
    ended
        An import has ended, in whatever way.
    """

    progressed = Signal(float, str)
    succeeded = Signal(object, object)
    failed = Signal(object, str)
    size_needed = Signal(object, str)
    ended = Signal()

    def __init__(self, runner: JobRunner | None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._job: Job | None = None

    @property
    def is_running(self) -> bool:
        """Whether an import runs or waits."""
        return self._job is not None and self._job.is_running

    def start(self, request: ImportRequest) -> None:
        """Import a model; one that is being imported is dropped.

        Raises
        ------
        RFStudioError
            If this window has no process for that.
        """
        if self._runner is None:
            raise RFStudioError("this window has no process that could import it")
        job = self._runner.submit("import", partial(import_model, request))
        self._job = job
        job.progressed.connect(lambda done, words: self.progressed.emit(done, str(words or "")))
        job.succeeded.connect(lambda network: self.succeeded.emit(request, network))
        job.failed.connect(lambda error: self._fail(request, error))
        job.finished.connect(partial(self._end, job))

    def cancel(self) -> None:
        """Drop the import that runs; its process is killed if it does not stop at once."""
        if self._job is not None:
            self._job.cancel()

    def _fail(self, request: ImportRequest, error: Exception) -> None:
        signal = self.size_needed if isinstance(error, SizeUnknownError) else self.failed
        signal.emit(request, failure_words(error))

    def _end(self, job: Job) -> None:
        if self._job is job:
            self._job = None
            self.ended.emit()
