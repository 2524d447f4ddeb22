"""A process that really has no more memory halves its batches, and says so where that fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rfstudio.engine.measuring.erf import measure
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.formats.networks.presets import read_preset

_PROGRAM = """
import resource, sys
import numpy, torch
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.core.errors import RFStudioError
from rfstudio.engine.requests.jobs import measure_erf
from rfstudio.engine.requests.request import ErfRequest
from rfstudio.engine.process.running import CancelToken, ignore

torch.set_num_threads(1)
layers = [Layer(ops.Conv(kernel_size=1, out_channels=16), "conv")]
layers += [Layer(ops.Sigmoid(), f"l{i}") for i in range(8)]
network = Architecture(name="wide", input_size=(100, 100), layers=tuple(layers))

def measured(side, samples):
    request = ErfRequest(
        architecture=network,
        layer="l7",
        input_size=(side, side),
        method="full",
        device="cpu",
        weights="uniform",
        samples=samples,
    )
    return measure_erf(request, CancelToken(), ignore)

def limit(megabytes):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + megabytes * 2**20, resource.RLIM_INFINITY))

measured(8, 1)  # loads what is loaded late
limit(40)
halved = measured(100, 16)
limit(8)
try:
    measured(1000, 1)
except RFStudioError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
wanted = measured(100, 16)
print(*wanted.notes, wanted.samples, numpy.allclose(halved.map, wanted.map), *halved.notes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux alone")
@pytest.mark.slow
def test_that_a_full_memory_halves_the_batch_and_ends_in_a_sentence() -> None:
    """Sixteen samples keep 9 maps of 0.64 MB each, 92 MB, of which 40 are there.

    A single map of 1000 × 1000 takes 64 MB, of which 8 are there.
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sentence, halved = done.stdout.splitlines()
    assert halved.startswith("16 True memory ran out; samples at once reduced to 8")
    assert sentence.startswith("memory does not suffice")


@pytest.mark.parametrize("size", [(999_999_999, 999_999_999), (2**31 - 1, 4)])
def test_that_images_beyond_the_memory_are_refused_with_what_they_need(size) -> None:
    request = ErfRequest(architecture=read_preset("luo_20_layers"), layer="stack", input_size=size)
    with pytest.raises(MeasurementError, match="GB"):
        measure(request)


def test_that_samples_beyond_reason_are_refused_in_short() -> None:
    with pytest.raises(MeasurementError, match=r"samples must be at most 1,000,000,000") as caught:
        ErfRequest(architecture=read_preset("vgg16"), layer="conv1_1", samples=10**400)
    assert len(str(caught.value)) < 200


def test_that_only_what_takes_long_is_said_to_take_long() -> None:
    with pytest.raises(MeasurementError, match="channel must be at most") as caught:
        ErfRequest(architecture=read_preset("vgg16"), layer="conv1_1", channel=10**20)
    assert "years" not in str(caught.value)
