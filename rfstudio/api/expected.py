"""Effective fields that are computed: expected ones and path counts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rfstudio.api.images import images_of, size_for
from rfstudio.api.networks import Network, Unit, architecture_of, seen_from, unit_of
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.backtrace import check_unit
from rfstudio.core.initialisations import DEFAULT
from rfstudio.engine.process.torch_import import need_torch

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from rfstudio.core.effective.expected import Erf
    from rfstudio.core.layer_models.layer import BatchNormMode
    from rfstudio.engine.process.running import Report
    from rfstudio.engine.requests.gains_request import GainsRequest, GainsResult


def expected_erf(  # noqa: PLR0913 - those after `batch_norm` are only of measured gains
    network: Network | Analysis,
    layer: str,
    unit: tuple[int, ...] | None = None,
    *,
    input_size: tuple[int, ...] | None = None,
    batch_norm: BatchNormMode = "warmed",
    init: str = DEFAULT,
    module: torch.nn.Module | None = None,
    images: torch.Tensor | NDArray[Any] | None = None,
    weights: str | None = None,
    samples: int | None = None,
    seed: int = 0,
    device: str = "auto",
    input: str | None = None,  # noqa: A002 - as it is called in files
) -> Erf:
    """Return the expected effective receptive field of a unit, in closed form.

    How much of a gradient's energy each layer passes on is modelled for random weights.  With a
    module, images, weights or samples it is measured instead, with torch, in a few gradients of
    the layer's whole map.

    Parameters
    ----------
    network
        What `load` takes or returns; or what `analyze` returns, whose input size and reference
        then count.
    layer
        Layer or container path.
    unit
        Position in that layer's map; None: the centre unit, (h // 2, w // 2).
    input_size
        Size of the input along each axis, in pixels; the document's own if None.
    batch_norm
        "warmed", "fresh" or "train": which statistics batch norm has.
    init
        The law of random weights, as `to_torch` takes it: "xavier_uniform", "orthogonal:1.4" …
    module
        One of `to_torch` for this layer or one after it, whose gains are measured.
    images
        (N, C, H, W), of torch or numpy, or a single one without N: on them gains are measured
        instead of noise; the network is taken at their size.
    weights
        "random", "uniform" or a file: measure the gains of the network with these.
    samples
        Number of gradients in a measurement; None: one an image, or 8 with noise.
    seed, device
        Of a measurement.
    input
        Of a network with several inputs, the one over which the field is; sizes and images are
        then its own.  None: the first one, or the reference of an analysis.

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
        If there is no such `batch_norm` or `init`, or gains cannot be measured; the text says why.

    Examples
    --------
    >>> erf = expected_erf("luo_20_layers", "stack.19")
    >>> round(erf.metrics.luo_size, 1), erf.exact
    (16.2, True)
    """
    from rfstudio.core.effective import expected

    network = seen_from(network, input, size_for(images, input_size))
    architecture = architecture_of(network, size_for(images, input_size))
    images = images_of(images, architecture)
    size = input_size if images is None else tuple(images.shape[2:])
    known = network if isinstance(network, Analysis) else architecture
    target = unit_of(known, layer, unit, size, training=batch_norm == "train")
    if module is None and images is None and weights is None and samples is None:
        return _framed(
            expected.expected_erf(
                target.graph,
                target.index,
                target.position,
                reference=target.reference,
                batch_norm=batch_norm,
                init=init,
            ),
            target,
        )
    need_torch()
    from rfstudio.engine.measuring import gains
    from rfstudio.engine.requests.gains_request import DEFAULT_SAMPLES, GainsRequest

    check_unit(target.graph, target.index, target.position)
    if module is not None:
        if weights is not None:
            raise RFStudioError("a module has weights of its own; give module or weights, not both")
        result = gains.measure_module(
            module,
            architecture,
            target.graph.nodes[target.index].name,
            images,
            samples=samples,
            seed=seed,
            batch_norm=batch_norm,
        )
        return _with_gains(target, result, batch_norm)
    request = GainsRequest(
        architecture=architecture,
        layer=layer,
        input_size=target.graph.nodes[0].size if isinstance(network, Analysis) else size,
        weights="random" if weights is None else str(weights),
        init=init,
        seed=seed,
        samples=_default(samples, images, DEFAULT_SAMPLES),
        batch_norm=batch_norm,
        device=str(device),
    )
    return _with_gains(target, gains.measure_gains(request, images=images), batch_norm, init)


def live_erf(
    analysis: Analysis, layer: str, unit: tuple[int, ...], seconds: float, init: str = DEFAULT
) -> Erf:
    """Return the expected field of a unit if it takes about so many seconds at most.

    Raises
    ------
    UnknownLayerError, UnitError
        If there is no such layer or unit.
    TooLargeError
        If it would take longer.
    """
    from rfstudio.core.effective import expected

    target = unit_of(analysis, layer, unit, None, training=False)
    erf = expected.expected_erf(
        target.graph,
        target.index,
        target.position,
        reference=target.reference,
        init=init,
        seconds=seconds,
    )
    return _framed(erf, target)


def _default(samples: int | None, images: torch.Tensor | None, noise: int) -> int:
    """Return how many samples are meant: as many as there are images, or so many of noise."""
    if samples is not None:
        return samples
    return noise if images is None else len(images)


def expected_erf_of(
    request: GainsRequest, unit: tuple[int, ...], *, report: Report | None = None
) -> Erf:
    """Return the expected field of a unit with the gains that a request measures, with torch.

    Parameters
    ----------
    request
        Network, layer, weights, photos and so on.
    unit
        Position in the layer's map.
    report
        Receives the fraction done.

    Raises
    ------
    RFStudioError
        If layer, device, weights or images do not fit; the text says which.
    """
    need_torch()
    from rfstudio.engine.measuring.gains import measure_gains
    from rfstudio.engine.process.running import ignore

    result = measure_gains(request, report=report or ignore)
    target = unit_of(
        request.architecture,
        request.layer or "",
        unit,
        request.input_size,
        training=request.batch_norm == "train",
    )
    return _with_gains(target, result, request.batch_norm, request.init)


def _with_gains(
    target: Unit, result: GainsResult, batch_norm: BatchNormMode, init: str = DEFAULT
) -> Erf:
    """Return the expected field of a unit with measured gains, and how they were measured."""
    from rfstudio.core.effective import expected

    erf = expected.expected_erf(
        target.graph,
        target.index,
        target.position,
        reference=target.reference,
        gains=result.gains,
        batch_norm=batch_norm,
        init=init,
    )
    copied = ("weights", "seed", "samples", "images", "device")
    facts = {name: result.options[name] for name in copied if name in result.options}
    notes = (*erf.notes, *result.notes)
    return _framed(replace(erf, options={**facts, **erf.options}, notes=notes), target)


def _framed(erf: Erf, target: Unit) -> Erf:
    """Return a field that is compared with the theoretical field of an analysis, if there is one.

    Otherwise the theoretical fields of all layers would be found once more.
    """
    from rfstudio.core.fields.unit_frame import UnitFrame

    if target.fields is None:
        return erf
    frame = UnitFrame(target.graph, target.index, target.position, target.reference, target.fields)
    return replace(erf, frame=frame)


def path_counts(
    network: Network | Analysis,
    layer: str,
    unit: tuple[int, ...] | None = None,
    *,
    input_size: tuple[int, ...] | None = None,
    means: bool = True,
    input: str | None = None,  # noqa: A002 - as it is called in files
) -> Erf:
    """Return how many paths lead from each pixel to a unit; all learned weights are 1.

    Parameters
    ----------
    network, layer, unit, input_size, input
        As in `expected_erf`.
    means
        Whether means and interpolations have their own weights; otherwise the counts are whole
        numbers.

    Raises
    ------
    UnknownLayerError, UnitError
        If there is no such layer or unit.

    Examples
    --------
    >>> path_counts("luo_20_layers", "stack.1").map[48:53, 50].astype(int).tolist()
    [3, 6, 9, 6, 3]
    """
    from rfstudio.core.effective import expected

    target = unit_of(seen_from(network, input, input_size), layer, unit, input_size)
    erf = expected.path_counts(
        target.graph, target.index, target.position, reference=target.reference, means=means
    )
    return _framed(erf, target)
