"""The switches below the canvas stay where they are."""

from __future__ import annotations

import pytest

from rfstudio.app.state.settings import Settings
from rfstudio.widgets.canvas.switches import SwitchBar


@pytest.mark.parametrize("detail", ["7×7", "109×219×219"])
def test_that_a_longer_number_moves_no_switch_to_another_row(
    shown, settings: Settings, detail: str
) -> None:
    bar = SwitchBar(settings)
    bar.set_detail("theoretical", detail)
    bar.set_detail("visible", detail)
    shown(bar, (760, bar.heightForWidth(760)))
    rows = [x.y() for x in bar._buttons.values()]
    first, second = rows[:5], rows[5:]
    assert len(set(first)) == len(set(second)) == 1
    assert first[0] < second[0]


def test_that_a_wide_bar_is_one_row(shown, settings: Settings) -> None:
    bar = SwitchBar(settings)
    shown(bar, (1600, bar.heightForWidth(1600)))
    assert len({x.y() for x in bar._buttons.values()}) == 1
