"""A second thread draws images while the first computes, and no number changes by it."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rfstudio.core import ops
from rfstudio.core.errors import Cancelled
from rfstudio.engine.measuring import sampling
from rfstudio.engine.measuring.drawing_ahead import DrawingAhead
from rfstudio.engine.measuring.erf import measure, measure_units
from rfstudio.engine.measuring.network_cache import NetworkCache
from rfstudio.engine.process.running import CancelToken
from rfstudio.engine.requests.request import ErfRequest
from tests.engine import networks

NETWORK = networks.stack(
    ops.Conv(kernel_size=3, padding=1, bias=False),
    ops.BatchNorm(),
    ops.Relu(),
    ops.Conv(kernel_size=3, padding=1),
    size=(16, 14),
    channels=3,
)
REQUEST = ErfRequest(architecture=NETWORK, layer="l3", samples=7, images_per_weights=3)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the images that a second thread has begun; there are two threads."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(sampling, "WORTH_DRAWING_AHEAD", 1)
    begun: list[int] = []
    before = DrawingAhead.begin

    def begin(self: DrawingAhead, indices: Any) -> None:
        before(self, indices)
        begun.extend(indices)

    monkeypatch.setattr(DrawingAhead, "begin", begin)
    return begun


@pytest.mark.parametrize("changes", [{}, {"weights": "uniform"}, {"estimator": "abs"}])
def test_that_a_second_thread_changes_no_number(
    drawn: list[int], monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    request = replace(REQUEST, **changes)
    together, units = measure(request), measure_units(request, [(3, 4), (8, 8)])
    assert set(drawn) == set(range(7))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    alone, units_alone = measure(request), measure_units(request, [(3, 4), (8, 8)])
    for a, b in zip((together, *units), (alone, *units_alone), strict=True):
        np.testing.assert_array_equal(a.map, b.map)
        np.testing.assert_array_equal(a.standard_error, b.standard_error)


def test_that_no_image_is_drawn_for_an_evaluation_that_is_cached(drawn: list[int]) -> None:
    network = networks.stack(ops.Conv(kernel_size=3, padding=1), ops.GlobalAvgPool(), size=(9, 9))
    held = NetworkCache()
    request = ErfRequest(architecture=network, layer="l1", samples=3)
    first = measure(request, networks=held)
    (cached,) = held.networks
    assert cached.tapes
    cached.images.forget()
    drawn.clear()
    np.testing.assert_array_equal(measure(request, networks=held).map, first.map)
    assert not drawn


def test_that_a_cancelled_measurement_leaves_no_thread(drawn: list[int]) -> None:
    token = CancelToken()
    with pytest.raises(Cancelled):
        measure(REQUEST, token=token, report=lambda *_: token.cancel())
    assert drawn
    assert not [x for x in threading.enumerate() if x.name.startswith("rfstudio-noise")]


def test_that_each_image_is_drawn_once_and_few_wait_for_their_turn() -> None:
    numbers: list[int] = []

    def draw(index: int) -> Tensor:
        numbers.append(index)
        return torch.tensor(index)

    ahead = DrawingAhead(draw, 4)
    ahead.begin(range(10))
    ahead.begin(range(10))
    assert [int(ahead.take(i)) for i in range(10)] == list(range(10))
    ahead.close()
    assert sorted(numbers) == list(range(10))
