"""Tiles and advice on object sizes for a network by name, file or value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rfstudio.api.networks import Network, analyze, architecture_of
from rfstudio.core.advice.covers import Advice, advice_for
from rfstudio.core.advice.task_rules import Task
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.tiles import TilePlan, tile_plan
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.process.running import CancelToken, Report

Size = int | tuple[int, ...]
"""One number for all axes, or one per axis."""


def tiles(
    network: Network | Analysis,
    layer: str | None = None,
    tile: Size | None = None,
    image: Size | None = None,
    input_size: Size | None = None,
) -> TilePlan:
    """Return how an image may be cut into tiles whose results equal those of the whole.

    Parameters
    ----------
    network
        What `load` takes or returns, or an analysis.
    layer
        Layer or container path whose map is put together; None: the last layer.
    tile
        Largest size of a tile with its overlap, in samples; None: one with a middle about as
        large as its overlap.
    image
        Size of the image; with it, or with `tile`, the tiles are listed.
    input_size
        Size at which the network is analysed if there is no image; its own if None.

    Raises
    ------
    UnknownLayerError
        If there is no such layer.
    RFStudioError
        If the network does not run at that size, or a tile is too small to have a middle.

    Examples
    --------
    >>> plan = tiles("unet")
    >>> plan.overlap, plan.period, plan.exact
    (((107, 107), (107, 107)), (16, 16), True)
    """
    wanted = image if image is not None else input_size
    architecture = architecture_of(network, _given(wanted))
    axes = architecture.axes
    size = _per_axis(wanted, axes)
    if isinstance(network, Analysis) and size in (None, network.input_size):
        analysis = network
    else:
        analysis = analyze(architecture, input_size=size)
    if not analysis.layers:
        raise RFStudioError(f"'{architecture.name}' has no layers to put together")
    index = len(analysis.graph.nodes) - 1 if layer is None else analysis.graph.index(layer)
    plan = tile_plan(
        analysis.graph,
        analysis.local,
        index,
        tile=_per_axis(tile, axes),
        with_plan=image is not None or tile is not None,
    )
    return replace(plan, axes=analysis.axes)


def advise(
    network: Network | Analysis,
    object_size: Size | None = None,
    objects: Sequence[Sequence[int]] | str | Path | None = None,
    input_size: Size | None = None,
    *,
    task: Task | None = None,
    layers: Sequence[str] | None = None,
) -> Advice:
    """Return which layers see objects whole, and changes that let more layers do so.

    Parameters
    ----------
    network
        What `load` takes or returns, or an analysis.
    object_size
        Size of the objects, in pixels of the network's input; 32 along each axis by default.
    objects
        The size of each object along each axis; or a COCO file, whose boxes are (height, width) of
        its images as they are; or a folder of masks, in which connected pixels of one colour, but
        black, are an object.
    input_size
        Size of the input; the network's own if None.
    task
        What the network is for: the rules of that task are checked.
    layers
        Paths of the layers to look at; None: all convolutions and pools.

    Raises
    ------
    RFStudioError
        If an object has no size, both are given, or the file holds no boxes.

    Examples
    --------
    >>> advise("vgg16", object_size=32).first_covering
    ('conv3_2', 'conv4_2', 'pool4')
    """
    architecture = architecture_of(network, _given(input_size))
    size = _per_axis(input_size, architecture.axes)
    if object_size is not None and objects is not None:
        raise RFStudioError("objects are given as one size or as many, not both")
    if isinstance(network, Analysis) and size in (None, network.input_size):
        analysis = network
    else:
        analysis = analyze(architecture, input_size=size)
    if isinstance(objects, str | Path):
        from rfstudio.formats.object_sizes import object_sizes

        objects = object_sizes(Path(objects))
    if objects is None:
        one = _per_axis(32 if object_size is None else object_size, architecture.axes)
        assert one is not None
        objects = [one]
    return advice_for(analysis, objects, task=task, layers=layers)


def advice_work(
    architecture: Architecture,
    objects: Sequence[Sequence[int]] | Path,
    task: Task | None,
    token: CancelToken,
    report: Report,
) -> Advice:
    """Return advice, as work for a worker process; see `advise`.

    Parameters
    ----------
    architecture, objects, task
        As for `advise`.
    token
        Polled before the work begins.
    report
        Receives what is done now, in words.
    """
    token.check()
    report(0.1, "trying changes")
    return advise(architecture, objects=objects, task=task)


def _given(size: Size | None) -> tuple[int, ...] | None:
    """Return the size of the image that a module is imported for; one number is that of a 2-D one.

    Other networks define how many axes they have.
    """
    return _per_axis(size, 2)


def _per_axis(size: Size | None, axes: int) -> tuple[int, ...] | None:
    if size is None:
        return None
    return (size,) * axes if isinstance(size, int) else tuple(size)
