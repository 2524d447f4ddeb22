"""`rfstudio erf … --images FOLDER --spread`: the field on each image by itself."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.api.measuring import with_own_weights
from rfstudio.api.spread import photo_set, spread_of, spread_options
from rfstudio.api.spread_figure import FIGURE_SUFFIXES, measured_photo, spread_figure
from rfstudio.cli import terminal
from rfstudio.cli.output import Output, command_of
from rfstudio.cli.progress import Progress
from rfstudio.cli.resolving import make_ready
from rfstudio.cli.usage import UsageError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.initialisations import DEFAULT
from rfstudio.core.metrics.spread import FieldSpread, ImageField
from rfstudio.engine.requests.request import BY_FILLING, ESTIMATORS, ErfRequest
from rfstudio.formats.tables.found_by import report_of
from rfstudio.formats.tables.spread_tables import (
    spread_npz,
    spread_record,
    spread_sentences,
    spread_table,
)


def check_options(arguments: argparse.Namespace, output: Output | None) -> None:
    """Refuse options that have no meaning together.

    Raises
    ------
    UsageError
        That names one.
    """
    if not arguments.spread:
        for name in ("masks", "box", "draws"):
            if getattr(arguments, name) is not None:
                raise UsageError(f"--{name} is for --spread")
        return
    if arguments.images is None:
        raise UsageError("--spread needs --images FOLDER")
    if arguments.estimator not in ESTIMATORS or arguments.estimator in BY_FILLING:
        raise UsageError(f"--spread cannot use --estimator {arguments.estimator}")
    for name in ("samples", "recipe"):
        if getattr(arguments, name) is not None:
            raise UsageError(f"--{name} has no effect on --spread; --draws has")
    if arguments.masks is not None and arguments.box is not None:
        raise UsageError("give --masks or --box, not both")
    if output is not None and output.suffix not in (".npz", *FIGURE_SUFFIXES):
        known = ", ".join((".npz", *FIGURE_SUFFIXES))
        raise UsageError(f"--spread is written as {known}; --format csv prints the numbers")


def spread(
    arguments: argparse.Namespace,
    analysis: Analysis,
    unit: tuple[int, ...],
    fine: dict[str, Any],
    output: Output | None,
) -> int:
    """Print the numbers of each image by the size of its field, and write the maps."""
    request = ErfRequest(
        architecture=analysis.architecture,
        layer=arguments.layer,
        unit=unit,
        input_size=analysis.input_size,
        estimator=arguments.estimator,
        weights=arguments.weights or "random",
        init=arguments.init or DEFAULT,
        seed=arguments.seed,
        dtype=arguments.dtype,
        device=arguments.device,
        **fine,
    )
    make_ready(request.weights)
    is_chosen = arguments.weights is not None or arguments.init is not None
    request, module = with_own_weights(request, is_chosen=is_chosen)
    photos = photo_set(arguments.images, arguments.masks, arguments.box or ())
    start, since = time.perf_counter(), time.time()
    draws = 8 if arguments.draws is None else arguments.draws
    with Progress() as report:
        found = spread_of(request, photos, draws=draws, module=module, report=report)
    seconds = time.perf_counter() - start
    options = spread_options(request, found)
    command = command_of(arguments)
    record = {"command": command} | spread_record(analysis, found, options, seconds)
    if output is not None:
        if output.suffix == ".npz":
            data = spread_npz(found, record)
        else:
            data = _figure(
                output.suffix, arguments.images, analysis, request, found, command, since
            )
        output.write(data)
    if output is None or output.path is not None:
        writer = terminal.WRITERS.get(arguments.format, terminal.TABLES)
        caption = f"{analysis.architecture.name}, {found.layer}, {arguments.estimator}"
        digits, missing = terminal.digits_of(writer)
        table = spread_table(found, digits, missing)
        if isinstance(writer, terminal.TerminalTables):
            text = writer.found(table, record, spread_sentences(found))
        else:
            text = writer.report(report_of(record, caption, table))
        sys.stdout.write(text)
    return 0


def _figure(
    suffix: str,
    images: Path,
    analysis: Analysis,
    request: ErfRequest,
    found: FieldSpread,
    command: str,
    since: float,
) -> bytes:
    """Return the figure of the images in their order."""

    def photo_of(field: ImageField) -> NDArray[np.uint8] | None:
        path = images / field.name if images.is_dir() else images
        return measured_photo(path, found.size, since=since)

    unit = ", ".join(map(str, found.unit))
    return spread_figure(
        found,
        suffix,
        title=f"{analysis.architecture.name}, {found.layer} ({unit}), {request.estimator}, "
        f"weights {request.weights}, seed {request.seed}",
        photo_of=photo_of,
        facts=spread_sentences(found),
        note=command,
    )
