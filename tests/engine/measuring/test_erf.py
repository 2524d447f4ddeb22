"""Measured fields: the formulas of erf.md, section 1, and the promises around them."""

import itertools
import os
import pickle
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rfstudio
from rfstudio.core import ops
from rfstudio.core.errors import Cancelled, UnitError, UnknownLayerError
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.measuring import distributed
from rfstudio.engine.measuring.erf import measure
from rfstudio.engine.measuring.sampling import signs
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.module.initial import Stream, generator
from rfstudio.engine.process.errors import DeviceError, MeasurementError
from rfstudio.engine.process.running import CancelToken
from rfstudio.engine.requests.request import ErfRequest, ErfResult
from tests.engine import networks
from tests.narrowing import present

NETWORK = networks.stack(
    ops.Conv(kernel_size=3, padding=1),
    ops.Relu(),
    ops.MaxPool(kernel_size=2),
    ops.Conv(kernel_size=3, padding=2, dilation=2, out_channels=4),
    ops.Relu(),
    channels=3,
)


def _request(network: Architecture = NETWORK, layer: str = "l3", **options: Any) -> ErfRequest:
    settings: dict[str, Any] = {"samples": 3, "dtype": "float64", "device": "cpu"} | options
    return ErfRequest(architecture=network, layer=layer, **settings)


def _images(count: int = 3) -> torch.Tensor:
    source = torch.Generator().manual_seed(3)
    return torch.randn((count, 3, 12, 10), generator=source, dtype=torch.float64)


def _naive_gradients(unit: tuple[int, int], estimator: str, seed: int = 0) -> torch.Tensor:
    """Gradients of each image by the plainest loop, (N, C, H, W)."""
    module = to_torch(NETWORK, "l3", seed=5, dtype=torch.float64)
    found = []
    for i, image in enumerate(_images()):
        x = image[None].clone().requires_grad_()
        values = module(x)[0, :, unit[0], unit[1]]
        if estimator in {"energy", "rms"}:
            values = values * signs(seed, i, 4)
        if estimator == "positive":
            values = values.relu()
        values.sum().backward()
        found.append(x.grad[0])
    return torch.stack(found)


@pytest.mark.parametrize("unit", [(0, 0), (3, 2), (5, 4)])
@pytest.mark.parametrize(
    ("estimator", "formula"),
    [
        ("energy", lambda g: g.square().sum(1).mean(0)),
        ("rms", lambda g: g.square().sum(1).mean(0).sqrt()),
        ("abs", lambda g: g.abs().sum(1).mean(0)),
        ("signed", lambda g: g.mean(0).abs().sum(0)),
        ("positive", lambda g: g.relu().sum(1).mean(0)),
    ],
)
def test_that_an_estimator_is_its_formula(estimator: Any, formula: Any, unit: Any) -> None:
    module = to_torch(NETWORK, "l3", seed=5, dtype=torch.float64)
    wanted = formula(_naive_gradients(unit, estimator)).numpy()
    for method in ("auto", "cone", "full"):
        request = _request(estimator=estimator, unit=unit, method=method)
        result = measure(request, module=module, images=_images())
        np.testing.assert_allclose(result.map, wanted, rtol=1e-12, atol=1e-12 * wanted.max())


@pytest.mark.parametrize("unit", [(3, 2), (0, 0)])
@pytest.mark.parametrize("method", ["cone", "full"])
@pytest.mark.parametrize(("patch", "stride"), [(1, 1), (3, 3), (5, 3), (2, 3)])
def test_that_occlusion_is_one_evaluation_a_patch(
    patch: int, stride: int, method: Any, unit: tuple[int, int]
) -> None:
    """Of patches that overlap, those beside the unit's cone count, too: they do not move it."""
    module = to_torch(NETWORK, "l3", seed=5, dtype=torch.float64)
    images = _images(1)
    wanted, covered = np.zeros((12, 10)), np.zeros((12, 10))
    base = module(images)[0, :, *unit].sum()
    for y, x in itertools.product(range(0, 12, stride), range(0, 10, stride)):
        filled = images.clone()
        filled[:, :, y : y + patch, x : x + patch] = 0.5
        moved = (module(filled)[0, :, *unit].sum() - base).abs().item()
        wanted[y : y + patch, x : x + patch] += moved
        covered[y : y + patch, x : x + patch] += 1
    options = {"patch": patch, "stride": stride, "fill": 0.5, "samples": 1, "method": method}
    request = _request(estimator="occlusion", unit=unit, **options)
    result = measure(request, module=module, images=images)
    np.testing.assert_allclose(result.map, wanted / covered.clip(1), rtol=1e-10, atol=1e-12)


def test_that_occlusion_goes_from_coarse_to_fine() -> None:
    seen: list[ErfResult] = []
    request = _request(estimator="occlusion", samples=1, unit=(3, 2))
    result = measure(request, report=lambda _, partial: seen.append(partial))
    assert np.array_equal(seen[-1].map, result.map)


def test_that_a_module_of_another_layer_is_refused() -> None:
    with pytest.raises(MeasurementError, match="the module computes 'l1', not 'l3'"):
        measure(_request(), module=to_torch(NETWORK, "l1"))


def test_that_perturbation_moves_only_what_the_unit_sees() -> None:
    seen = analyze(NETWORK).unit("l3", (0, 0)).support()
    result = measure(_request(estimator="perturbation", unit=(0, 0), samples=2))
    assert (result.map[~seen] == 0).all()
    assert result.map[seen].max() > 0


def test_that_the_channel_sum_of_one_channel_is_that_channel() -> None:
    module = to_torch(NETWORK, "l3", seed=5, dtype=torch.float64)
    x = _images(1).requires_grad_()
    module(x)[0, 2, 3, 2].backward()
    request = _request(estimator="abs", unit=(3, 2), channel=2, samples=1)
    result = measure(request, module=module, images=_images(1))
    np.testing.assert_allclose(result.map, present(x.grad)[0].abs().sum(0).numpy(), rtol=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_that_energy_outside_the_visible_region_is_exactly_zero(seed: int) -> None:
    network = networks.random_network(seed)
    layer = analyze(network).layers[-1]
    for unit in ((0, 0), tuple(n - 1 for n in layer.output_size)):
        seen = analyze(network).unit(layer.name, unit).support()
        result = measure(_request(network, layer.name, unit=unit, dtype="float32", samples=2))
        assert (result.map[~seen] == 0).all()


def test_that_a_seed_gives_the_same_map_whatever_the_method_and_another_seed_another() -> None:
    maps = {
        (seed, method): measure(_request(seed=seed, method=method, samples=6)).map
        for seed in (1, 2)
        for method in ("cone", "full")
    }
    again = measure(_request(seed=1, method="cone", samples=6)).map
    assert np.array_equal(again, maps[1, "cone"])
    np.testing.assert_allclose(maps[1, "cone"], maps[1, "full"], rtol=1e-12, atol=1e-14)
    assert not np.allclose(maps[1, "cone"], maps[2, "cone"])


def test_that_the_standard_error_is_that_of_the_mean() -> None:
    """The error of 40 means over 10 samples each has the size that they themselves tell."""
    runs = [measure(_request(seed=s, samples=10, images_per_weights=1)) for s in range(40)]
    maps = np.stack([x.map for x in runs])
    told = np.mean([x.standard_error for x in runs], axis=0)
    inside = told > 0.3 * told.max()
    ratio = maps.std(axis=0, ddof=1)[inside] / told[inside]
    assert ratio.mean() == pytest.approx(1, abs=0.25)


def test_that_uniform_weights_without_activations_give_binomial_sums() -> None:
    """Two 3×3 layers of weights 1/9 on one channel: (1 2 3 2 1)/9 along each axis."""
    layers = [ops.Conv(kernel_size=3, padding=1)] * 2
    network = networks.stack(*layers, channels=1)
    result = measure(_request(network, "l1", weights="uniform", estimator="abs", unit=(5, 5)))
    line = np.array([1, 2, 3, 2, 1]) / 9
    np.testing.assert_allclose(result.map[3:8, 3:8], np.outer(line, line), rtol=1e-6)
    assert result.map.sum() == pytest.approx(1)


def test_that_a_running_average_is_reported_up_to_the_result() -> None:
    reports: list[tuple[float, ErfResult]] = []
    result = measure(
        _request(samples=10, images_per_weights=4), report=lambda f, r: reports.append((f, r))
    )
    assert [r.samples for _, r in reports] == [4, 8, 10]
    assert [f for f, _ in reports] == [0.4, 0.8, 1.0]
    assert np.array_equal(reports[-1][1].map, result.map)
    assert result.is_complete
    assert not reports[0][1].is_complete


def test_that_a_cancelled_measurement_stops_at_the_next_batch() -> None:
    token = CancelToken()
    reports = []

    def report(fraction: float, partial: ErfResult) -> None:
        reports.append(fraction)
        token.cancel()

    with pytest.raises(Cancelled):
        measure(_request(samples=100), report=report, token=token)
    assert len(reports) == 1


def test_that_lack_of_memory_halves_the_batch_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from rfstudio.engine.measuring.subject import ConeSubject

    wanted = measure(_request(samples=8, images_per_weights=8))
    whole = ConeSubject.gradient

    def tight(self: ConeSubject, images: torch.Tensor, indices: Any) -> torch.Tensor:
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(self, images, indices)

    monkeypatch.setattr(ConeSubject, "gradient", tight)
    result = measure(_request(samples=8, images_per_weights=8))
    np.testing.assert_allclose(result.map, wanted.map, rtol=1e-12)
    assert any("reduced to 2" in note for note in result.notes)


def test_that_batch_norm_is_warmed_and_says_what_it_measured() -> None:
    """Behind a convolution that multiplies by 1000, warmed statistics divide by 1000 again."""
    network = networks.stack(
        ops.Conv(kernel_size=3, padding=1, bias=False), ops.BatchNorm(), ops.Relu(), channels=3
    )
    warmed, fresh = (
        measure(_request(network, "l2", batch_norm=mode, estimator="energy", samples=8))
        for mode in ("warmed", "fresh")
    )
    assert warmed.map.sum() == pytest.approx(fresh.map.sum() / 2, rel=0.3)  # He: variance 2
    assert warmed.options["batch_norm"] == "warmed"


def test_that_batch_norm_in_training_mode_leaks_over_the_whole_image() -> None:
    network = networks.stack(ops.Conv(kernel_size=3, padding=1), ops.BatchNorm(), channels=3)
    trained, warmed = (
        measure(_request(network, "l1", unit=(0, 0), batch_norm=mode))
        for mode in ("train", "warmed")
    )
    assert np.count_nonzero(warmed.map) == 4
    assert np.count_nonzero(trained.map) == 12 * 10


@pytest.mark.parametrize("estimator", ["energy", pytest.param("rms", marks=pytest.mark.slow)])
def test_that_the_measured_field_tends_to_the_expected_one(estimator: Any) -> None:
    """Section 2: exact for convolutions with relu, reached as 1.5/√N (relative L1)."""
    layers: list[ops.Op] = [ops.Conv(kernel_size=3, padding=1, out_channels=12), ops.Relu()] * 3
    network = networks.stack(*layers, size=(15, 15), channels=3)
    samples = 900
    result = measure(
        _request(network, "l5", samples=samples, images_per_weights=1, estimator=estimator)
    )
    energy = result.map if estimator == "energy" else result.map**2
    expected = rfstudio.expected_erf(network, "l5").map
    assert energy.sum() == pytest.approx(expected.sum(), rel=0.15)
    difference = np.abs(energy / energy.sum() - expected / expected.sum()).sum()
    assert difference < 1.5 / samples**0.5


def test_that_the_activation_can_be_counted_or_not() -> None:
    as_is, after = (measure(_request(activation=x)) for x in ("as_is", "after"))
    behind = measure(_request(layer="l4"))
    before = measure(_request(layer="l4", activation="before"))
    assert np.array_equal(after.map, behind.map)
    assert np.array_equal(before.map, as_is.map)
    assert after.layer == "l4"


def test_that_photos_are_shown_to_the_network() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    first = measure(_request(images=(photo,), samples=None))
    again = measure(_request(images=(photo,), samples=None, seed=0))
    assert first.samples == 1
    assert np.array_equal(first.map, again.map)


def test_that_any_module_is_measured_on_whole_images() -> None:
    theirs = torch.nn.Conv2d(3, 4, 3, padding=1).double().eval()
    network = networks.stack(ops.Conv(kernel_size=3, padding=1, out_channels=4), channels=3)
    request = _request(network, "l0", estimator="abs", unit=(0, 0), samples=2)
    result = measure(request, module=theirs)
    wanted = theirs.weight.detach().sum(0)[:, 1:, 1:].abs().sum(0).numpy()
    np.testing.assert_allclose(result.map[:2, :2], wanted, rtol=1e-12)
    assert result.map[2:].max() == result.map[:, 2:].max() == 0


def test_that_a_module_in_training_or_with_another_map_is_refused() -> None:
    network = networks.stack(ops.Conv(kernel_size=3, padding=1, out_channels=4), channels=3)
    request = _request(network, "l0", unit=(0, 0), samples=1)
    theirs = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.BatchNorm2d(4))
    with pytest.raises(MeasurementError, match="training mode"):
        measure(request, module=theirs)
    # Layers in evaluation mode do, whatever the container says that they were put into.
    theirs.eval()
    assert measure(request, module=torch.nn.Sequential(*theirs)).map[0, 0] > 0
    smaller = torch.nn.Conv2d(3, 4, 3, stride=2).eval()
    with pytest.raises(MeasurementError, match=r"gives 1×4×\d+×\d+ values for 1 images .* has 1×4"):
        measure(request, module=smaller)


class _Spoiled(torch.nn.Module):
    """A module whose result something is done to."""

    def __init__(self, spoil: Any) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.spoil = spoil

    def forward(self, images: torch.Tensor) -> Any:
        return self.spoil(self.conv(images))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (torch.detach, "passes no gradients"),  # a field of zeros, with no reason
        (lambda x: x.round().int(), "passes no gradients"),
        (lambda x: (x, x), "returns a tuple"),
        (lambda x: x.sum(0, keepdim=True), "1×4×12×10 values for 2 images"),
        (lambda x: x[:, :2], "2×2×12×10 values"),
        (lambda x: x.mean((2, 3)), "2×4 values"),
    ],
)
def test_that_a_module_without_gradients_or_with_another_result_is_refused(
    spoil: Any, told: str
) -> None:
    network = networks.stack(ops.Conv(kernel_size=3, padding=1, out_channels=4), channels=3)
    with pytest.raises(MeasurementError, match=told):
        measure(_request(network, "l0", samples=2), module=_Spoiled(spoil).eval())


def test_that_a_module_that_detaches_in_the_middle_is_refused() -> None:
    conv = ops.Conv(kernel_size=3, padding=1, out_channels=4)
    network = networks.stack(conv, conv, channels=3)
    last = torch.nn.Conv2d(
        4, 4, 3, padding=1
    ).double()  # its weights have gradients, the image has none
    module = _Spoiled(lambda x: last(x.detach())).eval()
    with pytest.raises(MeasurementError, match="passes no gradients"):
        measure(_request(network, "l1", samples=1), module=module)


@pytest.mark.parametrize("estimator", ["abs", "occlusion"])
def test_that_a_module_may_work_in_place_on_its_images(estimator: Any) -> None:
    network = networks.stack(ops.Conv(kernel_size=3, padding=1, out_channels=4), channels=3)
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(3, 4, 3, padding=1)
    kind = {"estimator": estimator, "samples": 1, "seed": 0}
    kept, in_place = (
        measure(
            _request(network, "l0", **kind),
            module=torch.nn.Sequential(torch.nn.ReLU(x), conv).double().eval(),
        ).map
        for x in (False, True)
    )
    np.testing.assert_array_equal(kept, in_place)


def test_that_only_a_module_is_taken_for_one() -> None:
    network = networks.stack(ops.Conv(kernel_size=3), channels=3)
    function: Any = torch.nn.Conv2d(3, 8, 3).forward
    with pytest.raises(MeasurementError, match=r"must be a torch\.nn\.Module, not a method"):
        measure(_request(network, "l0", samples=1), module=function)


@pytest.mark.parametrize("size", [(31,), (7, 9, 8)])
def test_that_one_and_three_dimensions_are_measured(size: tuple[int, ...]) -> None:
    layer = ops.Conv(kernel_size=3, padding=1)
    network = networks.stack(layer, ops.Relu(), layer, size=size, channels=2)
    result = measure(_request(network, "l2"))
    assert result.map.shape == size
    assert np.count_nonzero(result.map) == 5 ** len(size)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"layer": "l33"}, UnknownLayerError, "did you mean 'l3'"),
        ({"unit": (9, 9)}, UnitError, "no unit"),
        ({"channel": 4}, MeasurementError, "from 0 to 3"),
        ({"device": "cuda:7"}, DeviceError, "CUDA"),
        ({"device": "tpu"}, DeviceError, "choose auto"),
        ({"estimator": "best"}, MeasurementError, "energy, rms"),
    ],
)
def test_that_a_wrong_wish_is_answered_in_words(options: Any, error: Any, words: str) -> None:
    if options.get("device") == "cuda:7" and torch.cuda.device_count() > 7:
        pytest.skip("this machine has that device")
    with pytest.raises(error, match=words):
        measure(_request(**options))


def test_that_weights_that_are_no_numbers_end_in_a_sentence() -> None:
    module = to_torch(NETWORK, "l3")
    module.state_dict()["l0.weight"][0, 0, 0, 0] = torch.nan
    with pytest.raises(MeasurementError, match="not a number"):
        measure(_request(), module=module)


_RANK = """
import pickle, sys, torch
from rfstudio.engine.measuring.erf import measure
torch.set_num_threads(1)
works, output = sys.argv[1:]
results = []
with open(works, "rb") as file:
    for request, kept in pickle.load(file):
        heard = []
        result = measure(request, earlier=kept, report=lambda done, _: heard.append(done))
        # Other ranks are taken to be as fast, which is not so with odd numbers.
        assert heard == sorted(heard) and 0.7 < heard[-1] <= 1, heard
        results.append(result)
with open(output, "wb") as file:
    pickle.dump(results, file)
"""


def _works_to_share() -> list[tuple[ErfRequest, ErfResult | None]]:
    """A whole measurement; one that goes on amid a draw of weights; one amid a sample."""
    drawn = _request(samples=12, images_per_weights=2, seed=4)
    filled = _request(estimator="occlusion", weights="uniform", samples=4, patch=3)
    heard: list[ErfResult] = []
    measure(filled, report=lambda _, so_far: heard.append(so_far))
    amid = [x for x in heard if x.unfinished is not None and x.unfinished.samples == 1]
    stopped = measure(replace(drawn, samples=7))
    return [(drawn, None), (drawn, replace(stopped, wanted=12)), (filled, amid[0])]


@pytest.mark.slow
def test_that_two_ranks_measure_what_one_does(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    works = _works_to_share()
    (tmp_path / "works").write_bytes(pickle.dumps(works))
    outputs = [tmp_path / f"results of {rank}" for rank in range(2)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", _RANK, tmp_path / "works", output],
            env=os.environ
            | {
                "RANK": str(rank),
                "WORLD_SIZE": "2",
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            },
        )
        for rank, output in enumerate(outputs)
    ]
    try:
        assert [x.wait(timeout=60) for x in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()  # one waits for the other, if that has failed
            process.wait()
    alone = [measure(request) for request, _ in works]
    for output in outputs:
        for found, wanted in zip(pickle.loads(output.read_bytes()), alone, strict=True):
            assert found.samples == wanted.samples == wanted.wanted
            np.testing.assert_allclose(found.map, wanted.map, rtol=1e-12, atol=1e-15)
            error = wanted.standard_error
            np.testing.assert_allclose(found.standard_error, error, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("rank", "world", "words"),
    [
        ("0", "2", "RANK=0 and WORLD_SIZE=2 say that processes share this, but MASTER_ADDR is not"),
        ("x", "2", "RANK=x and WORLD_SIZE=2"),
        ("0", "x", "RANK=0 and WORLD_SIZE=x"),
        ("2", "2", "RANK=2 and WORLD_SIZE=2"),
        ("-1", "2", "RANK=-1 and WORLD_SIZE=2"),
    ],
)
def test_that_an_environment_that_names_no_processes_is_told(
    rank: str, world: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", world)
    if words.endswith("is not"):
        monkeypatch.delenv("MASTER_ADDR", raising=False)
    else:
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
        monkeypatch.setenv("MASTER_PORT", "1")
    with pytest.raises(MeasurementError, match=words):
        measure(_request())


def test_that_processes_that_do_not_come_are_waited_for_so_long_and_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(distributed, "PATIENCE", timedelta(seconds=1))
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_PORT", str(port))
    with pytest.raises(
        MeasurementError,
        match="waited 1 seconds for the other 1 of the 2 processes .* start them with torchrun",
    ):
        measure(_request())


def test_that_a_fill_that_the_precision_does_not_know_is_refused() -> None:
    with pytest.raises(MeasurementError, match="fill is too large for float32: 1e"):
        _request(estimator="occlusion", fill=1e39, dtype="float32")
    assert _request(estimator="occlusion", fill=1e39, dtype="float64").fill == 1e39


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64 + 1, True, 1.5])
def test_that_a_seed_out_of_range_is_refused(seed: Any) -> None:
    with pytest.raises(MeasurementError, match="seed must be a whole number"):
        _request(seed=seed)
    with pytest.raises(MeasurementError, match="seed must be a whole number from 0 to 9,223"):
        to_torch(NETWORK, seed=seed)


def test_that_no_two_seeds_share_numbers_for_whatever_purpose() -> None:
    """One purpose of a seed beyond 32 bits had the numbers of another purpose of a small one."""
    drawn = {
        (seed, stream, index): tuple(generator(seed, stream, index).integers(0, 2**60, 4))
        for seed in (0, 1, 2, 2**31, 2**32, 2**32 + 1, 2**33, 2**63 - 1)
        for stream in Stream
        for index in (0, 1, 2, 2**32, 2**32 + 1)
    }
    assert len(set(drawn.values())) == len(drawn)
