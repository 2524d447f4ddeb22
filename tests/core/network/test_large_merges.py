"""Merges that bring too much with them are faults of a layer, as any other operation."""

from __future__ import annotations

import pytest

from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer

FAR = 2_000_000_000

MERGES = {
    "sum spread to a long signal": (
        FAR,
        (Layer(ops.Crop(size=1), "c"), Layer(ops.Add(), "m", ("input", "c"))),
    ),
    "concat of two long signals": (FAR, (Layer(ops.Concat(axis=0), "m", ("input", "input")),)),
    "concat of many signals": (20_000, (Layer(ops.Concat(axis=0), "m", ("input",) * 20),)),
}


@pytest.mark.parametrize("what", MERGES)
def test_that_a_merge_that_is_too_large_is_a_fault_with_its_place(what: str) -> None:
    samples, layers = MERGES[what]
    analysis = analyze(Architecture("long", "", "", (samples,), 4, layers))
    faults = [x for x in analysis.diagnostics if x.code == "too_large"]
    assert [x.layer for x in faults] == ["m"]
    assert "'m': " in faults[0].message


def test_that_many_small_maps_are_joined_along_an_axis() -> None:
    layers = (Layer(ops.Concat(axis=0), "m", ("input",) * 100),)
    analysis = analyze(Architecture("short", "", "", (64,), 4, layers))
    assert analysis["m"].output_size == (6400,)
    assert not [x for x in analysis.diagnostics if x.severity == "error"]
