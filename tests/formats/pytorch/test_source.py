"""The written source runs, and is the same network."""

import ast
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import assume, given
from torch import nn

from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture, Layer, walk
from rfstudio.core.network.expansion import expand
from rfstudio.core.network.graph import Graph
from rfstudio.engine.module.build import GraphModule
from rfstudio.formats.networks.presets import read_preset
from rfstudio.formats.pytorch import source as pytorch_source
from rfstudio.formats.pytorch.source import write_pytorch
from tests.each_preset import each_preset
from tests.strategies import architectures


def _module(source: str) -> nn.Module:
    space: dict[str, Any] = {}
    exec(compile(source, "network.py", "exec"), space)
    (name,) = [x.name for x in ast.parse(source).body if isinstance(x, ast.ClassDef)][-1:]
    module: nn.Module = space[name]()
    return module.eval()


def _parameters(graph: Graph) -> int:
    total = 0
    for node in graph.nodes[1:]:
        if node.index in graph.weights_of:
            continue
        source = graph.nodes[node.inputs[0]]
        assert node.op is not None
        total += node.op.costs(source.channels, node.channels, source.size, node.size).parameters
    return total


def _has_custom(architecture: Architecture) -> bool:
    return any(
        isinstance(item, Layer) and isinstance(item.op, ops.Custom | ops.Mixer)
        for _, item in walk(architecture)
    )


# Deeper and shallower twins of others, whose source has no line of another kind.
TWINS = {
    *("vgg11", "vgg13", "vgg19", "resnet34", "resnet101", "resnet152", "resnet101_v1"),
    *("resnet152_v1", "resnet200_v1", "resnet_v1_101_slim", "resnet_v1_152_slim"),
    *("resnet_v1_200_slim", "inception_resnet_v2_same"),
}


@pytest.mark.parametrize("preset", each_preset(TWINS))
def test_that_the_source_of_a_preset_has_the_shapes_and_counts_of_the_analysis(
    preset: str,
) -> None:
    architecture = read_preset(preset)
    graph = expand(architecture)
    source = write_pytorch(architecture)
    with torch.device("meta"):
        module = _module(source)
        made = [x.op for x in graph.nodes[1:] if isinstance(x.op, ops.Custom | ops.Mixer)]
        declared = sum(x.parameters for x in made)
        counted = sum(x.numel() for x in module.parameters())
        assert counted == _parameters(graph) - declared
        if _has_custom(architecture):
            return
        found = _last(module(torch.empty(2, architecture.channels, *architecture.input_size)))
    assert found.shape == (2, graph.nodes[-1].channels, *graph.nodes[-1].size)


@given(architectures())
def test_that_the_source_of_any_network_computes_what_the_program_computes(
    architecture: Architecture,
) -> None:
    assume(not _has_custom(architecture))
    graph = expand(architecture)
    assume(0 not in graph.nodes[-1].size)
    assume(not any(_completes_a_cropped_window(x.op) for x in graph.nodes))
    # A layer named as the index of an unnamed repeat has no place of its own in a state dict.
    paths = {x.name for x in graph.nodes}
    scopes = {x.rpartition(".")[0] for x in paths}
    assume(paths.isdisjoint(scopes))
    try:
        module = _module(write_pytorch(architecture)).double()
    except RFStudioError as error:
        assume("transposed convolution" not in str(error))
        raise
    torch.manual_seed(0)
    ours = GraphModule(architecture).double().eval()
    _copy_weights(ours, module, graph)
    image = torch.randn(2, architecture.channels, *architecture.input_size, dtype=torch.float64)
    try:
        found = _last(module(image))
    except (RuntimeError, ValueError) as error:
        # Statistics of one position, which torch refuses and the program takes as they are.
        assume("Expected more than 1" not in str(error))
        raise
    expected = ours(image)
    assert found.shape == expected.shape
    # Norms of values that are nearly equal magnify the last digits.
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4, equal_nan=True)


def _completes_a_cropped_window(op: Any) -> bool:
    """Whether a last window may reach samples that negative padding has cropped."""
    if not getattr(op, "ceil_mode", False) or isinstance(op.padding, str):
        return False
    pads = op.padding if isinstance(op.padding, tuple) else (op.padding,)
    return any(min(x) < 0 if isinstance(x, tuple) else x < 0 for x in pads)


def _last(maps: Any) -> torch.Tensor:
    return maps[-1] if isinstance(maps, tuple) else maps


def _weights(module: nn.Module) -> list[torch.Tensor]:
    return [x for name, x in module.state_dict().items() if not name.endswith("tracked")]


def _copy_weights(ours: GraphModule, module: nn.Module, graph: Graph) -> None:
    """Give both the same weights; those of a layer come in the same order in both."""
    attributes = dict(
        zip((x.name for x in graph.nodes), pytorch_source._identifiers(graph), strict=True)
    )
    for layer in ours.layers():  # those that its map needs; the source has all
        weights = _weights(layer)
        theirs = _weights(getattr(module, attributes[layer.label])) if weights else []
        for source, target in zip(weights, theirs, strict=True):
            value = torch.rand(source.shape, dtype=torch.float64) + 0.1
            source.copy_(value)
            target.copy_(value.view(target.shape))


def test_that_the_names_of_torch_are_not_taken() -> None:
    public = {x for x in dir(nn.Module()) if not x.startswith("_")}
    assert public <= pytorch_source._RESERVED


def test_that_the_source_reads_as_people_would_write_it() -> None:
    architecture = Architecture(
        name="Two convs",
        description='A """note""".',
        input_size=(8, 8),
        layers=(
            Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4), "stem"),
            Layer(ops.Relu()),
            Layer(ops.Conv(kernel_size=3, padding="same", stride=2, bias=False), "forward"),
            Layer(ops.GlobalAvgPool()),
            Layer(ops.Multiply(), inputs=("stem", "stem")),
            Layer(ops.Sigmoid()),
        ),
    )
    assert write_pytorch(architecture) == (
        "# Two convs\n"
        '# A """note""".\n'
        "# Written by RF Studio for images of 8 × 8 pixels.\n"
        "\n"
        "import torch\n"
        "import torch.nn.functional as F\n"
        "from torch import nn\n"
        "\n"
        "\n"
        "class TwoConvs(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.stem = nn.Conv2d(3, 4, 3, padding=1)\n"
        "        self.forward_ = nn.Conv2d(4, 4, 3, stride=2, bias=False)\n"
        "\n"
        "    def forward(self, x):\n"
        "        stem = self.stem(x)\n"
        "        x = F.relu(stem)\n"
        "        x = self.forward_(F.pad(x, (0, 1, 0, 1)))\n"
        "        global_avg_pool1 = F.adaptive_avg_pool2d(x, 1)\n"
        "        x = stem * stem\n"
        "        x = torch.sigmoid(x)\n"
        "        return global_avg_pool1, x\n"
    )


def test_that_no_text_of_a_network_becomes_code() -> None:
    architecture = Architecture(
        name="x\rimport os\u2028raise SystemExit",
        description="\nraise SystemExit\x0craise SystemExit\0",
        layers=(Layer(ops.Custom(label="'); raise SystemExit #{x}\n"), 'a"]\nraise'),),
    )
    tree = ast.parse(write_pytorch(architecture))
    outside = [x for x in tree.body if not isinstance(x, ast.Import | ast.ImportFrom)]
    assert all(isinstance(x, ast.ClassDef) for x in outside)
    assert not any(isinstance(x, ast.Raise) for x in tree.body)
    module = _module(write_pytorch(architecture))
    with pytest.raises(NotImplementedError, match="raise SystemExit"):
        module(torch.zeros(1, 3, 224, 224))


def test_that_a_network_with_faults_is_not_written() -> None:
    broken = Architecture(layers=(Layer(ops.Conv(kernel_size=999)),))
    with pytest.raises(RFStudioError, match="would be empty"):
        write_pytorch(broken)


def test_that_a_pool_without_a_window_in_its_back_padding_is_written_so() -> None:
    # Four samples with three around, windows of one at 0, 3, 6 and 9: by PyTorch's rule for
    # ceil_mode the one that would start behind the samples is left out.
    pool = ops.AvgPool(kernel_size=1, stride=3, padding=3, ceil_mode=True)
    architecture = Architecture(input_size=(4, 4), layers=(Layer(pool),))
    assert expand(architecture).nodes[-1].size == (3, 3)
    with torch.no_grad():
        found = _module(write_pytorch(architecture))(torch.ones(1, 3, 4, 4))
    assert found[0, 0].tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 1]]


def test_that_a_layer_scale_of_a_whole_number_is_a_parameter() -> None:
    architecture = Architecture(input_size=(4, 4), layers=(Layer(ops.LayerScale(init=1)),))
    image = torch.randn(1, 3, 4, 4)
    assert torch.equal(_module(write_pytorch(architecture))(image), image)


@pytest.mark.parametrize(
    "op",
    [
        ops.GridAttention(grid=(3, 5), heads=2),
        ops.GridAttention(grid=(12, 1), heads=4),
        ops.DotProductAttention(heads=2),
        ops.DotProductAttention(window_size=(4, 3), shift_size=(1, 0), heads=4),
        ops.DotProductAttention(window_size=(12, 1), relative_position_bias=True),
        ops.Attention(heads=2, axes=(0,)),
        ops.Attention(heads=2, axes=(1,), causal=True),
        ops.Unfold(kernel_size=(3, 2), stride=(1, 2), padding=((1, 2), (0, 1)), dilation=(2, 1)),
        ops.Unfold(kernel_size=3, padding=(1, 2), stride=2, dilation=(1, 2)),
        ops.Fold(kernel_size=(2, 4), stride=(1, 2), padding=((1, 0), (0, 2)), dilation=(2, 1)),
        ops.Fold(kernel_size=2, padding=1, stride=2, output_size=(23, 18)),
        ops.AxisLinear(axes=(0,), output_size=(5, None)),
        ops.AxisLinear(axes=(1,), bias=False),
        ops.AxisLinear(axes=(0, 1), output_size=(4, 7)),
        ops.AxisMean(axes=(0,)),
        ops.AxisMean(axes=(0, 1), keep=True),
        ops.AxisMax(axes=(1,), keep=True),
    ],
    ids=repr,
)
def test_that_the_source_of_an_operation_along_axes_computes_the_same(op: ops.Op) -> None:
    network = Architecture(input_size=(12, 10), channels=8, layers=(Layer(op, "a"),))
    module = _module(write_pytorch(network)).double()
    ours = GraphModule(network).double().eval()
    torch.manual_seed(0)
    for weights in ours.parameters():
        torch.nn.init.normal_(weights)
    _copy_weights(ours, module, expand(network))
    image = torch.randn(2, 8, 12, 10, dtype=torch.float64)
    torch.testing.assert_close(_last(module(image)), ours(image))


@pytest.mark.parametrize("size", [(9, 8), (11,)])
@pytest.mark.parametrize("reach", [None, 1])
def test_that_deformable_convolutions_read_their_offsets(
    size: tuple[int, ...], reach: int | None
) -> None:
    axes, conv = len(size), partial(ops.Conv, kernel_size=3, stride=2, padding=1)
    taps = 3**axes
    op = ops.DeformConv(
        kernel_size=3, stride=2, padding=1, groups=2, out_channels=6, max_offset=reach
    )
    network = Architecture(
        input_size=size,
        channels=4,
        layers=(
            Layer(conv(out_channels=2 * axes * taps), "offset"),
            Layer(conv(out_channels=2 * taps), "logits", ("input",)),
            Layer(ops.Sigmoid(), "mask"),
            Layer(op, "dcn", ("input", "offset", "mask")),
        ),
    )
    source = write_pytorch(network)
    assert "self.dcn(image_, offset, x)" in source
    written, built = _module(source).double(), GraphModule(network).double()
    built.load_state_dict(written.state_dict())
    image = torch.randn(2, 4, *size, dtype=torch.float64)
    assert built.state_dict()["offset.weight"].abs().max() > 0
    torch.testing.assert_close(written(image), built(image), rtol=1e-12, atol=1e-12)
