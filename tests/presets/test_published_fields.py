"""The presets have the receptive fields that their sources publish, row by row."""

import csv
from functools import cache
from pathlib import Path

import pytest

import rfstudio
from rfstudio.core.fields.analysis import Analysis

GOLDEN = Path(__file__).resolve().parents[1] / "golden"

# Networks of the TF-Slim table under the names of our presets.
SLIM_NETWORKS = {
    "vgg_16": "vgg16",
    "resnet_v1_50": "resnet_v1_50_slim",
    "resnet_v1_101": "resnet_v1_101_slim",
}


def _rows(table: str) -> list[dict[str, str]]:
    lines = (GOLDEN / table).read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@cache
def _analysis(network: str, side: int | None = None) -> Analysis:
    size = None if side is None else (side, side)
    return rfstudio.analyze(rfstudio.load(network), input_size=size)


def _slim_cases() -> list[tuple[str, str, int, int, int, int]]:
    """Preset, end point, side of the input, size, jump and padding of every published number."""
    return [
        (
            SLIM_NETWORKS.get(row["network"], row["network"]),
            row["end_point"].rpartition("/")[2],  # conv1/conv1_1 is our conv1_1
            side,
            int(row["size"]),
            int(row["jump"]),
            int(row[f"padding_{side}"]),
        )
        for row in _rows("tf_slim_end_points.csv")
        for side in (224, 321)
        if row[f"padding_{side}"]
    ]


def _stage_cases() -> list[tuple[str, str, int, int, int]]:
    return [
        (row["network"], row["end_point"], int(row["size"]), int(row["jump"]), int(row["padding"]))
        for row in _rows("pytorch_stage_ends.csv")
    ]


@pytest.mark.parametrize(("network", "end_point", "side", "size", "jump", "padding"), _slim_cases())
def test_that_an_end_point_of_tf_slim_has_its_published_field(
    network: str, end_point: str, side: int, size: int, jump: int, padding: int
) -> None:
    layer = _analysis(network, side)[end_point]
    assert layer.rf_size == (size, size)
    assert layer.jump == (jump, jump)
    assert layer.padding == (padding, padding)
    assert layer.alignment == ("aligned", "aligned")


@pytest.mark.parametrize(("network", "end_point", "size", "jump", "padding"), _stage_cases())
def test_that_a_stage_with_pytorch_padding_ends_with_its_published_field(
    network: str, end_point: str, size: int, jump: int, padding: int
) -> None:
    layer = _analysis(network)[end_point]
    assert layer.rf_size == (size, size)
    assert layer.jump == (jump, jump)
    assert layer.padding == (padding, padding)
    assert layer.alignment == ("aligned", "aligned")


def test_that_twenty_layers_of_three_by_three_see_41_pixels() -> None:
    # Luo et al. 2016: 1 + n (k − 1) with n = 20, k = 3
    assert _analysis("luo_20_layers").layers[-1].rf_size == (41, 41)


def test_that_a_causal_network_looks_back_3061_steps_and_not_ahead() -> None:
    # Bai et al. 2018: 1 + 2 (k − 1)(1 + 2 + … + 128) with k = 7
    scores = _analysis("tcn_1d")["scores"]
    assert scores.rf_size == (3061,)
    assert scores.padding == (3060,)


def test_that_a_stack_of_wavenet_sees_1024_samples() -> None:
    # Van den Oord et al. 2016, section 2.1, of a stack 1, 2, 4, …, 512; three see 1 + 3 · 1023.
    analysis = rfstudio.analyze(rfstudio.load("wavenet"), reference="causal")
    assert analysis["stack0"].rf_size == (1024,)
    assert analysis["skips"].rf_size == (3070,)
    assert analysis["skips"].padding == (3069,)
