"""How a measurement tends to the expected field: its distance after each few samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.distance import distance_of

if TYPE_CHECKING:
    from rfstudio.core.effective.expected import Erf
    from rfstudio.engine.process.running import Report
    from rfstudio.engine.requests.request import ErfRequest, ErfResult


def convergence_of(
    request: ErfRequest, expected: Erf, *, report: Report | None = None
) -> list[tuple[int, float]]:
    """Measure a unit, and return samples and distances from its expected field.

    Parameters
    ----------
    request
        What is measured.
    expected
        The unit's expected field.
    report
        Receives the fraction done, and the result so far.

    Raises
    ------
    RFStudioError
        If the measurement does not tend to the expected field, or cannot be made.
    """
    from rfstudio.api.measuring import measure

    options = {name: getattr(request, name) for name in ("estimator", "weights", "channel")}
    if reason := incomparable(options | {"images": len(request.images)}):
        raise RFStudioError(reason[:1].lower() + reason[1:].rstrip("."))
    points: dict[int, float] = {}

    def take(fraction: float, result: ErfResult) -> None:
        away = distance_of(result.map, expected.map, is_root=request.estimator == "rms")
        if away:
            points[result.samples] = away
        if report is not None:
            report(fraction, result)

    measure(request, report=take)
    return sorted(points.items())


def incomparable(options: Mapping[str, Any]) -> str:
    """Return why a measurement does not tend to the expected field; empty if it does."""
    estimator = options.get("estimator", "energy")
    if estimator not in ("energy", "rms"):
        return f"The expected field predicts energy and rms, not '{estimator}'."
    if options.get("weights", "random") != "random":
        return "The expected field is that of random weights, so it does not apply to these."
    if options.get("images"):
        return "The expected field is that of noise, so it does not apply to images."
    if options.get("channel") is not None:
        return "The expected field is that of all channels of the unit, not of one."
    return ""
