"""Facts in the words for what fields are measured in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rfstudio.app.wording.facts import Fact
from rfstudio.core.network.sample_words import Units


def in_units(facts: Iterable[Fact], units: Units) -> Iterator[Fact]:
    """Yield facts in the words for a map."""
    for label, text, meaning in facts:
        yield Fact(units.said(label), units.said(text), units.said(meaning))
