"""The phase contrast of networks is the one that was published or worked out before."""

from __future__ import annotations

import numpy as np
import pytest

import rfstudio
from rfstudio.core.errors import UnitError
from rfstudio.core.metrics.phases import phase_contrast, phase_shares


@pytest.mark.parametrize(
    ("name", "layer", "by_two", "by_four"),
    [
        # Definitions 11.
        ("vgg16", "pool5", 1.00, 1.00),
        ("resnet18", "layer4", 1.78, 2.25),
        ("mobilenet_v2", "layer_19", 4.00, 5.06),
    ],
)
def test_that_presets_have_their_known_contrast(name, layer, by_two, by_four) -> None:
    field = rfstudio.expected_erf(name, layer).map
    assert phase_contrast(field, 2) == pytest.approx(by_two, abs=0.01)
    assert phase_contrast(field, 4) == pytest.approx(by_four, abs=0.01)


def test_that_shares_are_those_of_the_residue_classes() -> None:
    values = np.arange(12.0).reshape(3, 4)
    # Rows 0 and 2, columns 0 and 2: 0 + 2 + 8 + 10 of 66.
    assert phase_shares(values, 2)[0, 0] == pytest.approx(20 / 66)
    assert phase_shares(values, 2).sum() == pytest.approx(1)


def test_that_pixels_that_are_never_read_make_the_contrast_infinite() -> None:
    values = np.zeros(8)
    assert np.isnan(phase_contrast(values, 2))
    values[::2] = 1
    assert phase_contrast(values, 2) == float("inf")
    with pytest.raises(UnitError):
        phase_contrast(values, 0)
