"""Numbers that widely read pages have, from the numbers of the layer itself."""

from __future__ import annotations

import pytest

import rfstudio
from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer


def _found(network: str, layer: str, about: str = "size") -> dict[str, str]:
    others = rfstudio.analyze(network)[layer].other_numbers
    return {x.value: x.reason for x in others if x.about == about}


# The numbers of the pages; see "Mistakes in common sources" in docs/definitions.md.
@pytest.mark.parametrize(
    ("network", "layer", "value", "because"),
    [
        ("vgg16", "conv3_1", "15", "one convolution a stage"),
        ("vgg16", "conv4_1", "31", "one convolution a stage"),
        ("vgg16", "conv5_1", "63", "one convolution a stage"),
        ("vgg16", "pool1", "10", "going back"),
        ("resnet50", "layer4", "483", "first 1×1"),
        ("resnet50_v1", "layer4", "427", "torchvision"),
        ("efficientnet_b0", "stage7.depthwise", "851", "convolutions alone"),
    ],
)
def test_that_numbers_of_pages_are_recognised(network, layer, value, because) -> None:
    assert because in _found(network, layer)[value]


def test_that_the_usual_guesses_of_an_overlap_are_named() -> None:
    # A U-Net of field 204 and padding 94 needs 107 samples a side.
    assert set(_found("unet", "classifier", "overlap")) == {"102", "94"}


def test_that_there_are_no_two_versions_of_depthwise_convolutions() -> None:
    assert "551" not in _found("mobilenet_v2", "layer_18.depthwise")


def test_that_dilation_and_the_first_centre_are_named() -> None:
    conv = Layer(ops.Conv(kernel_size=3, dilation=4, padding=4), "a")
    layer = analyze(Architecture("n", "", "", (32, 32), 1, (conv,)))["a"]
    others = {(x.about, x.value) for x in layer.other_numbers}
    # By hand: 9 with dilation and 3 without; the centre of unit 0 is pixel 0.
    assert ("size", "3") in others
    assert ("centre", "0.5") in others
    assert ("size", "9") not in others


def test_that_the_share_of_a_side_is_no_share_of_the_image() -> None:
    conv = Layer(ops.Conv(kernel_size=6), "a")
    unit = analyze(Architecture("n", "", "", (32, 32), 1, (conv,))).unit("a")
    # 6 of 32 pixels a side are 18.75 %, and 36 of 1024 pixels 3.5 %.
    (other,) = unit.other_numbers
    assert (other.about, other.value) == ("coverage", "18.8 %")
    assert "3.52 %" in other.reason


def test_that_a_border_unit_sees_the_other_end_where_padding_turns_around() -> None:
    def reason(mode: str) -> str:
        conv = Layer(ops.Conv(kernel_size=5, padding=2, padding_mode=mode), "a")
        others = analyze(Architecture("n", "", "", (16, 16), 1, (conv,)))["a"].other_numbers
        return next(x.reason for x in others if x.about == "padding")

    # Unit 0 reads -2 to 2: of the image 0 to 2, and the samples 14 and 15 if it is turned around.
    assert "unit 0 sees at most 3 pixels" in reason("zeros")
    assert "unit 0 sees at most 3 pixels" in reason("replicate")
    assert "the other end of the image" in reason("circular")
    assert "at most" not in reason("circular")
