"""Every remark appears where it belongs, with a place and a remedy, and nowhere else."""

from __future__ import annotations

import pytest

from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.fields.remarks.diagnostics import Diagnostic
from rfstudio.core.network.architecture import Architecture, Branch, Layer, Parallel
from rfstudio.core.network.physical import Axis


def _remarks(*items, size=(64, 64), **options) -> dict[str, Diagnostic]:
    analysis = analyze(Architecture("remarks", "", "", size, 4, items), **options)
    return {x.code: x for x in analysis.diagnostics}


def _conv(kernel=3, stride=1, padding=1, dilation=1, name="") -> Layer:
    op = ops.Conv(kernel_size=kernel, stride=stride, padding=padding, dilation=dilation)
    return Layer(op, name)


def test_that_a_plain_network_has_no_remarks() -> None:
    assert _remarks(_conv(), Layer(ops.Relu()), _conv(), size=(32, 32)) == {}


def test_that_a_misaligned_merge_names_branches_and_pixels() -> None:
    branches = (Branch((_conv(padding=((0, 2), (1, 1)), name="left"),)), Branch((_conv(1, 1, 0),)))
    remark = _remarks(Parallel(branches, "add", "sum"))["centre_offset"]
    assert remark.layer == "sum.add"
    assert remark.severity == "warning"
    for word in ("1 pixel", "along y:", "'sum.left'", "'sum.conv1'", "padding"):
        assert word in remark.message


def test_that_a_stride_mismatch_names_both_jumps() -> None:
    left = (_conv(3, 2, 1, name="left"),)
    right = (_conv(1, 1, 0, name="right"), Layer(ops.Crop(size=32)))
    remark = _remarks(Parallel((Branch(left), Branch(right)), "concat", "join"))["stride_mismatch"]
    assert remark.layer == "join.concat"
    assert "'join.left' has a jump of 2" in remark.message
    assert "of 1" in remark.message


def test_that_only_the_first_layer_with_a_field_beyond_the_input_is_named() -> None:
    convs = [_conv(5, 1, 2, name=f"conv{i}") for i in range(6)]
    analysis = analyze(Architecture("big", "", "", (16, 16), 3, tuple(convs)))
    named = [x.layer for x in analysis.diagnostics if x.code == "larger_than_input"]
    # 5, 9, 13, 17 pixels: the fourth is the first beyond 16.
    assert named == ["conv3"]


def test_that_learned_tokens_are_not_taken_for_units_in_the_padding() -> None:
    assert "only_padding" not in _remarks(Layer(ops.Tokens(extra=1)), Layer(ops.Attention()))


@pytest.mark.parametrize(
    ("op", "rows"),
    [
        (ops.Conv(kernel_size=3, padding=4), 4),  # two rows before and two after
        (ops.MaxPool(kernel_size=2, stride=1, padding=((3, 0), (0, 0))), 2),
        (ops.ConvTranspose(kernel_size=1, stride=2), 63),  # every second row of 127
    ],
)
def test_that_units_that_see_only_padding_are_counted(op, rows) -> None:
    remark = _remarks(Layer(op, "odd"))["only_padding"]
    assert remark.layer == "odd"
    assert remark.message.startswith(f"{rows} rows")


def test_that_holes_are_named_where_they_begin() -> None:
    remark = _remarks(_conv(3, 1, 2, 2, "a"), _conv(3, 1, 2, 2, "b"), _conv(name="c"))["holes"]
    assert remark.layer == "a"
    assert "40%" in remark.message  # 3 of 5 pixels along an axis are read


def test_that_dilations_without_a_common_factor_leave_no_holes() -> None:
    assert "holes" not in _remarks(_conv(), _conv(3, 1, 2, 2), _conv(3, 1, 3, 3))


def test_that_pixels_that_no_unit_reads_are_counted() -> None:
    # Windows of 2 at a stride of 3 on 64 pixels read 42 rows and 42 columns.
    remark = _remarks(_conv(2, 3, 0, name="sparse"))["dead_pixels"]
    assert remark.layer == "sparse"
    assert remark.message.startswith(f"{64 * 64 - 42 * 42} of 4096")


def test_that_only_the_first_global_op_is_named() -> None:
    items = (Layer(ops.GlobalAvgPool(), "pool"), Layer(ops.Linear(out_features=9), "fc"))
    analysis = analyze(Architecture("head", "", "", (32, 32), 3, (_conv(), *items)))
    assert [x.layer for x in analysis.diagnostics if x.code == "global_op"] == ["pool"]


def test_that_batch_norm_in_training_mode_is_global() -> None:
    items = (_conv(), Layer(ops.BatchNorm(), "bn"))
    assert "global_op" not in _remarks(*items)
    assert _remarks(*items, batch_norm_training=True)["global_op"].layer == "bn"


def test_that_a_declared_op_is_named_by_its_label() -> None:
    remark = _remarks(Layer(ops.Custom(label="fancy gate", kernel_size=3, padding=1)))["custom_op"]
    assert "fancy gate" in remark.message
    assert remark.severity == "note"


def test_that_an_output_that_is_empty_at_this_size_is_an_error_with_a_remedy() -> None:
    items = (_conv(3, 4, 0, name="a"), _conv(9, 1, 0, name="b"), _conv(name="c"))
    assert "empty_output" not in _remarks(*items)
    remark = _remarks(*items, input_size=(20, 20))["empty_output"]
    assert remark.layer == "b"
    assert remark.severity == "error"
    assert "5×5" in remark.message
    assert "larger input" in remark.message


def test_that_every_fault_of_a_document_is_a_remark_and_nothing_is_refused() -> None:
    items = (
        Layer(ops.Conv(kernel_size=3, groups=3), "a"),
        Layer(ops.Relu(), "b", ("nowhere",)),
        Layer(ops.Add(), "c", ("a", "input")),
        Layer(ops.Relu(), "b"),
        Layer(ops.Concat(), "d"),
        Layer(ops.Conv(kernel_size=(3, 3, 5)), "e"),
    )
    analysis = analyze(Architecture("faulty", "", "", (32, 32), 4, items))
    assert {x.code for x in analysis.diagnostics if x.severity == "error"} == {
        "channels",
        "unknown_source",
        "shape_mismatch",
        "duplicate_name",
        "missing_from",
        "wrong_axes",
    }
    assert len(analysis.layers) == 6
    for layer in analysis.layers:
        assert analysis.unit(layer.name).support_count >= 0


def test_that_remarks_on_a_signal_speak_of_samples_and_its_axes() -> None:
    layers = tuple(_conv(5, 1, 2, name=f"conv{i}") for i in range(6))
    time = Axis(name="time", unit="ms", spacing=0.5)
    network = Architecture("signal", "", "", (16,), 3, layers, input_axes=(time,))
    (remark,) = analyze(network).diagnostics
    # 1 + 4 · 4 samples, half a millisecond each.
    assert "along time, 17 samples (8.5 ms), is larger than the input, 16" in remark.message
    assert "pixel" not in remark.message


def test_that_nothing_is_said_of_padding_where_there_is_none() -> None:
    windows = [Layer(ops.WindowAttention(window_size=4, heads=1, shift=x)) for x in (0, 2)]
    remark = _remarks(*windows * 4, size=(8, 8))["larger_than_input"]
    assert "padding" not in remark.message


def test_that_an_operation_over_one_axis_is_said_to_read_that_one() -> None:
    bidirectional = ops.Recurrent(kind="lstm", hidden=4, axis=1, bidirectional=True)
    remark = _remarks(_conv(), Layer(bidirectional, "lstm"))["global_op"]
    assert "its whole input map along x" in remark.message
    assert "is 3×3 pixels" in remark.message


def test_that_the_first_layer_that_skips_pixels_is_named() -> None:
    # Windows of 3 at a stride of 2 on 64 pixels end at 62: one row and one column are left over.
    remark = _remarks(_conv(3, 2, 0, name="down"), _conv(name="last"))["dead_pixels"]
    assert "127 of 4096 pixels" in remark.message  # 64² − 63², and the last reads all it can
    assert "already at 'down': its last window ends before the map does" in remark.message
