"""Measurements as work for the worker process, which reads their photos too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.process.running import CancelToken, Report
from rfstudio.engine.requests.jobs import measure_erf
from rfstudio.engine.requests.request import ErfRequest, ErfResult
from rfstudio.formats.files import is_folder

ErfWork: TypeAlias = partial[ErfResult]


class Subject(NamedTuple):
    """What is measured; compared with the choice, to see whether a result still belongs to it."""

    architecture: Architecture
    layer: str
    unit: tuple[int, ...]

    def is_same(self, other: Subject) -> bool:
        """Whether another one is equal, with the networks compared last: that takes longest."""
        return self[1:] == other[1:] and self[0] == other[0]


def work_of(
    subject: Subject,
    options: ErfOptions,
    pixels: NDArray[np.uint8] | None,
    earlier: ErfResult | None = None,
) -> ErfWork:
    """Return the measurement of a unit, for the worker to run.

    Parameters
    ----------
    subject
        Network, layer and unit.
    options
        How it is measured.
    pixels
        What the canvas shows, (H, W, 3) bytes; None: no image.
    earlier
        The result to continue from.

    Raises
    ------
    RFStudioError
        If there is no image or folder where one is to be measured on.
    """
    if options.inputs == "image" and pixels is None:
        raise RFStudioError("there is no image on the canvas; open one, or measure with noise")
    if options.inputs == "folder" and options.folder is None:
        raise RFStudioError("no folder of images is chosen; choose one, or measure with noise")
    images = (pixels,) if options.inputs == "image" and pixels is not None else ()
    request = request_of(subject, options, images)
    if options.inputs == "folder" and options.folder is not None:
        return partial(measure_folder, request, options.folder, earlier=earlier)
    return partial(measure_erf, request, earlier=earlier)


def request_of(
    subject: Subject, options: ErfOptions, images: Sequence[NDArray[np.uint8]] = ()
) -> ErfRequest:
    """Return the measurement of a unit on images, or on noise if there are none.

    Raises
    ------
    RFStudioError
        If an option has a value that it cannot have.
    """
    return ErfRequest(
        architecture=subject.architecture,
        layer=subject.layer,
        unit=subject.unit,
        estimator=options.estimator,
        channel=options.channel,
        activation=options.activation,
        images=images,
        images_per_weights=options.images_per_weights,
        samples=options.samples,
        **options.of_weights,
        patch=options.patch,
        stride=options.stride,
        fill=options.fill,
        amplitude=options.amplitude,
    )


def measure_folder(
    request: ErfRequest,
    folder: Path,
    token: CancelToken,
    report: Report,
    earlier: ErfResult | None = None,
) -> ErfResult:
    """Measure on the images of a folder, read in the worker, in the order of their names.

    They are read one by one; see `rfstudio.formats.images.photos`.

    Raises
    ------
    RFStudioError
        If the folder is not there or holds no image, or one cannot be read.
    """
    from rfstudio.formats.images.photos import photos_of  # noqa: PLC0415

    if not is_folder(folder):
        raise RFStudioError(f"{folder}: there is no such folder; choose another one")
    return measure_erf(replace(request, images=photos_of(folder)), token, report, earlier)
