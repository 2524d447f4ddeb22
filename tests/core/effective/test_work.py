"""Fields that cost far more than their maps are large: refused by the work that they take."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.core.axes.axis_rule import Window
from rfstudio.core.effective import flow_back
from rfstudio.core.effective.demand import demand_of, work_in
from rfstudio.core.effective.energy_flow import energy_of
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.errors import TooLargeError
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.layer_models.spread import WindowSpread
from rfstudio.core.memo import forget
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.work import Tally, at_most, spend
from rfstudio.formats.networks.presets import read_preset


def test_that_work_is_counted_to_its_limit() -> None:
    spend(1e30)  # nobody set a limit
    with at_most(10, "too much"):
        spend(10)
        with pytest.raises(TooLargeError, match="too much"):
            spend(1)
    spend(1e30)


def test_that_remembered_work_counts_for_every_answer() -> None:
    tally = Tally()
    tally.spend(8)
    for _ in range(2):
        with at_most(10, "too much") as budget:
            tally.again()
        assert budget.spent == 8
    with at_most(10, "too much"):
        tally.again()
        with pytest.raises(TooLargeError):
            tally.spend(3)


_LIVE = 0.3


def _spent(analysis: Analysis, *, seconds: float = _LIVE) -> float:
    """Return the work of the last layer's field, which may be refused."""
    layer = analysis.layers[-1]
    unit = tuple(n // 2 for n in layer.output_size)
    with at_most(1e15, "") as budget:
        expected_erf(analysis.graph, layer.index, unit, seconds=seconds)
    return budget.spent


_LARGER, _SMALLER = (ops.Upsample(scale_factor=x, mode="linear") for x in (1.25, 0.8))
_CONV = ops.Conv(out_channels=2, kernel_size=3, padding=1)


@pytest.mark.parametrize(
    ("layers", "size", "times"),
    [
        ((_LARGER, _CONV, _SMALLER, ops.Relu()), 997, 20),
        ((ops.AdaptiveAvgPool(output_size=1777), ops.Upsample(size=1999, mode="linear")), 1999, 30),
        ((_CONV, ops.Attention()), 20, 150),
    ],
    ids=["matrices of pairs", "matrices of many layers", "moments of attention"],
)
def test_that_what_prepares_a_field_is_work_each_time(
    layers: tuple[ops.Op, ...], size: int, times: int
) -> None:
    """None of it was counted: fields that were to take 0.3 seconds took up to 18."""
    few, many = (
        analyze(Architecture("net", "", "", (size,), 2, tuple([Layer(x) for x in layers * n])))
        for n in (1, times)
    )
    forget()
    first = _spent(few)
    assert _spent(few) == first  # what is remembered counts, too
    for _ in range(2):
        with pytest.raises(TooLargeError, match="more work than"):
            _spent(many)


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "vit_b16", "inception_resnet_v2", "unet"])
def test_that_fields_of_presets_are_within_the_live_work(name: str) -> None:
    assert _spent(analyze(read_preset(name))) < work_in(_LIVE)


def test_that_a_field_is_refused_by_what_shows_on_the_way_each_time() -> None:
    """Gates give channels shares of their own, which the estimate beforehand does not see."""
    analysis = analyze(read_preset("mobilenet_v3_small"))
    layer = analysis["fc2"]
    unit = tuple(n // 2 for n in layer.output_size)
    estimated = demand_of(analysis.graph, layer.index, unit).seconds
    whole = expected_erf(analysis.graph, layer.index, unit, seconds=1.0)
    for _ in range(2):  # the second time much is remembered
        with pytest.raises(TooLargeError, match=r"takes more work than .* smaller input"):
            expected_erf(analysis.graph, layer.index, unit, seconds=estimated)
    forget()
    again = expected_erf(analysis.graph, layer.index, unit, seconds=1.0)
    assert np.array_equal(again.map, whole.map)


def test_that_flows_that_gates_double_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gate of a chain doubled them, to hundreds of thousands, which took 1.5 GB."""
    gate = Layer(ops.SqueezeExcite(reduction=1))
    graph = analyze(Architecture("gates", "", "", (9, 9), 4, (gate,) * 9)).graph
    with at_most(1e15, "") as one_by_one:
        apart = expected_erf(graph, 9, (4, 4))
    monkeypatch.setattr(flow_back, "_MANY_FLOWS", 16)
    with at_most(1e15, "") as added_up:
        together = expected_erf(graph, 9, (4, 4))
    assert added_up.spent < one_by_one.spent / 2
    np.testing.assert_allclose(together.map, apart.map, rtol=1e-12)


def test_that_gates_before_a_sum_may_have_empty_maps() -> None:
    """Sizes of a draft's fields were looked for, and failed, where one of its maps is empty."""
    unfold = ops.Unfold(kernel_size=1, padding=((-4, 0), (-4, 0)))
    gates = [Layer(ops.Hardsigmoid(), name=f"gate{i}", inputs=("unfold",)) for i in range(2)]
    whole = Layer(ops.Gelu(), name="whole", inputs=("input",))
    add = Layer(ops.Add(), inputs=("whole", "gate1", "unfold"))
    layers = (Layer(unfold, name="unfold"), *gates, whole, add, Layer(ops.Gelu()))
    graph = analyze(Architecture("draft", "", "", (224, 1), 2, layers)).graph
    assert len(energy_of(graph, joined=True).layers) == len(graph.nodes)


def test_that_windows_of_more_taps_than_their_map_cost_no_more() -> None:
    """Of 2^31 taps each was looked at, one by one."""
    rule = Window(n_in=5, n_out=1, kernel=2**31 - 1, before=2**30)
    values, start = WindowSpread(rule).back(np.ones(1), 0, 0)
    assert (values.tolist(), start) == ([1.0] * 5, 0)


def test_that_a_pool_over_very_many_samples_takes_no_memory() -> None:
    pool = Layer(ops.AvgPool(kernel_size=65_537, stride=1))
    analysis = analyze(Architecture("pool", "", "", (10**6,), 3, (pool, pool)))
    with pytest.raises(TooLargeError):
        expected_erf(analysis.graph, 2, (9,))


def test_that_a_map_that_is_no_gaussian_is_fitted_in_few_steps() -> None:
    values = np.random.default_rng(0).random((1500, 1500))
    assert Metrics(values).gaussian is not None
