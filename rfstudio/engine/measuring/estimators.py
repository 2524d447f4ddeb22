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

import copy

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

    Samples that share a draw of weights depend on each other, so the standard error is that of a
    mean over draws: with T the sum and n the number of a draw's samples, N their number in all, G
    the number of draws and m the mean, it is the root of G / (G − 1) Σ (T − n m)² / N².  Where each
    sample is a draw of its own, that is the usual formula.  A single draw says nothing about
    others; then the error is that over its samples, for these weights.

    Parameters
    ----------
    estimator
        The estimator.
    channels, extent
        Of the pixels that were evaluated.
    width
        Samples of a draw, which are added one after the other.

    Attributes
    ----------
    count
        Samples so far.
    """

    def __init__(
        self, estimator: Estimator, channels: int, extent: tuple[int, ...], width: int = 1
    ) -> None:
        self.estimator = estimator
        self.count = 0
        self._width = width
        # Signs cancel between samples but not between channels, so channels have sums of their own.
        shape = (channels, *extent) if estimator == "signed" else extent
        self.sums = torch.zeros(shape, dtype=torch.float64)
        # Of complete draws: Σ T², Σ n T, G and Σ n².
        self._squares, self._products = torch.zeros_like(self.sums), torch.zeros_like(self.sums)
        self._draws = self._sizes = 0
        # Of the first draw: Σ v² over its samples.
        self._of_first = torch.zeros_like(self.sums)
        # Of the draw that is not complete: T and n.
        self._open, self._opened = torch.zeros_like(self.sums), 0

    def copy(self) -> Mean:
        """Return an independent mean that starts with the same samples."""
        # No tensor is changed in place.
        return copy.copy(self)

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
        added = values.sum(0).cpu()
        self.sums = self.sums + added
        if self._width == 1:
            self._squares = self._squares + values.square().sum(0).cpu()
            self._products = self._products + added
            self._draws += len(values)
            self._sizes += len(values)
            return
        if not self._draws:
            self._of_first = self._of_first + values.square().sum(0).cpu()
        self._open, self._opened = self._open + added, self._opened + len(values)
        if self._opened >= self._width:
            self._squares, self._products, self._draws, self._sizes = self._of_draws()
            self._open, self._opened = torch.zeros_like(self.sums), 0

    def _of_draws(self) -> tuple[Tensor, Tensor, int, int]:
        """Return Σ T², Σ n T, G and Σ n² of all draws, that which is not complete, too."""
        if not self._opened:
            return self._squares, self._products, self._draws, self._sizes
        return (
            self._squares + self._open.square(),
            self._products + self._opened * self._open,
            self._draws + 1,
            self._sizes + self._opened**2,
        )

    def open_draw(self) -> NDArray[np.float64] | None:
        """Return the sum of a draw that is not complete; None if all are, or if it is the only one.

        It is what `resume` needs beside the map and its error.
        """
        if not self._opened or not self._draws or self.estimator not in CONTINUABLE:
            return None
        result: NDArray[np.float64] = self._open.numpy()
        return result

    def parts(self) -> list[Tensor]:
        """Return all sums, to be added to those of another mean."""
        numbers = [self.count, self._draws, self._sizes, self._opened]
        return [
            torch.tensor(numbers, dtype=torch.float64),
            self.sums,
            self._squares,
            self._products,
            self._of_first,
            self._open,
        ]

    def take(self, parts: list[Tensor]) -> None:
        """Replace all sums by those of `parts`."""
        numbers, self.sums, self._squares, self._products, self._of_first, self._open = parts
        self.count, self._draws, self._sizes, self._opened = map(int, numbers.tolist())

    def resume(
        self,
        count: int,
        field: NDArray[np.float64],
        error: NDArray[np.float64],
        open_draw: NDArray[np.float64] | None = None,
    ) -> None:
        """Start from samples of which only these are left.

        Parameters
        ----------
        count
            Their number.
        field, error
            Their `map` and `standard_error`.
        open_draw
            What `open_draw` returned.  Without it, a draw that is not complete counts as if its
            samples were like all others.

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
        self._of_first = count * (spread.square() * (count - 1) + mean.square())
        complete, self._opened = divmod(count, self._width)
        if not complete:
            self._open = self.sums
            return
        if open_draw is None:
            self._open = self._opened * mean
        else:
            self._open = torch.from_numpy(open_draw.copy())
        self._draws, self._sizes = complete, complete * self._width**2
        self._products = self._width * (self.sums - self._open)
        _, products, draws, sizes = self._of_draws()
        deviations = spread.square() * count**2 * (draws - 1) / draws
        squares = deviations + 2 * mean * products - mean.square() * sizes
        self._squares = squares - self._open.square() if self._opened else squares

    def clear(self) -> None:
        """Forget all samples."""
        self.take([torch.zeros_like(x) for x in self.parts()])

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
        squares, products, draws, sizes = self._of_draws()
        if draws == 1:  # of its samples, each for itself
            squares, products, draws, sizes = self._of_first, self.sums, self.count, self.count
        deviations = (squares - 2 * mean * products + mean.square() * sizes).clamp(min=0)
        error = (deviations * (draws / (draws - 1))).sqrt() / self.count
        match self.estimator:
            case "signed":
                error = error.square().sum(0).sqrt()
            case "rms":
                error = torch.where(mean > 0, error / (2 * mean.sqrt()), 0.0)
        result: NDArray[np.float64] = error.numpy()
        return result
