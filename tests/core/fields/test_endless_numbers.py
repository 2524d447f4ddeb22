"""Numbers that grow with every layer are given up before they have thousands of digits."""

from __future__ import annotations

import json

import pytest

from rfstudio.app.wording.facts import place_facts
from rfstudio.core import ops
from rfstudio.core.errors import TooLargeError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Branch, Item, Layer, Parallel, Repeat
from rfstudio.formats.tables.analysis_tables import analysis_record


def _network(*layers: Item) -> Architecture:
    return Architecture("endless", input_size=(8, 8), channels=2, layers=layers)


def test_that_thousands_of_strides_make_no_number_that_python_does_not_write() -> None:
    """The field of a path had 4,500 digits: ValueError in the inspector and as JSON."""
    strides = Repeat(1500, (Layer(ops.Conv(kernel_size=3, stride=1000, padding=1)),))
    analysis = analyze(_network(strides))
    early, last = analysis.layers[4], analysis.layers[-1]
    # 1 + 2 · (1 + 1000 + … + 1000⁴)
    assert early.path_fields.max == (1 + 2 * sum(1000**i for i in range(5)),) * 2
    assert last.path_fields.min == last.path_fields.max == (None, None)
    assert [x.text for x in place_facts(last) if x.label == "paths"] == ["each the whole input"]
    json.dumps(analysis_record(analysis))


def test_that_paths_that_are_too_many_to_write_are_not_counted() -> None:
    same = Parallel((Branch(), Branch(), Branch((Layer(ops.Relu()),))), "add")
    analysis = analyze(_network(Repeat(700, (same,))))
    with pytest.raises(TooLargeError, match="too many to count"):
        _ = analysis.layers[-1].path_lengths
    few = analyze(_network(Repeat(7, (same,)))).layers[-1].path_lengths
    assert few is not None
    assert few.count == 3**7


def test_that_a_merge_after_thousands_of_strides_still_has_its_other_path() -> None:
    strides = Repeat(400, (Layer(ops.Conv(kernel_size=1, stride=1000)),))
    narrow = Layer(ops.Conv(kernel_size=3, padding=1), "narrow", ("input",))
    both = Layer(ops.Add(), "both", ("0.conv1", "narrow"))
    layers = (strides, narrow, Layer(ops.AdaptiveAvgPool(output_size=1)), both)
    found = analyze(_network(*layers))["both"].path_fields
    assert found.max is not None


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize(
    "last", [ops.Tile(repeats=3), ops.Upsample(scale_factor=2), ops.ConvTranspose(kernel_size=3)]
)
def test_that_strides_of_a_mirrored_map_are_given_up_as_those_of_any_other(
    kernel_size: int, last: ops.Op
) -> None:
    """Backwards they were counted without end: an OverflowError of arrays of 64 bits."""
    conv = ops.Conv(kernel_size=kernel_size, stride=1000, padding=kernel_size // 2)
    strides = Repeat(400, (Layer(conv),))
    mirrored = analyze(_network(Layer(ops.Flip()), strides, Layer(last))).layers[-1]
    plain = analyze(_network(strides, Layer(last))).layers[-1]
    assert mirrored.rf_size == plain.rf_size
    assert mirrored.jump == plain.jump
    assert place_facts(mirrored)
    json.dumps(analysis_record(analyze(_network(Layer(ops.Flip()), strides, Layer(last)))))
