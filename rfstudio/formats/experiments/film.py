"""The film of a training: the field at each of its steps, on disk as soon as it is known.

A film is a folder.  ``film.jsonl`` is a text file of JSON values, one a line: first what is
trained, with the network as YAML, then a line for each frame.  Beside it are the weights at each
of its steps, ``step-000100.safetensors``, and, while the training is not finished,
``state.safetensors``, from which it goes on.  Of two frames of one step the later one counts.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.metrics.rings import ring_share
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.experiments.ledger import Row, line_of, line_text, map_of, parsed_line
from rfstudio.formats.files import FileAccessError, atomic_write
from rfstudio.formats.networks.yaml_reader import read_yaml

FORMAT = 1
FILM = "film.jsonl"
STATE = "state.safetensors"

MAX_BYTES = 1 << 30
_LOSSES = 200
"""Losses of a frame in the file; of more steps neighbours are averaged."""


class FilmError(RFStudioError):
    """A folder holds no film, or one that cannot be read."""


@dataclass(frozen=True, eq=False)
class FilmFrame:
    """The field at one step of a training.

    Attributes
    ----------
    step
        Steps before it.
    accuracy, loss
        Share of the test's labels that are found; mean loss since the frame before.
    map
        The field, with its largest value 1.
    losses
        The loss over the steps since the frame before, in equal parts of them.
    """

    step: int
    accuracy: float
    loss: float | None
    map: NDArray[np.float32]
    losses: tuple[float, ...] = ()

    @cached_property
    def metrics(self) -> Metrics:
        """The numbers of the field."""
        return Metrics(self.map.astype(np.float64))

    @property
    def sigma(self) -> float | None:
        """Standard deviation of the field, the mean of both axes."""
        sigma = self.metrics.sigma
        return None if sigma is None else float(np.mean(sigma))

    def ring_share(self, distance: float) -> float | None:
        """Return the share of the field's energy in the ring around the centre of the image."""
        center = tuple(n // 2 for n in self.map.shape)
        return ring_share(self.map.astype(np.float64), center, distance)


class FilmWriter:
    """Writes a film.

    Parameters
    ----------
    folder
        Where it is; it exists.
    head
        What is trained.
    resume
        Whether frames that are there stay.

    Raises
    ------
    FilmError
        If the folder to resume has the film of another training.
    FileAccessError
        If the file cannot be written.
    """

    def __init__(self, folder: Path, head: Mapping[str, Any], *, resume: bool) -> None:
        self.folder = folder
        self._path = folder / FILM
        whole = {"format": FORMAT, **head}
        if resume and self._path.exists():
            found = FilmReader(folder)
            found.poll()
            # How its outputs were added is known only at the first start.
            if {**found.head, "changes": ""} != {**whole, "changes": ""}:
                raise FilmError(f"'{folder}' has the film of another training; choose another one")
            self._cut_broken_line()
            return
        if self._path.exists():  # otherwise the files are somebody else's
            for path in [*folder.glob("step-*.safetensors"), folder / STATE]:
                path.unlink(missing_ok=True)
        atomic_write(self._path, line_text(whole).encode())

    def _cut_broken_line(self) -> None:
        """Take out what a crash left of a line."""
        data = self._path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end < len(data):
            atomic_write(self._path, data[:end])

    def add(self, frame: FilmFrame, weights: bytes) -> None:
        """Add a frame with the weights of its step."""
        atomic_write(weights_path(self.folder, frame.step), weights)
        cells = {"step": frame.step, "accuracy": frame.accuracy, "loss": frame.loss}
        line = line_of(Row(0, cells, frame.map)) | {"losses": list(thinned(frame.losses))}
        try:
            with self._path.open("ab") as file:
                file.write(line_text(line).encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise FileAccessError(f"'{self._path}' cannot be saved: {error.strerror}") from None


class FilmReader:
    """Reads a film that may still grow.

    Attributes
    ----------
    head
        What is trained; empty before the first `poll`.
    frames
        The frames so far, by step.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILM
        self._read = 0
        self.head: dict[str, Any] = {}
        self.frames: dict[int, FilmFrame] = {}

    def poll(self) -> bool:
        """Read what was added since; return whether there is anything new.

        Raises
        ------
        FilmError
            If the file is no film.
        FileAccessError
            If it cannot be read.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                data = file.read(MAX_BYTES - self._read)
        except OSError as error:
            raise FileAccessError(f"'{self._path}' cannot be read: {error.strerror}") from None
        end = data.rfind(b"\n") + 1
        self._read += end
        for text in data[:end].splitlines():
            line = parsed_line(text)
            if not self.head:
                if line is None or line.get("format") != FORMAT or "network" not in line:
                    raise FilmError(f"'{self._path}' is no film of a training")
                self.head = line
            elif line is not None:
                frame = _frame_of(line)
                self.frames[frame.step] = frame
        return end > 0

    @property
    def can_go_on(self) -> bool:
        """Whether the training was stopped, and its state is there."""
        return (self._path.parent / STATE).exists()

    @property
    def network(self) -> Architecture:
        """The network that is trained, with the outputs that the task needs."""
        return read_yaml(str(self.head["network"]), str(self._path))


def weights_path(folder: Path, step: int) -> Path:
    """Return the file of the weights at a step."""
    return folder / f"step-{step:06}.safetensors"


def last_weights(folder: Path) -> Path:
    """Return the file of the latest weights of a training.

    Raises
    ------
    FilmError
        If there is none.
    """
    found = sorted(folder.glob("step-*.safetensors"))
    if not found:
        raise FilmError(f"'{folder}' has no weights of a training")
    return found[-1]


def thinned(values: tuple[float, ...], most: int = _LOSSES) -> tuple[float, ...]:
    """Return at most so many values: means of neighbours."""
    if len(values) <= most:
        return values
    parts = np.array_split(np.asarray(values), most)
    return tuple(float(x.mean()) for x in parts)


def _frame_of(line: Mapping[str, Any]) -> FilmFrame:
    try:
        cells, loss = line["cells"], line["cells"]["loss"]
        values = map_of(line)
        if values is None or values.ndim != 2:
            raise FilmError("a frame of the film has no field")
        return FilmFrame(
            int(cells["step"]),
            float(cells["accuracy"]),
            None if loss is None else float(loss),
            values,
            tuple(map(float, line.get("losses", ()))),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FilmError(f"a frame of the film cannot be read: {error!r}") from None
