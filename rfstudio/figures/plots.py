"""Plots into axes of the user's own figures, or into new ones that a notebook shows."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 5.0, 4.6  # inches


def new_axes() -> Axes:
    """Return the axes of a new figure.

    Where somebody works with pyplot, and in the kernel of a notebook, the figure is one of
    pyplot's, so that it is shown as any other; elsewhere nothing global is touched, no window can
    open, and ``axes.figure.savefig(…)`` writes it.
    """
    if "matplotlib.pyplot" in sys.modules or _is_notebook():
        # The kernel has chosen a backend that draws into the notebook.
        figure: Figure = import_module("matplotlib.pyplot").figure(figsize=(_WIDTH, _HEIGHT))
    else:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(_WIDTH, _HEIGHT))
    return figure.add_subplot()


def _is_notebook() -> bool:
    shell = sys.modules.get("IPython")
    return shell is not None and getattr(shell.get_ipython(), "kernel", None) is not None
