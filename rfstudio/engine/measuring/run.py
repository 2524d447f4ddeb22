"""One running measurement, of one unit or of several units of one map."""

from __future__ import annotations

import copy
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from rfstudio import __version__
from rfstudio.core.fields.backtrace import check_unit
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Node
from rfstudio.engine.measuring import distributed, spare_modules
from rfstudio.engine.measuring.estimators import Mean
from rfstudio.engine.measuring.evaluations import Evaluations
from rfstudio.engine.measuring.network import Network
from rfstudio.engine.measuring.network_cache import Key, NetworkCache, key_of
from rfstudio.engine.measuring.occlusion import Moved, fill_samples, reach
from rfstudio.engine.measuring.sampling import Images
from rfstudio.engine.measuring.subject import ConeSubject, Subject, WholeSubject, target_of
from rfstudio.engine.measuring.unit_batches import gradients, gradients_by, stacked
from rfstudio.engine.module.build import GraphModule, is_same_network
from rfstudio.engine.module.direct_reads import evaluated
from rfstudio.engine.module.foreign_code import told_in_words
from rfstudio.engine.process import devices
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.engine.requests.request import (
    BY_FILLING,
    DEFAULT_SAMPLES,
    ErfRequest,
    ErfResult,
    Unfinished,
)

_GRADIENT_COST = 3
"""Approximate work and memory of a gradient, as a multiple of the evaluation's."""

Unit = tuple[int, ...]


@dataclass(frozen=True)
class Batch:
    """Samples that are computed at once."""

    group: int
    indices: tuple[int, ...]


class Run:
    """A measurement of units of one map.

    Parameters
    ----------
    request
        All options.
    units
        The units; None: the centre unit.
    module, images
        As in `rfstudio.engine.measuring.erf.measure`.
    networks
        Cache of networks, which this measurement reads and fills; None: there is none.

    Attributes
    ----------
    means
        The mean of each unit.
    """

    def __init__(
        self,
        request: ErfRequest,
        units: Sequence[Unit | None],
        module: nn.Module | None = None,
        images: Tensor | None = None,
        networks: NetworkCache | None = None,
    ) -> None:
        self._start = time.perf_counter()
        self.request = request
        self.device = devices.choose(request.device, request.dtype)
        devices.check_dtype(self.device, request.dtype)
        self._dtype = torch.float64 if request.dtype == "float64" else torch.float32
        self._notes: list[str] = []
        size = request.input_size if images is None else tuple(images.shape[2:])
        graph = expand(request.architecture, size)
        self._target = target_of(graph, graph.index(request.layer), request.activation)
        node = graph.nodes[self._target]
        self.units = [x or tuple(n // 2 for n in node.size) for x in units]
        for unit in self.units:
            check_unit(graph, self._target, unit)
        if request.channel is not None and not 0 <= request.channel < node.channels:
            raise MeasurementError(
                f"'{node.name}' has no channel {request.channel}: they go from 0 to "
                f"{node.channels - 1}"
            )
        self._size = graph.nodes[0].size
        devices.check_memory(self.device, graph.nodes[0].channels, self._size, self._dtype)
        self.layer = node.name
        photos: Any = request.images if images is None else images
        self._images = Images(graph.nodes[0].channels, self._size, request.seed, photos)
        self.wanted = request.samples or len(self._images) or DEFAULT_SAMPLES
        self._is_built = module is None
        self._is_drawn = module is None and request.weights == "random"
        self._networks = networks
        self._key: Key | None = None
        self._network: Network | None = None
        self.subjects = self._subjects(module, node)
        self._stacks = stacked(self.subjects)
        self._boxes = [x.box for x in self.subjects]
        if request.estimator in BY_FILLING:
            self._boxes = [reach(x, self._size, request.patch, request.stride) for x in self._boxes]
        self.means = [
            Mean(
                request.estimator,
                graph.nodes[0].channels,
                tuple(stop - start for start, stop in box),
                request.images_per_weights if self._is_drawn else 1,
            )
            for box in self._boxes
        ]
        self._limit = self._affordable()
        self._evaluations = self._evaluations_of_map()
        self._first = self._brought = 0
        self._rank = distributed.Rank(0, 1)
        self._begun: Moved | None = None

    def resume(self, earlier: ErfResult, rank: distributed.Rank) -> None:
        """Continue from an earlier result of the only unit.

        Parameters
        ----------
        earlier
            The earlier result.
        rank
            Of several processes only the first adds it, so that it counts once.

        Raises
        ------
        MeasurementError
            If that is another measurement, or one that cannot be continued.
        """
        (mean,), (box,), (unit,) = self.means, self._boxes, self.units
        now = self.request.options() | {"unit": unit}
        others = {"samples", "images"}
        if any(earlier.options.get(x) != value for x, value in now.items() if x not in others):
            raise MeasurementError("the earlier result had other options; start again")
        where = tuple(slice(a, b) for a, b in box)
        begun = earlier.unfinished
        if begun is None:
            error = earlier.standard_error[where]
            mean.resume(earlier.samples, earlier.map[where], error, earlier.open_draw)
        elif begun.map is not None and begun.standard_error is not None:
            mean.resume(begun.samples, begun.map, begun.standard_error, begun.open_draw)
        self._first = mean.count
        if rank.number == 0:
            self._begun = None if begun is None else begun.moved
            self._brought = mean.count
        else:
            mean.clear()
        self._start -= earlier.seconds
        self._notes += [x for x in earlier.notes if x not in (*self._notes, _ZERO)]

    def _subjects(self, module: nn.Module | None, node: Node) -> list[Subject]:
        """Return what is measured, on the device, with the weights that do not change."""
        request = self.request
        like = torch.empty(0, device=self.device, dtype=self._dtype)
        if module is not None and not isinstance(module, GraphModule):
            if not isinstance(module, nn.Module):
                raise MeasurementError(
                    f"module must be a torch.nn.Module, not a {type(module).__name__}"
                )
            # A container of layers in evaluation mode may itself be in training mode.
            if any(x.training for x in module.modules() if not any(True for _ in x.children())):
                raise MeasurementError("the module is in training mode; call its eval() first")
            with told_in_words(module, "it cannot be copied to the device and precision"):
                own = copy.deepcopy(module).to(self.device, self._dtype)
            return [WholeSubject(own, request, x, node, self._size, like) for x in self.units]
        self._network = self._cached_network() if module is None else self._given(module)
        self._notes += self._network.notes
        built = self._network.module
        return [ConeSubject(built, request, x, self._size, like) for x in self.units]

    def _given(self, module: GraphModule) -> Network:
        if not is_same_network(module.architecture, self.request.architecture):
            raise MeasurementError(
                "the module was built from another network than "
                f"'{self.request.architecture.name}'; build it with to_torch from this one"
            )
        own = copy.deepcopy(module)
        computed = own.graph.nodes[own.target].name
        if computed != self.layer:
            raise MeasurementError(f"the module computes '{computed}', not '{self.layer}'")
        own = own.eval().to(self.device, self._dtype)
        return Network(own, self.request, self._images, given=True)

    def _cached_network(self) -> Network:
        """Return the network of an earlier measurement that differs in the unit at most."""
        request = self.request
        if self._networks is not None:
            self._key = key_of(request, self.layer, self._size, str(self.device))
            known = self._networks.get(self._key)
            if known is not None:
                # It holds decoded photos, which would have to be read again.
                self._images = known.images
                return known
        network = Network(self._module(), request, self._images, given=False)
        if self._networks is not None and self._key is not None:
            self._images.holds_noise = True
            self._networks.put(self._key, network)
        return network

    def _module(self) -> GraphModule:
        """Return a module whose weights are not yet set."""
        request = self.request
        if spare_modules.has_drawn_weights(request):
            if self._networks is not None and self._key is not None:
                other = self._networks.take_of_other_seed(self._key)
                if other is not None:
                    spare_modules.reset(other.module)
                    return other.module
            graph = expand(request.architecture, self._size)
            target = graph.index(self.layer)
            spare = spare_modules.HERE.take(evaluated(graph), target, self.device, self._dtype)
            if spare is not None:
                return spare
        built = GraphModule(request.architecture, self.layer, input_size=self._size).eval()
        if self.device.type == "cpu" and self._dtype == torch.get_default_dtype():
            return built  # to go through all weights takes a quarter as long as to make them
        return built.to(self.device, self._dtype)

    def end(self) -> None:
        """Leave what can be used again to the next measurement; nothing can be added any more."""
        network = self._network
        is_own = self._networks is None and self._is_built
        if network is not None and is_own and spare_modules.has_drawn_weights(self.request):
            spare_modules.HERE.give(network.module, self.device, self._dtype)

    def drawing_ahead(self) -> AbstractContextManager[None]:
        """Return a context in which a second thread draws the images of the next samples."""
        return self._images.drawn_ahead()

    def check_photos(self, rank: distributed.Rank, token: CancelToken) -> None:
        """Read this rank's photos once; see `rfstudio.engine.measuring.sampling.Images.check`."""
        if len(self._images):
            samples = [i for x in self.batches(rank) for i in x.indices]
            self._images.check(samples, token)

    def _has_room(self, wanted: int) -> bool:
        if self._networks is None or self._network is None:
            return False
        return self._networks.has_room(wanted, self.device, self._network)

    def _evaluations_of_map(self) -> Evaluations | None:
        request, network = self.request, self._network
        if network is None or request.estimator in BY_FILLING or request.method != "auto":
            return None
        if not network.keeps_samples_apart or network.module.target == 0:
            return None
        return Evaluations(network, cast("list[ConeSubject]", self.subjects), self._size)

    def _affordable(self) -> int:
        """Return how many samples may be computed at once: bounded work and memory."""
        numbers = max(x.numbers for x in self.subjects)
        macs = max(x.macs for x in self.subjects)
        per_sample = _GRADIENT_COST * numbers * self._dtype.itemsize
        free = devices.free_memory(self.device)
        if per_sample > free and self._networks is not None:
            self._networks.clear()
            free = devices.free_memory(self.device)
        if per_sample > free:
            raise MeasurementError(
                f"one sample needs about {per_sample / 1e9:.1f} GB of memory, but only "
                f"{free / 1e9:.1f} GB are free; use a smaller input, a unit with a smaller field, "
                "or another device"
            )
        by_work = int(devices.batch_macs(self.device) / (_GRADIENT_COST * max(macs, 1)))
        by_memory = int(free / 2 / max(per_sample, 1))
        alone = self.request.batch_norm == "train" or self.request.estimator in BY_FILLING
        return 1 if alone else max(min(by_work, by_memory), 1)

    def batches(self, rank: distributed.Rank) -> Iterator[Batch]:
        """Yield the samples of this rank, batch by batch."""
        self._rank = rank
        if not self._is_drawn:
            yield from self._cut(0, range(self._first + rank.number, self.wanted, rank.total))
            return
        width = self.request.images_per_weights
        first = self._first // width + rank.number
        for group in range(first, -(-self.wanted // width), rank.total):
            start, stop = group * width, min((group + 1) * width, self.wanted)
            yield from self._cut(group, range(max(start, self._first), stop))

    def _cut(self, group: int, indices: Sequence[int]) -> Iterator[Batch]:
        start = 0
        while start < len(indices):
            # The limit may have been reduced during the last batch.
            limit = self._limit
            if self._evaluations is not None:
                limit = self._evaluations.together(limit)
            stop = min(start + limit, len(indices))
            yield Batch(group, tuple(indices[start:stop]))
            start = stop

    def add(self, batch: Batch, token: CancelToken, report: Report) -> None:
        """Measure all units at a batch of samples."""
        if self._evaluations is None or not self._evaluations.has(batch.indices):
            self._begin_images(batch.indices)
        if self._network is not None:
            self._network.prepare(batch.group, self._has_room)
        for stack in self._stacks:
            width = max(self._limit // len(batch.indices), 1)
            for start in range(0, len(stack), width):
                token.check()
                self._add(stack[start : start + width], batch.indices, token, report)
        if self._evaluations is not None:
            self._evaluations.end_batch()

    def _begin_images(self, indices: tuple[int, ...]) -> None:
        """Let a second thread draw these images and the next ones."""
        self._images.begin(indices)
        if self._rank.total == 1:
            following = indices[-1] + 1
            self._images.begin(range(following, min(following + len(indices), self.wanted)))

    def _add(
        self, numbers: Sequence[int], indices: tuple[int, ...], token: CancelToken, report: Report
    ) -> None:
        """Measure some units of one kind; if memory runs out, in halves, down to single samples."""
        try:
            values = self._values(numbers, indices, token, report)
        except (RuntimeError, MemoryError) as error:
            if not devices.is_out_of_memory(error):
                raise
            if len(indices) == len(numbers) == 1 and not self._holds_memory():
                raise MeasurementError(
                    f"memory does not suffice for one sample on {self.device}; use a smaller "
                    "input, a unit with a smaller field, or another device"
                ) from error
        else:
            self._take_in(numbers, values)
            return
        # Outside of the handler, since the error holds the tensors of its stack.
        self._give_memory_back()
        count = len(indices) * len(numbers)
        if count > 1:
            self._limit = max(count // 2, 1)
            self._notes.append(f"memory ran out; samples at once reduced to {self._limit}")
        for units, samples in _halves(numbers, indices):
            token.check()
            self._add(units, samples, token, report)

    def _holds_memory(self) -> bool:
        return self._evaluations is not None or bool(self._networks)

    def _give_memory_back(self) -> None:
        self._evaluations = None
        if self._networks is not None:
            self._networks.clear()
            self._networks = None
            self._is_built = False
        spare_modules.HERE.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _values(
        self, numbers: Sequence[int], indices: tuple[int, ...], token: CancelToken, report: Report
    ) -> Tensor:
        """Return the values of the samples for each unit, (units, samples, …)."""
        subjects = [self.subjects[i] for i in numbers]
        if self.request.estimator in BY_FILLING:
            return self._filled(numbers[0], indices, token, report)[None]
        if self._evaluations is not None:
            tape = self._evaluations.of(indices, self._images.batch, self._has_room)
            if tape is not None:
                return gradients_by(tape, cast("list[ConeSubject]", subjects), indices)
        return gradients(subjects, self._images.batch(indices), indices)

    def _filled(
        self, number: int, indices: tuple[int, ...], token: CancelToken, report: Report
    ) -> Tensor:
        mean = self.means[number]
        done = mean.count

        def progressed(fraction: float, values: Tensor, moved: Moved) -> None:
            partial = mean.copy()
            partial.add(values)
            before = (mean.map(), mean.standard_error()) if done else (None, None)
            begun = Unfinished(
                moved=moved,
                samples=done,
                map=before[0],
                standard_error=before[1],
                open_draw=mean.open_draw(),
            )
            so_far = replace(self.result(number, partial), unfinished=begun)
            report(self.fraction(self._rank, fraction), so_far)

        images = self._images.batch(indices)
        begun = self._begun if indices[0] == self._first else None
        return fill_samples(self.subjects[number], images, indices, token, progressed, begun)

    def _take_in(self, numbers: Sequence[int], values: Tensor) -> None:
        if not bool(torch.isfinite(values).all()):
            raise MeasurementError(
                "the result is not a number: the weights hold NaN or infinity, values overflow, or "
                "a power average reads values below 0; check the weights, or measure in float64"
            )
        for number, of_unit in zip(numbers, values, strict=True):
            self.means[number].add(of_unit)

    def abandon(self) -> None:
        """Drop everything that this measurement has cached, after an error."""
        if self._networks is not None and self._key is not None:
            self._networks.drop(self._key)

    def fraction(self, rank: distributed.Rank, of_sample: float = 0.0) -> float:
        """Return the fraction done, assuming that other ranks are as fast.

        Parameters
        ----------
        rank
            Which process this is.
        of_sample
            The fraction done of a sample that is not yet counted.
        """
        done = self._first + (self.means[0].count + of_sample - self._brought) * rank.total
        return min(done / self.wanted, 1.0)

    def _remarks(self, mean: Mean) -> tuple[str, ...]:
        is_nothing = mean.count >= self.wanted and not bool(mean.sums.any())
        return (_ZERO,) if is_nothing else ()

    def result(self, number: int = 0, mean: Mean | None = None) -> ErfResult:
        """Return the result of a unit so far."""
        mean = mean or self.means[number]
        box, unit = self._boxes[number], self.units[number]
        return ErfResult(
            map=_scattered(mean.map(), box, self._size),
            standard_error=_scattered(mean.standard_error(), box, self._size),
            layer=self.layer,
            unit=unit,
            samples=mean.count,
            wanted=self.wanted,
            options=self.request.options() | {"unit": unit, "samples": self.wanted},
            device=devices.words(self.device),
            versions={
                "rfstudio": __version__,
                "torch": str(torch.__version__),
                "python": platform.python_version(),
            },
            seconds=time.perf_counter() - self._start,
            notes=(*self._notes, *self._remarks(mean)),
            box=box,
            open_draw=mean.open_draw(),
        )


_ZERO = (
    "the field is 0 everywhere: no sample's gradient reaches the image, through weights of 0, "
    "activations that are all closed or saturated, values too small for the precision, or padding "
    "alone"
)


def _halves(
    numbers: Sequence[int], indices: tuple[int, ...]
) -> list[tuple[Sequence[int], tuple[int, ...]]]:
    """Return both halves of the units, or of the samples of a single unit."""
    half = len(numbers) // 2
    if half:
        return [(numbers[:half], indices), (numbers[half:], indices)]
    half = len(indices) // 2
    parts = [indices[:half], indices[half:]] if half else [indices]
    return [(numbers, x) for x in parts]


def _scattered(values: Any, box: Any, size: tuple[int, ...]) -> Any:
    result = np.zeros(size, np.float64)
    result[tuple(slice(a, b) for a, b in box)] = values
    return result
