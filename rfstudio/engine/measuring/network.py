"""The network of a measurement, with its weights: of a file, uniform, or drawn group by group."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from rfstudio.engine.measuring.sampling import Images
from rfstudio.engine.measuring.tape import Tape
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.folding import fold_norms, order_for_speed, part_norms
from rfstudio.engine.module.initial import draw_weights, level_weights
from rfstudio.engine.module.layers.base import LayerModule
from rfstudio.engine.module.layers.pointwise import BatchNormModule
from rfstudio.engine.requests.request import BatchNormMode, ErfRequest
from rfstudio.engine.weights.weights import load_weights

HasRoom: TypeAlias = Callable[[int], bool]
"""Whether so many bytes more may be kept."""


_GROUPS = 256
"""Groups whose weights are kept at most; nobody waits for so many after each move."""


_STATISTICS_INSTEAD = {
    "warmed": "taken from a few images",
    "fresh": "mean 0 and variance 1 instead",
    "train": "those of each sample count",
}


def set_from_file(
    module: GraphModule, path: str, seed: int, batch_norm: BatchNormMode, images: Images
) -> tuple[str, ...]:
    """Give a module the weights of a file, and what the file lacks.

    Parameters
    ----------
    module
        Its weights are replaced.
    path
        The file.
    seed
        Of weights that it does not have.
    batch_norm
        What batch norms do whose statistics it does not have.
    images
        For these.

    Returns
    -------
    tuple of str
        What to say about it.

    Raises
    ------
    WeightsError
        As `rfstudio.engine.weights.weights.load_weights`.
    """
    draw_weights(module.layers(), seed)
    loaded = load_weights(module, path)
    layers = dict(module.named_modules())
    bare = [layers[name] for name in loaded.without_statistics]
    if batch_norm == "warmed":
        # Only these: the others have what they were trained with.
        norms = [x for x in bare if isinstance(x, BatchNormModule)]
        if norms:
            module.warm(images.for_warming(), norms)
    drawn = {
        f"{name}.{weight}"
        for name, layer in layers.items()
        if isinstance(layer, LayerModule)
        for weight in layer.fan_in()
    }
    return loaded.notes(drawn, _STATISTICS_INSTEAD[batch_norm])


class Network:
    """A module whose weights are those of any group of samples.

    Parameters
    ----------
    module
        Its weights are replaced, except if they are `given`.
    request
        Tells the weights, their seed and what batch norm does.
    images
        For the statistics of batch norm.
    given
        Whether the module came with its weights.

    Attributes
    ----------
    images
        Those that it was made with.
    notes
        What to say about the weights.
    tapes
        What is kept of evaluations of the whole map, by the numbers of their samples.
    spent
        Multiply-adds, of one image, that units of this network were evaluated with so far.
    together
        Samples of a tape; 0 as long as there is none.
    """

    def __init__(
        self, module: GraphModule, request: ErfRequest, images: Images, *, given: bool
    ) -> None:
        self.module = module
        self.notes: list[str] = []
        self.tapes: dict[tuple[int, ...], Tape] = {}
        self.spent = 0
        self.together = 0
        self._request = request
        self.images = images
        self._is_drawn = not given and request.weights == "random"
        self._group = -1
        self._states: dict[int, dict[str, Tensor]] = {}
        self._bytes_of_tapes = 0
        if not given:
            self._set_fixed()
        if request.batch_norm == "train":
            for layer in module.layers():
                layer.train(isinstance(layer, BatchNormModule))
        if not self._is_drawn:
            fold_norms(module)
        order_for_speed(module)

    @property
    def keeps_samples_apart(self) -> bool:
        """Whether samples do not mix, as they do in a batch norm that is in training mode."""
        return not any(layer.training for layer in self.module.layers())

    @property
    def bytes(self) -> int:
        """Memory of all that is kept."""
        states = max(len(self._states), 1) * self._state_bytes()
        return states + self._bytes_of_tapes + self.images.bytes

    def keep(self, indices: tuple[int, ...], tape: Tape) -> None:
        """Keep the evaluation of some samples."""
        self.tapes[indices] = tape
        self.together = max(self.together, len(indices))
        self._bytes_of_tapes += tape.bytes

    def _state_bytes(self) -> int:
        return sum(x.numel() * x.element_size() for x in self._tensors().values())

    def _tensors(self) -> dict[str, Tensor]:
        return {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}

    def prepare(self, group: int, has_room: HasRoom) -> None:
        """Set the weights that a group of samples shares."""
        if not self._is_drawn or group == self._group:
            return
        is_kept = self._group in self._states
        self._group = -1
        tensors = self._tensors()
        if group in self._states:
            for name, values in self._states[group].items():
                tensors[name].data = values
        else:
            if is_kept:  # the tensors belong to that group now
                for x in tensors.values():
                    x.data = x.data.clone()
            part_norms(self.module)
            draw_weights(self.module.layers(), self._request.seed, group)
            self._warm()
            fold_norms(self.module)
            if len(self._states) < _GROUPS and has_room(self._state_bytes()):
                self._states[group] = {name: x.data for name, x in self._tensors().items()}
        self._group = group

    def forget(self) -> None:
        """Give back the memory of everything that can be computed again."""
        self.tapes.clear()
        self._states.clear()
        self.images.forget()
        self._bytes_of_tapes = 0

    def _set_fixed(self) -> None:
        match self._request.weights:
            case "random":
                return
            case "uniform":
                level_weights(self.module.layers())
                self._warm()
            case path:
                request = self._request
                self.notes += set_from_file(
                    self.module, path, request.seed, request.batch_norm, self.images
                )

    def _warm(self) -> None:
        if self._request.batch_norm == "warmed":
            self.module.warm(self.images.for_warming())
