"""Expected fields of other initialisations are what samples tend to."""

import pytest

from rfstudio.core import ops
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.initialisations import INITIALISATIONS, initialisation
from rfstudio.core.network.architecture import Architecture, Item, Layer, Residual
from rfstudio.core.network.graph import expand
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
