"""The Python interface, as notebooks use it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import rfstudio
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer


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
    options: dict[str, Any] = {"estimator": "rms", "samples": 6, "seed": 5, "device": "cpu"}
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


_STACK = np.random.default_rng(0).normal(size=(3, 2, 20, 24))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(3, 3), "shape N×2×H×W, not 3×3"),
        (torch.zeros(1, 3, 20, 24), "shape N×2×20×24, not 1×3×20×24"),
        (torch.zeros(0, 2, 20, 24), "not 0×2×20×24"),
        (_STACK[:, :1], "not 3×1×20×24"),
        (_STACK.transpose(0, 2, 3, 1), "move the last axis"),
        (_STACK[0].transpose(1, 2, 0), "move the last axis"),
        (list(_STACK), "not a list; .* numpy.stack"),
        ("photo.png", "not a str"),
        (_STACK.astype(object), "an array of object"),
        (torch.from_numpy(_STACK).to_sparse(), "dense"),
        (torch.from_numpy(_STACK).to(torch.complex64), "real numbers"),
    ],
)
@pytest.mark.parametrize("estimator", ["energy", "expected", "path-count"])
def test_that_images_that_do_not_fit_are_refused_in_words(estimator, images, message) -> None:
    with pytest.raises(rfstudio.RFStudioError, match=message):
        rfstudio.erf(_network(), "b", estimator=estimator, images=images)


def test_that_images_that_are_not_finite_are_refused() -> None:
    for estimator in ("energy", "expected"):
        with pytest.raises(rfstudio.RFStudioError, match="not finite"):
            rfstudio.erf(_network(), "b", estimator=estimator, images=_STACK * float("nan"))


@pytest.mark.parametrize(
    "images", [_STACK, _STACK[::-1].copy()[::-1], _STACK.astype(">f8"), torch.from_numpy(_STACK)]
)
def test_that_images_may_be_arrays_of_numpy(images) -> None:
    module = rfstudio.to_torch(_network(), "b", seed=2)
    options: dict[str, Any] = {
        "unit": (4, 4),
        "module": module,
        "estimator": "abs",
        "dtype": "float64",
    }
    wanted = rfstudio.erf(_network(), "b", images=torch.tensor(_STACK), **options)
    found = rfstudio.erf(_network(), "b", images=images, **options)
    assert np.array_equal(found.map, wanted.map)
    assert found.options["images"] == found.options["samples"] == 3


def test_that_a_single_image_needs_no_axis_for_several() -> None:
    options: dict[str, Any] = {"unit": (4, 4), "samples": 1, "device": "cpu"}
    for measure in (rfstudio.erf, rfstudio.expected_erf):
        one = measure(_network(), "b", images=_STACK[0], **options)
        assert np.array_equal(one.map, measure(_network(), "b", images=_STACK[:1], **options).map)


def test_that_many_units_at_once_have_the_fields_that_each_has_alone() -> None:
    units = [(0, 0), (4, 4), (4, 5), (9, 11)]
    for estimator in ("energy", "signed", "occlusion"):
        options: dict[str, Any] = {"samples": 3, "seed": 5, "dtype": "float64"}
        options["estimator"] = estimator
        together = rfstudio.erfs(_network(), "b", units, **options)
        assert [x.unit for x in together] == units
        for erf in together:
            alone = rfstudio.erf(_network(), "b", erf.unit, **options)
            assert np.abs(erf.map - alone.map).max() <= 1e-12 * alone.map.max()
            assert {**erf.options, "seconds": 0} == {**alone.options, "seconds": 0}
            assert erf.metrics["outside"] == 0
    assert rfstudio.erfs(_network(), "b", []) == []
    with pytest.raises(rfstudio.RFStudioError, match="call erf for each"):
        rfstudio.erfs(_network(), "b", units, estimator="expected")  # type: ignore[arg-type]
    with pytest.raises(rfstudio.RFStudioError, match="0…9, 0…11"):
        rfstudio.erfs(_network(), "b", [(0, 0), (10, 0)])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("samples", 2.5, "samples must be a whole number, not 2.5"),
        ("samples", "2", "samples must be a whole number"),
        ("samples", True, "samples must be a whole number"),
        ("seed", None, "seed must be a whole number"),
        ("channel", 0.5, "channel must be a whole number"),
        ("images_per_weights", 1.5, "images_per_weights must be a whole number"),
        ("patch", (2, 2), "patch must be a whole number"),
        ("fill", float("nan"), "fill must be a finite number"),
        ("amplitude", "1", "amplitude must be a finite number"),
        ("device", None, "no device 'None'"),
        ("unit", (1.5, 2), "one whole number per axis"),
        ("unit", 3, "one whole number per axis"),
    ],
)
def test_that_an_option_of_another_kind_is_refused_in_words(name, value, message) -> None:
    with pytest.raises(rfstudio.RFStudioError, match=message):
        rfstudio.erf(_network(), "b", **{"samples": 1, name: value})


def test_that_options_may_be_numbers_of_numpy_and_names_of_torch() -> None:
    # What the signatures do not promise, but a notebook hands over.
    given: dict[str, Any] = {"samples": np.int64(2), "seed": np.uint8(3), "channel": np.int32(1)}
    given |= {"unit": np.array([4, 5]), "dtype": torch.float64, "device": torch.device("cpu")}
    plain: dict[str, Any] = {
        "samples": 2,
        "seed": 3,
        "channel": 1,
        "dtype": "float64",
        "device": "cpu",
    }
    found = rfstudio.erf(_network(), "b", **given)
    wanted = rfstudio.erf(_network(), "b", (4, 5), **plain)
    assert np.array_equal(found.map, wanted.map)
    assert type(found.options["seed"]) is int


@pytest.mark.parametrize("estimator", ["expected", "path-count"])
def test_that_computed_fields_leave_no_option_out_of_account(estimator) -> None:
    with pytest.raises(rfstudio.RFStudioError, match="did you mean 'channel'"):
        rfstudio.erf(_network(), "b", estimator=estimator, chanel=1)
    with pytest.raises(rfstudio.RFStudioError, match=f"'{estimator}' has no option 'channel'"):
        rfstudio.erf(_network(), "b", estimator=estimator, channel=1)


def test_that_a_module_is_never_made_of_memory_as_it_was_found() -> None:
    name: Any = "mine.pt"
    with pytest.raises(rfstudio.RFStudioError, match="random, uniform or ones, not 'mine.pt'"):
        rfstudio.to_torch(_network(), "b", weights=name)
