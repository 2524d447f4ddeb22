"""Projective fields, blocks and interiors of random networks equal those found one by one."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest

import rfstudio
from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import Periodic
from rfstudio.core.axes.axis_set import AxisSet
from rfstudio.core.errors import UnitError
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.fields.projective import forwards
from rfstudio.core.network.architecture import Architecture, Layer, Repeat, Residual
from tests.core.oracle import seen_by, theoretical
from tests.core.random_networks import random_network

SLICES = 4
NETWORKS = 48


@pytest.mark.parametrize("part", range(SLICES))
@pytest.mark.parametrize("axes", [1, 2])
def test_that_the_projective_field_is_the_units_whose_support_holds_the_pixel(part, axes) -> None:
    for seed in range(part, NETWORKS, SLICES):
        architecture, graph = random_network(seed + 50_000, axes=axes, layers=6)
        analysis = analyze(architecture)
        rng = random.Random(seed)
        for node in rng.sample(graph.nodes[1:], 2):
            reference = rng.choice([0, 0, rng.randrange(node.index)])
            size = graph.nodes[reference].size
            pixel = tuple(rng.randrange(n) for n in size)
            found = analysis.projective(node.name, pixel, graph.nodes[reference].name)
            readers = {
                unit
                for unit in np.ndindex(*node.size)
                if pixel in seen_by(graph, node.index, unit, reference)
            }
            context = (seed, node.name, pixel, reference)
            assert {tuple(map(int, x)) for x in np.argwhere(found.mask())} == readers, context
            assert found.count == len(readers), context
            hull = tuple((min(x), max(x)) for x in zip(*readers, strict=True)) or None
            assert found.region == hull, context


@pytest.mark.parametrize("part", range(SLICES))
def test_that_a_block_needs_what_its_units_need(part) -> None:
    for seed in range(part, NETWORKS, SLICES):
        architecture, graph = random_network(seed + 60_000, layers=6)
        analysis = analyze(architecture)
        rng = random.Random(seed)
        node = rng.choice(graph.nodes[1:])
        first = tuple(rng.randrange(n) for n in node.size)
        last = tuple(rng.randrange(a, n) for a, n in zip(first, node.size, strict=True))
        block = analysis.block(node.name, first, last)
        steps = np.ndindex(*(b - a + 1 for a, b in zip(first, last, strict=True)))
        units = [tuple(a + int(u) for a, u in zip(first, x, strict=True)) for x in steps]
        seen = set().union(*(seen_by(graph, node.index, unit) for unit in units))
        hull = tuple((min(x), max(x)) for x in zip(*seen, strict=True)) or None
        assert block.visible_region == hull, (seed, node.name)
        regions = [analysis.unit(node.name, unit).theoretical_region for unit in units]
        regions = [x for x in regions if x is not None]
        if not regions:
            continue
        assert block.theoretical_region == tuple(
            (min(a for a, _ in axis), max(b for _, b in axis))
            for axis in zip(*regions, strict=True)
        ), (seed, node.name)


def test_that_a_block_states_its_context_in_samples() -> None:
    # Three 3×3 windows of stride 1: 3 samples on both sides; causal ones: 6 before, none after.
    for padding, context in ((1, (3, 3)), (((2, 0),), (6, 0))):
        conv = Layer(ops.Conv(kernel_size=3, padding=padding))
        network = Architecture("x", "", "", (64,), 4, (conv,) * 3)
        assert analyze(network).block("conv3", (10,), (20,)).context == (context,)


def test_that_a_block_whose_end_comes_first_is_refused() -> None:
    analysis = analyze(Architecture("x", "", "", (64,), 4, (Layer(ops.Relu()),)))
    with pytest.raises(UnitError, match="after the last"):
        analysis.block("relu1", (5,), (4,))


def _interior(analysis: Analysis, axis: int) -> list[list[bool]]:
    """Whether each unit of each node reads real samples only, unit by unit."""
    nodes = analysis.graph.nodes
    result = [[True] * nodes[0].size[axis]]
    for node in nodes[1:]:
        m = node.size[axis]
        good = [True] * m
        for source in node.inputs:
            inside = result[source]
            read = theoretical(node.op, axis, len(inside), m)
            end = len(inside)
            rule = node.rules[axis]
            end -= getattr(rule, "cropped", 0)
            for u in range(m):
                taps = range(len(inside)) if read is None else read(u)
                good[u] &= all(0 <= x < end and inside[x] for x in taps)
        result.append(good)
    return result


@pytest.mark.parametrize("part", range(SLICES))
def test_that_the_interior_is_what_no_padding_reaches(part) -> None:
    for seed in range(part, NETWORKS * 2, SLICES):
        architecture, _ = random_network(seed + 70_000)
        analysis = analyze(architecture)
        for axis in range(2):
            found = _interior(analysis, axis)
            for layer in analysis.layers:
                good, run = found[layer.index], analysis.answers.interiors[layer.index][axis]
                context = (seed, layer.name, axis)
                first, last = (0, -1) if run is None else run
                assert all(good[first : last + 1]), context
                clean = [i for i, x in enumerate(good) if x]
                if clean and clean[-1] - clean[0] + 1 == len(clean) and _rising(analysis, layer):
                    assert run == (clean[0], clean[-1]), context


def _rising(analysis: Analysis, layer) -> bool:
    """Whether no operation up to a layer has blind phases, or phases out of turn."""
    for node in analysis.graph.nodes[1 : layer.index + 1]:
        for rule in node.rules:
            phases = getattr(rule, "phases", ())
            if any(not x for x in phases) or list(phases) != sorted(phases):
                return False
    return True


@pytest.mark.parametrize(("size", "interior"), [(224, (3, 3)), (448, (3, 10))])
def test_that_vgg16_has_its_known_interior(size, interior) -> None:
    # Public question N.
    analysis = rfstudio.analyze("vgg16", input_size=(size, size))
    assert analysis["pool5"].interior == (interior, interior)


def _taesd_decoder() -> Architecture:
    """O_taesd_decoder of the public questions (madebyollin/taesd issue 8)."""

    def conv(**options) -> Layer:
        return Layer(ops.Conv(kernel_size=3, padding=1, **options))

    relu = Layer(ops.Relu())
    block = (Residual((conv(), relu, conv(), relu, conv())), relu)
    up = (Repeat(3, block), Layer(ops.Upsample(scale_factor=2)), conv(bias=False))
    layers = (conv(out_channels=64), relu, Repeat(3, up), *block, conv(out_channels=3))
    return Architecture("TAESD decoder", "", "", (64, 64), 4, layers)


@pytest.mark.parametrize(
    ("pixel", "region"),
    [((32, 32), ((111, 408), (111, 408))), ((3, 60), ((0, 176), (335, 511)))],
)
def test_that_a_latent_of_the_taesd_decoder_reaches_its_known_pixels(pixel, region) -> None:
    # Public question O.
    analysis = analyze(_taesd_decoder())
    found = analysis.projective(analysis.layers[-1].name, pixel)
    assert found.region == region
    assert found.count == np.prod([b - a + 1 for a, b in region])


def test_that_the_projective_field_of_a_u_net_takes_milliseconds() -> None:
    analysis = rfstudio.analyze("unet")

    def seconds() -> float:
        start = time.process_time()
        assert analysis.projective("classifier", (120, 130)).count
        return time.process_time() - start

    assert min(seconds() for _ in range(5)) < 0.02


def test_that_a_pixel_outside_the_map_is_refused() -> None:
    with pytest.raises(UnitError):
        rfstudio.analyze("unet").projective("classifier", (9_999, 0))


def test_that_outputs_of_any_pattern_that_read_a_run_are_those_of_its_list() -> None:
    chance = random.Random(5)
    by_runs = 0
    for _ in range(600):
        first, phases = chance.randint(-4, 2), []
        for _ in range(chance.randint(1, 5)):
            phases.append(tuple(range(first, first + chance.randint(1, 4))))
            first += chance.randint(0, 2)
        n_in, n_out = chance.randint(1, 14), chance.randint(1, 16)
        advance, clamped = chance.randint(1, 5), chance.random() < 0.5
        rule = Periodic(n_in, n_out, advance, tuple(phases), clamped=clamped)
        start = chance.randrange(n_in)
        stop = chance.randint(start + 1, n_in)
        outputs, inputs = rule.pairs
        wanted = sorted(set(outputs[(inputs >= start) & (inputs < stop)].tolist()))
        found = forwards(AxisSet(start, stop), rule)
        assert ([] if found.is_empty else found.indices().tolist()) == wanted, (rule, start, stop)
        by_runs += rule.rising_runs is not None
    assert 100 < by_runs < 500  # both ways are taken


def test_that_units_beyond_the_map_of_a_merge_read_nothing_in_a_draft() -> None:
    """Maps of 24 and 3 samples are added: a fault, which is shown with what it reads."""
    down = Layer(ops.Conv(kernel_size=8, stride=8, out_channels=3), "down")
    holes = Layer(ops.Conv(kernel_size=3, padding=2, dilation=2, out_channels=3), "holes")
    analysis = analyze(Architecture(input_size=(24,), layers=(holes, Residual((down,), name="r"))))
    added = analysis.layers[-1].name
    assert analysis.layers[-1].output_size == (3,)
    for pixel in range(24):
        found = analysis.projective(added, (pixel,))
        beside = [x for x in (pixel - 2, pixel, pixel + 2) if 0 <= x < 3]
        through = [x // 8 for x in (pixel - 2, pixel, pixel + 2) if 0 <= x < 24]
        assert np.flatnonzero(found.mask()).tolist() == sorted({*beside, *through})
