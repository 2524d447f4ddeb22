"""Expected fields of operations that move positions are those of networks without them."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.effective.expected import Erf, expected_erf
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.core.ops import Op

CONV = ops.Conv(kernel_size=3, padding=1, out_channels=4, bias=False)
STRIDED = ops.Conv(kernel_size=3, padding=1, out_channels=4, bias=False, stride=2)
RELU = ops.Relu()
POOL = ops.AvgPool(kernel_size=3, stride=1, padding=1)


def _field(*layers: Op, unit: tuple[int, ...], stem: tuple[Op, ...] = (CONV, RELU)) -> Erf:
    network = Architecture("test", "", "", (12, 12), 2, tuple(map(Layer, (*stem, *layers))))
    graph = expand(network)
    assert not graph.faults
    return expected_erf(graph, graph.nodes[-1].index, unit, batch_norm="fresh")


@pytest.mark.parametrize("after", [(CONV,), (POOL, CONV), (CONV, RELU, CONV)])
@pytest.mark.parametrize("unit", [(0, 3), (5, 5)])
def test_that_a_mirrored_map_has_the_mirrored_field(after, unit) -> None:
    wanted = _field(*after, unit=unit)
    found = _field(ops.Flip(along=(1, 0)), *after, unit=unit)
    np.testing.assert_allclose(found.map[::-1], wanted.map, rtol=1e-12)
    assert found.exact == wanted.exact


def test_that_rolling_there_and_back_changes_nothing() -> None:
    wanted = _field(POOL, CONV, unit=(4, 11))
    found = _field(ops.Roll(shift=(2, -5)), ops.Roll(shift=(-2, 5)), POOL, CONV, unit=(4, 11))
    np.testing.assert_allclose(found.map, wanted.map, rtol=1e-12)
    assert found.exact == wanted.exact


def test_that_every_other_unit_of_a_convolution_is_one_of_a_strided_convolution() -> None:
    for more in ((), (RELU, CONV)):
        wanted = _field(STRIDED, *more, unit=(0, 2))
        found = _field(CONV, ops.Slice(step=2), *more, unit=(0, 2))
        np.testing.assert_allclose(found.map / found.map.max(), wanted.map / wanted.map.max())
        assert found.exact == wanted.exact


@pytest.mark.parametrize(
    ("mixing", "mean"),
    [
        (ops.BlockMix(size=4), (ops.AvgPool(kernel_size=4), ops.Upsample(scale_factor=4))),
        (ops.GridMix(grid=12), (ops.GlobalAvgPool(), ops.Upsample(size=12))),
    ],
)
def test_that_mixing_is_taken_for_a_mean_that_is_copied(mixing: Op, mean: tuple[Op, ...]) -> None:
    # Between convolutions without an activation, after which means count pairs of values, too.
    wanted = _field(*mean, unit=(5, 11), stem=(CONV,))
    found = _field(mixing, unit=(5, 11), stem=(CONV,))
    np.testing.assert_allclose(found.map, wanted.map, rtol=1e-12)
    assert any("Mixing" in x for x in found.notes)
