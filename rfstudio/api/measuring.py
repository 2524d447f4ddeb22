"""Effective fields that are measured with torch, in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from rfstudio.api.expected import expected_erf, path_counts
from rfstudio.api.images import images_of, size_for
from rfstudio.api.networks import Network, load, seen_from, whole
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.network.expansion import expand
from rfstudio.engine.process.torch_import import need_torch

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from rfstudio.api.measured import MeasuredErf
    from rfstudio.core.effective.expected import Erf
    from rfstudio.engine.process.running import Report
    from rfstudio.engine.requests.request import ErfRequest, ErfResult

Computed: TypeAlias = Literal["expected", "path-count"]
Measured: TypeAlias = Literal[
    "energy", "rms", "abs", "signed", "positive", "occlusion", "perturbation"
]
Precision: TypeAlias = Literal["float32", "float64"]

COMPUTED: tuple[str, ...] = get_args(Computed)
"""Estimators of `erf` that are not measured."""


def erf(  # noqa: PLR0913 - the options of a measurement
    network: Network,
    layer: str,
    unit: tuple[int, ...] | None = None,
    *,
    estimator: Measured | Computed = "energy",
    samples: int | None = None,
    seed: int = 0,
    module: torch.nn.Module | None = None,
    images: torch.Tensor | NDArray[Any] | None = None,
    dtype: Precision | torch.dtype = "float32",
    device: str | torch.device = "auto",
    input: str | None = None,  # noqa: A002 - as it is called in files
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
        None: one with random weights, drawn anew every few samples; but of a network that is, or
        was imported from, a module, that module itself, unless `weights` are given; after an edit,
        and of a file that holds weights, the network that is rebuilt from it with those that fit,
        as with the weights "model".
    images
        (N, C, H, W), of torch or numpy, or a single one without N: used in turn, as they are,
        instead of noise; the network is taken at their size.  With "expected", any of module,
        images, weights and samples has gains measured.
    dtype, device
        Of the measurement: "float32" or "float64"; "auto", "cpu", "cuda", "cuda:1", "mps".
    input
        Of a network with several inputs, the one over which the field is; sizes and images are
        then its own, and the others hold noise, the same in all samples.  None: the first one.
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

    Examples
    --------
    >>> measured = erf("luo_20_layers", "stack.3", samples=2, seed=0)
    >>> measured.map.shape, measured.options["samples"], measured.metrics.outside
    ((101, 101), 2, 0.0)
    """
    _check_estimator(estimator)
    options |= {"estimator": estimator, "samples": samples, "seed": seed, "device": device}
    network = _seen_from(network, input, images, options, module)
    if estimator in COMPUTED:
        return _computed(network, layer, unit, module=module, images=images, **options)
    need_torch()
    position = None if unit is None else whole(unit)
    request, given = request_of(network, layer, images, unit=position, dtype=dtype, **options)
    if module is None:
        request, module = with_own_weights(request, is_chosen=is_chosen(options))
    return measure(request, module=module, images=given)


def erfs(  # noqa: PLR0913 - the options of a measurement
    network: Network,
    layer: str,
    units: Sequence[tuple[int, ...]],
    *,
    estimator: Measured = "energy",
    samples: int | None = None,
    seed: int = 0,
    module: torch.nn.Module | None = None,
    images: torch.Tensor | NDArray[Any] | None = None,
    dtype: Precision | torch.dtype = "float32",
    device: str | torch.device = "auto",
    input: str | None = None,  # noqa: A002 - as it is called in files
    **options: Any,
) -> list[MeasuredErf]:
    """Measure the effective receptive fields of many units of one map, in the order of `units`.

    Each is that of `erf` with the same options, to rounding, but neighbours are evaluated once
    together, which takes a small part of the time.

    Parameters
    ----------
    network, layer
        As in `erf`.
    units
        Positions in that layer's map.
    estimator, samples, seed, module, images, dtype, device, input, **options
        As in `erf`; the estimator is one that is measured.

    Raises
    ------
    RFStudioError
        As `erf` does.

    Examples
    --------
    >>> both = erfs("luo_20_layers", "stack.1", [(28, 28), (28, 29)], samples=2, seed=0)
    >>> [x.unit for x in both]
    [(28, 28), (28, 29)]
    """
    _check_estimator(estimator)
    if estimator in COMPUTED:
        raise RFStudioError(f"'{estimator}' is computed, unit by unit: call erf for each of them")
    need_torch()
    from rfstudio.engine.measuring.erf import measure_units

    options |= {"estimator": estimator, "samples": samples, "seed": seed, "device": device}
    network = _seen_from(network, input, images, options, module)
    request, given = request_of(network, layer, images, dtype=dtype, **options)
    if module is None:
        request, module = with_own_weights(request, is_chosen=is_chosen(options))
    results = measure_units(request, [whole(x) for x in units], module=module, images=given)
    return _with_frames(results, request, module, given)


def is_chosen(options: Mapping[str, Any]) -> bool:
    """Return whether options say what weights to take; an initialisation is for random ones."""
    return "weights" in options or "init" in options


def _seen_from(
    network: Network,
    name: str | None,
    images: object,
    options: Mapping[str, Any],
    module: object,
) -> Network:
    """Return a network with an input as its first one; None: as it is."""
    if name is not None and module is not None:
        raise RFStudioError("a module takes its own first input; leave input or module out")
    found = seen_from(network, name, size_for(images, options.get("input_size")))
    assert not isinstance(found, Analysis)
    return found


def _check_estimator(estimator: str) -> None:
    known = (*get_args(Measured), *COMPUTED)
    if estimator not in known:
        raise RFStudioError(f"estimator must be one of {', '.join(known)}, not {estimator!r}")


def _computed(
    network: Network,
    layer: str,
    unit: tuple[int, ...] | None,
    **options: Any,
) -> Erf:
    """Return a field that is not measured, at a call of `erf`.

    Raises
    ------
    RFStudioError
        If one channel or another map is requested, since the result would be the field of all.
    """
    from rfstudio.engine.requests.request import refuse_unknown

    refuse_unknown(options)
    estimator = options["estimator"]
    for name, usual in (("channel", None), ("activation", "as_is")):
        if options.get(name, usual) != usual:
            raise RFStudioError(f"'{estimator}' has no option '{name}'; leave it out, or measure")
    if estimator == "expected":
        taken = ("samples", "seed", "module", "images", "device", "batch_norm", "weights", "init")
        chosen = {name: options[name] for name in (*taken, "input_size") if name in options}
        return expected_erf(network, layer, unit, **chosen)
    given = options["images"]
    network = load(network, input_size=size_for(given, options.get("input_size")))
    images = images_of(given, network)
    size = options.get("input_size") if images is None else tuple(images.shape[2:])
    return path_counts(network, layer, unit, input_size=size)


def request_of(
    network: Network, layer: str, images: object, **options: Any
) -> tuple[ErfRequest, torch.Tensor | None]:
    """Return a measurement as the engine takes it, at the size of the images if there are any."""
    from rfstudio.engine.requests.request import ErfRequest, refuse_unknown

    refuse_unknown(options)
    architecture = load(network, input_size=size_for(images, options.get("input_size")))
    given = images_of(images, architecture)
    if given is not None:
        options["input_size"] = tuple(given.shape[2:])
    # Devices, types and paths of files may come as torch's and Python's own.
    for name in ("device", "weights", "init"):
        if name in options:
            options[name] = str(options[name])
    options["dtype"] = str(options["dtype"]).removeprefix("torch.")
    return ErfRequest(architecture=architecture, layer=layer, **options), given


def with_own_weights(
    request: ErfRequest, *, is_chosen: bool
) -> tuple[ErfRequest, torch.nn.Module | None]:
    """Return a request with the weights that its network came with, and the module up to the layer.

    Parameters
    ----------
    request
        The request.
    is_chosen
        Whether its weights were given; otherwise those of the model are taken, if there are any.

    Returns
    -------
    tuple
        The request; and the module itself, None: the network is measured that is rebuilt from it,
        because there is none, or it was edited.

    Raises
    ------
    RFStudioError
        If no weights are given and the layer is no part of the module that can be measured.
    """
    from rfstudio.importing.imported import Imported

    network = request.architecture
    if is_chosen and request.weights != "model":
        return request, None
    if not isinstance(network, Imported) or not network.has_weights:
        return request, None
    from rfstudio.engine.importing.own_module import layer_of, own_layer

    request = replace(request, weights="model")
    own = own_layer(request)
    if own is None and not is_chosen and network.is_unedited and request.activation == "as_is":
        own = layer_of(network, request.layer, request.input_size)
    return request, own


def measure(
    request: ErfRequest,
    *,
    module: torch.nn.Module | None = None,
    images: torch.Tensor | None = None,
    report: Report | None = None,
) -> MeasuredErf:
    """Measure one unit in this process, as a request says.

    Parameters
    ----------
    request
        The unit and all options.
    module, images
        As in `rfstudio.engine.measuring.erf.measure`.
    report
        Receives the fraction done.

    Raises
    ------
    RFStudioError
        As `erf` does.
    """
    need_torch()
    from rfstudio.engine.measuring import erf as engine
    from rfstudio.engine.process.running import ignore

    result = engine.measure(request, module=module, images=images, report=report or ignore)
    return _with_frames([result], request, module, images)[0]


def measure_resumed(
    request: ErfRequest,
    path: Path,
    *,
    module: torch.nn.Module | None = None,
    report: Report | None = None,
) -> MeasuredErf:
    """Measure as `measure` does, in parts; a file has what is found so far, and is gone on from.

    Parameters
    ----------
    request, module, report
        As in `measure`.
    path
        The file.

    Raises
    ------
    RFStudioError
        As `rfstudio.api.resuming.measure_in_parts`.
    """
    from rfstudio.api.resuming import measure_in_parts

    result = measure_in_parts(request, path, module=module, report=report)
    return _with_frames([result], request, module, None)[0]


def _with_frames(
    results: Sequence[ErfResult],
    request: ErfRequest,
    module: torch.nn.Module | None,
    images: torch.Tensor | None,
) -> list[MeasuredErf]:
    """Return measurements with their metrics, and with the weights that they were made with."""
    from rfstudio.api.measured import measured_erf
    from rfstudio.core.fields.unit_frame import UnitFrame

    size = request.input_size if images is None else tuple(images.shape[2:])
    graph = expand(request.architecture, size)
    index = graph.index(request.layer)
    count = None if images is None else len(images)
    weights = None if module is None else "of a module"
    return [
        measured_erf(x, UnitFrame(graph, index, x.unit), images=count, weights=weights)
        for x in results
    ]
