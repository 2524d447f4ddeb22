"""An experiment shared by the processes that ``torchrun`` has started.

Measured fields are shared sample by sample: all processes work on the same one.  Trainings are
shared one by one, each by one process; those that learn from each other, or are compared, stay
together.  Only the first process writes files; it gets the rows of the others after each turn.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

from rfstudio.engine.process.torch_import import need_torch
from rfstudio.formats.experiments.recipe import Item, TrainingItem

T = TypeVar("T")


class Share(NamedTuple):
    """Which of how many processes this is."""

    number: int = 0
    total: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and prints."""
        return self.number == 0

    def of_first(self, value: T) -> T:
        """Return the value that the first process has."""
        return self.of_all(value)[0]

    def of_all(self, value: T) -> list[T]:
        """Return the values that the processes have, in their order.

        Raises
        ------
        MeasurementError
            If one of them has ended.
        """
        if self.total == 1:
            return [value]
        from rfstudio.engine.measuring import distributed

        return distributed.gathered(value, distributed.Rank(self.number, self.total))


@contextmanager
def shared() -> Iterator[Share]:
    """Join the other processes, if there are any; without them, torch is not imported.

    Raises
    ------
    MeasurementError
        If the environment does not describe such processes, or they do not find each other.
    """
    if os.environ.get("RANK") is None or os.environ.get("WORLD_SIZE") in (None, "", "1"):
        yield Share()
        return
    need_torch()
    from rfstudio.engine.measuring import distributed

    with distributed.joined() as rank:
        yield Share(rank.number, rank.total)


class Turn(NamedTuple):
    """What the processes do until they meet.

    Attributes
    ----------
    items
        The number of each process's item; None: it has none.
    is_joint
        Whether all of them work on the same one.
    """

    items: tuple[int | None, ...]
    is_joint: bool


def turns(
    items: Sequence[Item], complete: Collection[int], costs: Sequence[float], total: int
) -> list[Turn]:
    """Return who does which of the items that are not complete, and in which order.

    Parameters
    ----------
    items, complete
        All items, and the numbers of those that are done.
    costs
        About how long each takes.
    total
        Number of processes; a single one takes the items in their order.
    """
    left = [i for i in range(len(items)) if i not in complete]
    if total == 1:
        return [Turn((i,), is_joint=True) for i in left]
    found = [
        Turn((i,) * total, is_joint=True) for i in left if not isinstance(items[i], TrainingItem)
    ]
    queues: list[list[int]] = [[] for _ in range(total)]

    def load(queue: list[int]) -> float:
        return sum(costs[i] for i in queue)

    groups = [[i for i in group if i in left] for group in _groups(items)]
    for group in sorted(groups, key=load, reverse=True):
        min(queues, key=load).extend(group)
    for place in range(max(map(len, queues))):
        numbers = tuple(x[place] if place < len(x) else None for x in queues)
        found.append(Turn(numbers, is_joint=False))
    return found


def _groups(items: Sequence[Item]) -> list[list[int]]:
    """Return the trainings that need each other, by number."""
    first: dict[str, int] = {}
    for number, item in enumerate(items):
        if isinstance(item, TrainingItem):
            first.setdefault(item.series, number)
    owner = list(range(len(items)))

    def root(number: int) -> int:
        while owner[number] != number:
            number = owner[number]
        return number

    for number, item in enumerate(items):
        if isinstance(item, TrainingItem):
            for series in (item.series, item.teacher, item.compare):
                if series in first:
                    a, b = sorted((root(number), root(first[series])))
                    owner[b] = a
    groups: dict[int, list[int]] = {}
    for number, item in enumerate(items):
        if isinstance(item, TrainingItem):
            groups.setdefault(root(number), []).append(number)
    return list(groups.values())


def on_first(share: Share, work: Callable[[], T]) -> T:
    """Return what some work gives that only the first process does, or raise its error in all.

    Raises
    ------
    RFStudioError
        That of the work.
    """
    from rfstudio.core.errors import RFStudioError

    outcome: tuple[T | None, RFStudioError | None] = (None, None)
    if share.is_first:
        try:
            outcome = (work(), None)
        except RFStudioError as error:
            outcome = (None, error)
    value, failure = share.of_first(outcome)
    if failure is not None:
        raise failure
    return value  # type: ignore[return-value] # that of the first process, which has one
