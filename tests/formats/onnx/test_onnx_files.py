"""ONNX files: names, sizes that are asked for, and hostile files, which end in a sentence."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import numpy as np
import pytest

import rfstudio
from rfstudio.core.errors import RFStudioError
from rfstudio.formats.onnx.load import load_onnx
from rfstudio.formats.onnx.model_file import OnnxError, SizeUnknownError
from rfstudio.formats.onnx.scopes import scope_of
from tests.formats.onnx.onnx_models import model, node, onnx, saved, weights

_W = {"w": weights(3, 2, 3, 3)}
_NETWORK = [node("Conv", "x w")]


def _refused(tmp_path: Path, proto, words: str) -> None:
    with pytest.raises(RFStudioError, match=words):
        load_onnx(saved(proto, tmp_path))


# --- sizes and names -----------------------------------------------------------------------------


def test_that_an_open_size_is_asked_for(tmp_path: Path) -> None:
    path = saved(model(_NETWORK, _W, shape=("N", 2, "H", "W")), tmp_path)
    with pytest.raises(SizeUnknownError, match=r"--input-size 224 224, or input_size=\(224, 224\)"):
        rfstudio.load(str(path))
    network = rfstudio.load(path, input_size=(9, 7))
    assert network.input_size == (9, 7)
    assert rfstudio.analyze(network)["conv1"].output_size == (7, 5)
    with pytest.raises(OnnxError, match="2 axes"):
        rfstudio.load(path, input_size=(9,))


def test_that_images_with_channels_last_are_recognised(tmp_path: Path) -> None:
    turn = node("Transpose", "x", "a", perm=[0, 3, 1, 2])
    path = saved(model([turn, node("Conv", "a w")], _W, shape=(1, 9, 7, 2)), tmp_path)
    network = load_onnx(path)
    assert (network.input_size, network.channels) == ((9, 7), 2)
    assert [x.name for x in rfstudio.analyze(network).layers] == ["conv1"]


@pytest.mark.parametrize(
    ("name", "metadata", "expected"),
    [
        ("/layer1/layer1.0/conv1/Conv", {}, ("layer1", "0", "conv1")),
        ("model/block1/Conv2D", {}, ("model", "block1")),
        ("Conv_3", {}, ()),
        (
            "node_conv2d_1",
            {"pkg.torch.onnx.name_scopes": "['', 'layer1', 'layer1.0.conv', 'conv2d_1']"},
            ("layer1", "0", "conv"),
        ),
        ("a", {"pkg.torch.onnx.name_scopes": "__import__('os').system('true')"}, ()),
        ("a", {"pkg.torch.onnx.name_scopes": "[" * 3000}, ()),
    ],
)
def test_that_paths_of_modules_are_found(
    name: str, metadata: dict[str, str], expected: tuple[str, ...]
) -> None:
    assert scope_of(name, metadata) == expected


def test_that_learned_numbers_are_counted(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w b", "a"),
        node("Flatten", "a", "f"),
        node("Gemm", "f g h", "y", transB=1),
    ]
    constants = {"b": weights(3), "g": weights(5, 3 * 10 * 8), "h": weights(5), **_W}
    layers = rfstudio.analyze(load_onnx(saved(model(nodes, constants), tmp_path))).layers
    assert sum(x.parameters for x in layers) == 3 * 2 * 9 + 3 + 5 * 240 + 5


def test_that_all_outputs_stay_and_lost_ones_are_named(tmp_path: Path) -> None:
    nodes = [
        *(node("Conv", "x w", "a"), node("Relu", "a", "p"), node("Conv", "a v", "q")),
        *(node("NonZero", "q", "i"), node("Gather", "i zero", "r")),
    ]
    constants = {"v": weights(1, 3, 1, 1), "zero": np.array(0, np.int64), **_W}
    network = load_onnx(saved(model(nodes, constants, outputs=("p", "q", "r")), tmp_path))
    kinds = [x.op for x in rfstudio.analyze(network).layers]
    assert kinds == ["conv", "relu", "conv"]
    dropped = "\n".join(map(str, network.report.of("dropped")))
    assert "'NonZero' is not imported" in dropped
    assert "output 'r'" in dropped


def test_that_an_unknown_operation_is_assumed_to_read_all(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "a"), node("Secret", "a", "b", domain="org.example")]
    nodes.append(node("Relu", "b", "y"))
    proto = model(nodes, _W)
    value = onnx.helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, [1, 3, 10, 8])
    proto.graph.value_info.append(value)
    network = load_onnx(saved(proto, tmp_path))
    assert "'Secret' is assumed to read all" in str(network.report)
    assert rfstudio.analyze(network)["relu1"].is_global == (True, True)


def test_that_functions_and_constant_conditions_are_followed(tmp_path: Path) -> None:
    convolution = onnx.helper.make_function(
        "local", "Twice", ["u", "v"], ["z"],
        [node("Conv", "u v", "t"), node("Conv", "t v", "z")],
        [onnx.helper.make_opsetid("", 17)],
    )  # fmt: skip
    inside = onnx.helper.make_graph(
        [node("Twice", "x w", "o", domain="local")], "then", [],
        [onnx.helper.make_tensor_value_info("o", onnx.TensorProto.FLOAT, None)],
    )  # fmt: skip
    other = onnx.helper.make_graph(
        [node("Relu", "x", "o")], "else", [],
        [onnx.helper.make_tensor_value_info("o", onnx.TensorProto.FLOAT, None)],
    )  # fmt: skip
    branch = node("If", "c", "y", then_branch=inside, else_branch=other)
    constants = {"c": np.array(True), "w": weights(2, 2, 3, 3)}
    proto = model([branch], constants, functions=[convolution])
    layers = rfstudio.analyze(load_onnx(saved(proto, tmp_path))).layers
    assert [x.op for x in layers] == ["conv", "conv"]
    assert layers[-1].rf_size == (5, 5)


def test_that_the_first_branch_is_shown_where_another_input_decides(tmp_path: Path) -> None:
    value = onnx.helper.make_tensor_value_info("o", onnx.TensorProto.FLOAT, None)
    first = onnx.helper.make_graph([node("Conv", "x w", "o")], "then", [], [value])
    other = onnx.helper.make_graph([node("Relu", "x", "o")], "else", [], [value])
    nodes = [
        node("Equal", "rate k", "c"),
        node("If", "c", "y", then_branch=first, else_branch=other),
    ]
    proto = model(nodes, {**_W, "k": np.array(16000, np.int64)})
    rate = onnx.helper.make_tensor_value_info("rate", onnx.TensorProto.INT64, [])
    proto.graph.input.append(rate)
    network = load_onnx(saved(proto, tmp_path))
    assert [x.op for x in rfstudio.analyze(network).layers] == ["conv"]
    assert "the first one is shown" in str(network.report)


def test_that_sound_without_channels_is_one_channel(tmp_path: Path) -> None:
    nodes = [node("Unsqueeze", "x one", "a"), node("Conv", "a w", strides=[2])]
    constants = {"one": np.array([1], np.int64), "w": weights(3, 1, 4)}
    network = load_onnx(saved(model(nodes, constants, shape=(1, 30)), tmp_path))
    assert (network.input_size, network.channels) == ((30,), 1)
    assert rfstudio.analyze(network)["conv1"].rf_size == (4,)


# --- files that are not as they should be ---------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"no model", b"\x08\x07" * 500, b"\x3a\xff\xff\xff\xff\x0f"])
def test_that_what_is_no_onnx_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    with pytest.raises(OnnxError, match="cannot be read"):
        load_onnx(path)


def test_that_very_old_files_are_refused(tmp_path: Path) -> None:
    _refused(tmp_path, model(_NETWORK, _W, opset=6), "version 6; files from version 7 on")


def test_that_without_the_package_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr(importlib, "import_module", missing)
    _refused(tmp_path, model(_NETWORK, _W), r"pip install 'rfstudio\[onnx\]'")


def test_that_circles_are_refused(tmp_path: Path) -> None:
    nodes = [node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")]
    _refused(tmp_path, model(nodes), "in a circle")


def test_that_operations_in_any_order_are_read(tmp_path: Path) -> None:
    nodes = [node("Relu", "a", "y"), node("Conv", "x w", "a")]
    network = load_onnx(saved(model(nodes, _W), tmp_path))
    assert [x.op for x in rfstudio.analyze(network).layers] == ["conv", "relu"]


def test_that_missing_values_are_refused(tmp_path: Path) -> None:
    _refused(tmp_path, model([node("Conv", "x nothing")]), "reads 'nothing', which nothing makes")


def test_that_conditions_in_conditions_have_an_end(tmp_path: Path) -> None:
    graph = onnx.helper.make_graph(
        [node("Relu", "x", "o")], "g", [],
        [onnx.helper.make_tensor_value_info("o", onnx.TensorProto.FLOAT, None)],
    )  # fmt: skip
    other = onnx.GraphProto()
    other.CopyFrom(graph)
    for _ in range(20):
        branch = node("If", "c", "o", then_branch=graph, else_branch=other)
        graph = onnx.helper.make_graph([branch], "g", [], list(graph.output))
    branch = node("If", "c", "y", then_branch=graph, else_branch=other)
    _refused(tmp_path, model([branch], {"c": np.array(True)}), "nested more than|cannot be read")


def test_that_functions_that_call_themselves_are_refused(tmp_path: Path) -> None:
    call = [node("Self", "u", "z", domain="local")]
    sets = [onnx.helper.make_opsetid("local", 1)]
    function = onnx.helper.make_function("local", "Self", ["u"], ["z"], call, sets)
    proto = model([node("Self", "x", domain="local")], functions=[function])
    _refused(tmp_path, proto, "call each other")


@pytest.mark.slow
def test_that_functions_that_grow_are_refused(tmp_path: Path) -> None:
    """Each calls the one before ten times, so that ten of them would be ten thousand million."""
    sets = [onnx.helper.make_opsetid("local", 1), onnx.helper.make_opsetid("", 17)]
    functions = []
    for k in range(10):
        called = node("Relu", "u", "z") if not k else node(f"F{k - 1}", "u", "z", domain="local")
        calls = []
        for i in range(10):
            copy = onnx.NodeProto()
            copy.CopyFrom(called)
            copy.input[0], copy.output[0] = ("u" if not i else f"t{i - 1}"), f"t{i}"
            calls.append(copy)
        functions.append(onnx.helper.make_function("local", f"F{k}", ["u"], ["t9"], calls, sets))
    proto = model([node("F9", "x", domain="local")], functions=functions)
    _refused(tmp_path, proto, "more than 50,000 operations")


def test_that_numbers_that_are_declared_but_not_there_take_no_memory(tmp_path: Path) -> None:
    tensor = onnx.TensorProto(name="w", dims=[1 << 15, 2, 128, 128], data_type=1, raw_data=b"")
    proto = model([node("Conv", "x w", "y")], shape=(1, 2, 200, 200))
    proto.graph.initializer.append(tensor)
    network = load_onnx(saved(proto, tmp_path))
    assert rfstudio.analyze(network)["conv1"].rf_size == (128, 128)


def test_that_constants_that_would_be_huge_are_not_made(tmp_path: Path) -> None:
    nodes = [
        node("ConstantOfShape", "s", "a"),
        node("Tile", "a t", "b"),
        node("Expand", "b s", "c"),
        node("ReduceSum", "c", "d", keepdims=0),
        node("Add", "x d", "y"),
    ]
    huge = np.array([1 << 20, 1 << 19], np.int64)
    load_onnx(saved(model(nodes, {"s": huge, "t": huge}), tmp_path))


def test_that_impossible_shapes_are_refused(tmp_path: Path) -> None:
    tensor = onnx.TensorProto(name="w", dims=[-4, 2, 3, 3], data_type=1)
    proto = model([node("Conv", "x w", "y")])
    proto.graph.initializer.append(tensor)
    _refused(tmp_path, proto, "has the shape")
    _refused(tmp_path, model(_NETWORK, _W, shape=(1, 2, 1 << 40, 3)), "pixels")


# --- numbers in other files -----------------------------------------------------------------------


def _outside(location: str, **entries: int):
    tensor = onnx.TensorProto(name="s", dims=[4], data_type=7, data_location=1)
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=str(value))
    proto = model([node("Conv", "x w", "a"), node("Reshape", "a s", "y")], _W)
    proto.graph.initializer.append(tensor)
    return proto


def test_that_numbers_beside_the_file_are_read(tmp_path: Path) -> None:
    shape = np.array([1, 3, 80, 1], np.int64)
    (tmp_path / "net.onnx.data").write_bytes(b"12345678" + shape.tobytes())
    proto = _outside("net.onnx.data", offset=8, length=32)
    network = load_onnx(saved(proto, tmp_path))
    assert not network.report.of("global")


@pytest.mark.parametrize(
    "location", ["../secret", "/etc/passwd", "sub/data", "..", "a\\b", "link", "pipe", "folder"]
)
def test_that_nothing_elsewhere_is_read(
    tmp_path: Path, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "models"
    (folder / "folder").mkdir(parents=True)
    (folder / "sub").mkdir()
    shape = np.array([1, 3, 80, 1], np.int64).tobytes()
    for place in (tmp_path / "secret", folder / "sub" / "data"):
        place.write_bytes(shape)
    (folder / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe")
    path = saved(_outside(location), folder)
    opened = []
    real = os.open

    def noted(name: os.PathLike[str] | str, *arguments: int, **options: int) -> int:
        opened.append(Path(name))
        return real(name, *arguments, **options)

    monkeypatch.setattr(os, "open", noted)
    network = load_onnx(path)
    assert "is not imported" in str(network.report)
    assert {x.parent for x in opened} == {folder}


@pytest.mark.parametrize("entries", [{"offset": -1}, {"offset": 10**18}, {"length": 10**12}])
def test_that_bounds_of_the_other_file_hold(tmp_path: Path, entries: dict[str, int]) -> None:
    (tmp_path / "data").write_bytes(bytes(32))
    network = load_onnx(saved(_outside("data", **entries), tmp_path))
    assert "is not imported" in str(network.report)


@pytest.mark.slow
def test_that_mutations_of_a_file_end_in_a_sentence_or_a_network(tmp_path: Path) -> None:
    nodes = [
        *(node("Conv", "x w", "a", pads=[1, 1, 1, 1]), node("Shape", "a", "s")),
        *(node("Reshape", "a s", "b"), node("Resize", "b . . t", "y")),
    ]
    constants = {"t": np.array([1, 3, 24, 20], np.int64), **_W}
    data = model(nodes, constants).SerializeToString()
    generator = np.random.default_rng(5)
    path = tmp_path / "net.onnx"
    for _ in range(150):
        broken = bytearray(data)
        for place in generator.integers(len(data), size=generator.integers(1, 6)):
            broken[place] = generator.integers(256)
        path.write_bytes(broken[: generator.integers(len(data) // 2, len(data) + 1)])
        try:
            rfstudio.analyze(load_onnx(path, (12, 10)))
        except RFStudioError as error:
            assert "\n" not in str(error)  # noqa: PT017 - it need not be raised
