"""Weights of files with other names: which pairs order, shape and groups of layers make."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import pytest

from rfstudio.engine.weights.matching import Shape, Shapes, match, match_all_or_part

_NORM = ("weight", "bias", "running_mean", "running_var")


def _conv(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape}


def _norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{x}": (channels,) for x in _NORM}


def _regnet(shortcut: str) -> Shapes:
    """Return a block of a RegNet whose shortcut comes last, as timm's code names it."""
    result: dict[str, tuple[int, ...]] = {}
    for name, shape in (
        ("conv1", (32, 32, 1, 1)),
        ("conv2", (32, 16, 3, 3)),
        ("conv3", (32, 32, 1, 1)),
        (shortcut, (32, 32, 1, 1)),
    ):
        result |= _conv(f"s1.b1.{name}.conv", *shape) | _norm(f"s1.b1.{name}.bn", 32)
    return result


_OWN_REGNET: Shapes = {
    **_conv("block.proj.conv", 32, 32, 1, 1),
    **_norm("block.proj.bn", 32),
    **_conv("block.f.a", 32, 32, 1, 1),
    **_norm("block.f.a_bn", 32),
    **_conv("block.f.b", 32, 16, 3, 3),
    **_norm("block.f.b_bn", 32),
    **_conv("block.f.c", 32, 32, 1, 1),
    **_norm("block.f.c_bn", 32),
}


def _layers(pairs: dict[str, str]) -> dict[str, str]:
    return {a.rpartition(".")[0]: b.rpartition(".")[0] for a, b in pairs.items()}


def test_that_a_shortcut_is_matched_with_the_shortcut_wherever_it_comes() -> None:
    pairs = match(_OWN_REGNET, _regnet("downsample"))
    assert len(pairs) == len(_OWN_REGNET)
    assert _layers(pairs) == {
        "block.proj.conv": "s1.b1.downsample.conv",
        "block.proj.bn": "s1.b1.downsample.bn",
        "block.f.a": "s1.b1.conv1.conv",
        "block.f.a_bn": "s1.b1.conv1.bn",
        "block.f.b": "s1.b1.conv2.conv",
        "block.f.b_bn": "s1.b1.conv2.bn",
        "block.f.c": "s1.b1.conv3.conv",
        "block.f.c_bn": "s1.b1.conv3.bn",
    }


def test_that_layers_in_another_order_stay_unmatched_where_nothing_says_which_is_which() -> None:
    pairs = match(_OWN_REGNET, _regnet("conv4"))
    assert _layers(pairs) == {
        "block.f.b": "s1.b1.conv2.conv",
        "block.f.b_bn": "s1.b1.conv2.bn",
    }


def test_that_the_shortcut_of_a_separable_block_is_matched_with_its_skip() -> None:
    own = {
        **_conv("sepconv1_dw", 64, 1, 3, 3),
        **_conv("sepconv1", 128, 64, 1, 1),
        **_norm("sepconv1_bn", 128),
        **_conv("sepconv2_dw", 128, 1, 3, 3),
        **_conv("sepconv2", 128, 128, 1, 1),
        **_norm("sepconv2_bn", 128),
        **_conv("shortcut", 128, 64, 1, 1),
        **_norm("shortcut_bn", 128),
    }
    file = {
        **_conv("block1.skip", 128, 64, 1, 1),
        **_norm("block1.skipbn", 128),
        **_conv("block1.rep.0.conv1", 64, 1, 3, 3),
        **_conv("block1.rep.0.pointwise", 128, 64, 1, 1),
        **_norm("block1.rep.1", 128),
        **_conv("block1.rep.3.conv1", 128, 1, 3, 3),
        **_conv("block1.rep.3.pointwise", 128, 128, 1, 1),
        **_norm("block1.rep.4", 128),
    }
    assert _layers(match(own, file)) == {
        "sepconv1_dw": "block1.rep.0.conv1",
        "sepconv1": "block1.rep.0.pointwise",
        "sepconv1_bn": "block1.rep.1",
        "sepconv2_dw": "block1.rep.3.conv1",
        "sepconv2": "block1.rep.3.pointwise",
        "sepconv2_bn": "block1.rep.4",
        "shortcut": "block1.skip",
        "shortcut_bn": "block1.skipbn",
    }


def test_that_norms_follow_their_convolutions_where_branches_are_in_another_order() -> None:
    own = {**_conv("a.conv", 8, 3, 1, 1), **_norm("a.bn", 8)}
    own |= {**_conv("b.conv", 8, 3, 3, 3), **_norm("b.bn", 8)}
    file = {**_conv("p.conv", 8, 3, 3, 3), **_norm("p.bn", 8)}
    file |= {**_conv("q.conv", 8, 3, 1, 1), **_norm("q.bn", 8)}
    assert _layers(match(own, file)) == {
        "a.conv": "q.conv",
        "a.bn": "q.bn",
        "b.conv": "p.conv",
        "b.bn": "p.bn",
    }


def test_that_the_scale_of_a_layer_is_no_norm_of_the_layer_before_it() -> None:
    own: dict[str, tuple[int, ...]] = {}
    file: dict[str, tuple[int, ...]] = {}
    for i in range(2):
        own |= {f"stage.{i}.fc.weight": (8, 8), f"stage.{i}.layer_scale.scale": (8,)}
        file |= {f"blocks.{i}.gamma": (8,), f"blocks.{i}.mlp.fc.weight": (8, 8)}
    pairs = match(own, file)
    assert [pairs[f"stage.{i}.layer_scale.scale"] for i in range(2)] == [
        "blocks.0.gamma",
        "blocks.1.gamma",
    ]


class _Counted(str):
    """A name that counts how often it is looked up or taken apart."""

    __slots__ = ()

    looks: ClassVar[int] = 0

    def __hash__(self) -> int:
        _Counted.looks += 1
        return super().__hash__()

    __eq__ = str.__eq__

    def rpartition(self, sep: str, /) -> tuple[str, str, str]:
        _Counted.looks += 1
        return super().rpartition(sep)


def _looks(blocks: int, file_of: Callable[[str, int], dict[str, Shape]]) -> int:
    """Return how often names are looked at while two networks of so many blocks are matched."""
    own, file = _blocks("a", blocks), file_of("b", blocks)
    counted: list[Shapes] = [{_Counted(k): x for k, x in names.items()} for names in (own, file)]
    _Counted.looks = 0
    match_all_or_part(*counted)
    return _Counted.looks


def _blocks(name: str, count: int) -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    for i in range(count):
        found[f"{name}.{i}.conv.weight"] = (8, 8, 3, 3)
        for part in ("weight", "bias", "running_mean"):
            found[f"{name}.{i}.norm.{part}"] = (8,)
    return found


def _with_more(name: str, count: int) -> dict[str, Shape]:
    return {**_blocks(name, count), **_blocks("more", count)}


def _with_gaps(name: str, count: int) -> dict[str, Shape]:
    found = _blocks(name, count)
    return {k.replace("b.", "a."): x for i, (k, x) in enumerate(found.items()) if i % 3}


def _in_parts(name: str, count: int) -> dict[str, Shape]:
    return {f"{name}{i}.weight": (4, 4) for i in range(4 * count)}


def _turned(name: str, count: int) -> dict[str, Shape]:
    items = list(_blocks(name, count).items())
    return dict(
        x for i in range(0, len(items), 8) for x in (*items[i + 4 : i + 8], *items[i : i + 4])
    )


@pytest.mark.parametrize("file_of", [_blocks, _with_more, _with_gaps, _in_parts, _turned])
def test_that_files_of_twice_as_many_weights_take_twice_as_long(
    file_of: Callable[[str, int], dict[str, Shape]],
) -> None:
    assert _looks(400, file_of) < 2.2 * _looks(200, file_of)
