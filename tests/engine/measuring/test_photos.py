"""Photos that are read when they are asked for: how often, how many at once, and damaged ones."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from rfstudio.core import ops
from rfstudio.core.errors import Cancelled
from rfstudio.engine.measuring import sampling
from rfstudio.engine.measuring.erf import measure
from rfstudio.engine.measuring.gains import measure_gains
from rfstudio.engine.measuring.network_cache import NetworkCache
from rfstudio.engine.measuring.sampling import Images, prepared
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.process.running import CancelToken
from rfstudio.engine.requests.gains_request import GainsRequest
from rfstudio.engine.requests.request import ErfRequest, ErfResult
from tests.engine import networks

NETWORK = networks.stack(
    ops.Conv(kernel_size=5, padding=2, bias=False),
    ops.BatchNorm(),
    ops.Relu(),
    ops.Conv(kernel_size=3, padding=1),
    size=(16, 14),
    channels=3,
)


class Folder(Sequence[Any]):
    """Eight photos, of which some may be damaged; notes which are read."""

    def __init__(self, damaged: tuple[int, ...] = ()) -> None:
        self.read: list[int] = []
        self.key: Hashable = ("folder", damaged)
        self._damaged = damaged

    def __len__(self) -> int:
        return 8

    def __getitem__(self, number: Any) -> Any:
        self.read.append(number)
        if number in self._damaged:
            raise MeasurementError(f"photo {number} is damaged")
        return _photo(number)


def _photo(number: int) -> NDArray[np.uint8]:
    source = np.random.default_rng(number)
    return source.integers(0, 256, (30 + number, 25, 3)).astype(np.uint8)


def _measure(images: Any, samples: int | None = None, **how: Any) -> ErfResult:
    options: dict[str, Any] = {"dtype": "float64", "device": "cpu", "weights": "uniform"}
    unit = how.pop("unit", (8, 7))
    request = ErfRequest(
        architecture=NETWORK, layer="l3", unit=unit, images=images, samples=samples, **options
    )
    return measure(request, **how)


def test_that_photos_of_a_folder_give_what_they_give_in_memory() -> None:
    folder = Folder()
    ours = _measure(folder, 11)
    np.testing.assert_array_equal(ours.map, _measure(tuple(map(_photo, range(8))), 11).map)
    assert sorted(folder.read) == list(range(8))  # each once


def test_that_photos_beyond_the_memory_for_them_are_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_one = 3 * 16 * 14 * 4
    monkeypatch.setattr(sampling, "_KEPT_BYTES", 2 * of_one)
    folder = Folder()
    images = Images(3, (16, 14), 0, folder)
    for _ in range(3):
        images.batch(range(8))
        assert images.bytes == 2 * of_one
    assert [folder.read.count(x) for x in range(8)] == [1, 1, 3, 3, 3, 3, 3, 3]


def test_that_a_damaged_photo_ends_a_measurement_before_its_first_sample() -> None:
    reports: list[float] = []
    with pytest.raises(MeasurementError, match="photo 7 is damaged"):
        _measure(Folder(damaged=(7,)), report=lambda done, _: reports.append(done))
    assert reports == []
    request = GainsRequest(architecture=NETWORK, layer="l3", images=Folder((7,)), samples=8)
    with pytest.raises(MeasurementError, match="photo 7 is damaged"):
        measure_gains(request, report=lambda done, _: reports.append(done))
    assert reports == []


def test_that_a_photo_that_no_sample_shows_is_not_read() -> None:
    folder = Folder(damaged=(5,))
    assert _measure(folder, 5).samples == 5
    assert 5 not in folder.read


def test_that_reading_photos_can_be_cancelled() -> None:
    token = CancelToken()

    class Slow(Folder):
        def __getitem__(self, number: Any) -> Any:
            if number == 4:
                token.cancel()
            return super().__getitem__(number)

    slow = Slow()
    with pytest.raises(Cancelled):
        _measure(slow, token=token)
    assert max(slow.read) == 4


def test_that_the_next_unit_reads_no_photo_again() -> None:
    held = NetworkCache()
    first, second = Folder(), Folder()
    _measure(first, networks=held)
    there = _measure(second, networks=held, unit=(8, 8))
    assert second.read == []
    np.testing.assert_allclose(there.map, _measure(Folder(), unit=(8, 8)).map, rtol=1e-12)
    assert held.bytes >= 8 * 3 * 16 * 14 * 4
    other = Folder()
    other.key = "changed"
    _measure(other, networks=held)
    assert sorted(other.read) == list(range(8))


@pytest.mark.parametrize("shape", [(300, 400), (224, 224), (1000, 737), (100, 90)])
def test_that_a_photo_is_scaled_as_all_its_colours_at_once(shape: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    x = torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255
    scale = max(224 / n for n in shape)
    covering = [max(round(n * scale), 224) for n in shape]
    x = functional.interpolate(x, covering, mode="bilinear", antialias=True)
    top, left = ((n - 224) // 2 for n in covering)
    x = x[0, :, top : top + 224, left : left + 224]
    # Mean and standard deviation of ImageNet's photos.
    mean = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
    deviation = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)
    assert torch.equal(prepared(photo, 3, (224, 224)), (x - mean) / deviation)
