"""Estimators: what is averaged over the samples of a measurement, with its standard error.

Notation of Luo et al. 2016, arXiv:1701.04128: g(c, i, p) is the derivative of channel c of the unit
with respect to input channel i at pixel p.

========== =========================================================================
energy     Σ_i (Σ_c ε_c g)², ε random signs: an unbiased estimate of Σ_c Σ_i g²
rms        the square root of the mean energy
abs        Σ_i |Σ_c g|
signed     Σ_i |mean Σ_c g|: vanishes as 1/√N for random zero-mean weights
positive   Σ_i relu(∂s/∂x) of s = Σ_c relu(y_c), as in RepLKNet's script
occlusion  |y(x with a patch filled) − y(x)|, y the sum of the unit's channels
========== =========================================================================
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rfstudio.engine.process import devices
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.requests.request import CONTINUABLE, Estimator

SIGNED: tuple[str, ...] = ("energy", "rms")
"""Estimators in which every channel gets a random sign."""


def response(values: Tensor, signs: Tensor, estimator: Estimator) -> Tensor:
    """Return the scalar that is differentiated.

    Parameters
    ----------
    values
        The unit's channels for each sample, (N, C).
    signs
        A factor for each of them, (N, C): 0 for ignored channels.
    estimator
        The estimator.
    """
    if estimator == "positive":
        values = torch.relu(values)
    return (values * signs).sum()


class Mean:
    """The mean over samples of an estimator, and its standard error.

    The sums are in double precision on the CPU, for the box that was evaluated.
    """

    def __init__(self, estimator: Estimator, channels: int, extent: tuple[int, ...]) -> None:
        self.estimator = estimator
        self.count = 0
        # Signs cancel between samples but not between channels, so channels have sums of their own.
        shape = (channels, *extent) if estimator == "signed" else extent
        self.sums = torch.zeros(shape, dtype=torch.float64)
        self.squares = torch.zeros(shape, dtype=torch.float64)

    def copy(self) -> Mean:
        """Return an independent mean that starts with the same samples."""
        other = Mean(self.estimator, 0, ())
        other.count, other.sums, other.squares = self.count, self.sums, self.squares
        return other

    def add(self, gradient: Tensor) -> None:
        """Add gradients of some samples, (N, C, *box), or maps (N, *box) if made by filling."""
        values = gradient.detach()
        # Added up on their device, since two maps leave a GPU faster than all samples.
        values = (values if devices.knows_double(values.device) else values.cpu()).double()
        match self.estimator:
            case "energy" | "rms":
                values = values.square().sum(1)
            case "abs":
                values = values.abs().sum(1)
            case "positive":
                values = values.relu().sum(1)
        self.count += len(values)
        self.sums = self.sums + values.sum(0).cpu()
        self.squares = self.squares + values.square().sum(0).cpu()

    def resume(self, count: int, field: NDArray[np.float64], error: NDArray[np.float64]) -> None:
        """Start from samples of which only `map` and `standard_error` are left.

        Raises
        ------
        MeasurementError
            If the sums of this estimator cannot be found from these.
        """
        if self.estimator not in CONTINUABLE:
            raise MeasurementError(f"'{self.estimator}' cannot be continued; start again")
        mean, spread = torch.from_numpy(field.copy()), torch.from_numpy(error.copy()).nan_to_num()
        if self.estimator == "rms":
            spread = 2 * spread * mean
            mean = mean.square()
        self.count = count
        self.sums = mean * count
        self.squares = count * (spread.square() * (count - 1) + mean.square())

    def clear(self) -> None:
        """Forget all samples."""
        self.count = 0
        self.sums, self.squares = torch.zeros_like(self.sums), torch.zeros_like(self.squares)

    def map(self) -> NDArray[np.float64]:
        """Return the estimate over the box."""
        mean = self.sums / max(self.count, 1)
        match self.estimator:
            case "signed":
                mean = mean.abs().sum(0)
            case "rms":
                mean = mean.sqrt()
        result: NDArray[np.float64] = mean.numpy()
        return result

    def standard_error(self) -> NDArray[np.float64]:
        """Return the standard error of `map`; NaN for a single sample."""
        if self.count < 2:
            return np.full(self.map().shape, np.nan)
        mean = self.sums / self.count
        spread = (self.squares / self.count - mean.square()).clamp(min=0)
        error = (spread / (self.count - 1)).sqrt()
        match self.estimator:
            case "signed":
                error = error.square().sum(0).sqrt()
            case "rms":
                error = torch.where(mean > 0, error / (2 * mean.sqrt()), 0.0)
        result: NDArray[np.float64] = error.numpy()
        return result
