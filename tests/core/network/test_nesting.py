"""Containers in each other: as deep as is allowed, all goes through them; deeper is refused."""

from __future__ import annotations

import copy
import json
import pickle
import random
from collections.abc import Callable

import pytest

from rfstudio.core import ops
from rfstudio.core.editing.rearranging import check_move, insert, move, wrap
from rfstudio.core.errors import EditError, GraphError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import (
    MAX_NESTED,
    Architecture,
    Branch,
    Item,
    Layer,
    Parallel,
    Repeat,
    Residual,
    Sequence,
    walk,
)
from rfstudio.core.network.folding import depth_of
from rfstudio.figures.diagram import boxes_of
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.tables.analysis_tables import analysis_json, analysis_table

CONV = Layer(ops.Conv(kernel_size=3, padding=1, out_channels=3), "inner")
KINDS: dict[str, Callable[[Item], Item]] = {
    "sequence": lambda x: Sequence((x,)),
    "residual": lambda x: Residual((x,)),
    "shortcut": lambda x: Residual((Layer(ops.Relu()),), (x,)),
    "parallel": lambda x: Parallel((Branch((x,)), Branch()), "add"),
    "repeat": lambda x: Repeat(1, (x,)),
}


def _nested(kind: str, times: int) -> Item:
    item: Item = CONV
    for _ in range(times):
        item = KINDS[kind](item)
    return item


def _network(kind: str, times: int = MAX_NESTED) -> Architecture:
    return Architecture(input_size=(9, 9), layers=(_nested(kind, times),))


@pytest.mark.parametrize("kind", KINDS)
def test_that_one_container_too_many_is_refused_with_its_place(kind: str) -> None:
    """400 parallels in each other ended in a RecursionError of the analysis."""
    inner = _nested(kind, MAX_NESTED)
    with pytest.raises(GraphError, match=r"not 51 from \w+ down to (conv 'inner'|relu)"):
        KINDS[kind](inner)
    with pytest.raises(GraphError, match="not 51 from sequence 'outer' down to"):
        Sequence((Layer(ops.Relu()), inner), "outer")


@pytest.mark.parametrize("kind", KINDS)
def test_that_all_goes_through_containers_as_deep_as_is_allowed(kind: str) -> None:
    network = _network(kind)
    assert len(list(walk(network))) > MAX_NESTED
    analysis = analyze(network)
    # Each sum around it doubles what came before, at the same place.
    assert analysis.layers[-1].rf_size == (3, 3)
    assert analysis.diagnostics is not None
    assert depth_of(analysis.graph) <= MAX_NESTED
    assert analysis_table(analysis.layers)
    assert json.loads(analysis_json(analysis))
    assert boxes_of(analysis)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_that_python_itself_goes_through_such_containers(kind: str) -> None:
    network = _network(kind)
    assert network == _network(kind)
    assert hash(network) == hash(_network(kind))
    assert repr(network)
    assert repr(network.layers)
    assert copy.deepcopy(network) == copy.copy(network) == network
    assert pickle.loads(pickle.dumps(network)) == network
    assert copy.deepcopy(network).layers[0].height == MAX_NESTED


@pytest.mark.parametrize("kind", KINDS)
def test_that_such_containers_are_edited(kind: str) -> None:
    network = _network(kind)
    more = insert(network, (0,), (Layer(ops.Relu()),))
    assert [x.height for x in more.layers] == [0, MAX_NESTED]


INNERMOST = (0,) * (2 * MAX_NESTED + 1)


@pytest.mark.parametrize(
    ("edit", "name"),
    [
        (lambda x: wrap(x, [(0,)], "repeat"), "outer"),
        (lambda x: wrap(x, [INNERMOST], "parallel"), "inner"),
        (lambda x: insert(x, INNERMOST, (Sequence(name="more"),)), "more"),
        (lambda x: move(x, [(1,)], INNERMOST), "more"),
        (lambda x: check_move(x, [(1,)], INNERMOST), "more"),
    ],
)
def test_that_an_edit_that_nests_too_deep_is_refused_with_the_name_of_the_item(edit, name) -> None:
    """The names were those in the middle of an edit, such as ``sequence '\\x0078'``."""
    outer = Sequence((_nested("residual", MAX_NESTED - 1),), "outer")
    network = Architecture(input_size=(9, 9), layers=(outer, Sequence(name="more")))
    with pytest.raises(EditError, match=f"not 51 with '{name}'"):
        edit(network)
    assert move(network, [(1,)], INNERMOST[:-2]).layers[0].height == MAX_NESTED


@pytest.mark.parametrize("kind", KINDS)
def test_that_a_file_holds_containers_as_deep_as_is_allowed(kind: str) -> None:
    """A nested U-Net of eight levels, as that of pix2pix, could be imported but not saved."""
    network = _network(kind)
    assert read_yaml(write_yaml(network).encode()) == network


def test_that_a_container_knows_how_many_are_in_each_other_in_it() -> None:
    rng = random.Random(0)
    item: Item = CONV
    assert item.height == 0
    for height in range(1, 12):
        item = KINDS[rng.choice(list(KINDS))](item)
        assert item.height == height
