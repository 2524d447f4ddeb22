"""Networks that are rebuilt from an import: the same values as the module, with its weights."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn
from torch.nn.utils import prune

import rfstudio
from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Layer
from rfstudio.core.network.expansion import expand
from rfstudio.core.ops import Conv
from rfstudio.engine.importing.aten_records import records_of
from rfstudio.engine.importing.export import source_of
from rfstudio.engine.importing.load import load_module
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.weights.own_weights import take_own_weights
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
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


class _AtTheEnd(nn.Module):
    """A convolution, and a function of the map that makes no layer by itself at the very end."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.a, self.function = nn.Conv2d(3, 12, 3, padding=1), function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.a(x))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.unflatten(1, (3, 4)).transpose(1, 2).flatten(1, 2),
        lambda x: x.unflatten(1, (3, 4)).transpose(1, 2),
        lambda x: x[:, 2:6],
        lambda x: x.chunk(3, 1)[1].unflatten(1, (2, 2)).transpose(1, 2).flatten(1, 2),
        lambda x: x.roll((1, -2), (2, 3)),
        lambda x: x.view(-1, 3, 2, 2, 8, 12).permute(0, 1, 4, 2, 5, 3).reshape(-1, 3, 16, 24),
    ],
    ids=["shuffle", "unflattened", "slice", "shuffled slice", "roll", "to space"],
)
def test_that_what_a_model_does_at_the_very_end_is_a_layer(
    function: Callable[[Tensor], Tensor],
) -> None:
    torch.manual_seed(0)
    module = _AtTheEnd(function).double().eval()
    network = load_module(module, (8, 12))
    assert str(network.report) == ""
    ours = GraphModule(network).double().eval()
    take_own_weights(ours, network)
    image = torch.randn(1, 3, 8, 12, dtype=torch.float64)
    wanted = module(image)
    torch.testing.assert_close(ours(image).view_as(wanted), wanted, rtol=0, atol=1e-12)


def test_that_an_order_of_the_output_that_no_layer_has_is_named() -> None:
    module = _AtTheEnd(lambda x: x.view(-1, 2, 3, 2, 8, 12).permute(0, 3, 2, 1, 4, 5))
    assert "in an order that no layer here has" in str(load_module(module.eval(), (8, 12)).report)


class _ToDepth(nn.Module):
    """Blocks of positions that become channels; `order` is that of channels, rows, columns."""

    def __init__(self, order: str) -> None:
        super().__init__()
        self.order = order
        self.a, self.b = nn.Conv2d(3, 5, 1), nn.Conv2d(20, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        n, c, h, w = x.shape
        x = x.view(n, c, h // 2, 2, w // 2, 2)
        places = [{"c": 1, "y": 3, "x": 5}[i] for i in self.order]
        return self.b(x.permute(0, *places, 2, 4).reshape(n, 4 * c, h // 2, w // 2))


class _ToSpace(nn.Module):
    """Channels that become blocks of positions; `order` is that of channels, rows, columns."""

    def __init__(self, order: str) -> None:
        super().__init__()
        self.order = order
        self.a, self.b = nn.Conv2d(3, 20, 1), nn.Conv2d(5, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        n, _, h, w = x.shape
        x = x.view(n, *({"c": 5, "y": 2, "x": 2}[i] for i in self.order), h, w)
        c, row, column = (1 + self.order.index(i) for i in "cyx")
        return self.b(x.permute(0, c, 4, row, 5, column).reshape(n, 5, 2 * h, 2 * w))


@pytest.mark.parametrize("order", ["cyx", "cxy", "ycx", "yxc", "xcy", "xyc"])
@pytest.mark.parametrize("kind", [_ToDepth, _ToSpace])
def test_that_channels_and_positions_are_exchanged_in_their_order(
    kind: type[_ToDepth | _ToSpace], order: str
) -> None:
    torch.manual_seed(0)
    module = kind(order).double().eval()
    network = load_module(module, (8, 12))
    ours = GraphModule(network).double().eval()
    assert take_own_weights(ours, network) == ((), (), (), (), ())
    image = torch.randn(2, 3, 8, 12, dtype=torch.float64)
    # Of all orders, those that are rotations of the one of a pixel shuffle are shuffles of groups.
    can_be_said = order in ("cyx", "yxc", "xcy")
    assert torch.allclose(ours(image), module(image), rtol=0, atol=1e-12) == can_be_said
    assert [x.sort for x in network.report] == ([] if can_be_said else ["guessed"])


class _Numbers(nn.Module):
    """Numbers that multiply and are added in every way, and maps that are taken from each other."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.mean: Tensor
        self.register_buffer("mean", torch.full((1, 3, 1, 1), 0.45))

    def forward(self, x: Tensor) -> Tensor:
        x = self.a((x - self.mean) / 0.22)
        y = self.b(torch.relu(0.5 + x) * 2)
        z = torch.sub(x, y, alpha=0.5) - (1 - y) * 0.17
        z = torch.add(z, x, alpha=-3) / torch.tensor(2.0).sqrt()
        return torch.rsub(z, y) - torch.tensor(1.5).double() + z


def test_that_numbers_are_followed() -> None:
    torch.manual_seed(0)
    module = _Numbers().double().eval()
    network = load_module(module, (9, 7))
    assert str(network.report) == ""
    ours = GraphModule(network).double().eval()
    assert take_own_weights(ours, network) == ((), (), (), (), ())
    image = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(ours(image), module(image), rtol=0, atol=1e-12)
    again = expand(read_yaml(write_yaml(network)))
    assert [x.op for x in again.nodes] == [x.op for x in expand(network).nodes]


class _Odd(nn.Module):
    """A shift that differs between channels, a power, a quotient and a number beyond all bounds."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 3, 3)
        self.shift: Tensor
        self.register_buffer("shift", torch.arange(3.0).view(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x + self.shift)
        return (y**2 * 1e9) / y


def test_that_a_report_names_the_values_that_are_not_followed() -> None:
    found = str(load_module(_Odd().eval(), (9, 7)).report)
    for word in ("'add' with a constant", "'pow' with", "'mul' with", "'div' of several maps"):
        assert word in found


class _Applied(nn.Module):
    """One function of a map between two convolutions, and a constant for it."""

    two: Tensor

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.a, self.b, self.function = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1), function
        self.register_buffer("two", torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.function(self.a(x), self.two))


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (lambda x, _: x // 2, "'floor_divide'"),
        (lambda x, two: x // two, "'floor_divide'"),
        (lambda x, two: torch.div(x, two, rounding_mode="floor"), "'div'"),
        (lambda x, _: torch.div(x, 2.0, rounding_mode="trunc"), "'div'"),
        (lambda x, two: torch.divide(x, two, rounding_mode="trunc"), "'div'"),
        (lambda x, two: x.clone().div_(two, rounding_mode="floor"), "'div'"),
        (lambda x, two: torch.div(two, x, rounding_mode="floor"), "'div'"),
        (lambda x, _: torch.fmod(x, 2.0), "'fmod'"),
    ],
)
def test_that_rounded_quotients_are_no_factors_and_are_named(
    function: Callable[[Tensor, Tensor], Tensor], word: str
) -> None:
    network = load_module(_Applied(function).eval(), (9, 7))
    assert f"{word} with a constant" in str(network.report)
    assert [type(x.op) for x in expand(network).nodes[1:]] == [Conv, Conv]


def test_that_rounding_to_whole_numbers_is_a_layer_of_its_own() -> None:
    network = load_module(_Applied(lambda x, _: (x.int() * 3).float()).eval(), (9, 7))
    kinds = [type(x.op) for x in expand(network).nodes[1:]]
    assert kinds == [Conv, ops.Custom, ops.Affine, Conv]


@pytest.mark.parametrize(
    "function",
    [
        lambda x, two: torch.true_divide(x, two),
        lambda x, two: torch.subtract(torch.multiply(x, two), 3),
        lambda x, two: torch.neg(x) / two + -x,
        lambda x, _: torch.divide(x, 3.0),
        lambda x, _: x.flatten(1).reshape_as(x) / 3,
    ],
)
def test_that_numbers_are_followed_by_all_names_of_an_operation(
    function: Callable[[Tensor, Tensor], Tensor],
) -> None:
    torch.manual_seed(0)
    module = _Applied(function).double().eval()
    network = load_module(module, (9, 7))
    assert str(network.report) == ""
    ours = GraphModule(network).double().eval()
    assert take_own_weights(ours, network) == ((), (), (), (), ())
    image = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(ours(image), module(image), rtol=0, atol=1e-12)


class _Learned(nn.Module):
    """Learned numbers of all channels and of each, on either side of sums, products, quotients."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)
        self.gain, self.one = nn.Parameter(torch.rand(())), nn.Parameter(torch.rand(1))
        self.gamma, self.beta = nn.Parameter(torch.rand(4, 1, 1)), nn.Parameter(torch.rand(4, 1, 1))
        self.heads = nn.Parameter(torch.rand(1, 2, 1, 1, 1))
        self.last = nn.Parameter(torch.rand(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.b((self.a(x) * self.gamma + self.beta).relu())
        y = y / self.gamma - self.beta
        y = self.gain * y + self.one
        y = torch.addcmul(self.beta, self.gamma, y.relu())
        y = (y.unflatten(1, (2, 2)) * self.heads.exp()).flatten(1, 2)
        y = (y.permute(0, 2, 3, 1) * self.last + self.last).permute(0, 3, 1, 2)
        y = torch.sub(self.beta, y, alpha=1) * (1 + self.gain)
        return torch.rsub(y, self.one) + y.mul(self.gain * 0.5)


def test_that_learned_numbers_come_along() -> None:
    torch.manual_seed(0)
    module = _Learned().double().eval()
    network = load_module(module, (9, 7))
    assert str(network.report) == ""
    ours = GraphModule(network).double().eval()
    assert take_own_weights(ours, network) == ((), (), (), (), ())
    image = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(ours(image), module(image), rtol=0, atol=1e-12)
    again = expand(read_yaml(write_yaml(network)))
    assert [x.op for x in again.nodes] == [x.op for x in expand(network).nodes]
    # The factor and what is added right after it are one layer.
    first = next(x.op for x in again.nodes if isinstance(x.op, ops.LayerScale))
    assert first == ops.LayerScale(init=1.0, shift=True)


class _Computed(nn.Module):
    """A convolution with a standardised weight, and a blur whose weight is fixed."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1)
        self.gain = nn.Parameter(torch.rand(4, 1, 1, 1))
        self.blur: Tensor
        line = torch.tensor([1.0, 2, 1]) / 4
        self.register_buffer("blur", torch.outer(line, line)[None, None])

    def forward(self, x: Tensor) -> Tensor:
        weight = self.a.weight
        std, mean = torch.std_mean(weight, (1, 2, 3), keepdim=True)
        x = nn.functional.conv2d(x, (weight - mean) / std * self.gain, self.a.bias)
        x = nn.functional.conv2d(x, self.blur.expand(4, -1, -1, -1), stride=2, groups=4)
        return self.b(x.relu())


def test_that_weights_that_are_computed_come_along() -> None:
    torch.manual_seed(0)
    module = _Computed().double().eval()
    network = load_module(module, (9, 7))
    ours = GraphModule(network).double().eval()
    assert take_own_weights(ours, network) == ((), (), (), (), ())
    image = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(ours(image), module(image), rtol=0, atol=1e-12)


class _Standardised(nn.Conv2d):
    """A convolution that standardises its weight, which may be computed from others itself."""

    def forward(self, x: Tensor) -> Tensor:
        std, mean = torch.std_mean(self.weight, (1, 2, 3), keepdim=True)
        return nn.functional.conv2d(x, (self.weight - mean) / std, self.bias)


def _pruned(conv: nn.Module) -> nn.Module:
    prune.random_unstructured(conv, "weight", amount=0.5)
    return conv


_PARAMETRIZED: dict[str, Callable[[nn.Module], nn.Module]] = {
    "weight_norm": nn.utils.parametrizations.weight_norm,
    "spectral_norm": nn.utils.parametrizations.spectral_norm,
    "old weight_norm": nn.utils.weight_norm,
    "old spectral_norm": nn.utils.spectral_norm,
    "orthogonal": nn.utils.parametrizations.orthogonal,
    "pruned": _pruned,
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", _PARAMETRIZED)
@pytest.mark.parametrize("kind", [nn.Conv2d, _Standardised])
@pytest.mark.parametrize("alone", [False, True])
def test_that_weights_that_are_computed_in_two_steps_come_along(
    kind: type[nn.Conv2d], name: str, alone: bool
) -> None:
    torch.manual_seed(0)
    conv = _PARAMETRIZED[name](kind(3, 4, 3))
    module = (conv if alone else nn.Sequential(conv, nn.ReLU(), kind(4, 2, 1))).double().eval()
    network = load_module(module, (9, 7))
    assert str(network.report) == ""
    ours = GraphModule(network).double().eval()
    taken = take_own_weights(ours, network)
    assert (taken.missing, taken.misfits, taken.unplaced) == ((), (), ())
    image = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(ours(image), module(image), rtol=0, atol=1e-12)
    is_plain = kind is nn.Conv2d and name != "orthogonal"
    assert (not network.computed) == is_plain


class _Centred(nn.Linear):
    """A matrix whose rows have a mean of 0."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight - self.weight.mean(1, keepdim=True), self.bias)


def test_that_matrices_that_are_computed_come_along() -> None:
    torch.manual_seed(0)
    head = nn.utils.parametrizations.orthogonal(nn.Linear(4 * 7 * 5, 6))
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), head, nn.ReLU(), _Centred(6, 3))
    module = module.double().eval()
    network = load_module(module, (9, 7))
    ours = GraphModule(network).double().eval()
    assert take_own_weights(ours, network) == ((), (), (), (), ())
    image = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(ours(image).flatten(1), module(image), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.utils.parametrizations.weight_norm(_Standardised(3, 4, 3)),
        lambda: nn.utils.parametrizations.spectral_norm(_Standardised(3, 4, 3)),
        lambda: nn.Sequential(nn.Flatten(), _Adapted(3 * 9 * 7, 2)),
    ],
)
def test_that_weights_that_a_program_in_a_file_computes_come_along(
    make: Callable[[], nn.Module], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    module, image = make().double().eval(), torch.randn(1, 3, 9, 7, dtype=torch.float64)
    torch.export.save(torch.export.export(module, (image,)), tmp_path / "model.pt2")
    network = rfstudio.load(tmp_path / "model.pt2")
    assert isinstance(network, Imported)
    assert str(network.report) == ""
    ours = GraphModule(network).double().eval()
    taken = take_own_weights(ours, network)
    assert (taken.missing, taken.misfits) == ((), ())
    wanted = module(image)
    torch.testing.assert_close(ours(image).reshape(wanted.shape), wanted, rtol=0, atol=1e-12)


class _Adapted(nn.Linear):
    """A matrix with a product of two small ones added, and a gain."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__(channels, out)
        self.down, self.up = nn.Parameter(torch.rand(2, channels)), nn.Parameter(torch.rand(out, 2))
        self.gain = nn.Parameter(torch.rand(out, 1))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.gain * (self.weight + 0.5 * self.up @ self.down)
        return nn.functional.linear(x, weight, self.bias)


class _AdaptedPixels(nn.Module):
    """Such matrices over channels, over the pixels of a row, and over all of a map."""

    def __init__(self) -> None:
        super().__init__()
        self.deep, self.wide, self.head = _Adapted(3, 4), _Adapted(7, 7), _Adapted(4 * 9 * 7, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.deep(x.movedim(1, -1)).movedim(-1, 1)
        return self.head(self.wide(x).relu().flatten(1))


def test_that_matrices_that_are_computed_of_any_number_of_others_come_along() -> None:
    torch.manual_seed(0)
    module = _AdaptedPixels().double().eval()
    network = load_module(module, (9, 7))
    assert str(network.report) == ""
    ours = GraphModule(network).double().eval()
    taken = take_own_weights(ours, network)
    assert (taken.missing, taken.misfits, taken.stand_ins) == ((), (), ())
    image = torch.randn(2, 3, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(ours(image).flatten(1), module(image), rtol=0, atol=1e-12)


class _Summed(nn.Module):
    """A learned number for each channel, and others times a map, in one operation."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.a, self.function = nn.Conv2d(3, 4, 3), function
        self.gamma, self.beta = nn.Parameter(torch.ones(4, 1, 1)), nn.Parameter(torch.ones(4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.beta, self.gamma, self.a(x))


@pytest.mark.parametrize("function", [partial(torch.addcmul, value=2), torch.addcdiv])
def test_that_sums_of_products_that_no_layer_has_are_stand_ins_for_each_position(
    function: Callable[..., Tensor],
) -> None:
    network = load_module(_Summed(function).eval(), (9, 7))
    ours = GraphModule(network)
    (layer,) = take_own_weights(ours, network).stand_ins
    (op,) = (x.op for x in ours.graph.nodes if x.name == layer)
    assert isinstance(op, ops.Custom)
    assert not op.whole


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", [_Computed, _Numbers])
def test_that_weights_and_numbers_of_half_precision_come_along(
    kind: type[nn.Module], dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    module = kind().to(dtype).eval()
    network = load_module(module, (9, 7))
    assert str(network.report) == ""
    ours = GraphModule(network).double().eval()
    assert take_own_weights(ours, network) == ((), (), (), (), ())
    image = torch.randn(2, 3, 9, 7).to(dtype)
    wanted = module(image).double()
    error = (ours(image.double()) - wanted).norm() / wanted.norm()
    assert error < 30 * torch.finfo(dtype).eps


def test_that_computed_weights_that_are_too_large_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rfstudio.importing.constants.MOST_COMPUTED", 10)
    found = load_module(_Computed().eval(), (9, 7)).report
    assert "its weight is computed from others" in str(found)


def test_that_a_computed_weight_that_is_too_large_leaves_room_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module = nn.Sequential(_Standardised(3, 8, 3), _Standardised(8, 2, 1)).eval()
    monkeypatch.setattr("rfstudio.importing.constants.MOST_COMPUTED", 2 * 8)
    network = load_module(module, (9, 7))
    assert [x.place for x in network.report] == ["0"]
    assert list(network.computed) == ["1"]


def test_that_learned_factors_that_are_too_many_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfstudio.importing.constants.MOST_COMPUTED", 6)
    network = load_module(_Learned().eval(), (9, 7))
    assert "its scale is computed from others" in str(network.report)
    assert sum(x.size for held in network.computed.values() for x in held.values()) <= 6


def test_that_what_weights_are_made_of_is_not_held() -> None:
    parametrized = nn.utils.parametrizations.weight_norm(nn.Conv2d(64, 64, 3))
    module = nn.Sequential(parametrized, _Standardised(64, 64, 3)).eval()
    source = source_of(torch.export.export(module, (torch.zeros(1, 64, 9, 7),)))
    made: list[weakref.ref[Tensor]] = []

    def compute(node: fx.Node, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        result = source.compute(node, arguments, options)
        made.extend(weakref.ref(x) for x in (result,) if isinstance(x, Tensor))
        return result

    program = records_of(replace(source, compute=compute), "network", {})
    (computed,) = [x.options["computed"] for x in program.records if "computed" in x.options]
    value = program.value_of(computed["weight"])
    assert value is not None
    assert len(made) > 4
    numbers = sum(x.numel() for ref in made if (x := ref()) is not None)
    assert numbers < 2 * value.size  # the weight itself, and small ones


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
    """A class token and an embedding for each token, neither of them as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 4, 2, 2)
        self.start = nn.Parameter(torch.randn(1, 1, 4))
        self.table = nn.Parameter(torch.randn(1, 13, 4))
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).mT
        x = torch.cat([2 * self.start.expand(len(x), -1, -1), x], 1) + self.table.tanh()
        return self.head(x[:, 1:]).mT.reshape(len(x), 2, 4, 3)


def test_that_weights_that_no_layer_has_a_place_for_are_named() -> None:
    network = load_module(_Embedded().eval(), (8, 6))
    taken = take_own_weights(GraphModule(network).eval(), network)
    assert taken.unplaced == ("start", "table")
    assert taken.notes()[-1] == "weights of the model that no layer here has: start, table"
    first = take_own_weights(GraphModule(network, "patches").eval(), network)
    assert first.stand_ins == ()
    assert "table" not in first.unplaced


class _Transformer(nn.Module):
    """Class tokens, embeddings, one block with two heads, a head on a class token."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, 2)
        self.start = nn.Parameter(torch.randn(1, 2, 8))
        self.table = nn.Parameter(torch.randn(1, 14, 8))
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).mT
        x = torch.cat([self.start.expand(len(x), -1, -1), x], 1) + self.table
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return self.head(x[:, 1])


class _Windows(nn.Module):
    """Attention in rolled windows with a table of offsets, written out as Swin does."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.qkv, self.proj = nn.Linear(4, 12), nn.Linear(4, 4)
        self.table = nn.Parameter(torch.randn(9, 2))
        rows = torch.arange(2)
        y, x = (t.flatten() for t in torch.meshgrid(rows, rows, indexing="ij"))
        self.index: Tensor
        self.register_buffer("index", (y[:, None] - y + 1) * 3 + (x[:, None] - x + 1))

    def forward(self, image: Tensor) -> Tensor:
        x = torch.roll(self.stem(image).permute(0, 2, 3, 1), (-1, -1), (1, 2))
        n, h, w, c = x.shape
        x = x.view(n, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(-1, 4, c)
        q, k, v = self.qkv(x).reshape(-1, 4, 3, 2, 2).permute(2, 0, 3, 1, 4)
        scores = (q * 2**-0.5) @ k.mT + self.table[self.index].permute(2, 0, 1)
        scores = scores.view(n, -1, 2, 4, 4) + self._mask(h, w)[:, None]
        x = scores.view(-1, 2, 4, 4).softmax(-1) @ v
        x = self.proj(x.transpose(1, 2).reshape(-1, 4, c))
        x = x.view(n, h // 2, w // 2, 2, 2, c).transpose(2, 3).reshape(n, h, w, c)
        return torch.roll(x, (1, 1), (1, 2)).permute(0, 3, 1, 2)

    @staticmethod
    def _mask(h: int, w: int) -> Tensor:
        region = torch.zeros(h, w)
        parts = (slice(-2), slice(-2, -1), slice(-1, None))
        for i, rows in enumerate(parts):
            for j, columns in enumerate(parts):
                region[rows, columns] = 3 * i + j
        region = region.view(h // 2, 2, w // 2, 2).transpose(1, 2).reshape(-1, 4)
        return (region[:, None] != region[:, :, None]) * -100.0


class _Bare(nn.Module):
    """Attention of a map to itself."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.scale = scale

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        tokens = x.flatten(2).mT
        weights = (tokens @ tokens.mT * self.scale).softmax(-1)
        return (weights @ tokens).mT.reshape(x.shape)


@pytest.mark.parametrize(
    ("module", "size", "op"),
    [
        (_Transformer, (8, 6), "{heads: 2, stacked: true}"),
        (_Windows, (6, 4), "window_size: 2, shift_size: 1, relative_position_bias: true}"),
        (partial(_Bare, 0.5), (5, 4), "dot_product_attention"),
        (partial(_Bare, 0.3), (5, 4), "affine: {factor: 0.6}"),
    ],
    ids=["tokens", "windows", "bare", "of another scale"],
)
def test_that_attention_that_is_known_is_rebuilt_as_it_is(
    module: Callable[[], nn.Module], size: tuple[int, int], op: str
) -> None:
    torch.manual_seed(0)
    theirs = module().double().eval()
    network = load_module(theirs, size)
    text = write_yaml(network)
    assert op in text
    image = torch.randn(2, 3, *size, dtype=torch.float64)
    ours = GraphModule(network).double().eval()
    assert take_own_weights(ours, network) == ((), (), (), (), ())
    wanted = theirs(image)
    torch.testing.assert_close(ours(image).reshape(wanted.shape), wanted, rtol=0, atol=1e-12)
    again = expand(read_yaml(text))
    assert [x[2:6] for x in again.nodes] == [x[2:6] for x in expand(network).nodes]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_b_32", "swin_t"])
def test_that_rebuilt_transformers_are_their_modules(name: str) -> None:
    """Also where tokens, embeddings and biases of offsets are no longer 0 as they begin."""
    torch.manual_seed(0)
    module = getattr(torchvision_models(), name)(weights=None).double().eval()
    with torch.no_grad():
        for x in module.parameters():
            x.add_(0.02 * torch.randn_like(x))
    network = load_module(module, (224, 224))
    ours = GraphModule(network).double().eval()
    assert take_own_weights(ours, network) == ((), (), (), (), ())
    image = torch.randn(1, 3, 224, 224, dtype=torch.float64)
    torch.testing.assert_close(ours(image).flatten(1), module(image), rtol=0, atol=1e-9)


def test_that_a_network_without_weights_of_its_own_says_so() -> None:
    with pytest.raises(RFStudioError, match="was not imported with weights"):
        rfstudio.erf("vgg16", "conv1_1", samples=1, weights="model")


class _ByMatrices(nn.Module):
    """Tokens times square and other matrices, as they stand in a module of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(8, 3, 3, 3))
        self.shift = nn.Parameter(torch.randn(8, 1, 1))
        self.square = nn.Parameter(torch.randn(8, 8))
        self.bias = nn.Parameter(torch.randn(8))
        self.narrow = nn.Parameter(torch.randn(8, 5))

    def forward(self, image: Tensor) -> Tensor:
        """Return a map of five channels."""
        map_ = nn.functional.conv2d(image, self.kernel, padding=1) + self.shift
        tokens = map_.flatten(2).mT
        mixed = torch.addmm(self.bias, tokens.reshape(-1, 8), self.square)
        return (mixed.view(tokens.shape) @ self.narrow).mT.reshape(len(image), 5, *image.shape[2:])


def test_that_products_with_matrices_and_sums_by_channel_come_along() -> None:
    torch.manual_seed(0)
    module = _ByMatrices().eval()
    network = load_module(module, (6, 7))
    assert not list(network.report)
    assert [type(x.op) for x in expand(network).nodes[1:]] == [ops.Conv] * 3
    rebuilt = to_torch(network)
    assert not any(take_own_weights(rebuilt, network))
    image = torch.randn(1, 3, 6, 7)
    with torch.no_grad():
        torch.testing.assert_close(rebuilt(image), module(image))
