"""Images of noise that a second thread draws while the first one computes.

To draw an image takes as long as the gradient of a unit with a small field, and one sample of such
a unit cannot fill two cores otherwise.  Every image has a generator of its own, so who draws it,
and when, changes no number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

MOST_BYTES = 2**26
"""Memory of the images that are drawn before they are needed."""


class DrawingAhead:
    """Images by number, of which a thread draws those that will be needed next.

    Parameters
    ----------
    draw
        Returns the image of that number; called on either thread.
    most
        Images that may be drawn before they are needed.
    """

    def __init__(self, draw: Callable[[int], Tensor], most: int) -> None:
        self._draw = draw
        self._most = most
        self._begun: dict[int, Future[Tensor]] = {}
        self._pool = ThreadPoolExecutor(1, "rfstudio-noise")

    def begin(self, indices: Sequence[int]) -> None:
        """Let the thread draw images, beginning with the last one."""
        # The first thread takes them from the front, so that both meet and neither waits.
        for index in reversed(indices):
            if index not in self._begun and len(self._begun) < self._most:
                self._begun[index] = self._pool.submit(self._draw, index)

    def take(self, index: int) -> Tensor:
        """Return an image: the one that the thread has drawn, or draw it here."""
        begun = self._begun.pop(index, None)
        if begun is None or begun.cancel():
            return self._draw(index)
        return begun.result()

    def close(self) -> None:
        """Draw no more and end the thread."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._begun.clear()
