"""Operations along some of the axes of a map: which these are, and the rules along them."""

from __future__ import annotations

from collections.abc import Callable

from rfstudio.core.axes.axis_rule import AxisRule, AxisRules, Window
from rfstudio.core.errors import OpError

AXES_TEXT = "Axes along which it works, from 0."


def distinct_axes(given: tuple[int, ...]) -> tuple[int, ...]:
    """Return axes in rising order.

    Raises
    ------
    OpError
        If there are none, or one comes twice.
    """
    if not given or len(set(given)) < len(given):
        raise OpError(f"axes must be one axis or several different ones, not {list(given)}")
    return tuple(sorted(given))


def axes_of(given: tuple[int, ...] | None, axes: int) -> tuple[int, ...]:
    """Return which of `axes` axes are meant, those that are not there left out; None means all."""
    return tuple([x for x in range(axes) if given is None or x in given])


def axes_text(given: tuple[int, ...]) -> str:
    """Return axes in words: ``axis 1`` or ``axes 0, 1``."""
    return f"{'axis' if len(given) == 1 else 'axes'} {', '.join(map(str, given))}"


def misfit_of_axes(given: tuple[int, ...] | None, axes: int) -> str:
    """Return why axes do not fit a map with so many, or an empty text."""
    if given is None or given[-1] < axes:
        return ""
    return f"axis {given[-1]} is not there; axes count from 0 to {axes - 1}"


def rules_along(
    sizes: tuple[int, ...], along: tuple[int, ...], rule: Callable[[int], AxisRule]
) -> AxisRules:
    """Return a rule along some axes, made of the number of samples, and the identity on others."""
    return tuple([rule(n) if axis in along else Window(n, n) for axis, n in enumerate(sizes)])
