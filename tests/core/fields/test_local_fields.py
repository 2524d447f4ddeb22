"""The local field is that of the network in which gates and norms over the map are not there."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

import rfstudio
from rfstudio.core import ops
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network.architecture import Architecture, Branch, Layer, Parallel
from tests.core.oracle import theoretical
from tests.core.random_networks import random_network

SLICES = 4
NETWORKS = 48

_GATES = (
    ops.SqueezeExcite(reduction=1),
    ops.InstanceNorm(),
    ops.GroupNorm(num_groups=1),
    ops.Attention(heads=1),
)
# One reads the whole axis and keeps its positions; a deformable convolution reads its window.
_CONTEXT = (ops.SqueezeExcite, ops.InstanceNorm, ops.GroupNorm, ops.Attention, ops.Recurrent)


def _gate_network(*, gates: bool = True) -> Architecture:
    """A_gates of the public questions: two stages with a gate and a norm over the map."""

    def conv(name: str, stride: int) -> Layer:
        return Layer(ops.Conv(kernel_size=3, stride=stride, padding=1), name)

    gate, norm = Layer(ops.SqueezeExcite(reduction=4), "gate"), Layer(ops.InstanceNorm(), "norm")
    items = [conv("a", 2), gate, conv("b", 2), norm, conv("c", 1)]
    if not gates:
        items = [x for x in items if x not in (gate, norm)]
    return Architecture("gates", "", "", (64, 64), 8, tuple(items))


def test_that_a_gate_and_a_norm_hide_neither_the_local_field_nor_the_jump() -> None:
    # Public question A, worked out in torch on the network with gate and norm left out.
    analysis = analyze(_gate_network())
    layer, unit = analysis["c"], analysis.unit("c", (5, 5))
    assert layer.rf_size == (None, None)
    assert (layer.jump, layer.padding, layer.center) == ((4, 4), (7, 7), (0.0, 0.0))
    assert layer.local is not None
    assert layer.local.rf_size == (15, 15)
    assert layer.context == ("gate", "norm")
    assert unit.local_region == ((13, 27), (13, 27))
    assert unit.visible_region == ((0, 63), (0, 63))


def test_that_the_local_field_is_the_field_where_nothing_reads_a_whole_axis() -> None:
    for layer in analyze(_gate_network(gates=False)).layers:
        assert layer.local_fields is layer.fields
        assert layer.context == ()


def test_that_a_layer_after_a_global_pool_has_no_local_field() -> None:
    network = _gate_network()
    pool, head = Layer(ops.GlobalAvgPool(), "pool"), Layer(ops.Conv(kernel_size=1), "head")
    analysis = analyze(replace(network, layers=(*network.layers, pool, head)))
    assert analysis["head"].local is None
    assert analysis["head"].jump == (None, None)
    assert analysis.unit("head").local_region is None
    assert analysis.largest_field is not None
    assert analysis.largest_field.name == "gate"
    assert analysis.largest_local_field is not None
    assert analysis.largest_local_field.name == "c"


def test_that_a_branch_pooled_to_one_cell_adds_nothing_and_is_named() -> None:
    conv = Layer(ops.Conv(kernel_size=3, padding=1))
    spread = Layer(ops.Upsample(size=64))
    branches = (Branch((conv,)), Branch((Layer(ops.GlobalAvgPool(), "pool"), spread)))
    analysis = analyze(
        Architecture("image branch", "", "", (64, 64), 8, (Parallel(branches, "concat", "both"),))
    )
    layer = analysis["both"]
    assert layer.rf_size == (None, None)
    assert layer.local is not None
    assert (layer.local.rf_size, layer.jump) == ((3, 3), (1, 1))
    assert layer.context == ("both.pool",)
    assert analysis["both.pool"].context == ()


def test_that_the_largest_local_field_of_efficientnet_is_that_of_its_convolutions() -> None:
    # Public question A: convolutions only, 851×851 with a jump of 32.
    analysis = rfstudio.analyze("efficientnet_b0")
    layer = analysis.largest_local_field
    assert layer is not None
    assert layer.local is not None
    assert (layer.name, layer.local.rf_size, layer.jump) == (
        "stage7.depthwise",
        (851, 851),
        (32, 32),
    )


def _with_gates(seed: int) -> Analysis:
    """A random network, nasty already, with gates and norms after many of its layers."""
    architecture, _ = random_network(seed + 40_000, layers=6)
    rng = random.Random(seed)
    items: list[Layer] = []
    called: dict[str, str] = {}
    for item in architecture.layers:
        assert isinstance(item, Layer)
        items.append(replace(item, inputs=tuple(called.get(x, x) for x in item.inputs)))
        if rng.random() < 0.3:
            items.append(Layer(rng.choice(_GATES), f"gate_{item.name}", (item.name,)))
            called[item.name] = items[-1].name
    return analyze(replace(architecture, layers=tuple(items)))


class _Judge:
    """What units see locally, by the table of the file format, unit by unit."""

    def __init__(self, analysis: Analysis, axis: int) -> None:
        self._nodes = analysis.graph.nodes
        self._axis = axis
        self._known: dict[tuple[int, int], frozenset[int] | None] = {}
        self._live: dict[int, bool] = {}

    def seen(self, index: int, unit: int) -> frozenset[int] | None:
        """Pixels that a unit sees; None if its map has no positions along the axis."""
        if index == 0:
            return frozenset({unit})
        key = (index, unit)
        if key not in self._known:
            node = self._nodes[index]
            live = [x for x in node.inputs if self._sees(x)]
            found = [self._through(index, x, unit) for x in live]
            there = [x for x in found if x is not None]
            self._known[key] = None if found and not there else frozenset().union(*there)
        return self._known[key]

    def _through(self, index: int, source: int, unit: int) -> frozenset[int] | None:
        node, axis = self._nodes[index], self._axis
        n, m = self._nodes[source].size[axis], node.size[axis]
        op = node.op
        if isinstance(op, ops.DeformConv) and op.max_offset is None:
            op = replace(op, max_offset=0)
        whole = isinstance(op, ops.Custom) and ops.flags_per_axis(op.whole, 2)[axis]
        same = isinstance(op, _CONTEXT) or (whole and n == m)
        read = (lambda i: [i]) if same else theoretical(op, axis, n, m)
        if read is None:
            return None
        parts = [self.seen(source, x) for x in read(unit)]
        if self.seen(source, 0) is None:
            return None
        return frozenset().union(*(x for x in parts if x is not None))

    def _sees(self, index: int) -> bool:
        if index not in self._live:
            some = (self.seen(index, u) for u in range(self._nodes[index].size[self._axis] + 40))
            self._live[index] = any(x is None or x for x in some)
        return self._live[index]


@pytest.mark.parametrize("part", range(SLICES))
def test_that_local_fields_of_random_networks_are_those_without_gates(part) -> None:
    for seed in range(part, NETWORKS, SLICES):
        analysis = _with_gates(seed)
        for axis in range(2):
            judge = _Judge(analysis, axis)
            for layer in analysis.layers:
                context = (seed, layer.name, axis)
                units = range(-2, layer.output_size[axis] + 8)
                seen = [judge.seen(layer.index, u) for u in units]
                field = layer.local_fields[axis]
                assert field.whole == (None in seen), context
                if None in seen:
                    continue
                hulls = [(min(x), max(x)) if x else None for x in seen]
                assert [field.interval(u) for u in units] == hulls, context
                if not layer.fields[axis].whole:
                    assert layer.fields[axis] == field, context


@pytest.mark.parametrize("part", range(SLICES))
def test_that_context_names_what_reads_a_whole_axis_on_the_way(part) -> None:
    for seed in range(part, NETWORKS, SLICES):
        analysis = _with_gates(seed)
        for layer in analysis.layers:
            whole = any(layer.is_global)
            hidden = any(
                x.whole and not y.whole
                for x, y in zip(layer.fields, layer.local_fields, strict=True)
            )
            if hidden:
                assert layer.context, (seed, layer.name)
            if not whole:
                assert layer.context == (), (seed, layer.name)
            for name in layer.context:
                assert analysis[name].index <= layer.index


def test_that_an_analysis_after_an_edit_has_the_local_fields_of_a_fresh_one() -> None:
    first = analyze(_gate_network())
    network = first.architecture
    edited = replace(
        network,
        layers=(
            Layer(ops.Conv(kernel_size=5, stride=2, padding=2), "a"),
            *network.layers[1:],
        ),
    )
    again, fresh = analyze(edited, previous=first), analyze(edited)
    assert again.local == fresh.local
    assert again.fields == fresh.fields
