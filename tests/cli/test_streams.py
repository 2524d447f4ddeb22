"""Standard input as a network and standard output as a file; formats that no ending names."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rfstudio.cli import main

NETWORK = """\
format: 1
name: two
input: {size: [15, 15], channels: 3}
layers:
  - conv: {name: a, kernel_size: 3, padding: 1, out_channels: 8}
  - conv: {name: b, kernel_size: 3, padding: 1, out_channels: 8}
"""


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give a text to standard input."""

    def give(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return give


def test_that_a_network_comes_from_standard_input_and_goes_to_standard_output(
    capsys: pytest.CaptureFixture[str], feed: Callable[[str], None]
) -> None:
    feed(NETWORK)
    assert main(["analyze", "-", "--format", "json"]) == 0
    expected = capsys.readouterr().out
    assert [x["rf_size"] for x in json.loads(expected)["layers"]] == [[3, 3], [5, 5]]
    feed(NETWORK)
    assert main(["convert", "-", "-o", "-", "--format", "yaml"]) == 0
    feed(capsys.readouterr().out)
    assert main(["analyze", "-", "--format", "json"]) == 0
    assert capsys.readouterr().out == expected
    feed("format: 1\nname: x\nlayer: []\n")
    assert main(["analyze", "-"]) == 1
    assert "<stdin>:3:1: " in capsys.readouterr().err


def test_that_figures_and_maps_go_to_standard_output_alone(
    capsysbinary: pytest.CaptureFixture[bytes], feed: Callable[[str], None]
) -> None:
    for words, start in (
        ("figure - --layer b -o - --format svg", b"<?xml"),
        ("compare - --output - --format pdf", b"%PDF"),
        ("erf - --layer b --estimator path-count -o - --format npz", b"PK"),
    ):
        feed(NETWORK)
        assert main(words.split()) == 0
        out, err = capsysbinary.readouterr()
        assert out.startswith(start)
        assert err == b""
    with np.load(io.BytesIO(out), allow_pickle=False) as file:
        assert file["map"].sum() == 81  # 3⁴ paths


def test_that_a_format_names_what_an_ending_does_not(
    capsys: pytest.CaptureFixture[str], feed: Callable[[str], None], tmp_path: Path
) -> None:
    output = tmp_path / "map"
    feed(NETWORK)
    words = ["erf", "-", "--layer", "b", "--estimator", "path-count", "-o", str(output)]
    assert main([*words, "--format", "png"]) == 0
    assert output.read_bytes().startswith(b"\x89PNG")
    assert "path-count" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("convert vgg16 -o -", "--output - needs --format yaml or py"),
        ("convert vgg16 -o network", "network: a network is written as .yaml or .py"),
        (
            "erf vgg16 --layer pool5 -o - --format json",
            "needs --format tiff, png16, npz, png",
        ),
        ("erf vgg16 --layer pool5 --format npz", "--format npz is for --output"),
        ("compare - -", "standard input can be read once"),
        ("-", "only commands read standard input"),
    ],
)
def test_that_streams_without_a_meaning_are_wrong_usage(
    capsys: pytest.CaptureFixture[str], words: str, told: str
) -> None:
    assert main(words.split()) == 2
    assert told in capsys.readouterr().err


def test_that_a_file_has_every_letter_on_windows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["analyze", "vgg16", "--layer", "pool5"]) == 0
    stream.flush()
    assert "212×212 px" in written.getvalue().decode("utf-8")
