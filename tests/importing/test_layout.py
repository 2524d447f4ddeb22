"""What dimensions of tensors run through, after reshapes as torch makes them."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rfstudio.importing.layout import (
    CHANNEL,
    Digit,
    Dim,
    View,
    joined,
    places_of,
    refined,
    reshaped,
    unit_at,
)
from rfstudio.importing.maps import reads_of
from rfstudio.importing.positions import is_wild, pattern_of, runs_of

H, W, C = Digit(0, 6), Digit(1, 4), Digit(CHANNEL, 8)
MAP = (Dim(), Dim((C,)), Dim((H,)), Dim((W,)))


def test_that_windows_by_a_view_are_outer_and_inner_digits() -> None:
    dims = reshaped(MAP, (1, 8, 3, 2, 2, 2))
    assert dims is not None
    assert [x.digits for x in dims[2:]] == [
        (Digit(0, 3, 2),),
        (Digit(0, 2, 1),),
        (Digit(1, 2, 2),),
        (Digit(1, 2, 1),),
    ]
    assert reshaped(dims, (1, 8, 6, 4)) == MAP


def test_that_flattened_positions_come_apart_again() -> None:
    tokens = reshaped(MAP, (1, 8, 24))
    assert tokens == (Dim(), Dim((C,)), Dim((H, W)))
    assert reshaped(tokens, (1, 8, 6, 4)) == MAP
    assert reshaped(tokens, (1, 8, 5, 5)) is None


def test_that_tokens_without_a_position_stay_in_front() -> None:
    dims = (Dim(), Dim((H, W), extra=1), Dim((C,)))
    assert reshaped(dims, (1, 25, 2, 4)) == (
        Dim(),
        Dim((H, W), extra=1),
        Dim((Digit(CHANNEL, 2, 4),)),
        Dim((Digit(CHANNEL, 4, 1),)),
    )
    assert reshaped(dims, (25, 8)) == (Dim((H, W), extra=1), Dim((C,)))


@pytest.mark.parametrize("seed", range(20))
def test_that_digits_say_which_position_an_element_has(seed: int) -> None:
    # Positions are written into a tensor, and reshaped by numpy.
    random = np.random.default_rng(seed)
    factors = [int(x) for x in random.permutation([2, 3, 2, 2])]
    values = np.arange(24).reshape(factors)
    dims = reshaped((Dim((Digit(0, 24),)),), factors)
    assert dims is not None
    order = [int(x) for x in random.permutation(4)]
    values, dims = values.transpose(order), tuple(dims[i] for i in order)
    shape = (values.shape[0] * values.shape[1], values.shape[2] * values.shape[3])
    dims = reshaped(dims, shape)
    assert dims is not None
    found = np.zeros(shape, int)
    for place, dim in enumerate(dims):
        steps, inner = np.zeros(shape[place], int), shape[place]
        for digit in dim.digits:
            inner //= digit.size
            steps += np.arange(shape[place]) // inner % digit.size * digit.stride
        found += steps.reshape([-1 if i == place else 1 for i in range(2)])
    np.testing.assert_array_equal(found, values.reshape(shape))


def test_that_digits_are_paired_by_their_sizes() -> None:
    assert refined([Digit(0, 6)], [Digit(1, 2, 3), Digit(1, 3)]) == [
        (Digit(0, 2, 3), Digit(1, 2, 3)),
        (Digit(0, 3, 1), Digit(1, 3, 1)),
    ]
    assert refined([Digit(0, 6)], [Digit(0, 4)]) is None


def test_that_neighbours_that_run_on_are_one_digit() -> None:
    assert joined([Digit(0, 3, 2), Digit(0, 2, 1)]) == (H,)
    assert joined([Digit(0, 2, 1), Digit(0, 3, 2)]) == (Digit(0, 2, 1), Digit(0, 3, 2))
    assert View(0, MAP).shape == (1, 8, 6, 4)


@pytest.mark.parametrize(
    ("indices", "n", "pattern"),
    [
        (range(4), 4, "same"),
        (range(1, 4, 2), 4, "slice"),
        ([0, 0, 1, 1], 2, "repeat"),
        ([0, 0, 0], 1, "expand"),
        ([2, 3, 0, 1], 4, "roll"),
        ([3, 2, 1, 0], 4, "flip"),
        ([0, 1, 0, 1], 2, "tile"),
        ([3, 0, 1, 2, 3, 0], 4, "pad"),
        ([0, 2, 1], 3, "gather"),
    ],
)
def test_that_moves_of_positions_are_recognised(indices, n, pattern) -> None:
    assert pattern_of(np.array(list(indices)), n)[0] == pattern


def test_that_blocks_and_grids_are_told_from_their_digits() -> None:
    assert reads_of([], 8) == ("same", 1)
    assert reads_of([Digit(0, 8)], 8) == ("whole", 8)
    assert reads_of([Digit(0, 4, 1)], 8) == ("block", 4)
    assert reads_of([Digit(0, 2, 4)], 8) == ("grid", 4)


def test_that_each_value_of_a_tensor_belongs_to_the_unit_that_it_is_read_for() -> None:
    # Blocks of 3 × 2, one after the other, with a token before those of each block.
    blocks = Dim((Digit(0, 2, 3), Digit(1, 2, 2)))
    inside = Dim((Digit(0, 3, 1), Digit(1, 2, 1)), extra=1)
    dims = (blocks, inside, Dim((C,)))
    places = places_of(dims, (6, 4), 8)
    assert places is not None
    for unit in np.ndindex(6, 4):
        index = np.unravel_index(places[(5, *unit)], (4, 7, 8))
        assert unit_at(dims, [int(x) for x in index], 2) == unit
    assert unit_at(dims, (2, 0, 3), 2) is None


def test_that_tokens_at_both_ends_have_no_place() -> None:
    tokens = Dim((Digit(0, 6), Digit(1, 4)), extra=3, last=2)
    dims = (Dim(), tokens, Dim((C,)))
    assert tokens.size == 27
    places = places_of(dims, (6, 4), 8)
    assert places is not None
    for unit in np.ndindex(6, 4):
        index = np.unravel_index(places[(5, *unit)], (1, 27, 8))
        assert unit_at(dims, [int(x) for x in index], 2) == unit
    assert [unit_at(dims, (0, x, 0), 2) for x in (0, 25, 26)] == [None] * 3


def test_that_runs_are_those_found_index_by_index() -> None:
    rng = random.Random(7)
    for _ in range(500):
        indices: list[int] = []
        for _ in range(rng.randint(1, 5)):
            first, step = rng.randint(0, 5), rng.randint(-2, 2)
            indices += [first + step * i for i in range(rng.randint(1, 4))]
        runs: list[list[int]] = []
        for x in indices:
            last = runs[-1] if runs else []
            if last and (len(last) == 1 or x - last[-1] == last[-1] - last[-2]):
                last.append(x)
            else:
                runs.append([x])
        expected = [(x[0], x[1] - x[0] if x[1:] else 1, len(x)) for x in runs]
        assert [tuple(x) for x in runs_of(np.array(indices))] == expected, indices


def test_that_indices_with_a_step_of_their_own_each_are_wild() -> None:
    assert is_wild(np.arange(10_000) * 7 // 5)
    assert not is_wild(np.concatenate([np.arange(50_000), np.arange(70_000) * 3]))


def test_that_long_slices_are_found_a_part_at_a_time() -> None:
    long = np.arange(200_000)
    assert pattern_of(long, 200_000) == ("same", 0, 0)
    assert pattern_of(long * 3 + 2, 700_000) == ("slice", 2, 3)
    assert pattern_of(np.append(long[:-1], 0), 200_000) == ("gather", 0, 0)
