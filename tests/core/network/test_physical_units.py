"""Physical units of the input: (size − 1)·spacing + window."""

from __future__ import annotations

import csv
import io
import json

import pytest

import rfstudio
from rfstudio.app.wording.facts import layer_facts
from rfstudio.cli.terminal import unit_text
from rfstudio.core.errors import FormatError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.physical import Axis, extent_text, sized_text
from rfstudio.figures.scene import scene_of
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.tables.analysis_tables import (
    analysis_csv,
    analysis_json,
    analysis_record,
    analysis_table,
    comparison_table,
)
from rfstudio.formats.tables.answer_records import (
    advice_facts,
    block_record,
    levels_table,
    paths_facts,
    paths_record,
    proposals_table,
    tiles_facts,
    tiles_record,
)

SPECTROGRAM = """\
format: 1
name: spectrogram
input: {size: [100, 80], channels: 1, axes: [{unit: samples, spacing: 320, window: 1024}, {}]}
layers:
  - conv: {name: c, kernel_size: 3, padding: 1}
  - global_avg_pool
"""

MICROSCOPE = """\
format: 1
name: microscope
input: {size: [300, 300], channels: 1, axes: [{unit: mm, spacing: 0.05}, {unit: mm, spacing: 0.05}]}
layers:
  - conv: {name: c, kernel_size: 267, padding: 133}
"""


def test_that_three_frames_of_a_spectrogram_are_1664_samples() -> None:
    # 2 · 320 + 1024
    network = read_yaml(SPECTROGRAM)
    assert write_yaml(network) == SPECTROGRAM
    analysis = analyze(network)
    assert analysis["c"].rf_extent == (1664, 3)
    assert analysis["global_avg_pool1"].rf_extent == (None, None)
    assert analyze(network, reference="c")["global_avg_pool1"].rf_extent is None


def test_that_267_pixels_are_13_4_millimetres_everywhere() -> None:
    analysis = analyze(read_yaml(MICROSCOPE))
    layer, unit = analysis["c"], analysis.unit("c")
    wanted = "267×267 px = 13.35×13.35 mm"
    assert wanted in unit_text(analysis, "c", unit, "input")
    assert {x.label: x.text for x in layer_facts(layer)}["size"] == wanted
    assert any(wanted in x for x in scene_of(analysis, "c", unit.position, title="t").numbers)
    table = analysis_table(analysis.layers)
    assert table.rows[0][table.headers.index("extent")] == "13.35×13.35 mm"


def test_that_programs_read_extents_and_axes() -> None:
    analysis = analyze(read_yaml(SPECTROGRAM))
    record = json.loads(analysis_json(analysis, unit=analysis.unit("c", (50, 40))))
    assert record["input"]["axes"][0] == {
        "name": "",
        "unit": "samples",
        "spacing": 320,
        "window": 1024,
    }
    assert record["layers"][0]["rf_extent"] == [1664, 3]
    assert record["unit"]["theoretical_extent"] == [1664, 3]
    (row, _) = csv.DictReader(io.StringIO(analysis_csv(analysis.layers)))
    assert (row["rf_extent_y"], row["rf_extent_x"]) == ("1664", "3")


def test_that_comparisons_tiles_and_advice_have_extents() -> None:
    text = MICROSCOPE.replace("kernel_size: 267, padding: 133", "kernel_size: 9, padding: 4")
    network = read_yaml(text)
    analysis = analyze(network)
    compared = comparison_table({"a": analysis, "b": analyze(read_yaml(_without_axes(text)))})
    # By hand: 9 pixels of 0.05 mm; an overlap of 4 steps of it to either side.
    column = compared.headers.index("extent")
    assert [x[column] for x in compared.rows] == ["0.45×0.45 mm", "–"]
    plan = rfstudio.tiles(network, tile=100)
    facts = dict(tiles_facts(plan))
    assert facts["overlap"] == "4 before, 4 after = 0.2 + 0.2 mm"
    assert facts["tile"].startswith("100×100 px = 5×5 mm, ")
    record = tiles_record(plan)
    assert record["overlap_distance"] == [[0.2, 0.2]] * 2
    assert record["tile_extent"] == (5, 5)
    advice = rfstudio.advise(network, 20)
    usable = dict(advice_facts(advice))["input range"]
    assert usable.startswith("1 … 9 × 1 … 9 px = 0.05×0.05 mm … 0.45×0.45 mm can be used")
    levels, proposals = levels_table(advice), proposals_table(advice)
    assert levels.rows[0][levels.headers.index("extent")] == "0.45×0.45 mm"
    fields = {x[1]: x[2] for x in proposals.rows}
    assert fields["17×17"] == "0.85×0.85 mm"  # dilation 2
    assert all(len(x) == len(proposals.headers) == len(proposals.numeric) for x in proposals.rows)


def _without_axes(text: str) -> str:
    return text.partition(", axes")[0] + "}\n" + text[text.index("layers:") :]


def test_that_networks_without_units_are_as_before() -> None:
    analysis = analyze(read_yaml(MICROSCOPE.partition(", axes")[0] + "}\n" + "layers: [relu]\n"))
    record = json.loads(analysis_json(analysis))
    assert "axes" not in record["input"]
    assert "rf_extent" not in record["layers"][0]
    assert "extent" not in analysis_table(analysis.layers).headers
    assert "extent" not in comparison_table({"a": analysis}).headers


GATED = """\
format: 1
input: {size: [64, 64], channels: 1, axes: [{unit: mm, spacing: 0.05}, {unit: mm, spacing: 0.1}]}
layers:
  - conv: {name: a, kernel_size: 3, stride: 2, padding: 1, out_channels: 8}
  - conv: {name: b, kernel_size: 3, stride: 2, padding: 1}
  - squeeze_excite: {name: se, reduction: 4}
  - conv: {name: c, kernel_size: 3, padding: 1}
"""


def test_that_a_local_field_has_its_extent_everywhere() -> None:
    # 3 + 2·2 + 2·4 = 15 samples: 0.75 × 1.5 mm.
    analysis = analyze(read_yaml(GATED))
    table = analysis_table(analysis.layers)
    assert table.rows[-1][table.headers.index("extent")] == "0.75×1.5 mm local"
    assert analysis_record(analysis)["layers"][-1]["local"]["rf_extent"] == [0.75, 1.5]
    rows = list(csv.DictReader(io.StringIO(analysis_csv(analysis.layers))))
    assert (rows[-1]["local_rf_extent_y"], rows[-1]["rf_extent_y"]) == ("0.75", "")
    (remark,) = analysis.diagnostics
    assert "7×7 pixels (0.35×0.7 mm)" in remark.message
    facts = {x.label: x.text for x in layer_facts(analysis["c"])}
    assert facts["local"] == "15×15 px = 0.75×1.5 mm"
    assert facts["jump"] == "4 px = 0.2×0.4 mm"
    text = unit_text(analysis, "c", analysis.unit("c", (8, 8)), "input")
    assert "25…39 × 25…39  (15×15 px = 0.75×1.5 mm)" in text


def test_that_paths_and_blocks_have_their_extent() -> None:
    analysis = analyze(read_yaml(GATED))
    paths = paths_record(rfstudio.path_shares(analysis, "b"), analysis.axes)
    assert json.loads(json.dumps(paths))["fields"][1] == [
        {"size": 7, "count": 1, "share": 1.0, "extent": 0.7}
    ]
    assert "100 % see 7 px = 0.35 mm" in [text for _, text in paths_facts(paths, analysis.axes)]
    # Units 0 to 3 of b, 4 pixels apart, 3 pixels of padding: from −3 to 4·3 + 3.
    block = block_record(analysis.block("b", (0, 0), (3, 3)), analysis.axes)
    assert block["theoretical_extent"] == (0.95, 1.9)
    assert block["context_distance"] == [[0.15, 0.0], [0.3, 0.0]]


@pytest.mark.parametrize(
    ("axes", "sizes", "text"),
    [
        ((Axis(name="time", unit="ms", spacing=20, window=64),), (3,), "3 samples = 104 ms"),
        ((Axis(unit="bp"),), (21,), "3 bases = 21 bp"),
        ((Axis(unit="mm", spacing=0.5), Axis(unit="mm", spacing=2)), (3, 3), "3 px = 1.5×6 mm"),
        ((Axis(name="t", unit="ms"), Axis(name="f")), (3, 4), "3 samples = 3 ms × 4 samples"),
        ((Axis(unit="mm"), Axis(unit="mm")), (None, 4), "3 px = all×4 mm"),
        ((Axis(), Axis()), (3, 4), "3 px"),
        ((Axis(unit="mm"),) * 3, (1, 2, 3), "3 voxels = 1×2×3 mm"),
        ((Axis(unit="samples", spacing=320, window=1024),), (3,), "3 frames = 1664 samples"),
        ((), (3, 3), "3 px"),
        ((), (3,), "3 samples"),
    ],
)
def test_that_sizes_are_said_in_units(
    axes: tuple[Axis, ...], sizes: tuple[int | None, ...], text: str
) -> None:
    assert sized_text("3", axes, sizes) == text
    assert extent_text(axes, sizes) in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ((", {}]", "]"), "axes must be a list with {name, unit, spacing, window} for each"),
        (("spacing: 320", "spacing: 0"), "spacing must be above 0"),
        (("spacing: 320", "spacing: x"), "spacing must be a number, not 'x'"),
        (("spacing: 320", "spaceing: 320"), "an axis has no 'spaceing'; did you mean 'spacing'?"),
        (("{}", "mel"), "an axis must be a mapping"),
    ],
)
def test_that_mistakes_are_named(change: tuple[str, str], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_yaml(SPECTROGRAM.replace(*change))
    assert message in str(caught.value)


def test_that_a_range_of_sizes_does_not_equal_one_extent() -> None:
    axes = (Axis(unit="mm", spacing=0.05),) * 2
    assert sized_text("204×204", axes, (204, 204)) == "204×204 px = 10.2×10.2 mm"
    found = sized_text("188…204×188…204", axes, (204, 204))
    assert found == "188…204×188…204 px, up to 10.2×10.2 mm"
