"""Every lesson opens, is not done at first, and is done by what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rfstudio.api.lessons import LESSONS, Lesson
from rfstudio.app.state.selection import Selected
from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer, Parallel
from tests.narrowing import instance


def _done(lesson: Lesson, network: Architecture, layer: str, unit: tuple[int, ...] | None = None):
    analysis = analyze(network)
    size = analysis[layer].output_size
    chosen = Selected(layer, unit or tuple(n // 2 for n in size), None)
    return lesson.is_done(analysis, chosen)


def _changed(network: Architecture, **by_name: dict) -> Architecture:
    layers = tuple(
        replace(x, op=replace(x.op, **by_name[x.name]))
        if isinstance(x, Layer) and x.name in by_name
        else x
        for x in network.layers
    )
    return replace(network, layers=layers)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda x: x.title)
def test_that_a_lesson_opens_without_errors_and_is_not_done_yet(lesson: Lesson) -> None:
    network = lesson.architecture()
    analysis = analyze(network)
    assert not [x for x in analysis.diagnostics if x.severity == "error"]
    assert not _done(lesson, network, lesson.layer)


def test_that_each_lesson_is_done_by_what_it_says() -> None:
    (stride, dilation, holes, branches, border, effective, objects, context, small, gate) = LESSONS
    start = stride.architecture()
    assert _done(stride, _changed(start, c1={"stride": 2}), "c3")
    assert _done(dilation, _changed(start, c2={"dilation": 4, "padding": 4}), "c3")
    filled = _changed(holes.architecture(), c1={"dilation": 1, "padding": 1})
    assert _done(holes, filled, "c3")
    two = instance(Parallel, branches.architecture().layers[0])
    b = instance(Layer, two.branches[1].layers[0])
    repaired = replace(b, op=replace(b.op, padding=1))  # type: ignore[call-arg] # a convolution
    other = replace(two.branches[1], layers=(repaired,))
    network = replace(
        branches.architecture(), layers=(replace(two, branches=(two.branches[0], other)),)
    )
    assert _done(branches, network, "two")
    assert _done(border, border.architecture(), "c6", (0, 0))
    first = instance(Layer, effective.architecture().layers[0])
    many = tuple(replace(first, name=f"d{i}") for i in range(12))
    assert _done(effective, replace(effective.architecture(), layers=many), "d11")
    sizes = {x.name: x.rf_size[0] for x in analyze(objects.architecture()).layers}
    enough = next(x for x, n in sizes.items() if x.startswith("c") and n is not None and n >= 50)
    assert _done(objects, objects.architecture(), enough)
    finer = _changed(
        context.architecture(),
        p2={"stride": 1},
        c3={"dilation": 2, "padding": 2},
        c4={"dilation": 2, "padding": 2},
    )
    assert _done(context, finer, "c4")
    big = instance(Layer, small.architecture().layers[0])
    three = tuple(
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=8), f"k{i}") for i in range(3)
    )
    assert big.name == "big"
    assert _done(small, replace(small.architecture(), layers=three), "k2")
    gated = gate.architecture()
    gated = replace(gated, layers=(*gated.layers, Layer(ops.SqueezeExcite.usual(), "se")))
    assert _done(gate, gated, "se")


def test_that_another_change_with_the_same_numbers_is_not_accepted() -> None:
    (stride, dilation, holes, branches, _, effective, objects, context, small, gate) = LESSONS
    assert not _done(stride, _changed(stride.architecture(), c1={"kernel_size": 7}), "c3")
    larger = _changed(dilation.architecture(), c2={"kernel_size": 9, "padding": 4})
    assert not _done(dilation, larger, "c3")  # 13×13, with more weights
    half = _changed(dilation.architecture(), c2={"dilation": 4})
    assert not _done(dilation, half, "c3")  # the padding is still that of before
    five = {"kernel_size": 5, "dilation": 1, "padding": 2}
    assert not _done(holes, _changed(holes.architecture(), c1=five, c2=five, c3=five), "c3")
    two = instance(Parallel, branches.architecture().layers[0])
    alone = replace(branches.architecture(), layers=two.branches[0].layers)
    assert not _done(branches, alone, "a")
    point = Layer(ops.Conv(kernel_size=1, out_channels=8), "p")
    points = tuple(replace(point, name=f"p{i}") for i in range(12))
    assert not _done(effective, replace(effective.architecture(), layers=points), "p11")
    giant = _changed(objects.architecture(), c1={"kernel_size": 51, "padding": 25})
    assert not _done(objects, giant, "c1")
    wide = {"kernel_size": 5, "padding": 2}
    wider = _changed(context.architecture(), p2={"stride": 1}, c3=wide, c4=wide)
    assert not _done(context, wider, "c4")
    cut = _changed(context.architecture(), p2={"stride": 1}, c3={"dilation": 2}, c4={"dilation": 2})
    assert not _done(context, cut, "c4")
    assert not _done(small, _changed(small.architecture(), big={"kernel_size": 3}), "big")
    pooled = gate.architecture()
    pooled = replace(pooled, layers=(*pooled.layers, Layer(ops.GlobalAvgPool(), "g")))
    assert not _done(gate, pooled, "g")
