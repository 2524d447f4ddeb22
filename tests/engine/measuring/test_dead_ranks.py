"""Of processes that share a measurement, one ends early: the others say so."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
import torch

from rfstudio.engine.measuring import distributed
from rfstudio.engine.measuring.estimators import Mean
from rfstudio.engine.process.errors import MeasurementError

_PROGRAM = """
import os
import torch
from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.engine.measuring.erf import measure
from rfstudio.engine.requests.request import ErfRequest

torch.set_num_threads(1)
conv = Layer(ops.Conv(kernel_size=3, padding=1), "conv")
network = Architecture(name="one", input_size=(12, 12), layers=(conv,))

def report(fraction, so_far):
    if os.environ["RANK"] == "1":
        os._exit(7)  # as the system ends a process that takes too much memory

try:
    measure(ErfRequest(architecture=network, layer="conv", device="cpu"), report=report)
except RFStudioError as error:
    print(error)
"""


def test_that_a_lost_exchange_is_reported_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_reduce(values: torch.Tensor) -> None:
        raise RuntimeError("[gloo/transport/tcp/pair.cc:534] Connection closed by peer")

    monkeypatch.setattr(torch.distributed, "get_backend", lambda: "gloo")
    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    with pytest.raises(MeasurementError, match="one of the 3 processes .* has ended before"):
        distributed.add_up(Mean("energy", 1, (2, 2)), distributed.Rank(0, 3), torch.device("cpu"))


@pytest.mark.slow
def test_that_a_process_that_dies_is_reported_by_the_other() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    first, second = (
        subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            env=shared | {"RANK": rank},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in "01"
    )
    try:
        said, _ = first.communicate(timeout=150)
        assert second.wait(timeout=60) == 7
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()
    assert first.returncode == 0
    assert said.startswith("at least one of the 2 processes that share this measurement has ended")
