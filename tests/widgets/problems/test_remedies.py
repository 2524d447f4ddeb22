"""A remark that offers a remedy applies it with one click, undoably."""

from rfstudio.app.files.presets import read_preset
from rfstudio.widgets.problems.panel import ProblemsPanel


def test_that_a_remedy_is_applied_and_undone(state, shown) -> None:
    bench = state(read_preset("xception"))
    panel = shown(ProblemsPanel(bench.document, bench.session, bench.selection))
    assert panel.repair.isVisible()
    assert panel.repair.isEnabled()
    panel.repair.click()
    assert not any(x.code == "centre_offset" for x in bench.session.analysis.diagnostics)
    assert not panel.repair.isVisible()
    bench.document.undo_stack.undo()
    assert bench.document.architecture == read_preset("xception")


def test_that_remarks_without_a_remedy_offer_none(state, shown) -> None:
    bench = state(read_preset("unet"))
    panel = shown(ProblemsPanel(bench.document, bench.session, bench.selection))
    assert panel.list.count() > 0
    assert not panel.repair.isVisible()
