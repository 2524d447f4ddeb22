"""Random edits of random documents, held against what they must mean."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from rfstudio.core import ops
from rfstudio.core.editing import edits, references
from rfstudio.core.errors import EditError
from rfstudio.core.network.architecture import Architecture, Layer, Location, walk
from rfstudio.core.network.expansion import expand
from tests.core.editing.random_documents import random_document

_SEEDS = [range(i, i + 50) for i in range(0, 200, 50)]


def _places(network: Architecture, chance: random.Random) -> list[Location]:
    places = [location for location, _ in walk(network)]
    return chance.sample(places, chance.randint(1, min(len(places), 8)))


def _one_by_one(network: Architecture, places: list[Location]) -> Architecture:
    for place in reversed(edits.outermost(places)):
        network = edits.delete(network, [place])
    return network


@pytest.mark.parametrize("seeds", _SEEDS, ids=str)
def test_that_deleting_many_items_is_deleting_one_after_the_other(seeds: range) -> None:
    compared = 0
    for seed in seeds:
        chance = random.Random(seed)
        network = random_document(chance)
        places = _places(network, chance)
        try:
            expected = _one_by_one(network, places)
        except EditError:
            continue  # the names between two edits may be taken, or mean something else
        assert edits.delete(network, places) == expected, seed
        compared += 1
    assert compared > len(seeds) / 2


_NAMING = {"unknown_source", "later_source", "duplicate_name", "bad_name"}


def _read_by_name(network: Architecture) -> Counter[tuple[int, ...]]:
    """Return each layer with `from` and what it reads, as the identities of their operations."""
    nodes = expand(network).nodes
    reading = {x for x, item in walk(network) if isinstance(item, Layer) and item.inputs}
    return Counter(
        (id(node.op), *(id(nodes[x].op) for x in node.inputs))
        for node in nodes
        if node.location in reading
    )


def _with_own_operations(network: Architecture) -> Architecture:
    """Return a network in which no two layers share the object of their operation."""
    for place, item in walk(network):
        if isinstance(item, Layer) and not isinstance(item.op, ops.Upsample):
            network = edits.set_op(network, place, replace(item.op))
    return network


@pytest.mark.parametrize("seeds", _SEEDS, ids=str)
def test_that_what_is_read_by_name_stays_what_it_was(seeds: range) -> None:
    done = 0
    for seed in seeds:
        chance = random.Random(seed)
        network = _with_own_operations(random_document(chance))
        if _NAMING & {x.code for x in expand(network).faults}:
            continue
        before = _read_by_name(network)
        place = _places(network, chance)[0]
        items = (Layer(ops.Relu(), chance.choice(["", "a", "relu1"])),)
        many: list[Callable[[Architecture], Architecture]] = [
            partial(edits.rename, location=place, name=chance.choice(["", "new", "b"])),
            partial(edits.insert, location=place, items=items),
            partial(edits.wrap, locations=[place], kind="sequence"),
        ]
        for edit in many:
            try:
                after = edit(network)
            except EditError:
                continue
            assert _read_by_name(after) == before, seed
            done += 1
    assert done


def _calls(work: Callable[[], object]) -> int:
    """Return how many Python functions some work calls."""
    count = 0

    def note(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def test_that_deleting_many_layers_takes_no_longer_than_deleting_one() -> None:
    conv = ops.Conv(out_channels=3, kernel_size=3, padding=1)
    layers = tuple(
        Layer(op, f"{op.keyword}{i}", (f"conv{i - 1}",) if i and op is conv else ())
        for i in range(100)
        for op in (conv, ops.Relu())
    )
    network = Architecture(layers=layers)
    every_other = [(i,) for i in range(1, 200, 2)]
    one = _calls(lambda: edits.delete(network, [(199,)]))
    assert _calls(lambda: edits.delete(network, every_other)) < 2 * one
    last = [(i,) for i in range(1, 198)]
    assert _calls(lambda: edits.delete(network, last)) < 2 * one


def test_that_turns_are_looked_for_only_where_a_repeat_is_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:

    asked: list[object] = []
    find = references._turns_named

    def counted(*arguments: Any) -> Any:
        asked.append(arguments)
        return find(*arguments)

    monkeypatch.setattr(references, "_turns_named", counted)
    edits.insert(Architecture(layers=(Layer(ops.Relu()),)), (0,), (Layer(ops.Relu()),))
    assert not asked
