"""Trains a network on the context task, and measures the field of its centre unit on the way.

Weights begin as torch's own layers do, uniform in ±1/√(fan-in).  A norm needs weights of that size:
with He's, which are √6 times larger, the same learning rate changes the network six times less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.initial import Stream, draw_weights, generator
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken, Report, ignore
from rfstudio.engine.requests.training_request import TrainingRequest
from rfstudio.engine.training.context_task import ContextTask, with_shortcut

TEST_IMAGES = 64
"""Images of the test, on which fields are measured as well."""


@dataclass(frozen=True, eq=False)
class Frame:
    """The network at one step of a training.

    Attributes
    ----------
    step
        Steps before it.
    accuracy
        Share of the pixels of the test images whose label it finds.
    loss
        Mean of the training's loss over the last steps; None before the first.
    map
        Mean energy of the gradient of the difference of the centre unit's two outputs, (H, W).
    """

    step: int
    accuracy: float
    loss: float | None
    map: NDArray[np.float64]


class Training:
    """One training.

    Parameters
    ----------
    request
        Network, task and schedule.
    teacher
        Whose outputs are learned instead of labels; in evaluation mode.

    Attributes
    ----------
    module
        The network, with the weights so far.

    Raises
    ------
    MeasurementError
        If the network has no two outputs at each pixel of the image.
    """

    def __init__(self, request: TrainingRequest, teacher: nn.Module | None = None) -> None:
        self._request = request
        self._teacher = teacher
        self.module = GraphModule(request.architecture)
        nodes = self.module.graph.nodes
        first, last = nodes[0], nodes[self.module.target]
        if len(first.size) != 2 or last.channels != 2 or last.size != first.size:
            raise MeasurementError(
                f"training needs two outputs at each pixel of a 2-D image, but '{last.name}' has "
                f"{last.channels} at {'×'.join(map(str, last.size))} of "
                f"{'×'.join(map(str, first.size))}"
            )
        self._center = tuple(n // 2 for n in last.size)
        self._task = ContextTask(request.distance, first.size, first.channels)
        self._test = self._task.batch(request.seed, Stream.TESTING, 0, TEST_IMAGES)
        draw_as_torch(self.module, request.seed)

    def frames(self, token: CancelToken | None = None, report: Report = ignore) -> Iterator[Frame]:
        """Train, and yield the network at the steps of the film.

        Raises
        ------
        Cancelled
            If `token` was cancelled.
        """
        request = self._request
        parameters = list(self.module.requires_grad_().parameters())
        optimiser = torch.optim.AdamW(parameters, lr=request.rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, request.rate, total_steps=request.steps
        )
        losses: list[float] = []
        for step in range(request.steps + 1):
            if token is not None:
                token.check()
            if step in request.film:
                yield self._frame(step, float(np.mean(losses)) if losses else None)
                losses = []
            if step == request.steps:
                break
            self.module.train()
            loss = self._loss(step)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call] # torch has no types for it
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
            report((step + 1) / request.steps, None)
        self.finish()

    def finish(self) -> None:
        """Put the module in evaluation mode, with the statistics of the test images."""
        self.module.requires_grad_(requires_grad=False).eval()
        self.module.warm(self._test[0])

    def _loss(self, step: int) -> Tensor:
        request = self._request
        images, labels = self._task.batch(request.seed, Stream.TRAINING, step, request.batch)
        outputs = self.module(with_shortcut(images, labels, request.shortcut))
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

    def _frame(self, step: int, loss: float | None) -> Frame:
        """Return the network now, with the statistics of the test images in its batch norms."""
        self.module.eval()
        images, labels = self._test
        self.module.warm(images)
        inputs = images.clone().requires_grad_()
        outputs = self.module(inputs)
        accuracy = (outputs.argmax(1) == labels).double().mean().item()
        margin = (outputs[:, 1] - outputs[:, 0])[(slice(None), *self._center)]
        (gradient,) = torch.autograd.grad(margin.sum(), inputs)
        energy = gradient.double().square().sum(1).mean(0).numpy()
        return Frame(step, accuracy, loss, energy)


@torch.no_grad()
def draw_as_torch(module: GraphModule, seed: int) -> None:
    """Draw weights and biases as torch's layers do: uniform in ±1/√(fan-in)."""
    draw_weights(module.layers(), seed)  # norms as at the start of a training
    source = generator(seed, Stream.WEIGHTS, 1)
    for layer in module.layers():
        fans = layer.fan_in()
        if not fans:
            continue
        bound = max(fans.values()) ** -0.5
        for parameter in layer.parameters():
            values = source.uniform(-bound, bound, tuple(parameter.shape)).astype(np.float32)
            parameter.copy_(torch.from_numpy(values))
