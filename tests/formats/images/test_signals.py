"""Sound, array and text files become signals, and hostile ones a sentence."""

from __future__ import annotations

import contextlib
import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfstudio.core.errors import RFStudioError
from rfstudio.formats.images.shaping import has_other_shape, shaped
from rfstudio.formats.images.signals import SUFFIXES, SignalError, as_line, read_signal


def _wav(path: Path, frames: bytes, *, channels: int = 1, width: int = 2) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(16_000)
        file.writeframes(frames)
    return path


def test_that_sounds_of_every_width_are_read_and_channels_averaged(tmp_path: Path) -> None:
    path = _wav(tmp_path / "two.wav", struct.pack("<4h", 100, 300, -200, 0), channels=2)
    assert read_signal(path).tolist() == [200, -100]
    path = _wav(tmp_path / "byte.wav", bytes([0, 128, 255]), width=1)
    assert read_signal(path).tolist() == [-128, 0, 127]
    path = _wav(tmp_path / "three.wav", b"\x00\x00\x80\xff\xff\x7f", width=3)
    assert (read_signal(path) / 256).tolist() == [-(2**23), 2**23 - 1]


def test_that_arrays_and_texts_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[1.0, 2, 3], [3, 4, 5]]))
    assert read_signal(tmp_path / "a.npy").tolist() == [2, 3, 4]
    (tmp_path / "a.csv").write_text("time,value\n0.0,1\n0.1,-2.5\n\n0.2,3e1\n")
    assert read_signal(tmp_path / "a.csv").tolist() == [1, -2.5, 30]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.csv", b"1\n2\nmany\n", "line 3: 'many' is no number"),
        ("a.csv", b"nan\n", "not finite"),
        ("a.csv", b"", "no samples"),
        ("a.npy", b"\x93NUMPY\x09\x00", "version 9"),
        ("a.wav", b"RIFF", "damaged"),
        ("a.txt", b"1", "is no signal"),
    ],
)
def test_that_a_file_without_a_signal_is_refused_in_words(
    tmp_path: Path, name: str, data: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(SignalError, match=why):
        read_signal(tmp_path / name)


def test_that_an_array_that_promises_more_than_it_holds_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "huge.npy"
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
        )
    with pytest.raises(SignalError, match="shorter than it says"):
        read_signal(path)


@given(data=st.binary(max_size=200), suffix=st.sampled_from(SUFFIXES), valid=st.booleans())
def test_that_no_file_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, suffix: str, valid: bool
) -> None:
    start = {".wav": b"RIFF\x24\x00\x00\x00WAVEfmt ", ".npy": b"\x93NUMPY\x01\x00", ".csv": b"1,2"}
    path = tmp_path_factory.mktemp("signals") / f"a{suffix}"
    path.write_bytes((start[suffix] if valid else b"") + data)
    with contextlib.suppress(RFStudioError):
        assert np.isfinite(read_signal(path)).all()


def test_that_zero_is_in_the_middle_of_a_line() -> None:
    line = as_line(np.array([-1.0, 0, 2]))
    assert line.shape == (1, 3, 3)
    assert line[0, :, 0].tolist() == [64, 128, 255]
    assert as_line(np.zeros(2))[0, :, 1].tolist() == [128, 128]


def test_that_a_signal_is_cut_or_silent_at_both_ends_and_only_stretched_if_wanted() -> None:
    line = as_line(np.arange(5.0))
    assert np.array_equal(shaped(line, (3,), "crop"), line[:, 1:4])
    longer = shaped(line, (9,), "pad")
    assert longer.shape == (1, 9, 3)
    assert np.array_equal(longer[:, 2:7], line)
    assert set(longer[0, [0, 1, 7, 8], 0].tolist()) == {128}
    assert shaped(line, (9,), "stretch") is line
    assert has_other_shape(line, (9,))
    assert not has_other_shape(line, (5,))
