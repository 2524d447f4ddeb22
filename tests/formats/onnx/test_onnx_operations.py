"""Operations of ONNX files: the region of every unit, against what changes when they are run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rfstudio
from rfstudio.core import ops
from rfstudio.core.network.architecture import Layer
from rfstudio.core.network.expansion import expand
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.weights.own_weights import take_own_weights
from rfstudio.formats.onnx.load import load_onnx, onnx_state
from rfstudio.importing import layout
from tests.formats.onnx.onnx_models import (
    assert_fields_are_those_of_the_runtime,
    model,
    node,
    saved,
    weights,
)

_W = {"w": weights(3, 2, 3, 3)}
_BLUR = weights(2, 1, 3, 3)


def _numbers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _check(tmp_path: Path, *nodes: object, shape=(1, 2, 12, 10), opset=17, **constants) -> None:
    path = saved(model(nodes, constants, shape=shape, opset=opset), tmp_path)
    assert_fields_are_those_of_the_runtime(path, shape)


@pytest.mark.slow
@pytest.mark.parametrize("pad", ["SAME_UPPER", "SAME_LOWER", "VALID"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_that_convolutions_that_pad_by_themselves_are_exact(
    tmp_path: Path, pad: str, stride: int
) -> None:
    conv = node("Conv", "x w", auto_pad=pad, strides=[stride, stride])
    _check(tmp_path, conv, w=weights(3, 2, 4, 3))


@pytest.mark.slow
def test_that_convolutions_with_padding_of_their_own_on_each_side_are_exact(tmp_path: Path) -> None:
    conv = node("Conv", "x w b", pads=[2, 0, 1, 3], dilations=[2, 1], strides=[1, 2])
    _check(tmp_path, conv, b=weights(3), **_W)


@pytest.mark.slow
@pytest.mark.parametrize(
    "attributes",
    [
        {"pads": [1, 1, 0, 2]},
        {"output_padding": [1, 0]},
        {"output_shape": [25, 21]},
        {"auto_pad": "SAME_UPPER"},
        {"auto_pad": "SAME_LOWER"},
    ],
    ids=str,
)
def test_that_transposed_convolutions_are_exact(tmp_path: Path, attributes: dict[str, Any]) -> None:
    conv = node("ConvTranspose", "x w", strides=[2, 2], **attributes)
    _check(tmp_path, conv, w=weights(2, 3, 3, 4))


@pytest.mark.slow
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("ceil", [0, 1])
def test_that_pools_are_exact(tmp_path: Path, op: str, ceil: int) -> None:
    shape: Any = {"kernel_shape": [3, 2], "strides": [2, 3], "pads": [1, 0, 1, 0]}
    _check(tmp_path, node(op, "x", ceil_mode=ceil, **shape), shape=(1, 2, 11, 9))


@pytest.mark.slow
@pytest.mark.parametrize(
    "position",
    ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"],
)
@pytest.mark.parametrize("rounding", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("size", [(24, 20), (6, 5), (18, 7)])
def test_that_resizing_to_the_nearest_is_exact(
    tmp_path: Path, position: str, rounding: str, size: tuple[int, int]
) -> None:
    how = {"coordinate_transformation_mode": position, "nearest_mode": rounding}
    resize = node("Resize", "x . . s", mode="nearest", **how)
    _check(tmp_path, resize, s=_numbers(1, 2, *size), opset=19)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("position", ["half_pixel", "align_corners", "asymmetric"])
@pytest.mark.parametrize("size", [(24, 20), (6, 5), (18, 7)])
def test_that_resizing_between_samples_is_exact(
    tmp_path: Path, mode: str, position: str, size: tuple[int, int]
) -> None:
    how = {"coordinate_transformation_mode": position, "mode": mode}
    _check(tmp_path, node("Resize", "x . . s", **how), s=_numbers(1, 2, *size), opset=18)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_that_resizing_that_averages_is_exact(tmp_path: Path, mode: str) -> None:
    resize = node("Resize", "x . . s", mode=mode, antialias=1)
    _check(tmp_path, resize, s=_numbers(1, 2, 6, 5), opset=18)


@pytest.mark.slow
@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11])
def test_that_upsampling_of_old_files_is_exact(tmp_path: Path, opset: int) -> None:
    scales = np.array([1, 1, 2, 3], np.float32)
    if opset < 9:
        _check(tmp_path, node("Upsample", "x", scales=scales.tolist()), opset=opset)
    elif opset == 9:
        _check(tmp_path, node("Upsample", "x s", mode="linear"), s=scales, opset=opset)
    elif opset == 10:
        _check(tmp_path, node("Resize", "x s", mode="linear"), s=scales, opset=opset)
    else:
        roi = np.zeros(0, np.float32)
        _check(tmp_path, node("Resize", "x r s"), s=scales, r=roi, opset=opset)


@pytest.mark.slow
def test_that_a_crop_that_is_resized_is_exact(tmp_path: Path) -> None:
    how = {"coordinate_transformation_mode": "tf_crop_and_resize", "nearest_mode": "floor"}
    roi = np.array([0, 0, 0.2, 0.3, 1, 1, 0.9, 0.8], np.float32)
    _check(tmp_path, node("Resize", "x r . s", **how), r=roi, s=_numbers(1, 2, 7, 8), opset=13)


@pytest.mark.slow
def test_that_maps_with_channels_last_are_exact(tmp_path: Path) -> None:
    """As files of TensorFlow models have them."""
    nodes = [
        node("Transpose", "x", "a", perm=[0, 2, 3, 1]),
        node("Pad", "a p", "b"),
        node("Transpose", "b", "c", perm=[0, 3, 1, 2]),
        node("Conv", "c w", "d", strides=[2, 2]),
        node("Transpose", "d", "e", perm=[0, 2, 3, 1]),
        node("Add", "e v", "f"),
        node("Transpose", "f", "y", perm=[0, 3, 1, 2]),
    ]
    _check(tmp_path, *nodes, p=_numbers(0, 0, 1, 0, 0, 1, 1, 0), v=weights(3), **_W)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_that_pixels_that_are_shuffled_are_exact(tmp_path: Path, mode: str) -> None:
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1]),
        node("DepthToSpace", "a", "b", blocksize=2, mode=mode),
        node("Conv", "b v", "c"),
        node("SpaceToDepth", "c", "y", blocksize=2),
    ]
    w, v = weights(8, 2, 3, 3), weights(1, 2, 3, 3)
    _check(tmp_path, *nodes, w=w, v=v)


@pytest.mark.slow
def test_that_slices_and_what_is_put_together_are_exact(tmp_path: Path) -> None:
    ends = 2**31 - 1
    nodes = [
        node("Slice", "x s0 e a t", "p"),
        node("Slice", "x s1 e a t", "q"),
        node("Concat", "p q", "r", axis=1),
        node("Conv", "r w", "o"),
        node("Slice", "o m n a1 b", "y"),
    ]
    constants = {
        "s0": _numbers(0, 1),
        "s1": _numbers(1, 0),
        "e": _numbers(ends, ends),
        "a": _numbers(2, 3),
        "t": _numbers(2, 2),
        "m": _numbers(-1),
        "n": _numbers(-(2**31)),
        "a1": _numbers(-1),
        "b": _numbers(-1),
    }
    _check(tmp_path, *nodes, w=weights(2, 4, 3, 2), **constants)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
def test_that_padding_is_exact(tmp_path: Path, mode: str) -> None:
    nodes = [node("Pad", "x p", "a", mode=mode), node("Conv", "a w", "y")]
    _check(tmp_path, *nodes, p=_numbers(0, 0, 2, 1, 0, 0, 0, 3), **_W)


@pytest.mark.slow
def test_that_rolls_that_are_slices_are_exact(tmp_path: Path) -> None:
    ends = 2**31 - 1
    nodes = [
        node("Slice", "x s e a", "p"),
        node("Slice", "x z s a", "q"),
        node("Concat", "p q", "r", axis=2),
        node("Conv", "r w", "y", pads=[1, 1, 1, 1]),
    ]
    constants = {"s": _numbers(4), "e": _numbers(ends), "a": _numbers(2), "z": _numbers(0)}
    path = saved(model(nodes, {**constants, **_W}), tmp_path)
    kinds = {x.op for x in rfstudio.analyze(load_onnx(path)).layers}
    assert kinds == {"roll", "conv"}
    # The hull of a rolled region that crosses the border is the whole axis.
    analysis = rfstudio.analyze(load_onnx(path))
    assert analysis.unit("conv1", (3, 5)).visible_region == ((6, 8), (4, 6))


@pytest.mark.slow
def test_that_attention_made_of_products_is_exact(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w", "a", strides=[2, 2]),
        node("Reshape", "a s", "b"),
        node("Transpose", "b", "c", perm=[0, 2, 1]),
        node("MatMul", "c q", "d"),
        node("MatMul", "d b", "e"),
        node("Softmax", "e", "f", axis=-1),
        node("MatMul", "f c", "g"),
        node("Transpose", "g", "h", perm=[0, 2, 1]),
        node("Reshape", "h t", "y"),
    ]
    constants = {"s": _numbers(1, 3, -1), "t": _numbers(1, 3, 5, 4), "q": weights(3, 3) / 50}
    _check(tmp_path, *nodes, **constants, **_W)


@pytest.mark.slow
def test_that_shapes_that_the_graph_computes_are_exact(tmp_path: Path) -> None:
    """Resize to the size of another map, as exporters write it."""
    nodes = [
        node("Conv", "x w", "a", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Shape", "x", "n"),
        node("Slice", "n two four zero", "hw"),
        node("Shape", "a", "m"),
        node("Slice", "m zero two zero", "nc"),
        node("Concat", "nc hw", "size", axis=0),
        node("Resize", "a . . size", "y", coordinate_transformation_mode="half_pixel"),
    ]
    constants = {"two": _numbers(2), "four": _numbers(4), "zero": _numbers(0)}
    _check(tmp_path, *nodes, **constants, **_W)


@pytest.mark.slow
def test_that_means_over_one_axis_of_old_and_new_files_are_exact(tmp_path: Path) -> None:
    for opset, mean in ((13, {"axes": [3]}), (18, {})):
        nodes = [
            node("Conv", "x w", "a"),
            node("ReduceMean", "a" if mean else "a s", "b", **mean),
            node("Add", "a b", "y"),
        ]
        _check(tmp_path, *nodes, opset=opset, s=_numbers(3), **_W)


@pytest.mark.slow
def test_that_one_and_three_axes_are_exact(tmp_path: Path) -> None:
    conv = node("Conv", "x w", strides=[2], pads=[1, 1])
    _check(tmp_path, conv, shape=(1, 2, 30), w=weights(3, 2, 4))
    nodes = [node("Conv", "x w", "a"), node("MaxPool", "a", "y", kernel_shape=[2, 2, 2])]
    _check(tmp_path, *nodes, shape=(1, 1, 8, 7, 6), w=weights(2, 1, 2, 3, 3))


@pytest.mark.slow
def test_that_norms_and_gates_are_exact(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w", "a", pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", "a", "b"),
        node("Conv", "b v", "c"),
        node("HardSigmoid", "c", "d", alpha=0.01),
        node("Mul", "a d", "e"),
        node("BatchNormalization", "e s s s s", "y"),
    ]
    _check(tmp_path, *nodes, s=weights(3), v=weights(3, 3, 1, 1) / 99, **_W)


def test_that_a_sign_is_a_factor_and_whole_numbers_are_rounded(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w", "a"),
        node("Neg", "a", "b"),
        node("Cast", "b", "c", to=6),
        node("Cast", "c", "y", to=1),
    ]
    network = load_onnx(saved(model(nodes, _W), tmp_path))
    sign, rounding = [x.op for x in expand(network).nodes[2:]]
    assert sign == ops.Affine(factor=-1.0)
    assert isinstance(rounding, ops.Custom)


def test_that_positions_of_an_axis_too_long_to_list_are_assumed_to_be_read_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Channels in the place of rows, beside 24 million columns, took 1.1 s and 570 MB."""
    nodes = [
        node("Transpose", "x", "t", perm=[0, 2, 1, 3]),
        node("Conv", "t w", "y", pads=[1, 1, 1, 1]),
    ]
    path = saved(model(nodes, _W, shape=(1, 2, 2, 200)), tmp_path)
    assert None not in rfstudio.analyze(load_onnx(path)).layers[-1].rf_size
    monkeypatch.setattr(layout, "MAX_LISTED", 100)
    network = load_onnx(path)
    assert rfstudio.analyze(network).layers[-1].rf_size == (None, None)
    assert "assumed to read all" in str(network.report)


_GELU = (
    node("Div", "x root", "inside"),
    node("Erf", "inside", "erf"),
    node("Add", "erf one", "plus"),
)
_NUMBERS = {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)}


@pytest.mark.parametrize(
    "rest",
    [
        (node("Mul", "x plus", "times"), node("Mul", "times half")),
        (node("Mul", "x half", "halved"), node("Mul", "halved plus")),
        (node("Mul", "plus half", "halved"), node("Mul", "x halved")),
    ],
)
def test_that_gelu_in_five_operations_is_one_layer(rest: tuple[Any, ...], tmp_path: Path) -> None:
    network = load_onnx(saved(model([*_GELU, *rest], _NUMBERS), tmp_path))
    assert [x.op for x in network.layers if isinstance(x, Layer)] == [ops.Gelu()]


@pytest.mark.parametrize(
    ("rest", "numbers"),
    [
        ((node("Mul", "x plus", "times"), node("Mul", "times half")), {"root": np.float32(2)}),
        ((node("Mul", "x plus", "times"), node("Mul", "times half")), {"one": np.float32(2)}),
        ((node("Mul", "x plus", "times"), node("Mul", "times half")), {"half": np.float32(1)}),
        (
            (node("Mul", "x erf", "times"), node("Mul", "times half", "t"), node("Add", "t plus")),
            {},
        ),
    ],
)
def test_that_other_uses_of_erf_are_no_gelu(
    rest: tuple[Any, ...], numbers: dict[str, Any], tmp_path: Path
) -> None:
    network = load_onnx(saved(model([*_GELU, *rest], _NUMBERS | numbers), tmp_path))
    assert not any(isinstance(x, Layer) and x.op == ops.Gelu() for x in network.layers)


def test_that_a_shift_after_a_matrix_is_its_bias(tmp_path: Path) -> None:
    source = np.random.default_rng(0)
    constants = {
        "matrix": source.normal(size=(4, 3)).astype(np.float32),
        "shift": source.normal(size=3).astype(np.float32),
    }
    product = node("MatMul", "x matrix", "product")
    path = saved(
        model([product, node("Add", "shift product")], constants, shape=(1, 5, 6, 4)), tmp_path
    )
    network = load_onnx(path)
    assert [type(x.op).__name__ for x in expand(network).nodes[1:]].count("Custom") == 0
    state = onnx_state(path)
    (bias,) = [x for name, x in state.items() if name.endswith(".bias")]
    np.testing.assert_array_equal(bias, constants["shift"])
    # What the matrix alone makes is read, too.
    twice = [product, node("Add", "shift product", "sum"), node("Mul", "sum product")]
    network = load_onnx(saved(model(twice, constants, shape=(1, 5, 6, 4)), tmp_path))
    assert not any(name.endswith(".bias") for names in network.weights.values() for name in names)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("has_bias", [True, False])
def test_that_taps_of_deformable_convolutions_are_moved_as_by_the_runtime(
    tmp_path: Path, masked: bool, has_bias: bool
) -> None:
    runtime = pytest.importorskip("onnxruntime")
    generator = np.random.default_rng(0)
    window: dict[str, Any] = {"pads": [1, 1, 1, 1], "strides": [1, 2], "kernel_shape": [3, 3]}
    nodes = [node("Conv", "x of of_bias", "offset", **window)]
    shapes = {"of": (36, 2, 3, 3), "of_bias": (36,), "w": (4, 2, 3, 3)}
    if masked:
        nodes += [node("Conv", "x wm", "logits", **window), node("Sigmoid", "logits", "mask")]
        shapes["wm"] = (18, 2, 3, 3)
    if has_bias:
        shapes["b"] = (4,)
    inputs = f"x w offset {'b' if has_bias else '.'} {'mask' if masked else '.'}"
    nodes.append(node("DeformConv", inputs, offset_group=2, **window))
    given = {x: generator.normal(size=y).astype(np.float32) / 2 for x, y in shapes.items()}
    path = saved(model(nodes, given, opset=19), tmp_path)
    network = load_onnx(path)
    assert list(network.report) == []
    rebuilt = to_torch(network)
    assert take_own_weights(rebuilt, network) == ((), (), (), (), ())
    image = generator.normal(size=(1, 2, 12, 10)).astype(np.float32)
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": image})
    np.testing.assert_allclose(rebuilt(torch.from_numpy(image)).numpy(), wanted, atol=1e-5)


def test_that_a_number_that_multiplies_a_map_is_no_weight_that_is_missing(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "a", kernel_shape=[1, 1]), node("Mul", "a number")]
    given = {"w": np.ones((4, 2, 1, 1), np.float32), "number": np.array(0.5, np.float32)}
    network = load_onnx(saved(model(nodes, given), tmp_path))
    rebuilt = to_torch(network)
    assert take_own_weights(rebuilt, network) == ((), (), (), (), ())
    assert float(rebuilt(torch.ones(1, 2, *network.input_size)).mean()) == 1


def test_that_offsets_that_are_clipped_bound_the_field(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    generator = np.random.default_rng(0)
    window: dict[str, Any] = {"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]}
    nodes = [
        node("Conv", "x of", "offset", **window),
        node("Clip", "offset low high", "cut"),
        node("DeformConv", "x w cut", **window),
    ]
    shapes = {"of": (18, 2, 3, 3), "w": (4, 2, 3, 3)}
    given = {x: generator.normal(size=y).astype(np.float32) for x, y in shapes.items()}
    given |= {"low": np.array(-2, np.float32), "high": np.array(2, np.float32)}
    path = saved(model(nodes, given, opset=19), tmp_path)
    network = load_onnx(path)
    assert list(network.report) == []
    rebuilt = to_torch(network)
    assert take_own_weights(rebuilt, network) == ((), (), (), (), ())
    image = generator.normal(size=(1, 2, 12, 10)).astype(np.float32)
    session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": image})
    np.testing.assert_allclose(rebuilt(torch.from_numpy(image)).numpy(), wanted, atol=1e-5)
    last = expand(network).nodes[-1].op
    assert isinstance(last, ops.Deforming)
    assert last.convolution.max_offset == 2
