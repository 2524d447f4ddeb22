"""The rows of a training: the field of the centre unit at the steps of the film."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.initialisations import AS_TORCH
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.metrics.rings import ring_share
from rfstudio.engine.process.running import CancelToken, Report, ignore
from rfstudio.engine.process.torch_import import need_torch
from rfstudio.engine.requests.training_request import TrainingRequest
from rfstudio.experiments.field_rows import scaled
from rfstudio.experiments.filmed_training import prepared_request
from rfstudio.formats.experiments.ledger import Cell, Ledger, Row
from rfstudio.formats.experiments.recipe import TrainingItem
from rfstudio.formats.files import atomic_write

if TYPE_CHECKING:
    from rfstudio.engine.module.build import GraphModule
    from rfstudio.engine.training.training import Frame


class Trainings:
    """Trains the items of one recipe, and holds the networks that teach later ones.

    Parameters
    ----------
    ledger
        The rows so far, with whose fields later ones are compared.
    seed
        Of weights and images.
    folder
        Where the weights of each item are written; None: nowhere.
    name
        The beginning of their files' names.
    """

    def __init__(self, ledger: Ledger, seed: int, folder: Path | None, name: str) -> None:
        self._ledger = ledger
        self._seed = seed
        self._folder = folder
        self._name = name
        self._modules: dict[str, GraphModule] = {}
        self._items: dict[str, tuple[int, TrainingItem]] = {}

    def note(self, number: int, item: TrainingItem) -> None:
        """Note an item that may be the teacher of a later one."""
        self._items[item.series] = (number, item)

    def rows(
        self, number: int, item: TrainingItem, token: CancelToken, report: Report = ignore
    ) -> Iterator[Row]:
        """Train one item, and yield a row for each step of its film.

        Raises
        ------
        RFStudioError
            If the network cannot be trained on the task.
        Cancelled
            If `token` was cancelled.
        """
        need_torch()
        from rfstudio.engine.training.training import Training

        teacher = self._teacher(item.teacher, token) if item.teacher else None
        request, data, _ = prepared_request(_request(item, self._seed))
        training = Training(request, teacher, data)
        for frame in training.frames(token, report):
            yield self._row(number, item, frame)
        self._modules[item.series] = training.module
        if self._folder is not None:
            from rfstudio.engine.weights.saving import weights_bytes

            atomic_write(self._path(number), weights_bytes(training.module))

    def _path(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{self._name}-{number + 1}.safetensors"

    def _teacher(self, series: str, token: CancelToken) -> GraphModule:
        """Return a trained teacher; one of an earlier run is trained again, which gives the same.

        The ledger has its rows already, so they are dropped here.
        """
        if series not in self._modules:
            number, item = self._items[series]
            for _ in self.rows(number, item, token):
                pass
        return self._modules[series]

    def _row(self, number: int, item: TrainingItem, frame: Frame) -> Row:
        metrics = Metrics(frame.map)
        center = tuple(n // 2 for n in frame.map.shape)
        sigma = metrics.sigma
        cells: dict[str, Cell] = {
            "series": item.series,
            **item.parameters,
            "network": item.network.name,
            **self._task_cells(item),
            "step": frame.step,
            "accuracy": frame.accuracy,
            "loss": frame.loss,
            "sigma": None if sigma is None else float(np.mean(sigma)),
            "luo_size": metrics.luo_size_of_maximum,
            "estimator": "energy",
            "weights": "trained" if frame.step else "initial",
            "samples": frame.samples,
            "seed": self._seed,
        }
        if item.init != AS_TORCH:
            cells["init"] = item.init
        if item.data is None:
            cells["ring_share"] = ring_share(frame.map, center, item.distance)
        if item.teacher:
            cells["teacher"] = item.teacher
        if item.compare:
            found = [x.map for x in self._ledger.rows if x.cells["series"] == item.compare]
            cells["l1"] = _l1(frame.map, found[-1]) if found else None
        return Row(number, cells, scaled(frame.map))

    @staticmethod
    def _task_cells(item: TrainingItem) -> dict[str, Cell]:
        found: dict[str, Cell] = {"layer": item.layer} if item.layer else {}
        if item.data is None:
            return found | {"distance": item.distance}
        return found | {"data": item.data.name}


def _l1(a: NDArray[np.float64], b: NDArray[np.float32] | None) -> float | None:
    """Return the sum of the differences of two maps whose sums are 1: from 0, equal, to 2."""
    if b is None or not a.sum() > 0 or not b.sum() > 0:
        return None
    return float(np.abs(a / a.sum() - b / b.sum(dtype=np.float64)).sum())


def _request(item: TrainingItem, seed: int) -> TrainingRequest:
    return TrainingRequest(
        architecture=item.network,
        distance=item.distance,
        data=item.data,
        layer=item.layer,
        steps=item.steps,
        batch=item.batch,
        rate=item.rate,
        film=item.film,
        seed=seed,
        init=item.init,
        temperature=item.temperature,
        shortcut=item.shortcut,
    )
