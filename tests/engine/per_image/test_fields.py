"""Fields on each image by itself: against torch's own gradients, and the shares of objects."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rfstudio.core.errors import Cancelled
from rfstudio.core.metrics.spread import FieldSpread, RunningSpread
from rfstudio.engine.measuring.sampling import prepared
from rfstudio.engine.module.build import to_torch
from rfstudio.engine.per_image.fields import PhotoSet, measure_spread
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.formats.networks.yaml_reader import read_yaml

NETWORK = read_yaml("""\
format: 1
input: {size: [12, 12], channels: 3}
layers:
  - conv: {name: first, kernel_size: 3, padding: 1, out_channels: 4}
  - relu: {}
  - conv: {name: second, kernel_size: 3, padding: 1, out_channels: 2}
""")
PHOTOS = [np.random.default_rng(i).integers(0, 256, (12, 12, 3), dtype=np.uint8) for i in range(3)]
NAMES = ("a", "b", "c")


def request(**changes) -> ErfRequest:
    usual = ErfRequest(architecture=NETWORK, layer="second", channel=1, dtype="float64")
    return replace(usual, **changes)


def measured(photos: PhotoSet | None = None, **changes) -> FieldSpread:
    return measure_spread(request(**changes), photos or PhotoSet(NAMES, PHOTOS))


def energies() -> list[np.ndarray]:
    """Return the squared gradients of the unit's second channel on each image, from torch."""
    module = to_torch(NETWORK, "second", seed=0).double()
    found = []
    for photo in PHOTOS:
        image = prepared(photo, 3, (12, 12)).double()[None].requires_grad_()
        (gradient,) = torch.autograd.grad(module(image)[0, 1, 6, 6], image)
        found.append(gradient[0].square().sum(0).numpy())
    return found


def test_that_each_map_is_the_gradient_on_its_image() -> None:
    found = measured()
    assert [x.name for x in found.fields] == ["a", "b", "c"]
    for field, wanted in zip(found.fields, energies(), strict=True):
        assert field.box == ((4, 8), (4, 8))
        assert field.map is not None
        assert field.map == pytest.approx(wanted[4:9, 4:9], rel=1e-5)
        assert field.strength == pytest.approx(wanted.sum())
    assert found.draws == 1  # one channel has no signs to draw
    assert found.noise == 0.0


def test_that_mean_and_deviation_are_over_maps_of_the_sum_1() -> None:
    found = measured()
    maps = np.stack([x / x.sum() for x in energies()])
    assert found.mean == pytest.approx(maps.mean(0))
    assert found.deviation == pytest.approx(maps.std(0), abs=1e-12)
    sigmas = [x.sigma or 0.0 for x in found.ordered]
    assert sigmas == sorted(sigmas)
    sigma = found.spread_of(lambda x: x.sigma)
    assert sigma is not None
    assert (sigma.mean, sigma.deviation) == pytest.approx((np.mean(sigmas), np.std(sigmas)))


def test_that_draws_of_signs_have_a_noise_that_is_told() -> None:
    found = measured(channel=None)
    assert found.draws == 8
    assert 0 < found.noise < 1


def test_that_a_box_has_its_share_of_the_field() -> None:
    found = measured(PhotoSet(NAMES, PHOTOS, box=((0, 11), (0, 5))))
    for field, wanted in zip(found.fields, energies(), strict=True):
        assert field.object_share == pytest.approx(wanted[:, :6].sum() / wanted.sum())
        assert field.object_area == pytest.approx(2 / 5)  # columns 4 and 5 of 4 to 8
        assert field.preference == pytest.approx((field.object_share or 0) / 0.4)


def test_that_a_mask_gives_a_unit_on_the_object_and_one_beside_it() -> None:
    mask = np.zeros((12, 12, 3), np.uint8)
    mask[2:5, 2:5] = (0, 0, 7)  # any colour but black
    masks = [mask, None, np.zeros_like(mask)]
    found = measured(PhotoSet(NAMES, PHOTOS, masks.__getitem__))
    first, *others = found.fields
    assert first.on_object is not None
    assert first.on_background is not None
    assert first.object_area == pytest.approx(1 / 25)
    # Unit (3, 3) is in the middle of the object; its opposite is as far from the border.
    for unit, sigma in (((3, 3), first.on_object), ((8, 8), first.on_background)):
        alone = measured(PhotoSet(NAMES[:1], PHOTOS[:1]), unit=unit)
        assert alone.fields[0].sigma == pytest.approx(sigma)
    assert all(x.object_share is None and x.on_object is None for x in others)


def test_that_a_linear_network_does_not_depend_on_the_image() -> None:
    linear = read_yaml(
        "format: 1\ninput: {size: [12, 12], channels: 3}\n"
        "layers: [conv: {name: second, kernel_size: 5, padding: 2, out_channels: 3}]"
    )
    found = measured(architecture=linear)
    assert found.deviation.max() < 1e-12
    assert len({x.sigma for x in found.fields}) == 1


def test_that_it_stops_and_that_no_images_are_refused() -> None:
    token, seen = CancelToken(), []

    def report(fraction: float, fields: tuple) -> None:
        seen.append((fraction, len(fields)))
        token.cancel()

    with pytest.raises(Cancelled):
        measure_spread(request(), PhotoSet(NAMES, PHOTOS), token=token, report=report)
    ((fraction, count),) = seen
    assert fraction == pytest.approx(1 / 3)
    assert count == 1
    with pytest.raises(MeasurementError, match="there are no images"):
        measured(PhotoSet((), ()))


def test_that_maps_are_added_one_by_one() -> None:
    maps = np.random.default_rng(0).random((5, 4, 4))
    running = RunningSpread((6, 6))
    for values in maps:
        running.add(values, ((1, 4), (2, 5)))
    running.add(np.zeros((4, 4)), ((1, 4), (2, 5)))  # nothing is seen there: left out
    shares = maps / maps.sum((1, 2), keepdims=True)
    assert running.count == 5
    assert running.mean[1:5, 2:6] == pytest.approx(shares.mean(0))
    assert running.deviation[1:5, 2:6] == pytest.approx(shares.std(0))
    assert running.mean[0].sum() == 0
