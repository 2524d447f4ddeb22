"""A pinned effective field minus that of the chosen unit, for the canvas."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from rfstudio.app.effective.pins import Pin
from rfstudio.app.effective.shown_fields import EffectiveField
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.fields.comparable import are_over_same_map, map_text
from rfstudio.core.metrics.difference import DifferenceError, FieldDifference, difference_of
from rfstudio.widgets.canvas.shading import difference_steps

NO_PIN = "Nothing is pinned to subtract from: P pins the chosen unit."


@dataclass(frozen=True, eq=False)
class ShownDifference:
    """The difference that is drawn, or why there is none.

    Attributes
    ----------
    found
        The first pin minus the chosen unit; None: there is none.
    caption
        What the canvas says about it, in rich text, with the scale of its colours.
    """

    found: FieldDifference | None
    caption: str


def difference_to(
    pins: Iterable[Pin], analysis: Analysis, field: EffectiveField | None
) -> ShownDifference:
    """Return the first pin's effective field minus another one, both divided by their sums.

    Parameters
    ----------
    pins
        The pins.
    analysis, field
        The network of the chosen unit, and its effective field.
    """
    pin = next(iter(pins), None)
    if pin is None:
        return ShownDifference(None, NO_PIN)
    if pin.field is None or field is None:
        who = f"Pin {pin.letter}" if pin.field is None else "The chosen unit"
        return ShownDifference(None, f"{who} has no effective field to subtract.")
    maps = map_text(pin.analysis), map_text(analysis)
    if not are_over_same_map(pin.analysis, analysis) and maps[0] != maps[1]:
        why = f"its field is over {maps[0]}, that of the chosen unit over {maps[1]}"
        return ShownDifference(None, f"Pin {pin.letter} cannot be compared here: {escape(why)}.")
    try:
        found = difference_of(pin.field.map, field.map)
    except DifferenceError as error:
        return ShownDifference(None, f"Pin {pin.letter} cannot be compared here: {error}.")
    scale = "".join(
        f'<span style="background-color: {x}">&nbsp;&nbsp;</span>' for x in difference_steps(15)
    )
    names = f"pin {pin.letter} ({pin.field.name}) minus the chosen unit ({field.name})"
    words = (
        f"Effective field of <b>{names}</b>, both divided by their sums: −{found.largest:.2g} "
        f"{scale} +{found.largest:.2g} of the larger peak. {100 * found.moved:.3g} % of the field "
        "is at other pixels."
    )
    return ShownDifference(found, words)
