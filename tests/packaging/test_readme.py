"""The README tells the truth: its commands are those that are run, its examples are real output."""

import re
import shlex
from pathlib import Path

import pytest

import rfstudio
from rfstudio import paths
from rfstudio.cli import main

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```console\n\$ rfstudio (.+)\n((?:.*\n)*?)```", README)


def test_that_the_readme_has_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize(("words", "shown"), EXAMPLES, ids=[x for x, _ in EXAMPLES])
def test_that_an_example_shows_what_the_program_prints(
    capsys: pytest.CaptureFixture[str], words: str, shown: str
) -> None:
    assert main(shlex.split(words)) == 0
    printed = capsys.readouterr().out
    at = 0
    # A line with an ellipsis alone stands for lines that are left out.
    for part in re.split(r"^…\n", shown, flags=re.MULTILINE):
        at = printed.find(part, at)
        assert at >= 0, part
        at += len(part)


def test_that_the_notebook_example_is_right() -> None:
    layer = rfstudio.analyze(rfstudio.load("resnet50"))["layer3"]
    shown = re.search(r"^layer\.rf_size, .*# (\(.*\))$", README, flags=re.MULTILINE)
    assert shown
    assert shown[1] == str((layer.rf_size, layer.jump, layer.alignment))


def test_that_the_number_of_presets_is_right() -> None:
    shown = re.search(r"(\d+) published ones come with the program", README)
    assert shown
    assert int(shown[1]) == len(list(paths.architectures().glob("*.yaml")))


def test_that_every_file_the_readme_points_to_is_there() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
