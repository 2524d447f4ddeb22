"""Trainings as work for the worker process; importing this imports no torch."""

from __future__ import annotations

from pathlib import Path

from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.engine.requests.training_request import TrainingRequest
from rfstudio.experiments.filmed_training import Plan, TrainingNow, plan_training, run_training


def plan_work(request: TrainingRequest, token: CancelToken, report: Report) -> Plan:
    """Try a few steps; see `rfstudio.experiments.filmed_training.plan_training`."""
    del report
    token.check()
    return plan_training(request)


def training_work(
    request: TrainingRequest, folder: Path, resume: bool, token: CancelToken, report: Report
) -> TrainingNow:
    """Train to a folder; see `rfstudio.experiments.filmed_training.run_training`."""
    return run_training(request, folder, resume=resume, token=token, report=report)
