"""Automatic names never repeat given ones, wherever in their scope those are given."""

from __future__ import annotations

import difflib
import random
from unittest.mock import patch

from rfstudio.core import ops
from rfstudio.core.editing.edits import rename
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Layer,
    Parallel,
    Repeat,
    Residual,
    Sequence,
)
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph_wording import nearest

_RATIO = difflib.SequenceMatcher.ratio

CONV = Layer(ops.Conv(kernel_size=3, padding=1))
RELU = Layer(ops.Relu())


def _named(name: str) -> Layer:
    return Layer(CONV.op, name)


def _names(*items) -> list[str]:
    graph = expand(Architecture("names", "", "", (64, 64), 3, items))
    assert graph.faults == ()
    return [x.name for x in graph.nodes[1:]]


def test_that_an_unnamed_layer_takes_the_next_free_number() -> None:
    # H_names of the public questions: 58×58 and a field of 7 after three 3×3 windows.
    conv = ops.Conv(kernel_size=3)
    items = (Layer(conv, "conv2"), RELU, Layer(conv), Layer(conv))
    assert _names(*items) == ["conv2", "relu1", "conv1", "conv3"]
    last = analyze(Architecture("H", "", "", (64, 64), 3, items)).layers[-1]
    assert (last.output_size, last.rf_size) == ((58, 58), (7, 7))


def test_that_names_given_further_down_count_as_well() -> None:
    assert _names(CONV, CONV, _named("conv1")) == ["conv2", "conv3", "conv1"]


def test_that_each_scope_counts_for_itself() -> None:
    inner = Sequence((CONV, _named("conv1")), "block")
    assert _names(CONV, inner) == ["conv1", "block.conv2", "block.conv1"]


def test_that_unnamed_containers_belong_to_the_scope_around_them() -> None:
    residual = Residual((_named("conv1"),), (_named("add1"),))
    assert _names(CONV, residual) == ["conv2", "conv1", "add1", "add2"]


def test_that_names_of_containers_and_branches_count() -> None:
    branches = (Branch((CONV,), "conv1"), Branch((CONV,)))
    assert _names(Parallel(branches), CONV) == ["conv1.conv1", "conv2", "concat1", "conv3"]


def test_that_every_turn_of_a_repeat_gives_way() -> None:
    assert _names(Repeat(2, (CONV, _named("conv1")), "r")) == [
        "r.0.conv2",
        "r.0.conv1",
        "r.1.conv2",
        "r.1.conv1",
    ]


def test_that_links_to_automatic_names_follow_when_a_name_is_given() -> None:
    reader = Layer(ops.Add(), "sum", ("conv1", "conv2"))
    network = Architecture("links", "", "", (64, 64), 3, (CONV, CONV, CONV, reader))
    changed = rename(network, (2,), "conv1")
    graph = expand(changed)
    assert graph.faults == ()
    assert graph.nodes[-1].inputs == expand(network).nodes[-1].inputs


def test_that_the_nearest_name_is_that_of_difflib_and_each_is_compared_once() -> None:
    rng = random.Random(3)
    for _ in range(100):
        wanted, known = "".join(rng.choices("abc1.", k=rng.randint(1, 6))), dict[str, float]()
        names: list[str] = []
        for _ in range(4):
            names += ["".join(rng.choices("abc1.", k=rng.randint(1, 7))) for _ in range(6)]
            expected = difflib.get_close_matches(wanted, names, n=1)
            counted = patch.object(
                difflib.SequenceMatcher, "ratio", autospec=True, side_effect=_RATIO
            )
            with counted as compared:
                assert nearest(wanted, names, known) == (expected[0] if expected else None)
            assert compared.call_count <= 6
