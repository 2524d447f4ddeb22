"""Remembered answers are those of equal values, bounded, and dropped together."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch
from weakref import WeakSet

import numpy as np
import pytest

from rfstudio.core import memo, ops
from rfstudio.core.memo import Recent, bytes_of, forget, remembered
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand


def test_that_equal_values_are_worked_out_once_until_everything_is_forgotten() -> None:
    calls: list[tuple[int, ...]] = []

    @remembered(2)
    def total(values: tuple[int, ...]) -> int:
        calls.append(values)
        return sum(values)

    assert [total((1, 2)), total((1, 2)), total((3,))] == [3, 3, 3]
    assert calls == [(1, 2), (3,)]
    total((4,))  # the third one: the oldest goes
    total((1, 2))
    assert calls == [(1, 2), (3,), (4,), (1, 2)]
    forget()
    total((1, 2))
    assert len(calls) == 5


def test_that_large_answers_make_room_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, int]] = []

    def remembering(name: str, entries: int) -> Callable[[int], np.ndarray]:
        @remembered(100)
        def work(number: int) -> np.ndarray:
            calls.append((name, number))
            return np.zeros(entries, np.uint8)

        return work

    forget()
    monkeypatch.setattr(memo, "MOST_BYTES", 1000)
    large, small = remembering("large", 300), remembering("small", 100)
    small(0)
    for number in (0, 1, 2, 2):
        large(number)
    assert len(calls) == 4  # 100 and three times 300: just enough
    small(1)  # there is no room for it beside the others
    assert sum(x.bytes for x in memo._CACHES) == 100
    small(1)
    assert len(calls) == 5
    small(0)
    large(2)
    assert len(calls) == 7
    forget()
    assert not any(x.bytes for x in memo._CACHES)


def test_that_no_question_keeps_the_answer_of_another_that_made_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Profile:
        def __init__(self, entries: int) -> None:
            self.values = np.zeros(entries, np.uint8)

    @remembered(100)
    def made(number: int) -> Profile:
        return Profile(100 + number)

    @remembered(100)
    def total(profile: Profile) -> int:
        return int(profile.values.sum())

    forget()
    monkeypatch.setattr(memo, "MOST_BYTES", 4000)
    profiles: WeakSet[Profile] = WeakSet()
    for number in range(200):
        profile = made(number)
        profiles.add(profile)
        total(profile)
        del profile
        assert sum(x.values.nbytes for x in profiles) <= 4000
    forget()


def test_that_an_answer_larger_than_all_room_is_dropped_by_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @remembered(100)
    def work(entries: int) -> np.ndarray:
        return np.zeros(entries, np.uint8)

    forget()
    monkeypatch.setattr(memo, "MOST_BYTES", 1000)
    huge = weakref.ref(work(5000))
    assert huge() is not None
    work(1)
    assert huge() is None
    forget()


def test_that_bytes_are_those_of_whole_arrays_however_deep_each_once() -> None:
    array = np.zeros(10**6)
    rule = partial(lambda x, y: x, y=[{"a": (array[3:5], array)}])

    def enclosing() -> object:
        return rule

    assert array.nbytes <= bytes_of(enclosing) < array.nbytes + 2000
    assert bytes_of(np.broadcast_to(np.zeros(1), 10**6)) < 1000
    assert bytes_of(None) == bytes_of(1.0) == 0


def test_that_of_a_million_entries_a_sample_is_counted() -> None:
    """Counting a pattern of a million phases took longer than to work out what is after it."""
    rows = tuple([(x, x + 1) for x in range(100_000)])
    true = sys.getsizeof(rows) + sum(map(sys.getsizeof, rows))
    calls: list[int] = []

    def looked_at(entry: object) -> int:
        calls.append(1)
        return id(entry)

    with patch.object(memo, "id", looked_at, create=True):
        assert 0.98 * true < bytes_of(rows) < 1.02 * true
    assert len(calls) < 5000


def test_that_recent_answers_belong_to_one_object() -> None:
    recent: Recent[list[int], int] = Recent(2)
    numbers = iter(range(10))
    a: list[int] = []
    b: list[int] = []
    c: list[int] = []  # equal, but not the same
    ask = lambda x: recent.about(x, "key", lambda: next(numbers))  # noqa: E731
    assert [ask(a), ask(b), ask(a), ask(b)] == [0, 1, 0, 1]
    assert ask(c) == 2
    assert ask(a) == 3  # the oldest went
    forget()
    assert ask(c) == 4


class Owner:
    """Anything with an identity; all are equal."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        raise AssertionError("nobody needs to hash it")


def test_that_a_result_is_found_by_the_object_itself_and_the_rest_of_the_key() -> None:
    recent: Recent[Owner, int] = Recent(2)
    one, other = Owner(), Owner()
    assert recent.get(one, "a", None) is None
    assert recent.put(one, "a", 1) == 1
    assert recent.get(one, "a", None) == 1
    assert recent.get(one, "b", None) is None
    assert recent.get(other, "a", None) is None


def test_that_the_oldest_result_makes_room() -> None:
    recent: Recent[Owner, int] = Recent(2)
    one = Owner()
    for number in range(3):
        recent.put(one, number, number)
    assert [recent.get(one, number, -1) for number in range(3)] == [-1, 1, 2]
    recent.clear()
    assert recent.get(one, 2, -1) == -1


def test_that_one_document_has_one_graph_and_equal_documents_have_their_own() -> None:
    network = Architecture(input_size=(9, 9), layers=(Layer(ops.Conv(kernel_size=3), "a"),))
    graph = expand(network)
    assert expand(network, (9, 9)) is graph
    as_list: Any = [9, 9]  # as callers without types give it
    assert expand(network, as_list) is graph
    assert expand(network, (8, 8)).nodes[1].size == (6, 6)
    assert expand(network, batch_norm_training=True) is not graph
    again = expand(replace(network))
    assert again is not graph
    assert again == graph
