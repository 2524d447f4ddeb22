"""Images with classes, to train on: what readers of data sets return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images of several classes, some of them set apart for the test.

    Attributes
    ----------
    name
        Where they come from, in words.
    classes
        The names of the classes; a label is a place in this list.
    training, test
        Images (H, W, 3), 8 bit, of any sizes; they may be read only when they are accessed.
    training_labels, test_labels
        Their labels.
    """

    name: str
    classes: tuple[str, ...]
    training: Sequence[NDArray[np.uint8]]
    training_labels: NDArray[np.int64]
    test: Sequence[NDArray[np.uint8]]
    test_labels: NDArray[np.int64]
