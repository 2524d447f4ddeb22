"""Sections through an effective field: a row of it through a point, with its fitted Gaussian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.metrics.gaussian_fit import GaussianFit, fit_gaussian


@dataclass(frozen=True, eq=False)
class Section:
    """A row of an effective field through the unit's centre.

    Attributes
    ----------
    values
        Along the axis; 1 is the peak of the section, or of the one that it is compared with.
    fit
        The Gaussian fitted to it.
    """

    values: NDArray[np.float64]
    fit: GaussianFit | None

    def fitted(self) -> NDArray[np.float64] | None:
        """Return the values of the fitted Gaussian; None if there is none."""
        if self.fit is None:
            return None
        x = np.arange(self.values.size)
        bell = np.exp(-((x - self.fit.center[0]) ** 2) / (2 * self.fit.sigma[0] ** 2))
        return np.asarray(self.fit.amplitude * bell, np.float64)


def section(
    field: NDArray[np.float64],
    centre: tuple[float, ...],
    axis: int,
    beside: NDArray[np.float64] | None = None,
) -> Section | None:
    """Return the row of a field through a point, scaled to its peak; None if it is zero.

    Parameters
    ----------
    field
        An effective field.
    centre
        The point, in pixels; moved inside the image.
    axis
        Along which axis.
    beside
        Another field whose peak is used.  Both are taken as shares of their sums, since the peak of
        a measured field depends more on its noise than on its size.
    """
    index: list[int | slice] = [
        min(max(round(c), 0), n - 1) for c, n in zip(centre, field.shape, strict=True)
    ]
    index[axis] = slice(None)
    row = np.asarray(field[tuple(index)], np.float64)
    peak = float(row.max()) if row.size else 0.0
    if not np.isfinite(peak) or peak <= 0:
        return None
    if beside is not None and (total := float(beside.sum())) > 0:
        peak = float(beside[tuple(index)].max()) * float(field.sum()) / total or peak
    values = row / peak
    x = np.arange(values.size)
    mean = float(x @ values) / float(values.sum())
    sigma = float(np.sqrt((x - mean) ** 2 @ values / values.sum()))
    return Section(values, fit_gaussian(values, (mean,), (sigma,)))
