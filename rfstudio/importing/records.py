"""Records: what a front end found in a model, one operation each, in the order of execution.

A front end (torch.export, later ONNX) translates its operations to these few kinds; the tracker
knows nothing else.  Values have names; a value that no record makes is an input or a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]

Bounds = tuple[float, float]
"""The least and the largest of numbers, which may be infinite."""

Scope = tuple[str, ...]
"""Names of the modules that a record is in, from the outside in; empty: the model itself."""


@dataclass(frozen=True, slots=True)
class Record:
    """One operation.

    Attributes
    ----------
    kind
        What it does: a kind that a `rule` of the tracker is for, or an unknown one.
    output
        Name of its value.
    shape
        Shape of its value.
    sources
        Names of the values that it reads; those of constants too.
    options
        What else the kind needs.
    scope
        The modules that it is in.
    label
        The front end's own word for it, for reports.
    weights
        Names of the learned tensors that it reads, as in a state dict.
    parameters
        Number of learned parameters that it reads.
    """

    kind: str
    output: str
    shape: Shape
    sources: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    scope: Scope = ()
    label: str = ""
    weights: tuple[str, ...] = ()
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class Program:
    """A model as records.

    Attributes
    ----------
    name
        What it is called.
    source
        Name of the value that is the image.
    shape
        Shape of the image: (1, channels, *size).
    records
        All operations, in the order of execution.
    constants
        Shapes of the values that do not depend on the image.
    value_of
        Computes a constant; None if it cannot be computed or is too large.
    result
        Name of the model's output, if it is one value.
    value_with
        Computes a constant as if learned tensors, by name, had other values; None if it cannot.
    """

    name: str
    source: str
    shape: Shape
    records: tuple[Record, ...]
    constants: Mapping[str, Shape]
    value_of: Callable[[str], NDArray[np.generic] | None]
    result: str = ""
    value_with: Callable[[str, Mapping[str, NDArray[np.float64]]], NDArray[np.generic] | None] = (
        lambda _name, _values: None
    )
