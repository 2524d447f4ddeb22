"""Every preset reads without a problem, says where it comes from and answers by its known names."""

from functools import cache

import pytest

import rfstudio
from rfstudio import paths
from rfstudio.core.fields.analysis import Analysis

PRESETS = sorted(file.stem for file in paths.architectures().glob("*.yaml"))

# The names by which TF-Slim hands out its feature maps (research/slim/nets).
SLIM_END_POINTS = {
    "alexnet_v2": "conv1 pool1 conv2 pool2 conv3 conv4 conv5 pool5 fc6 fc7 fc8",
    "resnet_v1_50_slim": "conv1 pool1 block1 block2 block3 block4 global_pool logits",
    "resnet_v1_101_slim": "conv1 pool1 block1 block2 block3 block4 global_pool logits",
    "resnet_v1_152_slim": "conv1 pool1 block1 block2 block3 block4 global_pool logits",
    "resnet_v1_200_slim": "conv1 pool1 block1 block2 block3 block4 global_pool logits",
    "inception_v2": "Conv2d_1a_7x7 MaxPool_2a_3x3 Conv2d_2b_1x1 Conv2d_2c_3x3 MaxPool_3a_3x3 "
    "Mixed_3b Mixed_3c Mixed_4a Mixed_4b Mixed_4c Mixed_4d Mixed_4e Mixed_5a Mixed_5b Mixed_5c "
    "Logits",
    "inception_v3": "Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 MaxPool_3a_3x3 Conv2d_3b_1x1 "
    "Conv2d_4a_3x3 MaxPool_5a_3x3 Mixed_5b Mixed_5c Mixed_5d Mixed_6a Mixed_6b Mixed_6c Mixed_6d "
    "Mixed_6e Mixed_7a Mixed_7b Mixed_7c Logits",
    "inception_v4": "Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 Mixed_3a Mixed_4a Mixed_5a "
    "Mixed_5b Mixed_5c Mixed_5d Mixed_5e Mixed_6a Mixed_6b Mixed_6c Mixed_6d Mixed_6e Mixed_6f "
    "Mixed_6g Mixed_6h Mixed_7a Mixed_7b Mixed_7c Mixed_7d Logits",
    "inception_resnet_v2": "Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 MaxPool_3a_3x3 "
    "Conv2d_3b_1x1 Conv2d_4a_3x3 MaxPool_5a_3x3 Mixed_5b Mixed_6a PreAuxLogits Mixed_7a "
    "Conv2d_7b_1x1 Logits",
    "mobilenet_v1": "Conv2d_0 Logits "
    + " ".join(f"Conv2d_{i}_depthwise Conv2d_{i}_pointwise" for i in range(1, 14)),
    "mobilenet_v2": " ".join(f"layer_{i}" for i in range(1, 20)),
}


@cache
def _analysis(network: str, side: int | None = None) -> Analysis:
    size = None if side is None else (side, side)
    return rfstudio.analyze(rfstudio.load(network), input_size=size)


@pytest.mark.parametrize("network", PRESETS)
def test_that_a_preset_says_what_it_is_and_where_it_comes_from(network: str) -> None:
    architecture = rfstudio.load(network)
    assert architecture.name
    assert architecture.description
    assert architecture.reference


@pytest.mark.parametrize("network", PRESETS)
def test_that_a_preset_is_analysed_without_a_fault(network: str) -> None:
    analysis = _analysis(network)
    assert not [x for x in analysis.diagnostics if x.severity == "error"]
    assert all(min(layer.output_size) > 0 for layer in analysis.layers)


@pytest.mark.parametrize("network", sorted(SLIM_END_POINTS))
def test_that_end_points_of_tf_slim_can_be_asked_for_by_name(network: str) -> None:
    analysis = _analysis(network)
    for end_point in SLIM_END_POINTS[network].split():
        assert analysis[end_point].channels > 0


@pytest.mark.parametrize("side", [224, 299, 321])
def test_that_same_padding_aligns_inception_resnet_v2(side: int) -> None:
    # align_feature_maps of TF-Slim is there for this
    layer = _analysis("inception_resnet_v2_same", side)["Conv2d_7b_1x1"]
    assert layer.alignment == ("aligned", "aligned")


@pytest.mark.parametrize("stage", ["layer1", "layer2", "layer3", "layer4"])
def test_that_dilation_in_place_of_stride_keeps_the_map_at_an_eighth(stage: str) -> None:
    # Chen et al. 2017, section 3.1: output stride 8
    sizes = {"layer1": 130, "layer2": 65, "layer3": 65, "layer4": 65}
    for network in ("deeplab_v3_resnet50", "fcn_resnet50"):
        assert _analysis(network)[stage].output_size == (sizes[stage], sizes[stage])


def test_that_darknet_53_has_the_three_scales_of_yolo() -> None:
    # Redmon and Farhadi 2018, section 2.3: boxes at 3 scales, of strides 32, 16 and 8; at 416
    # pixels the coarsest map has 13 × 13 cells.
    analysis = _analysis("darknet53", 416)
    scales = {name: analysis[name] for name in ("layer3", "layer4", "layer5")}
    assert [x.jump for x in scales.values()] == [(8, 8), (16, 16), (32, 32)]
    assert [x.output_size for x in scales.values()] == [(52, 52), (26, 26), (13, 13)]


def test_that_the_3d_resnet_has_the_maps_of_its_paper() -> None:
    # Tran et al. 2017, table 1: L/8 × 7 × 7 behind conv5_x for clips of L × 112 × 112.
    assert _analysis("r3d_18")["layer4"].output_size == (2, 7, 7)


def test_that_groups_leave_the_fields_of_resnet50_as_they_are() -> None:
    plain, grouped = _analysis("resnet50"), _analysis("resnext50_32x4d")
    assert [x.fields for x in plain.layers] == [x.fields for x in grouped.layers]


def test_that_c3d_hands_its_first_full_layer_the_maps_of_its_paper() -> None:
    # Tran et al. 2015, section 3.1: 3 × 3 × 3 kernels and pools of 2 × 2 × 2, but 1 × 2 × 2 first;
    # the authors' network pads the last pool, so that fc6 reads 8192 = 512 · 4 · 4 values.
    analysis = _analysis("c3d")
    maps = {"pool1": (16, 56, 56), "pool2": (8, 28, 28), "pool4": (2, 7, 7), "pool5": (1, 4, 4)}
    assert {name: analysis[name].output_size for name in maps} == maps
    assert sum(x.macs for x in analysis.layers) == pytest.approx(38.5e9, abs=0.05e9)  # MMAction2


def test_that_the_branches_of_hrnet_keep_four_resolutions() -> None:
    # Wang et al. 2019, figure 1: a quarter to a thirty-second, of C, 2C, 4C and 8C channels
    analysis = _analysis("hrnet_w32")
    ends = [analysis[f"stage4.module2.fuse{i}"] for i in range(4)]
    assert [x.output_size for x in ends] == [(56, 56), (28, 28), (14, 14), (7, 7)]
    assert [x.channels for x in ends] == [32, 64, 128, 256]


def test_that_blocks_of_mobilenet_v3_have_the_maps_of_its_paper() -> None:
    # Howard et al. 2019, table 1, column "Input" of the rows behind
    analysis = _analysis("mobilenet_v3_large")
    sides = {"stem": 112, "block2": 56, "block4": 28, "block7": 14, "block13": 7, "last": 7}
    for name, side in sides.items():
        assert analysis[name].output_size == (side, side)


def test_that_the_3d_u_net_has_the_output_of_its_paper() -> None:
    # Çiçek et al. 2016, figure 2: 132×132×116 voxels in, 44×44×28 out
    analysis = _analysis("unet_3d")
    assert analysis.layers[-1].output_size == (28, 44, 44)
    assert analysis.layers[-1].channels == 3
