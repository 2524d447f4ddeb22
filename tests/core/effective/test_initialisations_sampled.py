"""Expected fields of other initialisations are what samples tend to."""

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.initialisations import INITIALISATIONS, fans_of_kernel, initialisation
from rfstudio.core.network.architecture import Architecture, Item, Layer, Residual
from rfstudio.core.network.expansion import expand
from rfstudio.core.ops import Op
from tests.core.effective.sampled_energy import deviations


def _conv(kernel: int = 3, channels: int = 4, **parameters: object) -> ops.Conv:
    values = {"padding": kernel // 2, "bias": False, **parameters}
    return ops.Conv(kernel_size=kernel, out_channels=channels, **values)  # type: ignore[arg-type]


def _network(size: int, *items: Op | Item) -> Architecture:
    layers = tuple(Layer(x) if isinstance(x, Op) else x for x in items)
    return Architecture("test", "", "", (size, size), 2, layers)


def _residual(*layers: Op) -> Residual:
    return Residual(tuple(map(Layer, layers)))


RELU = ops.Relu()
NETWORKS = {
    "relu": _network(15, *[_conv(), RELU] * 4),
    "stride": _network(
        21, _conv(), RELU, _conv(stride=2), RELU, _conv(dilation=2, padding=2), RELU, _conv(5)
    ),
    "depthwise": _network(
        15, _conv(), RELU, _conv(5, groups="depthwise"), _conv(1, 8), RELU, _conv()
    ),
    "skips": _network(15, _conv(), *[_residual(RELU, _conv(), RELU, _conv())] * 2),
    "transposed": _network(
        16,
        *(_conv(), RELU, _conv(stride=2), RELU),
        ops.ConvTranspose(kernel_size=4, stride=2, padding=1, out_channels=4, bias=False),
        *(RELU, _conv()),
    ),
    "tanh": _network(11, *[_conv(channels=16), ops.Tanh()] * 3),
}


@pytest.mark.parametrize(
    "init", ["he_normal", "xavier_uniform:tanh", "uniform", "luo2016", "luo2016_corners"]
)
def test_that_slopes_follow_the_size_of_values_at_each_position(init: str) -> None:
    # The recursion of mean squares, position by position, with Gauss-Hermite quadrature.
    n, channels, layers = 7, 8, 3
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    graph = expand(_network(n, *[_conv(channels=channels), ops.Tanh()] * layers))
    last = graph.nodes[-1]
    taps = initialisation(init).taps((3, 3))
    taps = np.ones((3, 3)) if taps is None else taps
    windows = np.zeros((n, n, n + 2, n + 2))
    for y, x in np.ndindex(n, n):
        windows[y, x, y : y + 3, x : x + 3] = taps
    windows = windows[:, :, 1:-1, 1:-1]
    squares, slopes, passed = np.ones((n, n)), [], []
    for read in (2, *[channels] * (layers - 1)):
        fans = fans_of_kernel(channels, read, (3, 3))
        weight = initialisation(init).squares(fans) / fans.into
        z = np.sqrt(weight * read * np.tensordot(windows, squares))[..., None] * points
        slopes.append((1 - np.tanh(z) ** 2) ** 2 @ weights)
        squares = np.tanh(z) ** 2 @ weights
        passed.append(weight * channels)
    # Corners are taken for the product of both borders, which is right to a few percent; of weights
    # at the corners of kernels three quarters are on padding there.
    more = 2 if init == "luo2016_corners" else 1
    for unit, tolerance in (((3, 3), 0.01 * more), ((3, 0), 0.01 * more), ((0, 0), 0.05 * more)):
        energy = np.zeros((n, n))
        energy[unit] = 1.0
        for slope, factor in zip(slopes[::-1], passed[::-1], strict=True):
            energy = factor * np.tensordot(energy * slope, windows)
        found = expected_erf(graph, last.index, unit, batch_norm="fresh", init=init)
        assert found.map.sum() == pytest.approx(2 * energy.sum(), rel=tolerance)
        form = energy / energy.sum()
        assert np.abs(found.map / found.map.sum() - form).sum() < tolerance


def test_that_a_constant_factor_leaves_the_border_as_it_is() -> None:
    # tanh(x / 2 · 2) = tanh(x), so both networks have one field.
    def energy(*between: Op) -> float:
        graph = expand(_network(7, *[_conv(channels=8), *between, ops.Tanh()] * 3))
        return float(expected_erf(graph, graph.nodes[-1].index, (3, 3)).map.sum())

    half, double = ops.LayerScale(init=0.5), ops.Affine(factor=2.0)
    assert energy(half, double) == pytest.approx(energy(), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("init", INITIALISATIONS)
@pytest.mark.parametrize("op", [ops.Tanh(), ops.Sigmoid(), ops.Hardsigmoid()])
def test_that_totals_of_saturating_activations_are_near(op: Op, init: str) -> None:
    # Of 32 channels; 3 % for what is left of finite width.  Where taps of a kernel differ, fewer
    # weights count: of corners alone 4 of 9.
    network = _network(11, *[_conv(channels=32), op] * 3)
    graph = expand(network)
    node = graph.nodes[-1]
    erf = expected_erf(graph, node.index, (5, 5), batch_norm="fresh", init=init)
    found = deviations(network, erf, 2048, batch=64, init=initialisation(init))
    tolerance = {"luo2016": 0.04, "luo2016_corners": 0.06}.get(init, 0.03)
    assert abs(found.shares[0]) < tolerance + 3 * found.errors[0]


@pytest.mark.slow
@pytest.mark.parametrize("init", INITIALISATIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_that_samples_tend_to_the_expected_field(name: str, init: str) -> None:
    graph = expand(NETWORKS[name])
    node = graph.nodes[-1]
    unit = tuple(n // 2 for n in node.size)
    erf = expected_erf(graph, node.index, unit, batch_norm="fresh", init=init)
    # Where slopes follow from the size of values, energies of narrow networks are only near.
    assert erf.exact == (name != "tanh")
    found = deviations(NETWORKS[name], erf, 4096, init=initialisation(init))
    for what, share, error in zip(found.names, found.shares, found.errors, strict=True):
        if what == "total" and not erf.exact:
            assert abs(share) < 0.3
        else:
            # 2 % of σ are 4 % of a second moment; 4 standard errors are what chance may do.
            assert abs(share) < 0.04 + 4 * error, (what, share, error)
            assert abs(share) < 4.5 * error + 0.01, (what, share, error)
