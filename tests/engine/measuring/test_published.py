"""What was published of effective fields, reproduced where it is deterministic.

Luo et al. 2016, arXiv:1701.04128, and the design's own measurements of their claims.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

import rfstudio
from rfstudio.core import ops
from rfstudio.core.effective.expected import Erf
from rfstudio.core.ops import Op
from tests.engine import networks
from tests.narrowing import present

_DEPTHS = (5, 10, 20, 40)


def _expected(*layers: Op, side: int = 101) -> Erf:
    network = networks.stack(*layers, size=(side, side), channels=3)
    return rfstudio.expected_erf(network, f"l{len(layers) - 1}")


def _sigma(erf: Erf) -> float:
    return present(erf.metrics.sigma)[0]


def _slope(values: NDArray[np.float64]) -> float:
    return float(np.polyfit(np.log(_DEPTHS), np.log(values), 1)[0])


@pytest.mark.parametrize(
    ("weights", "of_size", "of_ratio"), [("random", 0.539, -0.421), ("uniform", 0.482, -0.478)]
)
def test_that_sizes_grow_as_the_root_of_depth_and_their_share_falls(
    weights: str, of_size: float, of_ratio: float
) -> None:
    conv = ops.Conv(kernel_size=3, padding=1)
    sizes = []
    for n in _DEPTHS:
        erf = _expected(*[conv] * n)
        # The mean energy of random weights has the form of the gradient of uniform ones.
        values = erf.map if weights == "uniform" else np.sqrt(erf.map)
        sizes.append(type(erf.metrics)(values, erf.frame).luo_size)
    ratios = np.array(sizes) / (2 * np.array(_DEPTHS) + 1)
    assert _slope(np.array(sizes)) == pytest.approx(of_size, abs=0.001)
    assert _slope(ratios) == pytest.approx(of_ratio, abs=0.001)
    if weights == "random":  # the paper prints .56 and −.43
        assert _slope(np.array(sizes)) == pytest.approx(0.56, abs=0.03)
        assert _slope(ratios) == pytest.approx(-0.43, abs=0.03)


@pytest.mark.parametrize("n", [4, 5, 6])
def test_that_doubled_dilations_keep_the_share_of_the_theoretical_field(n: int) -> None:
    """σ² = Σ 4^i · 2/3 and the field is 2^(n+1) − 1 wide: their ratio tends to √2/6 = 0.236."""
    layers = [ops.Conv(kernel_size=3, padding=2**i, dilation=2**i) for i in range(n)]
    erf = _expected(*layers, side=2 ** (n + 1) + 3)
    assert _sigma(erf) / 2 ** (n + 1) == pytest.approx(0.236, abs=0.001)


def test_that_subsampling_and_dilation_enlarge_the_field() -> None:
    conv = ops.Conv(kernel_size=3, padding=1)
    plain = _sigma(_expected(*[conv] * 6))
    strided = ops.Conv(kernel_size=3, padding=1, stride=2)
    dilated = ops.Conv(kernel_size=3, padding=2, dilation=2)
    assert _sigma(_expected(conv, strided, *[conv] * 4)) > 1.5 * plain
    assert _sigma(_expected(*[dilated] * 6)) == pytest.approx(2 * plain, rel=1e-6)
