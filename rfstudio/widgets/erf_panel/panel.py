"""The measuring panel: options, progress and result, and the distance from the expected field."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSize, Qt, QTimer
from PySide6.QtGui import QPalette, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.app.effective import measuring_recipes
from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.erf_session import ErfSession
from rfstudio.app.effective.measuring_costs import costs_of
from rfstudio.app.effective.shown_fields import Measurement, words_of
from rfstudio.app.effective.unit_following import UnitFollowing
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.no_field import why_not_measured
from rfstudio.core.errors import RFStudioError
from rfstudio.widgets.erf_panel.convergence_chart import ConvergenceChart
from rfstudio.widgets.erf_panel.editors import FileQuestions
from rfstudio.widgets.erf_panel.option_form import OptionForm
from rfstudio.widgets.erf_panel.run_box import RunBox

_WIDE = 90  # average characters from which the parts are side by side
_LINE = 60  # average characters below which the help has its lines for itself
_VERY_WIDE = 150  # average characters from which one line is enough for help
_FORM, _RUN, _CHART = 8, 4, 4  # shares of the width
_HIGH = 14  # lines from which the parts of a narrow panel are below one another
_FOOT = 2  # points above and below the help
_PAIR = 2  # least widths of the measurement that it and the options need side by side
_LATER = 120
"""Milliseconds after which the costs of a unit are shown, so not while it moves."""


class ErfPanel(QWidget):
    """Shows an `ErfSession`: its options, its progress, its result.

    Parameters
    ----------
    erf_session
        The measurements.
    parent
        The widget around it.
    session
        The analysis of the document, for the expected field and the network's batch norm; None: the
        panel does without.
    selection, edits
        The chosen unit, to show what measuring it costs; edits, to offer the input size of a
        recipe.  None: the panel does without.
    following
        The switch that measures the unit whenever it stops moving; None: there is none.
    questions
        Answers the dialogs; the user if None.
    """

    def __init__(
        self,
        erf_session: ErfSession,
        parent: QWidget | None = None,
        *,
        session: AnalysisSession | None = None,
        selection: Selection | None = None,
        edits: LayerEdits | None = None,
        following: UnitFollowing | None = None,
        questions: FileQuestions | None = None,
    ) -> None:
        super().__init__(parent)
        self._erf_session = erf_session
        self._session = session
        self._selection = selection
        self._edits = edits
        self._following = following
        self._recipe = ""
        self._state = erf_session.state
        self._telling = QTimer(self, singleShot=True, interval=_LATER)
        self._telling.timeout.connect(self._tell_before)
        self.form = OptionForm(questions or FileQuestions())
        self.run = RunBox()
        self.chart = ConvergenceChart()
        self._lines = (_line(), _line())
        self._pair = _row()
        for widget, share in ((self.form, _FORM), (self._lines[0], 0), (self.run, _RUN)):
            self._pair.addWidget(widget, share)
        self._row = _row()
        self._row.addLayout(self._pair, _FORM + _RUN)
        self._row.addWidget(self._lines[1])
        self._row.addWidget(self.chart, _CHART)
        self._foot = QHBoxLayout()
        self._foot.setContentsMargins(10, _FOOT, 6, _FOOT)
        self._foot.addWidget(self.form.help, 1)
        centre = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        self._foot.addWidget(self.form.reset, 0, centre)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._row, 1)
        column.addWidget(_line(QFrame.Shape.HLine))
        column.addLayout(self._foot)
        self.setAccessibleName("Measuring")
        self._connect()
        self._show_options(erf_session.options)
        self.run.show_state(erf_session.state)
        self._follow_result(erf_session.result)

    def _connect(self) -> None:
        measurements, session, run = self._erf_session, self._session, self.run
        self.form.changed.connect(self._change)
        self.form.reset_wanted.connect(measurements.reset_options)
        run.measure.clicked.connect(measurements.measure)
        run.cancel.clicked.connect(measurements.cancel)
        run.more.clicked.connect(measurements.measure_more)
        run.remedy_wanted.connect(self._set_input_size)
        measurements.options_changed.connect(self._show_options)
        measurements.state_changed.connect(self._follow_state)
        measurements.progressed.connect(self._follow_progress)
        measurements.erf_changed.connect(self._follow_result)
        measurements.failed.connect(self._follow_failure)
        measurements.measurement_changed.connect(self._follow_measurement)
        if session is not None:
            session.analysis_changed.connect(self._follow_network)
            self._follow_network()
        if self._selection is not None:
            self._selection.selection_changed.connect(self._telling.start)
        run.follow.setVisible(self._following is not None)
        if self._following is not None:
            run.follow_wanted.connect(self._following.switch)
            self._following.switched.connect(self._show_following)
            self._show_following()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Show what a measurement takes; this is not computed while the panel is hidden."""
        super().showEvent(event)
        self._tell_before()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Put the parts side by side, or one below the other where it is narrow."""
        super().resizeEvent(event)
        width = self.width()
        is_wide = width >= _WIDE * self.fontMetrics().averageCharWidth()
        is_low = self.height() < _HIGH * self.fontMetrics().lineSpacing()
        has_pair = is_wide or (is_low and width >= _PAIR * self.run.minimumWidth())
        direction, shape = QBoxLayout.Direction, QFrame.Shape
        for row, line, is_beside in (
            (self._pair, self._lines[0], has_pair),
            (self._row, self._lines[1], is_wide),
        ):
            row.setDirection(direction.LeftToRight if is_beside else direction.TopToBottom)
            line.setFrameShape(shape.VLine if is_beside else shape.HLine)
        is_beside = self.width() >= _LINE * self.fontMetrics().averageCharWidth()
        self._foot.setDirection(direction.LeftToRight if is_beside else direction.TopToBottom)
        # What the curve says is in the words of the measurement as well.
        for widget in (self._lines[1], self.chart):
            widget.setVisible(is_wide or not is_low)
        self._share()
        # Always of the same height, so that nothing moves under the pointer.
        metrics = self.fontMetrics()
        lines = (
            1 if self.width() >= _VERY_WIDE * metrics.averageCharWidth() else 2 + (not is_beside)
        )
        self.form.help.setFixedHeight(lines * metrics.lineSpacing() + 4)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Return the least size, whether the parts are side by side or below one another.

        It is the same before the panel has the width by which they are arranged, and both of them
        can be scrolled.
        """
        parts = [self.form.minimumSizeHint(), self.run.minimumSizeHint()]
        help_lines = 2 * self.fontMetrics().lineSpacing() + 4
        foot = help_lines + 2 * _FOOT + 1
        return QSize(self.run.minimumWidth(), max(x.height() for x in parts) + foot)

    def _share(self) -> None:
        """Give the room of the curve to the options in a narrow panel without a curve."""
        is_wide = self._row.direction() == QBoxLayout.Direction.LeftToRight
        self._row.setStretchFactor(self.chart, _CHART if is_wide or self.chart.has_curve else 0)

    def _change(self, changes: dict[str, Any]) -> None:
        self._erf_session.set_options(**changes)

    def _show_options(self, options: ErfOptions) -> None:
        self.form.show_options(options)
        self.run.show_remark(self.form.recipe_text)
        self._tell_before()

    def _follow_network(self) -> None:
        assert self._session is not None
        analysis = self._session.analysis
        nodes = analysis.graph.nodes
        has_batch_norm = any(x.op is not None and x.op.mixes_in_training for x in nodes)
        self.form.show_network(has_batch_norm=has_batch_norm)
        self._telling.start()

    def _tell_before(self) -> None:
        """Show what is missing, what a recipe requires, and what takes much time or memory."""
        self._telling.stop()
        if not self.isVisible():
            return
        options = self._erf_session.options
        size = self._wanted_size()
        why_not = self._why_not()
        trouble = " ".join(x for x in (options.lacking, why_not) if x)
        parts = [trouble] if trouble else []
        if size is not None and self._session is not None:
            wanted, there = map(
                measuring_recipes.size_text, (size, self._session.analysis.input_size)
            )
            parts.append(f"This recipe measures at {wanted}; the input of the network is {there}.")
        if not trouble:
            parts += self._costs(options)
        can_set = size is not None and self._edits is not None
        remedy = f"Set the input to {measuring_recipes.size_text(size)}" if can_set and size else ""
        self.run.show_notice(" ".join(parts), remedy, is_trouble=bool(trouble))

    def _why_not(self) -> str:
        """Return why the chosen unit cannot be measured, in words; empty: it can."""
        if self._session is None or self._selection is None:
            return ""
        analysis, layer, unit = self._session.analysis, self._selection.layer, self._selection.unit
        if layer not in analysis:
            return ""  # the selection is updated in a moment
        why = why_not_measured(analysis, layer, unit, self._session.unit)
        return f"This unit cannot be measured. {why}" if why else ""

    def _costs(self, options: ErfOptions) -> tuple[str, ...]:
        if self._session is None or self._selection is None:
            return ()
        analysis = self._session.analysis
        if self._selection.layer not in analysis:
            return ()  # the selection is updated in a moment
        costs = costs_of(analysis, self._selection.layer, self._selection.unit, options)
        return () if costs is None else costs.sentences

    def _wanted_size(self) -> tuple[int, ...] | None:
        """Return the input size of the recipe, if it is another than that of the network."""
        if not self.form.recipe or self._session is None:
            return None
        return measuring_recipes.wanted_size(self.form.recipe, self._session.analysis.input_size)

    def _set_input_size(self) -> None:
        """Give the network the input size of the recipe, as an edit that can be undone."""
        size = self._wanted_size()
        if size is None or self._edits is None:
            return
        try:
            self._edits.set_input_size(size)
        except RFStudioError as error:
            self.run.show_error(error)

    def _show_following(self, _is_on: bool = False) -> None:
        if self._following is not None:
            self.run.show_following(self._following.is_on, self._following.is_waiting)

    def _follow_state(self, state: str) -> None:
        goes_on = self._state in ("stopped", "done")
        self._state = state
        self.run.show_state(state)
        # Only a continued measurement starts without being idle in between.
        if state == "measuring" and not goes_on:
            self._recipe = self.form.recipe
            self.chart.start()
            self._share()
        if state == "idle":
            self.chart.forget()
            self._share()
        if state not in ("done", "stopped"):
            self.run.show_remark(self.form.recipe_text)
        self._show_more()

    def _follow_progress(self, fraction: float, so_far: Any) -> None:
        self.run.show_progress(fraction, so_far, words_of(so_far, fraction))
        if so_far is not None:
            self._draw(so_far)

    def _follow_result(self, result: Any) -> None:
        if result is not None:
            self.run.show_result(result, self._recipe)
            self._draw(result)
            self._follow_measurement(self._erf_session.measurement)
        self._show_more()

    def _show_more(self) -> None:
        session = self._erf_session
        is_stopped = session.state == "stopped"
        self.run.show_more(session.why_no_more, is_stopped=is_stopped)

    def _follow_failure(self, error: Exception) -> None:
        self.run.show_error(error)

    def _follow_measurement(self, measurement: Measurement) -> None:
        """Say again why a unit was not measured when it is chosen again, and not of another."""
        if measurement.error is not None:
            self.run.show_error(measurement.error)
        else:
            self.run.forget_error()

    def _draw(self, measured: Any) -> None:
        analysis = None if self._session is None else self._session.analysis
        self.chart.add(analysis, measured, measured.wanted)
        self._share()


def _row() -> QBoxLayout:
    row = QBoxLayout(QBoxLayout.Direction.LeftToRight)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(0)
    return row


def _line(shape: QFrame.Shape = QFrame.Shape.VLine) -> QFrame:
    line = QFrame()
    line.setFrameShape(shape)
    line.setFrameShadow(QFrame.Shadow.Plain)
    line.setForegroundRole(QPalette.ColorRole.Mid)
    line.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    return line
