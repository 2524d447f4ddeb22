"""Starts processes as ``torchrun`` does, for tests of what several of them share."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence


def run_ranks(arguments: Sequence[str], total: int, seconds: float = 240) -> list[str]:
    """Run a Python program as several processes, and return what each of them prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"WORLD_SIZE": str(total), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        subprocess.Popen(
            [sys.executable, *arguments],
            env=os.environ | shared | {"RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(total)
    ]
    try:
        printed = [x.communicate(timeout=seconds)[0] for x in processes]
        assert [x.returncode for x in processes] == [0] * total
    finally:
        for process in processes:
            process.kill()  # one waits for the other, if that has failed
            process.communicate()
    return printed
