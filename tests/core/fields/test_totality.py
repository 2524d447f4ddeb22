"""No document is refused: every tree has an analysis, and every unit of it an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfstudio.core.errors import UnitError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer, Repeat
from rfstudio.formats.networks.presets import read_preset
from tests.each_preset import each_preset
from tests.narrowing import instance
from tests.strategies import architectures, drafts


@given(st.one_of(drafts(), architectures()), st.booleans(), st.integers(0, 2**31))
def test_that_every_tree_has_an_analysis(architecture, training, choice) -> None:
    analysis = analyze(architecture, batch_norm_training=training)
    for layer in analysis.layers:
        assert len(layer.rf_size) == len(layer.jump) == len(layer.output_size)
        assert layer.parameters >= 0
        assert layer.macs >= 0
    assert all(x.message and x.code for x in analysis.diagnostics)
    if not analysis.layers:
        return
    layer = analysis.layers[choice % len(analysis.layers)]
    if 0 in layer.output_size:
        with pytest.raises(UnitError, match="empty"):
            analysis.unit(layer.name)
        return
    unit = analysis.unit(layer.name)
    assert 0 <= unit.coverage <= 1
    assert 0 <= unit.gridding < 1


@given(architectures(), st.integers(0, 2**31))
def test_that_every_map_can_be_the_reference(architecture, choice) -> None:
    graph = analyze(architecture).graph
    node = graph.nodes[choice % len(graph.nodes)]
    analysis = analyze(architecture, reference=node.name)
    own = analysis.at(node.index)
    assert own.rf_size == own.jump == (1,) * architecture.axes
    for layer in analysis.layers[: max(node.index - 1, 0)]:
        assert layer.rf_size == (0,) * architecture.axes


@pytest.mark.parametrize("name", each_preset())
def test_that_presets_answer_at_sizes_that_they_were_not_made_for(name: str) -> None:
    architecture = read_preset(name)
    axes = architecture.axes
    for size in (1, 7, 33, 130):
        analysis = analyze(architecture, input_size=(size, size + 1, size + 2)[:axes])
        assert analysis.diagnostics is not None
        for layer in analysis.layers[:: max(len(analysis.layers) // 5, 1)]:
            if 0 not in layer.output_size:
                assert analysis.unit(layer.name).support_count >= 0


def test_that_a_document_without_layers_has_an_analysis() -> None:
    analysis = analyze(Architecture(layers=()))
    assert analysis.layers == ()
    assert analysis.diagnostics == ()
    assert analysis.unit("input", (3, 4)).visible_region == ((3, 3), (4, 4))


def test_that_a_reference_in_the_middle_gives_the_field_from_there() -> None:
    vgg = read_preset("vgg16")
    analysis = analyze(vgg, reference="pool2")
    # Two 3×3 convolutions see 5 samples of the pool before them.
    assert analysis["conv3_2"].rf_size == (5, 5)
    assert analysis["conv3_2"].jump == (1, 1)
    assert analysis.unit("conv3_2", (0, 0)).visible_region == ((0, 2), (0, 2))
    assert analysis["conv1_1"].rf_size == (0, 0)


@pytest.mark.slow
def test_that_a_repeat_of_a_billion_is_cut_off_and_named() -> None:
    items = read_preset("resnet18").layers
    (repeat,) = (instance(Repeat, x) for x in items if x.name == "layer1")
    analysis = analyze(Architecture(layers=(replace(repeat, times=10**9),), channels=64))
    assert any(x.code == "too_many_layers" for x in analysis.diagnostics)


def test_that_nested_repeats_without_layers_end() -> None:
    item = instance(Layer, read_preset("vgg16").layers[0])
    item = Layer(item.op)
    body: tuple[Repeat, ...] = ()
    for _ in range(12):
        layers = read_preset("resnet18").layers
        repeat = next(instance(Repeat, x) for x in layers if x.name == "layer1")
        body = (replace(repeat, name="", times=1000, layers=body),)
    analysis = analyze(Architecture(layers=(item, *body)))
    assert analysis.layers[0].rf_size == (3, 3)
