"""Trains a network, and measures the field of one of its units on the way.

Weights begin as torch's own layers do, uniform in ±1/√(fan-in), unless the request names another
law.  A norm needs weights of that size: with He's, which are √6 times larger, the same learning
rate changes the network six times less.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.core.fields.backtrace import check_unit
from rfstudio.core.initialisations import AS_TORCH, initialisation
from rfstudio.core.labelled_images import LabelledImages
from rfstudio.engine.measuring.sampling import signs
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.cone import input_of
from rfstudio.engine.module.initial import Stream, draw_weights, generator
from rfstudio.engine.process import devices
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken, Report, ignore
from rfstudio.engine.requests.training_request import Estimate, TrainingRequest
from rfstudio.engine.training.context_task import ContextTask, with_shortcut
from rfstudio.engine.training.tasks import TEST_IMAGES, ClassTask, Task

_TRIED_STEPS = 3
"""Steps from which the time of all is estimated, after one that is not counted."""

_TOGETHER = 2e8
"""Values of all maps of the images that are differentiated at once, for a field."""


@dataclass(frozen=True, eq=False)
class Frame:
    """The network at one step of a training.

    Attributes
    ----------
    step
        Steps before it.
    accuracy
        Share of the test's labels that it finds.
    loss
        Mean of the training's loss over the last steps; None before the first.
    map
        Mean energy of the gradient of the unit over test images, (H, W).
    samples
        How many test images these are.
    losses
        The loss of each step since the frame before.
    """

    step: int
    accuracy: float
    loss: float | None
    map: NDArray[np.float64]
    samples: int
    losses: tuple[float, ...] = ()


class Training:
    """One training.

    Parameters
    ----------
    request
        Network, task and schedule.
    teacher
        Whose outputs are learned instead of labels; in evaluation mode.
    data
        The images that the request names; None: the context task.

    Attributes
    ----------
    module
        The network, with the weights so far.
    step
        Steps so far.

    Raises
    ------
    MeasurementError
        If the network has not the outputs that the task needs.
    UnknownLayerError, UnitError
        If there is no such unit.
    """

    def __init__(
        self,
        request: TrainingRequest,
        teacher: nn.Module | None = None,
        data: LabelledImages | None = None,
    ) -> None:
        self._request = request
        self._device = devices.choose(request.device)
        self.module = GraphModule(request.architecture)
        graph = self.module.graph
        first, last = graph.nodes[0], graph.nodes[self.module.target]
        self._task: Task
        if data is None:
            if len(first.size) != 2 or last.channels != 2 or last.size != first.size:
                raise MeasurementError(
                    "training needs two outputs at each pixel of a 2-D image, but "
                    f"'{last.name}' has {last.channels} at {'×'.join(map(str, last.size))} of "
                    f"{'×'.join(map(str, first.size))}"
                )
            self._task = ContextTask(request.distance, first.size, first.channels)
        else:
            if any(n > 1 for n in last.size) or last.channels != len(data.classes):
                raise MeasurementError(
                    f"'{last.name}' has {last.channels} outputs at "
                    f"{'×'.join(map(str, last.size))} positions, but there are "
                    f"{len(data.classes)} classes"
                )
            self._task = ClassTask(data, first.channels, first.size)
        self._watched = graph.index(request.layer) if request.layer else None
        node = last if self._watched is None else graph.nodes[self._watched]
        self._unit = request.unit or tuple(n // 2 for n in node.size)
        if self._watched is not None:
            check_unit(graph, self._watched, self._unit)
        devices.check_memory(self._device, first.channels, first.size, torch.float32)
        self._teacher = None if teacher is None else teacher.to(self._device)
        self._test = self._task.test(request.seed)
        self._typical = self._task.typical(request.seed)
        if request.init == AS_TORCH:
            draw_as_torch(self.module, request.seed)
        else:
            law = initialisation(request.init)
            draw_weights(self.module.layers(), request.seed, init=law)
        self.module.to(self._device)
        self.step = 0
        self._losses: list[float] = []
        self._optimise()

    def _optimise(self) -> None:
        request = self._request
        parameters = list(self.module.requires_grad_().parameters())
        self._optimiser = torch.optim.AdamW(parameters, lr=request.rate)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, request.rate, total_steps=request.steps
        )

    def frames(self, token: CancelToken | None = None, report: Report = ignore) -> Iterator[Frame]:
        """Train from the step so far, and yield the network at the steps of the film.

        Parameters
        ----------
        token
            Polled before each step.
        report
            Receives the fraction done and the losses since the last frame.

        Raises
        ------
        Cancelled
            If `token` was cancelled.
        """
        request = self._request
        while True:
            if token is not None:
                token.check()
            if self.step in request.film:
                yield self._frame()
                self._losses = []
            if self.step == request.steps:
                break
            self._losses.append(self._train_once(self.step))
            self.step += 1
            report(self.step / request.steps, self._losses)
        self.finish()

    def finish(self) -> None:
        """Put the module in evaluation mode, with the statistics of typical images."""
        self.module.requires_grad_(requires_grad=False).eval()
        self.module.warm(self._typical.to(self._device))

    def _train_once(self, step: int) -> float:
        self.module.train()
        loss = self._loss(step)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # torch has no types for it
        self._optimiser.step()
        self._schedule.step()
        value = loss.item()
        if not np.isfinite(value):
            raise MeasurementError(
                f"the loss at step {step} is not a number; train with a smaller rate"
            )
        return value

    # --- stopping and going on ------------------------------------------------------------------

    def state(self) -> bytes:
        """Return all that is needed to go on from here, as the bytes of a safetensors file."""
        tensors = {f"module.{name}": x for name, x in self.module.state_dict().items()}
        for number, state in self._optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{number}.{name}": x for name, x in state.items()}
        (group,) = self._optimiser.param_groups
        tensors["rates"] = torch.tensor([group["lr"], *group["betas"]], dtype=torch.float64)
        tensors["losses"] = torch.tensor(self._losses, dtype=torch.float64)
        tensors["step"] = torch.tensor(self.step)
        whole = {name: x.detach().cpu().contiguous().clone() for name, x in tensors.items()}
        data: bytes = safetensors.torch.save(whole)
        return data

    def restore(self, data: bytes) -> None:
        """Go on from a state.

        Raises
        ------
        MeasurementError
            If it is that of another training.
        """
        try:
            tensors = safetensors.torch.load(data)
            step = int(tensors["step"])
            rate, *betas = tensors["rates"].tolist()
            weights = {x: tensors[f"module.{x}"] for x in self.module.state_dict()}
            self.module.load_state_dict(weights)
        except (KeyError, RuntimeError, ValueError, safetensors.SafetensorError) as error:
            raise MeasurementError(f"the state of the training cannot be read: {error}") from None
        moments: dict[int, dict[str, Tensor]] = {}
        for name, x in tensors.items():
            if name.startswith("optimiser."):
                _, number, word = name.split(".")
                moments.setdefault(int(number), {})[word] = x
        record = self._optimiser.state_dict()
        self._optimiser.load_state_dict({**record, "state": moments})
        self.step = min(step, self._request.steps)
        self._losses = tensors["losses"].tolist()
        (group,) = self._optimiser.param_groups
        group |= {"lr": rate, "betas": tuple(betas)}
        # The rates that follow depend on the step alone.
        self._schedule.load_state_dict({**self._schedule.state_dict(), "last_epoch": self.step})

    # --- steps and frames -----------------------------------------------------------------------

    def _loss(self, step: int) -> Tensor:
        request = self._request
        images, labels = self._task.batch(request.seed, Stream.TRAINING, step, request.batch)
        images, labels = images.to(self._device), labels.to(self._device)
        shortcut = request.shortcut if self._task.per_pixel else 0.0
        outputs = self.module(with_shortcut(images, labels, shortcut))
        if self._teacher is None:
            return functional.cross_entropy(outputs, labels)
        # Softened outputs, compared as in Hinton et al., arXiv:1503.02531; the square keeps the
        # gradient's size independent of the temperature.
        heat = request.temperature
        with torch.no_grad():
            wanted = functional.softmax(self._teacher(images) / heat, 1)
        found = functional.log_softmax(outputs / heat, 1)
        pixels = labels.numel()
        return functional.kl_div(found, wanted, reduction="sum") / pixels * heat**2

    def _frame(self) -> Frame:
        """Return the network now, with the statistics of typical images in its batch norms."""
        self.module.eval()
        self.module.warm(self._typical.to(self._device))
        images, labels = self._test
        total = torch.zeros(images.shape[2:], dtype=torch.float64)
        right, count = 0.0, min(len(images), TEST_IMAGES)
        for start, stop in self._runs(count, len(images)):
            some, answers = (x[start:stop].to(self._device) for x in (images, labels))
            if start >= count:  # only the accuracy
                with torch.no_grad():
                    right += _right(self.module(some), answers)
                continue
            inputs = some.clone().requires_grad_()
            outputs = self.module(inputs)
            right += _right(outputs, answers)
            response = self._response(inputs, outputs, answers)
            (gradient,) = torch.autograd.grad(response, inputs)
            total += gradient.cpu().double().square().sum(1).sum(0)
        return Frame(
            self.step,
            right / labels.numel(),
            float(np.mean(self._losses)) if self._losses else None,
            (total / count).numpy(),
            count,
            tuple(self._losses),
        )

    def _runs(self, differentiated: int, tested: int) -> Iterator[tuple[int, int]]:
        """Yield runs of images that are evaluated at once; those that are differentiated first."""
        for first, end in ((0, differentiated), (differentiated, tested)):
            for start in range(first, end, self._together):
                yield start, min(start + self._together, end)

    @property
    def _together(self) -> int:
        numbers = self.module.plan(tuple(self._test[0].shape[2:])).numbers
        return int(max(1, min(TEST_IMAGES, _TOGETHER / max(numbers, 1))))

    def _response(self, inputs: Tensor, outputs: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar whose gradient is the field of the unit."""
        if self._watched is not None:
            box = tuple((u, u + 1) for u in self._unit)
            plan = self.module.plan(tuple(inputs.shape[2:]), box, target=self._watched)
            values = plan.run(input_of(plan, inputs)).flatten(1)
            # The same signs at all steps, so that the frames of a film can be compared.
            own = [signs(self._request.seed, i, values.shape[1]) for i in range(len(values))]
            return (values * torch.stack(own).to(values)).sum()
        if self._task.per_pixel:
            y, x = self._unit
            return (outputs[:, 1, y, x] - outputs[:, 0, y, x]).sum()
        return outputs.gather(1, labels[:, None]).sum()

    # --- what it will take ----------------------------------------------------------------------

    def estimate(self) -> Estimate:
        """Return what the training will take, from a few steps; the module starts anew after it.

        Raises
        ------
        MeasurementError
            If memory does not suffice.
        """
        request = self._request
        parameters = sum(x.numel() for x in self.module.parameters())
        images, _ = self._test
        numbers = self.module.plan(tuple(images.shape[2:])).numbers
        # A map and what is stored of it for the way back, before a step shows how much that is.
        self._refuse_lack(8 * numbers * request.batch + 16 * parameters)
        stored: dict[int, int] = {}

        def note(x: Tensor) -> Tensor:
            storage = x.untyped_storage()
            stored[storage.data_ptr()] = storage.nbytes()
            return x

        with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
            self._loss(0)
        activations = sum(stored.values())
        self._train_once(0)
        tried = max(1, min(_TRIED_STEPS, request.steps - 1))
        start = time.perf_counter()
        for step in range(min(tried, request.steps - 1)):
            self._train_once(step + 1)
        per_step = (time.perf_counter() - start) / tried
        start = time.perf_counter()
        self._frame()
        per_frame = time.perf_counter() - start
        per_image = activations / request.batch
        maps = max(activations, per_image * self._together)
        memory = int(maps + 16 * parameters + self._task.bytes)
        self._refuse_lack(memory)
        frame = 6 * prod(images.shape[2:])  # a map in base 64
        weights = 4 * sum(x.numel() for x in self.module.state_dict().values())
        return Estimate(
            seconds_per_step=per_step,
            seconds_per_frame=per_frame,
            seconds=per_step * request.steps + per_frame * len(request.film),
            memory=memory,
            disk=len(request.film) * (frame + weights) + 3 * weights,
            parameters=parameters,
            device=devices.words(self._device),
        )

    def _refuse_lack(self, memory: int) -> None:
        free = devices.free_memory(self._device)
        if memory > free:
            raise MeasurementError(
                f"the training needs about {memory / 1e9:,.1f} GB of memory, but only "
                f"{free / 1e9:,.1f} GB are free; take a smaller batch, or a smaller input"
            )


def _right(outputs: Tensor, labels: Tensor) -> float:
    """Return how many labels are found."""
    return float((outputs.argmax(1) == labels).double().sum())


@torch.no_grad()
def draw_as_torch(module: GraphModule, seed: int) -> None:
    """Draw weights and biases as torch's layers do: uniform in ±1/√(fan-in)."""
    draw_weights(module.layers(), seed)  # norms as at the start of a training
    source = generator(seed, Stream.WEIGHTS, 1)
    for layer in module.layers():
        fans = layer.fan_in()
        if not fans or layer.rests:
            continue
        bound = max(fans.values()) ** -0.5
        for parameter in layer.parameters():
            values = source.uniform(-bound, bound, tuple(parameter.shape)).astype(np.float32)
            parameter.copy_(torch.from_numpy(values))
