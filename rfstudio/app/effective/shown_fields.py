"""Which effective fields of a unit are shown: one answer for all views, files and figures.

The measured field is shown as long as it is that of the chosen unit, also the running average while
samples arrive; otherwise the expected field.  Measured fields are over the input, so with respect
to another layer there are expected ones only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rfstudio.api.measured import MeasuredErf, measured_erf
from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.measuring_work import Subject
from rfstudio.app.failures import failure_words
from rfstudio.core.effective.expected import Erf
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.backtrace import check_unit
from rfstudio.core.fields.unit_frame import UnitFrame
from rfstudio.core.initialisations import DEFAULT, other_law
from rfstudio.core.metrics.metrics import Metrics, measured_peak
from rfstudio.core.plural import counted
from rfstudio.engine.requests.request import BY_FILLING, ErfResult


@dataclass(frozen=True, eq=False)
class Measurement:
    """What is measured, as `rfstudio.app.effective.erf_session.ErfSession` has it.

    Attributes
    ----------
    state
        "idle", "measuring", "stopped" or "done".
    subject
        Network, layer and unit; None: nothing is measured.
    options
        How it is measured.
    result
        What is known of it, complete or so far.
    fraction
        How much of the work the result holds, from 0 to 1.
    init
        The law of weights of the expected field beside it.
    error
        What ended the last measurement of the chosen unit; None: nothing did.
    """

    state: str = "idle"
    subject: Subject | None = None
    options: ErfOptions | None = None
    result: ErfResult | None = None
    fraction: float = 0.0
    init: str = DEFAULT
    error: Exception | None = None

    @property
    def failure(self) -> str:
        """Why the last measurement of the chosen unit has failed, in words; empty: it has not."""
        if self.error is None:
            return ""
        words = failure_words(self.error).rstrip(".")
        return f"{'Not' if self.result is None else 'No more was'} measured: {words}."

    @property
    def progress(self) -> str:
        """How much is in a result that is not complete, in words; empty: all of it."""
        return "" if self.state == "done" else words_of(self.result, self.fraction)


_LEAST = 0.01
"""Share that is written as a number of percent."""

NOTHING_MEASURED = Measurement()


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """An effective field of one unit, as it is shown.

    Attributes
    ----------
    erf
        The field with its metrics.
    name
        What it is called in a caption: "expected", "measured", or "measured, 40%".
    label
        What it is called in a heading: "expected (exact)", "measured (energy, 32 samples)".
    note
        A remark for below its numbers, such as why it is approximate.
    """

    erf: Erf
    name: str
    label: str
    note: str = ""

    @property
    def map(self) -> NDArray[np.float64]:
        """One number a pixel of the reference map, nowhere negative."""
        return self.erf.map

    @property
    def metrics(self) -> Metrics:
        """Its numbers."""
        return self.erf.metrics

    @property
    def is_measured(self) -> bool:
        """Whether it was measured, so that single pixels are noise."""
        return isinstance(self.erf, MeasuredErf)

    @cached_property
    def densest(self) -> float:
        """The value that is drawn densest: the largest, or nearly, if single pixels are noise."""
        return measured_peak(self.map) if self.is_measured else float(self.map.max())


@dataclass(frozen=True, eq=False)
class ShownFields:
    """The effective fields of the chosen unit.

    Attributes
    ----------
    analysis, layer, unit
        Whose fields they are, and with respect to what.
    measured, expected
        Both fields; None for one that does not exist.
    measurement
        The measurement that the measured field comes from.
    is_late
        Whether the expected field is not known yet, because it would delay the frame.
    """

    analysis: Analysis
    layer: str
    unit: tuple[int, ...]
    measured: EffectiveField | None
    expected: EffectiveField | None
    measurement: Measurement
    is_late: bool = False

    def is_of(self, analysis: Analysis, layer: str, unit: tuple[int, ...]) -> bool:
        """Whether these are the fields of a unit, without comparing whole networks."""
        return self.analysis is analysis and (self.layer, self.unit) == (layer, unit)

    @property
    def field(self) -> EffectiveField | None:
        """The field that is shown where there is room for one; None if there is none."""
        return self.measured or self.expected


def shown_fields(
    analysis: Analysis,
    layer: str,
    unit: tuple[int, ...],
    measurement: Measurement,
    expected: Erf | None,
    *,
    is_late: bool = False,
) -> ShownFields:
    """Return what is shown of a unit.

    Parameters
    ----------
    analysis
        The network, and with respect to what fields are given.
    layer, unit
        The chosen unit.
    measurement
        What is measured, possibly of another unit.
    expected
        The unit's expected field, if there is one.
    is_late
        Whether it is yet to be computed.
    """
    return ShownFields(
        analysis,
        layer,
        unit,
        _measured_field(analysis, layer, unit, measurement),
        None if expected is None else _expected_field(expected),
        measurement,
        is_late,
    )


def fields_of_result(analysis: Analysis, measurement: Measurement) -> ShownFields:
    """Return a measured field alone, also of a unit that is not chosen.

    Parameters
    ----------
    analysis
        That of the network that was measured.
    measurement
        What is known of it.

    Raises
    ------
    RFStudioError
        That says why there is no such field.
    """
    subject = measurement.subject
    if subject is None or measurement.result is None:
        raise RFStudioError("its map is gone from the folder of temporary files")
    _, layer, unit = subject
    check_unit(analysis.graph, analysis.graph.index(layer), unit)
    if analysis.reference != 0:
        name = analysis.graph.nodes[analysis.reference].name
        raise RFStudioError(f"measured fields are over the input, and fields are given over {name}")
    field = _measured_field(analysis, layer, unit, measurement)
    if field is None:
        raise RFStudioError("it was measured on another network, or on another size of its input")
    return ShownFields(analysis, layer, unit, field, None, measurement)


def _measured_field(
    analysis: Analysis, layer: str, unit: tuple[int, ...], measurement: Measurement
) -> EffectiveField | None:
    result = measurement.result
    if (
        result is None
        or analysis.reference != 0
        or measurement.subject != Subject(analysis.architecture, layer, unit)
        or result.map.shape != analysis.input_size
    ):
        return None
    index = analysis.graph.index(layer)
    if 0 in analysis.graph.nodes[index].size:
        return None  # an empty map has no units
    erf = measured_erf(result, UnitFrame(analysis.graph, index, unit, 0, analysis.fields))
    words, law = measurement.progress, other_law(erf.options)
    # A caption has less room, and changes all the time.
    short = _share(measurement.fraction) if measurement.state == "measuring" else words
    far = words or counted(result.samples, "sample")
    return EffectiveField(
        erf,
        f"measured, {short}" if short else "measured",
        f"measured ({erf.estimator}, {far}{law and f'; {law}'})",
        _sentences(erf),
    )


def _expected_field(erf: Erf) -> EffectiveField:
    exactness = "exact" if erf.exact else "approximate"
    if law := other_law(erf.options):
        exactness += f"; {law}"
    return EffectiveField(erf, "expected", f"expected ({exactness})", _sentences(erf))


def _share(fraction: float) -> str:
    """Return how much is done; what has begun is not nothing."""
    return f"{100 * fraction:.0f} %" if fraction >= _LEAST else "under 1 %"


def _sentences(erf: Erf) -> str:
    return " ".join(f"{x[:1].upper()}{x[1:].rstrip('.')}." for x in erf.notes)


def words_of(so_far: ErfResult | None, fraction: float) -> str:
    """Return how far a measurement is, in words: ``17 of 32 samples``, or a share of the patches.

    Parameters
    ----------
    so_far
        What is known of it.
    fraction
        How much of the work is done, from 0 to 1.
    """
    if so_far is None:
        return ""
    # A map by filling goes from coarse to fine, so the number of samples says little.
    if so_far.options.get("estimator") in BY_FILLING:
        return f"{100 * fraction:.0f} %"
    return f"{so_far.samples:,} of {counted(so_far.wanted, 'sample')}"
