"""Budgets of work, and budgets within them."""

from __future__ import annotations

import pytest

from rfstudio.core.errors import TooLargeError
from rfstudio.core.work import at_most, spend


def test_that_work_within_a_limit_counts_for_the_one_around_it() -> None:
    with at_most(10, "the outer"):
        with at_most(100, "the inner"):
            spend(8)
        with pytest.raises(TooLargeError, match="the outer"):
            spend(3)


def test_that_a_limit_within_another_one_is_no_larger() -> None:
    with at_most(10, "the outer"):
        with pytest.raises(TooLargeError, match="the inner"), at_most(100, "the inner"):
            spend(11)
        with pytest.raises(TooLargeError, match="the outer"):
            spend(1)
