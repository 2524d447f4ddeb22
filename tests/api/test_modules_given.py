"""Torch modules wherever a network is taken."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import rfstudio
from rfstudio.core.errors import RFStudioError
from rfstudio.importing.imported import Imported

SIZE = (20, 20)


class _Net(nn.Module):
    """Two convolutions, of which the first has weights in the middle of its window alone."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3, padding=1)
        self.b = nn.Conv2d(8, 8, 3, 2, padding=1)
        with torch.no_grad():
            middle = self.a.weight[:, :, 1:2, 1:2].clone()
            self.a.weight.zero_()[:, :, 1:2, 1:2] = middle

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.relu(self.a(x)))


@cache
def _module() -> nn.Module:
    torch.manual_seed(0)
    return _Net()


@cache
def _network() -> Imported:  # what type checkers take a module to give
    return rfstudio.load(_module(), input_size=SIZE)


def test_that_a_module_is_analysed_at_the_size_of_its_image() -> None:
    module = _module()
    analysis = rfstudio.analyze(module, input_size=SIZE)
    assert analysis.architecture == _network()
    assert analysis.input_size == SIZE
    assert analysis["b"].rf_size == (5, 5)
    assert module.training  # it is left as it was
    assert rfstudio.load(_network()) is _network()


def test_that_the_module_itself_is_measured_unless_weights_are_given() -> None:
    # By hand: of the window of 5 the middle taps of the first convolution leave 3.
    own = rfstudio.erf(_network(), "b", samples=4)
    assert np.count_nonzero(own.map) == 9
    assert own.options["weights"] == "of a module"
    drawn = rfstudio.erf(_network(), "b", samples=4, weights="random")
    assert np.count_nonzero(drawn.map) == 25
    with pytest.raises(RFStudioError, match="is no submodule of _Net.*weights='random'"):
        rfstudio.erf(_network(), "relu1", samples=1)


def test_that_a_module_with_images_is_taken_at_their_size() -> None:
    images = torch.rand(1, 3, *SIZE)
    assert np.count_nonzero(rfstudio.erf(_module(), "b", images=images).map) == 9


def test_that_what_cannot_be_imported_is_said_in_a_sentence() -> None:
    with pytest.raises(RFStudioError, match=r"for which size of image _Net is: input_size="):
        rfstudio.load(_module())
    given: Any = 3
    with pytest.raises(RFStudioError, match="a preset's name, a file or a torch module, not int"):
        rfstudio.analyze(given)
