"""Attention of a user's own module, against the weights that its own layers return."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import rfstudio
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.attention_layers import attention_paths
from rfstudio.formats.networks.yaml_reader import read_yaml
from tests.narrowing import instance, present


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        self.mlp = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        y, _ = self.attention(y, y, y, need_weights=False)
        result: Tensor = x + self.mlp(x + y)
        return result


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 8, 8)
        self.token = nn.Parameter(torch.randn(1, 1, 16))
        self.position = nn.Parameter(torch.randn(1, 13, 16))
        self.blocks = nn.Sequential(Block(), Block())
        self.head = nn.Linear(16, 5)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patch(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        result: Tensor = self.head(self.blocks(x)[:, 0])
        return result


@pytest.mark.slow
def test_that_a_module_is_measured_with_the_weights_of_its_own_softmax() -> None:
    torch.manual_seed(0)
    module = Small().eval()
    image = torch.randn(1, 3, 24, 32)
    judged: list[np.ndarray] = []

    def judge(attention: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found = instance(nn.MultiheadAttention, attention)
        query, key, value = inputs
        _, weights = found.forward(query, key, value, average_attn_weights=False)
        judged.append(present(weights)[0].detach().double().numpy())

    attentions = [x for x in module.modules() if isinstance(x, nn.MultiheadAttention)]
    handles = [x.register_forward_pre_hook(judge) for x in attentions]
    module(image)
    for handle in handles:
        handle.remove()
    network = rfstudio.load(module, input_size=(24, 32))
    found = rfstudio.attentions(network, images=image)
    assert [x.layer for x in found] == ["blocks.0.attention", "blocks.1.attention"]
    places = np.indices((3, 4)).reshape(2, -1).T * 8.0
    apart = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
    for layer, weights in zip(found, judged, strict=True):
        placed = weights[:, 1:, 1:]
        far = (placed * apart).sum(2) / placed.sum(2)
        assert layer.distance == pytest.approx(far.mean(1), rel=1e-4)
        assert layer.to_tokens == pytest.approx(weights[:, 1:, 0].mean(1), rel=1e-4)
        middle = 1 + 1 * 4 + 2  # after the token, row 1, column 2
        assert layer.maps == pytest.approx(weights[:, middle, 1:].reshape(4, 3, 4), abs=1e-6)
    graph = rfstudio.analyze(network).graph
    assert attention_paths(graph) == ["blocks.0.attention", "blocks.1.attention"]
    # Without its head, the network that the module was rebuilt as has the same weights.
    imported = rfstudio.load(module, input_size=(24, 32))
    rebuilt = replace(imported, layers=imported.layers[:-1])
    edited = rfstudio.attentions(rebuilt, images=image, weights="model")
    for layer, same in zip(edited, found, strict=True):
        assert layer.layer == f"{same.layer}.dot_product_attention1"
        assert layer.distance == pytest.approx(same.distance, rel=1e-4)
    asked = rfstudio.attention(network, "blocks.1.attention.extra", images=image)
    assert asked.maps == pytest.approx(judged[1][:, 0, 1:].reshape(4, 3, 4), abs=1e-6)
    with pytest.raises(RFStudioError, match="there are blocks.0.attention"):
        rfstudio.attention(network, "patch", images=image)


def test_that_the_attention_of_an_import_is_listed_and_needs_the_weights_of_the_model() -> None:
    network = read_yaml(
        "format: 1\ninput: {size: [12, 12], channels: 8}\nlayers:\n"
        "  - sequence: {name: first, layers: [\n"
        "      {block_mix: {name: block_mix1, size: 4, label: attention}}, {relu: {name: r}}]}\n"
        "  - block_mix: {name: mlp, size: 4, label: mixer}\n"
        "  - block_mix: {name: whole, size: 4, label: attention}\n"
        "  - block_mix: {name: block_mix1, size: 4, label: attention}\n"
    )
    analysis = rfstudio.analyze(network)
    assert attention_paths(analysis.graph) == ["first", "whole"]
    with pytest.raises(RFStudioError, match="unedited and with the weights of the model"):
        rfstudio.attention(network, "first")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pt2", "onnx"])
def test_that_attention_of_a_file_is_that_of_its_module(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Small().eval()
    module.blocks.insert(1, nn.Sequential(nn.Linear(16, 16), nn.GELU()))
    image = torch.randn(1, 3, 24, 32)
    path = tmp_path / f"small.{kind}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "pt2":
            torch.export.save(torch.export.export(module, (image,)), path)
        else:
            pytest.importorskip("onnx")
            torch.onnx.export(module, (image,), path, dynamo=False, opset_version=17)
    wanted = rfstudio.attentions(rfstudio.load(module, input_size=(24, 32)), images=image)
    found = rfstudio.attentions(str(path), images=image)
    assert [x.layer.removesuffix(".dot_product_attention1") for x in found] == [
        x.layer for x in wanted
    ]
    for own, layer in zip(wanted, found, strict=True):
        assert layer.distance == pytest.approx(own.distance, rel=1e-4)
        assert layer.maps == pytest.approx(own.maps, abs=1e-5)
        assert layer.to_tokens == pytest.approx(own.to_tokens, rel=1e-4)
