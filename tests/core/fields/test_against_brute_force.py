"""Fields, regions and supports of random networks equal those found position by position."""

from __future__ import annotations

import os
import random
import textwrap

import numpy as np
import pytest
import torch

from rfstudio.core.fields.analysis import analyze
from rfstudio.core.fields.backtrace import read_by_all
from rfstudio.core.fields.field import Alignment
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.yaml_reader import read_yaml
from tests.core.oracle import jump_on, paths, seen_by, seen_on
from tests.core.random_networks import random_network
from tests.narrowing import present

NETWORKS = int(os.environ.get("RFSTUDIO_RANDOM_NETWORKS", "240"))
SLICES = 16


def _units(rng: random.Random, size: tuple[int, ...]) -> list[tuple[int, ...]]:
    corners = [(0,) * len(size), tuple(n - 1 for n in size), tuple(n // 2 for n in size)]
    return list(dict.fromkeys([*corners, *(tuple(rng.randrange(n) for n in size) for _ in "ab")]))


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_that_regions_and_supports_are_those_found_position_by_position(part, axes) -> None:
    for seed in range(part, NETWORKS // (4 if axes == 3 else 1), SLICES):
        architecture, graph = random_network(seed, axes=axes, layers=4 if axes == 3 else 8)
        analysis = analyze(architecture)
        rng = random.Random(seed)
        for node in rng.sample(graph.nodes[1:], 3):
            for unit in _units(rng, node.size):
                seen = seen_by(graph, node.index, unit)
                view = analysis.unit(node.name, unit)
                context = (seed, node.name, unit)
                found = {tuple(map(int, x)) for x in np.argwhere(view.support())}
                assert found == seen, context
                assert view.support_count == len(seen), context
                if not seen:
                    assert view.visible_region is None, context
                    assert view.gridding == 0.0, context
                    continue
                hull = tuple((min(x), max(x)) for x in zip(*seen, strict=True))
                assert view.visible_region == hull, context
                area = np.prod([b - a + 1 for a, b in hull])
                assert view.gridding == pytest.approx(1 - len(seen) / area), context


@pytest.mark.parametrize("part", range(SLICES))
def test_that_what_all_units_read_is_the_union_of_what_each_reads(part) -> None:
    for seed in range(part, NETWORKS // 4, SLICES):
        _, graph = random_network(seed + 20_000)
        node = random.Random(seed).choice(graph.nodes[1:])
        units = np.ndindex(*node.size)
        union = set().union(*(seen_by(graph, node.index, unit) for unit in units))
        found = {tuple(map(int, x)) for x in np.argwhere(read_by_all(graph, node.index).mask())}
        assert found == union, (seed, node.name)


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("axes", [1, 2])
def test_that_fields_are_the_hull_over_all_paths(part, axes) -> None:
    for seed in range(part, NETWORKS, SLICES):
        architecture, graph = random_network(seed + 10_000, axes=axes)
        analysis = analyze(architecture)
        for node in graph.nodes[1:]:
            ways = list(paths(graph, node.index))
            for axis in range(axes):
                _compare_axis(analysis, graph, node, axis, ways, (seed, node.name, axis))


def _compare_axis(analysis, graph, node, axis, ways, context) -> None:
    layer = analysis[node.name]
    units = range(-3, node.size[axis] + 30)
    seen = [{u: seen_on(graph, way, axis, u) for u in units} for way in ways]
    if any(x[0] is None for x in seen):
        assert layer.is_global[axis], context
        assert layer.rf_size[axis] is None, context
        return
    assert not layer.is_global[axis], context
    field = layer.fields[axis]
    hulls = {}
    for u in units:
        together: set[int] = set().union(*(present(x[u]) for x in seen))
        hulls[u] = (min(together), max(together)) if together else None
        assert field.interval(u) == hulls[u], (*context, u)
    # Over the map's own units the range of the sizes is within the stated one, and if the
    # pattern repeats inside the map it is attained.
    own = [hulls[u] for u in units if u >= 0]
    sizes = [0 if hull is None else hull[1] - hull[0] + 1 for hull in own]
    low, high = layer.rf_size_range[axis]
    here = sizes[: node.size[axis]]
    assert low <= min(here), context
    assert high >= max(here), context
    if field.by_size or max((len(x.first) for x in field.tracks), default=1) <= len(here):
        assert (low, high) == (min(here), max(here)), context
    jumps = [jump_on(graph, way, axis) for way in ways]
    live = [i for i, x in enumerate(seen) if any(x.values())]
    # Alignment is a statement about paths: a branch that sees nothing has none that counts, however
    # it was merged before.  See test_that_a_branch_that_sees_nothing_is_never_out_of_line.
    # One that sees the same from each unit has paths, so it passes on what it was before.
    reading = {ways[i][-1][1] for i in live}
    moving = [i for i in live if jumps[i]]
    stands = bool(moving) and len(moving) < len(live)
    if stands:
        # Where all units see the same, as of a broadcast, there is nothing to be out of line.
        seen, jumps = [seen[i] for i in moving], [jumps[i] for i in moving]
        ways = [ways[i] for i in moving]
        assert field.jump is None, context
        assert field.by_size, context
    before = [
        analysis.fields[x][axis].alignment
        for x in node.inputs
        if x in reading or (not reading and x == node.inputs[0])
    ]
    branches = [
        {
            u: set().union(
                *(present(x[u]) for x, way in zip(seen, ways, strict=True) if way[-1][1] == i)
            )
            for u in units
        }
        for i in dict.fromkeys(node.inputs)
    ]
    _compare_alignment(seen, jumps, field, max(before), context, branches, stands=stands)


def _compare_alignment(seen, jumps, field, before, context, branches, *, stands) -> None:
    """Do all paths have one jump, and do the centres of the branches coincide for every unit?"""
    live = [(x, jump) for x, jump in zip(seen, jumps, strict=True) if any(x.values())]
    if len({jump for _, jump in live}) > 1:
        assert field.alignment is Alignment.STRIDE_MISMATCH, context
        assert field.jump is None, context
        return
    offset = _centres_differ(branches)
    # A stride may pick just the phases that agree: what was bad before stays so all the same.
    expected = max(before, Alignment.CENTRE_OFFSET if offset else Alignment.ALIGNED)
    assert field.alignment is expected, context
    if live and expected is not Alignment.STRIDE_MISMATCH and not stands:
        assert field.jump == live[0][1], context
    stands = stands or not any(jump for _, jump in live)
    if all(x.period == 1 for x in field.tracks) and not before and not stands:
        # Without phases a statement about branches is one about all pairs of paths.
        assert _centres_differ([x for x, _ in live]) == offset, context


def _centres_differ(seen) -> bool:
    def centre(x):
        return (min(x) + max(x)) / 2 if x else None

    live = [x for x in seen if any(x.values())]
    return any(
        centre(live[0][u]) != centre(x[u]) for x in live[1:] for u in x if x[u] and live[0][u]
    )


def test_that_a_branch_that_sees_nothing_is_never_out_of_line() -> None:
    # A sum out of line by one pixel, of which a transposed convolution and a slice leave positions
    # that nothing reaches: after a merge with the input, each unit sees one pixel, as torch says.
    text = """
    format: 1
    name: test
    input: {size: [9], channels: 1}
    layers:
      - conv: {name: right, from: input, kernel_size: 1}
      - pad: {name: moved, from: input, padding: [[1, -1]]}
      - add: {name: bad, from: [right, moved]}
      - conv_transpose: {name: apart, kernel_size: 1, stride: 2}
      - slice: {name: empty, start: 1, step: 2}
      - pad: {name: grown, padding: [[0, 1]]}
      - add: {name: end, from: [grown, input]}
    """
    network = read_yaml(textwrap.dedent(text))
    analysis = analyze(network)
    assert analysis["bad"].alignment == ("centre_offset",)
    assert analysis["end"].rf_size == (1,)
    assert analysis["end"].jump == (1,)
    assert analysis["end"].alignment == ("aligned",)
    module = to_torch(network, weights="ones", positive=True)
    image = torch.ones(1, 1, 9, requires_grad=True)
    for unit in range(9):
        (gradient,) = torch.autograd.grad(module(image)[0, 0, unit], image)
        assert gradient[0, 0].nonzero().flatten().tolist() == [unit]
