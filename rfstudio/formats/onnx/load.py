"""ONNX files as networks: their graphs go through the same tracker as torch modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from rfstudio.core.errors import RFStudioError, shown
from rfstudio.formats.files import FileAccessError
from rfstudio.formats.onnx.following import Following, Names
from rfstudio.formats.onnx.gelus import with_gelus
from rfstudio.formats.onnx.model_file import (
    MAX_BYTES,
    Model,
    OnnxError,
    SizeUnknownError,
    read_model,
)
from rfstudio.formats.onnx.tensors import Array, Constant, outside, value_of
from rfstudio.importing.imported import Imported
from rfstudio.importing.records import Program, Record
from rfstudio.importing.report import Remark, Report
from rfstudio.importing.tree import network_of

_MAX_SIDE = 1 << 24


class _Image(NamedTuple):
    """The input that is the image.

    Attributes
    ----------
    name
        Its name.
    shape
        Its shape in the file.
    order
        For each of (N, C, *size) which dimension it is, or None: there is no such dimension.
    kind
        Number of its type of elements.
    """

    name: str
    shape: tuple[int, ...]
    order: tuple[int | None, ...]
    kind: int


def load_onnx(path: Path, input_size: Sequence[int] | None = None) -> Imported:
    """Return an ONNX file as a network.

    Parameters
    ----------
    path
        The file.
    input_size
        Size of the image along each axis, in pixels, where the file leaves it open.

    Raises
    ------
    SizeUnknownError
        If the file leaves the size of the image open, and none is given.
    OnnxError
        If it cannot be read, or takes no image.
    """
    said = shown(str(path), 200)
    try:
        model = read_model(path)
        found = _imported(model, input_size)
        if any(outside(iter(model.graph.initializer))):
            return found
        return replace(found, state=partial(onnx_state, path.absolute(), input_size))
    except SizeUnknownError as error:
        raise SizeUnknownError(f"{said} {error}") from None
    except OnnxError as error:
        raise OnnxError(f"{said} cannot be read: {error}") from None
    except (RFStudioError, FileAccessError):
        raise
    # A damaged file can break any assumption about it.
    except Exception as error:
        kind = type(error).__name__
        raise OnnxError(
            f"{said} is damaged, or has something that is not expected of an ONNX file "
            f"({kind}: {shown(str(error), 200)})"
        ) from error


def onnx_state(path: Path, input_size: Sequence[int] | None = None) -> dict[str, Array]:
    """Return the learned tensors of a file by the names that its network has for them.

    Weights of linear layers have the outputs as rows, as torch has them.  Tensors whose numbers
    are not in the file, or are of a rare type, are left out.

    Raises
    ------
    RFStudioError
        As `load_onnx` does.
    """
    model = read_model(path)
    following, _ = _followed(model, input_size)
    state = {}
    for name, (constant, turned) in following.tensors.items():
        value = value_of(following.constants[constant], model.folder, MAX_BYTES)
        if value is not None:
            state[name] = value.T if turned and value.ndim == 2 else value
    return state


def _followed(model: Model, input_size: Sequence[int] | None) -> tuple[Following, Program]:
    """Return a graph as records."""
    following = Following(model)
    names: Names = {}
    given = {str(x.name) for x in model.graph.initializer}
    inputs = [x for x in model.graph.input if str(x.name) not in given]
    image = _image(model, inputs, input_size)
    size = tuple(1 if i is None else image.shape[i] for i in image.order)
    source = f"{image.name}>image" if image.order != tuple(range(len(size))) else image.name
    if source != image.name:
        following.records.append(_turned(image, source))
    for x in inputs:
        name = str(x.name)
        names[name] = name
        if name == image.name:
            following.shapes[name] = (image.shape, image.kind)
            continue
        shape = tuple(max(int(d.dim_value), 1) for d in x.type.tensor_type.shape.dim)
        following.add_constant(name, Constant(shape, int(x.type.tensor_type.elem_type)))
        following.remarks.append(
            Remark("dropped", "", f"the input '{shown(name, 60)}' is taken as constant")
        )
    following.run(names)
    outputs = [names.get(str(x.name), "") for x in model.graph.output]
    program = Program(
        model.name,
        source,
        size,
        tuple(with_gelus(following.records, following.value)),
        {k: x.shape for k, x in following.constants.items()},
        following.value,
        next((x for x in outputs if x in following.shapes), ""),
        following.value_with,
    )
    return following, program


def _imported(model: Model, input_size: Sequence[int] | None) -> Imported:
    following, program = _followed(model, input_size)
    found = network_of(program)
    remarks = [*following.remarks, *_about_weights(model)]
    report = Report((*remarks, *found.report.remarks), found.report.layers)
    return replace(found, report=report)


def _turned(image: _Image, source: str) -> Record:
    """Return the record that turns (N, C, *size) into what the file takes."""
    present = [i for i in image.order if i is not None]
    if len(present) < len(image.order):
        return Record("reshape", image.name, image.shape, (source,), {}, (), "input")
    dims = [present.index(i) for i in range(len(present))]
    return Record("permute", image.name, image.shape, (source,), {"dims": dims}, (), "input")


def _about_weights(model: Model) -> list[Remark]:
    names = [shown(x, 60) for x in outside(iter(model.graph.initializer))]
    if not names:
        return []
    return [
        Remark(
            "dropped",
            "",
            f"numbers in '{names[0]}' are not read: other files must be beside this one; it is "
            "measured with random weights, or with those of another file",
        )
    ]


# --- the image -----------------------------------------------------------------------------------


def _image(model: Model, inputs: Sequence[Any], input_size: Sequence[int] | None) -> _Image:
    """Return the first input that may be an image, with its size."""
    for x in inputs:
        kind = x.type.tensor_type
        rank = len(kind.shape.dim)
        first = next((y for y in model.graph.node if x.name in y.input), None)
        op = "" if first is None else str(first.op_type)
        # Sound comes as (1, samples); a matrix reads its numbers as channels.
        if 3 <= rank <= 5 or (rank == 2 and op not in ("Gemm", "MatMul", "Gather")):
            return _sized(str(x.name), kind, _order(kind, first), input_size)
    count = "no input" if not inputs else f"{len(inputs)} inputs, none of which is an image"
    raise OnnxError(f"it has {count} of the shape (1, channels, …)")


def _order(kind: Any, first: Any) -> tuple[int | None, ...]:
    """Return where batch, channels and axes of the image are."""
    sizes = [int(x.dim_value) for x in kind.shape.dim]
    rank = len(sizes)
    if rank == 2:
        return (0, None, 1)
    plain = tuple(range(rank))
    last = (0, rank - 1, *range(1, rank - 1))
    if first is not None and first.op_type == "Transpose":
        perm = next((tuple(x.ints) for x in first.attribute if x.name == "perm"), ())
        return last if perm == last else plain
    if first is not None and first.op_type == "Conv":
        return plain
    few = (1, 3, 4)
    return last if rank > 3 and sizes[-1] in few and sizes[1] not in few else plain


def _sized(
    name: str, kind: Any, order: tuple[int | None, ...], input_size: Sequence[int] | None
) -> _Image:
    sizes = [int(x.dim_value) if x.HasField("dim_value") else 0 for x in kind.shape.dim]
    axes = [i for i in order[2:] if i is not None]
    sizes[0] = sizes[0] if sizes[0] > 0 else 1
    if sizes[0] != 1:
        raise OnnxError(
            f"it takes {sizes[0]} images at once; export it for one, or with an open batch size"
        )
    if order[1] is not None and sizes[order[1]] <= 0:
        sizes[order[1]] = 3
    if any(sizes[i] <= 0 for i in axes):
        if input_size is None:
            example = ("224",) * len(axes)
            raise SizeUnknownError(
                "takes images of any size; say which one is meant: "
                f"--input-size {' '.join(example)}, or input_size={tuple(map(int, example))} "
                "in Python"
            )
        if len(input_size) != len(axes):
            raise OnnxError(f"its image has {len(axes)} axes, but the size {len(input_size)}")
        for i, n in zip(axes, input_size, strict=True):
            sizes[i] = sizes[i] if sizes[i] > 0 else int(n)
    if any(not 0 < sizes[i] <= _MAX_SIDE for i in axes):
        raise OnnxError(f"it takes an image of {'×'.join(str(sizes[i]) for i in axes)} pixels")
    return _Image(name, tuple(sizes), order, int(kind.elem_type))
