"""Exported programs against the modules they were exported from; hostile and damaged ones."""

from __future__ import annotations

import json
import pickle
import random
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import fx, nn

import rfstudio
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.importing.constants import Unknown, computed
from rfstudio.engine.importing.load import load_module
from rfstudio.engine.importing.pt2 import load_pt2
from rfstudio.engine.weights.reading import read_weights
from tests.engine.handwritten_modules import MODULES, Pieces, Residuals, Signal, Windows


class Small(nn.Module):
    """A convolution, a constant index and a region of autocast."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.drop = nn.Dropout(0.25)
        self.register_buffer("order", torch.arange(4).flip(0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop(self.conv(x))[:, self.order]
        rows = x.view(x.shape[0], 4, x.shape[2] * 8).transpose(1, 2)
        first, second = rows.chunk(2, 2)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            first = first * 2
        return first + second


def _saved(module: nn.Module, shape: tuple[int, ...], path: Path, **options: Any) -> Path:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (torch.zeros(shape),), strict=False, **options)
        torch.export.save(program, path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("programs") / "small.pt2"
    return _saved(Small().eval(), (1, 3, 8, 8), path)


@pytest.mark.slow
def test_that_a_program_is_read_where_no_module_was_exported_before(small: Path) -> None:
    """In a process of its own: here others have taught torch the operation of marks."""
    code = f"import rfstudio; print(len(rfstudio.analyze({str(small)!r}).layers))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert int(run.stdout) > 1


@pytest.mark.parametrize("kind", [Pieces, Windows, Signal])
def test_that_a_program_gives_the_network_of_its_module(kind: Any, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = kind().eval()
    wanted = load_module(module, MODULES[kind][2:])
    found = load_pt2(_saved(module, MODULES[kind], tmp_path / "m.pt2"))
    assert found == wanted
    assert found.weights == wanted.weights
    assert analyze(found).fields == analyze(wanted).fields
    assert list(found.report) == list(wanted.report)


def _facts(network: Architecture, *without: str) -> list[object]:
    """Return what is known of all layers but those that leave nothing in a program."""
    return [
        (x.name, x.op, x.output_size, x.rf_size, x.jump, x.padding, x.center, x.parameters)
        for x in analyze(network).layers
        if x.op not in ("identity", *without)
    ]


def test_that_a_trained_program_is_read_and_measured_as_its_module(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Residuals().eval()
    path = _saved(module, MODULES[Residuals], tmp_path / "m.pt2")
    network = load_module(module, MODULES[Residuals][2:])
    assert _facts(load_pt2(path)) == _facts(network)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (torch.zeros(MODULES[Residuals]),), strict=False)
        # Into the few operations that older versions of torch export.
        torch.export.save(program.run_decompositions(), tmp_path / "plain.pt2")
    assert _facts(load_pt2(tmp_path / "plain.pt2")) == _facts(network, "dropout")
    state = module.state_dict()
    assert all(torch.equal(x, state[name]) for name, x in read_weights(path).items())
    images = np.random.default_rng(0).normal(size=MODULES[Residuals])
    options: Any = {"estimator": "abs", "images": images, "samples": 1}
    wanted = rfstudio.erf(network, "layer1", **options)
    given: list[dict[str, Any]] = [{}, {"weights": "model"}, {"weights": str(path)}]
    for weights in given:
        found = rfstudio.erf(str(path), "layer1", **weights, **options)
        assert np.allclose(found.map, wanted.map, rtol=1e-4, atol=1e-7)


def test_that_sizes_with_symbols_are_those_of_one_image_like_the_example(tmp_path: Path) -> None:
    sizes = {"x": {0: torch.export.Dim("batch"), 2: torch.export.Dim("height")}}
    path = _saved(Small().eval(), (2, 3, 6, 8), tmp_path / "m.pt2", dynamic_shapes=sizes)
    assert load_pt2(path) == load_module(Small().eval(), (6, 8))


def test_that_several_images_at_once_are_explained(tmp_path: Path) -> None:
    path = _saved(Small().eval(), (2, 3, 8, 8), tmp_path / "m.pt2")
    with pytest.raises(RFStudioError, match="exported for 2 images at once"):
        load_pt2(path)


# --- files that are not what they seem -----------------------------------------------------------


def _changed(path: Path, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as result:
        for name in source.namelist():
            result.writestr(name, change(name, source.read(name)))
    return target


def _with_graph(path: Path, target: Path, change: Callable[[Any], None]) -> Path:
    def change_graph(name: str, data: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return data
        program = json.loads(data)
        change(program["graph_module"]["graph"])
        return json.dumps(program).encode()

    return _changed(path, target, change_graph)


class _Attack:
    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self._mark,)


def test_that_a_pickle_beside_the_program_is_not_opened(small: Path, tmp_path: Path) -> None:
    mark = tmp_path / "ran"

    def change(name: str, data: bytes) -> bytes:
        return pickle.dumps(_Attack(mark)) if "sample_inputs" in name else data

    assert load_pt2(_changed(small, tmp_path / "m.pt2", change)) == load_pt2(small)
    assert not mark.exists()


@pytest.mark.parametrize("hint", [None, {"as_int": 8}])
def test_that_an_expression_as_a_size_is_not_evaluated(
    small: Path, tmp_path: Path, hint: Any
) -> None:
    mark = tmp_path / "ran"
    text = f"__import__('pathlib').Path({str(mark)!r}).touch() or 8"

    def change(graph: Any) -> None:
        graph["tensor_values"]["conv2d"]["sizes"][2] = {"as_expr": {"expr_str": text, "hint": hint}}

    with pytest.raises(RFStudioError, match="no arithmetic"):
        load_pt2(_with_graph(small, tmp_path / "m.pt2", change))
    assert not mark.exists()


def test_that_an_operation_on_files_among_the_constants_is_not_run(
    small: Path, tmp_path: Path
) -> None:
    """`aten.from_file` maps a file, and makes one if it is not there."""
    mark = tmp_path / "ran"

    def change(graph: Any) -> None:
        names = {"filename": {"as_string": str(mark)}, "shared": {"as_bool": True}}
        names["size"] = {"as_int": 4}
        inputs = [{"name": k, "arg": v, "kind": 1} for k, v in names.items()]
        made = {"target": "torch.ops.aten.from_file.default", "inputs": inputs, "metadata": {}}
        graph["tensor_values"]["made"] = graph["tensor_values"]["b_order"]
        graph["nodes"].insert(0, made | {"outputs": [{"as_tensor": {"name": "made"}}]})
        index = next(x for x in graph["nodes"] if "index" in x["target"])
        index["inputs"][1]["arg"]["as_optional_tensors"][1] = {"as_tensor": {"name": "made"}}

    network = load_pt2(_with_graph(small, tmp_path / "m.pt2", change))
    assert [x.place for x in network.report.of("global")] == [""]
    assert not mark.exists()


def test_that_a_huge_constant_takes_no_memory(small: Path, tmp_path: Path) -> None:
    def change(graph: Any) -> None:
        inputs = [{"name": "end", "arg": {"as_int": 1 << 40}, "kind": 1}]
        made = {"target": "torch.ops.aten.arange.default", "inputs": inputs, "metadata": {}}
        graph["tensor_values"]["made"] = graph["tensor_values"]["b_order"]
        graph["nodes"].insert(0, made | {"outputs": [{"as_tensor": {"name": "made"}}]})
        index = next(x for x in graph["nodes"] if "index" in x["target"])
        index["inputs"][1]["arg"]["as_optional_tensors"][1] = {"as_tensor": {"name": "made"}}

    assert load_pt2(_with_graph(small, tmp_path / "m.pt2", change)).report.of("global")


def test_that_a_product_of_matrices_that_takes_long_is_not_run() -> None:
    graph = fx.Graph()
    matrix = graph.placeholder("matrix")
    node = graph.call_function(torch.ops.aten.mm.default, (matrix, matrix))
    found = [computed(node, (torch.zeros(1, 1).expand(n, n),) * 2, {}) for n in (64, 2048)]
    assert [isinstance(x, Unknown) for x in found] == [False, True]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"[" * 5_000_000, "more than 4,000,000 parts"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{}", "damaged or not an exported program"),
        (b"\xff", "damaged or not an exported program"),
    ],
)
def test_that_a_graph_without_bounds_is_refused(
    small: Path, tmp_path: Path, data: bytes, said: str
) -> None:
    def change(name: str, before: bytes) -> bytes:
        return data if name.endswith("model.json") else before

    with pytest.raises(RFStudioError, match=said):
        load_pt2(_changed(small, tmp_path / "m.pt2", change))


def test_that_a_packed_archive_and_other_files_are_refused(small: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.pt2"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/models/model.json", bytes(50_000_000))
    with pytest.raises(RFStudioError, match="never uses"):
        load_pt2(packed)
    (tmp_path / "text.pt2").write_text("no program")
    (tmp_path / "empty.pt2").touch()
    for name in ("text", "empty", "missing"):
        with pytest.raises(RFStudioError, match=f"{name}.pt2"):
            load_pt2(tmp_path / f"{name}.pt2")


def test_that_claims_beyond_the_bytes_of_a_weight_are_refused(small: Path, tmp_path: Path) -> None:
    def change(name: str, data: bytes) -> bytes:
        return data.replace(b'"sizes": [{"as_int": 4}', b'"sizes": [{"as_int": 4000000}')

    with pytest.raises(RFStudioError, match="claims more numbers"):
        read_weights(_changed(small, tmp_path / "m.pt2", change))


def _flipped(data: bytes, rng: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(rng.choice((1, 4))):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def test_that_damaged_files_end_in_a_sentence_or_a_network(small: Path, tmp_path: Path) -> None:
    rng, path = random.Random(0), tmp_path / "m.pt2"

    def mistyped(name: str, data: bytes) -> bytes:
        """Change the graph, which is else protected by a checksum of the archive."""
        if not name.endswith("model.json"):
            return data
        found = bytearray(data)
        for _ in range(3):
            found[rng.randrange(len(found))] = rng.choice(b'0129{}[]",:aes')
        return bytes(found)

    said = []
    for i in range(80):
        if i % 2:
            _changed(small, path, mistyped)
        else:
            path.write_bytes(_flipped(small.read_bytes(), rng))
        for read in (load_pt2, read_weights):
            try:
                read(path)
            except RFStudioError as error:
                said.append(str(error))
    assert len(said) > 20
    assert all(20 < len(x) < 2_000 for x in said)
