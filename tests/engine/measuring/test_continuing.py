"""Samples that are added later give what one run of all samples gives."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.engine.measuring import occlusion
from rfstudio.engine.measuring.erf import measure
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.requests.request import BY_FILLING, CONTINUABLE, ErfRequest, ErfResult
from tests.engine import networks
from tests.narrowing import present

NETWORK = networks.stack(
    ops.Conv(kernel_size=3, padding=1),
    ops.Relu(),
    ops.Conv(kernel_size=3, padding=1, out_channels=4),
    channels=3,
)


def _request(**changes: Any) -> ErfRequest:
    return ErfRequest(
        architecture=NETWORK, layer="l2", unit=(4, 4), dtype="float64", device="cpu", **changes
    )


def _stopped(request: ErfRequest, samples: int) -> ErfResult:
    """Return the measurement as it was after some samples of all that were wanted."""
    return replace(measure(replace(request, samples=samples)), wanted=present(request.samples))


class _Cut(Exception):  # noqa: N818 - an outcome, not a fault
    """A measurement was stopped."""


@pytest.mark.parametrize("reports", [1, 4, 10])
@pytest.mark.parametrize("estimator", BY_FILLING)
def test_that_a_measurement_by_filling_goes_on_amid_a_sample(
    estimator: Any, reports: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patches overlap, so that the map so far is a preview; 49 of them, 8 at once."""
    monkeypatch.setattr(occlusion, "_MAX_BATCH", 8)
    request = _request(estimator=estimator, samples=2, patch=3, stride=1)
    heard: list[ErfResult] = []

    def stop(fraction: float, so_far: ErfResult) -> None:
        heard.append(so_far)
        if len(heard) == reports:
            raise _Cut(fraction)

    with pytest.raises(_Cut):
        measure(request, report=stop)
    stopped = pickle.loads(pickle.dumps(heard[-1]))
    assert stopped.unfinished is not None
    assert not stopped.is_complete
    whole, seen = measure(request), list[tuple[float, ErfResult]]()
    result = measure(request, earlier=stopped, report=lambda *x: seen.append(x))
    assert np.allclose(result.map, whole.map, rtol=1e-12, atol=0)
    assert np.allclose(result.standard_error, whole.standard_error, rtol=1e-9, atol=0)
    assert (result.samples, result.is_complete) == (2, True)
    # What was there is not evaluated again: the first news is of the batch that was next.
    first = seen[0][1].unfinished
    amid = len(stopped.unfinished.moved)
    assert first is not None
    assert len(first.moved) == amid + 8
    assert np.array_equal(first.moved[:amid], stopped.unfinished.moved[:amid])


@pytest.mark.parametrize("weights", ["random", "uniform"])
@pytest.mark.parametrize("estimator", CONTINUABLE)
def test_that_a_stopped_measurement_goes_on_to_the_same_result(
    estimator: Any, weights: str
) -> None:
    request = _request(estimator=estimator, weights=weights, samples=11)
    whole = measure(request)
    for stopped in (1, 6):  # in the middle of a draw of weights, too
        result = measure(request, earlier=_stopped(request, stopped))
        assert (result.samples, result.wanted) == (11, 11)
        assert np.allclose(result.map, whole.map, rtol=1e-12, atol=1e-14)
        assert np.allclose(result.standard_error, whole.standard_error, rtol=1e-9, atol=1e-12)


def test_that_time_adds_up_and_the_first_report_is_of_all_samples() -> None:
    request = _request(samples=8, images_per_weights=1)
    kept = replace(_stopped(request, 5), seconds=100.0)
    reports: list[int] = []
    result = measure(request, earlier=kept, report=lambda _, so_far: reports.append(so_far.samples))
    assert result.seconds > 100
    assert reports == [6, 7, 8]


@pytest.mark.parametrize(
    ("estimator", "changes", "words"),
    [
        ("signed", {}, "'signed' cannot be continued"),
        ("energy", {"seed": 1}, "had other options"),
    ],
)
def test_that_what_cannot_be_continued_is_refused(
    estimator: Any, changes: dict[str, Any], words: str
) -> None:
    request = _request(estimator=estimator, samples=3, **(changes if "seed" not in changes else {}))
    kept = _stopped(request, 2)
    with pytest.raises(MeasurementError, match=words):
        measure(replace(request, **changes), earlier=kept)


@pytest.mark.parametrize("samples", [3, 4, 7, 8, 11])
def test_that_samples_of_one_draw_count_as_one_in_the_error(samples: int) -> None:
    """Against the formula, draw by draw, from measurements of the draws alone."""
    request = _request(samples=samples, images_per_weights=4)
    result = measure(request)
    each = [measure(replace(request, samples=n)).map * n for n in range(samples + 1) if n]
    single = np.diff(np.stack([0 * each[0], *each]), axis=0)
    mean = result.map
    if samples <= 4:  # of the only draw, over its samples
        expected = single.std(0, ddof=1) / samples**0.5
    else:
        draws = [single[i : i + 4] for i in range(0, samples, 4)]
        deviations = sum((x.sum(0) - len(x) * mean) ** 2 for x in draws)
        expected = (deviations * len(draws) / (len(draws) - 1)) ** 0.5 / samples
    assert np.allclose(result.standard_error, expected, rtol=1e-6, atol=1e-10)
