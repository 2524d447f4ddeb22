"""Deformable convolutions, against loops over taps and against torch's own gradients."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from rfstudio import erf
from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.network.expansion import expand
from rfstudio.engine.measuring.gains import measured_gains
from rfstudio.engine.module.build import GraphModule, to_torch
from rfstudio.engine.module.cone import input_of, scatter, unit_box
from rfstudio.engine.module.layers.deformable import between_samples, within_reach
from tests.engine.deforming import deformed

_SIZE = (7, 6)


def _network(
    op: ops.DeformConv, groups: int = 1, *, masked: bool = True, size: tuple[int, ...] = _SIZE
) -> Architecture:
    """Return a network of a stem, offsets, a mask of its own weights, and a head after all."""
    taps = math.prod(ops.per_axis(op.kernel_size, len(size)))
    window = {x: getattr(op, x) for x in ("kernel_size", "stride", "padding", "dilation")}

    def beside(name: str, out: int) -> Layer:
        return Layer(ops.Conv(**window, out_channels=out), name, ("stem",))

    gate = (beside("logits", groups * taps), Layer(ops.Sigmoid(), "mask")) if masked else ()
    return Architecture(
        input_size=size,
        channels=2,
        layers=(
            Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4), "stem"),
            beside("offset", groups * taps * len(size)),
            *gate,
            Layer(op, "dcn", ("stem", "offset", "mask")[: 2 + masked]),
            Layer(ops.BatchNorm(), "norm"),
            Layer(ops.Conv(kernel_size=3, padding=1, out_channels=3), "head"),
        ),
    )


def _moved(network: Architecture, layer: str = "dcn", scale: float = 0.4) -> GraphModule:
    """Return a module whose offsets are not 0."""
    module = to_torch(network, layer, dtype=torch.float64)
    source = torch.Generator().manual_seed(1)
    for name, x in module.state_dict().items():
        if name.startswith(("offset.", "logits.", "dcn.bias")):
            x.copy_(scale * torch.randn(x.shape, generator=source, dtype=x.dtype))
    return module


def _image(network: Architecture, count: int = 1) -> Tensor:
    source = torch.Generator().manual_seed(2)
    shape = (count, network.channels, *network.input_size)
    return torch.randn(shape, generator=source, dtype=torch.float64)


_CASES = [
    (ops.DeformConv(kernel_size=3, padding=1, out_channels=6), 1, True),
    (ops.DeformConv(kernel_size=3, padding=1, stride=2, out_channels=6, groups=2), 4, False),
    (ops.DeformConv(kernel_size=(2, 3), padding=(0, 2), dilation=2, groups=4), 2, True),
    (ops.DeformConv(kernel_size=3, padding=1, out_channels=6, max_offset=1, bias=False), 2, True),
    (ops.DeformConv(kernel_size=3, padding="same", stride=2, max_offset=2), 1, False),
]


def _by_loops(
    op: ops.DeformConv, x: Tensor, offset: Tensor, mask: Tensor | None, weight: Tensor
) -> Tensor:
    """Return a deformable convolution, without bias, of numbers one by one."""
    _, channels, height, width = x.shape
    (kh, kw), strides, dilations = ops.window_of(op, 2)
    (top, _), (left, _) = ops.resolved_padding(op, (height, width))
    parts = offset.shape[1] // (2 * kh * kw)
    inner = weight.shape[1]
    result = x.new_zeros(len(x), len(weight), *offset.shape[2:])

    def at(n: int, c: int, i: int, j: int) -> float:
        return float(x[n, c, i, j]) if 0 <= i < height and 0 <= j < width else 0.0

    for n, o, r, s in itertools.product(*map(range, result.shape)):
        group = o * (channels // inner) // len(weight)
        for c, a, b in itertools.product(range(inner), range(kh), range(kw)):
            channel = group * inner + c
            tap = channel * parts // channels * kh * kw + a * kw + b
            shift = [float(offset[n, 2 * tap + axis, r, s]) for axis in (0, 1)]
            if op.max_offset is not None:
                shift = [max(-op.max_offset, min(op.max_offset, z)) for z in shift]
            y = r * strides[0] - top + a * dilations[0] + shift[0]
            z = s * strides[1] - left + b * dilations[1] + shift[1]
            i, j = math.floor(y), math.floor(z)
            value = (1 - y + i) * (1 - z + j) * at(n, channel, i, j)
            value += (1 - y + i) * (z - j) * at(n, channel, i, j + 1)
            value += (y - i) * (1 - z + j) * at(n, channel, i + 1, j)
            value += (y - i) * (z - j) * at(n, channel, i + 1, j + 1)
            factor = 1.0 if mask is None else float(mask[n, tap, r, s])
            result[n, o, r, s] += weight[o, c, a, b] * factor * value
    return result


@pytest.mark.parametrize(("op", "groups", "masked"), _CASES)
def test_that_each_tap_reads_where_its_offset_moves_it(
    op: ops.DeformConv, groups: int, masked: bool
) -> None:
    network = _network(op, groups, masked=masked)
    module = _moved(network)
    plan = module.plan(_SIZE)
    graph = module.graph_at(_SIZE)
    values = plan.values(_image(network))
    x, offset, mask = (
        values[graph.index(name)] if name in graph.paths else None
        for name in ("stem", "offset", "mask")
    )
    assert x is not None
    assert offset is not None
    assert offset.abs().max() > 1
    state = module.state_dict()
    wanted = _by_loops(op, x, offset, mask, state["dcn.weight"])
    if op.bias:
        wanted = wanted + state["dcn.bias"][:, None, None]
    torch.testing.assert_close(module(_image(network)), wanted, rtol=1e-12, atol=1e-12)


def test_that_gradients_go_through_the_map_and_through_the_offsets() -> None:
    network = _network(ops.DeformConv(kernel_size=3, padding=1, out_channels=6, groups=2), 2)
    module = _moved(network)
    state = module.state_dict()

    def by_torch(image: Tensor) -> Tensor:
        conv = torch.nn.functional.conv2d
        x = conv(image, state["stem.weight"], state["stem.bias"], padding=1)
        offset = conv(x, state["offset.weight"], state["offset.bias"], padding=1)
        mask = conv(x, state["logits.weight"], state["logits.bias"], padding=1).sigmoid()
        weight, bias = state["dcn.weight"], state["dcn.bias"]
        return deformed(x, weight, offset, mask, bias, padding=1, groups=2)

    image = _image(network).requires_grad_()
    ours, theirs = module(image), by_torch(image)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    signs = torch.randn(ours.shape, dtype=ours.dtype)
    (found,) = torch.autograd.grad((ours * signs).sum(), image)
    (wanted,) = torch.autograd.grad((theirs * signs).sum(), image)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)
    # What goes through the map alone is another gradient.
    for name in ("offset", "logits"):
        state[f"{name}.weight"].zero_()
    (other,) = torch.autograd.grad((module(image) * signs).sum(), image)
    assert (other - wanted).abs().max() > 0.1 * wanted.abs().max()


def test_that_gradients_are_those_of_differences() -> None:
    source = torch.Generator().manual_seed(3)
    maps = torch.randn(1, 2, 2, 4, 5, generator=source, dtype=torch.float64, requires_grad=True)
    places = 6 * torch.rand(2, 1, 2, 7, generator=source, dtype=torch.float64) - 1
    places.requires_grad_()
    assert torch.autograd.gradcheck(between_samples, (maps, places))


@pytest.mark.parametrize(("op", "groups", "masked"), _CASES)
def test_that_a_cone_gives_what_the_whole_map_does(
    op: ops.DeformConv, groups: int, masked: bool
) -> None:
    network = _network(op, groups, masked=masked)
    module = _moved(network)
    image = _image(network, 2).requires_grad_()
    result = module(image)
    for unit in itertools.product(*((0, n // 2, n - 1) for n in result.shape[2:])):
        plan = module.plan(_SIZE, unit_box(unit))
        part = input_of(plan, image.detach()).clone().requires_grad_()
        value = plan.run(part)
        here = (slice(None), slice(None), *(slice(u, u + 1) for u in unit))
        torch.testing.assert_close(value, result[here], rtol=1e-12, atol=1e-12)
        (found,) = torch.autograd.grad(value.sum(), part)
        (wanted,) = torch.autograd.grad(result[here].sum(), image, retain_graph=True)
        torch.testing.assert_close(scatter(plan, found), wanted, rtol=1e-10, atol=1e-12)
        region = analyze(network).unit("dcn", unit).support()
        assert not wanted.abs().sum((0, 1)).numpy()[~region].any()


@pytest.mark.parametrize("estimator", ["abs", "energy", "occlusion"])
def test_that_a_field_is_that_of_a_module_written_by_hand(estimator: str) -> None:
    network = _network(ops.DeformConv(kernel_size=3, padding=1, max_offset=2))
    module = _moved(network, "head")

    class Own(torch.nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            found: Tensor = module(image)
            return found

    fields = [
        erf(
            *(network, "head"),
            unit=(3, 3),
            estimator=estimator,  # type: ignore[arg-type]
            samples=2,
            dtype="float64",
            module=x,
        ).map
        for x in (module, Own().eval())
    ]
    np.testing.assert_allclose(fields[0], fields[1], rtol=1e-9, atol=1e-12)
    assert fields[0].max() > 0


def test_that_offsets_are_0_before_any_training() -> None:
    op = ops.DeformConv(kernel_size=3, padding=1, out_channels=6)
    network = _network(op)
    module = to_torch(network, "dcn", dtype=torch.float64)
    assert [x.label for x in module.layers() if x.rests] == ["offset", "logits"]
    assert module.at_rest == ("dcn",)
    state, image = module.state_dict(), _image(network)
    x = to_torch(network, "stem", dtype=torch.float64)(image)
    plain = torch.nn.functional.conv2d(x, state["dcn.weight"], padding=1)
    torch.testing.assert_close(module(image), plain / 2)  # of a sigmoid of 0
    # A training moves them: what comes out depends on them.
    weight = module.get_submodule("offset").get_parameter("weight").requires_grad_()
    (gradient,) = torch.autograd.grad(module(image).square().sum(), weight)
    assert gradient.abs().max() > 0
    result = erf(network, "dcn", samples=1)
    note = "deformable convolutions have offsets of 0, as before any training: dcn"
    assert note in result.notes


def test_that_what_is_read_for_more_than_offsets_has_weights_as_any_other() -> None:
    op = ops.DeformConv(kernel_size=3, padding=1, out_channels=6)
    layers = (
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=18), "both"),
        Layer(ops.ChannelSlice(stop=8), "part"),
        Layer(op, "dcn", ("part", "both")),
    )
    module = to_torch(Architecture(input_size=_SIZE, channels=2, layers=layers))
    assert not [x for x in module.layers() if x.rests]
    assert module.at_rest == ()


@pytest.mark.parametrize("sums", [0, 40])
def test_that_an_image_may_be_offsets_itself_which_are_not_0(sums: int) -> None:
    network = Architecture(
        input_size=(9, 8),
        channels=2,
        layers=(
            *(
                Layer(ops.Add(), f"sum{i}", (f"sum{i - 1}" if i else "input",) * 2)
                for i in range(sums)
            ),
            Layer(
                ops.DeformConv(kernel_size=1),
                "dcn",
                ("input", f"sum{sums - 1}" if sums else "input"),
            ),
        ),
    )
    assert to_torch(network).at_rest == ()
    assert not any("offsets of 0" in x for x in erf(network, "dcn", samples=1).notes)


@pytest.mark.parametrize("seed", range(12))
def test_that_the_support_is_that_of_positive_weights(seed: int) -> None:
    rng = random.Random(seed)
    op = ops.DeformConv(
        kernel_size=(rng.randint(1, 3), 3),
        stride=rng.randint(1, 2),
        padding=(rng.randint(0, 1), 1),
        dilation=rng.randint(1, 2),
        max_offset=rng.choice([None, 0, 1]),
    )
    network = _network(op, rng.choice([1, 2]), masked=rng.random() < 0.5, size=(11, 10))
    graph = expand(network)
    assert not graph.faults
    size = graph.nodes[graph.index("head")].size
    unit = tuple(rng.randrange(n) for n in size)
    module = to_torch(network, "head", weights="ones", positive=True, dtype=torch.float64)
    image = torch.zeros(1, 2, 11, 10, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(image)[(0, slice(None), *unit)].sum(), image)
    support = analyze(network).unit("head", unit).support()
    np.testing.assert_array_equal((gradient[0].sum(0) > 0).numpy(), support)


@pytest.mark.parametrize("size", [(9,), (4, 5, 6)])
def test_that_maps_of_one_and_three_axes_are_moved_too(size: Sequence[int]) -> None:
    size = tuple(size)
    network = _network(ops.DeformConv(kernel_size=1), masked=False, size=size)
    module = to_torch(network, "dcn", dtype=torch.float64)
    image = _image(network)
    still = module(image)
    module.state_dict()["offset.bias"].copy_(torch.eye(len(size))[-1])  # the sample after it
    wanted = torch.nn.functional.pad(still, (0, 1))[..., 1:]
    torch.testing.assert_close(module(image), wanted)


def test_that_offsets_are_cut_to_the_reach_of_a_layer() -> None:
    x = torch.tensor([-3.0, -1.0, -0.5, 0.0, 0.9, 1.0, 2.5], requires_grad=True)
    found = within_reach(x, 1)
    assert found.tolist() == pytest.approx([-1, -1, -0.5, 0, 0.9, 1, 1])
    (slope,) = torch.autograd.grad(found.sum(), x)
    assert slope.tolist() == [0, 0, 1, 1, 1, 0, 0]


def test_that_measured_gains_are_those_of_the_same_layer_without_offsets() -> None:
    op = ops.DeformConv(kernel_size=3, padding=1, out_channels=6)
    moving = _network(op, masked=False)
    still = Architecture(
        input_size=_SIZE,
        channels=2,
        layers=tuple(
            x if x.name != "dcn" else Layer(op, "dcn", ("stem",))
            for x in moving.layers
            if isinstance(x, Layer) and x.name != "offset"
        ),
    )
    module, other = (to_torch(x, "head", dtype=torch.float64) for x in (moving, still))
    other.load_state_dict(module.state_dict(), strict=False)
    image = _image(moving, 3)
    found, wanted = measured_gains(module, image), measured_gains(other, image)
    graph, plain = expand(moving), expand(still)
    pairs = [("stem", "stem"), ("dcn.taps", "dcn"), ("norm", "norm"), ("head", "head")]
    for ours, theirs in pairs:
        np.testing.assert_allclose(found[graph.index(ours)], wanted[plain.index(theirs)], rtol=1e-9)
    assert found[graph.index("dcn"), graph.index("dcn.taps")] == 1
