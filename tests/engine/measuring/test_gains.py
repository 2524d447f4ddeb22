"""Measured gains: what each factor is, and that the expected field then passes on what was seen."""

import pickle
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

import rfstudio
from rfstudio.core import ops
from rfstudio.core.effective.calibration import with_gains
from rfstudio.core.effective.energy_flow import energy_of
from rfstudio.core.effective.expected import expected_erf
from rfstudio.core.effective.flow import Flow
from rfstudio.core.effective.flow_back import flow_back, total
from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.core.network.architecture import Architecture, Branch, Item, Layer, Parallel, Residual
from rfstudio.engine.measuring.gains import measured_gains
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.module.initial import Stream, generator
from rfstudio.engine.module.layers.pointwise import BatchNormModule
from rfstudio.engine.module.layers.sliding_window import ConvModule
from rfstudio.engine.process.running import CancelToken, ignore
from rfstudio.engine.requests.gains_request import GainsRequest
from rfstudio.engine.requests.jobs import measure_gains
from tests.engine import networks
from tests.narrowing import instance, present

RELU, NORM = ops.Relu(), ops.BatchNorm()
CONV = ops.Conv(kernel_size=3, padding=1)


def _network(*items: ops.Op | Item, size: int = 12, channels: int = 8) -> Architecture:
    layers = tuple(x if isinstance(x, Item) else Layer(x) for x in items)
    return Architecture("test", "", "", (size, size), channels, layers)


def _residual(*layers: ops.Op) -> Residual:
    return Residual(tuple(map(Layer, layers)))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a / a.sum() - b / b.sum()).sum())


def _images(module: GraphModule, count: int = 3) -> torch.Tensor:
    node = module.graph.nodes[0]
    source = torch.Generator().manual_seed(1)
    return torch.randn((count, node.channels, *node.size), generator=source)


def _passed_on(module: GraphModule) -> tuple[float, float]:
    """Return the energy at the image with gains, from everywhere in the map, and as measured."""
    images = _images(module, 1)
    gains = measured_gains(module, images, seed=0)
    energy = energy_of(module.graph)
    gained = with_gains(energy, gains)
    node, source = module.graph.nodes[module.target], module.graph.nodes[0]
    start = Flow((0,) * len(node.size), np.ones(node.size))
    flows = flow_back(
        module.graph,
        module.target,
        start,
        gained.backward,
        runs=energy.runs,
        edges=gained.edges,
    )
    values, exponent = total(flows, energy.runs[0], source.size)
    signs = _signs(module)
    pixels = images.requires_grad_()
    (gradient,) = torch.autograd.grad((module(pixels) * signs).sum(), pixels, allow_unused=True)
    seen = 0.0 if gradient is None else float(gradient.double().square().sum())
    return float(np.ldexp(values.sum() * source.channels, exponent)), seen


def _signs(module: GraphModule) -> torch.Tensor:
    """Return the signs of the first sample of `measured_gains` with seed 0."""
    node = module.graph.nodes[module.target]
    shape = (1, node.channels, *node.size)
    draws = generator(0, Stream.SIGNS, 0).integers(0, 2, int(np.prod(shape)))
    return torch.from_numpy(draws).view(shape).float() * 2 - 1


@pytest.mark.parametrize("op", networks.SAMPLES, ids=networks.NAMES)
def test_that_every_operation_passes_on_as_much_as_was_measured(op: ops.Op) -> None:
    module = to_torch(networks.stack(op), seed=3, batch_norm="warmed")
    modelled, seen = _passed_on(module)
    assert modelled == pytest.approx(seen, rel=1e-4, abs=1e-12)


def test_that_a_whole_network_passes_on_as_much_as_was_measured() -> None:
    branches = (
        Branch((Layer(CONV), Layer(NORM), Layer(RELU))),
        Branch((Layer(ops.MaxPool(kernel_size=3, stride=1, padding=1)), Layer(CONV), Layer(RELU))),
    )
    block = _residual(CONV, NORM, RELU, CONV, NORM)
    network = _network(CONV, NORM, RELU, block, RELU, Parallel(branches, merge="concat"), CONV)
    modelled, seen = _passed_on(to_torch(network, seed=1, batch_norm="warmed"))
    # Gradients of branches that meet have products, which are 0 only in the mean over signs.
    assert modelled == pytest.approx(seen, rel=1e-3)


def test_that_random_networks_pass_on_as_much_as_was_measured() -> None:
    for seed in range(30):
        network = networks.random_network(seed)
        modelled, seen = _passed_on(to_torch(network, seed=1, batch_norm="warmed"))
        # One draw of signs; what reaches the image over several branches adds up only in the mean.
        assert modelled == pytest.approx(seen, rel=0.25), seed


def test_that_a_slope_is_the_mean_square_over_all_values() -> None:
    module = to_torch(_network(ops.Tanh()))
    images = _images(module)
    gains = measured_gains(module, images)
    slopes = (1 - torch.tanh(images) ** 2).square().mean()
    assert gains[1] == pytest.approx(float(slopes), rel=1e-5)


def test_that_a_norm_counts_by_its_scale_and_its_variance() -> None:
    module = to_torch(_network(NORM))
    norm = module.by_index[1]
    assert isinstance(norm, BatchNormModule)
    source = torch.Generator().manual_seed(4)
    weight, variance = present(norm.weight), present(norm.running_var)
    variance.copy_(torch.rand(8, generator=source) + 0.5)
    weight.data.copy_(torch.randn(8, generator=source))
    gains = measured_gains(module, _images(module))
    wanted = (weight**2 / (variance + norm.eps)).mean()
    assert gains[1] == pytest.approx(float(wanted), rel=1e-5)


def test_that_runs_of_channels_have_slopes_of_their_own() -> None:
    branches = (Branch((Layer(ops.Sigmoid()),)), Branch(()))
    module = to_torch(_network(Parallel(branches, merge="concat"), RELU))
    images = _images(module)
    gains = measured_gains(module, images)
    # All that a sigmoid gives is open; of noise it is half.
    opened = float((images > 0).float().mean())
    assert gains[module.target] == pytest.approx((1.0, opened), rel=1e-5)


def test_that_a_skip_counts_by_how_often_both_its_gates_are_open() -> None:
    module = to_torch(_network(CONV, RELU, _residual(CONV, RELU, CONV), RELU), seed=2)
    nodes = module.graph.nodes
    merge = next(x.index for x in nodes if isinstance(x.op, ops.Add))
    images = _images(module)
    gains = measured_gains(module, images)
    first = GraphModule(module.architecture, nodes[2].name)
    first.load_state_dict(module.state_dict(), strict=False)
    inner, outer = first(images) > 0, module(images) > 0
    together = float((inner & outer).float().mean() / outer.float().mean())
    # Products of skip and branch are 0 only in the mean over signs.
    first_gain, of_skip = instance(float, gains[2]), instance(float, gains[merge, 2])
    assert first_gain * of_skip == pytest.approx(together, rel=0.05)
    # The model of wide layers says the same, roughly.
    modelled = energy_of(module.graph).skips[merge, 2]
    assert modelled == pytest.approx(together / 0.5, rel=0.1)


def test_that_the_largest_sample_is_more_often_behind_an_open_gate() -> None:
    pool = ops.MaxPool(kernel_size=2)
    branches = (
        Branch((Layer(pool), Layer(CONV))),
        Branch((Layer(ops.Conv(kernel_size=2, stride=2)),)),
    )
    network = _network(RELU, Parallel(branches, merge="concat"))
    module = to_torch(network, seed=5)
    images = _images(module)
    gains = measured_gains(module, images)
    index = next(x.index for x in module.graph.nodes if isinstance(x.op, ops.MaxPool))
    blocks = images.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    opened = float((blocks.amax(-1) > 0).float().mean())
    # Noise in windows of four: 1 − 2⁻⁴ are open.
    assert opened == pytest.approx(15 / 16, abs=0.03)
    first_gain, of_pool = instance(float, gains[1]), instance(float, gains[index])
    assert first_gain * of_pool == pytest.approx(opened, rel=0.02)


def test_that_taps_of_a_module_give_its_own_field() -> None:
    module = to_torch(_network(CONV, CONV, CONV, size=15, channels=24), seed=0)
    profile = torch.tensor([[4.0, 0.2, 0.1], [1.0, 0.5, 0.1], [0.3, 0.1, 0.1]])
    for layer in module.layers():
        assert isinstance(layer, ConvModule)
        layer.weight.mul_(profile)
    unit = (7, 7)
    seen = np.zeros((15, 15))
    pixels = torch.zeros((1, 24, 15, 15), requires_grad=True)
    for value in module(pixels)[0, :, 7, 7]:
        (gradient,) = torch.autograd.grad(value, pixels, retain_graph=True)
        seen += gradient[0].double().square().sum(0).numpy()
    target = module.target
    plain = expected_erf(module.graph, target, unit)
    measured = expected_erf(module.graph, target, unit, gains=measured_gains(module))
    assert _distance(plain.map, seen) > 1
    assert _distance(measured.map, seen) < 0.05
    assert measured.map.sum() == pytest.approx(seen.sum(), rel=0.05)


def test_that_gains_of_a_module_tell_how_much_reaches_the_image() -> None:
    block = _residual(CONV, NORM, RELU, CONV, NORM)
    network = _network(CONV, NORM, RELU, block, RELU, block, RELU, size=16)
    module = to_torch(network, seed=7, batch_norm="warmed")
    images = _images(module, 48)
    options: dict[str, Any] = {"module": module, "images": images}
    name = module.graph.nodes[module.target].name
    sampled = rfstudio.erf(network, name, seed=1, device="cpu", samples=192, **options)
    measured = rfstudio.expected_erf(network, name, samples=8, **options)
    plain = rfstudio.expected_erf(network, name)
    assert sampled.map.sum() / measured.map.sum() == pytest.approx(1, abs=0.2)
    assert _distance(sampled.map, measured.map) < 0.95 * _distance(sampled.map, plain.map)


def test_that_random_weights_keep_the_field_that_the_model_has() -> None:
    network = _network(CONV, RELU, _residual(CONV, RELU, CONV), RELU, _residual(CONV, RELU, CONV))
    request = GainsRequest(architecture=network, samples=8, device="cpu")
    gains = measure_gains(request, CancelToken(), ignore).gains
    graph = GraphModule(network).graph
    index = len(graph.nodes) - 1
    plain, measured = (expected_erf(graph, index, (6, 6), gains=x) for x in (None, gains))
    # The floor of post-activation skips is 0.012, and 8 samples are not sure of the factors.
    assert _distance(plain.map, measured.map) < 0.03
    assert measured.map.sum() == pytest.approx(plain.map.sum(), rel=0.25)


def test_that_notes_say_what_is_measured_and_what_is_still_a_model() -> None:
    network = _network(CONV, NORM, RELU, ops.MaxPool(kernel_size=2))
    graph = GraphModule(network).graph
    gains = measured_gains(to_torch(network))
    erf = expected_erf(graph, 4, (3, 3), gains=gains)
    assert not erf.exact
    assert erf.options["gains"] == "measured"
    assert "is measured" in erf.notes[0]
    assert not any("divide by the expected variance" in x for x in erf.notes)
    assert any("each sample of its window equally often" in x for x in erf.notes)


def test_that_gains_come_from_the_worker_as_plain_values() -> None:
    network = _network(CONV, RELU)
    request = GainsRequest(architecture=network, layer="relu1", samples=2, device="cpu", seed=3)
    work = pickle.loads(pickle.dumps(partial(measure_gains, request)))
    seen: list[float] = []
    result = work(CancelToken(), lambda fraction, partial: seen.append(fraction))
    assert seen == [0.5, 1.0]
    again = pickle.loads(pickle.dumps(result))
    assert again.gains == result.gains
    assert (again.layer, again.samples, again.options["seed"]) == ("relu1", 2, 3)
    assert set(again.gains) == {1, 2}
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        work(token, ignore)


def test_that_gains_of_a_file_are_those_of_its_weights(tmp_path: Path) -> None:
    network = _network(CONV, RELU, CONV)
    module = to_torch(network, seed=9)
    for layer in module.layers():
        if isinstance(layer, ConvModule):
            layer.weight.mul_(3)
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(module.state_dict(), path)
    erf = rfstudio.expected_erf(network, "conv2", weights=str(path), samples=2, device="cpu")
    plain = rfstudio.expected_erf(network, "conv2")
    # Three times the weights of both layers, so 3⁴ times the energy.
    assert erf.map.sum() / plain.map.sum() == pytest.approx(81, rel=0.2)
    assert erf.options["weights"] == str(path)


def test_that_large_images_are_measured_in_their_middle() -> None:
    network = _network(ops.Conv(kernel_size=3, stride=4, out_channels=2), RELU, channels=1)
    module = to_torch(network)
    gains = measured_gains(module, torch.randn(1, 1, 700, 40))
    assert gains[2] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"module": nn.Conv2d(8, 8, 3)}, "rfstudio.to_torch"),
        ({"module": to_torch(_network(CONV, RELU), "conv1")}, "does not read 'relu1'"),
        ({"module": to_torch(_network(CONV, RELU)), "weights": "uniform"}, "not both"),
        ({"samples": 0}, "at least 1"),
        ({"weights": "nosuch.safetensors"}, "nosuch.safetensors"),
        ({"samples": 1, "batch_norm": "folded"}, "batch_norm must be one of"),
        ({"samples": 1, "device": "abacus"}, "abacus"),
    ],
)
def test_that_what_cannot_be_measured_is_said_in_words(options: dict, told: str) -> None:
    with pytest.raises(RFStudioError, match=told):
        rfstudio.expected_erf(_network(CONV, RELU), "relu1", **options)


def test_that_weights_that_are_no_numbers_are_told() -> None:
    module = to_torch(_network(CONV, RELU))
    module.by_index[1].get_parameter("weight").fill_(float("nan"))
    with pytest.raises(RFStudioError, match="NaN or infinity"):
        measured_gains(module)


def test_that_images_are_one_sample_each_and_set_the_size() -> None:
    images = torch.randn(3, 8, 20, 16)
    erf = rfstudio.erf(_network(CONV, RELU), "relu1", estimator="expected", images=images)
    assert erf.map.shape == (20, 16)
    assert (erf.options["samples"], erf.options["images"]) == (3, 3)


@pytest.mark.parametrize("batch_norm", ["fresh", "train"])
def test_that_gains_are_measured_with_the_chosen_statistics(batch_norm: Any) -> None:
    network = _network(CONV, NORM, RELU, CONV)
    erf = rfstudio.expected_erf(network, "conv2", batch_norm=batch_norm, samples=4, device="cpu")
    plain = rfstudio.expected_erf(network, "conv2", batch_norm=batch_norm)
    assert erf.options["batch_norm"] == batch_norm
    assert erf.map.sum() / plain.map.sum() == pytest.approx(1, abs=0.3)
    assert ((erf.map > 0) == (plain.map > 0)).all()


def test_that_a_module_of_another_network_or_in_another_mode_is_refused() -> None:
    conv, other = ops.Conv(kernel_size=3, padding=1), ops.Conv(kernel_size=5, padding=2)
    network = networks.stack(conv, ops.BatchNorm(), ops.Relu(), channels=3)
    stranger = to_torch(networks.stack(other, ops.BatchNorm(), ops.Relu(), channels=3))
    with pytest.raises(RFStudioError, match="built from another network"):
        rfstudio.expected_erf(network, "l2", (5, 5), module=stranger)
    with pytest.raises(RFStudioError, match="built from another network"):
        rfstudio.erf(network, "l2", (5, 5), module=stranger, samples=1)
    own = to_torch(network)
    with pytest.raises(RFStudioError, match="is in evaluation mode; call its train"):
        rfstudio.expected_erf(network, "l2", (5, 5), module=own, batch_norm="train")
    with pytest.raises(RFStudioError, match="is in training mode; call its eval"):
        rfstudio.expected_erf(network, "l2", (5, 5), module=own.train())
    assert rfstudio.expected_erf(network, "l2", (5, 5), module=own.eval(), samples=1).map.any()


def test_that_the_input_itself_sees_its_own_unit_with_measured_gains() -> None:
    layers = (Layer(ops.Conv(kernel_size=3, padding=1), "a", ("input",)),)
    network = Architecture("small", "", "", (5, 6), 2, layers)
    found = rfstudio.expected_erf(network, "input", unit=(2, 3), samples=1)
    expected = np.zeros((5, 6))
    expected[2, 3] = 1
    np.testing.assert_array_equal(np.asarray(found.map) / np.max(found.map), expected)
