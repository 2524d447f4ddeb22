"""Fields over paths, depths and the layers that an input size leaves without work."""

from __future__ import annotations

from fractions import Fraction

import pytest

import rfstudio
from rfstudio.core import ops
from rfstudio.core.fields import paths as path_module
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.fields.depth import depths_of
from rfstudio.core.network.architecture import (
    Architecture,
    Branch,
    Layer,
    Parallel,
    Repeat,
    Residual,
)
from tests.core.oracle import jump_on, paths, theoretical
from tests.core.random_networks import random_network
from tests.narrowing import instance

SLICES = 4
NETWORKS = 80


def _field_on(graph, path, axis: int) -> Fraction | None:
    """1 + Σ d (k − 1)·jump along one path, by the table of the format; None: the whole axis."""
    size = Fraction(1)
    for place, (node, source) in enumerate(path):
        n, m = graph.nodes[source].size[axis], node.size[axis]
        read = theoretical(node.op, axis, n, m)
        if read is None:
            return None
        # The pattern of every operation repeats within the product of both sizes.
        spans = [x[-1] - x[0] for x in (read(u) for u in range(m * 8 + 40)) if x]
        size += max(spans, default=0) * abs(jump_on(graph, path[:place], axis))
    return size


@pytest.mark.parametrize("part", range(SLICES))
def test_that_least_and_greatest_fields_are_those_of_all_paths(part) -> None:
    for seed in range(part, NETWORKS, SLICES):
        architecture, graph = random_network(seed + 80_000, axes=1, layers=7)
        analysis = analyze(architecture)
        for layer in analysis.layers:
            sizes = [_field_on(graph, x, 0) for x in paths(graph, layer.index)]
            finite = [x for x in sizes if x is not None]
            found = layer.path_fields
            context = (seed, layer.name)
            assert found.min == ((min(finite) if finite else None),), context
            assert found.max == ((None if None in sizes else max(finite)),), context


def test_that_a_mirrored_map_makes_fields_of_paths_no_smaller() -> None:
    """Behind a flip the jump is negative: each path to a 3×3 convolution had a field of −1."""
    conv = Layer(ops.Conv(kernel_size=3, padding=1), "conv")
    analysis = analyze(Architecture(input_size=(9, 8), layers=(Layer(ops.Flip()), conv, conv)))
    for layer, size in zip(analysis.layers, (1, 3, 5), strict=True):
        assert layer.rf_size == layer.path_fields.min == layer.path_fields.max == (size, size)
    (group,) = rfstudio.path_shares(analysis, analysis.layers[-1].name).fields[0]
    assert group.value == 5


def test_that_gates_can_be_ignored() -> None:
    conv = Layer(ops.Conv(kernel_size=3, padding=1))
    items = (conv, Layer(ops.SqueezeExcite(reduction=1), "gate"), conv)
    analysis = analyze(Architecture("gate", "", "", (32, 32), 4, items))
    assert analysis["conv2"].path_fields.min == (None, None)
    assert analysis.path_fields(ignore_gates=True)["conv2"].min == (5, 5)


def test_that_jumps_of_parts_of_a_sample_are_followed_in_whole_numbers(monkeypatch) -> None:
    made = []

    class Counted(Fraction):
        def __new__(cls, *args):
            made.append(args)
            return super().__new__(cls, *args)

    up = Layer(ops.Upsample(scale_factor=2))
    down = Layer(ops.Conv(kernel_size=3, stride=2, padding=1))
    items = (up, Repeat(30, (Residual((up, down)),)), Layer(ops.Conv(kernel_size=5)))
    analysis = analyze(Architecture("parts", "", "", (8,), 1, items))
    monkeypatch.setattr(path_module, "Fraction", Counted)
    found = analysis.path_fields()["conv1"]
    # conv1 adds 4 halves of a sample; each turn adds nothing, or 2 quarters.
    assert found.min == (Fraction(3),)
    assert found.max == (Fraction(3) + 30 * Fraction(2, 4),)
    # One of each rule, and two of each layer for its summary, though there are 31 states.
    assert len(made) <= 4 * len(analysis.graph.nodes)


@pytest.mark.parametrize(
    ("name", "critical", "first"),
    [("vgg16", 10, "conv3_3"), ("resnet18", 9, "layer2.first.conv2")],
)
def test_that_networks_have_their_known_critical_layers_at_32(name, critical, first) -> None:
    # Definitions 10; worked out by hand from 1 + Σ d (k − 1)·jump along the shortest paths.
    found = _at_32(name).critical_layers
    assert len(found) == critical
    assert found[0] == first


def test_that_vgg16_has_its_known_border_layers_at_32() -> None:
    # Definitions 10: ten, from conv3_3 on.
    analysis = _at_32("vgg16")
    assert len(analysis.border_layers()) == 10
    assert analysis.border_layers()[0] == "conv3_3"
    assert set(analysis.border_layers()) <= set(analysis.border_layers("later"))


def _at_32(name: str) -> Analysis:
    return rfstudio.analyze(name, input_size=(32, 32))


def test_that_the_later_revision_adds_layers_whose_map_is_no_larger_than_their_kernel() -> None:
    conv = Layer(ops.Conv(kernel_size=3, padding=1))
    analysis = analyze(Architecture("small", "", "", (3, 3), 4, (conv,)))
    assert analysis.border_layers() == ()
    assert analysis.border_layers("later") == ("conv1",)


@pytest.mark.parametrize(("name", "lowest", "highest"), [("resnet50", 75, 427)])
def test_that_networks_have_their_known_input_range(name, lowest, highest) -> None:
    # Definitions 10.
    assert rfstudio.analyze(name).input_range == ((lowest, highest),) * 2


@pytest.mark.parametrize(
    ("name", "depth"),
    [("vgg16", 16), ("vgg19", 19), ("resnet18", 18), ("resnet50", 50), ("resnet152", 152)],
)
def test_that_networks_are_as_deep_as_they_are_called(name, depth) -> None:
    assert rfstudio.analyze(name).layers[-1].depth == depth


def test_that_depth_can_count_windows_and_follows_the_longest_path() -> None:
    conv = ops.Conv(kernel_size=3, padding=1)
    pool = ops.MaxPool(kernel_size=3, stride=1, padding=1)
    items = (
        Layer(conv, "a"),
        Layer(pool, "b"),
        Layer(conv, "c"),
        Layer(conv, "side", ("input",)),
        Layer(ops.Add(), "sum", ("side", "c")),
    )
    analysis = analyze(Architecture("two ways", "", "", (32, 32), 4, items))
    assert [analysis[x].depth for x in ("a", "b", "c", "side", "sum")] == [1, 1, 2, 1, 2]
    windows, _ = depths_of(analysis.graph, counting="windows")
    assert windows == [0, 1, 2, 3, 1, 3]
    assert [analysis[x].growth for x in ("a", "b", "c", "side", "sum")] == [
        (2, 2),
        (2, 2),
        (2, 2),
        (2, 2),
        (0, 0),
    ]
    reference = analyze(analysis.architecture, reference="a")
    assert reference["side"].depth is None
    assert reference["c"].depth == 1


def _resized(count: int) -> Architecture:
    """Return resizes to sizes without a common factor, each beside a convolution."""
    sizes = [x for x in range(40, 400) if all(x % y for y in range(2, 20))][:count]
    layers: list[Layer | Residual] = [Layer(ops.Upsample(size=x, mode="linear")) for x in sizes]
    layers[1::3] = [Residual((Layer(ops.Conv(kernel_size=3, padding=1)),)) for _ in layers[1::3]]
    return Architecture("resized", "", "", (64,), 4, tuple(layers))


def test_that_parts_of_a_sample_do_not_grow_with_the_layers(monkeypatch) -> None:
    """Denominators of thousands of digits took most of the time of drafts with many resizes."""
    exact = analyze(_resized(30)).layers[-1].path_fields
    monkeypatch.setattr(path_module, "MAX_PARTS", 1 << 40)
    found = analyze(_resized(30)).layers[-1].path_fields
    for (one,), (other,) in ((exact.min, found.min), (exact.max, found.max)):
        wanted, rounded = instance(Fraction, one), instance(Fraction, other)
        assert float(rounded) == pytest.approx(float(wanted), rel=1e-9)
        assert rounded.denominator <= 1 << 40
        assert wanted.denominator > 1 << 40


def test_that_paths_of_many_strides_have_bounds_where_there_are_too_many(monkeypatch) -> None:
    # The wider field has the smaller jump, so that either may be the largest later.
    layers: list[Layer | Parallel] = []
    for size in (64, 32, 16):
        wide = Layer(ops.MaxPool(kernel_size=9, stride=1, padding=4))
        cut = Branch((wide, Layer(ops.Crop(size=size // 2))))
        strided = Branch((Layer(ops.MaxPool(kernel_size=2)),))
        layers += [Parallel((cut, strided), "add"), *_convolutions(2)]
    network = Architecture("strides", "", "", (64,), 4, tuple(layers))
    exact = analyze(network).layers[-1].path_fields
    monkeypatch.setattr(path_module, "MAX_FOLLOWED", 1)
    found = analyze(network).layers[-1].path_fields
    assert found != exact
    assert instance(int, found.min[0]) <= instance(int, exact.min[0])
    assert instance(int, found.max[0]) >= instance(int, exact.max[0])


def _convolutions(count: int) -> list[Layer]:
    return [Layer(ops.Conv(kernel_size=3, padding=1))] * count
