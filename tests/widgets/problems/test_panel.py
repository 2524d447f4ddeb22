"""The panel of problems: the worst first, each leads to its layer, and files in between."""

from pathlib import Path

from PySide6.QtGui import QGuiApplication

from rfstudio.core import ops
from rfstudio.core.errors import Problem
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.widgets.problems.panel import ProblemsPanel

# What "sum" adds lies one pixel apart, and the kernel of "wide" does not fit on 8 samples.
NETWORK = Architecture(
    input_size=(8, 8),
    layers=(
        Layer(ops.Conv(kernel_size=3, padding=1), "a"),
        Layer(ops.Conv(kernel_size=3, padding=((0, 2), (0, 2))), "b", ("input",)),
        Layer(ops.Add(), "sum", ("a", "b")),
        Layer(ops.Conv(kernel_size=9), "wide"),
    ),
)
ORDER = ("error", "warning", "note")


def test_that_the_worst_remarks_come_first_and_lead_to_their_layers(state, shown) -> None:
    made = state(NETWORK)
    panel = shown(ProblemsPanel(made.document, made.session, made.selection))
    remarks = made.session.analysis.diagnostics
    assert {"wide", "sum"} <= {x.layer for x in remarks}
    rows = [panel.list.item(i) for i in range(panel.list.count())]
    ranks = [ORDER.index(x.toolTip().split()[0]) for x in rows]
    assert ranks == sorted(ORDER.index(x.severity) for x in remarks)
    assert panel.summary[1] == ORDER[ranks[0]]
    for layer in ("sum", "wide"):
        panel.list.itemClicked.emit(next(x for x in rows if x.text().startswith(f"{layer}: ")))
        assert made.selection.layer == layer


def test_that_problems_of_a_file_are_shown_copied_and_dismissed(state, shown) -> None:
    made = state(NETWORK)
    panel = shown(ProblemsPanel(made.document, made.session, made.selection))
    problems = [Problem("<b>.yaml", 3, 7, "wrong"), Problem("<b>.yaml", 4, 1, "worse")]
    panel.show_file_problems(Path("folder/<b>.yaml"), problems)
    assert "&lt;b>.yaml" in panel.file_title.text()  # the name of a file is no markup
    assert "2 problems" in panel.file_title.text()
    assert panel.file_problem_texts()[0] == "line 3, column 7: wrong"
    panel._copy.click()
    assert QGuiApplication.clipboard().text() == "<b>.yaml:3:7: wrong\n<b>.yaml:4:1: worse"
    panel._dismiss.click()
    assert panel.file_problem_texts() == []


def test_that_a_network_without_layers_is_not_praised(state, shown) -> None:
    made = state(Architecture())
    panel = shown(ProblemsPanel(made.document, made.session, made.selection))
    assert panel._empty.isVisible()
    assert panel._empty.text().startswith("No layers yet")
    layers = (Layer(ops.Conv(kernel_size=3, padding=1), "a"),)
    made.document.edit("Add", Architecture(input_size=(8, 8), layers=layers))
    assert panel._empty.text() == "No remarks: every layer fits, and all paths agree."
