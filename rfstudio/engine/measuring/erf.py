"""Measures the effective receptive field of one unit: the mean over samples of an estimator.

References
----------
.. [1] Luo, Li, Urtasun, Zemel, "Understanding the Effective Receptive Field in Deep Convolutional
   Neural Networks", NIPS 2016, arXiv:1701.04128.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor, nn

from rfstudio.core.errors import Cancelled
from rfstudio.engine.measuring import distributed
from rfstudio.engine.measuring.network_cache import NetworkCache
from rfstudio.engine.measuring.run import Run, Unit
from rfstudio.engine.process import devices
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken, Report, ignore
from rfstudio.engine.requests.request import ErfRequest, ErfResult


def measure(
    request: ErfRequest,
    *,
    report: Report = ignore,
    token: CancelToken | None = None,
    module: nn.Module | None = None,
    images: Tensor | None = None,
    earlier: ErfResult | None = None,
    networks: NetworkCache | None = None,
    reads_first: bool = True,
) -> ErfResult:
    """Measure the effective receptive field of one unit.

    Parameters
    ----------
    request
        The unit and all options.
    report
        Called after each batch with the fraction done and the `ErfResult` so far.
    token
        Polled between batches.
    module
        A network with its weights, instead of one built from the request; in evaluation mode.
        One made by `to_torch` is evaluated in the unit's cone, any other on full images.
    images
        (N, C, *size), used as they are, instead of noise; the network is taken at their size.
    earlier
        An earlier result of the same unit with the same options, to continue: the new result equals
        that of all samples in one run, to rounding.
    networks
        A cache of networks and of evaluations, for more units of the same map.
    reads_first
        Read all photos before the first sample, so that a damaged one costs no work.

    Raises
    ------
    Cancelled
        If `token` was cancelled.
    UnknownLayerError, UnitError
        If there is no such layer or unit.
    GraphError
        If the network has faults that prevent the measurement.
    DeviceError, WeightsError, MeasurementError
        If there is no such device or file of weights, memory does not suffice, or the result is not
        a number.
    """
    token = token or CancelToken()
    with distributed.joined() as rank, _exact(), _lack_of_memory_in_words():
        run = Run(request, [request.unit], module, images, networks)
        if earlier is not None:
            run.resume(earlier, rank)
        with _undone_by_errors(run), run.drawing_ahead():
            if reads_first:
                run.check_photos(rank, token)
            for batch in run.batches(rank):
                token.check()
                run.add(batch, token, report)
                if report is not ignore:
                    report(run.fraction(rank), run.result())
        distributed.add_up(run.means[0], rank, run.device)
        run.end()
        return run.result()


def measure_units(
    request: ErfRequest,
    units: Sequence[Unit],
    *,
    report: Report = ignore,
    token: CancelToken | None = None,
    module: nn.Module | None = None,
    images: Tensor | None = None,
) -> list[ErfResult]:
    """Measure many units of one map at once, which costs less than one by one.

    The results are those of `measure` for each unit, to rounding: images, weights and signs are the
    same.  Neighbouring units share one evaluation, and are differentiated as one batch.

    Parameters
    ----------
    request
        All options; its own unit is ignored.
    units
        The units, in the order of the results.
    report
        Called after each batch with the fraction done and the list of results so far.
    token, module, images
        As in `measure`, which raises the same errors.
    """
    if not units:
        return []
    token = token or CancelToken()
    with distributed.joined() as rank, _exact(), _lack_of_memory_in_words():
        run = Run(request, list(units), module, images)
        numbers = range(len(units))
        run.check_photos(rank, token)
        with run.drawing_ahead():
            for batch in run.batches(rank):
                token.check()
                run.add(batch, token, ignore)
                if report is not ignore:
                    report(run.fraction(rank), [run.result(i) for i in numbers])
        for mean in run.means:
            distributed.add_up(mean, rank, run.device)
        run.end()
        return [run.result(i) for i in numbers]


@contextmanager
def _undone_by_errors(run: Run) -> Iterator[None]:
    """Discard what a failed measurement has cached; a cancelled one may stay."""
    try:
        yield
    except Cancelled:
        raise
    except BaseException:
        run.abandon()
        raise


@contextmanager
def _lack_of_memory_in_words() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not devices.is_out_of_memory(error):
            raise
        raise MeasurementError(
            "memory does not suffice; use a smaller input, an earlier layer or another device"
        ) from error


def _exact() -> AbstractContextManager[None]:
    """Return a context in which a seed always gives the same numbers, at full precision."""
    return torch.backends.cudnn.flags(deterministic=True, benchmark=False, allow_tf32=False)
