"""Measures the attention of a user's own module, in which layers are torch's or anybody's.

The weights are taken where they are computed: from `multi_head_attention_forward`, which can return
them, from `scaled_dot_product_attention`, whose softmax is computed once more, and from a softmax
over the products of queries and keys.  Which pixels these are of is followed through the module.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from rfstudio.core.fields.backtrace import check_position
from rfstudio.core.metrics.attention import LayerAttention
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph
from rfstudio.engine.measuring.attention import DEFAULT_SAMPLES, Place, softmax_of
from rfstudio.engine.measuring.sampling import Images
from rfstudio.engine.measuring.token_places import NOWHERE, REAL, Follower, Places
from rfstudio.engine.process import devices
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken, Report, ignore
from rfstudio.engine.requests.request import ErfRequest

Numbers = NDArray[np.float64]

_SOFTMAX = frozenset(("softmax", "_softmax"))


@dataclass
class _Taken:
    """The attention of one submodule.

    Attributes
    ----------
    queries, keys
        Their places in each group, (groups, tokens, axes + 1): coordinates in pixels and what each
        is of, as `rfstudio.engine.measuring.token_places.Places` has it.
    weights
        For each image, (groups, heads, queries, keys).
    """

    queries: Numbers
    keys: Numbers
    weights: list[Numbers]


class _Watch(TorchFunctionMode):
    """Takes the weights of every attention that is computed, by the path of its submodule."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.found: dict[str, _Taken] = {}
        self.lost: dict[str, list[Numbers]] = {}
        self.order: dict[str, None] = {}
        self._follower = Follower()
        self._within: list[str] = []
        self._handles = []
        for name, part in module.named_modules():
            if isinstance(part, nn.Softmax):
                continue  # its attention is that of the module that calls it
            enter = part.register_forward_pre_hook(lambda *_, name=name: self._within.append(name))
            leave = part.register_forward_hook(lambda *_: self._leave())
            self._handles += [enter, leave]

    def _leave(self) -> None:
        self._within.pop()

    def start(self, image: Tensor) -> None:
        """Begin with an image."""
        self._follower = Follower()
        self._follower.start(image)

    def close(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        of = self._follower.of
        if func is functional.multi_head_attention_forward:
            given |= {"need_weights": True, "average_attn_weights": False}
            result, weights = func(*args, **given)
            assert weights is not None
            self._take(weights, *(_by_image(of(x)) for x in args[:2]))
            self._follower.follow(func, args, given, result)
            return result, None
        result = func(*args, **given)
        if func is functional.scaled_dot_product_attention:
            self._take(_weights_of(*args, **given), *(_of_tokens(of(x)) for x in args[:2]))
        elif getattr(func, "__name__", "") in _SOFTMAX and args:
            places = of(args[0])
            if places is not None and places.keys:
                queries = np.stack([x[..., :, 0].numpy() for x in places.own], -1)
                keys = np.stack([x[..., 0, :].numpy() for x in places.keys], -1)
                self._take(result, queries, keys)
        self._follower.follow(func, args, given, result)
        return result

    def _take(self, weights: Tensor, queries: Numbers | None, keys: Numbers | None) -> None:
        if weights.dim() < 3:
            return
        path = self._within[-1]
        values = weights.double().cpu().numpy()
        self.order[path] = None
        if queries is None or keys is None:
            if values.ndim == 4 and len(values) == 1:
                self.lost.setdefault(path, []).append(values)
            return
        if values.ndim == 3:  # heads are groups, or groups have no heads
            is_global = _all_equal(queries) and _all_equal(keys)
            values, queries, keys = (
                x[None] if is_global else x[:, None] for x in (values, queries, keys)
            )
        values = values.reshape(-1, *values.shape[-3:])
        queries, keys = (x.reshape(-1, *x.shape[-3:])[:, 0] for x in (queries, keys))
        if path in self.found:
            self.found[path].weights.append(values)
        else:
            self.found[path] = _Taken(queries, keys, [values])


def _all_equal(values: Numbers) -> bool:
    return bool(np.array_equal(values, np.broadcast_to(values[:1], values.shape), equal_nan=True))


def _of_tokens(places: Places | None) -> Numbers | None:
    """Return the places of tokens whose channels come last, (…, tokens, axes + 1)."""
    if places is None or places.keys:
        return None
    return np.stack([x[..., 0].cpu().numpy() for x in places.own], -1)


def _by_image(places: Places | None) -> Numbers | None:
    """Return those of (tokens, N, channels), or of one image without N, as (N, 1, tokens, …)."""
    found = _of_tokens(places)
    if found is None:
        return None
    return found[None, None] if found.ndim == 2 else np.swapaxes(found, 0, 1)[:, None]


def _weights_of(
    q: Tensor,
    k: Tensor,
    _value: Tensor,
    attn_mask: Tensor | None = None,
    _dropout: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    **_: Any,
) -> Tensor:
    """Return the weights that `scaled_dot_product_attention` computes from its arguments."""
    if scale is not None:
        q = q * scale * q.shape[-1] ** 0.5
    if is_causal:
        attn_mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
    return softmax_of(q, k, attn_mask)


@torch.no_grad()
def measure_module_attention(
    module: nn.Module,
    request: ErfRequest,
    place: Place,
    layers: Sequence[str] | None = None,
    *,
    images: Tensor | None = None,
    report: Report = ignore,
    token: CancelToken | None = None,
) -> list[LayerAttention]:
    """Measure the attention of a module from which the network of a request was imported.

    Parameters
    ----------
    module
        The module; a copy of it is used, in evaluation mode.
    request, place, layers, images, report, token
        As in `rfstudio.engine.measuring.attention.measure_attention`; layers are submodules.

    Raises
    ------
    MeasurementError
        If no attention among the positions of a map is computed there.
    """
    token = token or CancelToken()
    size = request.input_size if images is None else tuple(images.shape[2:])
    graph = expand(request.architecture, size)
    node = graph.nodes[0]
    dtype = getattr(torch, request.dtype)
    photos: Any = request.images if images is None else images
    source = Images(node.channels, node.size, request.seed, photos)
    samples = request.samples or len(source) or DEFAULT_SAMPLES
    source.check(range(samples), token)
    own = copy.deepcopy(module).eval().to("cpu", dtype)
    watch = _Watch(own)
    try:
        for number in range(samples):
            token.check()
            image = source.batch([number]).to(dtype)
            watch.start(image)
            with watch:
                own(image)
            report((number + 1) / samples, None)
    finally:
        watch.close()
    taken = watch.found | _guessed(graph, watch.lost, place)
    found = {path: taken[path] for path in watch.order if path in taken and _has_map(taken[path])}
    options = {x: getattr(request, x) for x in ("weights", "seed", "dtype")}
    options |= {
        "samples": samples,
        "images": len(source),
        "device": devices.words(torch.device("cpu")),
    }
    return [
        _summed(found[path.removesuffix(".extra")], path, request.unit, options)
        for path in _wanted(list(found), layers)
    ]


def _guessed(
    graph: Graph, lost: Mapping[str, Sequence[Numbers]], place: Place
) -> dict[str, _Taken]:
    """Return attention whose places were lost: among all positions, after tokens without any."""
    result = {}
    for path, weights in lost.items():
        tokens = weights[0].shape[-1]
        index = _map_of(graph, path, tokens)
        geometry = None if index is None else place(index)
        if index is None or geometry is None or weights[0].shape[-2] != tokens:
            continue
        centre, jump = geometry
        size = graph.nodes[index].size
        points = np.indices(size).reshape(len(size), -1).T * jump + centre
        places = np.full((1, tokens, len(size) + 1), NOWHERE)
        places[0, tokens - len(points) :] = np.pad(points, ((0, 0), (0, 1)), constant_values=REAL)
        result[path] = _Taken(places, places, list(weights))
    return result


def _map_of(graph: Graph, path: str, tokens: int) -> int | None:
    """Return the node whose positions are the tokens of a submodule, but for a few before them."""
    sizes = [(x.index, prod(x.size)) for x in graph.nodes if x.name.startswith(path) and x.size]
    fitting = [(n, index) for index, n in sizes if 1 < n <= tokens < 2 * n]
    return max(fitting)[1] if fitting else None


def _has_map(taken: _Taken) -> bool:
    """Whether several of the keys have a place."""
    return int((taken.keys[..., -1] == REAL).sum()) > 1


def _wanted(known: Sequence[str], layers: Sequence[str] | None) -> list[str]:
    if not known:
        raise MeasurementError("the network has no attention layer that can be measured")
    if layers is None:
        return list(known)
    wanted = []
    for layer in layers:
        path, extra = layer.removesuffix(".extra"), layer[len(layer.removesuffix(".extra")) :]
        within = [x for x in known if x == path or x.startswith(f"{path}.")]
        # Or the path of an operation that an import has found in a submodule that attends.
        within = within or [x for x in known if path.startswith(f"{x}.")]
        if len(within) != 1:
            names = ", ".join((within or known)[:6])
            raise MeasurementError(f"'{layer}' is no attention layer; there are {names}")
        wanted.append(within[0] + extra)
    return wanted


def _summed(
    taken: _Taken, path: str, unit: tuple[int, ...] | None, options: Mapping[str, Any]
) -> LayerAttention:
    is_token = path.endswith(".extra")
    weights = np.stack(taken.weights)  # images, groups, heads, queries, keys
    asks = taken.queries[..., -1] == (NOWHERE if is_token else REAL)
    held, extra = (taken.keys[..., -1] == kind for kind in (REAL, NOWHERE))
    if is_token and not asks.any():
        name = path.removesuffix(".extra")
        raise MeasurementError(f"'{name}' has no tokens without a position")
    placed = weights * held[:, None, None, :]
    near = placed.sum(-1)
    distances = None
    if not is_token:
        apart = taken.queries[:, :, None, :-1] - taken.keys[:, None, :, :-1]
        apart = np.nan_to_num(np.sqrt((apart**2).sum(-1)))
        far = (placed * apart[:, None]).sum(-1) / near.clip(min=1e-30)
        distances = (far * asks[:, None]).sum((1, 3)) / asks.sum()
    elsewhere = ((1 - near) * asks[:, None]).sum((0, 1, 3)) / (len(weights) * asks.sum())
    size, cells = _cells(taken.keys, held)
    limits, queries = (len(size) * (1,), None) if is_token else _cells(taken.queries, asks)
    if queries is None:
        limits = (int(asks.sum()), *limits[1:])
        unit = unit or (0,) * len(size)
    else:
        unit = unit or tuple(n // 2 for n in limits)
    check_position(path, limits, unit)
    places = np.argwhere(asks)
    if queries is None:
        group, query = places[unit[0]]
    else:
        group, query = places[(queries[asks] == unit).all(-1)][0]
    row = weights[:, group, :, query].mean(0)
    maps = np.zeros((len(row), *size))
    for key in np.flatnonzero(held[group]):
        maps[(slice(None), *cells[group, key])] += row[:, key]
    return LayerAttention(
        layer=path,
        heads=len(row),
        distances=distances,
        to_tokens=elsewhere if extra.any() else np.zeros(len(row)),
        size=size,
        unit=tuple(unit),
        maps=maps,
        token_weights=row[:, extra[group]],
        options=options,
        notes=("measured on the model itself, with its weights",),
    )


def _cells(places: Numbers, chosen: NDArray[np.bool_]) -> tuple[tuple[int, ...], NDArray[np.intp]]:
    """Return the size of the map that chosen places make, and the position of each in it."""
    size, cells = [], []
    for along in np.moveaxis(np.round(places[..., :-1], 6), -1, 0):
        line = np.unique(along[chosen])
        size.append(len(line))
        cells.append(np.searchsorted(line, along).clip(max=len(line) - 1))
    return tuple(size), np.stack(cells, -1)
