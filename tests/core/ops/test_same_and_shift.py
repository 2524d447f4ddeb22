"""Keras' `same` for transposed convolutions, and Swin's spelling of the shift of windows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

import rfstudio
from rfstudio.core import ops
from rfstudio.core.errors import OpError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from tests.narrowing import instance, present


def _network(op: ops.Op, size=(32, 32)) -> Architecture:
    return Architecture("one", "", "", size, 8, (Layer(op, "x"),))


def test_that_same_makes_the_stride_times_the_size() -> None:
    # K_keras of the public questions: after a 3×3 convolution units 20, 21 see 8…11 and 9…11.
    conv = Layer(ops.Conv(kernel_size=3, padding="same"))
    up = Layer(ops.ConvTranspose(kernel_size=3, stride=2, padding="same"), "up")
    analysis = analyze(Architecture("keras", "", "", (32, 32), 8, (conv, up)))
    assert analysis["up"].output_size == (64, 64)
    assert analysis.unit("up", (20, 20)).visible_region == ((8, 11), (8, 11))
    assert analysis.unit("up", (21, 21)).visible_region == ((9, 11), (9, 11))


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "same_lower"])
def test_that_same_is_the_adjoint_of_a_convolution_with_same(kernel, stride, padding) -> None:
    transposed = ops.ConvTranspose(kernel_size=kernel, stride=stride, padding=padding)
    plain = ops.Conv(kernel_size=kernel, stride=stride, padding=padding)
    up = analyze(_network(transposed, (7,)))
    down = analyze(_network(plain, (7 * stride,)))
    assert up["x"].output_size == (7 * stride,)
    assert down["x"].output_size == (7,)
    for unit in range(7 * stride):
        read = set(up.unit("x", (unit,)).support().nonzero()[0].tolist())
        reads = {j for j in range(7) if down.unit("x", (j,)).support()[unit]}
        assert read == reads, unit


def test_that_the_module_of_same_has_the_size_and_the_support() -> None:
    network = _network(ops.ConvTranspose(kernel_size=3, stride=2, padding="same"), (6, 5))
    module = rfstudio.to_torch(network, weights="uniform").double()
    image = torch.ones(1, 8, 6, 5, dtype=torch.float64, requires_grad=True)
    result = module(image)
    assert result.shape[2:] == (12, 10)
    result[0, :, 5, 3].sum().backward()
    assert image.grad is not None
    found = image.grad[0].abs().sum(0) > 0
    assert found.numpy().tolist() == analyze(network).unit("x", (5, 3)).support().tolist()


def test_that_output_padding_has_no_place_beside_same() -> None:
    with pytest.raises(OpError, match="output_padding"):
        ops.ConvTranspose(kernel_size=3, stride=2, padding="same", output_padding=1)


def test_that_windows_start_at_the_shift_size() -> None:
    # L_shift of the public questions: torch.roll by −3 and the mask of the reference code.
    analysis = analyze(
        _network(ops.WindowAttention(window_size=7, shift_size=3, heads=1), (28, 28))
    )
    units = [analysis.unit("x", (0, column)) for column in (0, 3, 9, 24, 27)]
    seen = [present(unit.visible_region)[1] for unit in units]
    assert seen == [(0, 2), (3, 9), (3, 9), (24, 27), (24, 27)]


@pytest.mark.parametrize("shift", range(8))
def test_that_both_spellings_name_the_same_windows(shift) -> None:
    old = ops.WindowAttention(window_size=7, shift=shift, heads=1)
    new = ops.WindowAttention(window_size=7, shift_size=(7 - shift) % 7, heads=1)
    assert old == new
    assert old.shift == shift % 7
    other: dict[str, Any] = {"shift": 2}  # the old spelling is no field of the class
    assert replace(old, **other).shift == 2
    assert replace(old, shift_size=2).shift_size == 2


def test_that_the_old_spelling_is_read_and_the_new_one_written() -> None:
    text = """format: 1
input: {size: [28, 28], channels: 8}
layers:
  - window_attention: {window_size: [7, 5], shift: [4, 0], heads: 1}
"""
    network = read_yaml(text)
    assert instance(Layer, network.layers[0]).op == ops.WindowAttention(
        window_size=(7, 5), shift_size=(3, 0), heads=1
    )
    assert "shift_size: [3, 0]" in write_yaml(network)
    assert read_yaml(write_yaml(network)) == network


def test_that_a_wrong_shift_is_refused_by_its_name() -> None:
    with pytest.raises(OpError, match="shift must be"):
        ops.WindowAttention(window_size=7, shift=-1)
