"""Tokens without a position beside a map, against a transformer of torch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import rfstudio
from rfstudio.core.errors import FormatError
from rfstudio.core.fields.analysis import analyze
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.weights.reading import load_weights
from rfstudio.formats.networks.yaml_reader import read_draft, read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.pytorch.source import write_pytorch

TEXT = """\
format: 1
name: Net
input: {size: [8, 6], channels: 3}
layers:
  - conv: {name: patch, kernel_size: 2, stride: 2, out_channels: 8}
  - tokens: {name: tokens, extra: 2}
  - repeat:
      name: blocks
      times: 2
      layers:
        - residual:
            name: mix
            layers:
              - layer_norm: {name: norm}
              - attention: {name: att, heads: 2}
        - residual:
            layers:
              - layer_norm: {name: norm}
              - conv: {name: fc1, kernel_size: 1, out_channels: 16}
              - gelu
              - conv: {name: fc2, kernel_size: 1, out_channels: 8}
  - layer_norm: {name: norm}
  - slice: {name: class, from: norm.extra, stop: [1, 1]}
  - linear: {name: head, out_features: 5}
"""
NETWORK = read_yaml(TEXT)


class _Transformer(nn.Module):
    """The same as a sequence of tokens, the two without a position first."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.state = state
        self.attention = [nn.MultiheadAttention(8, 2, batch_first=True).double() for _ in "ab"]
        for i, layer in enumerate(self.attention):
            prefix = f"blocks.{i}.mix.att."
            own = {x.removeprefix(prefix): y for x, y in state.items() if x.startswith(prefix)}
            layer.load_state_dict(own)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        s = self.state
        patches = nn.functional.conv2d(image, s["patch.weight"], s["patch.bias"], stride=2)
        x = (patches + s["tokens.position_embedding"]).flatten(2).mT
        extra = [y for name, y in s.items() if "extra" in name]
        x = torch.cat([torch.stack(extra).sum(0).flatten(2).mT.expand(len(x), -1, -1), x], 1)
        for i, attention in enumerate(self.attention):
            y = self._norm(x, f"blocks.{i}.mix.norm")
            x = x + attention(y, y, y, need_weights=False)[0]
            y = nn.functional.gelu(
                self._linear(self._norm(x, f"blocks.{i}.norm"), f"blocks.{i}.fc1")
            )
            x = x + self._linear(y, f"blocks.{i}.fc2")
        return self._linear(self._norm(x, "norm")[:, 0], "head")

    def _norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return nn.functional.layer_norm(x, (8,), weight, bias)

    def _linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return nn.functional.linear(x, weight.flatten(1), bias)


@pytest.fixture(scope="module")
def ours() -> Any:
    module = to_torch(NETWORK, seed=1, dtype=torch.float64)
    torch.manual_seed(0)
    for x in module.parameters():
        nn.init.normal_(x, std=0.4)
    return module


def test_that_a_class_token_has_the_values_of_a_transformer_of_torch(ours) -> None:
    image = torch.randn(2, 3, 8, 6, dtype=torch.float64)
    expected = _Transformer(ours.state_dict())(image)
    torch.testing.assert_close(ours(image)[:, :, 0, 0], expected)


def test_that_a_table_with_a_row_for_each_token_is_parted(ours, tmp_path: Path) -> None:
    """Transformers have one table of embeddings, those of the tokens without a position first."""
    state = dict(ours.state_dict())
    rows = [state[x].flatten(2).mT for x in (_EXTRA, "tokens.position_embedding")]
    file = {name: x for name, x in state.items() if x is not state[_EXTRA]}
    file["tokens.position_embedding"] = torch.cat(rows, 1)
    file["registers"] = file.pop("tokens~.extra.tokens").flatten(2).mT
    torch.save(file, tmp_path / "w.pt")
    names = (
        ("tokens.extra.tokens", "registers"),
        ("tokens.extra.position_embedding", "tokens.position_embedding"),
    )
    module = to_torch(replace(NETWORK, weight_names=names), dtype=torch.float64)
    loaded = load_weights(module, tmp_path / "w.pt")
    assert (loaded.missing, loaded.unexpected, loaded.renamed) == ((), (), {})
    assert all(torch.equal(x, state[name]) for name, x in module.state_dict().items())


_EXTRA = "tokens~.extra.position_embedding"


def test_that_the_written_source_computes_the_same(ours) -> None:
    scope: dict[str, Any] = {}
    exec(write_pytorch(NETWORK), scope)
    written = scope["Net"]().double().eval()
    # Parameters come in the same order, whatever they are called.
    theirs, values = written.state_dict(), list(ours.state_dict().values())
    assert [x.numel() for x in theirs.values()] == [x.numel() for x in values]
    written.load_state_dict(
        {name: y.reshape(x.shape) for (name, x), y in zip(theirs.items(), values, strict=True)}
    )
    image = torch.randn(2, 3, 8, 6, dtype=torch.float64)
    torch.testing.assert_close(written(image)[-1], ours(image))


def test_that_tokens_read_everything_after_attention_and_nothing_before() -> None:
    analysis = analyze(NETWORK)
    assert analysis["tokens"].rf_size == (2, 2)
    assert analysis["tokens.extra"].output_size == (2, 1)
    assert analysis.unit("tokens.extra", (0, 0)).support_count == 0
    assert analysis["blocks.0.mix"].local is not None
    assert analysis["blocks.0.mix"].local.rf_size == (2, 2)
    assert analysis["blocks.1.mix.extra"].output_size == (2, 1)
    for layer in ("norm", "norm.extra", "head"):
        unit = (0, 0)
        support = analysis.unit(layer, unit).support()
        module = to_torch(NETWORK, layer, weights="ones", positive=True)
        image = torch.rand(1, 3, 8, 6, requires_grad=True)
        (gradient,) = torch.autograd.grad(module(image)[0, :, *unit].sum(), image)
        np.testing.assert_array_equal(support, (gradient[0] != 0).any(0).numpy())
        assert support.all()


def test_that_parameters_are_those_of_torch_and_files_are_read_again(ours) -> None:
    assert read_yaml(write_yaml(NETWORK)) == NETWORK
    assert analyze(NETWORK).parameters == sum(x.numel() for x in ours.parameters())
    assert not rfstudio.expected_erf(NETWORK, "head", (0, 0)).exact


def test_that_a_layer_of_its_own_positions_leaves_tokens_behind() -> None:
    text = TEXT.replace("slice: {name: class, from: norm.extra, stop: [1, 1]}", "global_avg_pool")
    last = "  - linear: {from: global_avg_pool1.extra, out_features: 2}\n"
    with pytest.raises(FormatError, match="'global_avg_pool1.extra', but no layer"):
        read_yaml(text + last)


def test_that_a_network_without_a_usable_input_is_refused_in_words() -> None:
    text = TEXT.replace("input: {size: [8, 6], channels: 3}", "input: []")
    with pytest.raises(FormatError, match="input must be a mapping"):
        read_yaml(text)


@pytest.mark.parametrize(
    "layers",
    [
        "[tokens: {extra: 1}, attention: {heads: 1}, relu]",
        "[tokens: {extra: 1}, dot_product_attention: {}, relu]",
        "[attention: {heads: 1, causal: true}]",
        "[conv: {name: a, kernel_size: 1}, cross_attention: {heads: 1, from: [input, a]}]",
        "[tokens: {extra: 1}, {conv: {name: a, kernel_size: 1}}, "
        "{cross_attention: {heads: 1, from: [input, a]}}]",
    ],
)
def test_that_more_keys_than_are_counted_are_a_fault(layers: str) -> None:
    """OpError from what a network is expanded by, which is total."""
    head = "format: 1\ninput: {size: [60000, 60000], channels: 6}\nlayers: "
    analysis = analyze(read_draft(head + layers))
    assert "channels; at most 2,147,483,648 are counted" in " ".join(
        x.message for x in analysis.diagnostics if x.code == "too_large"
    )
    assert max(x.channels for x in analysis.graph.nodes) <= 1 << 31
