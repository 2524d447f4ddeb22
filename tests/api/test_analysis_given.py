"""An analysis in the place of a network, and what a measured field knows of its run."""

from __future__ import annotations

import numpy as np
import pytest

import rfstudio
from rfstudio.api.measured import MeasuredErf
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from tests.narrowing import instance

NETWORK = Architecture(
    "small",
    "",
    "",
    (20, 24),
    2,
    (
        Layer(ops.Conv(kernel_size=3, padding=1, out_channels=6), "a"),
        Layer(ops.Relu()),
        Layer(ops.MaxPool(kernel_size=2), "pool"),
        Layer(ops.Conv(kernel_size=3, padding=((0, 2), (1, 1)), out_channels=5), "b"),
    ),
)


@pytest.mark.parametrize("work", [rfstudio.expected_erf, rfstudio.path_counts])
def test_that_an_analysis_can_be_given_whose_size_and_reference_then_count(work) -> None:
    plain = work(NETWORK, "b", (3, 4))
    of_analysis = work(rfstudio.analyze(NETWORK), "b", (3, 4))
    assert np.array_equal(of_analysis.map, plain.map)
    assert of_analysis.metrics.as_dict() == plain.metrics.as_dict()
    larger = rfstudio.analyze(NETWORK, input_size=(28, 24))
    wanted = work(NETWORK, "b", (3, 4), input_size=(28, 24))
    assert np.array_equal(work(larger, "b", (3, 4)).map, wanted.map)
    over_pool = work(rfstudio.analyze(NETWORK, reference="pool"), "b", (3, 4))
    assert over_pool.map.shape == (10, 12)
    assert np.count_nonzero(over_pool.map) == 9  # the kernel of the only layer after it
    assert over_pool.metrics.outside == 0
    with pytest.raises(rfstudio.RFStudioError, match="another input size"):
        work(larger, "b", (3, 4), input_size=(20, 24))


def test_that_an_analysis_in_training_mode_is_taken_for_the_mode_that_is_asked_for() -> None:
    layers = (*NETWORK.layers[:1], Layer(ops.BatchNorm(), "norm"), Layer(ops.Relu(), "r"))
    network = Architecture("normed", "", "", (20, 24), 2, layers)
    for mode in ("warmed", "train"):
        plain = rfstudio.expected_erf(network, "r", batch_norm=mode)
        found = rfstudio.expected_erf(rfstudio.analyze(network), "r", batch_norm=mode)
        assert np.array_equal(found.map, plain.map)
        assert found.metrics.as_dict() == plain.metrics.as_dict()


def test_that_a_measured_field_knows_its_run() -> None:
    erf = instance(MeasuredErf, rfstudio.erf(NETWORK, "b", samples=2, device="cpu"))
    assert (erf.run.samples, erf.run.wanted, erf.exact) == (2, 2, False)
    assert erf.run.standard_error.shape == erf.map.shape
    assert erf.options["samples"] == 2
    assert "run=" not in repr(erf)
