"""Positions that are read by their numbers, against torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rfstudio.core.errors import FormatError
from rfstudio.core.fields.analysis import analyze
from rfstudio.engine.module.build import to_torch
from rfstudio.formats.networks.yaml_reader import read_yaml
from rfstudio.formats.networks.yaml_writer import write_yaml
from rfstudio.formats.pytorch.source import write_pytorch

TEXT = """\
format: 1
name: gathered
input: {size: [9, 8], channels: 2}
layers:
  - conv: {name: c, kernel_size: 3, padding: 1}
  - gather: {name: g, index: [7, 0, 3, 3], axis: 0}
  - conv: {name: end, kernel_size: [2, 1]}
"""


def test_that_values_regions_and_source_are_those_of_torch() -> None:
    network = read_yaml(TEXT)
    assert write_yaml(network) == TEXT
    image = torch.randn(1, 2, 9, 8, generator=torch.Generator().manual_seed(0))
    before, after = (to_torch(network, x, seed=1) for x in ("c", "g"))
    assert torch.equal(after(image), before(image)[:, :, [7, 0, 3, 3]])
    assert "[:, :, [7, 0, 3, 3]]" in write_pytorch(network)
    analysis = analyze(network)
    module = to_torch(network, "end", weights="ones", positive=True)
    for unit in ((0, 0), (1, 4), (2, 7)):
        image = image.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(module(image)[:, :, *unit].sum(), image)
        seen = (gradient[0] != 0).any(0).numpy()
        np.testing.assert_array_equal(analysis.unit("end", unit).support(), seen)
    assert analysis.unit("g", (0, 4)).theoretical_region == ((6, 8), (3, 5))


def test_that_a_position_beyond_the_map_is_named() -> None:
    with pytest.raises(FormatError, match="position 9 is not on an axis of 9 samples"):
        read_yaml(TEXT.replace("[7, 0", "[9, 0"))
