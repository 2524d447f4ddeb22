"""`rfstudio erf`: its numbers, its record of the run, and what it writes."""

import csv
import errno
import io
import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.state.selection import Selected
from rfstudio.app.wording.snippets import command_text
from rfstudio.cli import main
from rfstudio.cli.arguments import parse
from rfstudio.paths import sample_images

TWO_CONVS = """\
format: 1
name: two
input: {size: [15, 15], channels: 3}
layers:
  - conv: {name: a, kernel_size: 3, padding: 1, out_channels: 8, bias: false}
  - conv: {name: b, kernel_size: 3, padding: 1, out_channels: 8, bias: false}
"""
SMALL = ("--layer", "b", "--samples", "4", "--device", "cpu", "--dtype", "float64")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "two.yaml"
    path.write_text(TWO_CONVS)
    return path


def _json(capsys: pytest.CaptureFixture[str], *words: object) -> dict:
    assert main(["erf", *map(str, words), "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def _map(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as file:
        return file["map"]


def test_that_path_counts_of_two_3x3_convolutions_are_those_of_pascal(
    capsys: pytest.CaptureFixture[str], network: Path, tmp_path: Path
) -> None:
    output = tmp_path / "map.npz"
    record = _json(capsys, network, "--layer", "b", "--estimator", "path-count", "--output", output)
    row = np.array([1, 2, 3, 2, 1])
    values = _map(output)
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values[5:10, 5:10], np.outer(row, row))
    assert values.sum() == 81
    assert record["unit"] == [7, 7]
    assert record["exactness"] == "exact"


def test_that_the_expected_field_of_a_linear_stack_is_exact_and_has_the_known_width(
    capsys: pytest.CaptureFixture[str], network: Path
) -> None:
    record = _json(capsys, network, "--layer", "b", "--estimator", "expected")
    assert record["exactness"] == "exact"
    # Luo et al. 2016: variance n(k² − 1)/12 along each axis, here n = 2, k = 3.
    assert record["metrics"]["sigma"] == pytest.approx([(2 * 8 / 12) ** 0.5] * 2, rel=1e-9)
    assert record["metrics"]["offset"] == pytest.approx([0, 0], abs=1e-9)


def test_that_sizes_by_other_rules_are_in_the_record_and_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("vgg16", "--layer", "conv3_1", "--estimator", "expected")
    others = {x["value"]: x["reason"] for x in _json(capsys, *words)["other_numbers"]}
    # Golden: conv3_1 of vgg16 has field 24; its pools are no plain stack.
    assert "the effects of layers add up to a bell" in others["24"]
    assert any("by growth with √depth" in x for x in others.values())
    assert main(["erf", *words]) == 0
    text = capsys.readouterr().out
    assert "another number elsewhere?" in text
    assert "24: the theoretical field, as if the effective one grew with depth as fast" in text


def test_that_gains_of_an_expected_field_can_be_measured_and_are_recorded(
    capsys: pytest.CaptureFixture[str], network: Path
) -> None:
    words = (network, "--layer", "b", "--estimator", "expected")
    record = _json(capsys, *words, "--samples", 2, "--seed", 4, "--device", "cpu")
    assert record["options"]["gains"] == "measured"
    assert (record["options"]["samples"], record["options"]["seed"]) == (2, 4)
    # Both words for the same: neither may leave the record, on which programs rely.
    assert (record["exact"], record["exactness"]) == (False, "approximate")
    assert "is measured" in record["notes"][0]
    by_name = _json(capsys, *words, "--gains", "measured", "--weights", "uniform")
    assert by_name["options"]["weights"] == "uniform"
    assert by_name["options"]["samples"] == 8
    plain = _json(capsys, *words, "--gains", "modelled")
    assert (plain["options"]["gains"], plain["exact"]) == ("modelled", True)
    assert record["metrics"]["sigma"] == pytest.approx(plain["metrics"]["sigma"], rel=0.05)


def test_that_a_measurement_records_every_option_and_stays_in_its_region(
    capsys: pytest.CaptureFixture[str], network: Path, tmp_path: Path
) -> None:
    output = tmp_path / "map.npz"
    record = _json(capsys, network, *SMALL, "--unit", 0, 14, "--seed", 3, "--output", output)
    values = _map(output)
    assert values[:3, 12:].min() > 0
    assert values.sum() == pytest.approx(values[:3, 12:].sum())
    assert (record["samples"], record["options"]["seed"]) == (4, 3)
    for key in ("estimator", "dtype", "weights", "batch_norm", "device"):
        assert key in record["options"]
    assert record["versions"]["torch"]
    assert record["device"].startswith("cpu")
    assert record["seconds"] > 0
    with np.load(output, allow_pickle=False) as file:
        assert json.loads(str(file["json"])) == record


def test_that_the_same_seed_gives_the_same_map(
    capsys: pytest.CaptureFixture[str], network: Path, tmp_path: Path
) -> None:
    maps = []
    for seed in (1, 1, 2):
        _json(capsys, network, *SMALL, "--seed", seed, "--output", tmp_path / "m.npz")
        maps.append(_map(tmp_path / "m.npz"))
    np.testing.assert_array_equal(maps[0], maps[1])
    assert np.abs(maps[0] - maps[2]).max() > 0


def test_that_a_folder_of_images_is_one_sample_each(
    capsys: pytest.CaptureFixture[str], network: Path
) -> None:
    options = ("--layer", "b", "--device", "cpu", "--images", sample_images())
    assert _json(capsys, network, *options)["samples"] == 3


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_that_a_field_can_be_drawn(network: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"field{suffix}"
    words = ["erf", str(network), "--layer", "b", "--estimator", "expected"]
    assert main([*words, "--output", str(output)]) == 0
    assert output.stat().st_size > 1000


def test_that_the_table_tells_estimator_and_size(
    capsys: pytest.CaptureFixture[str], network: Path
) -> None:
    assert main(["erf", str(network), *SMALL]) == 0
    lines = [x.split() for x in capsys.readouterr().out.splitlines()]
    assert ["estimator", "energy"] in lines
    assert ["command", "rfstudio", "erf", str(network), *SMALL] in lines
    assert any(x[:1] == ["luo_size"] for x in lines)


def test_that_the_numbers_are_a_table_in_every_format(
    capsys: pytest.CaptureFixture[str], network: Path
) -> None:
    words = ("--layer", "b", "--estimator", "expected")
    metrics = _json(capsys, network, *words)["metrics"]
    assert main(["erf", str(network), *words, "--format", "csv"]) == 0
    rows = {x["number"]: x for x in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert float(rows["sigma.x"]["value"]) == metrics["sigma"][1]
    assert float(rows["luo_size"]["value"]) == metrics["luo_size"]
    assert (rows["sigma.x"]["unit"], rows["angle"]["value"]) == ("px", "")
    assert {x["estimator"] for x in rows.values()} == {"expected"}
    command = shlex.join(["rfstudio", "erf", str(network), *words, "--format", "csv"])
    assert {x["command"] for x in rows.values()} == {command}
    for form, line in (("markdown", "| sigma.x "), ("latex", "sigma.x & px & 1.155")):
        assert main(["erf", str(network), *words, "--format", form]) == 0
        assert any(x.startswith(line) for x in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        ("--layer c", 1, "no layer 'c'"),
        ("--layer b --unit 99 0", 1, "0…14"),
        ("--layer b --output map.csv", 2, ".npz, .png, .svg or .pdf"),
        ("--layer b --estimator nonsense", 2, "invalid choice"),
        ("--layer b --device abacus", 1, "abacus"),
        ("--layer b --weights nosuch.safetensors", 1, "nosuch.safetensors"),
        ("--layer b --images nosuch.png", 1, "nosuch.png"),
        ("--layer b --samples 0", 1, "samples"),
        ("--layer b --gains measured", 2, "--estimator expected"),
        ("--layer b --estimator expected --gains modelled --samples 3", 2, "measured gains"),
        ("--layer b --estimator expected --samples 0", 1, "samples"),
        ("--layer b --estimator path-count --samples 3", 2, "no effect on a path count"),
        ("--layer b --estimator path-count --weights uniform", 2, "no effect on a path count"),
        ("--layer b --unit a b", 2, "one per axis, not 'a'"),
        ("--layer b --unit 1.5 2", 2, "not '1.5'"),
    ],
)
def test_that_what_cannot_be_measured_is_said_in_a_sentence(
    capsys: pytest.CaptureFixture[str], network: Path, words: str, status: int, told: str
) -> None:
    assert main(["erf", str(network), *words.split()]) == status
    captured = capsys.readouterr()
    assert told in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_that_a_place_that_cannot_be_written_is_told_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], network: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(
        "rfstudio.engine.measuring.erf.measure", lambda *_, **__: pytest.fail("measured")
    )
    (tmp_path / "folder.npz").mkdir()
    for place, told in (("nosuch/map.npz", "no such folder"), ("folder.npz", "is a folder")):
        assert main(["erf", str(network), *SMALL, "--output", str(tmp_path / place)]) == 1
        assert told in capsys.readouterr().err


def test_that_a_process_without_streams_measures_and_saves_all_the_same(
    network: Path, tmp_path: Path
) -> None:
    words = f"{sys.executable} -m rfstudio erf {network} --layer b --estimator path-count"
    output = tmp_path / "map.npz"
    closed = subprocess.run(["sh", "-c", f"{words} --output {output} >&- 2>&-"], check=False)
    assert closed.returncode == 0
    assert _map(output).sum() == 81


def test_that_a_full_disk_behind_the_standard_output_is_named(
    capsys: pytest.CaptureFixture[str], network: Path, monkeypatch
) -> None:
    class FullDisk(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", FullDisk())
    assert main(["erf", str(network), "--layer", "b", "--estimator", "path-count"]) == 1
    assert "standard output: No space left on device" in capsys.readouterr().err


def test_that_a_damaged_photo_of_a_folder_is_named(
    capsys: pytest.CaptureFixture[str], network: Path, tmp_path: Path
) -> None:
    photo = next(sample_images().glob("*.jpg")).read_bytes()
    (tmp_path / "a.jpg").write_bytes(photo)
    (tmp_path / "b.jpg").write_bytes(photo[: len(photo) // 2])
    assert main(["erf", str(network), "--layer", "b", "--images", str(tmp_path)]) == 1
    assert "b.jpg' is damaged" in capsys.readouterr().err


def test_that_a_recipe_sets_the_options_and_is_recorded(
    capsys: pytest.CaptureFixture[str], network: Path
) -> None:
    record = _json(capsys, network, "--layer", "b", "--recipe", "luo2016", "--device", "cpu")
    assert record["recipe"] == "luo2016"
    assert record["estimator"] == record["options"]["estimator"] == "abs"
    assert record["samples"] == 20


def test_that_a_recipe_says_what_the_user_has_to_bring(
    capsys: pytest.CaptureFixture[str], network: Path
) -> None:
    assert main(["erf", str(network), "--layer", "b", "--recipe", "replknet"]) == 1
    assert "trained weights as a file and photos" in capsys.readouterr().err
    assert main(["erf", str(network), "--layer", "b", "--recipe", "lou2016"]) == 1
    assert "did you mean 'luo2016'" in capsys.readouterr().err


def test_that_every_option_of_a_measurement_can_be_given(
    capsys: pytest.CaptureFixture[str], network: Path
) -> None:
    words = ["--channel", "3", "--activation", "before", "--batch-norm", "fresh"]
    words += ("--images-per-weights", "2", "--patch", "5", "--stride", "5")
    record = _json(capsys, network, *SMALL, "--estimator", "occlusion", "--fill", "0.5", *words)
    found = record["options"]
    assert (found["channel"], found["activation"], found["batch_norm"]) == (3, "before", "fresh")
    assert (found["images_per_weights"], found["patch"], found["stride"]) == (2, 5, 5)
    assert found["fill"] == 0.5
    record = _json(capsys, network, *SMALL, "--estimator", "perturbation", "--amplitude", "0.1")
    assert record["options"]["amplitude"] == 0.1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--patch", "3"), "--patch has no effect on --estimator energy"),
        (("--estimator", "occlusion", "--amplitude", "2"), "it is for perturbation"),
        (("--estimator", "path-count", "--batch-norm", "fresh"), "--batch-norm has no effect"),
        (("--estimator", "expected", "--channel", "1"), "--channel has no effect"),
        (("--recipe", "slak", "--channel", "1"), "--channel is set by --recipe slak"),
        (
            ("--estimator", "expected", "--gains", "measured", "--batch-norm", "fresh"),
            "--batch-norm is for measured fields and modelled gains",
        ),
    ],
)
def test_that_an_option_without_effect_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], network: Path, words: tuple[str, ...], told: str
) -> None:
    assert main(["erf", str(network), "--layer", "b", *words]) == 2
    captured = capsys.readouterr()
    assert told in captured.err
    assert captured.out == ""


def test_that_the_statistics_of_norms_change_the_expected_field(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("resnet18", "--layer", "layer2", "--estimator", "expected")
    sizes = {
        mode: _json(capsys, *words, "--batch-norm", mode)["metrics"]["luo_size"]
        for mode in ("warmed", "fresh")
    }
    assert sizes["warmed"] != sizes["fresh"]


def test_that_a_copied_command_measures_with_the_options_of_the_window() -> None:
    options = ErfOptions(
        estimator="occlusion", inputs="image", channel=2, batch_norm="fresh", patch=4, stride=2
    )
    photo = Path("/photos/a cat.jpg")
    text = command_text("vgg16", Selected("conv1_1", (3, 4), None), options, photo)
    said = parse(shlex.split(text)[1:])
    assert (said.network, said.layer, said.unit) == ("vgg16", "conv1_1", (3, 4))
    assert said.images == photo
    for name in ("estimator", "samples", "seed", "weights", "device", "dtype"):
        assert getattr(said, name) == getattr(options, name)
    assert (said.channel, said.batch_norm, said.patch, said.stride) == (2, "fresh", 4, 2)
    assert said.activation is said.fill is said.amplitude is None


def test_that_rounding_is_printed_as_zero(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("luo_20_layers", "--layer", "stack.19", "--estimator", "expected")
    assert _json(capsys, *words)["metrics"]["offset"] == [0.0, 0.0]
    assert main(["erf", *words]) == 0
    assert ["offset", "0,", "0"] in [x.split() for x in capsys.readouterr().out.splitlines()]


def test_that_an_initialisation_is_measured_and_expected_and_recorded(
    network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = _json(capsys, network, *SMALL)
    other = _json(capsys, network, *SMALL, "--init", "luo:2")
    assert usual["options"]["init"] == "he_normal"
    assert other["options"]["init"] == "luo2016:2"
    assert other["metrics"]["sigma"] != usual["metrics"]["sigma"]
    words = (network, "--layer", "b", "--estimator", "expected", "--init", "luo2016_corners")
    expected = _json(capsys, *words)
    assert expected["options"]["init"] == "luo2016_corners"
    # Two layers whose taps are all one pixel away along each axis.
    assert expected["metrics"]["sigma"] == pytest.approx([2**0.5] * 2)
    assert main(["erf", *map(str, words)]) == 0
    assert "init luo2016_corners" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--init", "xavjer"), 1, "did you mean 'xavier'"),
        (("--init", "he", "--weights", "uniform"), 2, "all are equal"),
        (("--init", "he", "--estimator", "path-count"), 2, "path count"),
        (("--init", "he", "--recipe", "luo2016"), 2, "--recipe luo2016"),
    ],
)
def test_that_an_initialisation_without_effect_is_refused(
    network: Path, words: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["erf", str(network), "--layer", "b", *words]) == code
    assert said in capsys.readouterr().err
