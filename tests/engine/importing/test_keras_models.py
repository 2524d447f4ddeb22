"""Models of Keras 3 on torch: their layers by name, fields, tensors, and measurements on them."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

import rfstudio
from rfstudio.core import ops
from rfstudio.engine.importing.aten_graph import ExportError
from rfstudio.engine.importing.load import load_module
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.weights.own_weights import take_own_weights

pytestmark = pytest.mark.slow


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Keras with torch behind it, and channels last as by default."""
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pytest.importorskip("keras")
    assert found.backend.backend() == "torch"
    return found


def _residual(keras: Any, image: Any) -> Any:
    layers = keras.layers
    x = layers.Conv2D(8, 3, strides=2, padding="same", name="stem")(image)
    x = layers.ReLU(name="first")(layers.BatchNormalization(name="norm")(x))
    y = layers.Conv2D(8, 3, padding="same", dilation_rate=2, name="left")(x)
    x = layers.MaxPooling2D(name="pool")(layers.Add(name="sum")([x, y]))
    x = layers.SeparableConv2D(16, 3, name="separable")(x)
    x = layers.UpSampling2D(interpolation="bilinear", name="up")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return layers.Dense(10, name="head")(x)


def _with_random_numbers(model: Any) -> Any:
    generator = torch.Generator().manual_seed(0)
    for variable in model.variables:
        drawn = torch.rand(tuple(variable.shape), generator=generator)
        variable.assign(drawn + 0.5 if "variance" in variable.path else drawn - 0.4)
    return model


def _model(keras: Any, side: int = 64) -> Any:
    image = keras.Input((side, side, 3))
    return _with_random_numbers(keras.Model(image, _residual(keras, image), name="small"))


def test_that_layers_have_their_names_and_the_fields_of_nan_in_the_image(keras: Any) -> None:
    model = _model(keras)
    network = load_module(model, (64, 64))
    assert network.name == "small"
    analysis = rfstudio.analyze(network)
    inner = keras.Model(model.inputs, [model.get_layer(x).output for x in ("left", "sum", "up")])
    for index, path in enumerate(("left", "sum", "up")):
        layer = analysis[path]
        unit = tuple(n // 3 for n in layer.output_size)
        region = analysis.unit(path, unit).visible_region
        assert region is not None
        for axis, (first, last) in enumerate(region):
            for stripe, is_seen in (
                (slice(first, first + 1), True),
                (slice(last, last + 1), True),
                (slice(0, first), False),
                (slice(last + 1, 64), False),
            ):
                image = torch.rand(1, 64, 64, 3)
                image[(0, stripe) if axis == 0 else (0, slice(None), stripe)] = torch.nan
                with torch.no_grad():
                    found = inner(image)[index]
                assert bool(found[(0, *unit)].isnan().any()) == is_seen, (path, axis, stripe)


def test_that_a_rebuilt_network_computes_what_the_model_does(keras: Any) -> None:
    model = _model(keras)
    network = load_module(model, (64, 64))
    rebuilt = to_torch(network)
    assert not any(take_own_weights(rebuilt, network))
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        wanted, found = model(image.movedim(1, -1)), rebuilt(image)
    np.testing.assert_allclose(found.reshape(wanted.shape).numpy(), wanted.numpy(), rtol=2e-5)
    counted = sum(x.parameters or 0 for x in rfstudio.analyze(network).layers)
    assert counted == sum(int(np.prod(x.shape)) for x in model.trainable_variables)


def test_that_the_model_itself_is_measured_and_left_as_it_was(keras: Any) -> None:
    model = _model(keras, 32)
    before = [x.value for x in model.variables]
    network = rfstudio.load(model, input_size=(32, 32))
    unit = (5, 5)
    found = rfstudio.erf(network, "sum", unit=unit, samples=1, estimator="abs")
    region = rfstudio.analyze(network).unit("sum", unit).visible_region
    assert region is not None
    rows = np.flatnonzero(found.map.any(1))
    columns = np.flatnonzero(found.map.any(0))
    assert ((rows[0], rows[-1]), (columns[0], columns[-1])) == region
    rebuilt = rfstudio.erf(network, "sum", unit=unit, samples=1, estimator="abs", weights="model")
    np.testing.assert_allclose(found.map, rebuilt.map, rtol=1e-4, atol=1e-6 * rebuilt.map.max())
    assert all(x is y.value for x, y in zip(before, model.variables, strict=True))
    assert all("call" not in vars(x) for x in model.layers)


@pytest.mark.parametrize(
    "name",
    [
        "BatchNormalization",
        "GroupNormalization",
        "LayerNormalization",
    ],
)
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("center", [True, False])
def test_that_norms_are_torch_s_with_whichever_numbers_they_have(
    name: str, scale: bool, center: bool, keras: Any
) -> None:
    options = {"groups": 2} if name == "GroupNormalization" else {}
    norm = getattr(keras.layers, name)(scale=scale, center=center, name="norm", **options)
    image = keras.Input((6, 7, 4))
    model = _with_random_numbers(keras.Model(image, norm(image)))
    network = load_module(model, (6, 7))
    rebuilt = to_torch(network)
    if scale or center or name == "BatchNormalization":
        assert not any(take_own_weights(rebuilt, network))
    shown = torch.rand(1, 4, 6, 7)
    with torch.no_grad():
        wanted = model(shown.movedim(1, -1)).movedim(-1, 1)
        np.testing.assert_allclose(rebuilt(shown).numpy(), wanted.numpy(), atol=1e-5)


def test_that_a_layer_of_one_s_own_is_not_taken_for_a_norm_by_its_name(keras: Any) -> None:
    class BatchNormalization(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return keras.ops.relu(x) * 2.0

    image = keras.Input((12, 12, 3))
    x = keras.layers.Conv2D(4, 3, name="stem")(image)
    model = _with_random_numbers(keras.Model(image, BatchNormalization(name="own")(x)))
    network = load_module(model, (12, 12))
    batch = torch.rand(1, 3, 12, 12)
    built = to_torch(network)
    take_own_weights(built, network)
    with torch.no_grad():
        found = built(batch)
        right = model(batch.movedim(1, -1)).movedim(-1, 1)
    np.testing.assert_allclose(found.numpy(), right.numpy(), rtol=2e-5)


def test_that_parts_of_parts_and_shared_layers_have_paths(keras: Any) -> None:
    layers = keras.layers
    block = keras.Sequential([layers.Conv2D(4, 3, name="a"), layers.ReLU(name="b")], name="block")
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    image = keras.Input((32, 32, 4))
    model = keras.Model(image, shared(block(shared(image))), name="outer")
    analysis = rfstudio.analyze(load_module(model, (32, 32)))
    assert [analysis[x].rf_size[0] for x in ("shared", "block.a", "block", "shared@1")] == [
        3,
        5,
        5,
        7,
    ]


@pytest.mark.parametrize(
    ("shape", "kind", "sizes"),
    [((40, 2), "Conv1D", (40,)), ((8, 16, 16, 1), "Conv3D", (8, 16, 16))],
)
def test_that_signals_and_volumes_are_taken(
    shape: tuple[int, ...], kind: str, sizes: tuple[int, ...], keras: Any
) -> None:
    image = keras.Input(shape)
    conv = getattr(keras.layers, kind)(4, 3, strides=2, padding="same", name="conv")
    layer = rfstudio.analyze(load_module(keras.Model(image, conv(image)), sizes))["conv"]
    assert layer.output_size == tuple(n // 2 for n in sizes)
    assert set(layer.rf_size) == {3}


def test_that_channels_first_and_unbuilt_models_are_taken(keras: Any) -> None:
    first = keras.Sequential(
        [keras.layers.Conv2D(4, 5, data_format="channels_first", name="conv")], name="unbuilt"
    )
    network = load_module(first, (20, 24))
    layer = rfstudio.analyze(network)["conv"]
    assert (layer.output_size, network.channels) == ((16, 20), 3)
    assert isinstance(layer.op, ops.Conv) or layer.rf_size == (5, 5)


def test_that_a_size_that_a_model_refuses_ends_in_its_words(keras: Any) -> None:
    with pytest.raises(ExportError, match="small cannot be exported for an input of 65×65"):
        load_module(_model(keras), (65, 65))
