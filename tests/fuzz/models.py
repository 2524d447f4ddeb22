"""Damaged files of models and weights: ONNX, exported programs, safetensors, pickles.

Bytes alone seldom get past a checksum, so the parts inside are changed, too: fields of a message,
values of a JSON text, the pickle of an archive.
"""

from __future__ import annotations

import io
import json
import random
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import torch
from safetensors.torch import save as save_safetensors
from torch import nn

from rfstudio.formats.onnx.op_names import RULES
from tests.engine.handwritten_modules import MODULES, Mixed, Pieces, Residuals, Tokens
from tests.fuzz.inputs import NUMBERS, changed, damaged

_STATE = {"a.weight": torch.zeros(4, 3, 3, 3), "a.bias": torch.ones(4), "n": torch.tensor(3)}
_CHANNELS = 4
_SIDES = (1, 2, 3, 5, 8, 17, 64, 224)


# --- weights --------------------------------------------------------------------------------------


@cache
def _safetensors() -> bytes:
    return save_safetensors(_STATE)


@cache
def _pickled(is_zip: bool) -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": _STATE}, buffer, _use_new_zipfile_serialization=is_zip)
    return buffer.getvalue()


def safetensors(rng: random.Random) -> bytes:
    """Damaged bytes, or a sound file whose header claims other things."""
    data = _safetensors()
    if rng.random() < 0.4:
        return damaged(data, rng)
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    changed(header, rng, ("F32", "F64", "F8_E4M3", "BF16", "I64", "BOOL", "", "a.weight", "\n"))
    text = json.dumps(header).encode()
    if rng.random() < 0.1:
        text = damaged(text, rng)
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def pickle_of_weights(rng: random.Random) -> bytes:
    """Damaged bytes, or an archive that is sound around a damaged pickle."""
    if rng.random() < 0.3:
        return damaged(_pickled(rng.random() < 0.5), rng)
    if rng.random() < 0.3:
        return _with_changed_opcodes(_pickled(is_zip=False), rng)
    return _repacked(
        _pickled(is_zip=True),
        lambda name, data: _with_changed_opcodes(data, rng) if name.endswith("data.pkl") else data,
    )


_OPCODES = b"(.0123abcdehijklmnopqrstu}])QKJMNRX\x80\x85\x86\x87\x89"


def _with_changed_opcodes(data: bytes, rng: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(rng.randint(1, 5)):
        place = rng.randrange(len(found))
        match rng.randrange(4):
            case 0:
                found[place] = rng.choice(
                    b"(.0123abcdehijklmnopqrstu}])QKJMNRX\x80\x85\x86\x87\x89"
                )
            case 1:
                del found[place : place + rng.choice((1, 2, 9))]
            case 2:
                found[place:place] = found[place : place + rng.choice((1, 5, 40))]
            case _:
                found[place : place + 4] = struct.pack(
                    "<i", rng.choice((0, 1, -1, 2**31 - 1, 4096))
                )
    return bytes(found)


def _repacked(data: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """Return an archive with changed entries and right checksums."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w") as result:
        for name in source.namelist():
            result.writestr(name, change(name, source.read(name)))
    return buffer.getvalue()


# --- exported programs ----------------------------------------------------------------------------


@cache
def _programs() -> tuple[bytes, ...]:
    found = []
    for kind in (Residuals, Pieces, Mixed, Tokens):
        module: nn.Module = kind().eval()
        buffer = io.BytesIO()
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            image = torch.zeros(MODULES[kind])
            torch.export.save(torch.export.export(module, (image,), strict=False), buffer)
        found.append(buffer.getvalue())
    return tuple(found)


def exported_program(rng: random.Random) -> bytes:
    """Damaged bytes, or an archive whose graph or tables were changed."""
    data = rng.choice(_programs())
    if rng.random() < 0.2:
        return damaged(data, rng)

    def change(name: str, before: bytes) -> bytes:
        if not name.endswith(".json") or (rng.random() < 0.7 and "models/model" not in name):
            return before
        if rng.random() < 0.15:
            return damaged(before, rng)
        document = json.loads(before)
        part = document
        # Most of a program are facts that nobody reads.
        if "graph_module" in document and rng.random() < 0.9:
            part = document["graph_module"]["graph"]
            if rng.random() < 0.6:
                part = rng.choice([*part["nodes"], part["tensor_values"], part["outputs"]])
        changed(part, rng, _WORDS)
        return json.dumps(document).encode()

    return _repacked(data, change)


_WORDS = (
    *("x", "conv2d", "relu", "torch.ops.aten.conv2d.default", "torch.ops.aten.view.default"),
    *("torch.ops.aten.cat.default", "torch.ops.aten.slice.Tensor", "s0", "Symbol('s0')", "", "\n"),
    *("torch.ops.aten.max_pool2d.default", "torch.ops.aten.permute.default", "9**9**9", "as_int"),
)


# --- ONNX -----------------------------------------------------------------------------------------


def onnx_file(rng: random.Random) -> bytes:
    """A graph of any operations, with any attributes; its bytes are damaged now and then."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    constants: dict[str, object] = {}
    values, nodes = ["x"], []

    def constant(array: object) -> str:
        name = f"c{len(constants)}"
        constants[name] = array
        return name

    def value() -> str:
        return values[-1] if rng.random() < 0.8 else rng.choice(values)

    axes = rng.choice((1, 2, 2, 2, 3))
    for i in range(rng.randint(1, 12)):
        op, inputs, attributes = _onnx_node(rng, axes, value, constant)
        outputs = [f"v{i}"]
        if op == "Split":
            outputs += [f"v{i}b", f"v{i}c"][: rng.randrange(3)]
        nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        values += outputs
    size = [rng.choice((*_SIDES, rng.choice((10**6, 2**31 - 1, 0)))) for _ in range(axes)]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, _CHANNELS, *size])],
        [helper.make_tensor_value_info(values[-1], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    sets = [helper.make_opsetid("", rng.choice((8, 11, 13, 17, 18, 21)))]
    proto = helper.make_model(graph, opset_imports=sets, ir_version=8)
    for _ in range(rng.choice((0, 0, 1, 3))):
        _change_message(proto, rng)
    data: bytes = proto.SerializeToString()
    assert onnx
    return damaged(data, rng) if rng.random() < 0.25 else data


_Attributes = Mapping[str, object]


def _onnx_node(
    rng: random.Random, axes: int, value: Callable[[], str], constant: Callable[[object], str]
) -> tuple[str, list[str], _Attributes]:
    """Return an operation that fits more often than not, its inputs and its attributes."""

    def numbers(most: int = 3, count: int = axes) -> list[int]:
        return [rng.randint(1, most) for _ in range(count)]

    def whole(array: object) -> str:
        return constant(np.array(array, np.int64))

    kernel = numbers(5)
    window: dict[str, object] = {
        "kernel_shape": kernel,
        "strides": numbers(),
        "dilations": numbers(2),
        "pads": [rng.randint(0, 3) for _ in range(2 * axes)],
    }
    if rng.random() < 0.2:
        window["auto_pad"] = rng.choice(("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET"))
        del window["pads"]
    axis = rng.choice((1, 1, 2, -1, 0, 3))
    match rng.randrange(16):
        case 0 | 1 | 2:
            groups = rng.choice((1, 1, 2, _CHANNELS))
            shape = (_CHANNELS, _CHANNELS // groups, *kernel)
            op = rng.choice(("Conv", "Conv", "ConvTranspose"))
            weight = constant(np.zeros(shape, np.float32))
            return op, [value(), weight], {**window, "group": groups}
        case 3:
            return rng.choice(("MaxPool", "AveragePool", "LpPool")), [value()], window
        case 4:
            return rng.choice(("Add", "Mul", "Sub", "MatMul", "Max")), [value(), value()], {}
        case 5:
            return "Concat", [value() for _ in range(rng.randint(1, 3))], {"axis": axis}
        case 6:
            sizes = rng.choice(
                ([0, 0, -1], [1, -1], [1, _CHANNELS, -1, 1], [1, 2, 2, -1], [0, -1, 2, 2, 2], [7])
            )
            return "Reshape", [value(), whole(sizes)], {}
        case 7:
            order = rng.sample(range(axes + 2), axes + 2)
            return "Transpose", [value()], {"perm": order}
        case 8:
            start, stop, step = rng.choice(((0, 9999, 2), (1, -1, 1), (-1, -9999, -1), (0, 0, 1)))
            return "Slice", [value(), *(whole([n]) for n in (start, stop, axis, step))], {}
        case 9:
            pads = [rng.randint(-2, 4) for _ in range(2 * axes + 4)]
            mode = rng.choice(("constant", "reflect", "edge", "wrap"))
            return "Pad", [value(), whole(pads)], {"mode": mode}
        case 10:
            scales = np.array([1, 1, *(rng.choice((0.5, 2, 1.7)) for _ in range(axes))], np.float32)
            ways = ("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel")
            how = {
                "mode": rng.choice(("nearest", "linear", "cubic")),
                "coordinate_transformation_mode": rng.choice(ways),
            }
            return "Resize", [value(), "", constant(scales)], how
        case 11:
            op = rng.choice(("ReduceMean", "ReduceMax", "ReduceSum", "ArgMax", "Softmax"))
            return op, [value()], {"axes": [axis]} if op.startswith("R") else {"axis": axis}
        case 12:
            return "Gather", [value(), whole(rng.choice((0, [0, 1], [3, 2, 1, 0])))], {"axis": axis}
        case 13:
            return "Split", [value()], {"axis": axis}
        case _:
            attributes: dict[str, object] = {
                key: rng.choice((1, 2, -1, 0.5, [1, 2], "nearest", *NUMBERS[:8]))
                for key in rng.sample(
                    ("axis", "axes", "alpha", "blocksize", "keepdims", "epsilon", "to", "equation",
                     "hidden_size", "direction", "num_groups", "mode", "perm"), 2
                )
            }  # fmt: skip
            inputs = [value() for _ in range(rng.choice((1, 1, 1, 2, 3)))]
            return rng.choice(list(RULES)), inputs, attributes


def _change_message(proto, rng: random.Random) -> None:
    """Change a number, a text or the length of a list somewhere in a message."""
    while True:
        fields = proto.ListFields()
        if not fields:
            return
        field, content = rng.choice(fields)
        is_list = not isinstance(content, int | float | str | bytes) and hasattr(content, "append")
        kind = rng.choice(content) if is_list and len(content) else content
        if hasattr(kind, "ListFields"):
            if is_list and rng.random() < 0.05:
                del content[rng.randrange(len(content))]
                return
            proto = kind
            continue
        made: object = rng.choice([n for n in NUMBERS if type(n) is int and abs(n) < 2**31])
        if isinstance(kind, str):
            made = rng.choice((*RULES, "x", "v0", "c0", "", "auto_pad"))
        elif isinstance(kind, bytes):
            made = damaged(kind, rng) if kind else b"\0" * 8
        elif isinstance(kind, float):
            made = rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e30))
        # Enumerations refuse what they do not have.
        try:
            if is_list:
                content[rng.randrange(len(content))] = made
            else:
                setattr(proto, field.name, made)
        except (ValueError, TypeError):
            pass
        return


FILES: Mapping[str, Callable[[random.Random], bytes]] = {
    ".safetensors": safetensors,
    ".pt": pickle_of_weights,
    ".pt2": exported_program,
    ".onnx": onnx_file,
}
