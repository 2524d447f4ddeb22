"""Networks as torch modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rfstudio.api.networks import Network, load
from rfstudio.core.initialisations import DEFAULT
from rfstudio.engine.process.torch_import import need_torch

if TYPE_CHECKING:
    import torch


def to_torch(
    network: Network,
    layer: str | None = None,
    seed: int = 0,
    *,
    weights: Literal["random", "uniform", "ones"] = "random",
    init: str = DEFAULT,
    input_size: tuple[int, ...] | None = None,
) -> torch.nn.Module:
    """Return a network as a torch module in evaluation mode: image (N, C, H, W) → a layer's map.

    Parameters
    ----------
    network
        What `load` takes or returns.
    layer
        Layer or container path whose map is computed; None: the last layer.
    seed
        Of random weights, from 0 to 2**63 - 1; the same seed gives the same weights.
    weights
        "random"; "uniform": all 1 / fan-in; "ones".
    init
        From what random weights are drawn, with a gain after a colon: "he_normal", the default,
        "he_uniform", "xavier_normal", "xavier_uniform", "lecun_normal", "lecun_uniform",
        "orthogonal", "trunc_normal", "uniform", "luo2016" or "luo2016_corners".
    input_size
        Size that fully connected layers are made for; the document's own if None.

    Raises
    ------
    UnknownLayerError
        If there is no such layer.
    GraphError
        If the network has faults before the layer.

    Examples
    --------
    >>> import torch
    >>> module = to_torch("vgg16", layer="pool2")
    >>> tuple(module(torch.zeros(1, 3, 32, 32)).shape)
    (1, 128, 8, 8)
    """
    need_torch()
    from rfstudio.engine.module import build

    return build.to_torch(
        load(network, input_size=input_size),
        layer,
        seed,
        weights=weights,
        init=init,
        input_size=input_size,
    )
