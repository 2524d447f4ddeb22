"""Why a unit sees nothing, or has no effective field: the same words in all panels."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from rfstudio.app.effective.expected_fields import EXPECTED
from rfstudio.app.effective.shown_fields import ShownFields
from rfstudio.app.failures import failure_sentence
from rfstudio.core.errors import RFStudioError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.unit_view import UnitView
from rfstudio.core.network.architecture import INPUT

Look: TypeAlias = Callable[[str, tuple[int, ...]], UnitView]
"""Returns what a unit of a layer sees, or raises an `RFStudioError`."""


class Seen(NamedTuple):
    """What a unit sees.

    Attributes
    ----------
    view
        What it sees; None: that cannot be said.
    trouble
        Why it sees nothing, and what helps, in lines of words; empty: it sees something.
    """

    view: UnitView | None
    trouble: str = ""


def seen(analysis: Analysis, layer: str, unit: tuple[int, ...], look: Look | None = None) -> Seen:
    """Return what a unit sees, or why it sees nothing.

    Parameters
    ----------
    analysis, layer, unit
        The unit.
    look
        How views are found, if some are remembered; None: they are worked out.
    """
    node = analysis.graph.nodes[analysis.graph.index(layer)]
    if 0 in analysis.reference_size:
        return Seen(None, "The input has no pixels.\nGive the network an input size.")
    if 0 in node.size:
        size = "×".join(map(str, analysis.input_size))
        return Seen(
            None,
            f"The map of {node.name} is empty: an input of {size} is too small.\n"
            "Use a larger input, smaller kernels or more padding.",
        )
    try:
        view = (look or analysis.unit)(layer, unit)
    except RFStudioError as error:
        return Seen(None, failure_sentence(error))
    if view.visible_region is not None:
        return Seen(view)
    if view.theoretical_region is None:
        start = analysis.graph.nodes[analysis.reference].name if analysis.reference else INPUT
        return Seen(view, f"No path leads from the {start} to {node.name}.")
    words = "This unit sees only padding: no pixel of the image reaches it."
    return Seen(view, analysis.units.said(words))


def why_not_measured(
    analysis: Analysis, layer: str, unit: tuple[int, ...], look: Look | None = None
) -> str:
    """Return why a unit cannot be measured, before that is tried; empty: it can.

    Parameters
    ----------
    analysis, layer, unit
        The unit.
    look
        As that of `seen`.
    """
    graph = analysis.graph
    if graph.faults:
        before = {graph.nodes[x].location for x in graph.ancestors(graph.index(layer))}
        fault = next((x for x in graph.faults if x.location in before), None)
        if fault is not None:
            return f"A layer before it does not fit: {fault.message.rstrip('.')}."
    if analysis.reference:
        return ""  # what is measured is over the input, and so may be there
    return seen(analysis, layer, unit, look).trouble.replace("\n", " ")


def why_no_field(shown: ShownFields, look: Look | None = None) -> str:
    """Return why there is no effective field of a unit, in words; empty: there is one.

    Parameters
    ----------
    shown
        What is known of the unit.
    look
        As that of `seen`.
    """
    unit = (shown.analysis, shown.layer, shown.unit)
    trouble = seen(*unit, look).trouble.replace("\n", " ")
    if trouble or shown.field is not None:
        return trouble
    if shown.is_late:
        return "The effective field is being worked out…"
    why = EXPECTED.why_none(*unit, shown.measurement.init)
    return why or "This unit has no effective field to show."
