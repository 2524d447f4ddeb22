"""Every part of the program that has to know an operation knows every operation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

from rfstudio.core import ops
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.errors import OpError
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.core.ops import Activation, Free, Op
from rfstudio.core.ops.activation import Values
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.module.layers import LAYERS, POSITIVE
from rfstudio.engine.module.layers.pointwise import torch_function
from rfstudio.formats.pytorch.ops import WRITERS
from rfstudio.formats.pytorch.source import write_pytorch
from tests.core.ops.mirror import Mirror


def _gaps(op_types: Iterable[type[Op]]) -> list[str]:
    """Return where an operation was forgotten: its keyword, and the table that lacks it."""
    op_types = list(op_types)
    missing = {table.name: table.missing(op_types) for table in (LAYERS, POSITIVE, WRITERS)}
    return [f"{x} is missing from {name}" for name, keywords in missing.items() for x in keywords]


def test_that_every_table_covers_every_operation() -> None:
    assert _gaps(ops.OPS.values()) == []


def test_that_a_forgotten_operation_is_named_with_every_table_that_lacks_it() -> None:
    assert _gaps([Mirror, ops.Conv]) == [
        "mirror is missing from modules",
        "mirror is missing from positive linear modules",
        "mirror is missing from PyTorch source",
    ]
    network = Architecture(input_size=(9, 9), layers=(Layer(Mirror()),))
    with pytest.raises(OpError, match="mirror has no entry in the table of modules"):
        to_torch(network)
    with pytest.raises(OpError, match="mirror has no entry in the table of PyTorch source"):
        write_pytorch(network)
    assert "mirror" not in ops.OPS


@dataclass(frozen=True, slots=True)
class _Softsign(Free, Activation):
    """x / (1 + |x|), known to this test alone."""

    keyword: ClassVar[str] = "softsign"
    title: ClassVar[str] = "Softsign"
    torch_function: ClassVar[str] = "F.softsign"
    is_rising: ClassVar[bool] = True

    def value(self, x: Values) -> Values:
        return x / (1 + abs(x))

    def slope(self, x: Values) -> Values:
        return 1 / (1 + abs(x)) ** 2


def test_that_a_new_activation_is_its_class_and_nothing_else() -> None:
    assert _gaps([_Softsign]) == []
    conv = ops.Conv(kernel_size=3, padding=1, out_channels=8)
    layers = (Layer(conv), Layer(_Softsign()), Layer(conv))
    network = Architecture(input_size=(9, 9), channels=3, layers=layers)
    x = torch.linspace(-2, 2, 3 * 9 * 9).reshape(1, 3, 9, 9)
    wanted = torch.nn.functional.softsign(to_torch(network, "conv1")(x))
    assert torch.equal(to_torch(network, "softsign1")(x), wanted)
    assert "F.softsign(" in write_pytorch(network)
    graph = expand(network)
    assert expected_erf(graph, 3, (4, 4)).map.max() > 0


_ACTIVATIONS = [x.usual() for x in ops.OPS.values() if issubclass(x, Activation)]
_ACTIVATIONS += [ops.Gelu(approximate="tanh"), ops.Elu(alpha=-0.5), ops.LeakyRelu(negative_slope=2)]
_ACTIVATIONS += [ops.Softplus(beta=3.0, threshold=2.0), _Softsign()]


@pytest.mark.parametrize("op", _ACTIVATIONS, ids=repr)
def test_that_values_and_slopes_of_activations_are_those_of_torch(op: Activation) -> None:
    points = np.linspace(-8.03, 8.05, 403)  # no point where a slope jumps
    x = torch.from_numpy(points).requires_grad_()
    if isinstance(op, ops.Prelu):
        values = torch.nn.functional.prelu(x, torch.tensor([op.init], dtype=x.dtype))
    else:
        values = torch_function(op)(x)
    (slopes,) = torch.autograd.grad(values.sum(), x)
    np.testing.assert_allclose(op.value(points), values.detach().numpy(), rtol=1e-9, atol=1e-12)
    # The 1/6 in the gradients of torch's hard sigmoid is one of single precision.
    np.testing.assert_allclose(op.slope(points), slopes.numpy(), rtol=1e-7, atol=1e-12)
    assert op.is_rising == bool((slopes >= 0).all())


@pytest.mark.parametrize("op_type", ops.OPS.values(), ids=list(ops.OPS))
def test_that_shapes_and_parameters_are_those_of_the_module(op_type: type[Op]) -> None:
    op = op_type.usual()
    layer = Layer(op, "tried", ("input", "input") if op.merges else ())
    network = Architecture(input_size=(14, 14), channels=16, layers=(layer,))
    graph = expand(network)
    source, node = graph.nodes[0], graph.nodes[graph.index("tried")]
    module = to_torch(network, "tried")
    assert module(torch.zeros(1, 16, 14, 14)).shape == (1, node.channels, *node.size)
    count = sum(x.numel() for x in module.parameters())
    assert op.costs(16, node.channels, source.size, node.size).parameters == count
