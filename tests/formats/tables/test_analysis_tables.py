"""Tables of an analysis: the keys of the JSON contract, and texts that survive where they go."""

import csv
import io
import json

import pytest

from rfstudio.core import ops
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network.architecture import Architecture, Layer, Residual
from rfstudio.formats.tables import analysis_tables as tables
from rfstudio.formats.tables.analysis_tables import Table


@pytest.fixture
def analysis() -> Analysis:
    """Two axes that differ, a merge, a fraction behind upsampling, and a global axis."""
    return analyze(
        Architecture(
            name="50% & more",
            input_size=(32, 32),
            layers=(
                Layer(ops.Conv(kernel_size=3, padding=1, out_channels=64), "conv1_1"),
                Residual(
                    (Layer(ops.Conv(kernel_size=(3, 5), padding=(1, 2)), "a|b"),), name="block"
                ),
                Layer(ops.Upsample(scale_factor=2, mode="nearest"), "up"),
                Layer(ops.Linear(out_features=10), "fc"),
            ),
        )
    )


def test_that_json_has_the_keys_of_the_contract(analysis: Analysis) -> None:
    record = json.loads(tables.analysis_json(analysis, analysis.unit("conv1_1", (0, 0))))
    assert list(record) == ["format", "name", "input", "layers", "unit", "diagnostics"]
    assert record["format"] == 1
    assert record["name"] == "50% & more"
    assert record["input"] == {"size": [32, 32], "channels": 3}
    # 64 filters of 3·3·3 weights and a bias each; every weight is used at each of 32·32 places.
    assert record["layers"][0] == {
        "name": "conv1_1",
        "op": "conv",
        "inputs": ["input"],
        "output_size": [32, 32],
        "channels": 64,
        "parameters": 64 * 28,
        "macs": 64 * 27 * 32 * 32,
        "rf_size": [3, 3],
        "rf_size_range": [[3, 3], [3, 3]],
        "jump": [1, 1],
        "padding": [1, 1],
        "center": [0.0, 0.0],
        "global": [False, False],
        "alignment": ["aligned", "aligned"],
        "local": {
            "rf_size": [3, 3],
            "rf_size_range": [[3, 3], [3, 3]],
            "jump": [1, 1],
            "padding": [1, 1],
            "center": [0.0, 0.0],
            "alignment": ["aligned", "aligned"],
        },
        "context": [],
        "interior": [[1, 30], [1, 30]],
        "depth": 1,
        "growth": [2, 2],
        "path_fields": {"min": [3, 3], "max": [3, 3]},
    }
    assert record["layers"][-1]["local"] is None
    assert record["unit"] == {
        "layer": "conv1_1",
        "position": [0, 0],
        "theoretical_region": [[-1, 1], [-1, 1]],
        "visible_region": [[0, 1], [0, 1]],
        "local_region": [[-1, 1], [-1, 1]],
        "support_count": 4,
        "coverage": 4 / 1024,
        "coverage_per_axis": [2 / 32, 2 / 32],
        "gridding": 0.0,
    }
    assert set(record["diagnostics"][0]) == {"layer", "code", "message"}


def test_that_json_writes_a_fraction_as_a_text_and_a_global_axis_as_null(
    analysis: Analysis,
) -> None:
    layers = {x["name"]: x for x in json.loads(tables.analysis_json(analysis))["layers"]}
    assert layers["up"]["jump"] == ["1/2", "1/2"]
    for key in ("rf_size", "rf_size_range", "jump", "padding", "center"):
        assert layers["fc"][key] == [None, None]
    assert layers["fc"]["global"] == [True, True]


def test_that_json_has_a_unit_only_when_one_is_asked_for(analysis: Analysis) -> None:
    assert "unit" not in json.loads(tables.analysis_json(analysis))


def test_that_csv_holds_every_value_by_axis(analysis: Analysis) -> None:
    rows = {x["name"]: x for x in csv.DictReader(io.StringIO(tables.analysis_csv(analysis.layers)))}
    row = rows["block.a|b"]
    assert (row["rf_size_y"], row["rf_size_x"]) == ("5", "7")
    assert (row["padding_y"], row["padding_x"]) == ("2", "3")
    assert row["inputs"] == "conv1_1"
    assert rows["up"]["jump_y"] == "1/2"
    assert rows["fc"]["rf_size_y"] == ""
    assert rows["fc"]["global_x"] == "true"


def test_that_csv_of_a_network_without_layers_has_no_rows() -> None:
    assert len(tables.analysis_csv(()).splitlines()) == 1


def test_that_markdown_keeps_its_columns_when_a_name_holds_a_bar(analysis: Analysis) -> None:
    lines = tables.table_markdown(tables.analysis_table(analysis.layers)).splitlines()
    assert len(lines) == 2 + len(analysis.layers)
    assert len({len(x) for x in lines}) == 1
    unescaped = [x.replace("\\|", "").count("|") for x in lines]
    assert unescaped == [12] * len(lines)


@pytest.mark.parametrize(
    ("text", "markdown"),
    # GitHub Flavored Markdown 0.29, sections 2.4 (backslash escapes), 4.10 (tables) and 6
    [
        ("layer1.0.conv1_1", "layer1.0.conv1_1"),
        ("__init__", "\\_\\_init\\_\\_"),
        ("*star* `code`", "\\*star\\* \\`code\\`"),
        ("<b>&amp; R&D", "\\<b>\\&amp; R&D"),
        ("[x](y)", "\\[x](y)"),
        ("a\\|b", "a\\\\\\|b"),
        ("~~gone~~ ~1", "\\~~gone\\~~ ~1"),
        ("two\nlines", "two lines"),
    ],
)
def test_that_markdown_shows_a_text_as_it_is(text: str, markdown: str) -> None:
    assert tables.markdown_text(text) == markdown


def test_that_latex_escapes_what_has_a_meaning_in_latex(analysis: Analysis) -> None:
    text = tables.table_latex(tables.analysis_table(analysis.layers), analysis.architecture.name)
    assert "\\caption{50\\% \\& more}" in text
    assert "conv1\\_1 & conv & 32$\\times$32 & 64 & 3$\\times$3 & 1 & 1 & 0 & aligned" in text
    assert text.index("\\toprule") < text.index("\\midrule") < text.index("\\bottomrule")


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("a_b", "a\\_b"),
        ("\\input{x}", "\\textbackslash{}input\\{x\\}"),
        ("#$^~", "\\#\\$\\textasciicircum{}\\textasciitilde{}"),
        ("-0.5", "$-$0.5"),
        ("two\nlines", "two lines"),
        ("--x---", "-{}-x-{}-{}-"),
        ("3…9", "3--9"),
        ("a`b", "a\\textasciigrave{}b"),
        ("[x]", "{}[x]"),  # behind the end of a row, \\\\, a length would be read
        ("*x*", "{}*x*"),  # and this would be part of its name
    ],
)
def test_that_latex_prints_a_text_as_it_is(text: str, latex: str) -> None:
    assert tables.latex_text(text) == latex


def test_that_any_table_can_be_written_as_csv_without_separators_of_thousands() -> None:
    table = Table(("name", "n"), (("a, b", "1,792"),), (False, True))
    assert tables.table_csv(table) == 'name,n\n"a, b",1792\n'


def test_that_a_field_that_depends_on_the_unit_is_shown_as_a_range() -> None:
    # Every pixel is copied to two neighbours, so two adjacent taps see one pixel or two.
    network = Architecture(
        input_size=(16, 16),
        layers=(
            Layer(ops.Upsample(scale_factor=2, mode="nearest"), "up"),
            Layer(ops.Conv(kernel_size=2), "conv"),
        ),
    )
    layer = analyze(network)["conv"]
    assert tables.field_text(layer) == "1…2×1…2"


@pytest.mark.parametrize("name", ['=HYPERLINK("http://x")', "@SUM(1)", "+1+1", "-2", "\tx"])
def test_that_no_name_becomes_a_formula_in_a_spreadsheet(name: str) -> None:
    layers = (Layer(ops.Relu(), name), Layer(ops.Relu(), "b", (name,)))
    found = analyze(Architecture("net", "", "", (4, 4), 1, layers))
    rows = list(csv.reader(tables.analysis_csv(found.layers).splitlines()))
    assert rows[1][0] == rows[2][2] == f"'{name}"
    compared = tables.table_csv(tables.comparison_table({name: found}))
    assert next(csv.reader(compared.splitlines()[1:]))[0] == f"'{name}"
