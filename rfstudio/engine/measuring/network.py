"""The network of a measurement, with weights from a file, uniform, or drawn group by group."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from rfstudio.core.initialisations import HE_NORMAL, Initialisation, initialisation
from rfstudio.engine.measuring.backward_pass import Tape
from rfstudio.engine.measuring.sampling import Images
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.folding import fold_norms, order_for_speed, part_norms
from rfstudio.engine.module.initial import draw_weights, level_weights
from rfstudio.engine.module.layers.base import LayerModule
from rfstudio.engine.module.layers.pointwise import BatchNormModule
from rfstudio.engine.module.warming import QuickWarming
from rfstudio.engine.requests.request import BatchNormMode, ErfRequest
from rfstudio.engine.weights.own_weights import take_own_weights
from rfstudio.engine.weights.reading import load_weights

HasRoom: TypeAlias = Callable[[int], bool]
"""Whether so many more bytes may be cached."""


_NAMED = 5
"""Layers that a note names."""

_GROUPS = 256
"""Most groups whose weights are cached; more would take too long after each move anyway."""


_STATISTICS_INSTEAD = {
    "warmed": "taken from a few images",
    "fresh": "mean 0 and variance 1 instead",
    "train": "those of each sample count",
}


def set_from_file(
    module: GraphModule,
    path: str,
    seed: int,
    batch_norm: BatchNormMode,
    images: Images,
    init: Initialisation = HE_NORMAL,
) -> tuple[str, ...]:
    """Give a module the weights of a file, and other values where the file lacks some.

    Parameters
    ----------
    module
        Its weights are replaced.
    path
        The file.
    seed
        Of weights that the file does not have.
    batch_norm
        What batch norms do if the file does not have their statistics.
    images
        For the statistics of those batch norms.
    init
        The law of weights that the file does not have.

    Returns
    -------
    tuple of str
        Notes for the user.

    Raises
    ------
    WeightsError
        As `rfstudio.engine.weights.reading.load_weights`.
    """
    draw_weights(module.layers(), seed, init=init)
    loaded = load_weights(module, path)
    layers = dict(module.named_modules())
    bare = [layers[name] for name in loaded.without_statistics]
    if batch_norm == "warmed":
        # Only these: the others have the statistics of their training.
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


def set_from_model(
    module: GraphModule,
    seed: int,
    batch_norm: BatchNormMode,
    images: Images,
    init: Initialisation = HE_NORMAL,
) -> tuple[str, ...]:
    """Give a module the weights that its network was imported with.

    Parameters
    ----------
    module
        Its weights are replaced.
    seed, batch_norm, images, init
        As in `set_from_file`, for what the model lacks: layers that were added or changed.

    Returns
    -------
    tuple of str
        Notes for the user.

    Raises
    ------
    WeightsError
        If the network was not imported with weights, or none of them fits.
    """
    draw_weights(module.layers(), seed, init=init)
    taken = take_own_weights(module, module.architecture)
    layers = dict(module.named_modules())
    if batch_norm == "warmed":
        owners = dict.fromkeys(
            x.rpartition(".")[0] for x in taken.missing if x.endswith(("_mean", "_var"))
        )
        bare = [x for x in map(layers.get, owners) if isinstance(x, BatchNormModule)]
        if bare:
            module.warm(images.for_warming(), bare)
    return ("weights of the model, in the network that is rebuilt from it", *taken.notes())


class Network:
    """A module that can be given the weights of any group of samples.

    Parameters
    ----------
    module
        Its weights are replaced, except if they are `given`.
    request
        Names the weights, their seed and what batch norm does.
    images
        For the statistics of batch norm.
    given
        Whether the module came with its weights.

    Attributes
    ----------
    images
        Those that it was created with.
    notes
        Notes on the weights, for the user.
    tapes
        Cached evaluations of the full map, by the numbers of their samples.
    spent
        Multiply-adds, for one image, of the units of this network so far.
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
        self._init = initialisation(request.init)
        self.images = images
        self._is_drawn = not given and request.weights == "random"
        self._group = -1
        self._states: dict[int, dict[str, Tensor]] = {}
        self._bytes_of_tapes = 0
        self._quick: QuickWarming | None = None
        if not given:
            self._set_fixed()
            if request.weights in ("random", "uniform") and module.at_rest:
                names = ", ".join(module.at_rest[:_NAMED])
                more = len(module.at_rest) - _NAMED
                self.notes.append(
                    "deformable convolutions have offsets of 0, as before any training: "
                    + names
                    + (f" and {more} more" if more > 0 else "")
                )
        if request.batch_norm == "train":
            for layer in module.layers():
                layer.train(isinstance(layer, BatchNormModule))
        if not self._is_drawn:
            fold_norms(module)
        order_for_speed(module, is_blank=self._is_drawn)

    @property
    def keeps_samples_apart(self) -> bool:
        """Whether samples stay separate, unlike in a batch norm in training mode."""
        return not any(layer.training for layer in self.module.layers())

    @property
    def bytes(self) -> int:
        """Memory of everything that is cached."""
        states = max(len(self._states), 1) * self._state_bytes()
        return states + self._bytes_of_tapes + self.images.bytes

    def keep(self, indices: tuple[int, ...], tape: Tape) -> None:
        """Cache the evaluation of some samples."""
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
        is_cached = self._group in self._states
        self._group = -1
        tensors = self._tensors()
        if group in self._states:
            for name, values in self._states[group].items():
                tensors[name].data = values
        else:
            if is_cached:  # its tensors must not be overwritten
                for x in tensors.values():
                    x.data = x.data.clone()
            part_norms(self.module)
            draw_weights(self.module.layers(), self._request.seed, group, self._init)
            self._warm(group)
            fold_norms(self.module)
            if len(self._states) < _GROUPS and has_room(self._state_bytes()):
                self._states[group] = {name: x.data for name, x in self._tensors().items()}
        self._group = group

    def forget(self) -> None:
        """Free the memory of everything that can be computed again."""
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
            case "model":
                request = self._request
                self.notes += set_from_model(
                    self.module, request.seed, request.batch_norm, self.images, self._init
                )
            case path:
                request = self._request
                self.notes += set_from_file(
                    self.module, path, request.seed, request.batch_norm, self.images, self._init
                )

    def _warm(self, group: int | None = None) -> None:
        """Take the statistics of batch norms; of a group of samples, with few values."""
        if self._request.batch_norm != "warmed":
            return
        if group is None or len(self.images):
            self.module.warm(self.images.for_warming())
            return
        if self._quick is None:
            self._quick = QuickWarming(
                self.module, self.images.size, self._request.images_per_weights
            )
        if self._quick.count:
            size, count = self._quick.size, self._quick.count
            self._quick.run(self.images.noise_for_warming(group, count, size))
