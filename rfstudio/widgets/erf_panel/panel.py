"""The panel of measuring: what is measured, how it goes, and how near it has come."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QWidget

from rfstudio.app.analysis_session import AnalysisSession
from rfstudio.app.erf_session import ErfOptions, ErfSession
from rfstudio.core import ops
from rfstudio.widgets.erf_panel.convergence_chart import ConvergenceChart
from rfstudio.widgets.erf_panel.editors import FileQuestions
from rfstudio.widgets.erf_panel.option_form import OptionForm
from rfstudio.widgets.erf_panel.run_box import RunBox

_WIDE = 90  # average characters from which the parts lie side by side


class ErfPanel(QWidget):
    """Shows an `ErfSession`: its options, its progress, its result.

    Parameters
    ----------
    erf_session
        The measurements.
    parent
        The widget that it lies in.
    session
        The analysis of the document, for the expected field and what the network has; None: the
        panel does without.
    questions
        Who answers dialogs; the user if None.
    """

    def __init__(
        self,
        erf_session: ErfSession,
        parent: QWidget | None = None,
        *,
        session: AnalysisSession | None = None,
        questions: FileQuestions | None = None,
    ) -> None:
        super().__init__(parent)
        self._erf_session = erf_session
        self._session = session
        self._recipe = ""
        self.form = OptionForm(questions or FileQuestions())
        self.run = RunBox()
        self.chart = ConvergenceChart()
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self._lines = (_line(), _line())
        for widget, share in (
            (self.form, 5),
            (self._lines[0], 0),
            (self.run, 2),
            (self._lines[1], 0),
            (self.chart, 3),
        ):
            self._row.addWidget(widget, share)
        self.setAccessibleName("Measuring")
        self.setFocusProxy(self.form.editor("estimator"))
        self.form.changed.connect(self._change)
        self.run.measure.clicked.connect(erf_session.measure)
        self.run.cancel.clicked.connect(erf_session.cancel)
        erf_session.options_changed.connect(self._show_options)
        erf_session.state_changed.connect(self._follow_state)
        erf_session.progressed.connect(self._follow_progress)
        erf_session.erf_changed.connect(self._follow_result)
        erf_session.failed.connect(self._follow_failure)
        if session is not None:
            session.analysis_changed.connect(self._follow_network)
            self._follow_network()
        self._show_options(erf_session.options)
        self.run.show_state(erf_session.state)
        self._follow_result(erf_session.result)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Put the parts side by side, or one below the other where it is narrow."""
        super().resizeEvent(event)
        is_wide = self.width() >= _WIDE * self.fontMetrics().averageCharWidth()
        direction = QBoxLayout.Direction
        self._row.setDirection(direction.LeftToRight if is_wide else direction.TopToBottom)
        shape = QFrame.Shape.VLine if is_wide else QFrame.Shape.HLine
        for line in self._lines:
            line.setFrameShape(shape)
        self._share()

    def _share(self) -> None:
        """Leave the room of the curve to the options where there is no curve, if it is narrow."""
        is_wide = self._row.direction() == QBoxLayout.Direction.LeftToRight
        self._row.setStretchFactor(self.chart, 3 if is_wide or self.chart.has_curve else 0)

    def _change(self, changes: dict[str, Any]) -> None:
        self._erf_session.set_options(**changes)

    def _show_options(self, options: ErfOptions) -> None:
        self.form.show_options(options)
        self.run.show_remark(self.form.recipe_text)

    def _follow_network(self) -> None:
        assert self._session is not None
        analysis = self._session.analysis
        has_batch_norm = any(isinstance(x.op, ops.BatchNorm) for x in analysis.graph.nodes)
        self.form.show_network(analysis.input_size, has_batch_norm)

    def _follow_state(self, state: str) -> None:
        self.run.show_state(state)
        if state == "measuring":
            self._recipe = self.form.recipe
            self.chart.start()
            self._share()
        if state != "done":
            self.run.show_remark(self.form.recipe_text)

    def _follow_progress(self, fraction: float, so_far: Any) -> None:
        self.run.show_progress(fraction, so_far)
        if so_far is not None:
            self._draw(so_far)

    def _follow_result(self, result: Any) -> None:
        if result is not None:
            self.run.show_result(result, self._recipe)
            self._draw(result)

    def _follow_failure(self, error: Exception) -> None:
        self.run.show_error(error)

    def _draw(self, measured: Any) -> None:
        analysis = None if self._session is None else self._session.analysis
        self.chart.add(analysis, measured, measured.wanted)
        self._share()


def _line() -> QFrame:
    line = QFrame()
    line.setFrameShape(QFrame.Shape.VLine)
    line.setFrameShadow(QFrame.Shadow.Plain)
    line.setForegroundRole(QPalette.ColorRole.Mid)
    line.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    return line
