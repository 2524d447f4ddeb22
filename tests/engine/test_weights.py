"""Weights from files, friendly and hostile."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import networks
import numpy as np
import pytest
import safetensors.torch
import torch

from rfstudio.core import ops
from rfstudio.engine.build import to_torch
from rfstudio.engine.erf import measure
from rfstudio.engine.errors import WeightsError
from rfstudio.engine.request import ErfRequest
from rfstudio.engine.weights import load_weights, read_weights

NETWORK = networks.stack(
    ops.Conv(kernel_size=3, padding=1), ops.BatchNorm(), ops.Relu(), channels=3
)


def _state(seed: int = 1) -> dict[str, torch.Tensor]:
    return dict(to_torch(NETWORK, seed=seed).state_dict())


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_that_saved_weights_are_measured_as_the_module_they_came_from(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save({"state_dict": {f"module.{k}": v for k, v in _state().items()}}, path)
    else:
        safetensors.torch.save_file(_state(), path)
    request = ErfRequest(architecture=NETWORK, layer="l2", weights=str(path), samples=2)
    wanted = measure(request, module=to_torch(NETWORK, seed=1))
    result = measure(request)
    assert np.array_equal(result.map, wanted.map)
    assert result.notes == ()


def test_that_missing_and_unexpected_weights_are_named(tmp_path: Path) -> None:
    state = _state()
    del state["l0.bias"]
    state["head.weight"] = torch.zeros(2)
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    loaded = load_weights(to_torch(NETWORK), tmp_path / "w.safetensors")
    assert loaded.missing == ("l0.bias",)
    assert loaded.unexpected == ("head.weight",)


def test_that_weights_of_another_shape_or_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(_state() | {"l0.weight": torch.zeros(8, 3, 5, 5)}, path)
    with pytest.raises(WeightsError, match=r"'l0.weight' has the shape \[8, 3, 5, 5\]"):
        load_weights(to_torch(NETWORK), path)
    safetensors.torch.save_file({"conv1.weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match="none of this network's weights"):
        load_weights(to_torch(NETWORK), path)


class _Program:
    def __reduce__(self) -> Any:
        return (print, ("a program ran",))


def test_that_a_hostile_file_runs_nothing_and_fills_no_memory(tmp_path: Path, capsys: Any) -> None:
    program = tmp_path / "program.pt"
    torch.save({"x": _Program()}, program)
    huge = tmp_path / "huge.pt"
    torch.save({"l0.weight": torch.zeros(1).expand(2**40)}, huge)
    assert huge.stat().st_size < 5000
    packed = tmp_path / "packed.pt"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
    old = tmp_path / "old.pt"
    old.write_bytes(pickle.dumps({"x": 1}))
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\xff" * 100)
    for path, words in (
        (program, "could run code"),
        (huge, "claims 4,398,046,511,104 bytes"),
        (packed, "packed"),
        (old, "zip format"),
        (damaged, "safetensors"),
        (tmp_path / "none.pt", "No such file"),
        (tmp_path / "script.py", "cannot be read"),
    ):
        with pytest.raises(WeightsError, match=words):
            read_weights(path)
    assert "a program ran" not in capsys.readouterr().out
