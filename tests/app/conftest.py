"""The same for all tests of the application without widgets."""

from __future__ import annotations

import pytest

from rfstudio.app import slices


@pytest.fixture(autouse=True)
def _analyses_are_in_time_for_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test depend on the speed of the machine; those of slices choose their own."""
    monkeypatch.setattr(slices, "AT_ONCE", 60.0)
