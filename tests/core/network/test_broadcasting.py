"""Sums and products of maps of unequal shapes, by torch's rules of broadcasting."""

from __future__ import annotations

import pytest
import torch

import rfstudio
from rfstudio.core import ops
from rfstudio.core.errors import FormatError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.pytorch.source import write_pytorch

GATE = """\
format: 1
name: attention gate
input: {size: [64, 64], channels: 32}
layers:
  - conv: {name: x, kernel_size: 3, padding: 1}
  - max_pool: {name: pool, kernel_size: 2}
  - conv: {name: g, kernel_size: 3, padding: 1, out_channels: 64}
  - conv: {name: wg, kernel_size: 1, out_channels: 16}
  - conv: {name: wx, from: x, kernel_size: 2, stride: 2, out_channels: 16}
  - add: {name: sum, from: [wg, wx]}
  - relu
  - conv: {name: psi, kernel_size: 1, out_channels: 1}
  - sigmoid
  - upsample: {name: a, scale_factor: 2, mode: bilinear}
  - multiply: {name: gated, from: [x, a]}
"""


@pytest.mark.parametrize(
    ("unit", "region"), [((32, 32), ((27, 36), (27, 36))), ((33, 33), ((29, 38), (29, 38)))]
)
def test_that_one_channel_gates_many(unit, region) -> None:
    """The right values are the pixels with a gradient in the same module of torch."""
    view = analyze(read_yaml(GATE)).unit("gated", unit)
    assert view.visible_region == region
    assert view.support_count == 100


def test_that_the_gate_is_the_product_that_torch_makes() -> None:
    network = read_yaml(GATE)
    x, a = (to_torch(network, layer, seed=2) for layer in ("x", "a"))
    image = torch.randn(2, 32, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(to_torch(network, seed=2)(image), x(image) * a(image))
    assert "x = x_ * x" in write_pytorch(network)


def _sum_with(op: ops.Op, size: tuple[int, ...] = (9, 9)) -> Architecture:
    layers = (
        Layer(ops.Conv(kernel_size=3, padding=1), "map"),
        Layer(op, "thin", ("map",)),
        Layer(ops.Add(), "sum", ("map", "thin")),
    )
    return Architecture(input_size=size, channels=4, layers=layers)


def test_that_an_axis_of_one_sample_is_read_by_every_unit() -> None:
    # One column, the fourth: every unit sees what that column sees, and its own window.
    column = ops.Crop(margins=((0, 0), (3, 5)))
    view = analyze(_sum_with(column)).unit("sum", (4, 8))
    expected = {(y, x) for y in (3, 4, 5) for x in (2, 3, 4, 7, 8)}
    assert {(int(y), int(x)) for y, x in zip(*view.support().nonzero(), strict=True)} == expected
    assert view.theoretical_region == ((3, 5), (2, 9))


def test_that_a_vector_spread_over_the_map_adds_no_local_field() -> None:
    analysis = analyze(_sum_with(ops.GlobalAvgPool()))
    layer = analysis["sum"]
    assert layer.is_global == (True, True)
    assert layer.local is not None
    assert layer.local.rf_size == (3, 3)
    assert layer.local.alignment == ("aligned", "aligned")
    assert not [x for x in analysis.diagnostics if x.code == "shape_mismatch"]


def test_that_a_map_that_stands_still_is_never_out_of_line() -> None:
    layer = analyze(_sum_with(ops.Crop(margins=((0, 8), (3, 5)))))["sum"]
    assert layer.alignment == ("aligned", "aligned")
    assert layer.jump == (None, None)
    assert layer.rf_size_range == ((3, 11), (3, 8))


@pytest.mark.parametrize("out_channels", [1, 4])
def test_that_energy_of_all_readers_comes_back_to_what_they_share(out_channels) -> None:
    # Gradients of different units of a sum have random signs, so their energies add up: the
    # pixel that the one sample is taken from has that of all 81 units and channels beside its own.
    layers = (
        Layer(ops.Crop(margins=((4, 4), (2, 6))), "one"),
        Layer(ops.Conv(kernel_size=1, out_channels=out_channels, bias=False), "thin"),
        Layer(ops.Add(), "sum", ("input", "thin")),
    )
    network = Architecture(input_size=(9, 9), channels=4, layers=layers)
    erf = rfstudio.expected_erf(network, "sum", unit=(0, 0))
    assert erf.map[0, 0] == pytest.approx(4.0)
    # A convolution of 1×1 has weights of variance 2/4; each of 4 channels of the sum reads it.
    assert erf.map[4, 2] == pytest.approx(4 * 4 * 2 / 4)


def test_that_shapes_that_do_not_broadcast_are_named_as_before() -> None:
    wrong = GATE.replace("kernel_size: 1, out_channels: 1}", "kernel_size: 1, out_channels: 2}")
    with pytest.raises(FormatError, match="32 channels of 64×64 and 'a' 2 channels of 64×64"):
        read_yaml(wrong)


def test_that_only_single_samples_and_channels_are_repeated() -> None:
    layers = (Layer(ops.Broadcast(size=(9, 3), channels=7)),)
    network = Architecture(input_size=(9, 9), channels=4, layers=layers)
    messages = [x.message for x in expand(network).faults]
    assert "only 1 channel can be repeated to 7, but the input has 4" in messages[1]
    assert "only an axis of 1 sample can be repeated to 3" in messages[0]


def test_that_a_broadcast_of_its_own_is_torchs_expand() -> None:
    layers = (
        Layer(ops.GlobalAvgPool()),
        Layer(ops.Conv(kernel_size=1, out_channels=1)),
        Layer(ops.Broadcast(size_of="input", channels=5)),
    )
    network = Architecture(input_size=(6, 7), channels=4, layers=layers)
    image = torch.randn(1, 4, 6, 7, generator=torch.Generator().manual_seed(0))
    small = to_torch(network, "conv1", seed=1)(image)
    assert torch.equal(to_torch(network, seed=1)(image), small.expand(-1, 5, 6, 7))
    assert "expand(-1, 5, *image_.shape[2:])" in write_pytorch(network)


def test_that_a_waveform_becomes_a_spectrogram() -> None:
    """Frame 50 and its neighbours of torch.stft(wave, 1024, 320, center=True): 1,664 samples.

    All bins of a frame read the same samples, so the axis of one sample is repeated for them.
    """
    network = read_yaml("""\
format: 1
name: spectrogram of a waveform, then a convolution
input: {size: [32000, 1], channels: 1}
layers:
  - conv: {name: frames, kernel_size: [1024, 1], stride: [320, 1],
           padding: [512, 0], padding_mode: reflect}
  - broadcast: {name: bins, size: [null, 513]}
  - conv: {name: c, kernel_size: 3, padding: 1, out_channels: 8}
""")
    analysis = analyze(network)
    assert analysis["bins"].output_size == (101, 513)
    view = analysis.unit("c", (50, 100))
    assert view.visible_region == ((15168, 16831), (0, 0))
    assert analysis["c"].rf_size[0] == 1664
    assert analysis["c"].jump[0] == 320
