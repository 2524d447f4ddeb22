"""What many units see, looked up at once, against one look-up each."""

from __future__ import annotations

import numpy as np
import pytest

from rfstudio.app.files.presets import read_preset
from rfstudio.core.fields.analysis import analyze


@pytest.mark.parametrize("preset", ["resnet18", "unet", "tcn_1d", "fcn_resnet50"])
def test_that_bounds_are_the_intervals_of_many_units(preset: str) -> None:
    analysis = analyze(read_preset(preset))
    for index, node in enumerate(analysis.graph.nodes):
        for field, units in zip(analysis.fields[index], node.size, strict=True):
            if field.whole or not field.tracks:
                continue
            looked_at = np.arange(-3, min(units, 40) + 3)
            first, last = field.bounds(looked_at).tolist()
            found = [(a, b) if a <= b else None for a, b in zip(first, last, strict=True)]
            assert found == [field.interval(int(x)) for x in looked_at]
