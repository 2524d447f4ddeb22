"""The command that computes or measures an effective receptive field."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio import api
from rfstudio.api.measured import record_of
from rfstudio.api.measuring import with_own_weights
from rfstudio.cli import terminal
from rfstudio.cli.output import Output, command_of, output_of
from rfstudio.cli.progress import Progress
from rfstudio.cli.resolving import load_network, make_ready, opened, position_of, resized
from rfstudio.cli.spreading import check_options, spread
from rfstudio.cli.usage import UsageError
from rfstudio.cli.words import MAPS
from rfstudio.core.effective.expected import Erf
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.initialisations import DEFAULT, initialisation, other_law
from rfstudio.core.network.inputs import with_first_input
from rfstudio.engine.requests.gains_request import DEFAULT_SAMPLES, GainsRequest
from rfstudio.engine.requests.recipes import apply_recipe, recipe
from rfstudio.engine.requests.request import BY_FILLING, ESTIMATORS, ErfRequest
from rfstudio.formats.tables.erf_files import erf_npz, numbers_table
from rfstudio.formats.tables.found_by import report_of

_FINE = ("channel", "activation", "batch_norm", "images_per_weights")
_OF_PATCHES = {
    "patch": BY_FILLING,
    "stride": BY_FILLING,
    "fill": ("occlusion",),
    "amplitude": ("perturbation",),
}
"""Finer options, and the estimators on which each has an effect."""


def erf(arguments: argparse.Namespace) -> int:
    """Print the metrics of an effective field, and write its map."""
    # Before torch is imported: its threads would spin while they wait, on machines that are shared.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    output = output_of(arguments, MAPS, "a map")
    if output is not None and output.path is not None:
        check_place(output.path)
    if arguments.gains is not None and arguments.estimator != "expected":
        raise UsageError("--gains is for --estimator expected")
    if arguments.init is not None:
        _check_init(arguments)
    if arguments.estimator == "path-count" and _is_given(arguments):
        raise UsageError("--weights, --images and --samples have no effect on a path count")
    _check_fine_options(arguments)
    if arguments.resume is not None:
        if arguments.spread or arguments.estimator in api.COMPUTED:
            raise UsageError("--resume is for a field that is measured, and not for --spread")
        check_place(arguments.resume)
    check_options(arguments, output)
    size = None
    if arguments.recipe is not None:
        options = recipe(arguments.recipe).options
        arguments.estimator, size = options["estimator"], options["input_size"]
    if arguments.input is None:
        network = load_network(arguments)
    else:  # whose size is then given
        network = with_first_input(
            opened(arguments.network, None, trust=arguments.trust), arguments.input
        )
        network = resized(network, arguments.input_size)
    analysis = api.analyze(network, input_size=size)
    position = position_of(analysis, arguments.layer, arguments.unit)
    unit = analysis.unit(arguments.layer, position)
    if arguments.spread:
        return spread(arguments, analysis, unit.position, _fine_options(arguments), output)
    start = time.perf_counter()
    work = _computed if arguments.estimator in api.COMPUTED else _measured
    found = work(arguments, analysis, unit.position)
    seconds = time.perf_counter() - start
    if os.environ.get("RANK", "0") != "0":
        return 0  # under torchrun, every process has the sum, and one prints it
    record = {"command": command_of(arguments)} | record_of(
        analysis,
        found,
        layer=arguments.layer,
        estimator=arguments.estimator,
        recipe=arguments.recipe,
        seconds=seconds,
    )
    if output is not None:
        _write(output, arguments, analysis, found, record)
    if output is None or output.path is not None:
        sys.stdout.write(_text(arguments.format, found, record, analysis))
    return 0


def _text(form: str, erf: Erf, record: Mapping[str, Any], analysis: Analysis) -> str:
    """Return what is printed: all of the record, or its numbers as a table."""
    writer = terminal.WRITERS.get(form, terminal.TABLES)  # or the format is that of the file
    if isinstance(writer, terminal.TerminalTables):
        return terminal.erf_text(record, analysis.axes, analysis.units)
    caption = f"{record['name']}, {record['layer']}, {record['estimator']}"
    digits, missing = terminal.digits_of(writer)
    return writer.report(report_of(record, caption, numbers_table(erf.metrics, digits, missing)))


def _fine_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the finer options that are given."""
    values = {name: getattr(arguments, name) for name in (*_FINE, *_OF_PATCHES)}
    return {name: value for name, value in values.items() if value is not None}


def _check_fine_options(arguments: argparse.Namespace) -> None:
    """Refuse options that would have no effect.

    Raises
    ------
    UsageError
        That names one.
    """
    estimator = arguments.estimator
    for name in _fine_options(arguments):
        word = "--" + name.replace("_", "-")
        if arguments.recipe is not None:
            raise UsageError(f"{word} is set by --recipe {arguments.recipe}; leave one of them out")
        known = _OF_PATCHES.get(name, ESTIMATORS)
        if name == "batch_norm":
            known = (*known, "expected")
        if estimator not in known:
            raise UsageError(
                f"{word} has no effect on --estimator {estimator}; it is for " + ", ".join(known)
            )


def _check_init(arguments: argparse.Namespace) -> None:
    """Refuse an initialisation that is unknown, or that would have no effect."""
    arguments.init = initialisation(arguments.init).text
    if arguments.recipe is not None:
        raise UsageError(f"--init is set by --recipe {arguments.recipe}; leave one of them out")
    if arguments.estimator == "path-count":
        raise UsageError("--init has no effect on a path count")
    if arguments.weights == "uniform":
        raise UsageError("--init is for random weights; with --weights uniform all are equal")


def _measured(arguments: argparse.Namespace, analysis: Analysis, unit: tuple[int, ...]) -> Erf:
    request = ErfRequest(
        architecture=analysis.architecture,
        layer=arguments.layer,
        unit=unit,
        estimator=arguments.estimator,
        images=photos_given(arguments),
        weights=arguments.weights or "random",
        init=arguments.init or DEFAULT,
        seed=arguments.seed,
        samples=arguments.samples,
        dtype=arguments.dtype,
        device=arguments.device,
        **_fine_options(arguments),
    )
    if arguments.recipe is not None:
        request = apply_recipe(request, arguments.recipe)
    make_ready(request.weights)
    own = None
    if arguments.recipe is None:
        # Whoever chooses what random weights are drawn from wants random weights.
        is_chosen = arguments.weights is not None or arguments.init is not None
        request, own = with_own_weights(request, is_chosen=is_chosen)
    with Progress() as report:
        if arguments.resume is not None:
            return api.measure_resumed(request, arguments.resume, module=own, report=report)
        return api.measure(request, module=own, report=report)


def photos_given(arguments: argparse.Namespace) -> Sequence[NDArray[np.uint8]]:
    """Return the photos that a measurement is to be made on; none: noise."""
    from rfstudio.formats.images.photos import photos_of

    return () if arguments.images is None else photos_of(arguments.images)


def _is_given(arguments: argparse.Namespace) -> bool:
    """Whether an option needs a measurement, which no closed form can replace."""
    return (
        arguments.weights not in (None, "random")
        or arguments.samples is not None
        or arguments.images is not None
    )


def _computed(arguments: argparse.Namespace, analysis: Analysis, unit: tuple[int, ...]) -> Erf:
    """Return a path count, or the expected field, with measured gains if there are options."""
    if arguments.estimator != "expected":
        return api.path_counts(analysis, arguments.layer, unit)
    is_given = _is_given(arguments)
    if arguments.gains == "modelled" and is_given:
        raise UsageError("--weights, --images and --samples are for measured gains")
    fine = _fine_options(arguments)
    if arguments.gains != "measured" and not is_given:
        init = arguments.init or DEFAULT
        return api.expected_erf(analysis, arguments.layer, unit, init=init, **fine)
    if fine:
        raise UsageError("--batch-norm is for measured fields and modelled gains")
    images = photos_given(arguments)
    samples = len(images) or DEFAULT_SAMPLES if arguments.samples is None else arguments.samples
    request = GainsRequest(
        architecture=analysis.architecture,
        layer=arguments.layer,
        images=images,
        weights=arguments.weights or "random",
        init=arguments.init or DEFAULT,
        seed=arguments.seed,
        samples=samples,
        device=arguments.device,
    )
    make_ready(request.weights)
    with Progress() as report:
        return api.expected_erf_of(request, unit, report=report)


def check_place(output: Path) -> None:
    """Refuse a file that cannot be written, before anything is measured for it.

    Raises
    ------
    FileAccessError
        With the reason.
    """
    from rfstudio.formats.files import FileAccessError

    folder = Path(os.path.realpath(output)).parent
    trouble = None
    if output.is_dir():
        trouble = "it is a folder"
    elif not folder.is_dir():
        trouble = "there is no such folder"
    elif not os.access(output if output.exists() else folder, os.W_OK):
        trouble = "it is not allowed; check its permissions"
    if trouble is not None:
        raise FileAccessError(f"'{output}' cannot be saved: {trouble}")


def _write(
    output: Output,
    arguments: argparse.Namespace,
    analysis: Analysis,
    erf: Erf,
    record: Mapping[str, Any],
) -> None:
    if output.suffix == ".npz":
        output.write(erf_npz(erf.map, record))
        return
    if output.suffix in (".tiff", ".png16"):
        from rfstudio.formats.images.map_images import map_png, map_tiff

        output.write((map_tiff if output.suffix == ".tiff" else map_png)(erf.map, record))
        return
    from rfstudio.core.metrics.metrics import measured_peak
    from rfstudio.figures import render, scene_of

    how = "" if arguments.estimator in api.COMPUTED else ", measured"
    law = other_law(erf.options)
    law = law and f"; {law}"
    scene = scene_of(
        analysis,
        arguments.layer,
        erf.unit,
        title=analysis.architecture.name,
        erf=erf.map,
        erf_label=f"effective field ({arguments.estimator}{how}{law})",
        erf_peak=measured_peak(erf.map) if how else None,
    )
    if (size := erf.metrics.luo_size) is not None:
        scene = replace(
            scene, numbers=(*scene.numbers, f"effective size {size:.3g} {analysis.units.short}")
        )
    output.write(render(scene, output.suffix))
