"""Effective sizes of all layers, computed in short steps while the user works."""

from __future__ import annotations

from time import perf_counter

from PySide6.QtCore import QObject, QTimer, Signal

from rfstudio.api.expected import live_erf
from rfstudio.app.effective.expected_fields import LIVE_SECONDS, has_small_maps, is_quick
from rfstudio.core.effective.expected import source_of_same_field
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis

_SLICE = 0.008
"""Seconds of work after which events of the user are handled."""

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
        self._analysis: Analysis | None = None
        self._todo: list[int] = []
        self._sizes: dict[int, float] = {}
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._work)

    def start(self, analysis: Analysis) -> None:
        """Begin with a network; an earlier one is dropped."""
        self._analysis = analysis
        self._sizes = {}
        nodes = analysis.graph.nodes
        self._todo = [x.index for x in reversed(nodes[analysis.reference + 1 :]) if 0 not in x.size]
        if not has_small_maps(analysis):
            self._todo = []
        self.grown.emit({})
        self._timer.start(_QUIET)

    def stop(self) -> None:
        """Drop what is not done yet."""
        self._timer.stop()
        self._analysis = None

    def _work(self) -> None:
        started = perf_counter()
        while self._todo and perf_counter() - started < _SLICE:
            index = self._todo.pop()
            size = self._size(index)
            if size is not None:
                self._sizes[index] = size
        self.grown.emit(dict(self._sizes))
        if self._todo:
            self._timer.start(0)

    def _size(self, index: int) -> float | None:
        analysis = self._analysis
        if analysis is None:
            return None
        node = analysis.graph.nodes[index]
        same = source_of_same_field(analysis.graph, index)
        if same in self._sizes:
            return self._sizes[same]
        unit = tuple(n // 2 for n in node.size)
        if not is_quick(analysis, index, unit):
            return None
        try:
            erf = live_erf(analysis, node.name, unit, LIVE_SECONDS)
        except RFStudioError:
            return None
        return erf.metrics.luo_size
