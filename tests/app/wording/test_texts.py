"""Short texts, searching operations, exports and snippets."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import rfstudio
from rfstudio.app.editing.new_items import OTHER_NAMES, kinds, matching_kinds, new_item
from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.shown_fields import NOTHING_MEASURED, shown_fields
from rfstudio.app.files.exports import save_picture, save_table
from rfstudio.app.files.presets import preset_families, read_preset
from rfstudio.app.state.selection import Selected
from rfstudio.app.wording.facts import cost_facts, erf_facts, layer_facts, unit_facts
from rfstudio.app.wording.snippets import python_text
from rfstudio.app.wording.texts import amount_text, item_text
from rfstudio.core import ops
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.network.architecture import Architecture, Layer, Repeat
from rfstudio.formats.networks.presets import names


@pytest.mark.parametrize(
    ("op", "axes", "text"),
    [
        (ops.Conv(kernel_size=3), 2, "conv 3×3"),
        (ops.Conv(kernel_size=3, stride=2, dilation=2), 2, "conv 3×3 /2 dil 2"),
        (ops.Conv(kernel_size=(1, 7)), 2, "conv 1×7"),
        (ops.Conv(kernel_size=3, groups="depthwise"), 1, "conv 3 depthwise"),
        (ops.MaxPool(kernel_size=2), 3, "max_pool 2×2×2 /2"),
        (ops.Upsample(scale_factor=2), 2, "upsample ×2"),
        (ops.Relu(), 2, "relu"),
    ],
)
def test_that_an_op_is_told_in_a_few_words(op, axes: int, text: str) -> None:
    assert item_text(Layer(op), axes) == text


def test_that_containers_and_amounts_are_told_shortly() -> None:
    assert item_text(Repeat(4, (), "x"), 2) == "repeat ×4"
    assert [amount_text(x) for x in (7, 25_557_032, 4_089_184_256)] == ["7", "25.6 M", "4.09 G"]


def test_that_typing_conv_finds_conv_first() -> None:
    assert matching_kinds("conv")[0].keyword == "conv"
    assert matching_kinds("max pool")[0].keyword == "max_pool"
    assert matching_kinds("resid")[0].keyword == "residual"
    assert matching_kinds("nonsense") == []


@pytest.mark.parametrize(
    ("words", "keyword"),
    [
        ("dilated", "conv"),
        ("atrous", "conv"),
        ("depthwise", "conv"),
        ("maxpool", "max_pool"),
        ("batchnorm", "batch_norm"),
        ("deconv", "conv_transpose"),
        ("dense", "linear"),
        ("skip", "residual"),
        ("resblock", "residual"),
        ("swish", "hardswish"),
        ("lstm", "recurrent"),
    ],
)
def test_that_operations_are_found_by_the_names_they_have_elsewhere(words, keyword) -> None:
    assert keyword in [x.keyword for x in matching_kinds(words)][:2]


def test_that_every_other_name_belongs_to_something_that_can_be_added() -> None:
    assert set(OTHER_NAMES) <= {x.keyword for x in kinds()}
    for kind in kinds():
        assert all(kind in matching_kinds(x) for x in kind.others), kind


def test_that_everything_on_offer_can_be_made() -> None:
    for kind in kinds():
        network = Architecture(input_size=(32, 32), layers=(new_item(kind.keyword),))
        faults = {x.code for x in analyze(network).graph.faults}
        assert faults <= {"missing_from", "channels"}, kind


def test_that_every_preset_is_in_one_family() -> None:
    listed = [name for _, members in preset_families() for name in members]
    assert sorted(listed) == sorted(names())


def test_that_facts_of_a_unit_are_those_of_the_analysis() -> None:
    analysis = analyze(read_preset("vgg16"))
    # Published: conv5_3 of VGG-16 sees 196 pixels with jump 16
    facts = {x.label: x.text for x in layer_facts(analysis["conv5_3"])}
    assert facts["size"] == "196×196 px"
    assert facts["jump"] == "16 px"
    unit = {x.label: x.text for x in unit_facts(analysis.unit("conv5_3", (0, 0)))}
    assert unit["theoretical"] == "−90 … 105 × −90 … 105"
    assert unit["visible"] == "0 … 105 × 0 … 105"
    assert unit["pixels"] == f"{106 * 106:,}"
    costs = {x.label: x.text for x in cost_facts(analysis["conv1_1"])}
    assert costs["parameters"] == "1,792"  # 3·3·3·64 + 64


def test_that_long_names_of_gates_on_the_way_fit_their_column() -> None:
    analysis = analyze(read_preset("efficientnet_b0"))
    layer = next(x for x in analysis.layers if len(x.context) > 2)
    fact = next(x for x in layer_facts(layer) if x.label == "through")
    assert max(map(len, fact.text.replace(",", "").split())) <= 16
    assert fact.text.endswith(f"and {len(layer.context) - 2} more")
    assert layer.context[0] in fact.meaning


def test_that_fractions_ranges_and_global_axes_have_words() -> None:
    up = Architecture(layers=(Layer(ops.Conv(kernel_size=3)), Layer(ops.Upsample(scale_factor=2))))
    layer = analyze(up)["upsample1"]
    assert layer.jump == (Fraction(1, 2),) * 2
    assert {x.label: x.text for x in layer_facts(layer)}["jump"] == "1/2 px"
    whole = Architecture(layers=(Layer(ops.GlobalAvgPool()),))
    facts = {x.label: x.text for x in layer_facts(analyze(whole)["global_avg_pool1"])}
    assert facts["size"] == "the whole input"
    assert facts["jump"] == "–"


def test_that_numbers_of_an_effective_field_are_told() -> None:
    network = Architecture(
        input_size=(31, 31), layers=tuple(Layer(ops.Conv(kernel_size=3, padding=1)) for _ in "abc")
    )
    graph = analyze(network).graph
    erf = expected_erf(graph, 3, (15, 15))
    facts = {x.label: x.text for x in erf_facts(Metrics(erf.map))}
    # three uniform 3×3 windows: variance 3·(9 − 1)/12 = 2 along each axis
    assert facts["σ"] == "1.4 × 1.4 px"
    assert facts["anisotropy"] == "1"


def test_that_another_ending_is_refused_with_the_right_ones(tmp_path: Path) -> None:
    analysis = analyze(read_preset("alexnet"))
    shown = shown_fields(analysis, analysis.layers[0].name, (0, 0), NOTHING_MEASURED, None)
    with pytest.raises(RFStudioError, match=".svg"):
        save_picture(tmp_path / "x.gif", shown)
    with pytest.raises(RFStudioError, match=".csv"):
        save_table(tmp_path / "x.xls", analysis)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".csv", ".md", ".tex", ".json"])
def test_that_tables_are_written_in_every_kind(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    save_table(path, analyze(read_preset("alexnet")))
    assert "conv1" in path.read_text()


def test_that_copied_python_measures_as_the_window_did(monkeypatch: pytest.MonkeyPatch) -> None:
    options = ErfOptions(estimator="abs", samples=3, seed=7, channel=1, dtype="float64")
    asked: dict[str, object] = {}

    def erf(network: Architecture, layer: str, **others: object) -> None:
        asked.update(others, network=network.name, layer=layer)

    monkeypatch.setattr(rfstudio, "erf", erf)
    exec(python_text("vgg16", Selected("conv1_1", (3, 4), None), options), {})
    assert (asked["network"], asked["layer"], asked["unit"]) == ("VGG-16", "conv1_1", (3, 4))
    assert (asked["estimator"], asked["samples"], asked["seed"]) == ("abs", 3, 7)
    assert (asked["channel"], asked["dtype"]) == (1, "float64")
    assert "patch" not in asked


def test_that_no_number_of_a_layer_is_an_empty_text() -> None:
    """An axis read whole without positions has no operation to name before it."""
    network = Architecture(input_size=(9, 9), layers=(Layer(ops.AxisMax(axes=(1,))),))
    layer = analyze(network).layers[-1]
    assert layer.is_global == (False, True)
    assert all(x.text for x in layer_facts(layer))
