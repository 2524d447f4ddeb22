"""Measurements as a test wants them: a session that is told what it has, and a runner of jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.measuring_work import Subject
from rfstudio.app.effective.shown_fields import NOTHING_MEASURED, Measurement
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.engine.requests.request import ErfResult


def result_of(
    layer: str, unit: tuple[int, ...], values: np.ndarray, samples: int = 8, **others: Any
) -> ErfResult:
    """A measurement of a unit, complete unless `wanted` is more."""
    result = ErfResult(
        map=values,
        standard_error=np.zeros(values.shape),
        layer=layer,
        unit=unit,
        samples=samples,
        wanted=samples,
        options={"estimator": "energy"},
        device="cpu",
        versions={"rfstudio": "0", "torch": "2"},
        seconds=1.0,
    )
    return replace(result, **others)


class FakeMeasurements(QObject):
    """Stands in for the session that measures in the worker."""

    measurement_changed = Signal(object)

    def __init__(self, session: AnalysisSession) -> None:
        super().__init__()
        self._session = session
        self.measurement: Measurement = NOTHING_MEASURED

    def finish(self, layer: str, unit: tuple[int, ...], values: np.ndarray) -> None:
        self.show(result_of(layer, unit, values), "done")

    def progress(
        self, fraction: float, layer: str, unit: tuple[int, ...], values: np.ndarray
    ) -> None:
        self.show(result_of(layer, unit, values, 4, wanted=10), "measuring", fraction)

    def show(
        self,
        result: ErfResult,
        state: str,
        fraction: float = 1.0,
        options: ErfOptions | None = None,
    ) -> None:
        subject = Subject(self._session.analysis.architecture, result.layer, result.unit)
        self._set(Measurement(state, subject, options or ErfOptions(), result, fraction))

    def drop(self) -> None:
        self._set(NOTHING_MEASURED)

    def _set(self, measurement: Measurement) -> None:
        self.measurement = measurement
        self.measurement_changed.emit(measurement)


class FakeJob(QObject):
    """A job that goes on when a test says so; nothing arrives after it was cancelled."""

    progressed = Signal(float, object)
    succeeded = Signal(object)
    failed = Signal(Exception)
    finished = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.is_cancelled = False

    @property
    def is_running(self) -> bool:
        return not self.is_cancelled

    def cancel(self, *_grace: float) -> None:
        if not self.is_cancelled:
            self.is_cancelled = True
            self.finished.emit()
        self.blockSignals(True)


class FakeRunner(QObject):
    """Stands in for the runner with its worker process: keeps the jobs and runs none."""

    worker_changed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.jobs: list[FakeJob] = []

    def submit(self, _key: str, _work: object) -> FakeJob:
        self.jobs.append(FakeJob(self))
        return self.jobs[-1]

    def shutdown(self) -> None:
        for job in self.jobs:
            job.cancel()
