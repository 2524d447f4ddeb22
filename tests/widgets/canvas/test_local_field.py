"""Where a gate makes a unit see everything, the canvas shows the local field beside it."""

from dataclasses import replace

import pytest

from rfstudio.app.studio import Studio
from rfstudio.app.wording.facts import layer_facts
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.formats.networks.presets import read_preset
from rfstudio.widgets.canvas.canvas import Canvas


def _network(gate: bool) -> Architecture:
    conv = Layer(ops.Conv(kernel_size=3, padding=1))
    between = (Layer(ops.SqueezeExcite(reduction=1), "gate"),) if gate else ()
    return Architecture("gated", "", "", (32, 32), 4, (conv, *between, conv))


def _canvas(qtbot, settings, network: Architecture) -> Canvas:
    studio = Studio(network, settings=settings)
    canvas = Canvas(studio.analysis, studio.selection, studio.images, studio.erf, settings=settings)
    qtbot.addWidget(canvas)
    canvas.setProperty("studio", studio)
    return canvas


def test_that_the_frame_and_the_words_name_gate_and_local_field(qtbot, settings) -> None:
    canvas = _canvas(qtbot, settings, _network(gate=True))
    assert "through <b>gate</b>; locally" in canvas.caption.text()
    assert "5×5" in canvas.caption.text()
    assert canvas.view.item.scene_shown.local is not None


def test_that_what_reaches_a_unit_behind_a_gate_is_said_of_the_input(qtbot, settings) -> None:
    canvas = _canvas(qtbot, settings, _network(gate=True))
    # The frame that is named before this sentence is but the local one.
    assert "All of the input reaches the unit" in canvas.caption.text()
    canvas = _canvas(qtbot, settings, _network(gate=False))
    assert "All of it reaches the unit" in canvas.caption.text()


def test_that_without_a_gate_there_is_one_frame(qtbot, settings) -> None:
    canvas = _canvas(qtbot, settings, _network(gate=False))
    assert "locally" not in canvas.caption.text()


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        # Public question A: a layer of the end of the net, as other presets do.
        ("efficientnet_b0", "head"),
        ("mobilenet_v3_large", "last.conv"),
        ("vit_b16", "encoder.11.mlp.fc2"),
        ("resnet50", "layer4.rest.1.conv3"),
        # The last convolution is but one of four branches: 1247 of 1311 pixels.
        ("inception_v3", "Mixed_7c.concat"),
    ],
)
def test_that_presets_open_on_a_layer_of_their_end(qtbot, settings, name, layer) -> None:
    studio = Studio(read_preset(name), settings=settings)
    chosen = studio.analysis.analysis[studio.selection.layer]
    assert chosen.local is not None
    assert chosen.name == layer


def test_that_the_words_and_the_inspector_name_the_same_gates_first(qtbot, settings) -> None:
    one = _network(gate=True)
    gates = replace(one, layers=(*one.layers, replace(one.layers[1], name="last"), one.layers[0]))
    canvas = _canvas(qtbot, settings, gates)
    canvas.resize(1600, 600)  # room for the whole sentence
    canvas.show()
    analysis = canvas.property("studio").analysis.analysis
    layer = analysis.at(len(analysis.graph.nodes) - 1)
    (through,) = (x.text for x in layer_facts(layer) if x.label == "through")
    first = layer.context[0]
    assert f"through <b>{first} and {len(layer.context) - 1} more</b>" in canvas.caption.text()
    assert through.startswith(first)
