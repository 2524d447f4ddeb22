"""The weights that an imported network came with, for the network that is rebuilt from it.

Layers are found by their paths, which an edit leaves alone, and never by order: a layer that was
added, renamed or changed in shape since the import has no weights of the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.network.expansion import expand
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.layers.several_maps import ExtraTokensModule, TokensModule
from rfstudio.engine.process.errors import WeightsError
from rfstudio.engine.weights.matching import match
from rfstudio.engine.weights.parametrizations import folded, weight_of
from rfstudio.importing.imported import Imported

Shape = tuple[int, ...]

_STATISTICS = ("running_mean", "running_var")
_NAMED = 5

_STAND_INS = (ops.Custom, ops.CustomMerge, ops.Mixer)
"""Operations that take the place of one that is known by what it reads only."""


class Taken(NamedTuple):
    """What a rebuilt network has of the model.

    Attributes
    ----------
    missing
        Weights of the network that it has not from the model; they are unchanged.
    misfits
        Those of them that the model has in another shape.
    lost
        Layers of the model with weights that the network does not have any more.
    stand_ins
        Layers of operations that only their geometry is known of.
    unplaced
        Weights of the model that no layer has a place for: those of stand-ins, and tensors that
        the import left out, such as a class token or the biases of positions in attention.
    """

    missing: tuple[str, ...]
    misfits: tuple[str, ...]
    lost: tuple[str, ...]
    stand_ins: tuple[str, ...]
    unplaced: tuple[str, ...]

    def notes(self) -> tuple[str, ...]:
        """Return the same as sentences."""
        texts = (
            ("not in the model, drawn at random or as before any training", self._new()),
            ("of another shape than in the model, so drawn at random", self.misfits),
            ("in the model, not used", self.lost),
            ("computed as a mean in place of what the model does", self.stand_ins),
            ("weights of the model that no layer here has", self.unplaced),
        )
        return tuple(f"{text}: {_list(names)}" for text, names in texts if names)

    def _new(self) -> tuple[str, ...]:
        return tuple(x for x in self.missing if x not in self.misfits)


def take_own_weights(module: GraphModule, network: Architecture) -> Taken:
    """Give a module the weights that its network was imported with.

    Raises
    ------
    WeightsError
        If the network was not imported with weights, or none of them fits.
    """
    state = _state(network)
    assert isinstance(network, Imported)
    graph = module.graph
    parts = {id(x): name for name, x in module.named_modules()}
    missing: list[str] = []
    misfits: list[str] = []
    found = 0
    placed: set[str] = set()
    with torch.no_grad():
        for index, layer in module.by_index.items():
            own = {k: x for k, x in layer.state_dict().items() if x.is_floating_point()}
            # Layers that share weights are one module.
            path = graph.nodes[graph.weights_of.get(index, index)].name
            there = _tensors_of(path, network.weights.get(path, ()), state)
            computed = network.computed.get(path, {})
            rest = {k: x for k, x in own.items() if k not in computed}
            made = {_plain(torch.from_numpy(x)) for x in computed.values()}
            others = {k: x for k, x in there.items() if _plain(x) not in made}
            pairs = match(_shapes(rest), _shapes(others)) if rest and others else {}
            pairs = pairs or _by_shape(rest, others)
            if isinstance(layer, TokensModule | ExtraTokensModule):  # of tables for several layers
                pairs = dict(zip(own, there, strict=False))
            name = parts.get(id(layer), path)
            if computed:  # whatever they are computed from has its place
                placed |= set(there)
            for key, x in own.items():
                value = there.get(pairs.get(key, ""))
                value = None if value is None else layer.adopted(key, value)
                if key in computed:
                    value = torch.from_numpy(computed[key])
                if value is not None and _plain(value) == _plain(x):
                    x.copy_(value.reshape(x.shape))
                    found += 1
                    placed |= {pairs[key]} if key in pairs else set()
                    continue
                missing.append(f"{name}.{key}")
                if there:
                    misfits.append(f"{name}.{key}")
    if not found and missing:
        raise WeightsError(
            "none of the weights that this network was imported with fits its layers any more; "
            "measure with other weights"
        )
    known = {x.name for x in expand(network).nodes}
    lost = tuple(x for x, names in network.weights.items() if x not in known and names)
    stand_ins = tuple(
        graph.nodes[i].name for i in module.needed if isinstance(graph.nodes[i].op, _STAND_INS)
    )
    # Those of layers that are lost, have another shape or are not computed here are no riddle.
    explained = {
        tensor
        for path, names in network.weights.items()
        if path not in stand_ins
        for tensor in _tensors_of(path, names, state)
    }
    # Constants are numbers of layers of their own, or what the import's report says of them.
    constants = _buffers(network)
    unplaced = tuple(
        name
        for name, x in state.items()
        if x.is_floating_point()
        and name not in placed
        and name not in explained
        and name not in constants
        and not name.endswith(_STATISTICS)
    )
    unique = dict.fromkeys
    return Taken(tuple(unique(missing)), tuple(unique(misfits)), lost, stand_ins, unplaced)


def _state(network: Architecture) -> Mapping[str, Tensor]:
    """Return the tensors of the model by name, those of parametrizations folded."""
    if isinstance(network, Imported):
        if isinstance(network.module, nn.Module):
            return folded(network.module.state_dict()).state
        if network.state is not None:
            return folded({k: torch.as_tensor(x) for k, x in network.state().items()}).state
    raise WeightsError(
        f"'{network.name}' was not imported with weights; measure with random ones, or with those "
        "of a file"
    )


def _buffers(network: Imported) -> set[str]:
    """Return the names of tensors of the model that are not learned, where that is known."""
    module = network.module
    return {x for x, _ in module.named_buffers()} if isinstance(module, nn.Module) else set()


def _tensors_of(
    path: str, learned: Sequence[str], state: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return the tensors of a layer: those that it reads, and the statistics beside them."""
    names = [x if x in state else weight_of(x) for x in learned]
    # A norm that learns nothing may be one of several layers of its module.
    owners = dict.fromkeys(x.rpartition(".")[0] for x in names) or (path, path.rpartition(".")[0])
    names += [f"{x}.{part}" for x in owners for part in _STATISTICS]
    found = {x: state[x] for x in dict.fromkeys(names) if x in state}
    return {x: y.to("cpu") for x, y in found.items() if y.is_floating_point()}


def _by_shape(own: Mapping[str, Tensor], there: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the one tensor of the shape of each weight, whatever it is called; none if unclear."""
    pairs = {x: [y for y in there if there[y].shape == own[x].shape] for x in own}
    found = [names[0] for names in pairs.values() if len(names) == 1]
    if len(set(found)) < len(own):
        return {}
    return dict(zip(own, found, strict=True))


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    return {name: tuple(x.shape) for name, x in tensors.items()}


def _plain(x: Tensor) -> Shape:
    """Return the shape without axes of length 1, in which a reshape changes no order."""
    return tuple(n for n in x.shape if n > 1)


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
