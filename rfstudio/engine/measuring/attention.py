"""Measures attention: its weights for given images, by head, as distances and as maps.

Attention layers compute their weights within `scaled_dot_product_attention`, which does not return
them.  So its arguments are taken on the way, and the softmax is computed once more from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from rfstudio.core import ops
from rfstudio.core.fields.backtrace import check_unit
from rfstudio.core.metrics.attention import LayerAttention
from rfstudio.core.network.attention_layers import KINDS, attention_nodes, has_place
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph, Node
from rfstudio.core.ops import per_axis
from rfstudio.engine.measuring.network import Network
from rfstudio.engine.measuring.sampling import Images
from rfstudio.engine.module.build import GraphModule
from rfstudio.engine.module.cone import Plan
from rfstudio.engine.process import devices
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken, Report, ignore
from rfstudio.engine.requests.request import ErfRequest

Indices: TypeAlias = NDArray[np.intp]

Place: TypeAlias = Callable[[int], "tuple[NDArray[np.float64], NDArray[np.float64]] | None"]
"""From a node, the centre of its unit 0 and its jump along each axis, in pixels; None: it has
none."""

_ENTRIES = 1 << 22
"""Weights that are computed at once."""

DEFAULT_SAMPLES = 8
"""Images of noise, if their number is not given."""


class Tokens(NamedTuple):
    """Which tokens attend to each other.

    Attributes
    ----------
    asking
        The position of each query in the map of the layer, (groups, queries, axes); −1: it is
        outside of the map.
    held
        The position of each key in the map of the keys, in the same way; −1: it is outside, or
        has none.
    keys
        The node of the map of the keys; None: no key has a position.
    extra
        Number of keys without a position, which come last; they are in the only group.
    """

    asking: Indices
    held: Indices
    keys: int | None
    extra: int = 0


def measure_attention(
    request: ErfRequest,
    place: Place,
    layers: Sequence[str] | None = None,
    *,
    images: Tensor | None = None,
    report: Report = ignore,
    token: CancelToken | None = None,
) -> list[LayerAttention]:
    """Measure the attention of some layers.

    Parameters
    ----------
    request
        Network, images, weights, seed, samples, device and precision; its unit is the query, None:
        the centre unit of each map.
    place
        Where the units of a node are, of the network at the size of the images.
    layers
        Paths of attention layers, or of containers that end with one; None: all.
    images
        (N, C, *size), used instead of the request's.
    report
        Receives the fraction done.
    token
        Polled once an image.

    Raises
    ------
    MeasurementError
        If there is no attention, or a layer is none.
    RFStudioError
        If layer, unit, device, weights or images do not fit; the text says which.
    """
    token = token or CancelToken()
    size = request.input_size if images is None else tuple(images.shape[2:])
    graph = expand(request.architecture, size)
    wanted = _wanted(graph, layers)
    if request.unit is not None:
        for index in wanted:
            check_unit(graph, index, request.unit)
    found: dict[int, LayerAttention] = {}
    rest = set(wanted)
    while rest:
        target = max(rest)  # its ancestors are most often all that come before it
        run = _Run(request, graph.nodes[target].name, size, images)
        now = [x for x in sorted(rest) if x in run.module.by_index]
        done, share = 1 - len(rest) / len(wanted), len(now) / len(wanted)
        tell = partial(_tell, report, done, share)
        found.update(zip(now, run.measure(now, place, token, tell), strict=True))
        rest -= set(now)
    return [found[x] for x in wanted]


def _tell(report: Report, done: float, share: float, fraction: float) -> None:
    report(done + share * fraction, None)


def _wanted(graph: Graph, layers: Sequence[str] | None) -> list[int]:
    known = attention_nodes(graph)
    if layers is None:
        if not known:
            raise MeasurementError("the network has no attention layer")
        return known
    found = []
    for layer in layers:
        index = graph.index(layer)
        if not isinstance(graph.nodes[index].op, KINDS):
            within = [x for x in known if graph.nodes[x].name.startswith(f"{layer}.")]
            if len(within) != 1:
                names = [graph.nodes[x].name for x in (within or known)]
                hint = f"; there are {', '.join(names[:6])}" if names else ""
                more = " …" if len(names) > 6 else ""
                raise MeasurementError(f"'{layer}' is no attention layer{hint}{more}")
            index = within[0]
        found.append(index)
    return found


class _Run:
    """A network with its weights, and the images that it is shown."""

    def __init__(
        self, request: ErfRequest, layer: str, size: tuple[int, ...] | None, images: Tensor | None
    ) -> None:
        self.request = request
        self._device = devices.choose(request.device)
        self._dtype = getattr(torch, request.dtype)
        self.module = GraphModule(request.architecture, layer, input_size=size).eval()
        self.module = self.module.to(self._device, self._dtype)
        node = self.module.graph.nodes[0]
        photos: Any = request.images if images is None else images
        self.images = Images(node.channels, node.size, request.seed, photos)
        self.samples = request.samples or len(self.images) or DEFAULT_SAMPLES
        self._network = Network(self.module, request, self.images, given=False)

    @torch.no_grad()
    def measure(
        self,
        nodes: Sequence[int],
        place: Place,
        token: CancelToken,
        report: Callable[[float], None],
    ) -> list[LayerAttention]:
        """Return the attention of some nodes."""
        self.images.check(range(self.samples), token)
        graph = self.module.graph
        sums = {i: _Sums(graph, i, self.request.unit, place, self._device) for i in nodes}
        plan = self.module.plan(graph.nodes[0].size, full=True)
        for number in range(self.samples):
            token.check()
            self._network.prepare(number // self.request.images_per_weights, lambda _: False)
            image = self.images.batch([number]).to(self._device, self._dtype)
            _walk(plan, image, sums)
            report((number + 1) / self.samples)
        options = self.request.options()
        facts = {x: options[x] for x in ("weights", "init", "seed", "dtype", "batch_norm")}
        facts |= {"samples": self.samples, "images": len(self.images)}
        facts["device"] = devices.words(self._device)
        notes = tuple(self._network.notes)
        return [sums[x].result(facts, notes) for x in nodes]


class _Watch(TorchFunctionMode):
    """Takes the queries, keys and mask of the last attention that was computed."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: tuple[Tensor, Tensor, Tensor | None] | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is functional.scaled_dot_product_attention:
            self.taken = args[0], args[1], kwargs.get("attn_mask")
        return func(*args, **kwargs)


def _walk(plan: Plan, image: Tensor, sums: Mapping[int, _Sums]) -> None:
    """Evaluate a network on one image, and add what its attention layers do."""
    values = {0: image}
    for step in plan.steps:
        inputs = [values[i] for i in step.inputs]
        if step.evaluate is None:
            values[step.index] = image.new_zeros((1, *step.shape))
        elif step.index in sums:
            with _Watch() as watch:
                values[step.index] = step.evaluate(inputs)
            assert watch.taken is not None
            sums[step.index].add(*watch.taken)
        else:
            values[step.index] = step.evaluate(inputs)
        for index in step.release:
            del values[index]


class _Sums:
    """What is averaged of one layer."""

    def __init__(
        self,
        graph: Graph,
        index: int,
        unit: tuple[int, ...] | None,
        place: Place,
        device: torch.device,
    ) -> None:
        node = graph.nodes[index]
        tokens = tokens_of(graph, node)
        self._name, self._tokens = node.name, tokens
        self.unit = tuple(n // 2 for n in node.size) if unit is None else unit
        self.size = () if tokens.keys is None else graph.nodes[tokens.keys].size
        where = np.argwhere((tokens.asking == self.unit).all(2))
        self._group, self._query = (int(x) for x in where[0])
        self._is_asking = torch.from_numpy((tokens.asking >= 0).all(2)).to(device)
        self._is_held = torch.from_numpy((tokens.held >= 0).all(2)).to(device)
        self._points: tuple[Tensor, Tensor] | None = None
        mine = place(index) if has_place(graph, index) else None
        theirs = None if tokens.keys is None else place(tokens.keys)
        if mine is not None and theirs is not None:
            pairs = ((tokens.asking, mine), (tokens.held, theirs))
            first, second = (torch.from_numpy(x * jump + centre) for x, (centre, jump) in pairs)
            self._points = first.to(device), second.to(device)
        self._distances: list[NDArray[np.float64]] = []
        self._shares: list[NDArray[np.float64]] = []
        self._rows: list[NDArray[np.float64]] = []

    def add(self, q: Tensor, k: Tensor, mask: Tensor | None) -> None:
        """Add the attention of one image: queries and keys (groups, heads, tokens, channels)."""
        groups, count, _ = self._tokens.asking.shape
        q, k = (x.reshape(groups, *x.shape[-3:]) for x in (q, k))
        heads, keys = q.shape[1], k.shape[2]
        if mask is not None:
            mask = torch.broadcast_to(mask, (groups, heads, count, keys))
        at_once = max(_ENTRIES // (heads * keys), 1)
        together = max(at_once // count, 1)
        distance, share, number = q.new_zeros(heads), q.new_zeros(heads), 0
        distance, share = distance.double(), share.double()
        for first in range(0, groups, together):
            some = slice(first, first + together)
            for start in range(0, count, at_once):
                part = slice(start, start + at_once)
                weights = softmax_of(
                    q[some, :, part], k[some], None if mask is None else mask[some, :, part]
                )
                asking = self._is_asking[some, part]
                number += int(asking.sum())
                far, near = self._looked(weights, some, part)
                distance += (far * asking[:, None]).sum((0, 2)).double()
                share += ((1 - near) * asking[:, None]).sum((0, 2)).double()
                if some.start <= self._group < some.stop and part.start <= self._query < part.stop:
                    row = weights[self._group - some.start, :, self._query - part.start]
                    self._rows.append(row.double().cpu().numpy())
        self._distances.append((distance / max(number, 1)).cpu().numpy())
        self._shares.append((share / max(number, 1)).clamp(min=0).cpu().numpy())

    def _looked(self, weights: Tensor, some: slice, part: slice) -> tuple[Tensor, Tensor]:
        """Return how far each query looks, by head, and its attention to keys with a position."""
        held = self._is_held[some][:, None, None, :]
        placed = weights * held
        near = placed.sum(-1)
        if self._points is None:
            return torch.zeros_like(near), near
        asking, keys = (x[some] for x in self._points)
        apart = (asking[:, part, None, :] - keys[:, None, :, :]).square().sum(-1).sqrt()
        far = (placed * apart[:, None].to(placed)).sum(-1)
        return far / near.clamp(min=1e-30), near

    def result(self, options: Mapping[str, Any], notes: tuple[str, ...]) -> LayerAttention:
        """Return the means over images."""
        rows = np.mean(self._rows, axis=0)
        heads, extra = len(rows), self._tokens.extra
        held = self._tokens.held[self._group]
        maps = np.zeros((heads, *self.size))
        for key in np.flatnonzero((held >= 0).all(1)):
            maps[(slice(None), *held[key])] += rows[:, key]
        return LayerAttention(
            layer=self._name,
            heads=heads,
            distances=None if self._points is None else np.stack(self._distances),
            to_tokens=np.mean(self._shares, axis=0) if extra else np.zeros(heads),
            size=self.size,
            unit=self.unit,
            maps=maps,
            token_weights=rows[:, rows.shape[1] - extra :],
            options=options,
            notes=notes,
        )


def softmax_of(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    """Return the weights of attention, as `scaled_dot_product_attention` computes them."""
    logits: Tensor = q @ k.mT / q.shape[-1] ** 0.5
    if mask is not None:
        logits = (
            logits.masked_fill(~mask, -torch.inf) if mask.dtype is torch.bool else logits + mask
        )
    return logits.softmax(-1)


# --- which token is where -----------------------------------------------------------------------


def tokens_of(graph: Graph, node: Node) -> Tokens:
    """Return the positions of queries and keys, in the order in which the layer has them."""
    op, size = node.op, node.size
    axes = len(size)
    match op:
        case ops.Attention():
            along = op.along(axes)
            others = [x for x in range(axes) if x not in along]
            order = (*others, *along)
            places = np.indices(size).transpose(0, *(1 + x for x in order))
            places = places.reshape(axes, prod([size[x] for x in others]), -1)
        case ops.WindowAttention() | ops.DotProductAttention():
            if isinstance(op, ops.DotProductAttention):
                window, shifts = op.windows(size), op.starts(size)
            else:
                window, shifts = per_axis(op.window_size, axes), per_axis(op.shift, axes)
            lines = []
            for n, w, shift in zip(size, window, shifts, strict=True):
                low, high = -shift, -(-(n + shift) // w) * w - shift
                line = np.arange(low, high)
                lines.append(np.where((line >= 0) & (line < n), line, -1))
            places = np.stack(np.meshgrid(*lines, indexing="ij"))
            counts = [len(x) // w for x, w in zip(lines, window, strict=True)]
            split = chain.from_iterable(zip(counts, window, strict=True))
            places = _regrouped(places, tuple(split), first=0)
        case ops.GridAttention():
            cells = op.cells(size)
            apart = [op.distance(axis, size) for axis in range(axes)]
            split = chain.from_iterable(zip(cells, apart, strict=True))
            places = _regrouped(np.indices(size), tuple(split), first=1)
        case ops.CrossAttending() | ops.DotProductAttending():
            return _across(graph, node, op)
        case _:
            raise MeasurementError(f"the attention of '{node.name}' cannot be measured")
    found = places.transpose(1, 2, 0)
    return Tokens(found, found, node.index)


def _regrouped(places: Indices, split: tuple[int, ...], first: int) -> Indices:
    """Return positions by groups and by tokens within a group.

    Each axis was split into two; the groups are the first ones of these, or the second ones.
    """
    axes = len(places)
    shape = [split[2 * i + first] for i in range(axes)]
    found = places.reshape(axes, *split)
    groups = [1 + 2 * i + first for i in range(axes)]
    within = [1 + 2 * i + 1 - first for i in range(axes)]
    return found.transpose(0, *groups, *within).reshape(axes, prod(shape), -1)


def _across(graph: Graph, node: Node, op: ops.CrossAttending | ops.DotProductAttending) -> Tokens:
    """Return the tokens of attention to the positions of other maps."""
    maps = _key_maps(graph, node)
    sizes = [graph.nodes[x].size for x in maps]
    assert [prod(x) for x in sizes] == list(op.parts)
    placed = [has_place(graph, x) for x in maps]
    if sum(placed) > 1 or placed != sorted(placed, reverse=True):
        raise MeasurementError(f"the keys of '{node.name}' are of several maps; it is not measured")
    axes = len(node.size)
    held = [
        np.indices(size).reshape(axes, -1) if there else np.full((axes, prod(size)), -1)
        for size, there in zip(sizes, placed, strict=True)
    ]
    asking = np.indices(node.size).reshape(axes, 1, -1).transpose(1, 2, 0)
    keys = np.concatenate(held, axis=1).T[None]
    extra = sum(prod(x) for x, there in zip(sizes, placed, strict=True) if not there)
    return Tokens(asking, keys, maps[0] if any(placed) else None, extra)


def _key_maps(graph: Graph, node: Node) -> list[int]:
    """Return the maps whose positions are the keys, in their order."""
    index = node.inputs[1]
    while not isinstance(graph.nodes[index].op, ops.Concat | ops.Flatten):
        (index,) = graph.nodes[index].inputs
    found = graph.nodes[index]
    flat = found.inputs if isinstance(found.op, ops.Concat) else (index,)
    return [graph.nodes[x].inputs[0] for x in flat]
