"""The networks that ship: their modules have the analysis' shapes and parameters, and cones."""

import pytest
import torch

from rfstudio.core.fields.analysis import analyze
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.module.cone import input_of, scatter, unit_box
from rfstudio.formats.networks.presets import read_preset
from tests.each_preset import each_preset


@pytest.mark.parametrize("name", each_preset())
def test_that_a_preset_has_the_parameters_that_are_counted(name: str) -> None:
    architecture = read_preset(name)
    with torch.device("meta"):
        module = GraphModule(architecture)
    # Auxiliary heads are not in the way to the last layer; declared operations have no weights.
    # The weights of a layer that has those of another one are counted there, needed or not.
    needed = {module.graph.weights_of.get(i, i) for i in module.needed}
    wanted = {module.graph.nodes[i].name for i in needed}
    counted = sum(
        layer.parameters
        for layer in analyze(architecture).layers
        if layer.name in wanted and layer.op != "custom"
    )
    assert sum(x.numel() for x in module.parameters()) == counted


@pytest.mark.parametrize(
    ("name", "layer", "unit", "side"),
    [
        # Half of its own size, where the field of 92 pixels still leaves most of the image out.
        ("vgg16", "conv4_3", (0, 13), 112),
        ("resnet18", "layer3", (7, 7), 224),
        ("googlenet", "inception4a", (13, 0), 224),
        ("mobilenet_v2", None, None, 64),
        pytest.param("unet", None, (128, 3), 64, marks=pytest.mark.slow),
    ],
)
def test_that_the_cone_of_a_preset_has_the_gradient_of_the_whole_image(
    name: str, layer: str | None, unit: tuple[int, int] | None, side: int
) -> None:
    """Section 3 of the specification asks for 1e-12 of the peak in double precision."""
    module = to_torch(read_preset(name), layer, dtype=torch.float64, input_size=(side, side))
    size = module.graph.nodes[module.target].size
    place = unit if unit and all(u < n for u, n in zip(unit, size, strict=True)) else (0, 0)
    source = torch.Generator().manual_seed(0)
    shape = (1, 3, *module.graph.nodes[0].size)
    image = torch.randn(shape, generator=source, dtype=torch.float64)
    gradients = []
    for full in (False, True):
        plan = module.plan(tuple(image.shape[2:]), unit_box(place), full=full)
        x = input_of(plan, image).clone().requires_grad_()
        (gradient,) = torch.autograd.grad(plan.run(x).sum(), x)
        gradients.append(scatter(plan, gradient))
    cone, whole = gradients
    assert whole.abs().max() > 0
    assert (cone - whole).abs().max() <= 1e-12 * whole.abs().max()
