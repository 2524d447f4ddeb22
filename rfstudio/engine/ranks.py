"""Sharing the samples of a measurement over several processes, as ``torchrun`` starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
import torch.distributed

from rfstudio.engine.estimators import Mean


class Rank(NamedTuple):
    """Which of how many processes this is."""

    number: int
    total: int


class _Meeting:
    """Where processes find each other, for each measurement of a program anew.

    A second group at the same names would find the addresses of the first one, which are gone.
    """

    store: Any = None
    count = 0


@contextmanager
def joined() -> Iterator[Rank]:
    """Join the processes that ``torchrun`` has started, for as long as the context lasts."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count < 2 or "RANK" not in os.environ:
        yield Rank(0, 1)
        return
    distributed = torch.distributed
    is_ours = not distributed.is_initialized()
    if is_ours:
        # The sums are few and small, and kept on the CPU: gloo does for GPUs too.
        # Not every build of torch has them.
        from torch.distributed.distributed_c10d import PrefixStore  # noqa: PLC0415
        from torch.distributed.rendezvous import rendezvous  # noqa: PLC0415

        _Meeting.count += 1
        if _Meeting.store is None:
            _Meeting.store = next(rendezvous("env://"))[0]
        distributed.init_process_group(
            "gloo",
            store=PrefixStore(f"rfstudio/{_Meeting.count}", _Meeting.store),
            rank=int(os.environ["RANK"]),
            world_size=count,
        )
    try:
        yield Rank(distributed.get_rank(), distributed.get_world_size())
    finally:
        if is_ours:
            distributed.destroy_process_group()


def add_up(mean: Mean, rank: Rank, device: torch.device) -> None:
    """Replace the sums of every process by those of all of them.

    Parameters
    ----------
    mean
        The sums of this process, on the CPU.
    rank
        Which process this is.
    device
        What it measures on: a group of processes that the caller has made with nccl exchanges
        tensors of GPUs alone.
    """
    if rank.total < 2:
        return
    place = device if torch.distributed.get_backend() == "nccl" else torch.device("cpu")
    count = torch.tensor([float(mean.count)], dtype=torch.float64)
    for values in (count, mean.sums, mean.squares):
        sent = values.to(place)
        torch.distributed.all_reduce(sent)
        values.copy_(sent)
    mean.count = int(count.item())
