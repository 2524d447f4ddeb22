"""Each command expands the graph of a network once, however many of its parts need it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rfstudio.cli import main
from rfstudio.core.network import expansion

TEXT = """\
format: 1
name: two
input: {size: [16, 16], channels: 2}
layers:
  - conv: {name: a, kernel_size: 3, padding: 1, out_channels: 4}
  - batch_norm: {name: norm}
  - relu: {name: r}
  - conv: {name: b, kernel_size: 3, stride: 2, padding: 1, out_channels: 4}
"""

LAYER = ("--layer", "b", "--unit", "3", "4")


@pytest.fixture
def expansions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[tuple[int, ...]]]:
    """How often a graph was really built, by the size of its input."""
    counts: Counter[tuple[int, ...]] = Counter()
    build = expansion.Expansion

    def counted(size: tuple[int, ...], *others: Any) -> object:
        counts[size] += 1
        return build(size, *others)

    monkeypatch.setattr(expansion, "Expansion", counted)
    expansion.RECENT_GRAPHS.clear()
    yield counts
    expansion.RECENT_GRAPHS.clear()


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    for name in ("one", "other"):
        (tmp_path / f"{name}.yaml").write_text(TEXT)

    def call(command: str, *words: str) -> None:
        given = [str(tmp_path / x) if x.startswith(("one", "other", "out")) else x for x in words]
        assert main([command, *given]) == 0, capsys.readouterr().err
        capsys.readouterr()

    return call


@pytest.mark.parametrize(
    "words",
    [
        ("analyze", "one.yaml"),
        ("analyze", "one.yaml", "--reference", "a", "--format", "json"),
        ("analyze", "one.yaml", *LAYER),
        ("erf", "one.yaml", *LAYER, "--estimator", "expected"),
        ("erf", "one.yaml", *LAYER, "--estimator", "path-count"),
        ("erf", "one.yaml", *LAYER, "--samples", "1", "--device", "cpu"),
        ("erf", "one.yaml", *LAYER, "--estimator", "occlusion", "--samples", "1"),
        ("erf", "one.yaml", *LAYER, "--estimator", "expected", "--samples", "1"),
        ("figure", "one.yaml", *LAYER, "--output", "out.svg"),
        ("convert", "one.yaml", "--output", "out.py"),
        ("convert", "one.yaml", "--output", "out.yaml"),
    ],
    ids=" ".join,
)
def test_that_a_command_expands_its_network_once(
    expansions: Counter[tuple[int, ...]], run: Callable[..., None], words: tuple[str, ...]
) -> None:
    run(*words)
    assert expansions == {(16, 16): 1}


def test_that_a_comparison_expands_each_network_once(
    expansions: Counter[tuple[int, ...]], run: Callable[..., None]
) -> None:
    run("compare", "one.yaml", "other.yaml", "--output", "out.svg")
    assert expansions == {(16, 16): 2}


def test_that_another_input_size_is_one_expansion_more_than_reading_the_file(
    expansions: Counter[tuple[int, ...]], run: Callable[..., None]
) -> None:
    run("erf", "one.yaml", *LAYER, "--input-size", "24", "24", "--samples", "1")
    assert expansions == {(16, 16): 1, (24, 24): 1}
