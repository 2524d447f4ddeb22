"""Keeps the analysis of the document up to date: after each edit, on the GUI thread."""

from __future__ import annotations

import logging
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from rfstudio import api
from rfstudio.app.state.document import Document
from rfstudio.app.state.outline import Outline
from rfstudio.core.errors import GraphError, RFStudioError, UnitError, UnknownLayerError
from rfstudio.core.fields.analysis import Analysis, UnitView
from rfstudio.core.fields.remarks.diagnostics import Diagnostic
from rfstudio.core.network.architecture import INPUT, Architecture

MAX_LIVE_LAYERS = 5000
"""Layers that are shown; a repeat of a hundred thousand would hold the window for minutes."""

_VIEWS = 16


class AnalysisSession(QObject):
    """Analyses the document whenever it changes, which takes milliseconds.

    Signals
    -------
    analysis_changed
        The new `Analysis`, after each edit and each change of an option.
    """

    analysis_changed = Signal(object)

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reference = INPUT
        self._batch_norm_training = False
        self._ignore_gates = False
        self._analysis = api.analyze(document.architecture, max_layers=MAX_LIVE_LAYERS)
        self._outline = Outline(self._analysis)
        self._views: dict[tuple[str, tuple[int, ...]], UnitView] = {}
        self._remarks: tuple[Diagnostic, ...] | None = None
        self._document = document
        document.architecture_changed.connect(self._refresh)

    @property
    def analysis(self) -> Analysis:
        """The analysis of the document as it is now."""
        return self._analysis

    @property
    def outline(self) -> Outline:
        """Which nodes of the analysis the items of the document expand to."""
        return self._outline

    @property
    def remarks(self) -> tuple[Diagnostic, ...]:
        """The remarks on the network, found when first asked for: not before the first frame."""
        if self._remarks is None:
            try:
                self._remarks = self._analysis.diagnostics
            except Exception as error:
                logging.getLogger(__name__).exception("no remarks on the network")
                self._remarks = (_not_worked_out("the remarks on this network", error),)
        return self._remarks

    @property
    def reference(self) -> str:
        """Path of the layer with respect to whose map fields are given; usually the input."""
        return self._reference

    @property
    def batch_norm_training(self) -> bool:
        """Whether batch norm counts as in training mode, where it sees the whole map."""
        return self._batch_norm_training

    def unit(self, layer: str, position: tuple[int, ...]) -> UnitView:
        """Return what one unit sees; the last few answers are remembered for other views.

        Raises
        ------
        UnknownLayerError, UnitError
            If there is no such layer or unit.
        """
        key = (layer, position)
        view = self._views.get(key)
        if view is None:
            try:
                view = self._analysis.unit(layer, position)
            except RFStudioError:
                raise
            # Whatever a draft provokes, the window goes on without an answer.
            except Exception as error:
                logging.getLogger(__name__).exception("no field of unit %s of %s", position, layer)
                raise UnitError(
                    f"what this unit of '{layer}' sees could not be worked out "
                    f"({type(error).__name__}: {error}); please report it"
                ) from error
            if len(self._views) >= _VIEWS:
                del self._views[next(iter(self._views))]
            self._views[key] = view
        return view

    def analyze_beside(self, architecture: Architecture) -> Analysis:
        """Return the analysis of another network, in the same mode, over its input."""
        return api.analyze(
            architecture,
            batch_norm_training=self._batch_norm_training,
            max_layers=MAX_LIVE_LAYERS,
        )

    def set_reference(self, reference: str) -> None:
        """Give all fields with respect to another layer's map.

        Raises
        ------
        UnknownLayerError
            If there is no such layer.
        """
        if reference != self._reference:
            self._analysis.graph.index(reference)
            self._reference = reference
            self._refresh(self._document.architecture)

    def take_next_input(self) -> None:
        """Give fields relative to the input; of several, if they are so already, to the next."""
        names = [INPUT, *(x.name for x in self._document.architecture.further_inputs)]
        at = names.index(self._reference) + 1 if self._reference in names else 0
        self.set_reference(names[at % len(names)])

    def set_batch_norm_training(self, is_on: bool) -> None:
        """Let batch norm count as in training mode, or in evaluation mode."""
        if is_on != self._batch_norm_training:
            self._batch_norm_training = is_on
            self._refresh(self._document.architecture)

    def set_ignore_gates(self, is_on: bool) -> None:
        """Let fields of paths leave out what gates, norms over the map and attention read."""
        if is_on != self._ignore_gates:
            self._ignore_gates = is_on
            self._refresh(self._document.architecture)

    def _refresh(self, architecture: Architecture) -> None:
        try:
            analysis = self._analyze(architecture)
        except UnknownLayerError:
            # An edit removed the reference.
            self._reference = INPUT
            analysis = self._analyze(architecture)
        self._analysis = analysis
        self._outline = Outline(analysis)
        self._views.clear()
        self._remarks = None
        self.analysis_changed.emit(analysis)

    def _analyze(self, architecture: Architecture) -> Analysis:
        try:
            analysis = api.analyze(
                architecture,
                reference=self._reference,
                batch_norm_training=self._batch_norm_training,
                ignore_gates=self._ignore_gates,
                previous=self._analysis,
                max_layers=MAX_LIVE_LAYERS,
            )
        except (UnknownLayerError, GraphError):
            raise
        # One boundary around whatever a draft provokes: it becomes a remark, never an exception.
        except Exception as error:
            logging.getLogger(__name__).exception("the network could not be analysed")
            remark = _not_worked_out("this network", error)
            empty = api.analyze(replace(architecture, layers=()))
            return replace(empty, architecture=architecture, remarks=(remark,))
        return analysis


def _not_worked_out(what: str, error: Exception) -> Diagnostic:
    return Diagnostic(
        "",
        "not_worked_out",
        f"{what} could not be worked out ({type(error).__name__}: {error}); undo the last edit, "
        "and please report it",
        "error",
    )
