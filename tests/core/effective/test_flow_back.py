"""The walk back gives the same in whatever form what flows is stored."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.core.effective.calibration import with_gains
from rfstudio.core.effective.energy_flow import energy_of
from rfstudio.core.effective.expected import counting
from rfstudio.core.effective.flow import Flow, one_unit
from rfstudio.core.effective.flow_back import flow_back, total
from rfstudio.core.layer_models.spread import Values
from rfstudio.core.network.graph import Graph
from tests.core.random_networks import random_network
from tests.narrowing import present


def _arrived(graph: Graph, start: Flow, *, counts: bool) -> Values:
    index, nodes = len(graph.nodes) - 1, graph.nodes
    if counts:
        ways = lambda i: counting(present(nodes[i].op), nodes[i].rules)  # noqa: E731
        flows = flow_back(graph, index, start, ways)
        values, exponent = total(flows, (1,), nodes[0].size)
    else:
        energy = energy_of(graph)
        backward, edges = with_gains(energy, None, index)
        flows = flow_back(graph, index, start, backward, runs=energy.runs, edges=edges)
        values, exponent = total(flows, energy.runs[0], nodes[0].size)
    return np.ldexp(values, exponent)


@pytest.mark.parametrize("counts", [True, False], ids=["paths", "energy"])
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_that_a_vector_for_each_axis_gives_what_a_map_gives(axes: int, counts: bool) -> None:
    for seed in range(40):
        _, graph = random_network(seed, axes=axes)
        size = graph.nodes[-1].size
        unit = tuple(min(seed % 3, n - 1) for n in size)
        by_axis, as_map = one_unit(unit), Flow(unit, np.ones((1,) * axes))
        assert by_axis.axes is not None
        assert as_map.axes is None
        mine = _arrived(graph, by_axis, counts=counts)
        wanted = _arrived(graph, as_map, counts=counts)
        np.testing.assert_allclose(mine, wanted, rtol=1e-10)


def test_that_vectors_are_brought_to_a_middle_size_as_maps_are() -> None:
    # 0.5 · 1e200 · 2e150 does not fit into a float64.
    large = Flow((0, 0), (np.array([1e200, 3.0]), np.array([2e150])), factor=0.5)
    large.level()
    assert 0.25 <= large.values[0, 0] <= 1
    logarithm = np.log2(large.values[0, 0] * large.factor) + large.exponent
    assert logarithm == pytest.approx(350 * np.log2(10), rel=1e-12)
    assert large.values[1, 0] / large.values[0, 0] == pytest.approx(3e-200)
