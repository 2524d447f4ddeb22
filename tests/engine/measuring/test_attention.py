"""Attention that is measured, against attention written out with torch's plain operations."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rfstudio
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.module.build import GraphModule
from rfstudio.formats.networks.yaml_reader import read_yaml
from tests.narrowing import instance, present

HEAD = """\
format: 1
name: small
input: {size: [24, 32], channels: 3}
layers:
  - conv: {name: patch, kernel_size: 8, stride: 8, out_channels: 8}
"""
GLOBAL = f"{HEAD}  - attention: {{name: attn, heads: 2}}\n"
WINDOWS = (
    f"{HEAD}  - window_attention: {{name: attn, heads: 2, window_size: [2, 3], shift_size: 1}}\n"
)
TOKENS = f"{HEAD}  - tokens: {{name: tok, extra: 2}}\n  - attention: {{name: attn, heads: 2}}\n"
CROSS = """\
format: 1
name: cross
input: {size: [16, 16], channels: 3}
layers:
  - conv: {name: coarse, kernel_size: 8, stride: 8, out_channels: 8}
  - conv: {name: fine, from: input, kernel_size: 4, stride: 4, out_channels: 8}
  - cross_attention: {name: attn, from: [coarse, fine], heads: 2}
"""

JUMP = 8
SEED = 3


def _network(text: str) -> Architecture:
    return read_yaml(text)


def _module(text: str, layer: str) -> GraphModule:
    return instance(GraphModule, rfstudio.to_torch(_network(text), layer, SEED))


def _images(text: str, count: int = 2) -> torch.Tensor:
    size = _network(text).input_size
    return torch.randn((count, 3, *size), generator=torch.Generator().manual_seed(1))


def _map(module: GraphModule, name: str, images: torch.Tensor) -> torch.Tensor:
    """Return the map of a layer for the first image as tokens (positions, channels)."""
    size = tuple(images.shape[2:])
    plan = module.plan(size, target=module.graph.index(name), full=True)
    return plan.run(images[:1])[0].flatten(1).T


def _softmax_by_hand(q: torch.Tensor, k: torch.Tensor, heads: int) -> torch.Tensor:
    """Return the weights (heads, queries, keys) of queries and keys (tokens, channels)."""
    width = q.shape[1] // heads
    found = []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        logits = q[:, part] @ k[:, part].T / width**0.5
        found.append(logits.exp() / logits.exp().sum(1, keepdim=True))
    return torch.stack(found)


def _distances(size: tuple[int, ...], jump: float = JUMP) -> np.ndarray:
    places = list(product(*map(range, size)))
    return np.array([[jump * np.hypot(a - c, b - d) for c, d in places] for a, b in places])


def _qk(module: GraphModule, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    weights = module.state_dict()
    q, k, _ = (tokens @ weights["attn.in_proj_weight"].T).chunk(3, 1)
    return q, k


def test_that_global_attention_is_that_of_the_softmax_written_out() -> None:
    images = _images(GLOBAL)
    found = rfstudio.attention(_network(GLOBAL), "attn", (1, 2), images=images, seed=SEED)
    module = _module(GLOBAL, "attn")
    weights = [
        _softmax_by_hand(*_qk(module, _map(module, "patch", x[None])), 2).numpy() for x in images
    ]
    mean = np.mean(weights, axis=0)
    assert found.maps == pytest.approx(mean[:, 1 * 4 + 2].reshape(2, 3, 4), abs=1e-6)
    far = np.array([(x * _distances((3, 4))).sum(2).mean(1) for x in weights])
    assert found.distances == pytest.approx(far, rel=1e-5)
    assert found.distance == pytest.approx(far.mean(0), rel=1e-5)
    assert found.mean_distance == pytest.approx(far.mean(), rel=1e-5)
    assert found.map == pytest.approx(found.maps.mean(0))
    assert (found.heads, found.size, found.unit) == (2, (3, 4), (1, 2))
    assert found.token_weights.shape == (2, 0)
    assert found.options["samples"] == 2


def test_that_windows_shifts_and_the_bias_of_positions_are_in_the_weights(
    tmp_path: Path,
) -> None:
    images = _images(WINDOWS, 1)
    network = _network(WINDOWS)
    module = _module(WINDOWS, "attn")
    # Drawn networks have no bias of positions: one that is not 0 comes in a file of weights.
    table = module.get_parameter("attn.relative_position_bias_table")
    with torch.no_grad():
        table.copy_(torch.randn(table.shape, generator=torch.Generator().manual_seed(2)))
    tokens, state = _map(module, "patch", images), module.state_dict()
    torch.save(state, tmp_path / "weights.pt")
    q, k, _ = (tokens @ state["attn.qkv.weight"].T).chunk(3, 1)

    def window(y: int, x: int) -> tuple[int, int]:
        # Windows of 2 × 3 start at 1 plus multiples of their sides.
        return (y - 1) // 2, (x - 1) // 3

    def row(a: tuple[int, int], b: tuple[int, int]) -> int:
        return (a[0] - b[0] + 1) * 5 + a[1] - b[1] + 2

    places = list(product(range(3), range(4)))
    weights = torch.zeros(2, 12, 12)
    for (i, a), (j, b) in product(enumerate(places), repeat=2):
        if window(*a) == window(*b):
            for head in range(2):
                part = slice(head * 4, head * 4 + 4)
                bias = table[row(a, b), head]
                weights[head, i, j] = (q[i, part] @ k[j, part] / 2 + bias).exp()
    weights /= weights.sum(2, keepdim=True)

    options: dict[str, Any] = {"images": images, "weights": tmp_path / "weights.pt"}
    for unit in ((0, 0), (1, 1), (2, 3)):
        expected = weights[:, unit[0] * 4 + unit[1]].reshape(2, 3, 4).numpy()
        found = rfstudio.attention(network, "attn", unit, **options)
        assert found.maps == pytest.approx(expected, abs=1e-6)
    far = (weights.numpy() * _distances((3, 4))).sum(2).mean(1)
    assert found.distance == pytest.approx(far, rel=1e-5)


def test_that_tokens_without_a_position_are_apart_and_can_ask() -> None:
    images = _images(TOKENS, 1)
    network = _network(TOKENS)
    module = _module(TOKENS, "attn")
    both = torch.cat([_map(module, x, images) for x in ("tok", "tok.extra")])
    weights = _softmax_by_hand(*_qk(module, both), 2).numpy()
    found = rfstudio.attention(network, "attn", (2, 1), images=images, seed=SEED)
    assert found.maps == pytest.approx(weights[:, 9, :12].reshape(2, 3, 4), abs=1e-6)
    assert found.token_weights == pytest.approx(weights[:, 9, 12:], abs=1e-6)
    assert found.to_tokens == pytest.approx(weights[:, :12, 12:].sum(2).mean(1), rel=1e-5)
    placed = weights[:, :12, :12] / weights[:, :12, :12].sum(2, keepdims=True)
    assert found.distance == pytest.approx((placed * _distances((3, 4))).sum(2).mean(1), rel=1e-5)
    asked = rfstudio.attention(network, "attn.extra", (1, 0), images=images, seed=SEED)
    assert asked.maps.sum((1, 2)) + asked.token_weights.sum(1) == pytest.approx([1, 1])
    assert asked.distances is None


def test_that_cross_attention_measures_distances_between_the_centres_of_both_maps() -> None:
    images = _images(CROSS, 1)
    module = _module(CROSS, "attn")
    asking, fine = (_map(module, x, images) for x in ("coarse", "fine"))
    weights = module.state_dict()["attn.in_proj_weight"].chunk(3)
    expected = _softmax_by_hand(asking @ weights[0].T, fine @ weights[1].T, 2).numpy()
    found = rfstudio.attention(_network(CROSS), "attn", (0, 1), images=images, seed=SEED)
    assert found.size == (4, 4)
    assert found.maps == pytest.approx(expected[:, 1].reshape(2, 4, 4), abs=1e-6)
    first = [(8 * y + 3.5, 8 * x + 3.5) for y, x in product(range(2), repeat=2)]
    second = [(4 * y + 1.5, 4 * x + 1.5) for y, x in product(range(4), repeat=2)]
    apart = np.array([[np.hypot(a - c, b - d) for c, d in second] for a, b in first])
    assert found.distance == pytest.approx((expected * apart).sum(2).mean(1), rel=1e-5)


@pytest.mark.parametrize(
    "layers",
    ["attention: {name: attn, heads: 2, axes: [1]}", "grid_attention: {name: attn, grid: [3, 2]}"],
    ids=["axial", "grid"],
)
def test_that_every_query_looks_where_its_layer_reads_and_nowhere_else(layers: str) -> None:
    network = _network(f"{HEAD}  - {layers}\n")
    for unit in ((0, 0), (2, 3), (1, 2)):
        found = rfstudio.attention(network, "attn", unit, samples=1)
        seen = found.map > 0
        analysis = rfstudio.analyze(network)
        reads = np.zeros((3, 4), bool)
        for y, x in product(range(3), range(4)):
            # A position that is read has its own patch in what the unit sees.
            patch = analysis.unit("attn", unit).support()[8 * y : 8 * y + 8, 8 * x : 8 * x + 8]
            reads[y, x] = bool(patch.all())
        assert (seen == reads).all()
        assert found.maps.sum((1, 2)) == pytest.approx(np.ones(found.heads))


def test_that_all_layers_are_measured_in_one_pass() -> None:
    network = _network(
        f"{TOKENS}  - attention: {{name: b, heads: 4}}\n  - window_attention: "
        "{name: c, heads: 2, window_size: 2}\n"
    )
    found = rfstudio.attentions(network, samples=2)
    assert [(x.layer, x.heads) for x in found] == [("attn", 2), ("b", 4), ("c", 2)]
    alone = rfstudio.attention(network, "c", samples=2)
    assert alone.distance == pytest.approx(present(found[2].distance))


@pytest.mark.parametrize(
    ("layer", "said"),
    [("patch", "is no attention layer; there are attn"), ("atn", "did you mean 'attn'")],
)
def test_that_a_layer_without_attention_is_said(layer: str, said: str) -> None:
    with pytest.raises(RFStudioError, match=said):
        rfstudio.attention(_network(GLOBAL), layer)


def test_that_a_network_without_attention_and_options_without_effect_are_refused() -> None:
    with pytest.raises(RFStudioError, match="no attention layer"):
        rfstudio.attentions(_network(HEAD))
    with pytest.raises(RFStudioError, match="'estimator' has no effect"):
        rfstudio.attention(_network(GLOBAL), "attn", estimator="abs")
    with pytest.raises(RFStudioError, match="unit"):
        rfstudio.attention(_network(GLOBAL), "attn", (9, 9))
