"""Names that files of weights have for layers, by patterns of paths."""

from __future__ import annotations

import pytest

from rfstudio.core.network.weight_names import names_in_files, pattern_fault


@pytest.mark.parametrize(
    ("pattern", "name", "path", "wanted"),
    [
        ("conv1", "features.0", "conv1.weight", "features.0.weight"),
        ("conv1", "features.0", "conv10.weight", "conv10.weight"),
        ("a.{n}", "b.{n+1}.c", "a.9.conv.bias", "b.10.c.conv.bias"),
        ("a.{n}", "b.{n+1}", "a.x.bias", "a.x.bias"),
        ("stage{s}.{x}", "f.{2s-1}.{x}", "stage3.window.w", "f.5.window.w"),
        ("a.{x}", "{x}.{x}", "a.b.w", "b.b.w"),
        ("a.{x}", "{2n}", "a.1.w", None),
        ("t.position", "table", "t.position", "table"),
        ("a(b", "c", "a(b.w", "c.w"),
    ],
)
def test_that_a_pattern_says_how_a_path_begins(
    pattern: str, name: str, path: str, wanted: str | None
) -> None:
    if wanted is None:
        assert pattern_fault(pattern, name) == "the pattern has no {n}"
        return
    assert pattern_fault(pattern, name) == ""
    assert names_in_files(((pattern, name),), {"own": path}) == {"own": wanted}


def test_that_the_first_pattern_that_fits_is_used() -> None:
    patterns = (("a.{n}.down", "b.{n}.0"), ("a.{n}", "b.{n}"))
    paths = {"x": "a.1.down.weight", "y": "a.1.other.weight", "z": "c.weight"}
    assert names_in_files(patterns, paths) == {
        "x": "b.1.0.weight",
        "y": "b.1.other.weight",
        "z": "c.weight",
    }


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("a..b", "c"),
        ("a", "c."),
        ("{a}{b}", "c"),
        ("{n}.{n}", "c"),
        ("{N}", "c"),
        ("{n", "c"),
        ("{n}", "{n*2}"),
        ("a" * 301, "c"),
    ],
)
def test_that_a_pattern_with_a_fault_says_which(pattern: str, name: str) -> None:
    assert pattern_fault(pattern, name)
