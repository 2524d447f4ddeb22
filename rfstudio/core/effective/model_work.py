"""The work of what a layer does to the moments of values, counted before it is done."""

from __future__ import annotations

from rfstudio.core import ops
from rfstudio.core.ops.attention import MultiHead

_A_RUN = 200
"""Work for the moments of a run of channels, in entries of an array."""

# Measured over networks that were drawn at random, whatever is remembered from before.
_OF_A_CLASS: tuple[tuple[type[ops.Op], float], ...] = (
    (MultiHead, 750_000.0),
    (ops.CrossAttention, 750_000.0),
    (ops.DotProductAttention, 100_000.0),
    (ops.LpPool, 400_000.0),
    (ops.MaxPool, 50_000.0),
    (ops.Relu, 2_000.0),
    (ops.Activation, 12_000.0),
)
"""What operations take beyond that for each run that they read; the first class counts."""


def work_of_model(op: ops.Op | None, runs: int) -> float:
    """Return the work of an operation's model, in entries of arrays.

    Parameters
    ----------
    op
        What a layer does.
    runs
        Number of runs of channels that it reads.
    """
    return (_A_RUN + next((work for kind, work in _OF_A_CLASS if isinstance(op, kind)), 0.0)) * runs
