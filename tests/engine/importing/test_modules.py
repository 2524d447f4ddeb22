"""Imported modules against the modules themselves."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.network.architecture import Repeat, Residual, Sequence, walk
from rfstudio.engine.importing.aten_graph import ExportError
from rfstudio.engine.importing.load import load_module
from rfstudio.engine.importing.own_module import layer_of
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.importing.imported import Imported
from tests.engine.handwritten_modules import (
    MODULES,
    Gates,
    Interleaved,
    Mixed,
    Pieces,
    Residuals,
    Signal,
    Tokens,
    Volume,
    Windows,
    seen,
)


@cache
def _module(kind: Any) -> nn.Module:
    torch.manual_seed(0)
    return kind().eval()


@cache
def _imported(kind: Any) -> Imported:
    return load_module(_module(kind), MODULES[kind][2:])


@cache
def _analysis(kind: Any) -> Analysis:
    return analyze(_imported(kind))


CASES = [
    (Residuals, "stem", 0),
    (Residuals, "layer1.0.conv2", 0),
    (Residuals, "layer1", 0),
    (Residuals, "layer2.0.down", 0),
    (Residuals, "layer2", 0),
    (Pieces, "a", 0),
    (Pieces, "b", 0),
    (Pieces, "c", 0),
    (Pieces, "d", 0),
    (Interleaved, "blocks.0", 0),
    (Interleaved, "downs.1", 0),
    (Interleaved, "blocks.2", 0),
    (Windows, "embed", 0),
    (Tokens, "patch", 0),
    (Tokens, "norm", 1),
    (Tokens, "mlp", 1),
    (Gates, "a", 0),
    (Gates, "b", 0),
    (Mixed, "b", 0),
    (Volume, "a", 0),
    (Volume, "up", 0),
    (Signal, "a", 0),
    (Signal, "b", 0),
]


@pytest.mark.parametrize(("kind", "path", "extra"), CASES)
def test_that_regions_are_those_of_nan_in_the_image(kind, path: str, extra: int) -> None:
    analysis = _analysis(kind)
    size = analysis[path].output_size
    for unit in (tuple(0 for _ in size), tuple(n // 2 for n in size)):
        wanted = seen(_module(kind), MODULES[kind], path, unit, extra)
        assert analysis.unit(path, unit).visible_region == wanted


def test_that_masks_cut_windows_where_rolling_joined_them() -> None:
    # By hand: shift 2 in a map of 16 with windows of 4, so blocks 0–1, 2–5, … 14–15; each unit of
    # the merged map reads two units, which read their blocks; a unit of the map is 2 pixels.
    analysis = _analysis(Windows)
    name = analysis.layers[-1].name
    regions = [analysis.unit(name, (i, i)).visible_region for i in range(3)]
    assert [x and x[0] for x in regions] == [(0, 3), (4, 11), (4, 11)]
    assert analysis.unit(name, (7, 7)).visible_region == ((28, 31), (28, 31))
    assert not _imported(Windows).report.of("global")


@pytest.mark.parametrize("kind", MODULES)
def test_that_nothing_is_guessed_and_the_file_gives_an_equal_analysis(kind) -> None:
    network = _imported(kind)
    assert not network.report.of("global")
    analysis = _analysis(kind)
    assert not analysis.graph.faults
    again = analyze(read_yaml(write_yaml(network)))
    assert [x.name for x in again.layers] == [x.name for x in analysis.layers]
    assert again.fields == analysis.fields
    assert again.costs == analysis.costs


@pytest.mark.parametrize("kind", [Residuals, Interleaved, Volume, Signal, Gates])
def test_that_parameters_are_counted_as_the_module_has_them(kind) -> None:
    count = sum(x.numel() for x in _module(kind).parameters())
    twice = 20 if kind is Interleaved else 0  # `shared` is called twice
    assert sum(x.parameters for x in _analysis(kind).layers) == count + twice


class _Crossing(nn.Module):
    """Attention of torch between two maps; torch then reads the matrix of projections in parts."""

    def __init__(self, key_channels: int) -> None:
        super().__init__()
        self.query, self.key = nn.Conv2d(3, 16, 2, 2), nn.Conv2d(3, key_channels, 4, 4)
        width = None if key_channels == 16 else key_channels
        self.mix = nn.MultiheadAttention(16, 2, batch_first=True, kdim=width, vdim=width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key = self.query(x).flatten(2).mT, self.key(x).flatten(2).mT
        mixed = self.mix(query, key, key, need_weights=False)[0]
        return mixed.mT.reshape(len(x), 16, 4, 4)


@pytest.mark.parametrize("key_channels", [16, 24])
def test_that_parts_of_a_matrix_count_as_parts(key_channels: int) -> None:
    module = _Crossing(key_channels).eval()
    found = sum(x.parameters for x in analyze(load_module(module, (8, 8))).layers)
    assert found == sum(x.numel() for x in module.parameters())


def test_that_the_tree_reads_as_a_person_would_write_it() -> None:
    items = [x for _, x in walk(_imported(Residuals))]
    repeats = [x for x in items if isinstance(x, Repeat)]
    assert [(x.name, x.times) for x in repeats] == [("layer1", 3)]
    assert sum(isinstance(x, Residual) for x in items) == 3
    names = [x.name for x in _analysis(Residuals).layers]
    assert "layer1.2.conv2" in names
    assert "layer2.0.down" in names
    assert "drop" in names
    assert _analysis(Residuals)["layer2"].name == "layer2.1.relu@1"


def test_that_a_list_that_is_entered_again_comes_in_parts() -> None:
    items = [x for _, x in walk(_imported(Interleaved))]
    groups = [x.name for x in items if isinstance(x, Sequence)]
    assert groups == ["blocks", "downs", "blocks", "downs", "blocks"]
    analysis = _analysis(Interleaved)
    assert analysis["blocks"].name == "blocks.2"
    assert analysis["shared@1"].output_size == (16, 12)


def test_that_channels_are_found_and_a_wrong_size_ends_in_a_sentence() -> None:
    assert _imported(Volume).channels == 2
    with pytest.raises(ExportError, match="Tokens cannot be exported for an input of 40×40"):
        load_module(Tokens(), (40, 40))


class _Sorted(nn.Module):
    """Something that no rule knows."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.a(x)
        return self.b(torch.fft.fft2(x).abs())


def test_that_what_is_not_known_is_global_and_said_with_its_place() -> None:
    network = load_module(_Sorted(), (12, 12))
    remarks = network.report.of("global")
    assert remarks
    assert "is assumed to read all of its input" in str(remarks[0])
    analysis = analyze(network)
    assert analysis["a"].rf_size == (3, 3)
    assert analysis["b"].is_global == (True, True)


class _Biased(nn.Module):
    """A bias of positions that a network of its own works out, whatever the image is."""

    table: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3)
        self.bias = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 8))
        self.register_buffer("table", torch.rand(1, 5, 5, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bias: torch.Tensor = self.bias(self.table).mean((1, 2))
        return self.b(self.a(x) + bias[:, :, None, None])


def test_that_a_module_that_does_not_depend_on_the_image_is_there_and_sees_nothing() -> None:
    network = load_module(_Biased(), (20, 24))
    assert "bias: its output does not depend on the image" not in str(network.report)
    assert "bias.2: its output does not depend on the image" in str(network.report)
    for size in ((20, 24), (4, 5)):
        analysis = analyze(network, input_size=size)
        assert not analysis.graph.faults
        for path, channels in (("bias.0", 6), ("bias.1", 6), ("bias.2", 8), ("bias", 8)):
            assert analysis[path].output_size == (5, 5)
            assert analysis[path].channels == channels
            assert analysis.unit(path, (2, 3)).visible_region is None
        assert analysis["b"].rf_size == (5, 5)
    again = analyze(read_yaml(write_yaml(network)))
    assert again["bias"].name == analyze(network)["bias"].name == "bias.2"


def test_that_a_training_module_is_left_in_training() -> None:
    module = Residuals().train()
    load_module(module, (32, 32))
    assert all(x.training for x in module.modules())
    assert not module.stem._forward_hooks


class _InBlocks(nn.Module):
    """Tokens in the order of blocks, first with one image a block, then with one token a row."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.blocks, self.order = nn.Conv2d(3, 4, 3, 2, 1), nn.Linear(4, 4), nn.LayerNorm(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.a(x)
        n, c, h, w = x.shape
        x = x.view(n, c, h // 2, 2, w // 4, 4).permute(0, 2, 4, 3, 5, 1)
        x = self.blocks(x.reshape(-1, 8, c))
        result: torch.Tensor = self.order(x.reshape(n, h * w, c))
        return result


@pytest.mark.parametrize("layer", ["blocks", "order"])
def test_that_tokens_in_any_order_are_measured_as_the_map_that_is_shown(layer: str) -> None:
    torch.manual_seed(1)
    module = _InBlocks().eval()
    network = load_module(module, (16, 16))
    assert analyze(network)[layer].output_size == (8, 8)
    measured = layer_of(network, layer, None)
    assert measured is not None
    images = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        found = measured(images)
        wanted = module.blocks(module.a(images).movedim(1, -1))
        wanted = wanted if layer == "blocks" else module.order(wanted)
    torch.testing.assert_close(found, wanted.movedim(-1, 1))


class _Detector(nn.Module):
    """Keeps boxes by their values, as detectors do, so that only what is before can be exported."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 4, 3))
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.backbone(x)
        boxes = self.head(maps.flatten(2).mT[0])
        kept: Tensor = boxes[boxes[:, 0] > 0]
        return kept if len(kept) > 4 else boxes


def test_that_of_a_detector_the_backbone_is_imported_and_the_rest_is_named() -> None:
    network = load_module(_module(_Detector), (24, 24))
    assert network.name == "_Detector"
    assert analyze(network)["backbone.2"].rf_size == (7, 7)
    assert network.weights["backbone.2"] == ("backbone.2.weight", "backbone.2.bias")
    (remark,) = network.report.of("dropped")
    assert "'head'" in remark.message
    assert isinstance(network.module, nn.Module)
    part = layer_of(network, "backbone.2", (24, 24))
    assert part is not None
    image = torch.rand(1, 3, 24, 24)
    assert torch.equal(part(image), network.module.get_submodule("backbone")(image))


class _Talking(nn.Module):
    """Says something on standard error, and then does what depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        sys.stderr.write("its own words")
        x = self.stem(x)
        return x[x.mean((0, 1)) > 0] if int((x > 0).sum()) > 9 else x


def test_that_torchs_graph_of_a_module_that_it_cannot_export_is_not_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ExportError, match="depends on values"):
        load_module(_Talking(), (9, 9))
    shown = capsys.readouterr().err
    assert "its own words" in shown
    assert "def forward" not in shown
