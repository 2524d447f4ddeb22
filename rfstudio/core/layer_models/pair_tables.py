"""Tables along one axis of how pairs of outputs, a lag apart, add to pairs of their inputs.

A pair is a lag and the place of its first member; along one axis of an array lag comes after lag,
from the most negative one, and within each the places.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rfstudio.core.axes.axis_rule import AxisRule, Periodic
from rfstudio.core.layer_models.spread import Values, spread_of
from rfstudio.core.work import A_CALL, spend, uncounted

Lag: TypeAlias = tuple[int, ...]
"""How far two places are apart along each axis, or the largest such distance."""


_AN_ENTRY = 1.2
"""Work for an entry of a product of two matrices of weights that is looked for what is not 0."""


def work_of_table(rule: AxisRule, reach: int, new: int | None = None) -> float:
    """Return the work of a table of pairs: in entries of arrays, before it is made.

    Parameters
    ----------
    rule
        How outputs read inputs.
    reach, new
        Largest lags of outputs and of inputs; None: lag by lag, only equal ones meet.
    """
    meetings = (2 * reach + 1) * (1 if new is None else 2 * new + 1)
    return _AN_ENTRY * rule.n_out * rule.n_in * (meetings + 2)


class Table(NamedTuple):
    """Pairs of (lag, place) of outputs that add to pairs of inputs, sorted by input."""

    outputs: NDArray[np.intp]
    places: NDArray[np.intp]
    starts: NDArray[np.intp]
    weights: Values | None
    size: int


def reads(rule: AxisRule, power: int = 0) -> Values:
    """Return the weights, or 1, with which outputs (rows) read inputs (columns)."""
    result = np.zeros((rule.n_out, rule.n_in))
    if isinstance(rule, Periodic):
        # Weights of an interpolation may be negative.
        result[rule.pairs] = rule.amplitudes if power else 1.0
    elif result.size:
        how = spread_of(rule, power)
        with uncounted():  # once for all tables, and part of their work
            found, start = how.back(np.eye(rule.n_out), 1, 0)
        result[:, start : start + found.shape[1]] = found * how.factor
    return result


def pair_table(a: Values, reach: int, new: int, link: tuple[int, int] | None = None) -> Table:
    """Return how pairs of outputs up to `reach` apart add to pairs of inputs up to `new` apart.

    (E32) G_in(p, p′) = Σ w(i, p) w(j, p′) G(i, j).

    Parameters
    ----------
    a
        Weights, outputs × inputs.
    reach, new
        Largest lags.
    link
        Lags count for which first · output lag = second · input lag: those of equal weights.
    """
    n, m = a.shape
    outputs, inputs, weights = [], [], []
    for far in range(-reach, reach + 1):
        low = max(0, -far)
        if n - abs(far) <= 0:
            continue
        # Row by row the weights of both members of all pairs of outputs `far` apart.
        one, two = a[low : n - max(0, far)], a[max(0, far) : n + min(0, far)]
        for lag in range(-new, new + 1):
            if (link and link[0] * far != link[1] * lag) or m - abs(lag) <= 0:
                continue
            # Column p of the first meets column p + lag of the second.
            left = max(0, -lag)
            both = one[:, left : m - max(0, lag)] * two[:, max(0, lag) : m + min(0, lag)]
            q, p = np.nonzero(both)
            outputs.append((far + reach) * n + q + low)
            inputs.append((lag + new) * m + p + left)
            weights.append(both[q, p])
    return _table(outputs, inputs, weights, (2 * new + 1) * m)


def read_by_both(a: Values, reach: int) -> Table:
    """Return how pairs of outputs add to the samples that both read, lag by lag."""
    n, m = a.shape
    outputs, inputs = [], []
    for far in range(-reach, reach + 1):
        if n - abs(far) <= 0:
            continue
        low = max(0, -far)
        both = a[low : n - max(0, far)] * a[max(0, far) : n + min(0, far)]
        q, p = np.nonzero(both)
        outputs.append((far + reach) * n + q + low)
        inputs.append((far + reach) * m + p)
    return _table(outputs, inputs, None, (2 * reach + 1) * m)


def _table(
    outputs: list[NDArray[np.intp]],
    inputs: list[NDArray[np.intp]],
    weights: list[Values] | None,
    count: int,
) -> Table:
    if not outputs:
        nothing = np.zeros(0, np.intp)
        return Table(nothing, nothing, nothing, None, count)
    into = np.concatenate(inputs)
    order = np.argsort(into, kind="stable")
    into = into[order]
    starts = np.flatnonzero(np.diff(into, prepend=-1))
    found = None if weights is None else np.concatenate(weights)[order]
    if found is not None and (found == 1).all():
        found = None
    return Table(np.concatenate(outputs)[order], into[starts], starts, found, count)


def _applied(values: Values, axis: int, table: Table) -> Values:
    """Return values along an axis of (lag, place), added to the inputs of a table."""
    shape = list(values.shape)
    shape[axis] = table.size
    result = np.zeros(shape)
    if table.outputs.size == 0:
        return result
    across = values.size // max(values.shape[axis], 1)
    spend(A_CALL + 2 * table.outputs.size * across + result.size)
    taken = np.take(values, table.outputs, axis=axis)
    if table.weights is not None:
        wide = [1] * values.ndim
        wide[axis] = -1
        taken *= table.weights.reshape(wide)
    where: Any = (*(slice(None),) * axis, table.places)
    result[where] = np.add.reduceat(taken, table.starts, axis=axis)
    return result


def through_tables(values: Values, tables: list[Table]) -> Values:
    """Return values of pairs, added to those of inputs along all axes."""
    for axis, table in enumerate(tables):
        values = _applied(values, axis, table)
    return values
