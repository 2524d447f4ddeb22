"""Thousands of layers, each with a pattern of its own: a few steps for each, counted.

Found by `tests/fuzz`: transposed convolutions on a tiled map took 350 µs a layer.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from unittest.mock import patch

import numpy as np
import pytest

from rfstudio.core import memo, ops
from rfstudio.core.axes.axis_rule import Periodic, Window
from rfstudio.core.axes.unit_intervals import Track
from rfstudio.core.errors import TooLargeError
from rfstudio.core.fields import backtrace, field, interior
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.fields.field import AxisField, through
from rfstudio.core.fields.remarks import diagnostics
from rfstudio.core.memo import forget
from rfstudio.core.network.architecture import (
    Architecture,
    Item,
    Layer,
    Repeat,
    Residual,
)
from rfstudio.core.ops import Op

COPIES = 30


def _network(*layers: Item, size: tuple[int, ...] = (40, 3)) -> Architecture:
    return Architecture("many patterns", input_size=size, channels=2, layers=layers)


def _copies(*operations: Op) -> Repeat:
    return Repeat(COPIES, tuple(map(Layer, operations)))


def _calls(of: object, name: str, work: Callable[[], object]) -> int:
    """Return how often a function is called while something is worked out anew."""
    real, calls = getattr(of, name), []

    def counted(*args, **options):
        calls.append(name)
        return real(*args, **options)

    forget()
    with patch.object(of, name, counted):
        work()
    return len(calls)


LARGER = ops.ConvTranspose(kernel_size=7, output_padding=1, out_channels=1)
TILES = ops.Tile(repeats=(2, 3)), ops.Custom(kernel_size=3, stride=5), ops.Tile(repeats=3)
HOSTILE = {
    "growing": _network(*map(Layer, TILES), _copies(LARGER)),
    "shrinking": _network(
        *map(Layer, TILES), _copies(ops.Conv(kernel_size=(3, 1))), size=(200, 90)
    ),
    "dilated": _network(
        _copies(ops.ConvTranspose(kernel_size=3, output_padding=2, dilation=5, out_channels=2)),
        size=(1, 224, 3),
    ),
    "insets": _network(_copies(ops.Inset(before=3, after=1)), size=(40, 6, 17)),
    "merges": _network(
        *map(Layer, TILES),
        Repeat(
            COPIES,
            (
                Residual(
                    (Layer(LARGER), Layer(ops.Crop(margins=3))),
                ),
            ),
        ),
    ),
    "upsampled": _network(_copies(ops.Upsample(scale_factor=1.25)), size=(7, 9)),
}
"""The most work of those that a generator of such networks found, with less copies."""


@pytest.mark.parametrize("kind", HOSTILE)
def test_that_a_pattern_is_looked_up_once_for_all_taps_of_all_units(kind: str) -> None:
    """Tap by tap, a window of seven took seven times the steps."""
    network = HOSTILE[kind]
    layers, axes = len(analyze(network)), network.axes
    # For each layer and axis once for itself, and once where it is merged with another.
    assert _calls(Track, "bounds", lambda: analyze(network)) <= 2 * axes * layers


def test_that_what_is_after_a_pattern_is_remembered_once() -> None:
    """As a field and as a track, the bytes of both were counted in each of 10,000 steps."""
    network = HOSTILE["growing"]
    counted = _calls(memo, "bytes_of", lambda: analyze(network))
    # For each layer and axis the field, and the table of the numbers of its track.
    assert COPIES <= counted <= 2 * network.axes * COPIES + 20


def test_that_patterns_of_one_phase_are_windows() -> None:
    network = HOSTILE["dilated"]
    assert not _calls(field, "_through_pattern", lambda: analyze(network))
    # Each of these reads three samples that lie five apart.
    assert analyze(network).layers[-1].rf_size == (1 + COPIES * 10,) * 3


@pytest.mark.parametrize("seed", range(60))
def test_that_a_pattern_of_one_phase_is_gone_through_as_any_other(seed: int) -> None:
    rng = random.Random(seed)
    jump, first, size = rng.randint(-4, 4), rng.randint(-9, 9), rng.randint(0, 5)
    before = AxisField((Track(jump, (first,), (first + size,)),))
    taps = tuple(sorted(rng.sample(range(-6, 9), rng.randint(0, 4))))
    rule = Periodic(9, 9, rng.randint(-3, 3), (taps,), by_size=rng.random() < 0.5)
    assert through(before, rule) == field._through_periodic(before, rule)


@pytest.mark.parametrize("seed", range(40))
def test_that_reads_at_one_go_are_those_tap_by_tap(seed: int) -> None:
    rng = random.Random(seed)
    period = rng.randint(1, 6)
    first = [rng.choice((None, *range(9))) for _ in range(period)]
    last = tuple([None if x is None else x + rng.randint(0, 5) for x in first])
    track = Track(rng.randint(-7, 9), tuple(first), last)
    rule: Window | Periodic = Window(20, 20, rng.randint(1, 7), rng.randint(1, 3), 2, before=3)
    if rng.random() < 0.7:
        phases = [tuple(sorted(rng.sample(range(-3, 12), rng.randint(0, 5)))) for _ in range(3)]
        rule = Periodic(20, 20, rng.randint(-4, 6), tuple(phases[: rng.randint(1, 3)]))
    units = np.arange(-5, 25)
    found = []
    for most in (0, 1 << 20):
        with patch.object(field, "_AT_ONE_GO", most):
            bounds = field._hulls(track, rule, units)
            found.append(np.where(bounds[0] <= bounds[1], bounds, 0).tolist())
    assert found[0] == found[1]


def test_that_of_a_unit_that_is_too_much_to_follow_one_region_is_made() -> None:
    """Of each of 5,000 maps one was made, and all but that of the input were thrown away."""
    analysis = analyze(HOSTILE["growing"])
    with patch.object(backtrace, "_walk_from", side_effect=TooLargeError("")):
        made = _calls(backtrace, "Region", lambda: analysis.unit(analysis.layers[-1].name))
    assert made == 1


@pytest.mark.parametrize("seed", range(60))
def test_that_short_patterns_are_counted_one_by_one_as_all_at_once(seed: int) -> None:
    rng = random.Random(seed)
    phases = [tuple(sorted(rng.sample(range(-9, 12), rng.randint(0, 4)))) for _ in range(3)]
    if not any(phases):
        return
    advance = rng.choice((-3, -1, 1, 2, 4))
    rule = Periodic(rng.randint(1, 12), rng.randint(0, 15), advance, tuple(phases))
    low, high = rng.randint(-2, 5), rng.randint(3, 12)
    found = []
    for few in (0, 16):
        with patch.object(interior, "_FEW", few), patch.object(diagnostics, "_FEW", few):
            first, last = interior._inside((low, high), rule)
            inside = (first, last) if first <= last else None
            found.append((inside, diagnostics._blind_units(rule)))
    assert found[0] == found[1]
