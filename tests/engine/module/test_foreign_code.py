"""The error of a module of the user that fails has its name and the line of their code."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

import rfstudio
from rfstudio.core import ops
from rfstudio.engine.process.errors import MeasurementError
from tests.engine import networks

NETWORK = networks.stack(ops.Conv(kernel_size=3, padding=1), ops.Relu(), channels=3)


class _Broken(torch.autograd.Function):
    @staticmethod
    def forward(_context: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(_context: Any, _gradient: Tensor) -> Tensor:
        raise KeyError("backward")  # the line that is named


class _Fails(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.conv = nn.Conv2d(4, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        match self.how:
            case "its own error":
                raise ValueError("no such thing")  # the line that is named
            case "a layer":
                return self.conv(x)  # the line that is named
            case "the gradient":
                return _Broken.apply(x)
            case "memory":
                raise MemoryError
        return x


_TOLD = [
    number
    for number, text in enumerate(Path(__file__).read_text().splitlines(), 1)
    if text.endswith("# the line that is named")
]


@pytest.mark.parametrize(
    ("how", "words", "line", "cause"),
    [
        (
            "its own error",
            r"its forward pass fails in forward, .*ValueError: no such",
            1,
            ValueError,
        ),
        (
            "a layer",
            "its forward pass fails in forward, .*RuntimeError: Given groups=1",
            2,
            RuntimeError,
        ),
        ("the gradient", "its gradient fails in backward, .*KeyError: 'backward'", 0, KeyError),
    ],
)
@pytest.mark.parametrize("estimator", ["abs", "occlusion"])
def test_that_an_error_of_a_module_names_it_and_the_line_and_stays_as_the_cause(
    how: str, words: str, line: int, cause: type[Exception], estimator: Literal["abs", "occlusion"]
) -> None:
    if how == "the gradient" and estimator == "occlusion":
        return  # which takes none
    with pytest.raises(MeasurementError, match="^_Fails: " + words) as caught:
        rfstudio.erf(
            NETWORK, "l1", module=_Fails(how).eval(), samples=1, estimator=estimator, device="cpu"
        )
    assert f"line {_TOLD[line]} of {__file__}" in str(caught.value)
    assert isinstance(caught.value.__cause__, cause)


def test_that_a_module_without_code_of_the_user_is_named() -> None:
    with pytest.raises(MeasurementError, match="^Sequential: its forward pass fails: RuntimeError"):
        rfstudio.erf(NETWORK, "l1", module=nn.Sequential(nn.Conv2d(4, 3, 3)).eval(), samples=1)


def test_that_a_module_that_cannot_be_copied_is_named() -> None:
    module = _Fails("").eval()
    module.cache = module.conv.weight * 2
    with pytest.raises(MeasurementError, match="^_Fails: it cannot be copied .*RuntimeError: Only"):
        rfstudio.erf(NETWORK, "l1", module=module, samples=1)


def test_that_lack_of_memory_in_a_module_is_told_as_such() -> None:
    with pytest.raises(MeasurementError, match="memory does not suffice"):
        rfstudio.erf(NETWORK, "l1", module=_Fails("memory").eval(), samples=2)
