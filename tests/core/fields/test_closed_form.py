"""The closed form written out with the numbers of a network, against the fields of one pass."""

from __future__ import annotations

import pytest

import rfstudio
from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.fields.field import closed_form
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.work import giving_way
from tests.core.random_networks import random_network


def _conv(kernel: int, name: str, *inputs: str, padding: int = 0) -> Layer:
    return Layer(ops.Conv(kernel_size=kernel, padding=padding), name, inputs)


# Sizes of the tables in tests/golden, and the paddings and centres that follow from them.
@pytest.mark.parametrize(
    ("network", "layer", "size", "jump", "padding"),
    [
        ("vgg16", "conv3_1", 24, 4, 10),
        ("vgg16", "pool5", 212, 32, 90),
        ("resnet50", "layer4", 427, 32, 213),
    ],
)
def test_that_the_sums_of_published_networks_are_put_in(
    network, layer, size, jump, padding
) -> None:
    (form,) = rfstudio.analyze(network)[layer].closed_form.axes
    assert form.kind == "sums"
    assert closed_form([x.window for x in form.steps]) == (size, jump, padding)
    texts = dict(reversed(form.equations))
    assert texts["size"].endswith(f" = {size}")
    assert texts["padding"].endswith(f" = {padding}")
    assert texts["unit u"].endswith(f" = {jump}·u − {padding}")


@pytest.mark.parametrize("seed", range(40))
def test_that_closed_forms_are_the_fields_of_any_network(seed: int) -> None:
    architecture, _graph = random_network(seed + 3000, layers=7)
    analysis = analyze(architecture)
    for layer in analysis.layers:
        forms = {x.strip(): form for form in layer.closed_form.axes for x in form.axes.split(",")}
        for name, field, n in zip(("y", "x"), layer.local_fields, layer.output_size, strict=True):
            form, context = forms[name], (seed, layer.name, name)
            assert (form.kind == "whole") == field.whole, context
            if form.kind == "sums":
                size, jump, padding = closed_form([x.window for x in form.steps])
                assert field.size_range(n) == (size, size), context
                assert (field.jump, field.padding) == (jump, padding), context
            elif form.kind == "hull":
                _, jump, padding = closed_form([x.window for x in form.steps])
                end = sum((x.reach - x.padding) * x.jump for x in form.others)
                assert field.interval(0) == (-padding, end), context
                assert field.jump == jump, context
            elif form.kind == "walk" and form.reads:
                unit = int(form.equations[0][1].split()[1])
                assert form.reads[-1].layer == "input", context
                assert form.reads[-1][1:] == field.interval(unit), context
                seen = field.interval(unit)
                assert seen is not None
                assert seen[1] - seen[0] + 1 == (field.size_range(n) or (0, 0))[1], context


def test_that_shifted_branches_have_a_path_to_each_end() -> None:
    # By hand: 'left' sees u − 2 … u, 'right' u … u + 2; together u − 2 … u + 2.
    left, right = _conv(3, "left", "input", padding=2), _conv(3, "right", "input")
    pad = Layer(ops.Pad(padding=((0, 2), (0, 2))), "filled", ("right",))
    add = Layer(ops.Add(), "sum", ("trimmed", "filled"))
    trimmed = Layer(ops.Crop(margins=((0, 2), (0, 2))), "trimmed", ("left",))
    layers = (left, trimmed, right, pad, add)
    form = analyze(Architecture("n", "", "", (16, 16), 1, layers))["sum"].closed_form
    (axis,) = form.axes
    assert axis.kind == "hull"
    assert ("size", "r = last − first + 1 = 2 − −2 + 1 = 5") in axis.equations


def test_that_a_gate_is_named_beside_the_sums_of_the_local_field() -> None:
    gate = Layer(ops.SqueezeExcite(reduction=1), "gate")
    layers = (_conv(3, "a", padding=1), gate, _conv(3, "b", padding=1))
    (form,) = analyze(Architecture("n", "", "", (16, 16), 1, layers))["b"].closed_form.axes
    assert form.kind == "sums"
    assert form.equations[0] == ("size", "r = 1 + Σ d·(k − 1)·S = 1 + 1·(2 + 2) = 5")
    assert "'gate'" in form.notes[0]


def test_that_a_layer_without_positions_names_what_reads_everything() -> None:
    form = rfstudio.analyze("vgg16")["fc7"].closed_form.axes[0]
    assert form.kind == "whole"
    assert form.equations == (
        ("size", "the whole axis, 224: 'fc6' reads all 7 samples of its map"),
    )


def test_that_a_closed_form_is_worked_out_once_for_all_who_ask() -> None:
    layer = analyze(random_network(1)[0]).layers[-1]
    assert layer.closed_form is layer.closed_form


def test_that_long_equations_give_way_layer_by_layer() -> None:
    """Those of 5,000 layers held up the window for 0.2 s."""
    conv = Layer(ops.Conv(out_channels=4, kernel_size=3, padding=1))
    layer = analyze(Architecture("deep", "", "", (9, 9), 4, (conv,) * 200)).layers[-1]
    steps: list[None] = []
    with giving_way(lambda: steps.append(None)):
        assert layer.closed_form.axes
    assert len(steps) >= 200
