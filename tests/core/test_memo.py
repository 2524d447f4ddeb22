"""Remembered answers are those of equal values, bounded, and dropped together."""

from __future__ import annotations

from rfstudio.core.memo import Recent, forget, remembered


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


def test_that_recent_answers_belong_to_one_object() -> None:
    recent: Recent[int] = Recent(2)
    numbers = iter(range(10))
    a, b, c = [], [], []  # equal, but not the same
    ask = lambda x: recent.about(x, "key", lambda: next(numbers))  # noqa: E731
    assert [ask(a), ask(b), ask(a), ask(b)] == [0, 1, 0, 1]
    assert ask(c) == 2
    assert ask(a) == 3  # the oldest went
    forget()
    assert ask(c) == 4
