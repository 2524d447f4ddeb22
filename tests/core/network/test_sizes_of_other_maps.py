"""Maps that take their size from another map, at any size of the input.

The right values of the two networks are torch's: pixels with a gradient in the same modules, and
the sizes of their outputs.
"""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import rfstudio
from rfstudio.core import ops
from rfstudio.core.editing import edits
from rfstudio.core.errors import FormatError, OpError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.presets import read_preset
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.pytorch.source import write_pytorch

PYRAMID = """\
format: 1
name: pyramid
input: {size: [97, 130], channels: 3}
layers:
  - conv: {name: c2, kernel_size: 3, stride: 2, padding: 1, out_channels: 8}
  - conv: {name: c3, kernel_size: 3, stride: 2, padding: 1}
  - conv: {name: c4, kernel_size: 3, stride: 2, padding: 1}
  - conv: {name: l3, from: c3, kernel_size: 1}
  - upsample: {name: up4, from: c4, size_of: c3}
  - add: {name: p3, from: [l3, up4]}
  - upsample: {name: up3, size_of: c2}
  - add: {name: p2, from: [c2, up3]}
"""


@pytest.mark.parametrize(
    ("size", "output", "region"),
    [
        ((97, 130), (49, 65), ((33, 47), (33, 47))),
        ((128, 128), (64, 64), ((33, 47), (33, 47))),
    ],
)
def test_that_a_pyramid_resizes_to_its_laterals_at_any_size(size, output, region) -> None:
    analysis = analyze(read_yaml(PYRAMID), input_size=size)
    assert analysis["p2"].output_size == output
    assert analysis.unit("p2", (20, 20)).visible_region == region


def test_that_the_pyramid_is_the_module_that_torch_makes_of_it() -> None:
    network = read_yaml(PYRAMID)
    module = to_torch(network, seed=3)
    image = torch.randn(1, 3, 101, 90, generator=torch.Generator().manual_seed(0))
    weights = module.state_dict()

    def conv(x: torch.Tensor, name: str, stride: int = 2, padding: int = 1) -> torch.Tensor:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return functional.conv2d(x, weight, bias, stride, padding)

    low = conv(image, "c2")
    middle = conv(low, "c3")
    high = functional.interpolate(conv(middle, "c4"), size=middle.shape[2:])
    lateral = conv(middle, "l3", 1, 0)
    wanted = low + functional.interpolate(lateral + high, size=low.shape[2:])
    torch.testing.assert_close(module(image), wanted)


def test_that_written_source_takes_sizes_from_maps() -> None:
    text = write_pytorch(read_yaml(PYRAMID))
    assert "F.interpolate(c4, size=c3.shape[2:])" in text
    assert "F.interpolate(x, size=c2.shape[2:])" in text


def test_that_deeplab_works_at_any_size() -> None:
    analysis = analyze(read_preset("deeplab_v3_resnet50"), input_size=(400, 500))
    assert analysis["classifier.aspp.image.spread"].output_size == (50, 63)
    assert analysis["classifier.aspp"].output_size == (50, 63)
    assert analysis.layers[-1].output_size == (400, 500)


@pytest.mark.parametrize(
    ("op", "size"),
    [
        (ops.Pad(size_of="wide"), (13, 10)),
        (ops.AdaptiveAvgPool(size_of="wide"), (13, 10)),
        (ops.Crop(size_of="narrow"), (5, 4)),
        (ops.Upsample(size_of="input", mode="bilinear"), (13, 10)),
    ],
)
def test_that_written_source_computes_the_same_at_other_sizes(op, size) -> None:
    layers = (
        Layer(ops.Pad(padding=0), "wide"),
        Layer(ops.Conv(kernel_size=3, stride=3, padding=1), "narrow"),
        Layer(ops.Upsample(scale_factor=2), "middle"),
        Layer(op, "last"),
    )
    network = Architecture(input_size=(8, 9), channels=2, layers=layers)
    assert analyze(network, input_size=(13, 10))["last"].output_size == size
    names: dict[str, type[torch.nn.Module]] = {}
    exec(write_pytorch(network), names)
    written = names["Untitled"]()
    module = to_torch(network, seed=1)
    written.load_state_dict(module.state_dict())
    image = torch.randn(2, 2, 13, 10, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(written(image), module(image))


def test_that_reading_and_writing_again_gives_the_same_network() -> None:
    network = read_yaml(PYRAMID)
    assert read_yaml(write_yaml(network)) == network


def test_that_a_size_follows_the_name_of_its_layer() -> None:
    network = read_yaml(PYRAMID)
    renamed = edits.rename(network, (0,), "stem")
    upsample = renamed.layers[6]
    assert isinstance(upsample, Layer)
    assert upsample.op == ops.Upsample(size_of="stem")
    shorter = edits.delete(network, [(1,)])
    follower = shorter.layers[3]
    assert isinstance(follower, Layer)
    assert follower.op == ops.Upsample(size_of="c2")
    assert not expand(shorter).faults


def test_that_a_missing_map_is_named_with_its_place() -> None:
    wrong = PYRAMID.replace("size_of: c2", "size_of: c22")
    with pytest.raises(FormatError) as caught:
        read_yaml(wrong, "p.yaml")
    assert str(caught.value) == (
        "p.yaml:11:36: 'up3' takes its size from 'c22', but no layer of that name comes before "
        "it; did you mean 'c2'?"
    )
    late = PYRAMID.replace("size_of: c3", "size_of: p2")
    with pytest.raises(FormatError, match="'up4' takes its size from 'p2', which comes later"):
        read_yaml(late)


def test_that_one_way_of_giving_a_size_excludes_the_others() -> None:
    with pytest.raises(OpError, match="either scale_factor or size or size_of"):
        ops.Upsample(size=3, size_of="input")
    with pytest.raises(OpError, match="either padding or size_of"):
        ops.Pad()
    with pytest.raises(OpError, match="output_size must be .*; or size_of the name of a layer"):
        ops.AdaptiveMaxPool()


def test_that_tiles_say_where_two_sizes_decide() -> None:
    network = read_yaml(PYRAMID)
    assert rfstudio.tiles(network, image=(128, 128)).exact
    assert not rfstudio.tiles(network, image=(97, 130)).exact
