"""Turns of a repeat that are copied from the turn before: the same graph as if each was added."""

from __future__ import annotations

import random
from typing import Any
from unittest.mock import patch

import pytest

from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Item,
    Layer,
    Parallel,
    Repeat,
    Residual,
    Sequence,
)
from rfstudio.core.network.expansion import RECENT_GRAPHS, Expansion, expand


def _layer(rng: random.Random) -> Item:
    name = rng.choice(("", "", "", "a", "b", "0", "1.x"))
    op: Any = rng.choice(
        (
            ops.Conv(kernel_size=3, padding=1),
            ops.Conv(kernel_size=3, padding=rng.randint(0, 2), out_channels=rng.choice((4, 8))),
            ops.Relu(),
            ops.Upsample(scale_factor=2),
            ops.MaxPool(kernel_size=2),
            ops.Attention(heads=1),
            ops.Split.usual(),
            ops.Add(),
            ops.Concat(),
            ops.Concat(axis=0),
            ops.Custom(label="odd"),
            ops.Linear(out_features=4),
        )
    )
    inputs: tuple[str, ...] = ()
    if op.merges or rng.random() < 0.05:
        inputs = tuple(rng.choices(("input", "a", "b", "relu1", "0", "s.a", "1.a"), k=2))
    shared = rng.choice(("a", "conv1", "1.a")) if rng.random() < 0.05 else ""
    return Layer(op, name, inputs, shared)


def _item(rng: random.Random, depth: int) -> Item:
    if not depth or rng.random() < 0.4:
        return _layer(rng)
    body = tuple([_item(rng, depth - 1) for _ in range(rng.randint(0, 3))])
    name = rng.choice(("", "", "s", "t", "2"))
    match rng.randrange(6):
        case 0:
            return Sequence(body, name)
        case 1:
            return Residual(body, (), name)
        case 2:
            branches = (Branch(body, rng.choice(("", "p"))), Branch())
            return Parallel(branches, rng.choice(("add", "concat")), name)
        case _:
            scale: tuple[tuple[str, int], ...] = ()
            if rng.random() < 0.3:
                scale = ((rng.choice(("dilation", "padding", "kernel_size")), rng.choice((1, 2))),)
            return Repeat(rng.choice((2, 3, 4, 9)), body, name, scale)


def _facts(architecture: Architecture, most: int) -> tuple[object, ...]:
    RECENT_GRAPHS.clear()
    try:
        graph = expand(architecture, max_layers=most)
    except RFStudioError as error:
        return (str(error),)
    pairs = [list(x.items()) for x in (graph.paths, graph.sized_by, graph.weights_of)]
    return graph.nodes, graph.faults, graph.grown, graph.form is None, *pairs


@pytest.mark.parametrize(
    ("first", "stop"), [(0, 25), pytest.param(25, 400, marks=pytest.mark.slow)]
)
def test_that_copied_turns_are_those_that_are_added_one_by_one(first: int, stop: int) -> None:
    copied = 0
    real = Expansion._copied

    def counted(*args: Any) -> int:
        nonlocal copied
        found = real(*args)
        copied += found
        return found

    for seed in range(first, stop):
        rng = random.Random(seed)
        items = tuple([_item(rng, 4) for _ in range(rng.randint(1, 4))])
        if rng.random() < 0.4:
            items = (Layer(ops.Tokens(extra=1)), *items)
        architecture = Architecture("turns", "", "", (8, 8), 4, items)
        most = rng.choice((30, 300))
        with patch.object(Expansion, "_copied", counted):
            found = _facts(architecture, most)
        with patch.object(Expansion, "_comes_again", lambda *_: False):
            assert found == _facts(architecture, most), seed
    assert copied > stop


def test_that_a_hundred_thousand_equal_layers_are_worked_out_twice_and_copied() -> None:
    architecture = Architecture(
        "deep", "", "", (8, 8), 4, (Repeat(20_000, (Layer(ops.Conv(kernel_size=3, padding=1)),)),)
    )
    with patch.object(Expansion, "_node", autospec=True, side_effect=Expansion._node) as worked_out:
        graph = expand(architecture)
    assert len(graph.nodes) == 20_001
    assert graph.nodes[-1].name == "19999.conv1"
    assert graph.nodes[-1].inputs == (19_999,)
    assert worked_out.call_count < 5


def test_that_turns_in_which_nothing_grows_are_copied_as_well() -> None:
    """70,000 layers with a factor for a parameter that they do not have took 1.2 s."""
    body = (Layer(ops.Relu()), Layer(ops.Conv(kernel_size=1)))
    repeat = Repeat(20_000, body, "", (("padding", 2), ("output_size", 3)))
    architecture = Architecture("deep", "", "", (8, 8), 4, (repeat,))
    with patch.object(Expansion, "_node", autospec=True, side_effect=Expansion._node) as worked_out:
        graph = expand(architecture)
    assert len(graph.nodes) == 40_001
    assert not graph.grown
    assert worked_out.call_count < 9
