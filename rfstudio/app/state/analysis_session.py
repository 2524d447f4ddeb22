"""Keeps the analysis of the document up to date: after each edit, on the GUI thread.

What takes long is done in slices between frames.  Until it is done the analysis is the one before,
at first that of a network without layers, and so are the choice and all that is shown; a newer edit
replaces it at once.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, TypeAlias

from PySide6.QtCore import QObject, QTimer, Signal

from rfstudio import api
from rfstudio.app.slices import Slices
from rfstudio.app.state.document import Document
from rfstudio.app.state.outline import Outline
from rfstudio.core.errors import (
    Cancelled,
    GraphError,
    RFStudioError,
    UnitError,
    UnknownLayerError,
)
from rfstudio.core.fields.analysis import Analysis, UnitView
from rfstudio.core.fields.remarks.diagnostics import Diagnostic
from rfstudio.core.network.architecture import INPUT, Architecture
from rfstudio.core.network.reexpansion import count_edited

MAX_LIVE_LAYERS = 5000
"""Layers that are shown; a repeat of a hundred thousand would hold the window for minutes."""

MORE = 0.02
"""Seconds of the processor for which an edit waits longer for its analysis than for other work, so
that both are one frame."""

FIRST = 0.2
"""The same for the network that the window opens with: nothing is on the screen yet."""

LATE_AFTER = 100
"""Milliseconds after which a late analysis is announced; before, nobody notices."""

QUICK = 500
"""Layers of a network up to which whoever asks for what is known of all of them works it out; that
of a larger one is prepared in slices after it is shown."""

LONG = 1000
"""Layers of a network from which on an edit of more than one operation takes a frame itself: its
analysis begins in the next turn of the event loop."""

SHOWN_AFTER = 40
"""Milliseconds after which that begins: the parts of the window follow first."""

_VIEWS = 16

Unit: TypeAlias = tuple[str, tuple[int, ...]]
"""A layer and the position of a unit in its map."""

Guess: TypeAlias = Callable[[Analysis], Unit | None]
"""Returns the unit that is shown first of an analysis; called on any thread."""


class AnalysisSession(QObject):
    """Analyses the document whenever it changes, which usually takes milliseconds.

    Signals
    -------
    analysis_changed
        The new `Analysis`, after each edit and each change of an option.
    late_changed
        Whether the analysis has been that of an earlier network for a while.
    prepared
        What is known of all layers of a large network, and the remarks on it, can be shown now.
    """

    analysis_changed = Signal(object)
    late_changed = Signal(bool)
    prepared = Signal()

    def __init__(self, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._reference = INPUT
        self._batch_norm_training = False
        self._ignore_gates = False
        empty = replace(document.architecture, layers=())
        self._analysis = api.analyze(empty)
        self._outline = Outline(self._analysis)
        self._views: dict[Unit, UnitView] = {}
        self._remarks: tuple[Diagnostic, ...] | None = None
        self._remarks_before: tuple[Diagnostic, ...] = ()
        self._guesses: list[Callable[[], Guess]] = []
        self._asked: _Asked | None = None
        self._document = document
        self._slices = Slices(self)
        self._preparing = Slices(self)
        self._waiting: deque[Callable[[], object]] = deque()
        self._announcing = QTimer(self, singleShot=True, interval=LATE_AFTER)
        self._announcing.timeout.connect(self._announce_late)
        self._following = QTimer(self, singleShot=True, interval=0)
        self._following.timeout.connect(self._follow)
        document.architecture_changed.connect(self._refresh)
        self._refresh(document.architecture, is_first=True)

    @property
    def analysis(self) -> Analysis:
        """The analysis of the document as it is now, or before if that one takes long."""
        return self._analysis

    @property
    def outline(self) -> Outline:
        """Which nodes of the analysis the items of the document expand to."""
        return self._outline

    @property
    def remarks(self) -> tuple[Diagnostic, ...]:
        """The remarks on the network, found when first asked for: not before the first frame.

        While those on a large network are not found, as `is_prepared` says, the ones before.
        """
        if self._remarks is None:
            if not self.is_prepared:
                return self._remarks_before
            analysis = self._analysis
            self._remarks = _remarks_on(lambda: analysis.diagnostics)
        return self._remarks

    @property
    def reference(self) -> str:
        """Path of the layer with respect to whose map fields are given; usually the input."""
        return self._reference

    @property
    def batch_norm_training(self) -> bool:
        """Whether batch norm counts as in training mode, where it sees the whole map."""
        return self._batch_norm_training

    @property
    def is_late(self) -> bool:
        """Whether the analysis is still that of an earlier network, or something waits for it."""
        return self._slices.is_busy or bool(self._waiting)

    @property
    def is_prepared(self) -> bool:
        """Whether what is known of all layers, and the remarks, can be asked for in a frame."""
        return not self._preparing.is_busy

    def once_known(self, work: Callable[[], object]) -> None:
        """Do something once the analysis is that of the document: now, if it is.

        What waits for a late analysis, or one of a large network, is done in the turns of the event
        loop after the one that shows it, one after the other.
        """
        if self.is_late or self._following.isActive():
            self._waiting.append(work)
        else:
            work()

    def foresee(self, guess: Callable[[], Guess]) -> None:
        """Work out what a unit sees together with a late analysis, as it is shown with it.

        Parameters
        ----------
        guess
            Called when an analysis is asked for; it returns what finds the unit.
        """
        self._guesses.append(guess)
        self.foresee_once(guess())

    def foresee_once(self, guess: Guess) -> None:
        """Work out the same of one unit with the present analysis alone, if it is late."""
        if self._asked is not None and self._slices.is_busy:
            self._asked.guesses.append(guess)

    def finish(self) -> None:
        """Work out a late analysis now, however long it takes."""
        self._slices.finish()
        while self._waiting:
            self._follow()
            self._slices.finish()  # what waited may have asked for another one
        self._preparing.finish()

    def drop(self) -> None:
        """Give up a late analysis, as the program ends."""
        self._waiting.clear()
        self._announcing.stop()
        self._following.stop()
        self._slices.drop()
        self._preparing.drop()

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
        return self.analysis_beside()(architecture)

    def analysis_beside(self) -> Callable[[Architecture], Analysis]:
        """Return what analyses another network, in the same mode as now; on any thread."""
        return partial(
            api.analyze,
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

    # --- following the document -----------------------------------------------------------------

    def _refresh(self, architecture: Architecture, *, is_first: bool = False) -> None:
        asked = _Asked(
            architecture,
            self._reference,
            self._batch_norm_training,
            self._ignore_gates,
            self._analysis,
            [guess() for guess in self._guesses],
            # The window is made of everything at once, so the first one comes whole or is late.
            is_whole=is_first,
        )
        self._asked = asked
        work = partial(_worked_out, asked)
        self._following.stop()
        more = FIRST if is_first else MORE
        at_once = is_first or self._is_quick_edit(architecture)
        if not self._slices.start(work, self._take, at_once=at_once, more=more):
            asked.is_whole = at_once
            self._announcing.start()

    def _is_quick_edit(self, architecture: Architecture) -> bool:
        """Whether an edit leaves time for its analysis, or a part of it, in the same turn."""
        if len(self._analysis.graph.nodes) < LONG:
            return True
        edited = count_edited(self._analysis.architecture, architecture)
        # Two that change places, as in blocks of one form, are rearranged.
        return edited is not None and edited <= 1

    def _announce_late(self) -> None:
        self.late_changed.emit(True)

    def _take(self, found: _Found) -> None:
        self._announcing.stop()
        self._asked = None  # it holds the analysis before
        if self._remarks is not None:
            self._remarks_before = self._remarks
        self._analysis, self._reference, self._remarks, self._views = found
        self._outline = Outline(self._analysis)
        self._preparing.drop()
        if len(self._analysis.graph.nodes) > QUICK:
            work = partial(_prepared, self._analysis, self._remarks)
            self._preparing.start(work, self._take_prepared, wait=SHOWN_AFTER)
            self._following.start()  # the rest of what an edit does comes in later turns
        self.analysis_changed.emit(self._analysis)
        self._end_or_wait()

    def _take_prepared(self, remarks: tuple[Diagnostic, ...]) -> None:
        self._remarks = remarks
        self.prepared.emit()

    def _follow(self) -> None:
        """Do the next thing that waited for the analysis."""
        if self._waiting and not self._slices.is_busy:
            try:
                self._waiting.popleft()()
            finally:
                self._end_or_wait()

    def _end_or_wait(self) -> None:
        if self._slices.is_busy:
            return
        if self._waiting:
            self._following.start()
        else:
            self.late_changed.emit(False)


@dataclass(slots=True)
class _Asked:
    """A network to analyse, and how.

    Attributes
    ----------
    previous
        The analysis before.
    guesses
        Find the units that are shown first.
    is_whole
        Whether it comes with what the panels ask for next, since the window waits no more.
    """

    architecture: Architecture
    reference: str
    batch_norm_training: bool
    ignore_gates: bool
    previous: Analysis
    guesses: list[Guess]
    is_whole: bool = False


class _Found(NamedTuple):
    """An analysis, the reference that it has, and what else there was time for.

    Attributes
    ----------
    remarks
        The remarks on it; None: they were not found.
    views
        What units see that are shown first.
    """

    analysis: Analysis
    reference: str
    remarks: tuple[Diagnostic, ...] | None
    views: dict[Unit, UnitView]


def _worked_out(asked: _Asked) -> _Found:
    """Analyse a network in whatever thread, giving way between steps."""
    reference = asked.reference
    try:
        analysis = _analyzed(asked, reference)
    except UnknownLayerError:
        reference = INPUT  # an edit removed the reference
        analysis = _analyzed(asked, reference)
    # What is late anyway comes with what else would hold up a later frame.
    if not asked.is_whole:
        # Of a large network, what the canvas asks for may take longer than there is time.
        is_large = len(analysis.graph.nodes) > QUICK
        views = _views_of(analysis, asked.guesses) if is_large else {}
        return _Found(analysis, reference, None, views)
    analysis.prepare_layers()
    remarks = _remarks_on(analysis.find_diagnostics)
    # Last, since the parts of a window that opens foresee their units only while it is made.
    return _Found(analysis, reference, remarks, _views_of(analysis, asked.guesses))


def _prepared(analysis: Analysis, remarks: tuple[Diagnostic, ...] | None) -> tuple[Diagnostic, ...]:
    """Work out what is asked of all layers of an analysis, and return the remarks on it."""
    try:
        analysis.prepare_answers()
    except Cancelled:
        raise
    except Exception:
        logging.getLogger(__name__).exception("the answers about all layers were not prepared")
    return _remarks_on(analysis.find_diagnostics) if remarks is None else remarks


def _views_of(analysis: Analysis, guesses: Iterable[Guess]) -> dict[Unit, UnitView]:
    """Return what the guessed units see; one without an answer is asked for again when shown."""
    views: dict[Unit, UnitView] = {}
    for guess in guesses:
        try:
            unit = guess(analysis)
            if unit is not None and unit not in views:
                views[unit] = analysis.unit(*unit)
        except Cancelled:
            raise
        except Exception:
            logging.getLogger(__name__).debug("no unit was foreseen", exc_info=True)
    return views


def _analyzed(asked: _Asked, reference: str) -> Analysis:
    try:
        return api.analyze(
            asked.architecture,
            reference=reference,
            batch_norm_training=asked.batch_norm_training,
            ignore_gates=asked.ignore_gates,
            previous=asked.previous,
            max_layers=MAX_LIVE_LAYERS,
        )
    except (UnknownLayerError, GraphError, Cancelled):
        raise
    # One boundary around whatever a draft provokes: it becomes a remark, never an exception.
    except Exception as error:
        logging.getLogger(__name__).exception("the network could not be analysed")
        remark = _not_worked_out("this network", error)
        empty = api.analyze(replace(asked.architecture, layers=()))
        return replace(empty, architecture=asked.architecture, remarks=(remark,))


def _remarks_on(find: Callable[[], tuple[Diagnostic, ...]]) -> tuple[Diagnostic, ...]:
    """Return the remarks on a network, or that they could not be found."""
    try:
        return find()
    except Cancelled:
        raise
    except Exception as error:
        logging.getLogger(__name__).exception("no remarks on the network")
        return (_not_worked_out("the remarks on this network", error),)


def _not_worked_out(what: str, error: Exception) -> Diagnostic:
    return Diagnostic(
        "",
        "not_worked_out",
        f"{what} could not be worked out ({type(error).__name__}: {error}); undo the last edit, "
        "and please report it",
        "error",
    )
