"""Effective sizes of all layers, computed in short steps while the user works."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from PySide6.QtCore import QObject, Signal

from rfstudio.api.expected import live_erf
from rfstudio.app.effective.expected_fields import LIVE_SECONDS, has_small_maps, is_quick
from rfstudio.app.slices import Slices
from rfstudio.core.effective.demand import work_in
from rfstudio.core.effective.expected import source_of_same_field
from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.network.graph import Node
from rfstudio.core.work import at_most, give_way

_QUIET = 250
"""Milliseconds without a new network before the work begins."""


class ErfSizes(QObject):
    """Computes the size of the expected field of each layer's centre unit.

    The measure is that of Luo et al. (2016): the square root of the number of pixels above 4.55 %
    of the centre's value.

    Signals
    -------
    grown
        The sizes so far, by index of the layer in the graph, in pixels.
    """

    grown = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._sizes: dict[int, float] = {}
        self._slices = Slices(self)
        self._slices.paused.connect(self._tell)

    def start(self, analysis: Analysis) -> None:
        """Begin with a network; an earlier one is dropped."""
        sizes = self._sizes = {}
        self.grown.emit({})
        self._slices.start(
            partial(_find_sizes, analysis, sizes), lambda _: self._tell(), wait=_QUIET
        )

    def stop(self) -> None:
        """Drop what is not done yet."""
        self._slices.drop()

    def _tell(self) -> None:
        self.grown.emit(dict(self._sizes))


def _find_sizes(analysis: Analysis, sizes: dict[int, float]) -> None:
    """Add the size of each layer, from the reference on."""
    if not has_small_maps(analysis):
        return
    for node in analysis.graph.nodes[analysis.reference + 1 :]:
        if 0 in node.size:
            continue
        size = _size(analysis, node, sizes)
        if size is not None:
            sizes[node.index] = size
        give_way()


def _size(analysis: Analysis, node: Node, known: Mapping[int, float]) -> float | None:
    unit = tuple(n // 2 for n in node.size)
    try:
        with at_most(work_in(LIVE_SECONDS), "the network is too large to compute its sizes live"):
            same = source_of_same_field(analysis.graph, node.index)
        if same is not None and same in known:
            return known[same]
        if not is_quick(analysis, node.index, unit):
            return None
        return live_erf(analysis, node.name, unit, LIVE_SECONDS).metrics.luo_size
    except Cancelled:
        raise
    except RFStudioError:
        return None
