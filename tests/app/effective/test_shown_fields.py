"""Which effective field is shown follows from analysis, unit and measurement alone."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from rfstudio import api
from rfstudio.api.measured import MeasuredErf
from rfstudio.app.effective.measuring_work import Subject
from rfstudio.app.effective.shown_fields import (
    NOTHING_MEASURED,
    Measurement,
    ShownFields,
    shown_fields,
)
from rfstudio.core import ops
from rfstudio.core.fields.analysis import Analysis, analyze
from rfstudio.core.metrics.metrics import Metrics
from rfstudio.core.network.architecture import Architecture, Layer
from tests.fixed_frame import FixedFrame
from tests.measurements import result_of
from tests.narrowing import instance, present


def conv(name: str) -> Layer:
    return Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4), name)


NETWORK = Architecture(name="two", input_size=(20, 24), layers=(conv("a"), conv("b")))
ANALYSIS = analyze(NETWORK)
UNIT = (9, 9)
VALUES = np.random.default_rng(0).random((20, 24))


def measurement(state: str = "done", subject: Subject | None = None, **others: Any) -> Measurement:
    result = replace(result_of("b", UNIT, VALUES, 4), **{"wanted": 4, **others})
    return Measurement(state, subject or Subject(NETWORK, "b", UNIT), None, result, 0.4)


def shown(
    measured: Measurement, analysis: Analysis = ANALYSIS, unit: tuple[int, ...] = UNIT
) -> ShownFields:
    return shown_fields(analysis, "b", unit, measured, api.expected_erf(analysis, "b", unit))


@pytest.mark.parametrize(
    ("state", "others", "name", "label"),
    [
        ("done", {}, "measured", "measured (energy, 4 samples)"),
        ("stopped", {"wanted": 9}, "measured, 4 of 9 samples", "measured (energy, 4 of 9 samples)"),
        ("measuring", {"wanted": 10}, "measured, 40 %", "measured (energy, 4 of 10 samples)"),
        (
            "measuring",
            {"options": {"estimator": "occlusion"}},
            "measured, 40 %",
            "measured (occlusion, 40 %)",
        ),
    ],
)
def test_that_a_measured_field_is_shown_as_far_as_it_is(
    state: str, others: dict[str, Any], name: str, label: str
) -> None:
    found = shown(measurement(state, **others))
    field = present(found.field)
    assert field is found.measured
    assert (field.name, field.label) == (name, label)
    assert field.map is VALUES
    assert present(found.expected).name == "expected"


@pytest.mark.parametrize(
    ("measured", "analysis"),
    [
        (NOTHING_MEASURED, ANALYSIS),
        (Measurement("measuring", Subject(NETWORK, "b", UNIT)), ANALYSIS),
        (measurement(subject=Subject(NETWORK, "b", (9, 8))), ANALYSIS),
        (measurement(subject=Subject(NETWORK, "a", UNIT)), ANALYSIS),
        (measurement(subject=Subject(replace(NETWORK, channels=1), "b", UNIT)), ANALYSIS),
        (measurement(), analyze(NETWORK, reference="a")),
        (measurement(), analyze(NETWORK, input_size=(24, 24))),
        (measurement(), analyze(replace(NETWORK, layers=(conv("a"), conv("c"), conv("b"))))),
    ],
    ids=["none", "no sample", "unit", "layer", "network", "reference", "size", "edit"],
)
def test_that_a_measurement_of_anything_else_is_not_shown(
    measured: Measurement, analysis: Analysis
) -> None:
    found = shown(measured, analysis)
    assert found.measured is None
    assert found.field is found.expected
    assert present(found.field).label.startswith("expected (")


def test_that_an_undone_edit_gives_the_measured_field_back_if_it_is_still_there() -> None:
    again = analyze(replace(NETWORK))  # an equal document
    assert present(shown(measurement(), again).field).is_measured


def test_that_there_may_be_nothing_to_show_or_nothing_yet() -> None:
    found = shown_fields(ANALYSIS, "b", UNIT, NOTHING_MEASURED, None, is_late=True)
    assert (found.field, found.is_late) == (None, True)


def test_that_what_is_shown_cannot_be_changed() -> None:
    found = shown(measurement())
    for value, name, wanted in ((found, "measured", None), (found.field, "name", "another")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, wanted)


@pytest.mark.parametrize("reference", ["input", "a"])
def test_that_metrics_compare_with_the_fields_of_the_analysis(reference: str) -> None:
    analysis = analyze(NETWORK, reference=reference)
    field = present(shown(measurement(), analysis).field)
    view = analysis.unit("b", UNIT)
    region = present(view.theoretical_region)
    centre = tuple((first + last) / 2 for first, last in region)
    size = tuple(last - first + 1 for first, last in region)
    wanted = Metrics(field.map, FixedFrame(centre, size, view.visible_region))
    assert field.metrics.as_dict() == wanted.as_dict()


def test_that_a_measurement_has_the_same_metrics_in_the_window_as_in_python() -> None:
    erf = instance(MeasuredErf, api.erf(NETWORK, "b", UNIT, samples=2, device="cpu"))
    subject = Subject(NETWORK, "b", UNIT)
    field = present(shown(Measurement("done", subject, None, erf.run)).field)
    assert field.metrics.as_dict() == erf.metrics.as_dict()
    assert field.erf.options == erf.options
