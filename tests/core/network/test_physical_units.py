"""Physical units of the input: (size − 1)·spacing + window."""

from __future__ import annotations

import csv
import io
import json

import pytest

from rfstudio.app.wording.facts import layer_facts
from rfstudio.cli.terminal import unit_text
from rfstudio.core.errors import FormatError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.physical import Axis, extent_text, sized_text
from rfstudio.figures.scene import scene_of
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.tables.analysis_tables import analysis_csv, analysis_json, analysis_table

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


def test_that_networks_without_units_are_as_before() -> None:
    analysis = analyze(read_yaml(MICROSCOPE.partition(", axes")[0] + "}\n" + "layers: [relu]\n"))
    record = json.loads(analysis_json(analysis))
    assert "axes" not in record["input"]
    assert "rf_extent" not in record["layers"][0]
    assert "extent" not in analysis_table(analysis.layers).headers


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
        ((), (), "3 px"),
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
