"""The effective field that is shown, as a file: its map with a record, or its numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rfstudio import __version__
from rfstudio.app.measuring.erf_numbers import NUMBER_SUFFIXES, NumberRow, number_rows, numbers_text
from rfstudio.app.measuring.erf_session import ErfSession
from rfstudio.app.measuring.erf_view import ErfView, ShownErf
from rfstudio.app.measuring.expected_fields import EXPECTED
from rfstudio.app.measuring.measuring_recipes import followed
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.core.errors import RFStudioError
from rfstudio.formats.files import atomic_write
from rfstudio.formats.tables.erf_files import (
    computed_facts,
    erf_json,
    erf_npz,
    erf_record,
    measured_facts,
)

FIELD_SUFFIXES = (".npz", ".json", *NUMBER_SUFFIXES)
"""Endings of the files that a field is written to, besides pictures."""

FIELD_FILES = ";;".join(
    [
        "Map with its record (*.npz)",
        "Record (*.json)",
        *(f"Numbers as {title} (*{suffix})" for suffix, title in NUMBER_SUFFIXES.items()),
    ]
)
"""The same, as a dialog lists them."""


class ErfExport:
    """Writes what is shown of the chosen unit.

    Parameters
    ----------
    session, selection, view
        The network, the unit, and the field that is shown.
    erf_session
        The measurement, if there is one; None: there are none to come.
    """

    def __init__(
        self,
        session: AnalysisSession,
        selection: Selection,
        view: ErfView,
        erf_session: ErfSession | None = None,
    ) -> None:
        self._session = session
        self._selection = selection
        self._view = view
        self._erf_session = erf_session

    def rows(self) -> tuple[NumberRow, ...]:
        """Return the numbers of the measured and the expected field, of those that there are."""
        measured, expected = self._view.measured, self._view.expected
        return number_rows(measured and measured.metrics, expected and expected.metrics)

    def numbers_text(self, kind: str) -> str:
        """Return these numbers in one of `rfstudio.app.measuring.erf_numbers.NUMBER_KINDS`."""
        chosen = self._selection.value
        name = self._session.analysis.architecture.name
        unit = ", ".join(map(str, chosen.unit))
        return numbers_text(
            self.rows(), kind, f"Effective field of unit ({unit}) of {chosen.layer} of {name}."
        )

    def record(self) -> dict[str, Any]:
        """Return how the field that is shown came about, as the command line writes it.

        Raises
        ------
        RFStudioError
            If no field is shown.
        """
        shown = self._shown()
        chosen = self._selection.value
        analysis = self._session.analysis
        measurements = self._erf_session
        result = None if measurements is None else measurements.result
        if self._view.measured is None or result is None or measurements is None:
            return self._record_of_expected(shown)
        options = measurements.measured_options
        recipe = None if options is None else followed(options, analysis.input_size)
        notes = list(result.notes)
        if measurements.shortfall:
            notes.append(f"stopped after {measurements.shortfall}")
        estimator = str(result.options.get("estimator", "energy"))
        facts = measured_facts(result, recipe)
        metrics = shown.metrics.as_dict()
        return erf_record(analysis, chosen.layer, chosen.unit, estimator, facts, notes, metrics)

    def save(self, path: Path) -> None:
        """Write a file, its kind by its ending: ``.npz`` has the map, the others numbers.

        Raises
        ------
        RFStudioError
            If no field is shown, the ending is unknown or the file cannot be written.
        """
        suffix = path.suffix.lower()
        if suffix == ".npz":
            atomic_write(path, erf_npz(self._shown().map, self.record()))
        elif suffix == ".json":
            atomic_write(path, (erf_json(self.record()) + "\n").encode())
        elif suffix in NUMBER_SUFFIXES:
            self._shown()
            atomic_write(path, self.numbers_text(NUMBER_SUFFIXES[suffix]).encode())
        else:
            endings = ", ".join(FIELD_SUFFIXES)
            raise RFStudioError(f"a field is saved as {endings}; give the file one of these")

    def _shown(self) -> ShownErf:
        shown = self._view.shown
        if shown is None:
            raise RFStudioError(
                "this unit has no effective field to save; choose one that sees the image"
            )
        return shown

    def _record_of_expected(self, shown: ShownErf) -> dict[str, Any]:
        chosen, analysis = self._selection.value, self._session.analysis
        erf = EXPECTED.of(analysis, chosen.layer, chosen.unit)
        facts: dict[str, Any] = {}
        if erf is not None:
            facts = computed_facts(erf, __version__)
        notes = () if erf is None else erf.notes
        metrics = shown.metrics.as_dict()
        return erf_record(analysis, chosen.layer, chosen.unit, "expected", facts, notes, metrics)
