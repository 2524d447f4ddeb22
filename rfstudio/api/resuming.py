"""Long measurements in parts: what is found so far is on the disk after each of them.

A part is a number of samples.  After it the sums of all processes are added up, and the first one
replaces the file.  A measurement that was stopped goes on after the last part, with as many
processes as there are then, and the result is that of a measurement in one go, to rounding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from rfstudio.core.errors import RFStudioError
from rfstudio.engine.process.torch_import import need_torch
from rfstudio.engine.requests.request import (
    CONTINUABLE,
    DEFAULT_SAMPLES,
    FIXED_WEIGHTS,
    ErfRequest,
    ErfResult,
)
from rfstudio.formats.files import atomic_write
from rfstudio.formats.tables.erf_states import read_state, state_bytes

if TYPE_CHECKING:
    import torch

    from rfstudio.engine.measuring.distributed import Rank
    from rfstudio.engine.process.running import Report

T = TypeVar("T")

PART = 2048
"""Samples of a part, over all processes: a minute or two on a CPU."""


def measure_in_parts(
    request: ErfRequest,
    path: Path,
    *,
    module: torch.nn.Module | None = None,
    report: Report | None = None,
    part: int = PART,
) -> ErfResult:
    """Measure one unit as `rfstudio.engine.measuring.erf.measure` does, with a file of the state.

    Parameters
    ----------
    request
        The unit and all options.
    path
        The file, which is read if it is there, and replaced after each part.
    module
        As in `measure`.
    report
        Receives the fraction done.
    part
        Samples of a part; rounded up to whole draws of weights.

    Raises
    ------
    RFStudioError
        As `measure`; or if the file is of another measurement, or cannot be read or written.
    """
    need_torch()
    from rfstudio.engine.measuring import distributed
    from rfstudio.engine.measuring import erf as engine
    from rfstudio.engine.process.running import ignore

    if request.estimator not in CONTINUABLE:
        raise RFStudioError(f"'{request.estimator}' cannot be continued; measure it in one go")
    wanted = request.samples or len(request.images) or DEFAULT_SAMPLES
    step = ceil(part / request.images_per_weights) * request.images_per_weights
    with distributed.joined() as rank:
        # Only the first process looks at all files of a large folder.
        identity, earlier = _from_first(rank, partial(_opened, path, request))
        while earlier is None or earlier.samples < wanted:
            done = 0 if earlier is None else earlier.samples
            stop = min(done + step, wanted)
            found = engine.measure(
                replace(request, samples=stop),
                module=module,
                earlier=earlier,
                reads_first=False,  # a damaged photo costs a part at most
                report=_scaled(report, stop / wanted) if report is not None else ignore,
            )
            earlier = found
            _from_first(rank, partial(_write, path, found, identity))
        return earlier


def _opened(path: Path, request: ErfRequest) -> tuple[str, ErfResult | None]:
    """Return what identifies a measurement, and what a file has of it; None: there is none."""
    identity = _identity(request)
    return identity, _read(path, identity) if path.exists() else None


def _scaled(report: Report, share: float) -> Report:
    # Of a measurement that goes on, the fraction done counts what it went on from.
    return lambda fraction, partial: report(fraction * share, partial)


def _from_first(rank: Rank, work: Callable[[], T]) -> T:
    """Return what some work gives in the first process, or raise its error in all."""
    from rfstudio.engine.measuring import distributed

    outcome: tuple[Any, RFStudioError | None] = (None, None)
    if rank.number == 0:
        try:
            outcome = (work(), None)
        except RFStudioError as error:
            outcome = (None, error)
    if rank.total > 1:
        outcome = distributed.gathered(outcome, rank)[0]
    found, failure = outcome
    if failure is not None:
        raise failure
    value: T = found
    return value


def _identity(request: ErfRequest) -> str:
    """Return what differs between measurements with the same options: network, images, weights."""
    network = request.architecture
    found = hashlib.sha256()
    parts: list[object] = [network.name, network.channels, network.layers, network.further_inputs]
    files = getattr(request.images, "files", ())
    parts += [(x.name, x.stat().st_size) for x in files]
    if not files:
        parts += [hashlib.sha256(x.tobytes()).hexdigest() for x in request.images]
    if request.weights not in FIXED_WEIGHTS:
        path = Path(request.weights)
        parts.append(path.stat().st_size if path.exists() else None)
    for x in parts:
        found.update(repr(x).encode())
    return found.hexdigest()


def _write(path: Path, result: ErfResult, identity: str) -> None:
    where = tuple(slice(a, b) for a, b in result.box)
    arrays = {"map": result.map[where], "standard_error": result.standard_error[where]}
    if result.open_draw is not None:
        arrays["open_draw"] = result.open_draw
    names = ("layer", "unit", "samples", "wanted", "options", "device", "seconds", "notes", "box")
    record = {name: getattr(result, name) for name in names}
    record |= {"format": 1, "identity": identity, "size": result.map.shape}
    atomic_write(path, state_bytes(arrays, record | {"versions": dict(result.versions)}))


def _read(path: Path, identity: str) -> ErfResult:
    arrays, record = read_state(path)
    if record.get("format") != 1 or record.get("identity") != identity:
        raise RFStudioError(
            f"'{path}' is of another network, other images or other weights; name another file"
        )
    box = tuple((a, b) for a, b in record["box"])
    where = tuple(slice(a, b) for a, b in box)
    field, error = np.zeros(record["size"]), np.zeros(record["size"])
    field[where], error[where] = arrays["map"], arrays["standard_error"]
    return ErfResult(
        map=field,
        standard_error=error,
        layer=record["layer"],
        unit=tuple(record["unit"]),
        samples=record["samples"],
        wanted=record["wanted"],
        options={k: tuple(x) if isinstance(x, list) else x for k, x in record["options"].items()},
        device=record["device"],
        versions=record["versions"],
        seconds=record["seconds"],
        notes=tuple(record["notes"]),
        box=box,
        open_draw=arrays.get("open_draw"),
    )
