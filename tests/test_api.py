"""The Python interface, as notebooks use it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import rfstudio
from rfstudio.core import ops
from rfstudio.core.architecture import Architecture, Layer


def _network() -> Architecture:
    conv = ops.Conv(kernel_size=3, padding=1, out_channels=6)
    items = (
        Layer(conv, "a"),
        Layer(ops.Relu()),
        Layer(ops.MaxPool(kernel_size=2), "pool"),
        Layer(ops.Conv(kernel_size=3, padding=((0, 2), (1, 1)), out_channels=5), "b"),
    )
    return Architecture("small", "", "", (20, 24), 2, items)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_that_the_interface_of_the_readme_is_there() -> None:
    analysis = rfstudio.analyze(rfstudio.load("resnet50"))
    layer = analysis["layer3"]
    assert (layer.name, layer.op) == ("layer3.rest.4.relu3", "relu")
    assert layer.output_size == (14, 14)
    assert layer.channels == 1024
    assert layer.rf_size == (267, 267)
    assert layer.jump == (16, 16)
    assert layer.is_global == (False, False)
    unit = analysis.unit("layer3", (7, 7))
    assert unit.theoretical_region == ((-21, 245), (-21, 245))
    assert unit.visible_region == ((0, 223), (0, 223))
    assert unit.support().shape == (224, 224)


def test_that_a_measured_field_is_the_mean_of_torchs_own_gradients() -> None:
    network = _network()
    module = rfstudio.to_torch(network, layer="b", seed=3).double()
    images = torch.randn((5, 2, 20, 24), dtype=torch.float64)
    expected = np.zeros((20, 24))
    for image in images:
        pixels = image[None].clone().requires_grad_()
        (gradient,) = torch.autograd.grad(module(pixels)[0, :, 4, 7].sum(), pixels)
        expected += gradient[0].abs().sum(0).numpy() / len(images)
    erf = rfstudio.erf(
        network, "b", unit=(4, 7), estimator="abs", module=module, images=images, dtype="float64"
    )
    assert erf.map.dtype == np.float64
    assert np.abs(erf.map - expected).max() <= 1e-12 * expected.max()
    assert erf.options["samples"] == 5
    assert erf.metrics["outside"] == 0
    visible = rfstudio.analyze(network).unit("b", (4, 7)).support()
    assert (erf.map[~visible] == 0).all()


def test_that_images_of_another_size_than_the_networks_are_fine() -> None:
    network = _network()
    module = rfstudio.to_torch(network, layer="b")
    images = torch.randn((2, 2, 31, 18))
    erf = rfstudio.erf(network, "b", module=module, images=images, estimator="signed")
    assert erf.map.shape == (31, 18)
    assert erf.unit == (7, 4)


def test_that_a_seed_gives_the_same_field_again() -> None:
    options = {"estimator": "rms", "samples": 6, "seed": 5, "device": "cpu"}
    first = rfstudio.erf(_network(), "b", **options)
    again = rfstudio.erf(_network(), "b", **options)
    assert (first.map == again.map).all()
    assert first.options["seed"] == 5
    other = rfstudio.erf(_network(), "b", **{**options, "seed": 6})
    assert (first.map != other.map).any()


def test_that_computed_fields_answer_to_the_same_call() -> None:
    by_name = rfstudio.erf(_network(), "b", unit=(1, 2), estimator="expected")
    assert (by_name.map == rfstudio.expected_erf(_network(), "b", unit=(1, 2)).map).all()
    counts = rfstudio.erf(_network(), "b", unit=(1, 2), estimator="path-count")
    assert (counts.map == rfstudio.path_counts(_network(), "b", unit=(1, 2)).map).all()


def test_that_a_mistyped_option_layer_or_unit_names_the_right_one() -> None:
    with pytest.raises(rfstudio.RFStudioError, match="did you mean 'images_per_weights'"):
        rfstudio.erf(_network(), "b", image_per_weights=2)
    with pytest.raises(rfstudio.RFStudioError, match="did you mean 'pool'"):
        rfstudio.expected_erf(_network(), "pol")
    with pytest.raises(rfstudio.RFStudioError, match="0…9, 0…11"):
        rfstudio.path_counts(_network(), "b", unit=(10, 0))


@pytest.mark.parametrize("size", [(20,), (20, 24, 3), (0, 24), (-5, 24), (20.5, 24), 20, ()])
def test_that_an_input_size_that_no_image_has_is_refused_in_words(size) -> None:
    with pytest.raises(rfstudio.RFStudioError, match="input size"):
        rfstudio.analyze(_network(), input_size=size)


@pytest.mark.parametrize("unit", [(0.5, 1), ("a", 1), 3])
def test_that_a_unit_is_one_whole_number_per_axis(unit) -> None:
    with pytest.raises(rfstudio.RFStudioError, match="one whole number per axis"):
        rfstudio.analyze(_network()).unit("b", unit)


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (torch.zeros(3, 3), "2 whole numbers"),
        (torch.zeros(1, 3, 20, 24), "shape N×2×20×24, not 1×3×20×24"),
        (torch.zeros(0, 2, 20, 24), "not 0×2×20×24"),
        (torch.full((1, 2, 20, 24), float("nan")), "not finite"),
    ],
)
def test_that_images_that_do_not_fit_are_refused_in_words(images, told) -> None:
    with pytest.raises(rfstudio.RFStudioError, match=told):
        rfstudio.erf(_network(), "b", images=images)
