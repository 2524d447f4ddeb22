"""Pins: units, layers and network states that stay in view beside the chosen one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.effective.expected_fields import EXPECTED
from rfstudio.app.effective.shown_fields import NOTHING_MEASURED, EffectiveField, shown_fields
from rfstudio.app.slices import Slices
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.core.effective.expected import Erf
from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.core.fields.analysis import Analysis, UnitView
from rfstudio.core.fields.comparable import have_same_fields
from rfstudio.core.network.architecture import Architecture

LETTERS = "ABCD"
"""At most so many pins, each with its letter."""


class PinError(RFStudioError):
    """Nothing more can be pinned."""


@dataclass(frozen=True, eq=False)
class Pin:
    """One unit of one state of a network.

    Attributes
    ----------
    letter
        One of `LETTERS`.
    title
        What it is besides its layer and unit: "VGG-16", "before: Set stride".
    analysis, layer, unit
        The unit.
    view
        What it sees; None where it has no answer.
    field
        Its effective field as it was shown when it was pinned; None: it had none.
    options
        How that field was measured; None: it was not.
    source
        The preset or file of the network as it was pinned; empty: it has none.
    """

    letter: str
    title: str
    analysis: Analysis
    layer: str
    unit: tuple[int, ...]
    view: UnitView | None
    field: EffectiveField | None
    options: ErfOptions | None = None
    source: str = ""

    @property
    def text(self) -> str:
        """What is pinned, in a line."""
        unit = ", ".join(map(str, self.unit))
        return f"{self.letter}: {self.layer} ({unit}), {self.title}"


class Wanted(NamedTuple):
    """A unit to pin, of a network that is not analysed yet.

    Attributes
    ----------
    title, source
        As those of a `Pin`.
    network, layer, unit
        The unit.
    """

    title: str
    network: Architecture
    layer: str
    unit: tuple[int, ...]
    source: str = ""


class _Found(NamedTuple):
    """What was worked out of a wanted pin; without an analysis: it has no such layer."""

    wanted: Wanted
    analysis: Analysis | None = None
    view: UnitView | None = None


class Pins(QObject):
    """Holds up to four pins.

    Attributes
    ----------
    source
        Returns the preset or file of the open network; empty if it was edited since.

    Signals
    -------
    changed
        There are other pins.
    """

    changed = Signal()

    def __init__(
        self,
        document: Document,
        session: AnalysisSession,
        selection: Selection,
        erf: ErfView,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._session = session
        self._selection = selection
        self._erf = erf
        self._pins: list[Pin] = []
        self.source: Callable[[], str] = str
        self._late: list[Pin] = []
        self._slices = Slices(self)
        self._reading = Slices(self)

    def __iter__(self) -> Iterator[Pin]:
        """Go through the pins in the order of their letters."""
        return iter(self._pins)

    def __len__(self) -> int:
        """Return how many pins there are."""
        return len(self._pins)

    def add(self) -> Pin:
        """Pin the chosen unit with what is shown of it.

        Raises
        ------
        PinError
            If there are four pins, or it is pinned already.
        """
        analysis, chosen = self._selection.shown
        title = analysis.architecture.name or "this network"
        shown = self._erf.shown
        options = shown.measurement.options if shown.measured is not None else None
        self._refuse_twice(analysis, chosen.layer, chosen.unit, shown.field)
        pin = self._put(title, analysis, chosen.layer, chosen.unit, shown.field)
        pin = self._noted(pin, options, self.source())
        return self._completed_later(pin)

    def add_before_edit(self) -> Pin:
        """Pin the network of before the last edit, at the same layer and place.

        Raises
        ------
        PinError
            If nothing was edited, the layer was not there before, it is pinned already, or there
            are four pins.
        """
        before, text = self._document.before_edit()
        if before is None:
            raise PinError("nothing was edited yet")
        analysis = self._session.analyze_beside(before)
        chosen = self._selection.value
        if chosen.layer not in analysis:
            raise PinError(f"'{chosen.layer}' was not there before the last edit")
        size = analysis.graph.nodes[analysis.graph.index(chosen.layer)].size
        unit = tuple(min(u, max(n - 1, 0)) for u, n in zip(chosen.unit, size, strict=False))
        if len(unit) != len(size):
            unit = tuple(n // 2 for n in size)
        self._refuse_twice(analysis, chosen.layer, unit, None)
        pin = self._put(f"before: {text}", analysis, chosen.layer, unit, None)
        return self._completed_later(pin)

    def restore(
        self, wanted: Sequence[Wanted], end: Callable[[list[Wanted]], object] = lambda _: None
    ) -> None:
        """Pin these units and no others, once their networks are analysed, in slices.

        Parameters
        ----------
        wanted
            The units, at most as many as there are letters.
        end
            Gets those that are not pinned, since their networks lack their layers.
        """
        self.clear()
        analyze = self._session.analysis_beside()
        work = partial(_worked_out, analyze, tuple(wanted))
        self._reading.start(work, partial(self._take_restored, end), at_once=True)

    def _take_restored(
        self, end: Callable[[list[Wanted]], object], found: Sequence[_Found]
    ) -> None:
        lost = [x.wanted for x in found if x.analysis is None]
        letters = iter(LETTERS)
        pins = [
            Pin(next(letters), title, analysis, layer, unit, view, None, source=source)
            for (title, _, layer, unit, source), analysis, view in found
            if analysis is not None
        ]
        if pins:
            self._pins = pins
            self.changed.emit()
            self._late += pins
            self._go_on()
        end(lost)

    def add_field(
        self,
        title: str,
        analysis: Analysis,
        layer: str,
        unit: tuple[int, ...],
        field: EffectiveField,
    ) -> Pin:
        """Pin a field that comes from elsewhere, such as from a step of a training.

        Raises
        ------
        PinError
            If there are four pins.
        """
        return self._put(title, analysis, layer, unit, field)

    def drop(self) -> None:
        """Give up the fields that are not worked out yet, as the program ends."""
        self._late.clear()
        self._slices.drop()
        self._reading.drop()

    def remove(self, letter: str) -> None:
        """Take a pin out."""
        self._pins = [x for x in self._pins if x.letter != letter]
        self.changed.emit()

    def clear(self) -> None:
        """Take all pins out, and those that are still worked out."""
        self._reading.drop()
        if self._pins:
            self._pins = []
            self.changed.emit()

    def _completed_later(self, pin: Pin) -> Pin:
        """Work out the expected field of a pin that lacks one, in slices; return it as it is now.

        A field that is quick is there at once.
        """
        if pin.field is None:
            self._late.append(pin)
            self._go_on()
        return next((x for x in self._pins if x.letter == pin.letter), pin)

    def _go_on(self) -> None:
        if self._late and not self._slices.is_busy:
            late = self._late.pop(0)
            work = partial(EXPECTED.of, late.analysis, late.layer, late.unit)
            self._slices.start(work, partial(self._take, late), at_once=True)

    def _take(self, late: Pin, expected: Erf | None) -> None:
        """Give a pin its field, if it is still there."""
        shown = shown_fields(late.analysis, late.layer, late.unit, NOTHING_MEASURED, expected)
        if shown.field is not None and any(x is late for x in self._pins):
            complete = replace(late, field=shown.field)
            self._pins = [complete if x is late else x for x in self._pins]
            self.changed.emit()
        # Each in a turn of its own, since all that shows pins has just followed.
        QTimer.singleShot(0, self, self._go_on)

    def _refuse_twice(
        self,
        analysis: Analysis,
        layer: str,
        unit: tuple[int, ...],
        field: EffectiveField | None,
    ) -> None:
        """Refuse to pin the same field of the same unit once more; another field of it is new."""
        for pin in self._pins:
            is_unit = (pin.layer, pin.unit) == (layer, unit) and have_same_fields(
                pin.analysis, analysis
            )
            if is_unit and _is_same_field(pin.field, field):
                raise PinError(f"pin {pin.letter} is this unit already")

    def _noted(self, pin: Pin, options: ErfOptions | None, source: str) -> Pin:
        """Note how a pin came about, so that figures of it can be drawn again."""
        noted = replace(pin, options=options, source=source)
        self._pins = [noted if x is pin else x for x in self._pins]
        return noted

    def _put(
        self,
        title: str,
        analysis: Analysis,
        layer: str,
        unit: tuple[int, ...],
        field: EffectiveField | None,
    ) -> Pin:
        taken = {x.letter for x in self._pins}
        letter = next((x for x in LETTERS if x not in taken), None)
        if letter is None:
            raise PinError("four units are pinned already; take one out first")
        pin = Pin(letter, title, analysis, layer, unit, _view(analysis, layer, unit), field)
        self._pins = sorted([*self._pins, pin], key=lambda x: x.letter)
        self.changed.emit()
        return pin


def _worked_out(
    analyze: Callable[[Architecture], Analysis], wanted: Sequence[Wanted]
) -> list[_Found]:
    """Analyse networks, and work out what their units see, giving way between steps."""
    found = []
    known: dict[int, Analysis] = {}
    for pin in wanted:
        analysis = known.get(id(pin.network)) or analyze(pin.network)
        known[id(pin.network)] = analysis
        if pin.layer in analysis:
            found.append(_Found(pin, analysis, _view(analysis, pin.layer, pin.unit)))
        else:
            found.append(_Found(pin))
    return found


def _view(analysis: Analysis, layer: str, unit: tuple[int, ...]) -> UnitView | None:
    """Return what a unit sees; None where it has no answer."""
    try:
        return analysis.unit(layer, unit)
    except Cancelled:
        raise
    except RFStudioError:
        return None


def _is_same_field(one: EffectiveField | None, other: EffectiveField | None) -> bool:
    """Whether two fields of one unit are the same; one that is not known yet is the expected."""
    measured = [x.map for x in (one, other) if x is not None and x.is_measured]
    return not measured or (len(measured) == 2 and np.array_equal(measured[0], measured[1]))
