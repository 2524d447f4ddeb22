"""A real window, and what the turns of its event loop take: the ground of `benchmarks/stalls.py`.

A turn is all that the event loop does between two looks for what the user did: the longest is how
long a key press could wait.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer

from rfstudio.app import slices
from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.frames import Frames
from rfstudio.app.heap import IdleCollection
from rfstudio.app.jobs import JobRunner
from rfstudio.app.slices import Slices
from rfstudio.app.state.image_source import sample_images
from rfstudio.app.state.settings import Settings
from rfstudio.app.studio import Studio
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.networks.yaml_reader import read_draft
from rfstudio.widgets.window.main_window import MainWindow
from rfstudio.widgets.window.questions import Questions

BESIDE = 50.0
"""Milliseconds that a turn may take while something else works: torch, a figure, an import."""

FROZEN = 100.0
"""Milliseconds that a turn may take while a network is worked out that nobody draws by hand."""

HEAD = "format: 1\ninput: {size: [224, 224], channels: 3}\nlayers:\n"

CONV = "- conv: {kernel_size: 3, padding: 1, out_channels: 8}\n"

_MERGE = (
    "- parallel: {branches: [{layers: [{conv: {kernel_size: 3, padding: 1, out_channels: 4}}]}, "
    "{layers: [{conv: {kernel_size: 3, padding: [[0, 2], [0, 2]], out_channels: 4}}]}], "
    "merge: add}\n"
)

SLOW: dict[str, str] = {
    "800 misaligned merges": _MERGE * 800,
    "1,500 growing pools": "- max_pool: {kernel_size: 2, stride: 1, padding: 1}\n" * 1500,
    "5,000 layers": (CONV + "- relu\n") * 2500,
    "20 pools and resizes": (
        "- max_pool: {kernel_size: 3, stride: 2}\n- upsample: {scale_factor: 3}\n" * 20
    ),
}
"""Networks whose analysis takes longer than a frame."""

Event = tuple[Callable[[], object], Callable[[], bool]]
"""What begins something, and whether it is over."""


class Turn(NamedTuple):
    """Milliseconds of one turn, by the wall clock and by the processor."""

    wall: float
    processor: float


@dataclass
class Waited:
    """Seconds of the processor that other threads worked while the window waited for them."""

    seconds: float = 0.0

    def watch(self) -> None:
        """Count from now on what is worked in slices."""
        turns: Any = slices._Turns  # noqa: SLF001 - timed where it stands, as it always runs
        run = turns.run

        def timed(this: Any, seconds: float) -> None:
            whole, own = time.process_time(), time.thread_time()
            run(this, seconds)
            self.seconds += time.process_time() - whole - (time.thread_time() - own)

        turns.run = timed


class Silent(Questions):
    """A user who wants to lose nothing, and to see nothing but the window."""

    def save_changes(self, *_: Any) -> Any:
        """Throw changes away."""
        return "discard"

    def report(self, _parent: Any, text: str, detail: str = "") -> None:
        """Print what went wrong: then the numbers mean something else."""
        print(f"    ! {text} {detail}"[:200])


class Bench:
    """A window, and the turns of its event loop."""

    def __init__(self, folder: Path, network: Architecture) -> None:
        self.folder = folder
        self.runner = JobRunner()
        settings = Settings(folder / "settings.ini")
        self.studio = Studio(network, settings=settings, runner=self.runner)
        self.studio.images.open(sample_images()[0])
        self.frames = Frames()
        self.window = MainWindow(self.studio, Silent(), self.frames)
        self.window.resize(1440, 900)
        self.window.show()
        IdleCollection(self.window)

    @property
    def measuring(self) -> ErfSession:
        """The measurements of the window."""
        session = self.studio.erf_session
        assert session is not None
        return session

    def is_quiet(self) -> bool:
        """Whether everything has followed."""
        studio = self.studio
        sliced = [x for x in studio.findChildren(Slices) if x.is_busy]
        return not (sliced or self.window.files.reading.is_busy or self.frames.is_busy)

    def turns(
        self, begin: Callable[[], object], is_over: Callable[[], bool], waited: Waited
    ) -> list[Turn]:
        """Do something in the event loop, and time all turns until it is over."""
        found: list[Turn] = []
        QTimer.singleShot(0, begin)
        quiet, last = 0, time.perf_counter() + 60
        while quiet < 5 and time.perf_counter() < last:
            found.append(_turn(waited))
            # The last turns paint what was found.
            quiet = quiet + 1 if is_over() and self.is_quiet() else 0
            time.sleep(0.001)
        return found

    def settle(self) -> None:
        """Let everything follow and be painted."""
        self.wait(lambda: True)

    def wait(self, is_over: Callable[[], bool]) -> None:
        """Wait until something is over, and everything has followed and is painted."""
        quiet, last = 0, time.perf_counter() + 120
        while quiet < 5 and time.perf_counter() < last:
            _turn(Waited())
            quiet = quiet + 1 if is_over() and self.is_quiet() else 0
            time.sleep(0.002)

    def close(self) -> None:
        """Close the window."""
        self.studio.document.undo_stack.setClean()
        self.window.close()
        self.window.deleteLater()


def _turn(waited: Waited) -> Turn:
    loop = QEventLoop()
    QTimer.singleShot(0, loop.quit)
    waited.seconds = 0.0
    wall, worked = time.perf_counter(), time.thread_time()
    loop.exec()
    worked = time.thread_time() - worked + waited.seconds
    return Turn((time.perf_counter() - wall) * 1e3, worked * 1e3)


def network_of(text: str) -> Architecture:
    """Return the network with these layers."""
    return read_draft((HEAD + text).encode())


def row(name: str, turns: list[Turn], allowed: float) -> None:
    """Print the longest turn, and the 99th percentile of those over a millisecond."""
    busy = [x for x in turns if max(x) >= 1] or turns
    walls, worked = [x.wall for x in busy], [x.processor for x in busy]
    late = "  over" if max(worked) > allowed else ""
    print(
        f"  {name:<52}{len(busy):7}{max(walls):9.1f}{np.percentile(walls, 99):9.1f}"
        f"{max(worked):9.1f}{np.percentile(worked, 99):9.1f}{allowed:9.0f}{late}",
        flush=True,
    )
