"""A measurement as a result with metrics, and a result as a record, for all interfaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rfstudio import __version__
from rfstudio.core.effective.expected import Erf
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.metrics.metrics import Frame
from rfstudio.engine.requests.request import ErfResult
from rfstudio.formats.tables.erf_files import computed_facts, erf_record, measured_facts


@dataclass(frozen=True, eq=False, repr=False)
class MeasuredErf(Erf):
    """An effective receptive field that was measured.

    Attributes
    ----------
    run
        The measurement that it came from, with standard errors, device, versions and time.
    """

    run: ErfResult = field(kw_only=True, repr=False)


def measured_erf(
    result: ErfResult,
    frame: Frame | None,
    *,
    images: int | None = None,
    weights: str | None = None,
) -> MeasuredErf:
    """Return a measurement as a result with metrics.

    Parameters
    ----------
    result
        What was measured, complete or so far.
    frame
        The theoretical field and visible region that the metrics compare it with.
    images
        How many images were given as an array; None: those that the run states.
    weights
        The origin of the weights, if not the one that the run states.
    """
    facts = {
        "samples": result.samples,
        "device": result.device,
        "versions": dict(result.versions),
        "seconds": result.seconds,
    }
    if images is not None:
        facts["images"] = images
    if weights is not None:
        facts["weights"] = weights
    return MeasuredErf(
        map=result.map,
        layer=result.layer,
        unit=result.unit,
        estimator=result.options.get("estimator", "energy"),
        exact=False,
        notes=result.notes,
        options={**result.options, **facts},
        frame=frame,
        run=result,
    )


def record_of(
    analysis: Analysis,
    erf: Erf,
    *,
    layer: str = "",
    estimator: str = "",
    recipe: str | None = None,
    seconds: float | None = None,
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return all of a field but its map, as JSON can hold it.

    Parameters
    ----------
    analysis, erf
        The network, and the field of one of its units.
    layer, estimator
        Their names in the user's words, if these differ from those of the field.
    recipe
        The published recipe that a measurement followed.
    seconds
        How long a field took that is not measured; None: it is not known.
    notes
        What a reader should know besides the notes of the field.
    """
    if isinstance(erf, MeasuredErf):
        facts = measured_facts(erf.run, recipe)
    else:
        facts = computed_facts(erf, __version__, seconds)
    name, size = layer or erf.layer, erf.metrics.luo_size
    others = () if size is None else analysis[name].other_effective_sizes(size)
    return erf_record(
        analysis,
        name,
        erf.unit,
        estimator or erf.estimator,
        facts,
        (*erf.notes, *notes),
        erf.metrics.as_dict(),
        others,
    )
