"""Sizes of maps are PyTorch's, and errors of layers that do not fit a map name the layer."""

from __future__ import annotations

import pytest

from rfstudio.core import ops
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network.architecture import Architecture, Layer


def _analysis(op: ops.Op, *size: int) -> Analysis:
    return analyze(Architecture("n", "", "", size, 1, (Layer(op, "it"),)))


def _errors(analysis: Analysis) -> list[str]:
    return [x.message for x in analysis.diagnostics if x.severity == "error"]


@pytest.mark.parametrize(
    ("samples", "factor", "expected"),
    # Shapes of torch.nn.functional.interpolate, PyTorch 2.13: floor of the rounded product.
    [(45, 1.4, 62), (100, 1.15, 114), (50, 2.3, 114), (100, 0.29, 28), (7, 1.5, 10), (30, 0.7, 21)],
)
def test_that_a_scaled_map_has_the_size_that_pytorch_gives_it(samples, factor, expected) -> None:
    for mode in ("nearest", "linear"):
        analysis = _analysis(ops.Upsample(scale_factor=factor, mode=mode), samples)
        assert analysis["it"].output_size == (expected,)


@pytest.mark.parametrize(
    ("op", "expected"),
    [
        (ops.Crop(size=(4, 9)), "size 4×9 is larger than its input, 6×8"),
        (ops.Crop(margins=((0, 0), (-9, 9))), "margins cut 9 samples off an axis that has only 8"),
        (ops.Pad(padding=((8, -7), (0, 0))), "padding cut 7 samples off an axis that has only 6"),
    ],
)
def test_that_cutting_more_than_there_is_names_the_layer(op: ops.Op, expected: str) -> None:
    (message,) = _errors(_analysis(op, 6, 8))
    assert message.startswith(f"{op.keyword} 'it': {expected}")


@pytest.mark.parametrize(
    "op",
    [
        ops.Crop(size=(6, 8)),
        ops.Crop(margins=((-1, 3), (2, 2))),
        ops.Pad(padding=((4, -3), (-2, -2))),
    ],
)
def test_that_cutting_what_is_there_is_in_order(op: ops.Op) -> None:
    assert _errors(_analysis(op, 6, 8)) == []


def test_that_no_window_is_left_on_a_map_that_is_cropped_away() -> None:
    pool = ops.MaxPool(kernel_size=1, stride=4, padding=((-1, -2),), ceil_mode=True)
    (message,) = _errors(_analysis(pool, 3))
    assert message.startswith("the output of 'it' would be empty")


def test_that_a_global_custom_layer_says_that_its_window_gives_sizes_alone() -> None:
    analysis = _analysis(ops.Custom(whole=True, kernel_size=3, stride=2, label="pooled"), 9)
    assert analysis["it"].output_size == (4,)
    assert analysis["it"].is_global == (True,)
    (remark,) = [x for x in analysis.diagnostics if x.code == "custom_op"]
    assert "its window says how large the output is, not what is read" in remark.message
    (plain,) = [
        x for x in _analysis(ops.Custom(whole=True), 9).diagnostics if x.code == "custom_op"
    ]
    assert "window" not in plain.message
