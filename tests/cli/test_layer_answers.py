"""What `analyze --layer` adds: the closed form, other numbers, and paths on demand."""

from __future__ import annotations

import json

import pytest

from rfstudio.cli import main


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(list(words)) == 0
    return capsys.readouterr().out


def test_that_one_layer_has_its_closed_form_and_other_numbers(capsys) -> None:
    record = json.loads(_run(capsys, "analyze", "vgg16", "--layer", "conv3_1", "--format", "json"))
    (form,) = record["closed_form"]["axes"]
    # Golden: conv3_1 of vgg16 has field 24, jump 4, padding 10.
    assert form["equations"][0][1].endswith("= 24")
    assert [x["layer"] for x in form["terms"]][-1] == "conv3_1"
    values = {x["value"] for x in record["other_numbers"] if x["about"] == "size"}
    assert "15" in values
    assert "paths" not in record
    text = _run(capsys, "analyze", "vgg16", "--layer", "conv3_1")
    assert "closed form" in text
    assert "another number elsewhere?" in text
    plain = json.loads(_run(capsys, "analyze", "vgg16", "--format", "json"))
    assert "closed_form" not in plain


def test_that_paths_are_printed_on_demand_and_gates_ignored(capsys) -> None:
    words = ("analyze", "efficientnet_b0", "--layer", "stage3", "--paths", "--format", "json")
    record = json.loads(_run(capsys, *words))
    # By hand: stages 2 and 3 each have one block with a skip.
    assert record["paths"]["count"] == 4
    assert sum(x["share"] for x in record["paths"]["lengths"]) == pytest.approx(1)
    assert record["paths"]["fields"][0] == [{"size": None, "count": 4, "share": 1.0}]
    record = json.loads(_run(capsys, *words, "--ignore-gates"))
    assert record["layers"][0]["path_fields"]["max"] == [67, 67]
    assert record["paths"]["fields"][0][-1]["size"] == 67
    assert "by the skip to" in _run(capsys, *words[:-2])


def test_that_the_phase_contrast_is_printed_with_the_paths(capsys, tmp_path) -> None:
    file = tmp_path / "n.yaml"
    file.write_text(
        "format: 1\nname: n\ninput: {size: [32, 32], channels: 1}\nlayers:\n"
        "  - conv: {name: a, kernel_size: 3, stride: 2, padding: 1, out_channels: 1}\n"
        "  - conv: {name: b, kernel_size: 3, padding: 1, out_channels: 1}\n"
    )
    words = ("analyze", str(file), "--layer", "b", "--paths")
    record = json.loads(_run(capsys, *words, "--format", "json"))
    # By hand: along an axis three windows of 1 1 1, two apart, add up to 1 1 2 1 2 1 1: 3 of the 9
    # are at one parity and 6 at the other, which is 2 along each of the two axes.
    assert record["phase_contrast"]["2"] == pytest.approx(2 * 2)
    text = " ".join(_run(capsys, *words).split())
    assert "phase contrast of the expected effective field modulo 2 4 " in text
    assert "pixels of one place modulo" in text


def test_that_a_merge_that_is_summed_up_with_others_has_its_own_remark(capsys) -> None:
    words = ("analyze", "wavenet", "--layer", "stack1.layer4.sum")
    (remark,) = json.loads(_run(capsys, *words, "--format", "json"))["diagnostics"]
    assert remark["layer"] == "stack1.layer4.sum"
    assert "'stack1.layer4.sum' joins branches whose centres are" in remark["message"]
    assert "It is one of 29 such merges: see the remark on" in remark["message"]
    text = " ".join(_run(capsys, *words).split())
    assert "It is one of 29 such merges: see the remark on" in text
