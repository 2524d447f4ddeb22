"""Which effective field is shown: the measured one while it is current, else the expected one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import SignalInstance

from rfstudio.app.measuring.expected_fields import EXPECTED
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.metrics.metrics import measured_peak


class Measurement(Protocol):
    """A measured effective field, complete or so far."""

    @property
    def map(self) -> NDArray[np.float64]:
        """The field, in the shape of the input, nowhere negative."""

    @property
    def layer(self) -> str:
        """Path of the unit's layer."""

    @property
    def unit(self) -> tuple[int, ...]:
        """Position of the unit."""


class Measurements(Protocol):
    """Where measured fields come from; the result is None as soon as it is stale."""

    @property
    def erf_changed(self) -> SignalInstance:
        """Emitted with the complete `Measurement`, or None when there is none any more."""

    @property
    def progressed(self) -> SignalInstance:
        """Emitted with the fraction done and the `Measurement` so far, which may be None."""

    @property
    def state_changed(self) -> SignalInstance:
        """Emitted with "idle", "measuring" or "done"."""

    @property
    def result(self) -> Measurement | None:
        """The measurement of the chosen unit, if there is a current one."""

    @property
    def shortfall(self) -> str:
        """How much of a stopped measurement is in its result; empty: all of it."""


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """An effective field of one unit.

    Attributes
    ----------
    map
        Array in the shape of the reference map, nowhere negative.
    name
        What it is called: "expected", "measured", or "measured, 40 %".
    is_measured
        Whether it was measured, else it was worked out.
    is_exact
        Whether an expectation is exact for random weights.
    """

    map: NDArray[np.float64]
    name: str = "expected"
    is_measured: bool = False
    is_exact: bool = False

    @cached_property
    def densest(self) -> float:
        """The value that is drawn densest: the largest, or nearly, if single pixels are noise."""
        return measured_peak(self.map) if self.is_measured else float(self.map.max())


class MeasuredField:
    """The measured field of the chosen unit as it grows, never that of another unit.

    Parameters
    ----------
    source
        Where measurements come from; None if there are none to come.
    changed
        Called when there is another field, or none any more.
    """

    def __init__(self, source: Measurements | None, changed: Callable[[], None]) -> None:
        self._source = source
        self._changed = changed
        self._so_far: Measurement | None = None
        self._fraction = 0.0
        if source is not None:
            source.erf_changed.connect(self._finish)
            source.progressed.connect(self._progress)
            source.state_changed.connect(self._follow_state)

    def of(self, analysis: Analysis, layer: str, unit: tuple[int, ...]) -> EffectiveField | None:
        """Return the measured field of a unit, complete or so far; None if there is none."""
        if self._source is None or analysis.reference != 0:
            return None
        result = self._source.result
        found = self._so_far if result is None else result
        if (
            found is None
            or (found.layer, tuple(found.unit)) != (layer, unit)
            or found.map.shape != analysis.input_size
        ):
            return None
        far = f"{self._fraction:.0%}" if result is None else self._source.shortfall
        name = f"measured, {far}" if far else "measured"
        return EffectiveField(found.map, name, is_measured=True)

    def _finish(self, _result: object) -> None:
        self._so_far = None
        self._changed()

    def _progress(self, fraction: float, so_far: Measurement | None) -> None:
        if so_far is not None:
            self._so_far, self._fraction = so_far, fraction
            self._changed()

    def _follow_state(self, state: str) -> None:
        if state == "idle" and self._so_far is not None:
            self._so_far = None
            self._changed()


def expected_field(analysis: Analysis, layer: str, unit: tuple[int, ...]) -> EffectiveField | None:
    """Return the expected field of a unit; None where there is none or it would take long."""
    erf = EXPECTED.of(analysis, layer, unit)
    return None if erf is None else EffectiveField(erf.map, is_exact=erf.exact)
