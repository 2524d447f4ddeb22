"""Windows over long signals: their sums without a matrix of outputs times inputs."""

from __future__ import annotations

import random

import numpy as np
import pytest

from rfstudio.core.axes.axis_rule import Window
from rfstudio.core.layer_models import pooled_values
from rfstudio.core.layer_models.moments import Profile
from rfstudio.core.layer_models.pair_tables import reads
from rfstudio.core.layer_models.pooled_values import profile_after


@pytest.mark.parametrize("seed", range(20))
def test_that_a_profile_is_the_same_by_taps_as_by_a_matrix(seed: int, monkeypatch) -> None:
    rng = random.Random(seed)
    kernel, dilation, stride = rng.randint(1, 5), rng.randint(1, 3), rng.randint(1, 3)
    before, n_in = rng.randint(-2, 4), rng.randint(20, 40)
    n_out = (n_in + 2 * before - dilation * (kernel - 1) - 1) // stride + 1
    rule = Window(n_in, n_out, kernel, stride, dilation, before, cropped=max(-before, 0))
    values = np.array([rng.uniform(0.1, 2) for _ in range(n_in)])
    sums = reads(rule) @ values
    monkeypatch.setattr(pooled_values, "_MOST_WEIGHTS", 0)
    found = profile_after((rule,), Profile((values,)))
    if sums.min() <= 0:
        assert found is None
    else:
        assert found is not None
        assert found.axes[0] == pytest.approx(sums / sums.mean(), rel=1e-12)
