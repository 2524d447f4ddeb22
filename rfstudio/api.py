"""The Python interface: the same engine as the window and the command line, for notebooks.

Nothing here imports Qt; torch is imported only by what measures or builds with it.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rfstudio.core.errors import RFStudioError, UnitError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.analysis import analyze as _analyze
from rfstudio.core.fields.backtrace import check_unit
from rfstudio.core.network.architecture import INPUT, Architecture
from rfstudio.core.network.graph import Graph, expand
from rfstudio.engine.process.torch_import import need_torch

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from rfstudio.core.effective.energy import BatchNormMode
    from rfstudio.core.effective.expected import Erf
    from rfstudio.engine.requests.gains_request import GainsResult
    from rfstudio.engine.requests.request import ErfRequest, ErfResult


COMPUTED = ("expected", "path-count")
"""Estimators of `erf` that are not measured."""


def load(network: object, *, input_size: tuple[int, ...] | None = None) -> Architecture:
    """Return a network by its preset's name, its YAML file, or a torch module for images of a size.

    Raises
    ------
    FormatError
        If the file has mistakes; the error lists all of them with their places.
    RFStudioError
        If there is no such preset or file.
    """
    if isinstance(network, Architecture):
        return network
    if not isinstance(network, str | Path):
        from rfstudio.engine.importing.load import load_given

        return load_given(network, input_size)
    from rfstudio.formats.networks.presets import open_network

    return open_network(str(network))


def analyze(
    network: str | Path | Architecture,
    *,
    input_size: tuple[int, ...] | None = None,
    reference: str = INPUT,
    batch_norm_training: bool = False,
) -> Analysis:
    """Return sizes, fields, costs and diagnostics of every layer of a network.

    Parameters
    ----------
    network
        What `load` takes or returns.
    input_size
        Size of the input along each axis, in pixels; the document's own if None.
    reference
        Layer or container path with respect to whose map all fields are given.
    batch_norm_training
        Whether batch norm takes its statistics from the map and so sees all of it.

    Raises
    ------
    UnknownLayerError
        If there is no layer `reference`.
    """
    return _analyze(
        load(network, input_size=input_size),
        input_size=input_size,
        reference=reference,
        batch_norm_training=batch_norm_training,
    )


def expected_erf(  # noqa: PLR0913 - those behind `batch_norm` are only of measured gains
    network: str | Path | Architecture,
    layer: str,
    unit: tuple[int, ...] | None = None,
    *,
    input_size: tuple[int, ...] | None = None,
    batch_norm: BatchNormMode = "warmed",
    module: torch.nn.Module | None = None,
    images: torch.Tensor | NDArray[Any] | None = None,
    weights: str | None = None,
    samples: int | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Erf:
    """Return the expected effective receptive field of a unit, in closed form.

    How much of a gradient's energy each layer passes on is modelled for random weights.  With a
    module, images, weights or samples it is measured instead, with torch, in a few gradients of
    the layer's whole map.

    Parameters
    ----------
    network
        What `load` takes or returns.
    layer
        Layer or container path.
    unit
        Position in that layer's map; None: the centre unit, (h // 2, w // 2).
    input_size
        Size of the input along each axis, in pixels; the document's own if None.
    batch_norm
        "warmed", "fresh" or "train": which statistics batch norm has.
    module
        One of `to_torch` for this layer or one behind it, whose gains are measured.
    images
        (N, C, H, W), of torch or numpy, or a single one without N: on them gains are measured
        instead of noise; the network is taken at their size.
    weights
        "random", "uniform" or a file: measure the gains of the network with these.
    samples
        Number of gradients in a measurement; None: one an image, or 8 with noise.
    seed, device
        Of a measurement.

    Returns
    -------
    Erf
        `map` (H, W), `metrics`, whether it is `exact`, and `notes` that say why not; in `options`
        whether `gains` are "modelled" or "measured", and how.

    Raises
    ------
    UnknownLayerError, UnitError
        If there is no such layer or unit.
    RFStudioError
        If there is no such `batch_norm`, or gains cannot be measured; the text says why.
    """
    from rfstudio.core.effective import expected

    network = load(network)
    images = _given(images, network)
    size = input_size if images is None else tuple(images.shape[2:])
    training = batch_norm == "train"
    graph, index, position = _unit_of(network, layer, unit, size, training=training)
    if module is None and images is None and weights is None and samples is None:
        return expected.expected_erf(graph, index, position, batch_norm=batch_norm)
    need_torch()
    from rfstudio.engine.measuring import gains
    from rfstudio.engine.requests.gains_request import DEFAULT_SAMPLES, GainsRequest

    check_unit(graph, index, position)
    if module is not None:
        if weights is not None:
            raise RFStudioError("a module has weights of its own; give module or weights, not both")
        result = gains.measure_module(
            module,
            network,
            graph.nodes[index].name,
            images,
            samples=samples,
            seed=seed,
            batch_norm=batch_norm,
        )
    else:
        request = GainsRequest(
            architecture=network,
            layer=layer,
            input_size=size,
            weights="random" if weights is None else str(weights),
            seed=seed,
            samples=_default(samples, images, DEFAULT_SAMPLES),
            batch_norm=batch_norm,
            device=str(device),
        )
        result = gains.measure_gains(request, images=images)
    return with_measured(graph, index, position, result, batch_norm)


def _default(samples: int | None, images: torch.Tensor | None, noise: int) -> int:
    """Return how many samples are meant: as many as there are images, or so many of noise."""
    if samples is not None:
        return samples
    return noise if images is None else len(images)


def with_measured(
    graph: Graph,
    index: int,
    unit: tuple[int, ...],
    result: GainsResult,
    batch_norm: BatchNormMode = "warmed",
) -> Erf:
    """Return the expected field of a unit with measured gains, and how they were measured."""
    from rfstudio.core.effective import expected

    erf = expected.expected_erf(graph, index, unit, gains=result.gains, batch_norm=batch_norm)
    told = ("weights", "seed", "samples", "images", "device")
    facts = {name: result.options[name] for name in told if name in result.options}
    return replace(erf, options={**facts, **erf.options}, notes=(*erf.notes, *result.notes))


def path_counts(
    network: str | Path | Architecture,
    layer: str,
    unit: tuple[int, ...] | None = None,
    *,
    input_size: tuple[int, ...] | None = None,
    means: bool = True,
) -> Erf:
    """Return how many paths lead from each pixel to a unit; all learned weights are 1.

    Parameters
    ----------
    network, layer, unit, input_size
        As in `expected_erf`.
    means
        Whether means and interpolations keep their own weights; otherwise the counts are whole
        numbers.

    Raises
    ------
    UnknownLayerError, UnitError
        If there is no such layer or unit.
    """
    from rfstudio.core.effective import expected

    graph, index, position = _unit_of(network, layer, unit, input_size)
    return expected.path_counts(graph, index, position, means=means)


def to_torch(
    network: str | Path | Architecture,
    layer: str | None = None,
    seed: int = 0,
    *,
    weights: Literal["random", "uniform", "ones"] = "random",
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
        "random": He's normal initialisation; "uniform": all alike, 1 / fan-in; "ones".
    input_size
        Size that fully connected layers are made for; the document's own if None.

    Raises
    ------
    UnknownLayerError
        If there is no such layer.
    GraphError
        If the network has faults in front of the layer.
    """
    need_torch()
    from rfstudio.engine.module import build

    return build.to_torch(load(network), layer, seed, weights=weights, input_size=input_size)


def erf(  # noqa: PLR0913 - the options of a measurement
    network: str | Path | Architecture,
    layer: str,
    unit: tuple[int, ...] | None = None,
    *,
    estimator: str = "energy",
    samples: int | None = None,
    seed: int = 0,
    module: torch.nn.Module | None = None,
    images: torch.Tensor | NDArray[Any] | None = None,
    dtype: str = "float32",
    device: str = "auto",
    **options: Any,
) -> Erf:
    """Measure the effective receptive field of a unit with torch.

    Parameters
    ----------
    network
        What `load` takes or returns.
    layer
        Layer or container path.
    unit
        Position in that layer's map; None: the centre unit, (h // 2, w // 2).
    estimator
        "energy", "rms", "abs", "signed", "positive", "occlusion" or "perturbation"; also
        "expected" and "path-count", which are computed.
    samples
        Number of samples; None: one an image, or the default number of noise images.
    seed
        Of weights, noise and signs, from 0 to 2**63 - 1.
    module
        A module that maps an image to this layer, such as one of `to_torch`, in evaluation mode;
        None: one with random weights, drawn anew every few samples.
    images
        (N, C, H, W), of torch or numpy, or a single one without N: used in turn, as they are,
        instead of noise; the network is taken at their size.  With "expected", any of module,
        images, weights and samples has gains measured.
    dtype, device
        Of the measurement: "float32" or "float64"; "auto", "cpu", "cuda", "cuda:1", "mps".
    **options
        Any other option of `rfstudio.engine.requests.request.ErfRequest`, by name.

    Returns
    -------
    Erf
        `map` (H, W) float64, `metrics`, and `options`, which holds all options of the run.

    Raises
    ------
    RFStudioError
        If layer, unit, an option, the device or the weights do not fit; the text says which.
    """
    options |= {"estimator": estimator, "samples": samples, "seed": seed, "device": device}
    if estimator in COMPUTED:
        return _computed(network, layer, unit, module=module, images=images, **options)
    need_torch()
    from rfstudio.engine.measuring.erf import measure

    position = None if unit is None else _whole(unit)
    request, given = _request_of(network, layer, images, unit=position, dtype=dtype, **options)
    return _measured([measure(request, module=module, images=given)], request, given)[0]


def erfs(  # noqa: PLR0913 - the options of a measurement
    network: str | Path | Architecture,
    layer: str,
    units: Sequence[tuple[int, ...]],
    *,
    estimator: str = "energy",
    samples: int | None = None,
    seed: int = 0,
    module: torch.nn.Module | None = None,
    images: torch.Tensor | NDArray[Any] | None = None,
    dtype: str = "float32",
    device: str = "auto",
    **options: Any,
) -> list[Erf]:
    """Measure the effective receptive fields of many units of one map, in the order of `units`.

    Each is that of `erf` with the same options, to rounding, but neighbours are evaluated once
    together, which takes a small part of the time.

    Parameters
    ----------
    network, layer
        As in `erf`.
    units
        Positions in that layer's map.
    estimator, samples, seed, module, images, dtype, device, **options
        As in `erf`; the estimator is one that is measured.

    Raises
    ------
    RFStudioError
        As `erf` does.
    """
    if estimator in COMPUTED:
        raise RFStudioError(f"'{estimator}' is computed, unit by unit: call erf for each of them")
    need_torch()
    from rfstudio.engine.measuring.erf import measure_units

    options |= {"estimator": estimator, "samples": samples, "seed": seed, "device": device}
    request, given = _request_of(network, layer, images, dtype=dtype, **options)
    results = measure_units(request, [_whole(x) for x in units], module=module, images=given)
    return _measured(results, request, given)


def _computed(
    network: str | Path | Architecture,
    layer: str,
    unit: tuple[int, ...] | None,
    **options: Any,
) -> Erf:
    """Return a field that is not measured, at a call of `erf`.

    Raises
    ------
    RFStudioError
        If one channel or another map is asked for, since the field of all would pass for that.
    """
    from rfstudio.engine.requests.request import refuse_unknown

    refuse_unknown(options)
    estimator = options["estimator"]
    for name, usual in (("channel", None), ("activation", "as_is")):
        if options.get(name, usual) != usual:
            raise RFStudioError(f"'{estimator}' knows no {name}; leave it out, or measure")
    if estimator == "expected":
        taken = ("samples", "seed", "module", "images", "device", "batch_norm", "weights")
        chosen = {name: options[name] for name in (*taken, "input_size") if name in options}
        return expected_erf(network, layer, unit, **chosen)
    network = load(network)
    images = _given(options["images"], network)
    size = options.get("input_size") if images is None else tuple(images.shape[2:])
    return path_counts(network, layer, unit, input_size=size)


def _given(images: object, network: Architecture) -> torch.Tensor | None:
    """Return a caller's images as one batch (N, C, *size); see `engine.given_images`."""
    if images is None:
        return None
    need_torch()
    from rfstudio.engine.module.given_images import given_images

    return given_images(images, network.channels, network.axes)


def _request_of(
    network: str | Path | Architecture, layer: str, images: object, **options: Any
) -> tuple[ErfRequest, torch.Tensor | None]:
    """Return a measurement as the engine takes it, at the size of the images if there are any."""
    from rfstudio.engine.requests.request import ErfRequest, refuse_unknown

    refuse_unknown(options)
    architecture = load(network)
    given = _given(images, architecture)
    if given is not None:
        options["input_size"] = tuple(given.shape[2:])
    # Devices, types and paths of files may come as torch's and Python's own.
    for name in ("device", "weights"):
        if name in options:
            options[name] = str(options[name])
    options["dtype"] = str(options["dtype"]).removeprefix("torch.")
    return ErfRequest(architecture=architecture, layer=layer, **options), given


def _measured(
    results: Sequence[ErfResult], request: ErfRequest, images: torch.Tensor | None
) -> list[Erf]:
    """Return measured fields with all options of their run."""
    from rfstudio.core.effective.expected import Erf
    from rfstudio.core.fields.unit_frame import UnitFrame

    graph = expand(request.architecture, request.input_size)
    index = graph.index(request.layer)
    return [
        Erf(
            map=x.map,
            layer=x.layer,
            unit=x.unit,
            estimator=request.estimator,
            exact=False,
            notes=x.notes,
            options={
                **x.options,
                "images": len(request.images) if images is None else len(images),
                "samples": x.samples,
                "device": x.device,
                "versions": dict(x.versions),
                "seconds": x.seconds,
            },
            frame=UnitFrame(graph, index, x.unit),
        )
        for x in results
    ]


def _unit_of(
    network: str | Path | Architecture,
    layer: str,
    unit: tuple[int, ...] | None,
    input_size: tuple[int, ...] | None,
    *,
    training: bool = False,
) -> tuple[Graph, int, tuple[int, ...]]:
    """Return a network's graph, the index of a layer, and a unit of it."""
    graph = expand(load(network), input_size, batch_norm_training=training)
    index = graph.index(layer)
    size = graph.nodes[index].size
    return graph, index, tuple(n // 2 for n in size) if unit is None else _whole(unit)


def _whole(unit: tuple[int, ...]) -> tuple[int, ...]:
    """Return the position of a unit as plain numbers.

    Raises
    ------
    UnitError
        If it has other than whole ones: the unit beside the one that is meant is no answer.
    """
    try:
        return tuple(map(operator.index, unit))
    except TypeError:
        raise UnitError(f"a unit has one whole number per axis, not {unit!r}") from None
