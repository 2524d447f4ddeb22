"""Deformable convolutions of models: their offsets and masks are layers, and weights come along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import rfstudio
from rfstudio.core import ops
from rfstudio.core.network.architecture import Layer, walk
from rfstudio.engine.importing.load import load_module
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.weights.own_weights import take_own_weights
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.importing.imported import Imported
from tests.engine.deforming import Deformable, declare

_SIZE = (12, 13)


def _model(deformable: Callable[[int, int], nn.Module], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    inner = deformable(8, 12)
    layers = (nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), inner, nn.ReLU())
    return nn.Sequential(*layers, nn.Conv2d(12, 5, 1)).double().eval()


def _deforming(network: Imported) -> Layer:
    (found,) = [
        x for _, x in walk(network) if isinstance(x, Layer) and isinstance(x.op, ops.DeformConv)
    ]
    return found


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"modulated": False, "bias": False},
        {"stride": 2, "groups": 2, "offset_groups": 2},
        {"dilation": 2, "offset_groups": 4, "modulated": False},
    ],
    ids=str,
)
def test_that_a_rebuilt_network_moves_its_taps_as_the_model_does(options: dict[str, int]) -> None:
    model = _model(partial(Deformable, **options))  # type: ignore[arg-type]
    network = load_module(model, _SIZE)
    assert list(network.report) == []
    layer = _deforming(network)
    assert len(layer.inputs) == (2 if options.get("modulated") is False else 3)
    parameters = sum(x.parameters for x in rfstudio.analyze(network).layers)
    assert parameters == sum(x.numel() for x in model.parameters())
    rebuilt = to_torch(network, dtype=torch.float64)
    assert take_own_weights(rebuilt, network) == ((), (), (), (), ())
    image = torch.randn(2, 3, *_SIZE, dtype=torch.float64)
    torch.testing.assert_close(rebuilt(image), model(image), rtol=1e-12, atol=1e-12)
    assert read_yaml(write_yaml(network)).layers == network.layers


def test_that_an_exported_program_is_read_without_torchvision(tmp_path: Path) -> None:
    model = _model(Deformable)
    image = torch.randn(1, 3, *_SIZE, dtype=torch.float64)
    torch.export.save(torch.export.export(model, (image,)), tmp_path / "model.pt2")
    network = rfstudio.load(tmp_path / "model.pt2")
    assert isinstance(network, Imported)
    rebuilt = to_torch(network, dtype=torch.float64)
    assert take_own_weights(rebuilt, network) == ((), (), (), (), ())
    torch.testing.assert_close(rebuilt(image), model(image), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("estimator", ["abs", "energy"])
def test_that_the_field_of_the_model_is_that_of_the_rebuilt_network(estimator: str) -> None:
    network = rfstudio.load(_model(Deformable), input_size=_SIZE)
    edited = replace(network, layers=(*network.layers, Layer(ops.Relu(), "new")))
    fields = [
        rfstudio.erf(
            *(x, "5"),
            unit=(5, 6),
            estimator=estimator,  # type: ignore[arg-type]
            weights="model",
            samples=2,
            dtype="float64",
        )
        for x in (network, edited)
    ]
    rebuilt = "weights of the model, in the network that is rebuilt from it"
    assert [rebuilt in x.notes for x in fields] == [False, True]
    np.testing.assert_allclose(fields[0].map, fields[1].map, rtol=1e-9, atol=1e-12)
    still = rfstudio.erf(network, "5", unit=(5, 6), weights="random", samples=2)
    assert any("offsets of 0" in x for x in still.notes)


class _AroundTorchvision(nn.Module):
    """Offsets, a mask and weights as in a module that is widely copied."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        declare()
        self.offset_conv = nn.Conv2d(channels, 18, 3, padding=1)
        self.modulator_conv = nn.Conv2d(channels, 9, 3, padding=1)
        self.regular_conv = nn.Conv2d(channels, out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        conv, mask = self.regular_conv, 2.0 * torch.sigmoid(self.modulator_conv(x))
        assert conv.bias is not None
        numbers = (1, 1, 1, 1, 1, 1, 1, 1, True)
        result: Tensor = torch.ops.torchvision.deform_conv2d(
            x, conv.weight, self.offset_conv(x), mask, conv.bias, *numbers
        )
        return result


def test_that_masks_are_whatever_the_model_makes_of_them() -> None:
    model = _model(_AroundTorchvision)
    network = load_module(model, _SIZE)
    assert list(network.report) == []
    rebuilt = to_torch(network, dtype=torch.float64)
    assert take_own_weights(rebuilt, network) == ((), (), (), (), ())
    image = torch.randn(1, 3, *_SIZE, dtype=torch.float64)
    torch.testing.assert_close(rebuilt(image), model(image), rtol=1e-12, atol=1e-12)
    rests = {x.label for x in rebuilt.layers() if x.rests}
    assert rests == {"3.offset_conv", "3.modulator_conv"}


class _Bounded(nn.Module):
    """Offsets of a convolution that a function bounds, and a bias that is computed."""

    def __init__(self, channels: int, out: int, bound: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        declare()
        self.offset = nn.Conv2d(channels, 18, 3, padding=1)
        self.conv = nn.Conv2d(channels, out, 3, padding=1)
        self.gain, self.bound = nn.Parameter(torch.rand(out)), bound

    def forward(self, x: Tensor) -> Tensor:
        assert self.conv.bias is not None
        weight, bias = self.conv.weight * self.gain[:, None, None, None], self.conv.bias * self.gain
        offset, mask = self.bound(6 * self.offset(x)), torch.zeros(1, 1).to(x)
        numbers = (1, 1, 1, 1, 1, 1, 1, 1, False)
        result: Tensor = torch.ops.torchvision.deform_conv2d(
            x, weight, offset, mask, bias, *numbers
        )
        return result


@pytest.mark.parametrize(
    ("bound", "reach"),
    [
        (lambda x: x.clamp(-2, 2), 2),
        (lambda x: nn.functional.hardtanh(x, -3, 3), 3),
        (lambda x: 1.5 * torch.tanh(x), 2),
        (lambda x: 2 * (x.sigmoid() - 0.5), 1),
        (lambda x: torch.cat([x[:, :9].tanh(), -x[:, 9:].clamp(0, 6)], 1), 6),
        (lambda x: x.clamp(min=0), None),
        (lambda x: 20 * x.tanh(), None),
    ],
)
def test_that_bounded_offsets_bound_the_field(
    bound: Callable[[Tensor], Tensor], reach: int | None
) -> None:
    model = _model(lambda channels, out: _Bounded(channels, out, bound))
    network = load_module(model, _SIZE)
    assert list(network.report) == []
    layer = _deforming(network)
    assert isinstance(layer.op, ops.DeformConv)
    assert layer.op.max_offset == reach
    assert layer.op.bias
    rebuilt = to_torch(network, dtype=torch.float64)
    taken = take_own_weights(rebuilt, network)
    assert (taken.missing, taken.misfits, taken.stand_ins) == ((), (), ())
    image = torch.randn(2, 3, *_SIZE, dtype=torch.float64)
    torch.testing.assert_close(rebuilt(image), model(image), rtol=1e-12, atol=1e-12)


def test_that_offsets_that_are_cut_to_no_whole_number_are_read_within_the_next_one() -> None:
    model = _model(lambda channels, out: _Bounded(channels, out, lambda x: x.clamp(-0.5, 1.5)))
    network = load_module(model, _SIZE)
    layer = _deforming(network)
    assert isinstance(layer.op, ops.DeformConv)
    assert layer.op.max_offset == 2
    others = [x.op for _, x in walk(network) if isinstance(x, Layer)]
    assert [x.label for x in others if isinstance(x, ops.Custom)] == ["clamp"]


class _Dynamic(nn.Module):
    """A deformable convolution whose weight is made from all of the image."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        declare()
        self.offset = nn.Conv2d(channels, 18, 3, padding=1)
        self.conv = nn.Conv2d(channels, out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        assert self.conv.bias is not None
        weight, mask = self.conv.weight * x.mean(), torch.zeros(1, 1).to(x)
        numbers = (1, 1, 1, 1, 1, 1, 1, 1, False)
        result: Tensor = torch.ops.torchvision.deform_conv2d(
            x, weight, self.offset(x).clamp(-1, 1), mask, self.conv.bias, *numbers
        )
        return result


def test_that_weights_that_are_made_from_the_image_are_read_with_all_of_it() -> None:
    network = load_module(_model(_Dynamic), _SIZE)
    assert "its weights are made from the image" in str(network.report)
    assert all(x.whole for x in rfstudio.analyze(network).layers[-1].fields)


class _Fixed(nn.Module):
    """Offsets that do not depend on the image."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        declare()
        self.weight = nn.Parameter(torch.randn(out, channels, 3, 3))
        self.register_buffer("offset", torch.randn(1, 18, *_SIZE))

    def forward(self, x: Tensor) -> Tensor:
        bias, mask = torch.zeros(len(self.weight)).to(x), torch.zeros(1, 1).to(x)
        numbers = (1, 1, 1, 1, 1, 1, 1, 1, False)
        offset = self.offset
        result: Tensor = torch.ops.torchvision.deform_conv2d(
            x, self.weight, offset, mask, bias, *numbers
        )
        return result


def test_that_offsets_that_no_layer_makes_are_said_to_be_0() -> None:
    network = load_module(_model(_Fixed), _SIZE)
    assert len(_deforming(network).inputs) <= 1
    (remark,) = network.report
    assert remark.sort == "guessed"
    assert "offsets do not depend on the image" in str(remark)
