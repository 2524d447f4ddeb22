"""Sharing the samples of a measurement between several processes started by ``torchrun``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar

import torch
import torch.distributed

from rfstudio.engine.measuring.estimators import Mean
from rfstudio.engine.process.errors import MeasurementError

PATIENCE = timedelta(seconds=60)
"""How long the processes wait for each other before the first measurement."""

_USUAL_PATIENCE = timedelta(minutes=30)
"""How long they wait afterwards for the start of a measurement."""


_LONG = timedelta(days=7)
"""How long one waits in an exchange for another that is slower, or has more to do.

The end of a process is noticed at once, by its connection.
"""

T = TypeVar("T")


class Rank(NamedTuple):
    """The number of this process, and how many there are."""

    number: int
    total: int


class _Meeting:
    """Numbers the meeting points of the processes: each measurement uses a new one.

    A second group under the same names would find the outdated addresses of the first.
    """

    store: Any = None
    count = 0


@contextmanager
def joined() -> Iterator[Rank]:
    """Join the processes that ``torchrun`` has started, for as long as the context lasts.

    Raises
    ------
    MeasurementError
        If the environment does not describe such processes, or they do not find each other.
    """
    wanted = _wanted()
    if wanted.total < 2:
        yield wanted
        return
    distributed = torch.distributed
    is_ours = not distributed.is_initialized()
    if is_ours:
        _meet(wanted)
    try:
        yield Rank(distributed.get_rank(), distributed.get_world_size())
    finally:
        if is_ours:
            distributed.destroy_process_group()


def has_met() -> bool:
    """Whether this process has joined others."""
    return _Meeting.count > 0


def _wanted() -> Rank:
    """Return which of how many processes this is, from the environment that ``torchrun`` sets."""
    rank, world = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if rank is None or world in (None, "", "1"):
        return Rank(0, 1)
    missing = [x for x in ("MASTER_ADDR", "MASTER_PORT") if not os.environ.get(x)]
    what = f", but {missing[0]} is not set" if missing else ""
    if missing or not rank.isdecimal() or not world.isdecimal() or int(rank) >= int(world):
        raise _alone(f"RANK={rank} and WORLD_SIZE={world} say that processes share this{what}")
    return Rank(int(rank), int(world))


def _meet(wanted: Rank) -> None:
    """Make the group of the processes."""
    # Not every build of torch has distributed processes.
    from torch.distributed.distributed_c10d import PrefixStore  # noqa: PLC0415
    from torch.distributed.rendezvous import rendezvous  # noqa: PLC0415

    try:
        _Meeting.count += 1
        if _Meeting.store is None:
            _Meeting.store = next(rendezvous("env://", timeout=PATIENCE))[0]
            # All are there; a later measurement may begin at very different times.
            _Meeting.store.set_timeout(_USUAL_PATIENCE)
        # The sums are few, small and on the CPU, so gloo is good enough even with GPUs.
        torch.distributed.init_process_group(
            "gloo",
            store=PrefixStore(f"rfstudio/{_Meeting.count}", _Meeting.store),
            rank=wanted.number,
            world_size=wanted.total,
            timeout=_LONG,
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        if "timed out" in reason.lower():
            raise _alone(
                f"waited {PATIENCE.seconds} seconds for the other {wanted.total - 1} of the "
                f"{wanted.total} processes that WORLD_SIZE announces, and not all came"
            ) from error
        raise _alone(f"the {wanted.total} processes do not find each other ({reason})") from error


def _alone(what: str) -> MeasurementError:
    return MeasurementError(
        f"{what}; start them with torchrun, or unset WORLD_SIZE to measure with this process alone"
    )


def add_up(mean: Mean, rank: Rank, device: torch.device) -> None:
    """Replace the sums of each process by those over all processes.

    Parameters
    ----------
    mean
        The sums of this process, on the CPU.
    rank
        Which process this is.
    device
        What it measures on: a group of processes that the caller created with nccl exchanges only
        tensors on GPUs.

    Raises
    ------
    MeasurementError
        If one of the processes has ended, or does not answer.
    """
    if rank.total < 2:
        return
    place = device if torch.distributed.get_backend() == "nccl" else torch.device("cpu")
    parts = []
    for values in mean.parts():
        sent = values.to(place)
        with _loss_in_words(rank, "measurement", "samples"):
            torch.distributed.all_reduce(sent)
        parts.append(sent.to(values.device))
    # Only the last draw may be incomplete, and one process alone has it.
    mean.take(parts)


def gathered(value: T, rank: Rank) -> list[T]:
    """Return a value of each process, in their order; any that can be pickled.

    Raises
    ------
    MeasurementError
        As `add_up`.
    """
    found: list[Any] = [None] * rank.total
    with _loss_in_words(rank, "experiment", "rows"):
        torch.distributed.all_gather_object(found, value)
    return found


@contextmanager
def _loss_in_words(rank: Rank, work: str, lost: str) -> Iterator[None]:
    """Say in a sentence that an exchange has failed because a process has ended."""
    try:
        yield
    except RuntimeError as error:
        raise MeasurementError(
            f"at least one of the {rank.total} processes that share this {work} has ended "
            f"before the others, so its {lost} are lost; what it printed says why"
        ) from error
