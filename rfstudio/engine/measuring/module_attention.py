"""Measures the attention of a user's own module, in which layers are torch's or anybody's.

Global attention alone: tokens are the positions of a map in the order of rows, after those without
a position.  What it computes is taken from `multi_head_attention_forward`, which can return its
weights, and from `scaled_dot_product_attention`, whose softmax is computed once more.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from rfstudio.core.metrics.attention import LayerAttention
from rfstudio.core.network.graph import Graph, expand
from rfstudio.engine.measuring.attention import DEFAULT_SAMPLES, Place, softmax_of
from rfstudio.engine.measuring.sampling import Images
from rfstudio.engine.process import devices
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken, Report, ignore
from rfstudio.engine.requests.request import ErfRequest

Weights = NDArray[np.float64]


class _Watch(TorchFunctionMode):
    """Takes the weights of every attention that is computed, by the path of its submodule."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.found: dict[str, Weights] = {}
        self._within: list[str] = []
        self._handles = []
        for name, part in module.named_modules():
            enter = part.register_forward_pre_hook(lambda *_, name=name: self._within.append(name))
            leave = part.register_forward_hook(lambda *_: self._leave())
            self._handles += [enter, leave]

    def _leave(self) -> None:
        self._within.pop()

    def close(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func is functional.multi_head_attention_forward:
            given |= {"need_weights": True, "average_attn_weights": False}
            output, weights = func(*args, **given)
            assert weights is not None
            self._take(weights)
            return output, None
        if func is functional.scaled_dot_product_attention and not given.get("is_causal"):
            self._take(softmax_of(args[0], args[1], given.get("attn_mask")))
        return func(*args, **given)

    def _take(self, weights: Tensor) -> None:
        # Of one image; what has more groups, such as windows, is no attention among all positions.
        if weights.dim() == 4 and len(weights) == 1:
            self.found[self._within[-1]] = weights[0].double().cpu().numpy()


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
    own = copy.deepcopy(module).eval().to("cpu", getattr(torch, request.dtype))
    photos: Any = request.images if images is None else images
    source = Images(node.channels, node.size, request.seed, photos)
    samples = request.samples or len(source) or DEFAULT_SAMPLES
    found: dict[str, list[Weights]] = {}
    watch = _Watch(own)
    try:
        for number in range(samples):
            token.check()
            watch.found.clear()
            with watch:
                own(source.batch([number]).to(getattr(torch, request.dtype)))
            for path, weights in watch.found.items():
                found.setdefault(path, []).append(weights)
            report((number + 1) / samples, None)
    finally:
        watch.close()
    maps = {path: _map_of(graph, path, x[0].shape[-1]) for path, x in found.items()}
    known = [path for path, index in maps.items() if index is not None]
    options = {x: getattr(request, x) for x in ("weights", "seed", "dtype")}
    options |= {
        "samples": samples,
        "images": len(source),
        "device": devices.words(torch.device("cpu")),
    }
    result = []
    for path in _wanted(known, layers):
        index = maps[path.removesuffix(".extra")]
        assert index is not None
        result.append(_summed(graph, index, path, found, request.unit, place, options))
    return result


def _wanted(known: Sequence[str], layers: Sequence[str] | None) -> list[str]:
    if not known:
        raise MeasurementError("the network has no attention layer that can be measured")
    if layers is None:
        return list(known)
    wanted = []
    for layer in layers:
        path, extra = layer.removesuffix(".extra"), layer[len(layer.removesuffix(".extra")) :]
        within = [x for x in known if x == path or x.startswith(f"{path}.")]
        if len(within) != 1:
            names = ", ".join((within or known)[:6])
            raise MeasurementError(f"'{layer}' is no attention layer; there are {names}")
        wanted.append(within[0] + extra)
    return wanted


def _map_of(graph: Graph, path: str, tokens: int) -> int | None:
    """Return the node whose positions are the tokens of a submodule, but for a few before them."""
    sizes = [(x.index, prod(x.size)) for x in graph.nodes if x.name.startswith(path) and x.size]
    fitting = [(n, index) for index, n in sizes if 1 < n <= tokens < 2 * n]
    return max(fitting)[1] if fitting else None


def _summed(
    graph: Graph,
    index: int,
    path: str,
    found: Mapping[str, Sequence[Weights]],
    unit: tuple[int, ...] | None,
    place: Place,
    options: Mapping[str, Any],
) -> LayerAttention:
    name = path.removesuffix(".extra")
    size = graph.nodes[index].size
    weights = np.stack(found[name])  # images, heads, queries, keys
    extra = weights.shape[-1] - prod(size)
    is_token = name != path
    if is_token and not extra:
        raise MeasurementError(f"'{name}' has no tokens without a position")
    distances = None
    asking = weights[:, :, :extra] if is_token else weights[:, :, extra:]
    geometry = place(index)
    if not is_token and geometry is not None:
        centre, jump = geometry
        points = np.indices(size).reshape(len(size), -1).T * jump + centre
        apart = np.sqrt(((points[:, None] - points) ** 2).sum(-1))
        placed = asking[..., extra:]
        far = (placed * apart).sum(-1) / placed.sum(-1).clip(min=1e-30)
        distances = far.mean(-1)
    unit = unit or ((0,) * len(size) if is_token else tuple(n // 2 for n in size))
    limits = (extra, *(1,) * (len(size) - 1)) if is_token else size
    if len(unit) != len(size) or not all(0 <= u < n for u, n in zip(unit, limits, strict=True)):
        raise MeasurementError(f"'{path}' has no unit {unit}; its map is {limits}")
    row = asking[:, :, int(np.ravel_multi_index(unit, limits))].mean(0)
    return LayerAttention(
        layer=path,
        heads=weights.shape[1],
        distances=distances,
        to_tokens=asking[..., :extra].sum(-1).mean((0, 2)),
        size=size,
        unit=tuple(unit),
        maps=row[:, extra:].reshape(-1, *size),
        token_weights=row[:, :extra],
        options=options,
        notes=("measured on the model itself, with its weights",),
    )
