"""The channel shuffle of ShuffleNet (Zhang et al. 2018, section 3.1)."""

from __future__ import annotations

import numpy as np
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
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.pytorch.source import write_pytorch

UNIT = """\
format: 1
name: ShuffleNet unit
input: {size: [16, 12], channels: 24}
layers:
  - residual:
      name: unit
      layers:
        - conv: {kernel_size: 1, groups: 3, out_channels: 12, bias: false}
        - batch_norm
        - relu
        - channel_shuffle: {groups: 3}
        - conv: {kernel_size: 3, padding: 1, groups: depthwise, bias: false}
        - batch_norm
        - conv: {kernel_size: 1, groups: 3, out_channels: 24, bias: false}
        - batch_norm
  - relu
"""


def _shuffled(size: tuple[int, ...], channels: int, groups: int) -> Architecture:
    layer = Layer(ops.ChannelShuffle(groups=groups))
    return Architecture(input_size=size, channels=channels, layers=(layer,))


@pytest.mark.parametrize("size", [(5,), (3, 4), (2, 3, 2)])
@pytest.mark.parametrize("groups", [1, 2, 3, 4, 12])
def test_that_channels_are_those_of_torch(size: tuple[int, ...], groups: int) -> None:
    image = torch.randn(2, 12, *size, generator=torch.Generator().manual_seed(0))
    ours = to_torch(_shuffled(size, 12, groups))(image)
    assert torch.equal(ours, torch.nn.functional.channel_shuffle(image, groups))


def test_that_a_unit_reads_its_window_and_is_written_as_it_was_read() -> None:
    network = read_yaml(UNIT)
    assert write_yaml(network) == UNIT
    layer = analyze(network)["unit"]
    assert (layer.rf_size, layer.jump, layer.alignment) == ((3, 3), (1, 1), ("aligned",) * 2)
    # 24·12/3 + 9·12 + 12·24/3 weights and two numbers for each of 12 + 12 + 24 norms.
    assert analyze(network).parameters == 96 + 108 + 96 + 2 * 48
    assert "nn.ChannelShuffle(3)" in write_pytorch(network)


def test_that_the_pixels_with_a_gradient_are_the_support() -> None:
    network = read_yaml(UNIT)
    image = torch.randn(1, 24, 16, 12, generator=torch.Generator().manual_seed(1))
    image.requires_grad_()
    to_torch(network, "unit", seed=2)(image)[0, :, 0, 7].abs().sum().backward()
    assert image.grad is not None
    seen = (image.grad[0] != 0).any(0).numpy()
    np.testing.assert_array_equal(analyze(network).unit("unit", (0, 7)).support(), seen)


def test_that_groups_that_do_not_divide_the_channels_are_named() -> None:
    with pytest.raises(FormatError, match="12 channels cannot be divided into 5 groups"):
        read_yaml(UNIT.replace("shuffle: {groups: 3}", "shuffle: {groups: 5}"))
    faults = expand(_shuffled((4, 4), 7, 2)).faults
    assert [x.message for x in faults] == [
        "channel_shuffle 'channel_shuffle1': 7 channels cannot be divided into 2 groups"
    ]


def _expected(shuffle: ops.Op) -> np.ndarray:
    conv = ops.Conv(kernel_size=3, padding=1, out_channels=6, bias=False)
    layers = (
        Layer(conv, "a"),
        Layer(ops.Relu(), "r"),
        Layer(conv, "b"),
        Layer(ops.Concat(), "joined", ("r", "b")),
        Layer(shuffle),
        Layer(conv),
    )
    network = Architecture(input_size=(15, 15), layers=layers)
    return rfstudio.expected_erf(network, "conv1", unit=(7, 7)).map


def test_that_energy_is_not_changed_by_a_permutation_of_channels() -> None:
    np.testing.assert_allclose(
        _expected(ops.ChannelShuffle(groups=2)), _expected(ops.Identity()), rtol=1e-12
    )


def test_that_pairs_of_gradients_are_followed_through_a_permutation() -> None:
    def field(op: ops.Op) -> np.ndarray:
        conv = ops.Conv(kernel_size=3, padding=1, out_channels=8, bias=False)
        layers = (conv, ops.Relu(), op, ops.AvgPool(kernel_size=3, stride=2))
        network = Architecture(input_size=(15, 15), layers=tuple(map(Layer, layers)))
        return rfstudio.expected_erf(network, "avg_pool1", unit=(3, 3)).map

    np.testing.assert_array_equal(field(ops.ChannelShuffle(groups=4)), field(ops.Identity()))


def test_that_measured_and_expected_energy_agree_after_a_shuffle() -> None:
    network = read_yaml(UNIT.replace("groups: 3, out", "out"))
    expected = rfstudio.expected_erf(network, "unit", unit=(8, 6)).map
    measured = rfstudio.erf(network, "unit", unit=(8, 6), samples=8).map
    assert float(np.corrcoef(expected.ravel(), np.asarray(measured).ravel())[0, 1]) > 0.9
