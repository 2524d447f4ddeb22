"""Measures the effective receptive field of one unit: the mean over samples of an estimator.

References
----------
.. [1] Luo, Li, Urtasun, Zemel, "Understanding the Effective Receptive Field in Deep Convolutional
   Neural Networks", NIPS 2016, arXiv:1701.04128.
"""

from __future__ import annotations

import copy
import platform
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rfstudio import __version__
from rfstudio.core.backtrace import check_unit
from rfstudio.core.graph import Node, expand
from rfstudio.engine import devices, ranks
from rfstudio.engine.build import GraphModule
from rfstudio.engine.errors import MeasurementError
from rfstudio.engine.estimators import Mean
from rfstudio.engine.filling import fill_samples, reach
from rfstudio.engine.folding import fold_norms, part_norms
from rfstudio.engine.initial import draw_weights, level_weights
from rfstudio.engine.layers.pointwise import BatchNormModule
from rfstudio.engine.request import BY_FILLING, DEFAULT_SAMPLES, ErfRequest, ErfResult
from rfstudio.engine.running import CancelToken, Report, ignore
from rfstudio.engine.sampling import Images
from rfstudio.engine.subject import ConeSubject, Subject, WholeSubject, target_of
from rfstudio.engine.weights import load_weights

_BATCH_MACS = 2e10
"""Multiply-adds of a batch: a share of a second on a CPU, so that Cancel is prompt."""

_GRADIENT_COST = 3
"""Work and memory of a gradient over that of the evaluation, roughly."""


def measure(
    request: ErfRequest,
    *,
    report: Report = ignore,
    token: CancelToken | None = None,
    module: nn.Module | None = None,
    images: Tensor | None = None,
    kept: ErfResult | None = None,
) -> ErfResult:
    """Measure the effective receptive field of one unit.

    Parameters
    ----------
    request
        The unit and all options.
    report
        Called after each batch with the fraction done and the `ErfResult` so far.
    token
        Polled between batches.
    module
        A network with its weights, instead of one built from the request; in evaluation mode.
        One that `to_torch` made is measured in the unit's cone, any other on whole images.
    images
        (N, C, *size), used as they are, instead of noise; the network is taken at their size.
    kept
        What was measured before of the same unit with the same options, to go on from there: the
        result is that of all samples in one run, to rounding.

    Raises
    ------
    Cancelled
        If `token` was cancelled.
    UnknownLayerError, UnitError
        If there is no such layer or unit.
    GraphError
        If the network has faults that are in the way.
    DeviceError, WeightsError, MeasurementError
        If the device or the file of weights is not there, memory does not suffice, or the result
        is not a number.
    """
    token = token or CancelToken()
    # The same numbers again for the same seed, and no silent loss of precision on GPUs.
    exact = torch.backends.cudnn.flags(deterministic=True, benchmark=False, allow_tf32=False)
    with ranks.joined() as rank, exact:
        run = _Run(request, module, images)
        if kept is not None and rank.number == 0:
            run.resume(kept)
        for batch in run.batches(rank):
            token.check()
            run.add(batch, token, report)
            report(run.fraction(rank), run.result())
        ranks.add_up(run.mean, rank)
        return run.result()


@dataclass(frozen=True)
class _Batch:
    """Samples that are computed at once."""

    group: int
    indices: tuple[int, ...]


class _Run:
    """One measurement while it goes on."""

    def __init__(
        self, request: ErfRequest, module: nn.Module | None, images: Tensor | None
    ) -> None:
        self._start = time.perf_counter()
        self.request = request
        self.device = devices.choose(request.device)
        devices.check_dtype(self.device, request.dtype)
        self._dtype = torch.float64 if request.dtype == "float64" else torch.float32
        self._notes: list[str] = []
        size = request.input_size if images is None else tuple(images.shape[2:])
        graph = expand(request.architecture, size)
        self.target = target_of(graph, graph.index(request.layer), request.activation)
        node = graph.nodes[self.target]
        self.unit = request.unit or tuple(n // 2 for n in node.size)
        check_unit(graph, self.target, self.unit)
        if request.channel is not None and not 0 <= request.channel < node.channels:
            raise MeasurementError(
                f"'{node.name}' has no channel {request.channel}: they go from 0 to "
                f"{node.channels - 1}"
            )
        self._size = graph.nodes[0].size
        self.layer = node.name
        photos: Any = request.images if images is None else images
        self._images = Images(graph.nodes[0].channels, self._size, request.seed, photos)
        self.wanted = request.samples or len(self._images) or DEFAULT_SAMPLES
        self._is_drawn = module is None and request.weights == "random"
        self._group = -1
        self.subject = self._subject(module, node)
        self._box = self.subject.box
        if request.estimator in BY_FILLING:
            self._box = reach(self._box, self._size, request.patch, request.stride)
        self.mean = Mean(
            request.estimator,
            graph.nodes[0].channels,
            tuple(stop - start for start, stop in self._box),
        )
        self._limit = self._affordable()
        self._first = 0

    def resume(self, kept: ErfResult) -> None:
        """Go on from what was measured before.

        Raises
        ------
        MeasurementError
            If that is another measurement, or one that cannot be taken up.
        """
        now = self.request.options() | {"unit": self.unit}
        others = {"samples", "images"}
        if any(kept.options.get(x) != value for x, value in now.items() if x not in others):
            raise MeasurementError("what was measured before had other options; start anew")
        self.mean.resume(
            kept.samples,
            kept.map[tuple(slice(a, b) for a, b in self._box)],
            kept.standard_error[tuple(slice(a, b) for a, b in self._box)],
        )
        self._first = kept.samples
        self._start -= kept.seconds
        self._notes += [x for x in kept.notes if x not in self._notes]

    def _subject(self, module: nn.Module | None, node: Node) -> Subject:
        """Return what is measured, on the device, with the weights that do not change."""
        request = self.request
        if module is not None and not isinstance(module, GraphModule):
            # A container made of layers in evaluation mode may not be in it itself.
            if any(x.training for x in module.modules() if not any(True for _ in x.children())):
                raise MeasurementError("the module is in training mode; call its eval() first")
            own = copy.deepcopy(module).to(self.device, self._dtype)
            return WholeSubject(own, request, self.unit, node, self._size)
        if module is None:
            network = GraphModule(request.architecture, self.layer, input_size=self._size)
        else:
            network = copy.deepcopy(module)
            computed = network.graph.nodes[network.target].name
            if computed != self.layer:
                raise MeasurementError(f"the module computes '{computed}', not '{self.layer}'")
        network = network.eval().to(self.device, self._dtype)
        if module is None:
            self._set_fixed_weights(network)
        if request.batch_norm == "train":
            for layer in network.layers():
                layer.train(isinstance(layer, BatchNormModule))
        if not self._is_drawn:
            fold_norms(network)
        return ConeSubject(network, request, self.unit, self._size)

    def _set_fixed_weights(self, network: GraphModule) -> None:
        match self.request.weights:
            case "random":
                return
            case "uniform":
                level_weights(network.layers())
                self._warm(network)
            case path:
                draw_weights(network.layers(), self.request.seed)
                loaded = load_weights(network, path)
                self._notes += loaded.notes()
                if any(name.endswith("running_var") for name in loaded.missing):
                    self._warm(network)

    def _warm(self, network: GraphModule) -> None:
        if self.request.batch_norm == "warmed":
            network.warm(self._images.for_warming())

    def _affordable(self) -> int:
        """Return how many samples may be computed at once: bounded work and memory."""
        per_sample = _GRADIENT_COST * self.subject.numbers * self._dtype.itemsize
        free = devices.free_memory(self.device)
        if per_sample > free:
            raise MeasurementError(
                f"one sample needs about {per_sample / 1e9:.1f} GB of memory, but only "
                f"{free / 1e9:.1f} GB are free; take a smaller input, a unit with a smaller field, "
                "or another device"
            )
        by_work = int(_BATCH_MACS / (_GRADIENT_COST * max(self.subject.macs, 1)))
        by_memory = int(free / 2 / max(per_sample, 1))
        alone = self.request.batch_norm == "train" or self.request.estimator in BY_FILLING
        return 1 if alone else max(min(by_work, by_memory), 1)

    def batches(self, rank: ranks.Rank) -> Iterator[_Batch]:
        """Yield the samples of this rank, batch by batch."""
        if not self._is_drawn:
            yield from self._cut(0, range(self._first + rank.number, self.wanted, rank.total))
            return
        width = self.request.images_per_weights
        first = self._first // width + rank.number
        for group in range(first, -(-self.wanted // width), rank.total):
            start, stop = group * width, min((group + 1) * width, self.wanted)
            yield from self._cut(group, range(max(start, self._first), stop))

    def _cut(self, group: int, indices: Sequence[int]) -> Iterator[_Batch]:
        start = 0
        while start < len(indices):
            # The limit may have become smaller while the last batch ran.
            stop = min(start + self._limit, len(indices))
            yield _Batch(group, tuple(indices[start:stop]))
            start = stop

    def add(self, batch: _Batch, token: CancelToken, report: Report) -> None:
        """Measure a batch; on lack of memory in halves, down to single samples."""
        self._prepare(batch.group)
        try:
            self._add(batch.indices, token, report)
            return
        except (RuntimeError, MemoryError) as error:
            if not devices.is_out_of_memory(error):
                raise
            if len(batch.indices) == 1:
                raise MeasurementError(
                    f"memory does not suffice for one sample on {self.device}; take a smaller "
                    "input, a unit with a smaller field, or another device"
                ) from error
        # Outside of the handler, since the error keeps the tensors of its stack alive.
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self._limit = max(len(batch.indices) // 2, 1)
        self._notes.append(f"memory ran out; samples at once reduced to {self._limit}")
        for part in self._cut(batch.group, batch.indices):
            token.check()
            self.add(part, token, report)

    def _prepare(self, group: int) -> None:
        if self._is_drawn and group != self._group:
            assert isinstance(self.subject, ConeSubject)
            network = self.subject.module
            part_norms(network)
            draw_weights(network.layers(), self.request.seed, group)
            self._warm(network)
            fold_norms(network)
            self._group = group

    def _add(self, indices: tuple[int, ...], token: CancelToken, report: Report) -> None:
        images = self._images.batch(indices)
        if self.request.estimator in BY_FILLING:
            done = self.mean.count

            def progressed(fraction: float, values: Tensor) -> None:
                partial = self.mean.copy()
                partial.add(values)
                report((done + fraction) / self.wanted, self.result(partial))

            values = fill_samples(self.subject, images, indices, token, progressed)
        else:
            values = self.subject.gradient(images, indices)
        if not bool(torch.isfinite(values).all()):
            raise MeasurementError(
                "the result is not a number: the weights hold NaN or infinity, or values overflow; "
                "check the weights, or measure in float64"
            )
        self.mean.add(values)

    def fraction(self, rank: ranks.Rank) -> float:
        """Return how much is done; other ranks are taken to be as fast."""
        return min(self.mean.count * rank.total / self.wanted, 1.0)

    def result(self, mean: Mean | None = None) -> ErfResult:
        """Return the result so far."""
        mean = mean or self.mean
        box = self._box
        return ErfResult(
            map=_scattered(mean.map(), box, self._size),
            standard_error=_scattered(mean.standard_error(), box, self._size),
            layer=self.layer,
            unit=self.unit,
            samples=mean.count,
            wanted=self.wanted,
            options=self.request.options() | {"unit": self.unit, "samples": self.wanted},
            device=devices.words(self.device),
            versions={
                "rfstudio": __version__,
                "torch": str(torch.__version__),
                "python": platform.python_version(),
            },
            seconds=time.perf_counter() - self._start,
            notes=tuple(self._notes),
            box=box,
        )


def _scattered(values: Any, box: Any, size: tuple[int, ...]) -> Any:
    result = np.zeros(size, np.float64)
    result[tuple(slice(a, b) for a, b in box)] = values
    return result
