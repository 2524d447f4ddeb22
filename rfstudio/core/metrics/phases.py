"""Phase contrast: whether a unit depends on some pixels more than on their neighbours.

A stride larger than the overlap of its windows reads some rows and columns more often than
others, which appears in the effective field as a regular pattern: "dead pixels" of [1]_.

References
----------
.. [1] Kim, Choi, Jang, Kim, Bae, "Dead Pixel Test Using Effective Receptive Field",
   arXiv:2108.13576, 2021.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.errors import UnitError


def phase_shares(values: NDArray[np.float64], modulus: int) -> NDArray[np.float64]:
    """Return the share of the energy in each residue class of the position.

    Parameters
    ----------
    values
        The energy of each position; its axes are those of the image.
    modulus
        Positions are taken modulo it along each axis.

    Returns
    -------
    array
        ``modulus`` entries along each axis, whose sum is 1; all 0 if there is no energy.

    Raises
    ------
    UnitError
        If `modulus` is not a whole number of at least 1.
    """
    if modulus < 1:
        raise UnitError(f"a modulus is a whole number of at least 1, not {modulus}")
    shape = (modulus,) * values.ndim
    shares = np.zeros(shape)
    for phase in product(range(modulus), repeat=values.ndim):
        shares[phase] = values[tuple(slice(x, None, modulus) for x in phase)].sum()
    total = shares.sum()
    return shares / total if total > 0 else shares


def phase_contrast(values: NDArray[np.float64], modulus: int) -> float:
    """Return the largest share of a residue class over the smallest: 1 is even.

    Infinite if some class has no energy at all, NaN if none has.

    Examples
    --------
    >>> phase_contrast(np.ones((8, 8)), 2)
    1.0
    """
    shares = phase_shares(values, modulus)
    low, high = float(shares.min()), float(shares.max())
    if high == 0:
        return float("nan")
    return high / low if low > 0 else float("inf")


_UNEVEN = 1.5
"""Contrast from which on a remark is made."""


def phase_remark(contrasts: Mapping[str, float | None]) -> str:
    """Return what is to be said of phase contrasts by modulus; empty if they are even enough.

    Examples
    --------
    >>> phase_remark({"2": 1.0, "4": 1.02})
    ''
    """
    for modulus, contrast in contrasts.items():
        if contrast is None:
            return (
                f"some pixels modulo {modulus} have no effect at all: a stride skips them "
                "(dead pixels, Kim et al. 2021)"
            )
    modulus, largest = max(contrasts.items(), key=lambda x: x[1] or 0.0, default=("", 0.0))
    if largest is None or largest < _UNEVEN:
        return ""
    return (
        f"pixels of one place modulo {modulus} have {largest:.3g} times the effect of those of "
        "another: windows with a stride read some rows and columns more often than others "
        "(Kim et al. 2021); a kernel that is a multiple of its stride reads them evenly"
    )
