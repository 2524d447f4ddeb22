"""Weights that a file holds as weight and spectral normalisation or pruning leave them.

What they fold to is compared with the weights that torch's own modules work with.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils import spectral_norm as old_spectral_norm
from torch.nn.utils import weight_norm as old_weight_norm

from rfstudio.core import ops
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.process.errors import WeightsError
from rfstudio.engine.weights.parametrizations import folded
from rfstudio.engine.weights.reading import load_weights
from tests.engine import networks

_LAYERS: dict[str, Callable[[], nn.Module]] = {
    "conv": lambda: nn.Conv2d(3, 5, 4),
    "square": lambda: nn.Conv2d(4, 4, 3),
    "grouped": lambda: nn.Conv1d(4, 6, 3, groups=2),
    "transposed": lambda: nn.ConvTranspose2d(3, 5, 4),
    "square transposed": lambda: nn.ConvTranspose2d(4, 4, 3),
    "linear": lambda: nn.Linear(6, 6),
    "deep": lambda: nn.Conv3d(2, 3, (1, 2, 3)),
}

_WAYS: dict[str, Callable[[nn.Module], object]] = {
    "old weight norm": lambda m: _as_a_past_way(old_weight_norm, m),
    "old weight norm along 1": lambda m: _as_a_past_way(old_weight_norm, m, dim=1),
    "old weight norm of all": lambda m: _as_a_past_way(old_weight_norm, m, dim=None),
    "new weight norm": parametrizations.weight_norm,
    "new weight norm along 1": lambda m: parametrizations.weight_norm(m, dim=1),
    "new weight norm of all": lambda m: _weight_norm(m, dim=None),
    "old spectral norm": old_spectral_norm,
    "new spectral norm": parametrizations.spectral_norm,
    "both": lambda m: parametrizations.spectral_norm(parametrizations.weight_norm(m)),
    "pruned": lambda m: prune.l1_unstructured(m, "weight", 0.5),
}


_weight_norm: Any = parametrizations.weight_norm  # torch's types leave out dim=None


def _as_a_past_way(make: Any, *arguments: Any, **options: Any) -> object:
    with pytest.warns(FutureWarning):
        return make(*arguments, **options)


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("layer", _LAYERS)
def test_that_they_fold_to_the_weight_that_torch_works_with(layer: str, way: str) -> None:
    torch.manual_seed(0)
    module = _LAYERS[layer]().double()
    _WAYS[way](module)
    for x in module.parameters():  # trained on: lengths and directions no longer agree
        nn.init.normal_(x, std=0.3)
    shape = {"grouped": (1, 4, 8), "deep": (1, 2, 8, 8, 8), "linear": (1, 6)}
    channels = 4 if "square" in layer else 3
    for _ in range(30):  # each pass in training moves the vectors of spectral norm
        module(torch.randn(shape.get(layer, (1, channels, 8, 8))).double())
    module.eval()
    module(torch.randn(shape.get(layer, (1, channels, 8, 8))).double())
    found = folded(module.state_dict())
    assert found.left == ()
    assert set(found.state) == {"weight", "bias"}
    assert torch.allclose(found.state["weight"], module.weight, rtol=1e-10)  # type: ignore[arg-type]


def test_that_an_untrained_square_weight_is_folded_along_the_axis_of_its_layer(
    tmp_path: Path,
) -> None:
    """Fresh vectors are random, so they show no axis; whether a layer is transposed does."""
    network = networks.stack(ops.ConvTranspose(kernel_size=3, out_channels=4), channels=4)
    layer = old_spectral_norm(nn.ConvTranspose2d(4, 4, 3)).eval()
    torch.save({"state_dict": nn.Sequential(layer).state_dict()}, tmp_path / "w.pth.tar")
    module = to_torch(network)
    assert load_weights(module, tmp_path / "w.pth.tar").missing == ()
    layer(torch.zeros(1, 4, 8, 8))  # computes the weight
    assert torch.allclose(module.state_dict()["l0.weight"], layer.weight)


_CONV = networks.stack(ops.Conv(kernel_size=3), ops.Conv(kernel_size=3), channels=3)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda m: parametrizations.orthogonal(m), "parametrizations.weight.original"),
        (lambda m: _as_a_past_way(old_weight_norm, m), "l1.weight_g"),
    ],
)
def test_that_what_cannot_be_folded_is_refused_and_named(
    tmp_path: Path, change: Callable[[nn.Module], object], named: str
) -> None:
    module = nn.ModuleDict({"l0": nn.Conv2d(3, 3, 3), "l1": nn.Conv2d(3, 3, 3)})
    change(module["l1"])
    state = {name: x for name, x in module.state_dict().items() if not name.endswith("_v")}
    torch.save(state, tmp_path / "w.ckpt")
    with pytest.raises(WeightsError, match=rf"cannot be computed: .*{named}"):
        load_weights(to_torch(_CONV), tmp_path / "w.ckpt")


def test_that_names_that_only_end_alike_stay() -> None:
    state = {name: torch.ones(2) for name in ("pos_bias_u", "pos_bias_v", "gate_g", "weight")}
    assert folded(state).state.keys() == state.keys()


@pytest.mark.parametrize("suffix", [".ckpt", ".pth.tar", ".th", ".bin"])
@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("state_dict", "module.model."),
        ("params_ema", "net_g."),
        ("net_g", ""),
        ("state_dict", "net_g."),
    ],
)
def test_that_one_of_the_networks_of_a_file_is_found(
    tmp_path: Path, suffix: str, outer: str, inner: str
) -> None:
    state = dict(to_torch(_CONV, seed=3).state_dict())
    other = {name: torch.zeros(7, 3, 3, 3) for name in ("0.weight", "1.weight")}
    file: dict[str, Any] = {"epoch": 3, outer: {inner + name: x for name, x in state.items()}}
    if outer == "params_ema":
        file["params"] = {name: x + 1 for name, x in file[outer].items()}
    elif outer == "net_g":
        file["net_d"] = other
    elif inner == "net_g.":
        file[outer] |= {f"net_d.{name}": x for name, x in other.items()}
    path = tmp_path / f"w{suffix}"
    torch.save(file, path)
    module = to_torch(_CONV)
    assert load_weights(module, path).missing == ()
    assert all(torch.equal(x, state[name]) for name, x in module.state_dict().items())


def test_that_the_generator_of_a_file_is_found_though_it_names_layers_otherwise(
    tmp_path: Path,
) -> None:
    state = dict(to_torch(_CONV, seed=3).state_dict())
    names = ["net_g.a.weight", "net_g.a.bias", "net_g.b.weight", "net_g.b.bias"]
    file = dict(zip(names, state.values(), strict=True))
    file |= {f"net_d.{i}.weight": torch.zeros(3, 3, 3, 3) for i in range(3)}
    torch.save({"state_dict": file}, tmp_path / "w.ckpt")
    module = to_torch(_CONV)
    assert load_weights(module, tmp_path / "w.ckpt").missing == ()
    assert all(torch.equal(x, state[name]) for name, x in module.state_dict().items())
