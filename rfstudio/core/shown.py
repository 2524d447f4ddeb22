"""Results that show themselves in a notebook: the methods, whose work the Python interface does.

The core knows neither HTML nor pictures.  `rfstudio.api` registers a `Presenter` that does; as long
as there is none, notebooks show the plain text of a value.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from rfstudio.core.errors import RFStudioError

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray
    from pandas import DataFrame

Photo: TypeAlias = "str | Path | NDArray[np.uint8]"
"""A picture: the path of its file, or (h, w) or (h, w, 3) bytes."""


class Presenter(Protocol):
    """Turns values into what a notebook shows."""

    def html(self, value: object) -> str:
        """Return a value as HTML."""

    def png(self, value: object) -> bytes:
        """Return a picture of a value as the bytes of a PNG file."""

    def plot(self, value: object, axes: Axes | None, image: Photo | None) -> Axes:
        """Draw a value into the axes of a figure, a new one if there are none."""

    def dataframe(self, value: object) -> DataFrame:
        """Return a value as a table of pandas."""


_REGISTERED: list[Presenter] = []


def register(presenter: Presenter) -> None:
    """Let a presenter show all values from now on."""
    _REGISTERED[:] = [presenter]


def presenter() -> Presenter:
    """Return what shows values.

    Raises
    ------
    RFStudioError
        If nothing is registered, as in a process that has only read pickled results.
    """
    if not _REGISTERED:
        raise RFStudioError("import rfstudio.api first: it draws tables and pictures of results")
    return _REGISTERED[0]


class Shown:
    """A value that notebooks show as a table."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        return presenter().html(self) if _REGISTERED else None


class Pictured(Shown):
    """A value that notebooks show as a picture with numbers."""

    __slots__ = ()

    def _repr_png_(self) -> bytes | None:
        return presenter().png(self) if _REGISTERED else None

    def plot(self, *, image: Photo | None = None, axes: Axes | None = None) -> Axes:
        """Draw it with matplotlib, and return the axes.

        Parameters
        ----------
        image
            A photo that is drawn below, stretched over the input: a file, or (h, w) or (h, w, 3)
            bytes.
        axes
            Where it is drawn; None: a new figure, which is ``.figure`` of the result.

        Raises
        ------
        RFStudioError
            If the photo cannot be read.
        """
        return presenter().plot(self, axes, image)
