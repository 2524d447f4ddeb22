"""The other shipped experiments: what holds of their rows."""

import pytest

import rfstudio
from rfstudio.formats.experiments.ledger import Cell


@pytest.mark.slow
def test_that_three_small_kernels_are_not_one_large_kernel() -> None:
    found = {x["technique"]: x for x in rfstudio.experiment("techniques").records()}
    three, one = found["3 × 3×3"], found["1 × 7×7"]
    assert (three["trf"], one["trf"]) == (7, 7)
    # √(3 · 2/3) and √((49 − 1) / 12).
    assert three["sigma"] == pytest.approx(2**0.5)
    assert one["sigma"] == pytest.approx(2.0)
    # 3 layers of 16 · 16 · 9 weights, and 16 · 16 · 49 weights; nothing else has any.
    assert (three["parameters"], one["parameters"]) == (3 * 2304, 12544)
    assert found["dilation"]["parameters"] == three["parameters"]
    # √(2/3 · (1 + 4 + 16)), and stride 2 doubles what comes after it: √(2/3 · (1 + 4 + 4)).
    assert found["dilation"]["sigma"] == pytest.approx(14**0.5)
    assert found["stride"]["sigma"] == pytest.approx(6**0.5)
    assert found["stride"]["output_size"] == "32×32"
    assert found["stride"]["phase_contrast_2"] == pytest.approx(4.0)
    assert (found["attention"]["trf"], found["attention"]["local_trf"]) == (None, 7)


@pytest.mark.slow
def test_that_transformers_have_windows_that_grow_and_attention_that_sees_everything() -> None:
    by_series: dict[Cell, list[dict[str, Cell]]] = {}
    for row in rfstudio.experiment("transformers").records():
        by_series.setdefault(row["series"], []).append(row)
    assert all(x["trf"] is None and x["local_trf"] == 16 for x in by_series["ViT-B/16"])
    for series in ("Swin-T", "ConvNeXt-T", "RepLKNet-31B", "ResNet-50"):
        sigmas = [float(x["sigma"] or 0) for x in by_series[series]]
        assert sigmas == sorted(sigmas)
    # Sampled at initialisation: σ of the second, third and fourth stage.
    sampled = [10.54, 25.90, 38.99]
    assert [x["sigma"] for x in by_series["ResNet-50"]][1:] == pytest.approx(sampled, rel=0.05)


@pytest.mark.slow
def test_that_initialisations_are_sampled_on_the_lines_of_their_closed_form() -> None:
    found = rfstudio.experiment("initialisations")
    sigmas = {(x["series"], x["layers"]): float(x["sigma"] or 0) for x in found.records()}
    # σ² of a layer: 2/3; 0.7902 of the soft form's taps; 1 of the corners; beside skips a/(1 + a/2)
    # of the energy passes the convolution, with a/2 after the rectifier: ½ of He's, ⅓, 1/7.
    shares = {
        "He": 2 / 3,
        "Xavier": 2 / 3,
        "orthogonal": 2 / 3,
        "Luo": 0.790162,
        "Luo, corners": 1,
        "skips, He": 1 / 3,
        "skips, LeCun": 2 / 9,
        "skips, uniform": 2 / 21,
        "skips, Luo": 0.790162 / 2,
    }
    for name, share in shares.items():
        for layers in (5, 10, 20):
            expected = (layers * share) ** 0.5
            assert sigmas[f"{name}, closed form", layers] == pytest.approx(expected, rel=1e-4)
            # 100 draws of 8 channels: a few per cent, more of the corners' few pixels.
            assert sigmas[f"{name}, sampled", layers] == pytest.approx(expected, rel=0.1)
