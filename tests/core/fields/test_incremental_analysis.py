"""An analysis that starts from an earlier one equals one that starts from nothing."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import replace
from functools import partial
from operator import is_
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rfstudio.core import ops
from rfstudio.core.axes.unit_intervals import WideTrack
from rfstudio.core.editing import edits
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields import recurrence
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.fields.field import BEYOND
from rfstudio.core.network.architecture import (
    Architecture,
    Layer,
    Parallel,
    Repeat,
    item_at,
    walk,
)
from rfstudio.core.ops import Kind
from rfstudio.formats.networks.presets import read_preset
from tests.core.random_networks import random_network
from tests.narrowing import instance
from tests.strategies import drafts


def _edited(architecture: Architecture, rng: random.Random) -> Architecture:
    """Exchange, insert or delete one layer, whatever that breaks."""
    layers = list(architecture.layers)
    place = rng.randrange(len(layers))
    kind = rng.choice(["exchange", "insert", "delete", "resize"])
    if kind == "exchange":
        layer = instance(Layer, layers[place])
        layers[place] = replace(layer, op=ops.Conv(kernel_size=3, padding=rng.randint(0, 2)))
    elif kind == "insert":
        layers.insert(place, Layer(ops.MaxPool(kernel_size=2, stride=1)))
    elif kind == "delete":
        del layers[place]
    else:
        size = tuple(n + rng.randint(0, 2) for n in architecture.input_size)
        return replace(architecture, input_size=size)
    return replace(architecture, layers=tuple(layers))


def _facts(analysis: Analysis) -> tuple[object, ...]:
    nodes = [x[:7] for x in analysis.graph.nodes]
    diagnostics = analysis.diagnostics
    return nodes, analysis.fields, analysis.costs, analysis.misfits, diagnostics


@pytest.mark.parametrize("seed", range(40))
def test_that_a_chain_of_edits_gives_what_a_fresh_analysis_gives(seed: int) -> None:
    architecture, _ = random_network(seed)
    rng = random.Random(seed)
    analysis = analyze(architecture)
    for _ in range(6):
        if not architecture.layers:
            return
        architecture = _edited(architecture, rng)
        analysis = analyze(architecture, previous=analysis)
        assert _facts(analysis) == _facts(analyze(architecture))


def test_that_the_switch_of_batch_norm_is_not_taken_from_before() -> None:
    architecture = Architecture(layers=(Layer(ops.BatchNorm()), Layer(ops.Relu())))
    before = analyze(architecture)
    assert before["batch_norm1"].is_global == (False, False)
    after = analyze(architecture, batch_norm_training=True, previous=before)
    assert after["relu1"].is_global == (True, True)


_SIZES = (1, 2, 3, 5, 8)


def _changed(op: ops.Op, rng: random.Random, names: list[str]) -> ops.Op:
    """Return an operation with another value of one of its parameters, as forms set them."""
    known = ops.parameters(type(op))
    if not known:
        return op
    parameter = rng.choice(known)
    values: dict[Kind, list[Any]] = {
        Kind.SIZES: [1, 2, 3, 5],
        Kind.PADDING: [0, 1, 2, "same"],
        Kind.INTEGER: list(_SIZES),
        Kind.BOOLEAN: [False, True],
        Kind.LAYER: [None, *names],
        Kind.CHOICE: list(parameter.choices),
        Kind.GROUPS: [1, 2],
    }
    found = values.get(parameter.kind)
    if not found:
        return op
    return replace(op, **{parameter.name: rng.choice(found)})


def _edited_anywhere(architecture: Architecture, rng: random.Random) -> Architecture:
    """Do what an editor does somewhere in the tree, whatever that breaks."""
    places = [x for x, _ in walk(architecture)]
    kind = rng.choice(["parameter"] * 6 + ["input", "channels", "exchange", "insert", "delete"])
    if kind == "input" or not places:
        size = tuple(rng.choice([*_SIZES, 17, 32]) for _ in architecture.input_size)
        return edits.set_network(architecture, input_size=size)
    if kind == "channels":
        return edits.set_network(architecture, channels=rng.choice(_SIZES))
    place = rng.choice(places)
    item = item_at(architecture, place)
    names = ["input", *(x.name for _, x in walk(architecture) if x.name)]
    if kind == "insert":
        op = rng.choice([ops.MaxPool(kernel_size=2, stride=1), ops.Relu(), ops.Split(parts=2)])
        return edits.insert(architecture, place, [Layer(op, rng.choice(["", "x"]))])
    if kind == "delete":
        return edits.delete(architecture, [place])
    if isinstance(item, Repeat):
        scale = rng.choice([(), (("dilation", 2),)])
        if rng.random() < 0.5:
            return edits.set_scale(architecture, place, scale)
        return edits.set_times(architecture, place, rng.randint(1, 3))
    if isinstance(item, Parallel):
        return edits.set_merge(architecture, place, rng.choice(["concat", "add"]))
    if not isinstance(item, Layer):
        return edits.rename(architecture, place, rng.choice(["", "x", "y"]))
    if kind == "exchange":
        return edits.set_inputs(architecture, place, rng.sample(names, 1))
    return edits.set_op(architecture, place, _changed(item.op, rng, names))


def _comparable(value: object) -> object:
    """Return a value with what is compared by identity in the words of its numbers."""
    if isinstance(value, WideTrack):
        return value.jump, value.period, value.units, value.bounds(np.arange(9)).tolist()
    if isinstance(value, tuple):
        return tuple(map(_comparable, value))
    return value


def _all_facts(analysis: Analysis) -> tuple[object, ...]:
    graph = analysis.graph
    node = graph.nodes[-1]
    region = None
    if 0 not in node.size:
        with suppress(RFStudioError):
            region = analysis.unit(node.name).region
    return (
        (graph.nodes, dict(graph.paths), graph.faults),
        (dict(graph.sized_by), dict(graph.weights_of), graph.grown),
        _comparable((analysis.fields, analysis.local, analysis.misfits)),
        (analysis.costs, None if region is None else (region.hull, region.count)),
    )


def _follow_edits(architecture: Architecture, rng: random.Random, steps: int) -> None:
    """Compare after each of many edits, of which some are undone, in one mode or the other."""
    history = [architecture]
    is_training, reference = False, "input"
    analysis = analyze(architecture)
    for _ in range(steps):
        chance = rng.random()
        if chance < 0.15:
            architecture = rng.choice(history)
        elif chance < 0.2:
            is_training = not is_training
        elif chance < 0.25:
            reference = rng.choice([*analysis.graph.paths])
        else:
            with suppress(RFStudioError):
                architecture = _edited_anywhere(architecture, rng)
        history = [*history[-5:], architecture]
        analyze_now = partial(analyze, batch_norm_training=is_training)
        try:
            analysis = analyze_now(architecture, reference=reference, previous=analysis)
        except RFStudioError:  # the reference is gone
            reference = "input"
            analysis = analyze_now(architecture, previous=analysis)
        # Another object: the graph of one that was seen is remembered.
        fresh = analyze_now(replace(architecture), reference=reference)
        assert _all_facts(analysis) == _all_facts(fresh)


# The mark of bound documents, in a name, is for the editor to refuse.
_DRAFTS = drafts().filter(lambda x: "\\x00" not in repr(x))


@settings(max_examples=3)
@given(_DRAFTS, st.integers(0, 1 << 30))
def test_that_any_edit_of_a_draft_gives_what_a_fresh_analysis_gives(draft, seed) -> None:
    _follow_edits(draft, random.Random(seed), 5)


@pytest.mark.slow
@settings(max_examples=60)
@given(_DRAFTS, st.integers(0, 1 << 30))
def test_that_many_edits_of_drafts_give_what_a_fresh_analysis_gives(draft, seed) -> None:
    _follow_edits(draft, random.Random(seed), 20)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "inception_v3", "unet", "mobilenet_v2", "vgg16"])
def test_that_edits_of_a_preset_give_what_a_fresh_analysis_gives(name: str) -> None:
    _follow_edits(read_preset(name), random.Random(name), 60)


def test_that_an_edited_parameter_leaves_what_comes_before_it() -> None:
    network = read_preset("vgg16")
    before = analyze(network)
    place = before["conv4_1"].node.location
    op = instance(ops.Conv, before["conv4_1"].node.op)
    assert place is not None
    after = analyze(edits.set_op(network, place, replace(op, kernel_size=5)), previous=before)
    index = before.graph.index("conv4_1")
    assert all(map(is_, before.graph.nodes[:index], after.graph.nodes[:index]))
    assert after.graph.paths is before.graph.paths
    assert after["conv4_1"].node.size != before["conv4_1"].node.size


def test_that_a_field_beyond_the_work_is_worked_out_again_where_there_is_work_for_it() -> None:
    """The bound is on all patterns together, so what a layer before them takes is in it."""
    pools = [Layer(ops.AdaptiveAvgPool(output_size=n), f"p{n}") for n in (61, 67, 71, 73)]
    last = Layer(ops.PixelShuffle(upscale_factor=2), "last", ("input",))
    network = Architecture("n", "", "", (79, 79), 4, (*pools, last))
    edited = replace(network, layers=(*[Layer(ops.Relu())] * 4, last))
    with patch.object(recurrence, "MAX_ENTRIES", 2000):
        before = analyze(network)
        assert before.fields[-1][0] is BEYOND
        # The rule of the last layer, its index and the field of the input are those of before.
        after = analyze(edited, previous=before)
        assert after.fields == analyze(replace(edited)).fields
