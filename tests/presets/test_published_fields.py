"""The presets have the receptive fields that their sources publish, row by row."""

import csv
from fractions import Fraction
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


def test_that_a_unit_of_wav2vec_hears_25_ms_every_20_ms() -> None:
    # Baevski et al. 2020, section 4.2: "a receptive field of about 25 ms", "a stride of about
    # 20 ms", of sound of 16 kHz: 400 and 320 samples
    last = _analysis("wav2vec2")["conv6"]
    assert last.local is not None
    assert last.local.rf_size == (400,)
    assert last.jump == (320,)


def test_that_spliceai_reads_5000_letters_on_either_side() -> None:
    # Jaganathan et al. 2019, SpliceAI-10k: 5000 on each side of a position, of 5000 positions
    last = _analysis("spliceai_10k")["out"]
    assert last.rf_size == (10_001,)
    assert last.output_size == (5000,)
    region = _analysis("spliceai_10k").unit("out", (2500,)).visible_region
    assert region == ((2500, 12_500),)


def test_that_yolo_predicts_at_three_scales() -> None:
    # Redmon and Farhadi 2018, section 2.3: N × N × [3 · (4 + 1 + 80)] at strides 32, 16 and 8
    heads = [_analysis("yolo_v3")[f"head{n}"] for n in (32, 16, 8)]
    assert [x.channels for x in heads] == [255, 255, 255]
    assert [x.jump for x in heads] == [(32, 32), (16, 16), (8, 8)]
    assert [x.output_size for x in heads] == [(13, 13), (26, 26), (52, 52)]


def test_that_a_feature_pyramid_has_the_strides_of_its_paper_at_any_size() -> None:
    # Lin et al. 2017, sections 3 and 4.1: strides of 4, 8, 16, 32 and, for P6, 64
    for side in (None, 229):
        levels = [_analysis("fpn_resnet50", side)[f"P{n}"] for n in (2, 3, 4, 5, 6)]
        assert [x.channels for x in levels] == [256] * 5
        sizes = [-(-(side or 224) // s) for s in (4, 8, 16, 32, 64)]
        assert [x.output_size for x in levels] == [(n, n) for n in sizes]


def test_that_hifigan_makes_256_samples_of_a_frame() -> None:
    # Kong et al. 2020, section 4: a hop of 256 samples
    last = _analysis("hifigan_v1")["conv_post"]
    assert last.output_size == (32 * 256,)
    assert last.jump == (Fraction(1, 256),)


def test_that_crnn_turns_a_line_of_text_into_a_row_of_steps() -> None:
    # Shi et al. 2015, table 1: of height 1, and of 26 steps for a width of 100
    last = _analysis("crnn")["conv6"]
    assert last.output_size == (1, 26)
    assert last.jump == (16, 4)


def test_that_the_generator_of_cyclegan_keeps_the_size() -> None:
    # Zhu et al. 2017, appendix: two convolutions of stride 2 and two of stride 1/2
    analysis = _analysis("cyclegan")
    assert analysis["blocks"].output_size == (64, 64)
    assert analysis["out"].output_size == (256, 256)
