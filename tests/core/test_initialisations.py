"""Initialisations, judged by those of torch and by hand."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from torch import nn

import rfstudio
from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.initialisations import (
    GAINS,
    INITIALISATIONS,
    Fans,
    fans_of_kernel,
    fans_of_matrix,
    initialisation,
    other_law,
)
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.engine.module.build import GraphModule

KERNEL = (64, 32, 3, 3)
MATRIX = (96, 32)

TORCH: dict[str, Callable[..., torch.Tensor]] = {
    "he_normal": nn.init.kaiming_normal_,
    "he_uniform": nn.init.kaiming_uniform_,
    "xavier_normal": nn.init.xavier_normal_,
    "xavier_uniform": nn.init.xavier_uniform_,
    "orthogonal": nn.init.orthogonal_,
}


def _fans(shape: Sequence[int]) -> Fans:
    rows, columns, *kernel = shape
    return fans_of_kernel(rows, columns, kernel) if kernel else fans_of_matrix(rows, columns)


@pytest.mark.parametrize("shape", [KERNEL, MATRIX], ids=["kernel", "matrix"])
@pytest.mark.parametrize("name", TORCH)
def test_that_squares_are_those_of_torch(name: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    weights = torch.empty(shape)
    TORCH[name](weights, **({"nonlinearity": "relu"} if name.startswith("he") else {}))
    fans, found = _fans(shape), initialisation(name)
    expected = float(weights.double().square().mean())
    assert found.squares(fans) / fans.into == pytest.approx(expected, rel=0.05)
    drawn = found.draw(np.random.default_rng(0), shape, fans)
    assert float((drawn.astype(np.float64) ** 2).mean()) == pytest.approx(expected, rel=0.05)
    assert abs(float(drawn.mean())) < 4 * float(drawn.std()) / drawn.size**0.5
    if "uniform" in name:  # both are bounded by the same number
        assert float(np.abs(drawn).max()) == pytest.approx(float(weights.abs().max()), rel=0.01)


def test_that_fans_are_those_of_torch() -> None:
    count = nn.init._calculate_fan_in_and_fan_out  # the judge
    for shape in (KERNEL, MATRIX):
        assert _fans(shape)[:2] == count(torch.empty(shape))
    assert {x: GAINS[x] for x in GAINS} == pytest.approx(
        {x: nn.init.calculate_gain(x) for x in GAINS}  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_that_draws_have_the_squares_that_the_closed_form_takes(name: str) -> None:
    found, fans = initialisation(name), _fans(KERNEL)
    drawn = found.draw(np.random.default_rng(1), KERNEL, fans).astype(np.float64)
    assert float((drawn**2).mean()) * fans.into == pytest.approx(found.squares(fans), rel=0.03)
    taps = found.taps((3, 3))
    by_tap = (drawn**2).mean((0, 1)) / (drawn**2).mean()
    assert by_tap == pytest.approx(np.ones((3, 3)) if taps is None else taps, abs=0.15)


def test_that_orthogonal_rows_or_columns_are_orthogonal() -> None:
    found, source = initialisation("orthogonal:2"), np.random.default_rng(0)
    tall = found.draw(source, (20, 5), fans_of_matrix(20, 5))
    assert tall.T @ tall == pytest.approx(4 * np.eye(5), abs=1e-5)
    flat = found.draw(source, (6, 2, 3, 3), fans_of_kernel(6, 2, (3, 3))).reshape(6, 18)
    assert flat @ flat.T == pytest.approx(4 * np.eye(6), abs=1e-5)


def test_that_truncated_values_are_within_two_standard_deviations_of_the_normal_law() -> None:
    fans = fans_of_matrix(200, 200)
    drawn = initialisation("trunc_normal").draw(np.random.default_rng(0), (200, 200), fans)
    assert np.abs(drawn).max() == pytest.approx(0.04, rel=1e-3)
    # √(1 − 4 φ(2)/(2 Φ(2) − 1)) = 0.8796
    assert float(drawn.std()) == pytest.approx(0.02 * 0.8796, rel=0.01)


def test_that_luos_proposal_is_larger_outside_and_in_the_extreme_at_the_corners_alone() -> None:
    # By hand: scales 1, 1 + √2, 3, squares 1, 5.828, 9, whose mean over the kernel is 6.702.
    soft = initialisation("luo2016").taps((3, 3))
    edge, corner, mean = (1 + 2**0.5) ** 2, 9.0, (1 + 4 * (1 + 2**0.5) ** 2 + 4 * 9) / 9
    side, middle = [corner, edge, corner], [edge, 1.0, edge]
    assert soft == pytest.approx(np.array([side, middle, side]) / mean)
    corners = initialisation("luo2016_corners").taps((3, 3))
    assert corners == pytest.approx(9 / 4 * np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1]]))
    assert initialisation("luo2016").taps((2, 2)) is None  # all four are corners
    assert initialisation("luo2016").taps((1, 1)) is None


def test_that_names_have_gains_and_other_spellings() -> None:
    assert initialisation("Kaiming") is initialisation("he_normal:relu")
    assert initialisation("he").squared_gain == 2.0
    assert initialisation("xavier_uniform:2").text == "xavier_uniform:2"
    assert initialisation("glorot-normal:tanh").squared_gain == pytest.approx(25 / 9)
    assert initialisation(initialisation("lecun:0.3").text) == initialisation("lecun:0.3")
    assert other_law({"init": "orthogonal:2"}) == "weights: orthogonal, gain 2"
    assert not other_law({})
    assert not other_law({"weights": "uniform", "init": "orthogonal"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("xavier_unifrom", "did you mean 'xavier_uniform'"),
        ("?", "there are he_normal, he_uniform"),
        ("he:0", "a gain must be a number above 0"),
        ("he:nan", "a gain must be"),
        ("he:", "a gain must be"),
        ("he:gelu", "leaky_relu"),
    ],
)
def test_that_a_wrong_name_or_gain_is_said(text: str, said: str) -> None:
    with pytest.raises(RFStudioError, match=said.replace("?", r"\?")):
        initialisation(text)


def test_that_the_module_and_the_closed_form_speak_of_the_same_fans() -> None:
    layers = (
        ops.Conv(kernel_size=(3, 5), out_channels=12, groups=2),
        ops.Conv(kernel_size=3, padding=1, groups="depthwise"),
        ops.ConvTranspose(kernel_size=4, stride=2, out_channels=6),
        ops.Attention(heads=2),
        ops.SqueezeExcite(reduction=2),
        ops.Flatten(),
        ops.Linear(out_features=7),
    )
    network = Architecture("test", "", "", (9, 11), 4, tuple(map(Layer, layers)))
    module = GraphModule(network)
    found = {module.graph.nodes[i].name: x.fans() for i, x in module.by_index.items()}
    kernels = [found[x]["weight"] for x in ("conv1", "conv2")]
    assert kernels == [fans_of_kernel(12, 2, (3, 5)), fans_of_kernel(12, 1, (3, 3))]
    assert found["conv_transpose1"]["weight"] == Fans(48, 6 * 16, 12, 6 * 16)
    assert found["attention1"]["in_proj_weight"] == fans_of_matrix(18, 6)
    assert found["squeeze_excite1"]["fc1.weight"] == fans_of_matrix(3, 6)


def test_that_fans_alone_do_not_change_the_shape_of_a_field() -> None:
    maps = {
        name: rfstudio.expected_erf("luo_20_layers", "stack.5", init=name).map
        for name in ("he_normal", "xavier_uniform:tanh", "orthogonal", "trunc_normal", "uniform")
    }
    usual = maps.pop("he_normal")
    for found in maps.values():
        assert found / found.sum() == pytest.approx(usual / usual.sum(), abs=1e-12)


def test_that_luos_proposal_widens_the_field_as_its_taps_do() -> None:
    # σ² of a layer is the mean of t² over its taps: 2/3, 2 (edge + 2 corner)/Σ, and 1.
    shares = {"he_normal": 2 / 3, "luo2016": 2 * (5.828427 + 18) / 60.313708, "luo2016_corners": 1}
    for name, share in shares.items():
        erf = rfstudio.expected_erf("luo_20_layers", "stack.5", init=name)
        assert erf.exact
        assert erf.metrics.sigma == pytest.approx(((6 * share) ** 0.5,) * 2, rel=1e-6)
        assert erf.options["init"] == name
