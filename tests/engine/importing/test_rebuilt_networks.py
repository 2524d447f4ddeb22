"""Networks that are rebuilt from an import: the same values as the module, with its weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import rfstudio
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Layer
from rfstudio.core.ops import Conv
from rfstudio.engine.importing.load import load_module
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.weights.own_weights import take_own_weights
from rfstudio.importing.imported import Imported
from tests.engine.real_models import torchvision_models


class _Shuffled(nn.Module):
    """Two units of ShuffleNet v2, with the shuffle written as torchvision does."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
        self.inner = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.last = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self._shuffled(torch.cat([self.left(x), self.right(x)], 1))
        a, b = x.chunk(2, 1)
        return self.last(self._shuffled(torch.cat([a, self.inner(b)], 1)))

    @staticmethod
    def _shuffled(x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


def test_that_shuffled_channels_come_in_the_order_of_the_weights() -> None:
    torch.manual_seed(0)
    module = _Shuffled().double().eval()
    network = load_module(module, (9, 7))
    rebuilt = to_torch(network, dtype=torch.float64)
    rebuilt.load_state_dict(module.state_dict())
    image = torch.randn(1, 3, 9, 7, dtype=torch.float64)
    assert torch.equal(rebuilt(image), module(image))


class _Trained(nn.Module):
    """A norm with statistics of its own, a folded weight, a bare norm and a matrix over pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
        self.norm = nn.BatchNorm2d(4)
        self.b = nn.Conv2d(4, 6, 3, bias=False)
        self.bare = nn.BatchNorm2d(6, affine=False)
        self.head = nn.Linear(6 * 5 * 3, 2)
        for norm in (self.norm, self.bare):
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.a(x)))
        return self.head(self.bare(self.b(x)).flatten(1))


def _trained() -> tuple[nn.Module, Imported]:
    torch.manual_seed(0)
    module = _Trained().eval()
    return module, load_module(module, (9, 7))


def test_that_a_rebuilt_network_with_the_weights_of_its_module_computes_the_same() -> None:
    module, network = _trained()
    rebuilt = GraphModule(network).eval()
    taken = take_own_weights(rebuilt, network)
    assert taken == ((), (), (), (), ())
    image = torch.randn(1, 3, 9, 7)
    assert torch.allclose(rebuilt(image).flatten(1), module(image), atol=1e-5)


def test_that_after_an_edit_the_weights_that_fit_are_measured_and_the_others_named() -> None:
    module, network = _trained()
    wider = Layer(Conv(kernel_size=5, padding=1, out_channels=6, bias=False), "b")
    layers = tuple(wider if getattr(x, "name", "") == "b" else x for x in network.layers)
    edited = replace(network, layers=(*layers[:-2], Layer(Conv(kernel_size=1), "new")))
    assert not edited.is_unedited
    options: Any = {"samples": 2, "estimator": "abs"}
    found = rfstudio.erf(edited, "new", **options)
    assert found.options["weights"] == "model"
    first, *notes = found.notes
    assert first == "weights of the model, in the network that is rebuilt from it"
    assert notes == [
        "not in the model, drawn at random or as before any training: new.weight, new.bias",
        "of another shape than in the model, so drawn at random: b.weight",
        "in the model, not used: head",
    ]
    own = rfstudio.erf(network, "norm", **options)
    rebuilt = rfstudio.erf(edited, "norm", **options)
    assert own.options["weights"] == "of a module"
    assert np.allclose(own.map, rebuilt.map, rtol=1e-4, atol=1e-7)
    assert module.get_parameter("head.weight").shape == (2, 90)


class _Embedded(nn.Module):
    """A transformer's first steps: a class token and an embedding for each token."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 4, 2, 2)
        self.start = nn.Parameter(torch.randn(1, 1, 4))
        self.table = nn.Parameter(torch.randn(1, 13, 4))
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).mT
        x = torch.cat([self.start.expand(len(x), -1, -1), x], 1) + self.table
        return self.head(x[:, 1:]).mT.reshape(len(x), 2, 4, 3)


def test_that_weights_that_no_layer_has_a_place_for_are_named() -> None:
    network = load_module(_Embedded().eval(), (8, 6))
    taken = take_own_weights(GraphModule(network).eval(), network)
    assert taken.unplaced == ("start", "table")
    assert taken.notes()[-1] == "weights of the model that no layer here has: start, table"
    first = take_own_weights(GraphModule(network, "patches").eval(), network)
    assert first.stand_ins == ()
    assert "table" not in first.unplaced


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("vit_b_16", ("class_token", "encoder.pos_embedding")),
        ("swin_t", ("relative_position_bias_table",) * 12),
    ],
)
def test_that_what_a_rebuilt_transformer_lacks_is_said_exactly(
    name: str, parts: tuple[str, ...]
) -> None:
    """Its attention is known by what it reads only, so the rebuilt network is another one."""
    module = getattr(torchvision_models(), name)(weights=None).eval()
    network = load_module(module, (224, 224))
    taken = take_own_weights(GraphModule(network).eval(), network)
    assert (taken.missing, taken.misfits, taken.lost) == ((), (), ())
    assert [x.endswith(y) for x, y in zip(taken.unplaced, parts, strict=True)] == [True] * len(
        parts
    )
    assert sum("att" in x for x in taken.stand_ins) == 12  # one in each block


def test_that_a_network_without_weights_of_its_own_says_so() -> None:
    with pytest.raises(RFStudioError, match="was not imported with weights"):
        rfstudio.erf("vgg16", "conv1_1", samples=1, weights="model")
