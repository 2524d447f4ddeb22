"""An analysis that starts from an earlier one equals one that starts from nothing."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from rfstudio.core import ops
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network.architecture import Architecture, Layer
from tests.core.random_networks import random_network
from tests.narrowing import instance


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
