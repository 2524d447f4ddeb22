"""The presets cost as many multiply-adds as torchvision publishes."""

import csv
from pathlib import Path

import pytest

import rfstudio

TABLE = Path(__file__).resolve().parents[1] / "golden" / "multiply_adds.csv"


def _rows() -> list[tuple[str, float]]:
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return [(row["network"], float(row["giga"])) for row in rows]


@pytest.mark.parametrize(("network", "giga"), _rows())
def test_that_a_preset_costs_as_many_multiply_adds_as_published(network: str, giga: float) -> None:
    analysis = rfstudio.analyze(rfstudio.load(network))
    total = sum(layer.macs for layer in analysis.layers)
    assert total / 1e9 == pytest.approx(giga, abs=0.0005)  # three places are printed
