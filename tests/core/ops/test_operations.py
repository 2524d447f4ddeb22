"""Every operation gives all answers that its base requires, and its sets follow from its traits."""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import iter_modules
from types import ModuleType
from typing import ClassVar

import pytest

from rfstudio.core import ops
from rfstudio.core.errors import OpError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.ops import Context, Costs, Free, OpTable, Pointwise
from tests.core.ops.mirror import Mirror


def test_that_no_name_hides_a_module_of_the_package() -> None:
    # The package takes over all names of its families.
    for module in iter_modules(ops.__path__):
        assert isinstance(getattr(ops, module.name), ModuleType), module.name


def test_that_a_class_that_leaves_out_an_answer_is_refused() -> None:
    with pytest.raises(
        TypeError, match="Doubled is no operation without its title, costs, energy_model"
    ):

        @dataclass(frozen=True, slots=True)
        class Doubled(Pointwise):
            keyword: ClassVar[str] = "doubled"

    with pytest.raises(TypeError, match="its torch_function, is_rising, slope, value"):

        @dataclass(frozen=True, slots=True)
        class Bent(Free, ops.Activation):
            keyword: ClassVar[str] = "bent"
            title: ClassVar[str] = "Bent"


def test_that_only_operations_of_families_are_offered() -> None:
    assert "mirror" not in ops.OPS
    assert list(ops.OPS) == [x.keyword for x in ops.OPS.values()]
    contexts = [x.context for x in ops.OPS.values()]
    assert contexts == sorted(contexts, key=list(Context).index)


def test_that_an_operation_outside_the_families_is_analysed_like_any_other() -> None:
    layers = (Layer(ops.Conv(kernel_size=3)), Layer(Mirror()), Layer(ops.Relu()))
    network = Architecture(input_size=(9, 9), layers=layers)
    assert [x.output_size for x in analyze(network).layers] == [(7, 7)] * 3
    assert analyze(network)["mirror1"].op == "mirror"


def test_that_a_table_gives_the_entry_of_the_nearest_class() -> None:
    table: OpTable[[int], str] = OpTable("greetings")

    @table.entry(ops.Conv, ops.DeformConv)
    def _conv(op: ops.Conv | ops.DeformConv, times: int) -> str:
        return f"{op.kernel_size} " * times

    @table.family(ops.Activation)
    def _activation(op: ops.Activation, times: int) -> str:
        return op.torch_function * times

    assert table(ops.Conv(kernel_size=3), 2) == "3 3 "
    assert table(ops.Tanh(), 1) == "torch.tanh"
    assert table.missing([ops.Conv, ops.Relu, ops.Add]) == ("add",)
    with pytest.raises(OpError, match="add has no entry in the table of greetings"):
        table(ops.Add(), 1)
    with pytest.raises(TypeError, match="two entries"):
        table.entry(ops.Conv)(_conv)


@pytest.mark.parametrize("op_type", ops.OPS.values(), ids=list(ops.OPS))
def test_that_traits_agree_with_what_an_operation_does(op_type: type[ops.Op]) -> None:
    op, size, channels = op_type.usual(), (16, 16), 16
    rules = op.axis_rules(size)
    out_size = tuple(x.n_out for x in rules)
    out_channels = op.output_channels((channels,), size)
    if op.keeps_map:
        assert rules == ops.identity_rules(size)
        assert op.output_channels((5,), size) == 5
    if op.is_free:
        assert op.costs(channels, out_channels, size, out_size) == Costs(0, 0)
    if op.weighted:
        assert op.costs(channels, out_channels, size, out_size).macs > 0
    assert op.mixes_in_training == (op.training_rules(size) != rules)
    assert op.slides == hasattr(op, "kernel_size")
    assert op.text(2).startswith(op.keyword)
    known = {x.name for x in ops.parameters(op_type)}
    assert all(group <= known for group in op.alternatives)


def test_that_equal_layers_share_the_grid_of_thousands_of_samples() -> None:
    one, other = (ops.GridMix(grid=2, parameters=x).axis_rules((16_000,))[0] for x in (0, 5))
    assert one is other
