"""Networks get the outputs of a task: what is added, exchanged and left out."""

import pytest

from rfstudio.core import ops
from rfstudio.core.editing.outputs import with_outputs
from rfstudio.core.errors import GraphError
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.formats.networks.presets import open_network


def network(*operations: ops.Op) -> Architecture:
    return Architecture(input_size=(16, 16), layers=tuple(map(Layer, operations)))


def end(found: Architecture) -> tuple[int, tuple[int, ...]]:
    graph = expand(found)
    assert not graph.faults
    return graph.nodes[-1].channels, graph.nodes[-1].size


CONV = ops.Conv(kernel_size=3, stride=2, padding=1, out_channels=5)
FLAT = (CONV, ops.GlobalAvgPool(), ops.Linear(out_features=7))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((CONV,), "with a convolution to 2 outputs, interpolated to the size of the image"),
        (FLAT, "without global_avg_pool1, linear1, with a convolution to 2 outputs, interpolated"),
        ((ops.Conv(kernel_size=1, out_channels=2),), ""),
    ],
    ids=["strided", "classifier", "fits"],
)
def test_that_each_pixel_gets_two_outputs(given: tuple[ops.Op, ...], words: str) -> None:
    found, changes = with_outputs(network(*given), 2, per_pixel=True)
    assert end(found) == (2, (16, 16))
    assert changes.startswith(words)
    assert bool(changes) == bool(words)
    assert with_outputs(found, 2, per_pixel=True) == (found, "")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((CONV,), "with the mean over all positions and 3 outputs of it"),
        (FLAT, "with 3 outputs"),
        (FLAT[:2], "with 3 outputs"),
        ((*FLAT[:2], ops.Linear(out_features=3)), ""),
    ],
    ids=["map", "other classes", "pooled", "fits"],
)
def test_that_an_image_gets_an_output_for_each_class(given: tuple[ops.Op, ...], words: str) -> None:
    found, changes = with_outputs(network(*given), 3, per_pixel=False)
    assert end(found) == (3, (1, 1))
    assert changes == words
    assert with_outputs(found, 3, per_pixel=False) == (found, "")


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "unet", "vit_b16", "mobilenet_v2"])
def test_that_presets_can_be_trained_on_either_task(name: str) -> None:
    preset = open_network(name)
    found, _ = with_outputs(preset, 2, per_pixel=True)
    assert end(found) == (2, preset.input_size)
    found, _ = with_outputs(preset, 10, per_pixel=False)
    assert end(found) == (10, (1, 1))


def test_that_a_network_without_positions_is_refused() -> None:
    with pytest.raises(GraphError, match="no layer of the network has positions"):
        with_outputs(network(ops.GlobalAvgPool()), 2, per_pixel=True)
