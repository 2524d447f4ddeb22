"""Attention of given weights on given images: distances by head, and maps of one query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from rfstudio.api.measuring import is_chosen as weights_are_chosen
from rfstudio.api.measuring import request_of
from rfstudio.api.networks import Network, analyze, load, whole
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.network.attention_layers import attention_nodes, attention_paths
from rfstudio.core.network.sample_words import units_of_input
from rfstudio.engine.process.torch_import import need_torch
from rfstudio.figures.attention import AttentionView
from rfstudio.formats.images.shaping import shaped

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from rfstudio.core.metrics.attention import LayerAttention
    from rfstudio.core.network.architecture import Architecture
    from rfstudio.engine.process.running import CancelToken, Report
    from rfstudio.engine.requests.request import ErfRequest


def attention(
    network: Network,
    layer: str,
    unit: tuple[int, ...] | None = None,
    *,
    images: torch.Tensor | NDArray[Any] | None = None,
    samples: int | None = None,
    seed: int = 0,
    **options: Any,
) -> LayerAttention:
    """Measure where a query of an attention layer looks, and how far all of its queries do.

    Parameters
    ----------
    network
        What `load` takes or returns.
    layer
        Path of an attention layer, or of a container that holds one.  With ``.extra`` after it,
        the class token and registers are the queries: ``encoder.0.self_attention.extra``.
    unit
        Position of the query in the layer's map; None: the centre unit, or the first token.
    images
        (N, C, H, W), of torch or numpy, or a single one without N: used as they are, instead of
        noise; the network is taken at their size.
    samples
        Number of images; None: all of them, or 8 of noise.
    seed
        Of noise and weights.
    **options
        weights ("random", "uniform", "model" or a file), init, device, dtype, input_size,
        batch_norm, images_per_weights, as in `erf`.

    Returns
    -------
    LayerAttention
        `distance` of each head in pixels of the input, `mean_distance`; `maps` (heads, h, w) of the
        query and their mean `map`; `token_weights` and `to_tokens` where there are tokens without a
        position.

    Raises
    ------
    RFStudioError
        If layer, unit, an option, weights or images do not fit; the text says which.

    Examples
    --------
    >>> found = attention("vit_b16", "encoder.0", samples=1)
    >>> found.heads, found.maps.shape, round(float(found.map.sum()), 3)
    (12, (12, 14, 14), 0.99)

    The rest goes to the class token.
    """
    return attentions(network, [layer], unit, images=images, samples=samples, seed=seed, **options)[
        0
    ]


def attentions(
    network: Network,
    layers: Sequence[str] | None = None,
    unit: tuple[int, ...] | None = None,
    *,
    images: torch.Tensor | NDArray[Any] | None = None,
    samples: int | None = None,
    seed: int = 0,
    **options: Any,
) -> list[LayerAttention]:
    """Measure several attention layers in one pass over the images; see `attention`.

    Parameters
    ----------
    network, unit, images, samples, seed, **options
        As in `attention`.
    layers
        Paths; None: all attention layers, in order.

    Raises
    ------
    RFStudioError
        As `attention` does, and if there is no attention layer.

    Examples
    --------
    >>> found = attentions("vit_b16", ["encoder.0", "encoder.1"], samples=1)
    >>> [x.layer for x in found]
    ['encoder.0.self_attention.attention', 'encoder.1.self_attention.attention']
    """
    need_torch()
    _check(options)
    options |= {"unit": None if unit is None else whole(unit), "samples": samples, "seed": seed}
    request, given = request_of(network, "", images, **{"dtype": "float32"} | options)
    return attentions_of(request, layers, images=given, is_chosen=weights_are_chosen(options))


WITHOUT_EFFECT = frozenset(
    {"estimator", "channel", "activation", "method", "patch", "stride", "fill", "amplitude"}
)
"""Options of other measurements."""


def attentions_of(
    request: ErfRequest,
    layers: Sequence[str] | None = None,
    *,
    images: torch.Tensor | None = None,
    is_chosen: bool = True,
    report: Report | None = None,
    token: CancelToken | None = None,
) -> list[LayerAttention]:
    """Measure attention as a request says.

    Parameters
    ----------
    request
        Network, photos, weights and so on; its unit is the query.
    layers
        Paths; None: all attention layers.
    images
        (N, C, *size), instead of the request's photos.
    is_chosen
        Whether its weights were given; otherwise those of an imported model are taken.
    report
        Receives the fraction done.
    token
        Polled once an image.

    Raises
    ------
    RFStudioError
        As `attention` does.
    """
    need_torch()
    from torch import nn

    from rfstudio.engine.importing.held import held
    from rfstudio.engine.measuring.attention import measure_attention
    from rfstudio.engine.measuring.module_attention import measure_module_attention
    from rfstudio.engine.process.running import ignore
    from rfstudio.importing.imported import Imported

    network = request.architecture
    own = None
    if isinstance(network, Imported) and network.has_weights:
        request = request if is_chosen else replace(request, weights="model")
        if request.weights == "model" and network.is_unedited:
            own = network.module if isinstance(network.module, nn.Module) else held(network.edition)
    size = request.input_size if images is None else tuple(images.shape[2:])
    analysis = analyze(request.architecture, input_size=size)
    place = partial(_place, analysis)
    tell = report or ignore
    if own is not None:
        return measure_module_attention(
            own, request, place, layers, images=images, report=tell, token=token
        )
    if not attention_nodes(analysis.graph) and attention_paths(analysis.graph):
        raise RFStudioError(
            "of this network only what its attention reads is known; it is measured on the "
            "module that the network was imported from, unedited and with the weights of the "
            "model"
        )
    return measure_attention(request, place, layers, images=images, report=tell, token=token)


def attention_view(
    network: Architecture,
    layers: Sequence[LayerAttention],
    photo: NDArray[np.uint8] | None = None,
    input_size: tuple[int, ...] | None = None,
) -> AttentionView:
    """Return what a figure shows of attention.

    Parameters
    ----------
    network, layers
        What was measured.
    photo
        The only photo that it was measured on; None: noise, or several.
    input_size
        Of the network then; None: its own.
    """
    size = input_size or network.input_size
    is_flat = len(size) == 2
    image = shaped(photo, size, "crop") if photo is not None and is_flat else None
    return AttentionView(
        name=network.name or "network",
        layers=tuple(layers),
        image=image,  # as the measurement takes it
        form=size[0] / size[1] if is_flat else None,
        samples=units_of_input(network.input_axes, len(size)).short,
    )


def view_of_request(request: ErfRequest, layers: Sequence[LayerAttention]) -> AttentionView:
    """Return what a figure shows of what a request has measured."""
    photo = request.images[0] if len(request.images) == 1 else None
    return attention_view(request.architecture, layers, photo, request.input_size)


def attention_figure(
    network: Network,
    layers: Sequence[str] | None = None,
    unit: tuple[int, ...] | None = None,
    *,
    photos: Sequence[NDArray[np.uint8]] = (),
    input_size: tuple[int, ...] | None = None,
    **options: Any,
) -> AttentionView:
    """Measure attention on photos, or on noise without any, for a figure.

    Parameters
    ----------
    network, layers, unit, input_size, **options
        As in `attentions`.
    photos
        (H, W, 3) bytes each.

    Raises
    ------
    RFStudioError
        As `attentions` does.
    """
    need_torch()
    from rfstudio.engine.requests.request import ErfRequest

    _check(options)
    request = ErfRequest(
        architecture=load(network, input_size=input_size),
        layer="",
        unit=None if unit is None else whole(unit),
        images=photos,
        input_size=input_size,
        **options,
    )
    return view_of_request(
        request, attentions_of(request, layers, is_chosen=weights_are_chosen(options))
    )


def _check(options: Mapping[str, Any]) -> None:
    from rfstudio.engine.requests.request import refuse_unknown

    refuse_unknown(options)
    for name in WITHOUT_EFFECT & options.keys():
        raise RFStudioError(f"'{name}' has no effect on attention; leave it out")


def _place(
    analysis: Analysis, index: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return the centre of unit 0 and the jump of a node, in pixels; None: it has none."""
    layer = analysis[analysis.graph.nodes[index].name]
    for geometry in (layer, layer.local):
        if geometry is None or None in geometry.jump or None in geometry.center:
            continue
        centre, jump = ([float(x or 0) for x in y] for y in (geometry.center, geometry.jump))
        return np.array(centre), np.array(jump)
    return None
