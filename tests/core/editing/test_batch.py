"""One parameter of many layers is changed at once, and all of it or nothing."""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import pytest

from rfstudio.core import ops
from rfstudio.core.editing.batch import change_all, numbers_of
from rfstudio.core.errors import EditError
from rfstudio.core.network.architecture import Architecture, Layer, Repeat, item_at
from rfstudio.core.network.expansion import expand
from tests.narrowing import conv_at


def _conv(name: str, dilation: int = 1, kernel_size: int = 3, **more: object) -> Layer:
    values = {"padding": dilation * (kernel_size - 1) // 2, **more}
    op = ops.Conv(kernel_size=kernel_size, dilation=dilation, out_channels=8, **values)  # type: ignore[arg-type]
    return Layer(op, name)


NETWORK = Architecture(
    input_size=(64, 64),
    layers=(
        _conv("a", 1),
        Layer(ops.Relu()),
        Repeat(2, (_conv("b", 2), Layer(ops.MaxPool(kernel_size=2, stride=2), "p")), "r"),
        _conv("c", 4),
    ),
)


def _sizes(architecture: Architecture) -> list[tuple[int, ...]]:
    return [x.size for x in expand(architecture).nodes]


def test_that_all_dilations_of_a_selection_are_doubled_and_maps_stay() -> None:
    after, changed = change_all(
        NETWORK, [(0,), (1,), (2,)], "dilation", "multiply", Fraction(2), padding_follows=True
    )
    assert [(x.name, x.before, x.after) for x in changed] == [
        ("'a'", 1, 2), ("'r.b'", 2, 4), ("'r.p'", 1, 2),
    ]  # fmt: skip
    assert conv_at(after, (0,)).padding == 2
    assert conv_at(after, (2, 0, 0)).padding == 4
    assert item_at(after, (3,)) is item_at(NETWORK, (3,))  # not chosen
    assert _sizes(after)[:4] == _sizes(NETWORK)[:4]


def test_that_paddings_stay_without_the_switch_and_maps_shrink() -> None:
    after, _ = change_all(NETWORK, [(3,)], "dilation", "multiply", Fraction(2))
    assert conv_at(after, (3,)).padding == 4
    # 2·8 + 1 = 17 taps wide on a map of 16 that is padded by 4 on both sides.
    assert _sizes(after)[-1] == (8, 8)


def test_that_a_causal_layer_stays_causal() -> None:
    causal = Layer(ops.Conv(kernel_size=2, dilation=4, padding=((4, 0),), out_channels=1), "w")
    network = Architecture(input_size=(64,), layers=(causal,))
    after, _ = change_all(
        network, [(0,)], "dilation", "multiply", Fraction(2), padding_follows=True
    )
    assert conv_at(after, (0,)).padding == ((8, 0),)
    assert _sizes(after)[-1] == (64,)


def test_that_values_per_axis_are_changed_axis_by_axis() -> None:
    network = Architecture(input_size=(32, 32), layers=(_conv("a", kernel_size=3, padding=1),))
    tall, _ = change_all(network, [(0,)], "kernel_size", "set", Fraction(5), padding_follows=True)
    assert (conv_at(tall, (0,)).kernel_size, conv_at(tall, (0,)).padding) == (5, 2)
    layer = Layer(ops.Conv(kernel_size=(3, 5), padding=(1, 2), out_channels=1), "k")
    network = Architecture(input_size=(32, 32), layers=(layer,))
    wide, _ = change_all(network, [(0,)], "kernel_size", "add", Fraction(2), padding_follows=True)
    assert conv_at(wide, (0,)).kernel_size == (5, 7)
    assert conv_at(wide, (0,)).padding == (2, 3)


@pytest.mark.parametrize(
    ("name", "change", "by", "why"),
    [
        ("dilation", "multiply", Fraction(1, 2), r"'a': 1 becomes 0\.5, which is no whole number"),
        ("stride", "set", Fraction(0), "'a': .*stride"),
        ("groups", "set", Fraction(3), None),
        ("nothing", "set", Fraction(1), "no chosen layer has a number as nothing"),
    ],
)
def test_that_what_does_not_fit_a_layer_is_refused_for_all(
    name: str, change: str, by: Fraction, why: str | None
) -> None:
    if why is None:  # whether groups divide channels is said by the analysis, as in the form
        change_all(NETWORK, [(0,)], name, "set", by)
        return
    with pytest.raises(EditError, match=why):
        change_all(NETWORK, [(0,), (3,)], name, change, by)  # type: ignore[arg-type]


@pytest.mark.parametrize("keyword", sorted(ops.OPS))
def test_that_every_op_is_changed_or_refused_in_words(keyword: str) -> None:
    network = Architecture(input_size=(32, 32), layers=(Layer(ops.OPS[keyword].usual()),))
    for name in (*numbers_of(network, [(0,)]), "padding", "dilation", "stride"):
        for change, by in (("multiply", 2), ("add", -5), ("set", 3)):
            with suppress(EditError):
                change_all(network, [(0,)], name, change, Fraction(by), padding_follows=True)  # type: ignore[arg-type]


def test_that_the_numbers_of_a_selection_are_listed() -> None:
    found = numbers_of(NETWORK, [(0,), (2,)])
    assert list(found)[:4] == ["kernel_size", "stride", "padding", "dilation"]
    assert found["dilation"] == ("conv", "max_pool")
    assert found["out_channels"] == ("conv",)
    assert "bias" not in found
    assert numbers_of(NETWORK, [(1,)]) == {}


def test_that_one_kind_of_layers_is_changed_alone() -> None:
    after, changed = change_all(
        NETWORK, [(2,)], "dilation", "multiply", Fraction(2), padding_follows=True, keyword="conv"
    )
    assert [x.name for x in changed] == ["'r.b'"]
    assert _sizes(after) == _sizes(NETWORK)


def test_that_a_window_of_even_reach_is_padded_after_the_last() -> None:
    after, _ = change_all(
        NETWORK, [(2,)], "dilation", "multiply", Fraction(2), padding_follows=True,
        keyword="max_pool",
    )  # fmt: skip
    # Two taps that are two apart reach one sample further.
    layer = item_at(after, (2, 0, 1))
    assert isinstance(layer, Layer)
    assert isinstance(layer.op, ops.MaxPool)
    assert layer.op.padding == ((0, 1), (0, 1))
    assert _sizes(after) == _sizes(NETWORK)
    assert not expand(after).faults


def test_that_equal_operations_are_changed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Architecture(input_size=(64, 64), layers=tuple(_conv(f"c{i}") for i in range(200)))
    made: list[object] = []
    check = ops.Conv.__post_init__

    def counted(op: ops.Conv) -> None:
        made.append(op)
        check(op)

    monkeypatch.setattr(ops.Conv, "__post_init__", counted)
    after, changed = change_all(
        network, [(i,) for i in range(200)], "kernel_size", "add", Fraction(2), padding_follows=True
    )
    assert len(changed) == 200
    assert {conv_at(after, (i,)).kernel_size for i in range(200)} == {5}
    assert len(made) == 1
