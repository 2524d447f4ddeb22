"""The presets have as many learnable parameters as their sources publish."""

import csv
from functools import cache
from pathlib import Path

import pytest

import rfstudio
from rfstudio import paths

TABLE = Path(__file__).resolve().parents[1] / "golden" / "parameter_counts.csv"
PRESETS = sorted(file.stem for file in paths.architectures().glob("*.yaml"))


@cache
def _published() -> dict[str, int]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return {row["network"]: int(row["parameters"]) for row in rows}


def test_that_every_preset_has_a_published_count_to_meet() -> None:
    assert sorted(_published()) == PRESETS


@pytest.mark.parametrize("network", PRESETS)
def test_that_a_preset_has_as_many_parameters_as_published(network: str) -> None:
    analysis = rfstudio.analyze(rfstudio.load(network))
    assert sum(layer.parameters for layer in analysis.layers) == _published()[network]


@pytest.mark.parametrize("network", PRESETS)
def test_that_the_description_of_a_preset_states_its_count(network: str) -> None:
    assert f"{_published()[network]:,}" in rfstudio.load(network).description
