"""The command line as a user meets it: what it prints, where, and its exit status."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from rfstudio import paths
from rfstudio.cli import main
from rfstudio.cli.arguments import COMMANDS, parsers


class Shell:
    """Runs a command in this process and keeps what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = ""
        self.err = ""

    def __call__(self, *words: object) -> int:
        status = main([str(x) for x in words])
        self.out, self.err = self._capsys.readouterr()
        return status


def test_that_a_mistyped_file_of_code_is_answered_with_the_nearest(
    run: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_model.py").write_text("class Net: ...")
    monkeypatch.chdir(tmp_path)
    assert run("analyze", "my_modle.py:Net", "--input-size", 8, 8) == 1
    assert "there is no file 'my_modle.py'; did you mean 'my_model.py'?" in run.err
    assert run("analyze", "my_model") == 1
    assert "say what in it makes the model, as in my_model.py:Net" in run.err


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A file that makes a module, and notes when it is run."""
    target = tmp_path / "my_model.py"
    target.write_text(_CODE)
    return target


_CODE = """
from pathlib import Path
from torch import nn
Path(__file__).with_suffix(".ran").touch()

def small():
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))

def broken():
    raise ValueError("no luck")
"""


@pytest.mark.slow
def test_that_code_runs_only_where_it_is_trusted(run: Shell, code: Path) -> None:
    name = f"{code}:small"
    assert run("analyze", name, "--input-size", 8, 8) == 1
    assert f"'{name}' is code: this would run the file {code} and call small of it" in run.err
    assert "--trust" in run.err
    assert not code.with_suffix(".ran").exists()
    assert run("analyze", name, "--input-size", 8, 8, "--trust", "--format", "csv") == 0
    # By hand: 3 pixels of the convolution, and one more of the pool.
    assert [row["rf_size_y"] for row in csv.DictReader(io.StringIO(run.out))] == ["3", "3", "4"]
    assert run.err == ""
    assert run("analyze", name, "--trust") == 1
    assert "for which size of image small is: --input-size 224 224, or input_size=(224, 224)" in (
        run.err
    )
    assert run("analyze", code, "--input-size", 8, 8) == 1
    assert (
        f"is Python code; say what in it makes the model, as in {code}:broken (it has small, "
        in (run.err)
    )
    assert run("analyze", f"{code}:broken", "--input-size", 8, 8, "--trust") == 1
    line = _CODE.splitlines().index('    raise ValueError("no luck")') + 1
    assert f"broken cannot be made: ValueError: no luck ({code}, line {line})" in run.err
    assert run("analyze", f"{code}:smalls", "--input-size", 8, 8, "--trust") == 1
    assert f"; did you mean {code}:small?" in run.err
    assert run("analyze", f"{code}:small", "--input-size", 8, "--trust") == 1
    assert "an image has two numbers, its height and its width" in run.err
    assert run("analyze", "torch.nn:ReLU6.forward", "--input-size", 8, 8, "--trust") == 1
    assert "it is called without arguments: name a function without any" in run.err
    assert run("analyze", "torch.nn:Nothing", "--input-size", 8, 8, "--trust") == 1
    assert "torch.nn:Nothing cannot be made: AttributeError" in run.err
    assert run("analyze", "pathlib:Path.cwd", "--input-size", 8, 8, "--trust") == 1
    assert "Path.cwd makes no torch module, but something of type PosixPath" in run.err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.mark.parametrize("words", ["presets", "analyze vgg16 --format json --layer pool5"])
def test_that_a_command_that_only_computes_imports_neither_qt_nor_torch(words: str) -> None:
    script = (
        "import sys; from rfstudio.cli import main; status = main(sys.argv[1:]);"
        "heavy = {'PySide6', 'torch', 'matplotlib', 'pyqtgraph', 'PIL'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words.split()], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("erf vgg16 --layer pool1 --samples 0", "samples must be at least 1, not 0"),
        ("erf vgg16 --layer pool1 --weights HOSTILE", "was not read: it remembers"),
        ("erf vgg16 --layer pool1 --weights HOSTILE --spread --images .", "was not read"),
        ("erf vgg16 --layer pool1 --estimator expected --weights HOSTILE", "was not read"),
        ("attention vit_b16 --weights HOSTILE", "was not read: it remembers"),
    ],
)
def test_that_what_is_refused_is_told_before_torch_is_imported(
    words: str, reason: str, tmp_path: Path
) -> None:
    hostile = tmp_path / "weights.pt"
    hostile.write_bytes(b"\x80\x02Nr" + (2**28).to_bytes(4, "little"))
    script = (
        "import sys; from rfstudio.cli import main; status = main(sys.argv[1:]);"
        "sys.exit('imported torch' if 'torch' in sys.modules else status)"
    )
    given = words.replace("HOSTILE", str(hostile)).split()
    done = subprocess.run(
        [sys.executable, "-c", script, *given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert reason in done.stderr
    assert "imported torch" not in done.stderr


def test_that_importing_the_package_imports_nothing_heavy() -> None:
    script = (
        "import sys, rfstudio; rfstudio.load; rfstudio.analyze; rfstudio.RFStudioError;"
        "sys.exit(str({'PySide6', 'torch', 'matplotlib', 'yaml'} & set(sys.modules) or ''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.stderr.strip() == ""


def test_that_presets_lists_every_file_that_ships(run: Shell) -> None:
    assert run("presets") == 0
    listed = [line.split()[0] for line in run.out.splitlines()[2:]]
    assert listed == sorted(x.stem for x in paths.architectures().glob("*.yaml"))


def test_that_presets_are_found_by_their_words_in_every_format(run: Shell) -> None:
    assert run("presets", "ResNet", "1512.03385", "--format", "json") == 0
    records = json.loads(run.out)["presets"]
    by_name = {x["preset"]: x for x in records}
    assert {"resnet18", "resnet50", "resnet152"} <= set(by_name)
    assert "vgg16" not in by_name
    assert by_name["resnet50"]["input"] == {"size": [224, 224], "channels": 3}
    run("presets", "resnet", "1512.03385", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(run.out)))
    assert [x["preset"] for x in rows] == [x["preset"] for x in records]
    for form, start in (("markdown", "| preset"), ("latex", "% needs"), ("table", "preset ")):
        assert run("presets", "vgg", "--format", form) == 0
        assert run.out.startswith(start)
    assert run("presets", "vgg", "nosuch") == 1
    assert run.err == "rfstudio: no preset has the words: vgg nosuch\n"


def test_that_the_table_of_vgg16_shows_the_published_field(run: Shell) -> None:
    # RECEPTIVE_FIELD_TABLE.md of google-research/receptive_field: 212, jump 32, padding 90.
    assert run("analyze", "vgg16") == 0
    (row,) = [x for x in run.out.splitlines() if x.startswith("pool5")]
    assert row.split()[1:9] == ["max_pool", "7×7", "512", "212×212", "32", "90", "15.5", "aligned"]
    # torchvision's parameter count of VGG-16.
    assert "138,357,544 parameters" in run.out


def test_that_columns_of_the_table_are_aligned(run: Shell) -> None:
    run("analyze", "vgg16")
    lines = run.out.splitlines()[2:]
    end = lines[0].index("MACs") + len("MACs")
    assert {len(x) for x in lines[2:41]} == {end}


def test_that_a_layer_narrows_every_format_to_itself(run: Shell) -> None:
    assert run("analyze", "vgg16", "--format", "json", "--layer", "conv1_1", "--unit", 0, 0) == 0
    record = json.loads(run.out)
    assert [x["name"] for x in record["layers"]] == ["conv1_1"]
    assert record["unit"]["visible_region"] == [[0, 1], [0, 1]]
    assert record["unit"]["support_count"] == 4


def test_that_a_layer_narrows_remarks_and_the_column_of_local_fields_too(run: Shell) -> None:
    words = ("analyze", "resnet50", "--layer", "conv1", "--format")
    run(*words, "json")
    assert {x["layer"] for x in json.loads(run.out)["diagnostics"]} <= {"conv1"}
    run("analyze", "resnet50", "--format", "json")
    assert {x["layer"] for x in json.loads(run.out)["diagnostics"]} - {"conv1"}
    for form, lines in (("csv", 2), ("markdown", 3)):
        run(*words, form, "--local")
        assert "local field" in run.out
        assert len(run.out.splitlines()) == lines
    # The table of one layer is in words, which say its local field where it differs.
    run(*words, "table", "--local")
    assert "3×3 px" not in run.out
    assert "7×7 px" in run.out


def test_that_the_unit_defaults_to_the_centre(run: Shell) -> None:
    run("analyze", "vgg16", "--format", "json", "--layer", "conv3_3")
    unit = json.loads(run.out)["unit"]
    assert unit["layer"] == "conv3_3"
    assert unit["position"] == [28, 28]
    # Field 40, jump 4, padding 18: 28·4 − 18 = 94 up to 94 + 39.
    assert unit["theoretical_region"] == [[94, 133], [94, 133]]


def test_that_a_unit_alone_means_the_last_layer(run: Shell) -> None:
    run("analyze", "vgg16", "--format", "json", "--unit", 0, 0)
    assert json.loads(run.out)["unit"]["layer"] == "fc8"


def test_that_a_container_stands_for_its_output(run: Shell) -> None:
    run("analyze", "resnet50", "--format", "json", "--layer", "layer3")
    assert json.loads(run.out)["unit"]["layer"] == "layer3"
    run("analyze", "resnet50", "--format", "csv", "--layer", "layer3")
    (row,) = csv.DictReader(io.StringIO(run.out))
    # Golden table of stage ends: 267, 16, 133.
    assert (row["rf_size_y"], row["jump_y"], row["padding_y"]) == ("267", "16", "133")


def test_that_fields_can_be_asked_for_with_respect_to_another_map(run: Shell) -> None:
    # Three 3×3 convolutions behind pool2 see 7 of its samples.
    run("analyze", "vgg16", "--format", "json", "--reference", "pool2")
    layers = {x["name"]: x for x in json.loads(run.out)["layers"]}
    assert layers["conv3_3"]["rf_size"] == [7, 7]
    assert layers["conv3_3"]["jump"] == [1, 1]


def test_that_a_layer_that_does_not_read_the_reference_is_said_to_have_no_field(
    run: Shell,
) -> None:
    assert run("analyze", "resnet50", "--reference", "layer2", "--layer", "layer1") == 0
    assert "none: no path from layer2 leads here" in run.out
    run("analyze", "resnet50", "--reference", "layer2", "--format", "markdown")
    assert "| conv1 " in run.out
    assert " none " in run.out
    # Of layer2, layer3 sees (267 − 91) / 8 + 1 = 23 samples; the next two 3×3 convolutions add
    # 2 · 2 and 2 · 4.
    run("analyze", "resnet50", "--reference", "layer2", "--format", "json")
    remark = json.loads(run.out)["diagnostics"][0]["message"]
    assert "35 samples, is larger than the map of 'layer2.rest.2.relu3', 28" in remark


def test_that_negative_numbers_have_a_minus_for_people_and_a_hyphen_for_programs(
    run: Shell,
) -> None:
    # The TCN of arXiv:1803.01271 is causal: centre of unit 0 is −(3061 − 1) / 2.
    run("analyze", "tcn_1d", "--layer", "scores")
    assert "centre        −1530 (of unit 0)" in run.out
    run("analyze", "tcn_1d", "--layer", "scores", "--format", "latex")
    assert "$-$1530" in run.out
    run("analyze", "tcn_1d", "--layer", "scores", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(run.out))
    assert row["center_x"] == "-1530.0"


@pytest.mark.parametrize("size", [["320", "256"], ["320,256"], ["320x256"]])
def test_that_input_size_needs_no_edit_of_the_file(run: Shell, size: list[str]) -> None:
    assert run("analyze", "--input-size", *size, "vgg16", "--format", "json") == 0
    record = json.loads(run.out)
    assert record["input"]["size"] == [320, 256]
    assert record["layers"][0]["output_size"] == [320, 256]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["json", "table", "csv", "markdown", "latex"])
def test_that_every_preset_has_an_answer_in_every_format(run: Shell, form: str) -> None:
    for preset in paths.architectures().glob("*.yaml"):
        assert run("analyze", preset.stem, "--format", form) == 0, preset.stem
        assert run.out
        assert run.err == ""


def test_that_an_unknown_preset_names_the_nearest_one(run: Shell) -> None:
    assert run("analyze", "vgg_16") == 1
    assert "did you mean 'vgg16'?" in run.err
    assert run.out == ""


def test_that_an_unknown_layer_names_the_nearest_one(run: Shell) -> None:
    assert run("analyze", "vgg16", "--layer", "conv3_33") == 1
    assert run.err.strip() == "rfstudio: there is no layer 'conv3_33'; did you mean 'conv3_3'?"


def test_that_problems_of_a_file_go_to_standard_error_with_their_places(
    run: Shell, tmp_path: Path
) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(
        "format: 1\nname: broken\ninput: {size: [32, 32], channels: 3}\nlayers:\n"
        "  - conv: {name: a, kernal_size: 3}\n  - convv: {name: b, kernel_size: 3}\n"
    )
    assert run("analyze", path) == 1
    assert run.out == ""
    lines = run.err.splitlines()
    assert f"{path}:5:21: conv has no 'kernal_size'; did you mean 'kernel_size'?" in lines
    assert f"{path}:6:5: unknown op 'convv'; did you mean 'conv'?" in lines


def test_that_the_names_of_a_file_cannot_command_a_terminal(run: Shell, tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(
        'format: 1\nname: "n\\e[2J"\nreference: "r\\e[2J"\n'
        "input: {size: [8, 8], channels: 3}\nlayers:\n"
        '  - conv: {name: "a\\e[2J\\nb", kernel_size: 1, padding: 1}\n  - global_avg_pool\n'
    )
    layer = "a\x1b[2J\nb"
    for options in ((), ("--layer", layer), ("--format", "markdown"), ("--format", "latex")):
        assert run("analyze", path, *options) == 0
        assert "\x1b" not in run.out
    assert run("analyze", path, "--layer", layer, "--unit", 99, 99) == 1
    assert "\x1b" not in run.err
    assert run("analyze", path, "--input-size", 1, 1, "--layer", layer + "c") == 1
    assert "\x1b" not in run.err


def test_that_an_input_that_is_too_small_is_at_fault(run: Shell) -> None:
    assert run("analyze", "vgg16", "--input-size", 8, 8) == 1
    assert "output of 'pool4' would be empty" in run.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("analyze vgg16 --unit 1 2 3", "--unit takes 2 numbers"),
        ("analyze vgg16 --input-size 64", "--input-size takes 2 numbers"),
        ("analyze vgg16 --input-size 0 64", "at least 1"),
        ("analyze vgg16 --unit a b", "whole numbers"),
        ("advise vgg16 --object 99999999999999999999 1", "at most 9 digits"),
        ("analyze vgg16 --format xml", "invalid choice"),
        ("analyze", "NETWORK"),
        ("analyz vgg16", "did you mean 'analyze'?"),
        ("analyz", "did you mean 'analyze'?"),
        ("preset", "did you mean 'presets'?"),
        ("analyze vgg16 --input-sise 64 64", "usage: rfstudio analyze "),
        ("analyze vgg16 --input-sise 64 64", "'--input-sise'; did you mean '--input-size'?"),
        ("analyze vgg16 --input-sise=64", "'--input-sise'; did you mean '--input-size'?"),
        ("analyze --form json", "there is no option '--form'; did you mean '--format'?"),
        ("analyze vgg16 -input-size 64 64", "did you mean '--input-size'?"),
        ("analyze vgg16 --xyzzy", "there is no option '--xyzzy'\n"),
        ("analyze vgg16 resnet50", "unexpected: resnet50"),
        ("figure vgg16 --layr pool5 --output x.svg", "did you mean '--layer'?"),
        ("erf vgg16 --layer pool5 --sample 3", "did you mean '--samples'?"),
        ("vgg16 --imag cat.jpg", "did you mean '--image'?"),
        ("--versio", "did you mean '--version'?"),
        ("figure vgg16 --output x.svg", "--layer"),
        ("convert vgg16 --output x.json", ".yaml"),
        ("compare vgg16 --output x.txt", ".svg or .pdf"),
        ("figure vgg16 --layer pool5 --output x.png --dpi 0", "from 30 to 2400 dpi"),
        ("figure vgg11 --layer conv1_1 --output x.png --image a.wav", "cannot be a signal"),
        ("figure --panel vgg11 conv1_1 samples=no --output x.png", "no value of it"),
        ("figure --panel vgg11 conv1_1 sample=8 --output x.png", "an option of its own is one of"),
        ("figure --panel vgg11 --output x.png", "takes NETWORK LAYER"),
        ("analyze tcn_1d --unit 1 2", "--unit takes 1 number for"),
    ],
)
def test_that_wrong_usage_has_status_2_and_says_what_is_wrong(
    run: Shell, words: str, told: str
) -> None:
    assert run(*words.split()) == 2
    assert told in run.err
    assert run.out == ""


def test_that_a_unit_outside_the_map_is_at_fault(run: Shell) -> None:
    assert run("analyze", "vgg16", "--layer", "conv3_3", "--unit", 56, -1) == 1
    assert "0…55" in run.err


@pytest.mark.parametrize("columns", [40, 60, 80])
@pytest.mark.parametrize("word", ["", *COMMANDS])
def test_that_help_fits_the_terminal(
    run: Shell, monkeypatch: pytest.MonkeyPatch, word: str, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert run(*word.split(), "--help") == 0
    lines = run.out.splitlines()
    assert max(map(len, lines)) <= columns
    assert len(lines) > 8


@pytest.mark.parametrize("word", COMMANDS)
def test_that_a_mistyped_option_is_answered_with_the_nearest_and_the_usage(
    run: Shell, word: str
) -> None:
    options = [x for x in parsers()[word]._option_string_actions if len(x) > 4]
    for option in options:
        mistyped = f"--{option[2]}{option[2:]}"  # a letter twice
        assert run(word, mistyped) == 2
        assert run.err.startswith(f"usage: rfstudio {word} ")
        assert f"there is no option '{mistyped}'; did you mean '{option}'?" in run.err


@pytest.mark.parametrize("words", ["--help", "analyze --help", "--version"])
def test_that_help_is_not_an_error(run: Shell, words: str) -> None:
    assert run(*words.split()) == 0
    assert run.out.startswith(("usage: rfstudio", "rfstudio 0."))


def test_that_without_a_display_the_window_says_so_and_names_what_needs_none(
    run: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert run() == 2
    assert "no display" in run.err
    for command in ("presets", "analyze", "figure"):
        assert f"rfstudio {command}" in run.err


def test_that_a_reader_that_stops_early_is_no_error() -> None:
    command = f"{sys.executable} -m rfstudio analyze resnet152 | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_that_convert_writes_a_file_that_reads_as_the_same_network(
    run: Shell, tmp_path: Path
) -> None:
    path = tmp_path / "copy.yaml"
    assert run("convert", "resnet50", "--output", path) == 0
    run("analyze", path, "--format", "json")
    copy = json.loads(run.out)
    run("analyze", "resnet50", "--format", "json")
    assert copy == json.loads(run.out)


def test_that_convert_writes_python_that_compiles(run: Shell, tmp_path: Path) -> None:
    path = tmp_path / "resnet18.py"
    assert run("convert", "resnet18", "--output", path) == 0
    compile(path.read_text(), str(path), "exec")
    assert "nn.Module" in path.read_text()


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_that_figure_writes_the_format_of_its_ending(
    run: Shell, tmp_path: Path, suffix: str, start: bytes
) -> None:
    path = tmp_path / f"figure{suffix}"
    assert run("figure", "vgg16", "--layer", "conv3_3", "--output", path, "--dpi", 100) == 0
    assert path.read_bytes().startswith(start)


def test_that_a_figure_of_another_ending_is_refused_and_nothing_is_written(
    run: Shell, tmp_path: Path
) -> None:
    path = tmp_path / "figure.gif"
    assert run("figure", "vgg16", "--layer", "conv3_3", "--output", path) == 2
    assert ".png, .svg or .pdf" in run.err
    assert not path.exists()


def test_that_networks_are_compared_in_the_order_they_are_named(run: Shell) -> None:
    assert run("compare", "vgg16", "resnet50", "--format", "csv") == 0
    rows = list(csv.DictReader(io.StringIO(run.out)))
    assert [x["network"] for x in rows] == ["vgg16", "resnet50"]
    # Parameter counts of torchvision; fields of the golden tables.
    assert [x["parameters"] for x in rows] == ["138357544", "25557032"]
    assert [x["largest field"] for x in rows] == ["212×212", "427×427"]


def test_that_lack_of_memory_is_a_sentence(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("rfstudio.api.analyze", full)
    assert run("analyze", "vgg16") == 1
    assert run.err == ("rfstudio: there is not enough memory for this; use a smaller input\n")


def test_that_a_pixel_and_a_block_of_units_are_answered(run: Shell) -> None:
    run(
        *("analyze", "vgg16", "--layer", "pool5", "--format", "json"),
        *("--pixel", 112, 112, "--units", "2:3", "3:3"),
    )
    record = json.loads(run.out)
    # A field of 212 and a jump of 32: units 1 … 6 see pixel 112 (32·u − 90 … 32·u + 121).
    assert record["pixel"]["units"] == [[0, 6], [0, 6]]
    assert record["pixel"]["count"] == 49
    assert record["block"]["theoretical_region"] == [[-26, 217], [6, 217]]
    assert record["block"]["visible_region"] == [[0, 217], [6, 217]]
    run("analyze", "vgg16", "--layer", "pool5", "--pixel", 112, 112, "--units", "2:3", "3")
    assert "pixel (112, 112) of input" in run.out
    assert "6…217" in run.out
    assert run("analyze", "vgg16", "--layer", "pool5", "--pixel", 112) == 2


def test_that_the_local_field_stands_beside_that_of_a_gate(run: Shell) -> None:
    run("analyze", "efficientnet_b0", "--format", "csv")
    rows = {x["name"]: x for x in csv.DictReader(io.StringIO(run.out))}
    assert rows["stage7.depthwise"]["rf_size_y"] == ""
    assert rows["stage7.depthwise"]["local_rf_size_y"] == "851"
    run("analyze", "efficientnet_b0", "--layer", "stage7.depthwise")
    assert "851×851 px" in run.out
    assert "stage1.se" in run.out
    run("analyze", "vgg16", "--local", "--format", "markdown")
    assert "local field" in run.out


def test_that_efficientnet_is_never_said_to_see_seven_pixels(run: Shell) -> None:
    # Public question A.
    run("compare", "efficientnet_b0", "resnet50", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(run.out)))
    assert [x["largest field"] for x in rows] == ["851×851 local", "427×427"]
    assert [x["at layer"] for x in rows] == ["stage7.depthwise", "layer4.rest.1.conv2"]
    assert [x["jump"] for x in rows] == ["32", "32"]
    assert [x["whole image from"] for x in rows] == ["stage1.se", "avgpool"]


def test_that_remedies_are_applied_on_demand(run: Shell) -> None:
    assert run("analyze", "xception", "--repair", "--format", "json") == 0
    assert "padding 1 in 'block3.pool'" in run.err
    assert not any(x["code"] == "centre_offset" for x in json.loads(run.out)["diagnostics"])


def test_that_tiles_are_planned_for_an_image(run: Shell) -> None:
    # Public question M: 107 a side, period 16.
    assert run("tiles", "unet", "--format", "json") == 0
    record = json.loads(run.out)
    assert record["overlap"] == [[107, 107], [107, 107]]
    assert record["period"] == [16, 16]
    assert record["exact"] is True
    assert record["plan"] == []
    run("tiles", "unet", "--image", 512, 256, "--tile", 320, 256, "--format", "json")
    plan = json.loads(run.out)["plan"]
    assert [x["read"][0] for x in plan] == [[0, 319], [96, 415], [192, 511]]
    assert [x["write"][0][0] for x in plan[1:]] == [x["write"][0][1] + 1 for x in plan[:-1]]
    assert plan[-1]["write"] == [[plan[-1]["write"][0][0], 511], [0, 255]]
    run("tiles", "deeplab_v3_resnet50")
    assert "classifier.aspp.image.pool" in run.out
    assert run("tiles", "unet", "--image", 512, 512, "--tile", 64, 64) == 1
    assert "has no middle" in run.err


def test_that_advice_is_given_for_a_size_or_a_file_of_boxes(run: Shell, tmp_path: Path) -> None:
    assert run("advise", "vgg16", "--object", 32, 32, "--input-size", 32, 32) == 0
    assert "from conv3_2 on" in run.out
    assert "10, from conv3_3 on" in run.out
    boxes = [{"bbox": [0, 0, 20.5, 8]}, {"bbox": [3, 4, 60, 30]}, {"no box": 1}]
    path = tmp_path / "coco.json"
    path.write_text(json.dumps({"annotations": boxes}))
    run("advise", "vgg16", "--objects", path, "--format", "json")
    record = json.loads(run.out)
    shares = {x["layer"]: x["share"] for x in record["covers"]}
    # Longer sides of 21 and 60; fields of conv3_1 24 and conv4_1 60.
    assert (shares["conv3_1"], shares["conv4_1"]) == (0.5, 1.0)
    assert record["first_covering"] == "conv4_1"
    path.write_text("{}")
    assert run("advise", "vgg16", "--objects", path) == 1
    assert "no boxes" in run.err


def test_that_tiles_and_advice_are_tables_in_every_format(run: Shell) -> None:
    run("tiles", "unet", "--format", "csv")
    assert run.out.splitlines() == [
        "axis,before,after,period,equals the whole",
        "y,107,107,16,yes",
        "x,107,107,16,yes",
    ]
    run("tiles", "unet", "--image", 512, 256, "--tile", 320, 256, "--format", "csv")
    first, *rows = csv.DictReader(io.StringIO(run.out))
    assert (first["read_y_first"], first["read_y_last"], first["write_x_last"]) == (
        *("0", "319", "255"),
    )
    assert [int(x["read_y_first"]) for x in rows] == [96, 192]
    advise = ("advise", "vgg11", "--object", 100, 100, "--format")
    run(*advise, "csv")
    layers = {x["layer"]: x for x in csv.DictReader(io.StringIO(run.out))}
    assert (layers["conv4_2"]["share"], layers["conv5_1"]["share"]) == ("0", "1")
    assert layers["conv5_1"]["local_field_y"] == "102"  # 70, and two taps 16 pixels apart
    run(*advise, "markdown")
    assert "| covers all objects | from conv5_1 on" in run.out
    assert "| dilation 2 in 'conv5_1' " in run.out
    run(*advise, "latex")
    assert run.out.count(r"\begin{tabular}") == 3
    assert r"\caption{proposals}" in run.out


def test_that_messages_are_short_and_do_not_control_the_terminal(run: Shell) -> None:
    name = "x\x1b[31m" * 200_000  # a megabyte
    assert run("analyze", name) == 1
    assert len(run.err) < 5000
    assert run("figure", "vgg16", "--layer", name, "--output", "a.png") == 1
    assert r"x\x1b[31m" in run.err
    assert len(run.err) < 5000
    assert run("analyze", "vgg16", "--format", name) == 2
    assert len(run.err) < 9000
    assert "\x1b" not in run.err
