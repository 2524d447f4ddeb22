"""Weights from files, friendly and hostile."""

import os
import pickle
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from rfstudio.core import ops
from rfstudio.engine.measuring.erf import measure
from rfstudio.engine.measuring.network import set_from_file
from rfstudio.engine.measuring.sampling import Images
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.process.errors import WeightsError
from rfstudio.engine.requests.request import ErfRequest, ErfResult
from rfstudio.engine.weights.matching import match
from rfstudio.engine.weights.reading import load_weights, read_weights
from rfstudio.formats.networks.presets import read_preset
from tests.engine import networks

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


_TWO_NORMS = networks.stack(
    ops.Conv(kernel_size=3, padding=1),
    ops.BatchNorm(),
    ops.Conv(kernel_size=3, padding=1),
    ops.BatchNorm(),
    channels=3,
)


@pytest.mark.parametrize(
    ("batch_norm", "said"),
    [
        ("warmed", "taken from a few images: l3"),
        ("fresh", "mean 0 and variance 1 instead: l3"),
        ("train", "those of each sample count: l3"),
    ],
)
def test_that_a_norm_without_statistics_gets_its_own_and_leaves_those_of_others(
    tmp_path: Path, batch_norm: Any, said: str
) -> None:
    """A head that was never trained must not cost the trained network its statistics."""
    state = dict(to_torch(_TWO_NORMS, seed=3).state_dict())
    state["l1.running_mean"] += 0.5
    state["l1.running_var"] *= 7
    kept = {name: x for name, x in state.items() if not name.startswith("l3.running")}
    for name in ("l2.weight", "l2.bias"):
        del kept[name]
    safetensors.torch.save_file(kept, tmp_path / "w.safetensors")
    module = to_torch(_TWO_NORMS)
    images = Images(3, module.graph.nodes[0].size, 0)
    notes = set_from_file(module, str(tmp_path / "w.safetensors"), 0, batch_norm, images)
    assert notes == (
        "not in the file, drawn at random: l2.weight",
        "not in the file, left as before any training: l2.bias",
        f"no running statistics in the file, {said}",
    )
    found = module.state_dict()
    for name in ("l1.running_mean", "l1.running_var"):
        assert torch.equal(found[name], state[name])
    expected = torch.zeros(3), torch.ones(3)
    if batch_norm == "warmed":
        part = to_torch(_TWO_NORMS, "l2")
        part.load_state_dict({k: x for k, x in found.items() if not k.startswith("l3")})
        ahead = part(images.for_warming()).movedim(1, 0).flatten(1)
        expected = ahead.mean(1), ahead.var(1)
    torch.testing.assert_close(found["l3.running_mean"], expected[0])
    torch.testing.assert_close(found["l3.running_var"], expected[1])


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
        (old, "not a file of weights written by torch.save"),
        (damaged, "safetensors"),
        (tmp_path / "none.pt", "No such file"),
        (tmp_path / "script.py", "cannot be read"),
    ):
        with pytest.raises(WeightsError, match=words):
            read_weights(path)
    assert "a program ran" not in capsys.readouterr().out


def test_that_weights_in_the_format_before_torch_1_6_are_read(tmp_path: Path) -> None:
    path = tmp_path / "legacy.pth"
    torch.save(_state(), path, _use_new_zipfile_serialization=False)
    assert not zipfile.is_zipfile(path)
    state = read_weights(path)
    assert list(state) == list(_state())
    assert all(torch.equal(state[name], x) for name, x in _state().items())


def test_that_a_legacy_file_claims_no_more_than_it_holds_and_runs_nothing(
    tmp_path: Path, capsys: Any
) -> None:
    cut = tmp_path / "cut.pth"
    torch.save({"x": torch.zeros(10_000)}, cut, _use_new_zipfile_serialization=False)
    cut.write_bytes(cut.read_bytes()[:2000])
    program = tmp_path / "program.pth"
    torch.save({"x": _Program()}, program, _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError, match="claims 40,000 bytes of weights but holds 2,000"):
        read_weights(cut)
    with pytest.raises(WeightsError, match="could run code"):
        read_weights(program)
    assert "a program ran" not in capsys.readouterr().out


RESNET = replace(read_preset("resnet18"), weight_names=())


def _measured(weights: Path, layer: str) -> ErfResult:
    request = ErfRequest(
        architecture=RESNET, layer=layer, input_size=(64, 64), weights=str(weights), samples=1
    )
    return measure(request)


def _as_torchvision_names(name: str) -> str:
    """Return torchvision's name of a weight of ResNet-18, whose blocks count from 0."""
    name = re.sub(r"\.first\.", ".0.", name)
    name = re.sub(r"\.rest\.0\.", ".1.", name)
    name = name.replace("downsample_bn", "downsample.1")
    return re.sub(r"downsample\.(?=weight)", "downsample.0.", name)


def test_that_weights_are_matched_by_order_and_shape_where_a_file_names_them_otherwise(
    tmp_path: Path,
) -> None:
    state = dict(to_torch(RESNET, seed=3).state_dict())
    renamed = {_as_torchvision_names(name): x for name, x in state.items()}
    assert "layer2.0.downsample.0.weight" in renamed
    safetensors.torch.save_file(state, tmp_path / "own.safetensors")
    torch.save(renamed, tmp_path / "torchvision.pt")
    wanted = _measured(tmp_path / "own.safetensors", "layer2")
    result = _measured(tmp_path / "torchvision.pt", "layer2")
    assert np.array_equal(result.map, wanted.map)
    assert wanted.notes == ()
    assert len(result.notes) == 1
    assert (
        "matched by order and shape: layer2.first.conv1.weight from layer2.0.conv1"
        in (result.notes[0])
    )


def test_that_a_backbone_without_its_head_fits_and_the_head_is_said_to_be_random(
    tmp_path: Path,
) -> None:
    state = dict(to_torch(RESNET, seed=3).state_dict())
    backbone = {f"backbone.{name}": x for name, x in state.items() if not name.startswith("fc")}
    torch.save(backbone, tmp_path / "backbone.pt")
    module = to_torch(RESNET, seed=1)
    loaded = load_weights(module, tmp_path / "backbone.pt")
    assert loaded.missing == ("fc.weight", "fc.bias")
    assert loaded.unexpected == ()
    assert torch.equal(
        module.state_dict()["layer4.rest.0.conv2.weight"], state["layer4.rest.0.conv2.weight"]
    )
    part = load_weights(to_torch(RESNET, "layer2", seed=1), tmp_path / "backbone.pt")
    assert part.missing == ()


_EQUAL_LAYERS = replace(
    networks.stack(*[ops.Conv(kernel_size=3, padding=1)] * 4),
    weight_names=(("l{n}", "body.{n+1}.conv"),),
)
"""Four layers of one shape, that files call `body.1.conv` to `body.4.conv`."""


@pytest.mark.parametrize("prefix", ["", "net.", "state.model."])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_that_names_that_the_network_knows_decide_and_not_the_order(
    tmp_path: Path, prefix: str, suffix: str
) -> None:
    state = dict(to_torch(_EQUAL_LAYERS, seed=3).state_dict())
    names = {x: f"{prefix}body.{int(x[1]) + 1}.conv{x[2:]}" for x in reversed(state)}
    file = {name: state[x] for x, name in names.items()}
    path = tmp_path / f"w{suffix}"
    torch.save(file, path) if suffix == ".pt" else safetensors.torch.save_file(file, path)
    module = to_torch(_EQUAL_LAYERS, seed=1)
    loaded = load_weights(module, path)
    assert all(torch.equal(x, state[name]) for name, x in module.state_dict().items())
    assert (dict(loaded.named), dict(loaded.renamed)) == (names, {})
    (note,) = loaded.notes((), "")
    first = f"l0.weight from {prefix}body.1.conv.weight"
    assert note.startswith(f"matched by the names that this network has in files: {first}")


def test_that_a_known_name_that_is_missing_is_not_replaced_by_what_has_its_shape(
    tmp_path: Path,
) -> None:
    state = dict(to_torch(_EQUAL_LAYERS, seed=3).state_dict())
    file = {f"body.{int(x[1]) + 1}.conv{x[2:]}": value for x, value in state.items()}
    file["head.weight"] = file.pop("body.2.conv.weight")
    torch.save(file, tmp_path / "w.pt")
    loaded = load_weights(to_torch(_EQUAL_LAYERS), tmp_path / "w.pt")
    assert (loaded.missing, loaded.unexpected) == (("l1.weight",), ("head.weight",))
    file["body.2.conv.weight"] = torch.zeros(1, 1, 5, 5)
    torch.save(file, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="'body.2.conv.weight' has the shape .* for 'l1.weight'"):
        load_weights(to_torch(_EQUAL_LAYERS), tmp_path / "w.pt")


def test_that_own_names_decide_where_a_file_lacks_one_of_them(tmp_path: Path) -> None:
    """The file has as many weights of the shape as the network, in another order."""
    state = dict(to_torch(_EQUAL_LAYERS, seed=3).state_dict())
    file = {name: state[name] for name in reversed(state)}
    file["other.weight"] = file.pop("l1.weight")
    torch.save(file, tmp_path / "w.pt")
    module = to_torch(_EQUAL_LAYERS)
    loaded = load_weights(module, tmp_path / "w.pt")
    assert loaded.renamed == {"l1.weight": "other.weight"}
    assert all(torch.equal(x, state[name]) for name, x in module.state_dict().items())


@pytest.mark.parametrize(
    ("own", "file", "wanted"),
    [
        pytest.param(
            {"fc6.weight": (8, 4, 7, 7), "fc6.bias": (8,)},
            {"classifier.0.weight": (8, 196), "classifier.0.bias": (8,)},
            ["classifier.0.weight", "classifier.0.bias"],
            id="fully connected layer as a convolution",
        ),
        pytest.param(
            {"a.weight": (8, 8, 3, 3), "b.weight": (8, 8, 3, 3), "c.weight": (10, 8)},
            {
                "s.0.weight": (8, 8, 3, 3),
                "s.1.weight": (8, 8, 3, 3),
                "aux.weight": (8, 8, 3, 3),
                "c.weight": (10, 8),
            },
            None,
            id="an extra layer that may be any of three",
        ),
        pytest.param(
            {"a.conv.weight": (8, 3, 3, 3), "a.norm.weight": (8,), "head.weight": (10, 8)},
            {
                "f.a.0.weight": (8, 3, 3, 3),
                "f.a.1.weight": (8,),
                "aux.norm.weight": (8,),
                "fc.weight": (10, 8),
            },
            ["f.a.0.weight", "f.a.1.weight", "fc.weight"],
            id="an auxiliary head",
        ),
        pytest.param(
            {"x.in_proj_weight": (12, 4), "x.in_proj_bias": (12,), "t": (25, 2)},
            {"w.qkv.weight": (12, 4), "w.qkv.bias": (12,), "w.table": (25, 2)},
            ["w.qkv.weight", "w.qkv.bias", "w.table"],
            id="attention",
        ),
    ],
)
def test_that_matching_follows_shapes_and_leaves_open_what_is_ambiguous(
    own: dict[str, tuple[int, ...]], file: dict[str, tuple[int, ...]], wanted: list[str] | None
) -> None:
    found = match(own, file)
    if wanted is None:
        assert set(found) == {"c.weight"}
    else:
        assert found == dict(zip(own, wanted, strict=True))


_TWELVE = networks.stack(*[ops.Conv(kernel_size=3, padding=1)] * 12)


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "_orig_mod.", "net.backbone."])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_that_what_stands_in_front_of_all_names_makes_no_layer_another(
    tmp_path: Path, prefix: str, suffix: str
) -> None:
    """Twelve layers of one shape: in the order of the alphabet, the tenth is the second."""
    state = dict(to_torch(_TWELVE, seed=3).state_dict())
    file = {prefix + name: x for name, x in state.items()} | {"head.weight": torch.ones(2)}
    path = tmp_path / f"w{suffix}"
    safetensors.torch.save_file(file, path) if suffix != ".pt" else torch.save(file, path)
    module = to_torch(_TWELVE)
    loaded = load_weights(module, path)
    assert (loaded.renamed, loaded.missing, loaded.unexpected) == ({}, (), ("head.weight",))
    assert all(torch.equal(x, state[name]) for name, x in module.state_dict().items())


def test_that_names_of_their_own_are_taken_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    state = dict(to_torch(_TWELVE, seed=3).state_dict())
    path = tmp_path / "w.safetensors"
    file = {f"stage.{name[1:]}": x for name, x in state.items()}
    safetensors.torch.save_file(file, path)
    module = to_torch(_TWELVE)
    assert load_weights(module, path).missing == ()
    assert all(torch.equal(x, state[name]) for name, x in module.state_dict().items())


@pytest.mark.parametrize("wrapper", ["net", "params", "ema"])
def test_that_weights_are_found_under_any_name_that_is_the_only_one(
    tmp_path: Path, wrapper: str
) -> None:
    path = tmp_path / "w.pt"
    optimizer = {"state": {0: {"step": 3}}, "param_groups": [{"lr": 0.1}]}
    torch.save({"epoch": 3, "optimizer": optimizer, wrapper: _state()}, path)
    assert load_weights(to_torch(NETWORK), path).missing == ()


def test_that_weights_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    for name, value in (("l0.weight", float("nan")), ("l1.running_mean", float("inf"))):
        torch.save({**_state(), name: torch.full_like(_state()[name], value)}, path)
        with pytest.raises(WeightsError, match=f"'{name}' holds NaN or infinity"):
            load_weights(to_torch(NETWORK), path)
    torch.save({**_state(), "l1.running_var": -torch.ones(3)}, path)
    with pytest.raises(WeightsError, match="variances below 0"):
        load_weights(to_torch(NETWORK), path)
    torch.save({name: x.to(torch.int8) for name, x in _state().items()}, path)
    with pytest.raises(WeightsError, match="quantised"):
        load_weights(to_torch(NETWORK), path)
    torch.save({}, path)
    with pytest.raises(WeightsError, match="holds no tensors"):
        load_weights(to_torch(NETWORK), path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_that_a_folder_and_a_pipe_that_nobody_fills_are_refused_at_once(
    tmp_path: Path, suffix: str
) -> None:
    (tmp_path / f"folder{suffix}").mkdir()
    os.mkfifo(tmp_path / f"pipe{suffix}")
    with pytest.raises(WeightsError, match="cannot be read: it is a folder"):
        read_weights(tmp_path / f"folder{suffix}")
    with pytest.raises(WeightsError, match="cannot be read: it is not a regular file"):
        read_weights(tmp_path / f"pipe{suffix}")


@pytest.mark.parametrize("value", [0.0, 1e-30])
def test_that_a_field_of_nothing_says_why(tmp_path: Path, value: float) -> None:
    path = tmp_path / "w.safetensors"
    safetensors.torch.save_file(
        {k: x if "running" in k else torch.full_like(x, value) for k, x in _state().items()}, path
    )
    request = ErfRequest(architecture=NETWORK, layer="l2", weights=str(path), samples=2)
    result = measure(request)
    assert not result.map.any()
    assert any("the field is 0 everywhere" in x for x in result.notes)
    trained = measure(replace(request, weights="uniform"))
    assert not any("everywhere" in x for x in trained.notes)
