"""Measures how much of a gradient's energy every layer of a network passes on.

Gradients start with a random sign for every channel and position of a layer's map; on their way
back, their energy is recorded at every edge.  Expected fields use the resulting factors instead of
modelled ones; docs/expected-erf.md, "Measured gains", derives what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from rfstudio.core import ops
from rfstudio.core.effective.calibration import Edge, Measured, calibrated
from rfstudio.core.effective.energy_flow import Gains, energy_of
from rfstudio.core.errors import GraphError
from rfstudio.core.initialisations import HE_NORMAL, Initialisation, initialisation
from rfstudio.core.layer_models.layer import BatchNormMode
from rfstudio.core.network.architecture import Architecture
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph
from rfstudio.engine.measuring.energy_probe import EnergyProbe
from rfstudio.engine.measuring.network import set_from_file, set_from_model
from rfstudio.engine.measuring.sampling import Images
from rfstudio.engine.module.build import GraphModule, is_same_network
from rfstudio.engine.module.initial import Stream, draw_weights, generator, level_weights
from rfstudio.engine.module.layers.pointwise import BatchNormModule
from rfstudio.engine.process import devices
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken, Report, ignore
from rfstudio.engine.requests.gains_request import DEFAULT_SAMPLES, GainsRequest, GainsResult

_SIDE = 256
"""Largest side of the images: in larger ones layers pass on the same share."""

_BYTES_A_VALUE = 12
"""Bytes of a probe for each value of all maps: forward, backward and what torch stores."""


def measured_gains(
    module: GraphModule, images: Tensor | None = None, *, samples: int | None = None, seed: int = 0
) -> Gains:
    """Return how much of a gradient's energy each layer of a module passes on.

    Parameters
    ----------
    module
        The network with its weights, in evaluation mode, as `rfstudio.to_torch` returns it; it is
        not changed.  Gradients start at its map.
    images
        (N, C, *size), used in turn; None: noise of mean 0 and variance 1, of the size that the
        module was built for.
    samples
        How many gradients; None: one per image, or the default number with noise.
    seed
        Of noise and signs.

    Returns
    -------
    Gains
        By node and edge of the module's graph, as
        `rfstudio.core.effective.expected.expected_erf` takes them.

    Raises
    ------
    MeasurementError
        If values are not numbers, or memory does not suffice.
    """
    size = module.graph.nodes[0].size if images is None else tuple(images.shape[2:])
    source = Images(module.graph.nodes[0].channels, size, seed, () if images is None else images)
    probe = _probe_of(module, size)
    for index in range(_wanted(source, samples)):
        _add(probe, module, source, seed, index)
    return _gains(module, probe)


def _wanted(source: Images, samples: int | None) -> int:
    if samples is not None and samples < 1:
        raise MeasurementError(f"samples must be at least 1, not {samples}")
    return len(source) or DEFAULT_SAMPLES if samples is None else samples


def measure_module(
    module: nn.Module,
    architecture: Architecture,
    layer: str,
    images: Tensor | None = None,
    *,
    samples: int | None = None,
    seed: int = 0,
    batch_norm: BatchNormMode = "warmed",
) -> GainsResult:
    """Measure the gains of a module for the field of a layer; see `measured_gains`.

    Raises
    ------
    MeasurementError
        If the module was not built here, is of another network, does not compute that layer, or its
        batch norms are not in the mode that `batch_norm` names.
    """
    if not isinstance(module, GraphModule):
        raise MeasurementError(
            "what the layers of a module pass on can be measured only if rfstudio.to_torch built "
            "it; leave the module out for random weights, or measure it with rfstudio.erf"
        )
    if not is_same_network(module.architecture, architecture):
        raise MeasurementError(
            f"the module was built from another network than '{architecture.name}'; "
            "build it with to_torch from this one"
        )
    modes = {x.training for x in module.layers() if isinstance(x, BatchNormModule)}
    if batch_norm == "train" and False in modes:
        raise MeasurementError(
            "batch_norm is 'train', but the module is in evaluation mode; call its train()"
        )
    if batch_norm != "train" and True in modes:
        raise MeasurementError(
            "the module is in training mode; call its eval(), or give batch_norm='train'"
        )
    names = [module.graph.nodes[i].name for i in module.needed]
    own = names[-1]
    if layer not in names:
        raise MeasurementError(
            f"the module computes '{own}', which does not read '{layer}'; "
            f"build it with to_torch(network, {layer!r})"
        )
    gains = measured_gains(module, images, samples=samples, seed=seed)
    count = 0 if images is None else len(images)
    taken = (count or DEFAULT_SAMPLES) if samples is None else samples
    options = {"weights": "of a module", "seed": seed, "samples": taken, "images": count}
    return GainsResult(gains=gains, layer=own, samples=taken, options=options)


def measure_gains(
    request: GainsRequest,
    *,
    images: Tensor | None = None,
    report: Report = ignore,
    token: CancelToken | None = None,
) -> GainsResult:
    """Measure the gains of a network with random weights, or with those of a file.

    Parameters
    ----------
    request
        What is measured.
    images
        (N, C, *size), used instead of the request's; they determine the size.
    report
        Receives the fraction done.
    token
        Polled once a sample.

    Raises
    ------
    Cancelled
        If `token` was cancelled.
    RFStudioError
        If layer, device, weights or images do not fit; the text says which.
    """
    token = token or CancelToken()
    device = devices.choose(request.device)
    wanted = request.input_size if images is None else tuple(images.shape[2:])
    module = GraphModule(request.architecture, request.layer, input_size=wanted)
    size = module.graph.nodes[0].size
    devices.check_memory(device, module.graph.nodes[0].channels, size, torch.float32)
    photos = request.images if images is None else images
    source = Images(module.graph.nodes[0].channels, size, request.seed, photos)
    source.check(range(request.samples), token)
    module = module.eval().to(device)
    notes = _set_weights(module, request, source)
    for layer in module.layers():
        layer.train(request.batch_norm == "train" and isinstance(layer, BatchNormModule))
    # Taps of random weights are equal in the mean, but not in a single draw.
    probe = _probe_of(module, size, taps=request.weights != "random")
    for index in range(request.samples):
        token.check()
        if request.weights == "random":
            draw_weights(module.layers(), request.seed, index, initialisation(request.init))
            _warm(module, request, source)
        _add(probe, module, source, request.seed, index)
        report((index + 1) / request.samples, None)
    return GainsResult(
        gains=_gains(module, probe, request.batch_norm, initialisation(request.init)),
        layer=module.graph.nodes[module.target].name,
        samples=request.samples,
        options=request.options() | {"images": len(source), "device": devices.words(device)},
        notes=notes,
    )


def _set_weights(module: GraphModule, request: GainsRequest, source: Images) -> tuple[str, ...]:
    """Set weights that are the same for all samples; return notes on them."""
    init = initialisation(request.init)
    match request.weights:
        case "random":
            return ()
        case "uniform":
            level_weights(module.layers())
            _warm(module, request, source)
            return ()
        case "model":
            return set_from_model(module, request.seed, request.batch_norm, source, init)
    return set_from_file(module, request.weights, request.seed, request.batch_norm, source, init)


def _warm(module: GraphModule, request: GainsRequest, source: Images) -> None:
    if request.batch_norm == "warmed":
        module.warm(source.for_warming())


def _probe_of(module: GraphModule, size: Sequence[int], *, taps: bool = True) -> EnergyProbe:
    """Return a probe at the largest size that is useful and that the network accepts."""
    small = tuple(min(n, _SIDE) for n in size)
    try:
        graph = module.graph_at(small)
    except GraphError:  # the network does not accept smaller images
        graph = module.graph_at(tuple(size))
    probe = EnergyProbe(module, graph, taps=taps)
    like = devices.like_of(module)
    needed = _BYTES_A_VALUE * probe.values
    free = devices.free_memory(torch.device("cpu") if like is None else like.device)
    if needed > free:
        raise MeasurementError(
            f"one gradient of the whole map needs about {needed / 1e9:.1f} GB of memory, but only "
            f"{free / 1e9:.1f} GB are free; use a smaller input or an earlier layer"
        )
    return probe


def _add(probe: EnergyProbe, module: GraphModule, source: Images, seed: int, index: int) -> None:
    images = source.batch([index])
    starts = [(n - m) // 2 for n, m in zip(images.shape[2:], probe.size, strict=True)]
    middle: Any = tuple(slice(a, a + m) for a, m in zip(starts, probe.size, strict=True))
    images = images[(slice(None), slice(None), *middle)]
    like = devices.like_of(module)
    images = images.float() if like is None else images.to(like)
    shape = probe.target_shape
    draws = generator(seed, Stream.SIGNS, index).integers(0, 2, prod(shape))
    signs = torch.from_numpy(draws).view(1, *shape).to(images) * 2 - 1
    probe.add(images, signs)


def _gains(
    module: GraphModule,
    probe: EnergyProbe,
    batch_norm: Any = None,
    init: Initialisation = HE_NORMAL,
) -> Gains:
    if batch_norm is None:
        norms = [x for x in module.layers() if isinstance(x, BatchNormModule)]
        batch_norm = "train" if any(x.training for x in norms) else "warmed"
    graph = expand(
        module.architecture, probe.size, batch_norm_training=module.is_batch_norm_training
    )
    energy = energy_of(graph, batch_norm, module.target, init=init)
    taps = {x.index: x.inputs[0] for x in graph.nodes if isinstance(x.op, ops.Deforming)}
    found = calibrated(energy, module.target, _by_document(graph, taps, probe.measured()))
    # What deformable convolutions pass on is in what their taps do.
    return {**found, **{(x, y): 1.0 for x, y in taps.items() if y in found}}


def _by_document(graph: Graph, taps: Mapping[int, int], measured: Measured) -> Measured:
    """Return what was measured by the edges of a document's graph.

    What is measured of the map of a deformable convolution is there what its taps pass on.
    """
    edges: dict[Edge, Edge] = {}
    for index, inner in taps.items():
        (source,) = graph.nodes[inner].inputs
        edges[index, source] = inner, source
    return Measured(
        {edges.get(x, x): y for x, y in measured.energy.items()},
        {edges.get(x, x): y for x, y in measured.survival.items()},
        {taps.get(x, x): y for x, y in measured.taps.items()},
    )
