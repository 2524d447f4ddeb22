"""Edits of long chains of merges that read by name, whose sources could double with each one."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from rfstudio.core import ops
from rfstudio.core.editing import edits, rearranging
from rfstudio.core.errors import EditError
from rfstudio.core.network.architecture import Architecture, Item, Layer, Location
from rfstudio.core.network.expansion import expand

_CONV = ops.Conv(out_channels=3, kernel_size=3, padding=1)

_COUNTS = [10, 100, 500, pytest.param(2000, marks=pytest.mark.slow)]

Chain = Callable[[int], Architecture]


def _blocks(count: int) -> Architecture:
    """Return blocks that end with a merge of two layers in them."""
    layers: list[Item] = []
    for i in range(count):
        both = (f"relu{i}", f"conv{i}")
        relu = Layer(ops.Relu(), f"relu{i}")
        layers += [Layer(_CONV, f"conv{i}"), relu, Layer(ops.Add(), f"add{i}", both)]
    return Architecture(layers=tuple(layers))


def _shortcuts(count: int) -> Architecture:
    """Return blocks that end with a merge of a layer in them and of the merge before."""
    layers: list[Item] = [Layer(_CONV, "add0")]
    for i in range(1, count + 1):
        both = (f"conv{i}", f"add{i - 1}")
        layers += [Layer(_CONV, f"conv{i}"), Layer(ops.Add(), f"add{i}", both)]
    return Architecture(layers=tuple(layers))


def _dense(count: int) -> Architecture:
    """Return layers that read all before them, through merges of merges."""
    layers: list[Item] = [Layer(_CONV, "cat0")]
    for i in range(1, count + 1):
        both = (f"cat{i - 1}", f"conv{i}")
        layers += [Layer(_CONV, f"conv{i}"), Layer(ops.Concat(), f"cat{i}", both)]
    return Architecture(layers=tuple(layers))


def _reads(network: Architecture) -> dict[str, tuple[str, ...]]:
    nodes = expand(network).nodes
    return {x.name: tuple(nodes[j].name for j in x.inputs) for x in nodes[1:]}


def _merges(network: Architecture) -> list[Location]:
    items = enumerate(network.layers)
    return [(i,) for i, x in items if isinstance(x, Layer) and x.op.merges]


@pytest.mark.parametrize("count", _COUNTS)
@pytest.mark.parametrize("chain", [_blocks, _shortcuts, _dense])
def test_that_no_deletion_of_a_chain_makes_its_sources_double(chain: Chain, count: int) -> None:
    network = chain(count)
    all_ = [(i,) for i in range(len(network.layers))]
    merges = _merges(network)
    others = [x for x in all_ if x not in set(merges)]
    half = len(all_) // 2
    for gone in (all_[:half], all_[half:], all_[:-1], all_[::2], all_[1::2], merges, others, all_):
        after = edits.delete(network, gone)
        assert len(after.layers) == len(all_) - len(gone)
        reads = _reads(after).values()
        assert sum(map(len, reads)) <= 3 * len(all_)


@pytest.mark.parametrize("count", _COUNTS)
def test_that_a_chain_of_deleted_blocks_passes_on_what_it_read_twice_at_most(count: int) -> None:
    blocks = _blocks(count).layers
    last = Layer(ops.Concat(), "last", (f"add{count - 1}", "stem"))
    network = Architecture(layers=(Layer(_CONV, "stem"), *blocks, last))
    after = edits.delete(network, [(i,) for i in range(1, len(network.layers) - 1)])
    assert _reads(after)["last"] == ("stem", "stem", "stem")
    merge = Layer(ops.Concat(), "last", (f"add{count - 1}",))
    network = Architecture(layers=(Layer(_CONV, "stem"), *blocks, merge))
    after = edits.delete(network, [(i,) for i in range(1, len(network.layers) - 1)])
    assert _reads(after)["last"] == ("stem", "stem")


def test_that_a_merge_reads_what_deleted_merges_read_in_their_order() -> None:
    network = _dense(50)
    after = edits.delete(network, _merges(network)[:-1])
    assert _reads(after)["cat50"] == ("cat0", *(f"conv{i}" for i in range(1, 51)))


@pytest.mark.parametrize("count", _COUNTS)
@pytest.mark.parametrize("chain", [_blocks, _shortcuts, _dense])
def test_that_a_chain_is_copied_wrapped_and_unwrapped_as_it_is(chain: Chain, count: int) -> None:
    network = chain(count)
    half = [(i,) for i in range(len(network.layers) // 2)]
    before = _reads(network)
    copied = _reads(edits.duplicate(network, half))
    assert len(copied) == len(before) + len(half)
    assert max(map(len, copied.values())) == 2
    pasted = _reads(edits.insert(network, (len(half),), network.layers[: len(half)]))
    assert len(pasted) == len(copied)
    for kind in ("sequence", "residual", "parallel", "repeat"):
        wrapped = edits.wrap(network, half, kind)
        assert edits.unwrap(wrapped, (0,)) == network
        gone = edits.delete(wrapped, [(0,)])
        assert len(gone.layers) == len(network.layers) - len(half)


def test_that_a_merge_that_would_read_thousands_is_named_and_nothing_changes() -> None:
    network = _dense(1100)
    merges = _merges(network)
    with pytest.raises(EditError, match=r"'cat1100' would read .* more than 1,000 .*delete it too"):
        edits.delete(network, merges[:-1])
    assert len(edits.delete(network, merges).layers) == 1101
    assert _reads(edits.delete(network, merges[1000:-1]))["cat1100"][0] == "cat1000"


def test_that_many_readers_of_a_chain_get_no_more_than_they_may_together() -> None:
    layers: list[Item] = list(_dense(300).layers)
    layers += [Layer(ops.Add(), f"sum{i}", (f"cat{i}", "cat0")) for i in range(1, 301)]
    network = Architecture(layers=tuple(layers))
    gone = [x for x in _merges(network) if x[0] < 601]
    with pytest.raises(EditError, match=r"'sum\d+' would read .* 20,000 with other"):
        edits.delete(network, gone)
    assert len(edits.delete(network, gone[:100]).layers) == len(layers) - 100


def test_that_what_a_layer_has_read_itself_is_kept_however_often() -> None:
    merge = Layer(ops.Concat(), "all", ("a", "a", "a", "b", "a"))
    network = Architecture(layers=(Layer(_CONV, "a"), Layer(_CONV, "b"), merge))
    assert _reads(edits.delete(network, [(1,)]))["all"] == ("a",) * 5


def test_that_thousands_of_copies_get_names_without_trying_all_numbers() -> None:
    class Counted(set[str]):
        asked = 0

        def __contains__(self, path: object) -> bool:
            self.asked += 1
            return super().__contains__(path)

    paths = Counted(f"a.conv{i}" for i in range(2000))
    taken = rearranging._Taken(paths)
    names = []
    for i in range(2000):
        names.append(taken.free(f"conv{i}", "a."))
        paths.add(f"a.{names[-1]}")
    assert names == [f"conv{2000 + i}" for i in range(2000)]
    assert paths.asked < 20_000


def test_that_copies_get_the_next_number_that_is_free() -> None:
    chance = random.Random(0)
    paths = {f"x{i}" for i in chance.sample(range(60), 30)} | {"x", "y7"}
    taken = rearranging._Taken(set(paths))
    for name in chance.choices(["x", "x0", "x5", "x31", "y7", "y007", "z"], k=200):
        free = taken.free(name, "")
        if name not in paths:
            assert free == name
        else:
            stem, number = name.rstrip("0123456789"), name.lstrip("xyz")
            numbers = range(int(number or 2), 1000)
            assert free == next(f"{stem}{i}" for i in numbers if f"{stem}{i}" not in paths)
        paths.add(free)
        taken.paths.add(free)
