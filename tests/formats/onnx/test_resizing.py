"""ONNX's Resize of long axes, without the onnx package: listed in parts, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.formats.onnx import resizing
from rfstudio.formats.onnx.resizing import Resizing

POSITIONS = (
    "half_pixel",
    "align_corners",
    "asymmetric",
    "pytorch_half_pixel",
    "tf_half_pixel_for_nn",
    "half_pixel_symmetric",
    "tf_crop_and_resize",
)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_that_samples_worked_out_in_parts_are_those_of_all_at_once(
    mode: str, position: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for antialias in (False, True):
        how = Resizing(37, 101, 2.7, mode, position, roi=(0.1, 0.9), antialias=antialias)
        at_once = how.taps()
        with monkeypatch.context() as patched:
            patched.setattr(resizing, "_PART", 8)
            assert all((a == b).all() for a, b in zip(how.taps(), at_once, strict=True))


def test_that_millions_of_samples_are_listed_only_where_something_comes_of_it() -> None:
    # A cubic resize by 1.7 of a million samples took 8 s and 1.1 GB, to be taken to read all.
    assert Resizing(10**6, 1_700_000, 1.7, "cubic").is_listed_in_vain
    assert Resizing(10**7, 2 * 10**7, 2.0).is_listed_in_vain
    assert not Resizing(
        10**6, 2 * 10**6, 2.0, position="asymmetric", rounding="floor"
    ).is_listed_in_vain
    assert not Resizing(3 * 10**6, 1_500_000, 0.5, "linear").is_listed_in_vain
    assert not Resizing(100, 170, 1.7, "cubic").is_listed_in_vain


def test_that_nearest_samples_are_listed_once() -> None:
    low, high = Resizing(4, 8).taps()
    assert low is high
    assert low.tolist() == np.repeat(np.arange(4), 2).tolist()
