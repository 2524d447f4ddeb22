"""The inspector: the chosen item's form, and the numbers of its layer, unit and ERF."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QFrame, QLabel, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.effective.pins import Pin, Pins
from rfstudio.app.frames import Later, Rank, at_once
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection, Shown
from rfstudio.app.state.settings import Settings
from rfstudio.app.wording.beside import PinnedFacts, facts_of_pin, with_pinned
from rfstudio.app.wording.facts import (
    Fact,
    cost_facts,
    erf_facts,
    form_facts,
    layer_facts,
    other_erf_facts,
    other_facts,
    paths_facts_of,
    place_facts,
    unit_facts,
)
from rfstudio.app.wording.no_field import why_no_field
from rfstudio.app.wording.terms import EFFECTIVE_TERMS
from rfstudio.app.wording.texts import item_text
from rfstudio.app.wording.units import in_units
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.sample_words import Units
from rfstudio.widgets.inspector.fold import Fold
from rfstudio.widgets.inspector.form import ItemForm
from rfstudio.widgets.inspector.numbers import NumberBlock
from rfstudio.widgets.inspector.phase_fold import PhaseFold
from rfstudio.widgets.parts.elided_label import ElidedLabel
from rfstudio.widgets.parts.focus_ring import FocusRing


class Inspector(QScrollArea):
    """Shows everything about the choice, and edits it."""

    def __init__(
        self,
        document: Document,
        session: AnalysisSession,
        selection: Selection,
        edits: LayerEdits,
        erf_view: ErfView,
        parent: QWidget | None = None,
        *,
        settings: Settings | None = None,
        later: Later = at_once,
    ) -> None:
        super().__init__(parent)
        self._later = later
        self._document = document
        self._session = session
        self._selection = selection
        self._erf_view = erf_view
        self._shown: Shown | None = None
        self._pin: Pin | None = None
        self._pinned = PinnedFacts()
        self.title = _title()
        self.subtitle = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.subtitle.setContentsMargins(12, 0, 12, 4)
        self.subtitle.setWordWrap(True)
        self.subtitle.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.form = ItemForm(document, selection, edits, later=later)
        self.field = NumberBlock("Receptive field")
        self.closed_form, self.other_numbers, self.paths = _folds(settings)
        self.unit = NumberBlock("Unit")
        self.effective = NumberBlock("Effective field", terms=EFFECTIVE_TERMS)
        self.other_sizes = _other_sizes(settings)
        self.phases = PhaseFold(settings)
        self.costs = NumberBlock("Layer")
        self._note = QLabel()
        self._note.setContentsMargins(12, 0, 12, 6)
        self._note.setWordWrap(True)
        self._note.setForegroundRole(QPalette.ColorRole.PlaceholderText)

        body = QWidget()
        # Never wider than the panel, or its right end would be out of reach.
        body.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 8)
        layout.setSpacing(0)
        layout.addWidget(self.title)
        layout.addWidget(self.subtitle)
        layout.addWidget(self.form)
        last = (self.other_sizes, self.phases, self.costs)
        folds = (self.closed_form, self.other_numbers, self.paths)
        for block in (self.field, *folds, self.unit, self.effective, self._note, *last):
            if isinstance(block, NumberBlock):
                layout.addWidget(_line())
            layout.addWidget(block)
        layout.addStretch(1)
        self.setWidget(body)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMinimumWidth(34 * self.fontMetrics().averageCharWidth())
        self.setAccessibleName("Inspector")
        FocusRing(self)
        self._connect()
        self._follow()
        self._show_effective()

    def show_pins(self, pins: Pins) -> None:
        """Show the numbers of the first pin below those of the chosen unit, and follow it."""

        def follow() -> None:
            first = next(iter(pins), None)
            self._pin = first
            self._pinned = PinnedFacts() if first is None else facts_of_pin(first)
            self._shown = None
            self._follow()
            self._show_effective()

        pins.changed.connect(follow)
        follow()

    def _beside(self, facts: Iterable[Fact], pinned: Mapping[str, str]) -> Iterable[Fact]:
        """Return facts with those of the pin, unless it is the chosen unit itself."""
        analysis, (layer, unit, _) = self._selection.shown
        pin = self._pin
        if pin is not None:
            self._settling.start()
        if pin is None or (pin.analysis, pin.layer, pin.unit) == (analysis, layer, unit):
            return facts
        return with_pinned(facts, self._pinned.letter, pinned)

    def _settle(self) -> None:
        """Give the contents the height that they need, which Qt may notice one change later."""
        body = self.widget()
        if body is not None and body.height() < body.heightForWidth(body.width()):
            self.setWidgetResizable(True)

    def _connect(self) -> None:
        self._settling = QTimer(self, singleShot=True, interval=0)
        self._settling.timeout.connect(self._settle)
        self._session.analysis_changed.connect(self._follow)
        self._session.prepared.connect(self._show_field)
        self._selection.selection_changed.connect(self._follow)
        self._erf_view.changed.connect(self._follow_field)

    def _follow(self) -> None:
        if not self._selection.shown.is_same(self._shown):
            self._later(Rank.NUMBERS, self._show_numbers)

    def _follow_field(self) -> None:
        self._later(Rank.NUMBERS, self._show_effective)

    def _show_numbers(self) -> None:
        shown = self._selection.shown
        before, self._shown = self._shown, shown
        chosen = self._selection.value
        layer = self._session.analysis[chosen.layer]
        self.title.setText(chosen.layer)
        self.title.setToolTip(chosen.layer)
        self.subtitle.setText(self._describe())
        units = shown.analysis.units
        self._show_field()
        if before is None or not before.is_of(shown):  # another unit changes nothing in them
            title = f"{chosen.layer}, with its numbers"
            folds = (
                (self.closed_form, title, partial(form_facts, layer)),
                (self.other_numbers, chosen.layer, partial(other_facts, layer)),
                (
                    self.paths,
                    f"Paths to {chosen.layer}",
                    partial(paths_facts_of, self._session.analysis, chosen.layer),
                ),
            )
            for fold, heading, facts in folds:
                fold.show_facts(heading, partial(_said, facts, units))
        self.costs.show_facts(self._beside(cost_facts(layer), self._pinned.costs))
        self.unit.set_title("Unit (" + ", ".join(map(str, chosen.unit)) + ")")
        try:
            view = self._session.unit(chosen.layer, chosen.unit)
            numbers = in_units(unit_facts(view), units)
            self.unit.show_facts(self._beside(numbers, self._pinned.unit))
        except RFStudioError:
            self.unit.show_facts(())  # an empty map has no units; the list of problems says why

    def _show_field(self) -> None:
        """Show the field of the layer, and its place in the network once that is worked out."""
        analysis = self._session.analysis
        layer = analysis[self._selection.layer]
        place = place_facts(layer, is_late=not self._session.is_prepared)
        about = in_units((*layer_facts(layer), *place), analysis.units)
        self.field.show_facts(self._beside(about, self._pinned.layer))

    def _describe(self) -> str:
        location = self._selection.item
        architecture = self._document.architecture
        if location is None:
            # The field for it shows but its beginning.
            about = f". {architecture.description}" if architecture.description else ""
            return f"the input of {architecture.name}{about}"
        item = self._session.outline.item(location)
        if item is None:
            return ""
        text = item_text(item, architecture.axes)
        copies = self._session.outline.copies(location)
        if copies > 1:
            text += f" · copy {self._selection.copy + 1} of {copies:,}, an edit changes all"
        return text

    def _show_effective(self) -> None:
        shown = self._erf_view.shown
        field = shown.field
        failure = shown.measurement.failure
        metrics = None if field is None else field.metrics
        self.phases.show_field(metrics, shown.analysis.units)
        others = partial(other_erf_facts, shown.analysis[shown.layer], metrics)
        others = partial(_said, others, shown.analysis.units)
        self.other_sizes.show_facts("Other sizes of the effective field", others)
        if field is None:
            why = " ".join(x for x in (failure, why_no_field(shown, self._session.unit)) if x)
            self._fill_effective("Effective field", (), why)
            return
        title = f"Effective field, {field.label}"
        first, dot, rest = field.note.partition(". ")
        note = f"{first}. Hover here for more reasons." if rest else first + dot
        note = " ".join(x for x in (failure, note) if x)
        facts = in_units(erf_facts(field.metrics, shown.analysis.axes), shown.analysis.units)
        self._fill_effective(title, self._beside(facts, self._pinned.effective), note, field.note)

    def _fill_effective(
        self, title: str, facts: Iterable[Fact], note: str, reasons: str = ""
    ) -> None:
        self.effective.set_title(title)
        self.effective.show_facts(facts)
        self._note.setText(note)
        self._note.setToolTip(reasons.replace(". ", ".\n"))
        self._note.setVisible(bool(note))


def _title() -> ElidedLabel:
    """Return the label of the layer's path."""
    title = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
    title.setContentsMargins(12, 10, 12, 0)
    title.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    font = title.font()
    font.setBold(True)
    font.setPointSizeF(font.pointSizeF() * 1.15)
    title.setFont(font)
    return title


def _said(facts_of: Callable[[], Iterable[Fact]], units: Units) -> Iterator[Fact]:
    """Yield facts, once they are needed, in the words for what fields are measured in."""
    yield from in_units(facts_of(), units)


def _folds(settings: Settings | None) -> tuple[Fold, Fold, Fold]:
    """Return what is closed at first: the closed form, other numbers, and paths."""
    closed_form = Fold(
        "Closed form",
        "The sums of Araujo, Norris and Sim (Distill 2019) with the numbers of this network",
        "closed_form",
        settings,
    )
    other_numbers = Fold(
        "Another number elsewhere?",
        "What widely read pages and other tools have for this layer, and why it differs",
        "other_numbers",
        settings,
    )
    paths = Fold(
        "Paths",
        "How many paths lead here, how long they are, and the energy that takes them",
        "paths",
        settings,
        is_slow=True,
    )
    return closed_form, other_numbers, paths


def _other_sizes(settings: Settings | None) -> Fold:
    """Return the effective sizes by other rules, closed at first."""
    return Fold(
        "Another effective size elsewhere?",
        "What growth with depth or its root, and common snippets, make of it, and why it differs",
        "other_sizes",
        settings,
    )


def _line() -> QFrame:
    line = QFrame()
    line.setFrameShape(QFrame.Shape.HLine)
    line.setFrameShadow(QFrame.Shadow.Plain)
    line.setForegroundRole(QPalette.ColorRole.Mid)
    line.setContentsMargins(12, 0, 12, 0)
    return line
