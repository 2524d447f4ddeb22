"""Repeats that multiply parameters at each turn, as a TCN's dilations."""

from __future__ import annotations

import pytest
import torch

import rfstudio
from rfstudio.app.wording.texts import item_text
from rfstudio.core import ops
from rfstudio.core.advice.proposals import proposals_for
from rfstudio.core.editing import edits
from rfstudio.core.errors import EditError, FormatError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer, Repeat
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.growth import scale_of_text, scale_text
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.presets import read_preset
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.pytorch.source import write_pytorch
from tests.narrowing import conv_at, instance

# WaveNet's stacks: van den Oord et al. 2016, section 2.1, dilations 1, 2, 4 … 512, three times.
STACKS = """\
format: 1
name: stacks
input: {size: [8000], channels: 4}
layers:
  - repeat:
      name: stack
      times: 3
      layers:
        - repeat:
            name: layer
            times: 10
            scale: {dilation: 2, padding: 2}
            layers:
              - conv: {kernel_size: 2, padding: [[1, 0]]}
"""


def test_that_three_stacks_of_wavenet_see_what_the_paper_says() -> None:
    network = read_yaml(STACKS)
    analysis = analyze(network)
    # Section 2.1: one block has a receptive field of 1024; three of them 3 · 1023 + 1.
    assert [analysis[f"stack.{i}"].rf_size for i in range(3)] == [(1024,), (2047,), (3070,)]
    assert analysis["stack.2.layer.9.conv1"].operation == ops.Conv(
        kernel_size=2, padding=((512, 0),), dilation=512
    )
    assert write_yaml(network) == STACKS
    preset = analyze(read_preset("wavenet"))["stack2"]
    assert preset.rf_size == (3071,)  # with the causal convolution before the stacks
    assert write_pytorch(network).count("dilation=256") == 3


def test_that_factors_of_nested_repeats_multiply_and_those_after_them_do_not() -> None:
    conv = Layer(ops.Conv(kernel_size=3, padding="same"), "c")
    inner = Repeat(2, (conv,), "b", (("dilation", 3),))
    outer = Repeat(2, (inner, conv), "a", (("dilation", 2),))
    graph = expand(Architecture(input_size=(40,), layers=(outer, Layer(conv.op, "last"))))
    dilations = [x.op.dilation for x in graph.nodes[1:] if isinstance(x.op, ops.Conv)]
    assert dilations == [1, 3, 1, 2, 6, 2, 1]
    assert [graph.nodes[i].name for i in sorted(graph.grown)] == ["a.0.b.1.c", *_grown_in("a.1")]


def _grown_in(turn: str) -> list[str]:
    return [f"{turn}.b.0.c", f"{turn}.b.1.c", f"{turn}.c"]


def test_that_the_module_is_that_of_the_layers_written_out() -> None:
    conv = ops.Conv(kernel_size=3, padding=((0, 1), (2, 0)), dilation=(1, 2), stride=1)
    wide = Repeat(3, (Layer(conv), Layer(ops.Relu())), "r", (("dilation", 2), ("out_channels", 2)))
    ones = [ops.Conv(kernel_size=3, padding=conv.padding, dilation=(x, 2 * x)) for x in (1, 2, 4)]
    flat = [Layer(y) for x in ones for y in (x, ops.Relu())]
    image = torch.randn(1, 3, 20, 24, generator=torch.Generator().manual_seed(0))
    networks = (
        Architecture(input_size=(20, 24), layers=layers) for layers in ((wide,), tuple(flat))
    )
    first, second = (to_torch(x, seed=3)(image) for x in networks)
    assert torch.equal(first, second)


def test_that_channels_double_and_words_stay() -> None:
    conv = ops.Conv(kernel_size=3, padding="same", out_channels=8)
    pool = ops.MaxPool(kernel_size=2)
    stages = Repeat(3, (Layer(conv), Layer(pool)), "s", (("out_channels", 2), ("padding", 5)))
    graph = expand(Architecture(input_size=(64, 64), layers=(stages,)))
    assert [x.channels for x in graph.nodes] == [3, 8, 8, 16, 16, 32, 32]
    assert graph.faults == ()


def test_that_a_number_out_of_range_is_a_fault_with_the_reason() -> None:
    text = STACKS.replace("times: 10", "times: 40")
    with pytest.raises(FormatError, match="after the turns of a repeat that multiply it"):
        read_yaml(text)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (
            "{dilatoin: 2}",
            "12:21: no layer has a 'dilatoin' that can grow; did you mean 'dilation'",
        ),
        ("{dilation: 0}", "the factor of dilation must be a whole number from 1 to 1000, not 0"),
        ("{dilation: 1.5}", "the factor of dilation must be a whole number from 1 to 1000"),
        ("{bias: 2}", "no layer has a 'bias' that can grow"),
        ("2", r"scale must be parameters with their factors, as in {dilation: 2}, not 2"),
    ],
)
def test_that_a_scale_that_means_nothing_is_named(scale: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_yaml(STACKS.replace("{dilation: 2, padding: 2}", scale), "x.yaml")


def test_that_edits_keep_what_grows_and_can_change_it() -> None:
    conv = Layer(ops.Conv(kernel_size=3, padding="same"), "c")
    repeat = Repeat(4, (conv,), "r", (("dilation", 2),))
    network = Architecture(input_size=(64, 64), layers=(repeat, Layer(ops.Relu(), inputs=("r",))))
    for changed in (
        edits.set_times(network, (0,), 3),
        edits.rename(network, (0,), "other"),
        edits.insert(network, (0, 0, 1), (Layer(ops.Relu()),)),
        edits.set_op(network, (0, 0, 0), ops.Conv(kernel_size=5, padding="same")),
        edits.duplicate(network, [(0,)]),
    ):
        assert instance(Repeat, changed.layers[0]).scale == (("dilation", 2),)
    changed = edits.set_parameter(network, (0,), "scale", (("dilation", 3),))
    assert analyze(changed).layers[4].rf_size == (1 + 2 * (1 + 3 + 9 + 27),) * 2
    assert item_text(changed.layers[0], 2) == "repeat ×4, dilation ×3"
    with pytest.raises(EditError, match="did you mean 'dilation'"):
        edits.set_parameter(network, (0,), "scale", (("dilatio", 3),))
    with pytest.raises(EditError, match="from 1 to 1000, not 0"):
        edits.set_parameter(network, (0,), "scale", (("dilation", 0),))


def test_that_what_grows_is_read_as_it_is_shown() -> None:
    scale = (("dilation", 2), ("padding", 3))
    assert scale_of_text(scale_text(scale)) == scale
    assert scale_of_text("  ") == ()
    for wrong in ("dilation", "dilation: x", ": 2", "dilation: -2", "dilation: 99999"):
        with pytest.raises(EditError, match="as in dilation: 2"):
            scale_of_text(wrong)


def test_that_no_advice_sets_what_grows_to_the_numbers_of_one_turn() -> None:
    conv = Layer(ops.Conv(kernel_size=3, padding="same"), "c")
    layers = (conv, Repeat(4, (conv,), "r", (("dilation", 2),)))
    found = proposals_for(analyze(Architecture(input_size=(64, 64), layers=layers)))
    assert found
    assert all(analyze(x.network)["r"].rf_size for x in found)
    # A proposal may put a layer of its own before the repeat.
    places = [
        next(i for i, y in enumerate(x.network.layers) if isinstance(y, Repeat)) for x in found
    ]
    repeats = [instance(Repeat, x.network.layers[i]) for x, i in zip(found, places, strict=True)]
    assert {x.scale for x in repeats} == {(("dilation", 2),)}
    dilations = {conv_at(x.network, (i, 0, 0)).dilation for x, i in zip(found, places, strict=True)}
    assert dilations <= {1, 2}  # twice that of the first turn, which all turns double


def test_that_the_expected_field_of_a_growing_repeat_is_that_of_its_layers() -> None:
    conv = ops.Conv(kernel_size=3, padding="same", bias=False)
    repeat = Repeat(3, (Layer(conv),), "r", (("dilation", 2),))
    flat = tuple(
        Layer(ops.Conv(kernel_size=3, padding="same", bias=False, dilation=d)) for d in (1, 2, 4)
    )
    one, other = (
        rfstudio.expected_erf(Architecture(input_size=(33, 33), layers=x), y, unit=(16, 16)).map
        for x, y in (((repeat,), "r"), (flat, "conv3"))
    )
    assert (one == other).all()


def _grown_at_each_turn(times: int, op: ops.Op, *words: str) -> Architecture:
    scale = tuple((word, 2) for word in words)
    return Architecture(input_size=(224, 224), layers=(Repeat(times, (Layer(op),), "", scale),))


def test_that_numbers_of_a_repeat_that_become_too_large_are_one_fault() -> None:
    pool = ops.MaxPool(kernel_size=3, stride=1, padding=1)
    analysis = analyze(_grown_at_each_turn(2000, pool, "dilation", "padding"))
    assert len(analysis) == 2000
    assert [x.code for x in analysis.diagnostics] == ["too_large"]


def test_that_a_growing_repeat_whose_patterns_are_too_long_has_a_bound() -> None:
    # Windows of 2^k taps over patterns of 2^k phases: all reads of a unit count as work.
    conv = ops.ConvTranspose(kernel_size=2, stride=2)
    analysis = analyze(_grown_at_each_turn(16, conv, "kernel_size"))
    assert "field_too_large" in {x.code for x in analysis.diagnostics}
