"""Builds a torch module from a document: it computes any map of the network, or any box of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from rfstudio.core.errors import GraphError
from rfstudio.core.initialisations import DEFAULT, initialisation
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.network.reexpansion import first_nodes_at
from rfstudio.core.ops import Op, OpTable
from rfstudio.engine.module.boxes import Box
from rfstudio.engine.module.cone import Plan, input_of, make_plan
from rfstudio.engine.module.direct_reads import (
    evaluated,
    giving_offsets,
    sources_of_offsets,
)
from rfstudio.engine.module.initial import (
    Stream,
    draw_weights,
    generator,
    level_weights,
    normal,
    unit_weights,
)
from rfstudio.engine.module.layers import LAYERS, POSITIVE
from rfstudio.engine.module.layers.base import LayerModule
from rfstudio.engine.module.layers.deformable import DeformConvModule
from rfstudio.engine.module.layers.mixing import AxisLinearModule, LinearModule
from rfstudio.engine.module.layers.moving import FurtherInputModule
from rfstudio.engine.module.layers.pointwise import BatchNormModule

_PLANS_KEPT = 64

WARMING_IMAGES = 4
"""Images from which the running statistics of batch norm are taken."""

_WARMING_SIDE = 256
"""Side of the images for that; statistics of larger ones are about the same."""

_WARMING_MACS = 3e10
"""Multiply-adds that all of them may cost."""

MAX_WEIGHTS = 2**31
"""Weights of a network above which it is refused, instead of filling the memory (8 GB)."""


_FEW_WEIGHTS = MAX_WEIGHTS // 8
"""Counted weights up to which no network is near that number, buffers and the like included."""


class Scope(nn.Module):
    """A named container of layers, so that weights are called by their layer's path."""

    def child(self, name: str) -> Scope:
        """Return the scope of that name, made if it is not there."""
        found = self._modules.get(name)
        if found is not None and not isinstance(found, Scope):
            # A layer may have the name of the scope of an unnamed repeat: both hold weights.
            return self.child(f"{name}~")
        if found is None:
            found = Scope()
            self._modules[name] = found
        assert isinstance(found, Scope)
        return found

    def hold(self, name: str, module: nn.Module) -> None:
        """Add `module` as `name`; any name, unlike `add_module`."""
        while name in self._modules:
            name += "~"
        self._modules[name] = module


class GraphModule(Scope):
    """A network, or as much of it as one map needs: image (N, C, *size) → that map.

    Its state's names are the layers' paths: ``layer1.0.conv1.weight``.

    Parameters
    ----------
    architecture
        The network.
    layer
        Path of the layer or container whose map is computed; None: the last layer.
    input_size
        Size of the images that it is built for, along each axis; the document's own if None.
        Images of other sizes are accepted as well, unless a fully connected layer prevents it.
    positive
        Build the positive linear network of `rfstudio.engine.module.layers.positive`.

    Raises
    ------
    UnknownLayerError
        If there is no such layer.
    GraphError
        If what the layer reads has faults, or its map is empty.
    """

    def __init__(
        self,
        architecture: Architecture,
        layer: str | None = None,
        *,
        input_size: tuple[int, ...] | None = None,
        positive: bool = False,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self._input_size = input_size
        self._is_positive = positive
        self.graph = self._expanded(input_size)
        nodes = self.graph.nodes
        self.target = len(nodes) - 1 if layer is None else self.graph.index(layer)
        self.needed = self.graph.ancestors(self.target)
        _refuse_faults(self.graph, self.needed)
        table = POSITIVE if positive else LAYERS
        # Weights get no memory before all of them are known to fit; few of them do in any case.
        if _counted_weights(self.graph, self.needed) > _FEW_WEIGHTS:
            with torch.device("meta"):
                made = _place(Scope(), self.graph, self.needed, table)
            _refuse_size([*dict.fromkeys(made.values())])
        self.by_index = _place(self, self.graph, self.needed, table)
        if not positive:
            self._rest_offsets()
        self._graphs: dict[tuple[tuple[int, ...], bool], Graph] = {}
        self._plans: dict[object, Plan] = {}
        self.requires_grad_(requires_grad=False)

    def __getstate__(self) -> dict[str, object]:
        """Leave out plans, whose functions hold this module's own weights, and graphs."""
        return {**self.__dict__, "_plans": {}, "_graphs": {}, "graph": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Expand the graph again, which copies of a module cannot share."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.graph = self._expanded(self._input_size)

    def _expanded(self, size: tuple[int, ...] | None, *, training: bool = False) -> Graph:
        """Return the graph by which maps are evaluated."""
        graph = expand(self.architecture, size, batch_norm_training=training)
        return graph if self._is_positive else evaluated(graph)

    def _rest_offsets(self) -> None:
        """Note which layers compute nothing but offsets, which are 0 before any training."""
        weighted = {i for i, x in self.by_index.items() if x.fan_in()}
        giving = giving_offsets(self.graph, self.needed, weighted)
        others = {id(x) for i, x in self.by_index.items() if i not in giving}
        for index in giving:
            layer = self.by_index[index]
            layer.rests = id(layer) not in others

    @property
    def at_rest(self) -> tuple[str, ...]:
        """The deformable convolutions whose taps do not move before any training."""
        weighted = {i for i, x in self.by_index.items() if x.fan_in()}
        return tuple(
            layer.label
            for index, layer in self.by_index.items()
            if isinstance(layer, DeformConvModule)
            and all(
                x in weighted and self.by_index[x].rests
                for x in sources_of_offsets(self.graph, index, weighted)
            )
        )

    def layers(self) -> Iterator[LayerModule[Op]]:
        """Yield the module of every node, in order; one that several nodes share, once."""
        yield from dict.fromkeys(self.by_index.values())

    @property
    def is_batch_norm_training(self) -> bool:
        """Whether a batch norm takes its statistics from the map."""
        return any(isinstance(x, BatchNormModule) and x.training for x in self.layers())

    def forward(self, images: Tensor, *others: Tensor) -> Tensor:
        """Compute the layer's map of `images`, (N, C, *size).

        Parameters
        ----------
        images
            The first input.
        others
            All further inputs, in their order; none: noise, the same each time.
        """
        plan = self.plan(tuple(images.shape[2:]))
        further = [x for x in self.layers() if isinstance(x, FurtherInputModule)]
        if others:
            self._give(further, others, images)
        try:
            return plan.run(input_of(plan, images))
        finally:
            for layer in further:
                layer.given = None

    def _give(
        self, further: Sequence[FurtherInputModule], others: Sequence[Tensor], images: Tensor
    ) -> None:
        names = [x.name for x in self.architecture.further_inputs]
        if len(others) != len(names):
            raise GraphError(f"the network has {len(names)} further inputs, not {len(others)}")
        graph = self.graph_at(tuple(images.shape[2:]))
        for layer in further:
            node = graph.nodes[graph.index(layer.label)]
            given = others[names.index(layer.label)]
            wanted = (len(images), node.channels, *node.size)
            if tuple(given.shape) != wanted:
                raise GraphError(
                    f"the input '{node.name}' must have the shape {list(wanted)}, "
                    f"not {list(given.shape)}"
                )
            layer.given = given

    @torch.no_grad()
    def warm(self, images: Tensor, norms: Sequence[BatchNormModule] | None = None) -> bool:
        """Set the running statistics of batch norm to those of some images, (N, C, *size).

        Parameters
        ----------
        images
            In the network's own normalisation.
        norms
            Those that get statistics, while all others keep their own; None: all of them.

        Returns
        -------
        bool
            Whether there is any batch norm.
        """
        if norms is None:
            norms = [x for x in self.layers() if isinstance(x, BatchNormModule)]
        if not norms:
            return False
        starts = [max(n - _WARMING_SIDE, 0) // 2 for n in images.shape[2:]]
        middle = tuple(slice(a, a + _WARMING_SIDE) for a in starts)
        small = images[(slice(None), slice(None), *middle)]
        try:
            plan = self.plan(tuple(small.shape[2:]))
        except GraphError:  # the network does not accept smaller images
            small, plan = images, self.plan(tuple(images.shape[2:]))
        # A single image has values enough if the map is large.
        small = small[: max(1, int(_WARMING_MACS / max(plan.macs, 1)))]
        for norm in norms:
            norm.warming = True
        try:
            plan.run(input_of(plan, small).to(norms[0].running_var))
        finally:
            for norm in norms:
                norm.warming = False
        return True

    def graph_at(self, size: tuple[int, ...]) -> Graph:
        """Return the network's graph at another size of image, at least up to the target.

        Raises
        ------
        GraphError
            If the network does not fit images of that size.
        """
        training = self.is_batch_norm_training
        key = (size, training)
        if key not in self._graphs:
            graph = self._at_other_size(size, training) or self._expanded(size, training=training)
            _refuse_faults(graph, self.needed)
            for index, layer in self.by_index.items():
                self._refuse_other_size(graph, index, layer)
            self._graphs[key] = graph
        return self._graphs[key]

    def _at_other_size(self, size: tuple[int, ...], training: bool) -> Graph | None:
        """Return as much of the graph as is needed, from the one that there is; or None.

        A few of the first layers cost less than the whole network, of which they may be a tenth.
        """
        return None if training else first_nodes_at(size, self.graph, self.target)

    def _refuse_other_size(self, graph: Graph, index: int, layer: LayerModule[Op]) -> None:
        if isinstance(layer, LinearModule):
            source = graph.nodes[graph.nodes[index].inputs[0]]
            features = source.channels * prod(source.size)
            if features != layer.weight.shape[1]:
                raise GraphError(
                    f"'{layer.label}' is fully connected and takes {layer.weight.shape[1]} values, "
                    f"but an image of this size gives {features}; use images of "
                    + "×".join(map(str, self.graph.nodes[0].size))
                )
        if isinstance(layer, AxisLinearModule):
            node = graph.nodes[index]
            source = graph.nodes[node.inputs[0]]
            along = layer.op.along(len(node.size))
            made, read = layer.weight.shape
            if [prod(x.size[axis] for axis in along) for x in (node, source)] != [made, read]:
                raise GraphError(
                    f"'{layer.label}' is fully connected along {len(along)} axes of "
                    f"{read} positions, which images of this size do not have; use images of "
                    + "×".join(map(str, self.graph.nodes[0].size))
                )

    def plan(
        self,
        size: tuple[int, ...],
        box: Box | None = None,
        *,
        target: int | None = None,
        full: bool = False,
    ) -> Plan:
        """Return how a box of a map is computed from an image of `size`; see `make_plan`."""
        graph = self.graph_at(size)
        target = self.target if target is None else target
        key = (id(graph), box, target, full)
        if key not in self._plans:
            if len(self._plans) >= _PLANS_KEPT:
                del self._plans[next(iter(self._plans))]
            self._plans[key] = make_plan(graph, self.by_index, target, box, full=full)
        return self._plans[key]


def _place(
    scope: Scope,
    graph: Graph,
    indices: Sequence[int],
    table: OpTable[[Node, Sequence[Node]], LayerModule[Op]],
) -> dict[int, LayerModule[Op]]:
    """Make the modules of some nodes, held by `scope` under their layers' paths."""
    made: dict[int, LayerModule[Op]] = {}
    owners: dict[int, LayerModule[Op]] = {}
    for index in indices:
        node = graph.nodes[index]
        if node.op is None:
            continue
        # Weights that are shared are held once, under the name of the layer that they are of.
        owner = graph.weights_of.get(index, index)
        known = owners.get(owner)
        if known is not None:
            made[index] = known
            continue
        owned = graph.nodes[owner]
        made[index] = owners[owner] = table(node.op, owned, [graph.nodes[i] for i in owned.inputs])
        if node.location is None and not any(True for _ in made[index].parameters()):
            # What a layer brings with it must not have the layer's name as that of its scope.
            continue
        *containers, name = owned.name.split(".")
        place = scope
        for container in containers:
            place = place.child(container)
        place.hold(name, made[index])
    return made


class WeightPlace(NamedTuple):
    """A weight of a network.

    Attributes
    ----------
    shape
        Its shape.
    path
        The path of its layer and its name there, which mostly is its name in a state dict.
    """

    shape: tuple[int, ...]
    path: str


def weight_places(graph: Graph) -> dict[str, WeightPlace]:
    """Return the shapes and paths of all weights of a network in order, by name in a state dict.

    Counters are left out, as are the weights of layers with faults.
    """
    faulty = {x.location for x in graph.faults}
    indices = [x.index for x in graph.nodes if x.location not in faulty]
    scope = Scope()
    with torch.device("meta"):
        made = _place(scope, graph, indices, LAYERS)
    names = {id(module): name for name, module in scope.named_modules()}
    return {
        f"{names[id(module)]}.{name}": WeightPlace(tuple(x.shape), f"{module.label}.{name}")
        for module in made.values()
        for name, x in module.state_dict().items()
        if x.is_floating_point()
    }


def is_same_network(a: Architecture, b: Architecture) -> bool:
    """Whether two documents are of one network, for images of whatever size."""
    return (a.channels, a.layers, a.further_inputs) == (b.channels, b.layers, b.further_inputs)


def _refuse_faults(graph: Graph, needed: Sequence[int]) -> None:
    locations = {graph.nodes[i].location for i in needed}
    for fault in graph.faults:
        if fault.location in locations:
            raise GraphError(fault.message)
    for index in needed:
        if 0 in graph.nodes[index].size:
            raise GraphError(
                f"the map of '{graph.nodes[index].name}' is empty at this input size; "
                "use a larger input"
            )


def _counted_weights(graph: Graph, needed: Sequence[int]) -> int:
    """Return the weights of some nodes, by their formulas, which takes no module."""
    total = 0
    for index in needed:
        node = graph.nodes[index]
        if node.op is not None and index not in graph.weights_of:
            source = graph.nodes[node.inputs[0]]
            total += node.op.costs(
                source.channels, node.channels, source.size, node.size
            ).parameters
    return total


def _refuse_size(modules: Sequence[LayerModule[Op]]) -> None:
    total = sum(x.numel() for module in modules for x in module.parameters())
    if total > MAX_WEIGHTS:
        largest = max(modules, key=lambda m: sum(x.numel() for x in m.parameters()))
        raise GraphError(
            f"the network would have {total:,} weights, most of them in '{largest.label}'; "
            f"at most {MAX_WEIGHTS:,} are built"
        )


def to_torch(
    architecture: Architecture,
    layer: str | None = None,
    seed: int = 0,
    *,
    weights: Literal["random", "uniform", "ones"] = "random",
    init: str = DEFAULT,
    input_size: tuple[int, ...] | None = None,
    positive: bool = False,
    batch_norm: Literal["fresh", "warmed"] = "fresh",
    dtype: torch.dtype = torch.float32,
) -> GraphModule:
    """Return a network as a module in evaluation mode: image (N, C, *size) → a layer's map.

    Parameters
    ----------
    architecture
        The network.
    layer
        Path of the layer or container; None: the last layer.
    seed
        Of random weights; the same seed gives the same weights.
    weights
        "random"; "uniform": all 1 / fan-in; "ones".
    init
        From what random weights are drawn, as in `rfstudio.core.initialisations.initialisation`.
    input_size
        Size of the images along each axis; the document's own if None.
    positive
        Build the positive linear network, whose gradient counts paths.
    batch_norm
        Running statistics: "fresh" (mean 0, variance 1: it does nothing) or "warmed" by noise.
    dtype
        Of weights and images.

    Raises
    ------
    UnknownLayerError
        If there is no such layer.
    GraphError
        If what the layer reads has faults.
    """
    if weights not in ("random", "uniform", "ones"):  # otherwise memory as it was found
        raise GraphError(
            f"weights must be random, uniform or ones, not {weights!r}; those of a file come in "
            "with erf(weights=…), or by the module's load_state_dict"
        )
    module = GraphModule(architecture, layer, input_size=input_size, positive=positive)
    match weights:
        case "random":
            draw_weights(module.layers(), seed, init=initialisation(init))
        case "uniform":
            level_weights(module.layers())
        case "ones":
            unit_weights(module.layers())
    module = module.to(dtype).eval()
    if batch_norm == "warmed":
        shape = (architecture.channels, *module.graph.nodes[0].size)
        noise = [normal(generator(seed, Stream.WARMING, i), shape) for i in range(WARMING_IMAGES)]
        module.warm(torch.stack(noise))
    return module
