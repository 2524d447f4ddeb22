"""Reads signals, from sound, array and text files, within limits even for hostile files."""

from __future__ import annotations

import wave
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import RFStudioError, shown
from rfstudio.formats.files import read_bounded

SUFFIXES = (".wav", ".npy", ".csv")
"""Endings of their files."""

MAX_BYTES = 1 << 28

MAX_SAMPLES = 1 << 24
"""Samples that are read; a longer signal is read from its beginning."""

_MAX_TEXT = 1 << 26
"""Bytes of a text file."""

_MIDDLE = 127.5
"""Zero, of bytes."""


class SignalError(RFStudioError):
    """A file holds no signal that can be shown; the text says which and why."""


def is_signal(path: Path) -> bool:
    """Whether a file is a signal by its ending."""
    return path.suffix.lower() in SUFFIXES


def read_signal(path: str | Path) -> NDArray[np.float64]:
    """Return the samples of a signal.

    Of several channels the mean is taken; of several columns of a text the last one, as the first
    ones say when.

    Parameters
    ----------
    path
        A ``.wav`` of whole numbers, an ``.npy`` of one or two axes, or a ``.csv``.

    Raises
    ------
    FileAccessError
        If the file cannot be read.
    SignalError
        If it holds no signal, or is damaged.
    """
    path = Path(path)
    read = {".wav": _of_wav, ".npy": _of_npy, ".csv": _of_csv}.get(path.suffix.lower())
    if read is None:
        raise SignalError(f"'{path.name}' is no signal; {', '.join(SUFFIXES)} are read")
    data = read_bounded(path, _MAX_TEXT if path.suffix.lower() == ".csv" else MAX_BYTES)
    try:
        samples = read(data)
    except SignalError as error:
        raise SignalError(f"'{path.name}': {error}") from None
    except (ValueError, EOFError, wave.Error, OverflowError, TypeError) as error:
        raise SignalError(f"'{path.name}' is damaged: {shown(str(error))}") from None
    if not samples.size:
        raise SignalError(f"'{path.name}' holds no samples")
    if not np.isfinite(samples).all():
        raise SignalError(f"'{path.name}' has samples that are not finite")
    return samples


def as_line(samples: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a signal as a picture of one line, (1, n, 3) bytes, with zero in the middle."""
    peak = float(np.abs(samples).max())
    scaled = samples / peak if peak > 0 else samples
    line = np.rint(_MIDDLE + _MIDDLE * scaled).astype(np.uint8)
    return np.repeat(line[np.newaxis, :, np.newaxis], 3, axis=2)


def _of_wav(data: bytes) -> NDArray[np.float64]:
    with wave.open(BytesIO(data)) as file:
        channels, width = file.getnchannels(), file.getsampwidth()
        raw = file.readframes(min(file.getnframes(), MAX_SAMPLES // max(channels, 1)))
    raw = raw[: len(raw) // (channels * width) * channels * width]
    if width == 1:
        values = np.frombuffer(raw, np.uint8).astype(np.float64) - 128
    elif width == 3:
        # Three bytes are the upper ones of four.
        padded = np.zeros((len(raw) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        values = padded.view("<i4")[:, 0].astype(np.float64)
    else:
        values = np.frombuffer(raw, f"<i{width}").astype(np.float64)
    mean: NDArray[np.float64] = values.reshape(-1, channels).mean(axis=1)
    return mean


def _of_npy(data: bytes) -> NDArray[np.float64]:
    # The header is checked first: it may promise more than the file holds.
    stream = BytesIO(data)
    version = np.lib.format.read_magic(stream)
    readers: dict[tuple[int, int], Any] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise SignalError(f"version {version[0]} of the format is not read")
    shape, _, dtype = readers[version](stream)
    if dtype.kind not in "iufb" or len(shape) not in (1, 2):
        raise SignalError("the array must hold numbers along one or two axes")
    if int(np.prod(shape, dtype=object)) * dtype.itemsize > len(data):
        raise SignalError("the file is shorter than it says")
    array = np.load(BytesIO(data), allow_pickle=False)
    if array.ndim == 2:  # the shorter axis is that of the channels
        array = array.mean(axis=int(np.argmin(array.shape))) if array.size else array.ravel()
    signal: NDArray[np.float64] = array[:MAX_SAMPLES].astype(np.float64)
    return signal


def _of_csv(data: bytes) -> NDArray[np.float64]:
    values = []
    for number, line in enumerate(data.decode("utf-8-sig", "replace").splitlines()):
        words = line.replace(";", ",").replace("\t", ",").split(",")
        word = words[-1].strip()
        if not word:
            continue
        try:
            values.append(float(word))
        except ValueError:
            if number == 0:
                continue  # a line of titles
            raise SignalError(f"line {number + 1}: '{shown(word, 20)}' is no number") from None
        if len(values) == MAX_SAMPLES:
            break
    return np.array(values, np.float64)
