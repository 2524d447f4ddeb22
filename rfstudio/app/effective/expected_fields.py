"""Expected effective fields, computed once for all views."""

from __future__ import annotations

import logging
from math import prod
from time import thread_time

from rfstudio.api.expected import live_erf
from rfstudio.core.effective.demand import demand_of
from rfstudio.core.effective.expected import Erf
from rfstudio.core.errors import Cancelled, RFStudioError, TooLargeError
from rfstudio.core.fields.analysis import Analysis
from rfstudio.core.initialisations import DEFAULT
from rfstudio.core.memo import Recent
from rfstudio.core.work import give_way

LIVE_PIXELS = 1 << 21
"""Largest map whose expected fields are computed while the pointer moves."""

LIVE_SECONDS = 0.3
"""Estimated time of a field above which it is too large to show live."""

LIVE_LAYERS = 4000
"""Most layers of a network whose expected fields are computed while the pointer moves."""

_TOO_LARGE = "The effective field is too large to show live; measure it, or export it."

_SLOW = 0.03
"""Seconds of work above which the next field is not begun before nothing has moved for a moment."""


class ExpectedFields:
    """Computes expected fields, and remembers the last few.

    Attributes
    ----------
    seconds
        How long the processor takes for one at present: the quicker of the last two, since the
        first one of a network takes much longer than the next unit's.
    """

    def __init__(self) -> None:
        self.seconds = self._last = 0.0
        self._recent: Recent[Analysis, tuple[Erf | None, str]] = Recent(4)

    def of(
        self, analysis: Analysis, layer: str, unit: tuple[int, ...], init: str = DEFAULT
    ) -> Erf | None:
        """Return the expected field of a unit; None where there is none or it would take long.

        Its numbers are worked out as well.  Weights are drawn by `init`.
        """
        known = self._recent.get(analysis, (layer, unit, init), None)
        if known is not None:
            return known[0]
        started = thread_time()
        field, reason = _worked_out(analysis, layer, unit, init)
        took = thread_time() - started
        self.seconds, self._last = min(took, self._last), took
        self._recent.put(analysis, (layer, unit, init), (field, reason))
        return field

    def why_none(
        self, analysis: Analysis, layer: str, unit: tuple[int, ...], init: str = DEFAULT
    ) -> str:
        """Return why a unit that was asked for has no expected field; empty: it has one."""
        known = self._recent.get(analysis, (layer, unit, init), None)
        return "" if known is None else known[1]

    def knows(
        self, analysis: Analysis, layer: str, unit: tuple[int, ...], init: str = DEFAULT
    ) -> bool:
        """Whether it is known what `of` returns."""
        return self._recent.get(analysis, (layer, unit, init), None) is not None

    @property
    def takes_long(self) -> bool:
        """Whether a field would delay the frame, as the last ones did."""
        return self.seconds > _SLOW


EXPECTED = ExpectedFields()
"""The instance that all views of the window share."""


def has_small_maps(analysis: Analysis) -> bool:
    """Whether every map is small enough to compute its expected field beside other work."""
    return 0 < prod(analysis.reference_size) <= LIVE_PIXELS and all(
        max(x.size, default=0) <= LIVE_PIXELS for x in analysis.graph.nodes
    )


def is_live(analysis: Analysis) -> bool:
    """Whether expected fields are computed while the pointer moves."""
    return len(analysis.graph.nodes) <= LIVE_LAYERS and has_small_maps(analysis)


def _worked_out(
    analysis: Analysis, layer: str, unit: tuple[int, ...], init: str
) -> tuple[Erf | None, str]:
    """Return an expected field, or None and why there is none."""
    try:
        index = analysis.graph.index(layer)
        if not is_live(analysis) or not is_quick(analysis, index, unit):
            return None, _TOO_LARGE
        field = live_erf(analysis, layer, unit, LIVE_SECONDS, init)
        give_way()
        _ = field.metrics.luo_size, field.metrics.sigma
        return field, ""
    except Cancelled:
        raise
    except TooLargeError:  # what cannot be estimated shows on the way
        return None, _TOO_LARGE
    except RFStudioError as error:
        text = str(error)
        return None, f"{text[:1].upper()}{text[1:]}."
    # Whatever a draft provokes, the window goes on without this field.
    except Exception as error:
        logging.getLogger(__name__).exception("no expected field of %s", layer)
        told = f"{type(error).__name__}: {error}"
        return None, f"The effective field could not be worked out ({told}); please report it."


def is_quick(analysis: Analysis, index: int, unit: tuple[int, ...]) -> bool:
    """Whether the expected field of a unit takes a fraction of a second."""
    return demand_of(analysis.graph, index, unit, analysis.reference).seconds <= LIVE_SECONDS
