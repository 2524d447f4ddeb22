"""The main window: creates its parts and connects them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QUrl, Signal
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QContextMenuEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QMouseEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QMainWindow,
    QToolBar,
    QWidget,
)

from rfstudio.app.files.log_file import log_file, make_log_folder
from rfstudio.app.files.opening import LAST, remember_choice
from rfstudio.app.frames import Frames, Later, at_once
from rfstudio.app.state.shortcuts import Shortcuts
from rfstudio.app.studio import Studio
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.widgets.attention.panel import AttentionPanel
from rfstudio.widgets.canvas.canvas import Canvas
from rfstudio.widgets.canvas.modes import PixelMode, TilesMode
from rfstudio.widgets.charts.growth_chart import GrowthChart
from rfstudio.widgets.charts.profile_chart import ProfileChart
from rfstudio.widgets.comparison.panel import ComparisonPanel
from rfstudio.widgets.erf_panel.numbers_panel import NumbersPanel
from rfstudio.widgets.erf_panel.panel import ErfPanel
from rfstudio.widgets.experiments.entry import ExperimentsEntry
from rfstudio.widgets.graph_view.graph_view import GraphView
from rfstudio.widgets.inspector.editors import typed_in
from rfstudio.widgets.inspector.numbers import NumberBlock
from rfstudio.widgets.inspector.panel import Inspector
from rfstudio.widgets.lessons.panel import LessonPanel
from rfstudio.widgets.parts.theme import IconTinter, Scheme, apply_scheme, icon
from rfstudio.widgets.problems.panel import ProblemsPanel
from rfstudio.widgets.shelf.panel import ShelfPanel
from rfstudio.widgets.spread.panel import SpreadPanel
from rfstudio.widgets.stack.panel import StackPanel
from rfstudio.widgets.table.panel import TablePanel
from rfstudio.widgets.training.entry import TrainingEntry
from rfstudio.widgets.window.about_dialog import AboutDialog
from rfstudio.widgets.window.advise_dialog import AdviseDialog
from rfstudio.widgets.window.command_palette import CommandPalette
from rfstudio.widgets.window.destinations import (
    Destination,
    additions,
    fields_of,
    folds_of,
    layers_of,
    panels_of,
    presets_of,
    switches_of,
)
from rfstudio.widgets.window.details import DetailsTabs
from rfstudio.widgets.window.dock import Dock
from rfstudio.widgets.window.explanations import Explanations
from rfstudio.widgets.window.file_commands import FileCommands
from rfstudio.widgets.window.history_dialog import HistoryDialog
from rfstudio.widgets.window.keys_dialog import KeysDialog, add_commands
from rfstudio.widgets.window.lesson_course import LessonCourse
from rfstudio.widgets.window.measure_controls import MeasureControls
from rfstudio.widgets.window.questions import Questions
from rfstudio.widgets.window.room import Room
from rfstudio.widgets.window.status import Status
from rfstudio.widgets.window.toolbar import Toolbar
from rfstudio.widgets.window.tour import TOUR, TOUR_TEXTS, Step, Tour
from rfstudio.widgets.window.window_actions import WindowActions

_FRAME = QSize(16, 48)
"""Points that the frame and the title of a window may take; Qt knows them only once it is shown."""

_PRESSES = {QEvent.Type.MouseButtonPress, QEvent.Type.KeyPress, QEvent.Type.Wheel}

_LAID_OUT = {QEvent.Type.Resize, QEvent.Type.LayoutRequest}

_SHARE = "window/canvas"
"""Setting of the share that the user has left the canvas."""

_STATE = 1
"""Version of the arrangement of docks; another one is not restored."""


def _separator(parent: QWidget) -> QAction:
    action = QAction(parent)
    action.setSeparator(True)
    return action


class MainWindow(QMainWindow):
    """Shows a `Studio`.

    Signals
    -------
    closed
        The window is about to close, with everything saved or discarded.

    Parameters
    ----------
    studio
        The state that is shown.
    questions
        Answers the dialogs; the user if None.
    frames
        Lets numbers and charts follow a change in later frames; if None, they follow at once.
    """

    closed = Signal()

    def __init__(
        self, studio: Studio, questions: Questions | None = None, frames: Frames | None = None
    ) -> None:
        super().__init__()
        self.studio = studio
        self._frames = frames
        later = at_once if frames is None else frames.later
        self._is_new = self._has_begun = self._is_drawing = False
        self.advice: AdviseDialog | None = None
        self.measure_panel: ErfPanel | None = None
        self.tour: Tour | None = None
        self.setWindowIcon(icon("rfstudio"))
        self.setAcceptDrops(True)
        self.setDockNestingEnabled(True)
        self.files = FileCommands(studio, questions or Questions(), self)
        state = (studio.document, studio.analysis, studio.selection, studio.edits)
        self.stack = StackPanel(*state, later=later)
        self.inspector = Inspector(*state, studio.erf, settings=studio.settings, later=later)
        self.table = TablePanel(studio.analysis, studio.selection, later=later)
        self.problems = ProblemsPanel(
            studio.document, studio.analysis, studio.selection, later=later
        )
        self.growth = GrowthChart(
            studio.analysis, studio.selection, settings=studio.settings, later=later
        )
        self.profile = ProfileChart(
            studio.analysis, studio.selection, studio.erf, settings=studio.settings, later=later
        )
        self.graph = GraphView(studio.analysis, studio.selection, later=later)
        self.canvas = Canvas(
            studio.analysis,
            studio.selection,
            studio.images,
            studio.erf,
            settings=studio.settings,
            boxes=studio.boxes,
        )
        self.status = Status()
        self.tabs = DetailsTabs()
        self._fill_tabs(later)
        self.actions_ = WindowActions(
            self, studio, self.files, self.stack, self.set_scheme, self._type_input_size
        )
        self.explanations = Explanations(self)
        docks = self._put_together()
        focus = self.actions_.focus_actions(
            {
                "layers": partial(self._go_to, self.stack.tree),
                "filter": partial(self._go_to, self.stack.filter_line),
                "canvas": partial(self._go_to, self.canvas.view),
                "inspector": self._go_to_inspector,
                "details": partial(self._go_to, self.tabs),
            }
        )
        focus.append(self.canvas.go_to_unit)
        modes = list(self.canvas.mode_button.actions_by_key.values())
        canvas = [self.canvas.fit_field, self.canvas.show_map, self.canvas.minus_pin]
        docked = [x.toggleViewAction() for x in docks]
        views = [*docked, _separator(self), *modes, *canvas]
        self.actions_.fill_menu_bar(self.menuBar(), views, focus)
        self.shortcuts = Shortcuts(studio.settings, self)
        switches = self.canvas.switches.actions_by_key.values()
        add_commands(self.shortcuts, self.menuBar(), switches)
        self.palette_ = CommandPalette(self, self._destinations)
        IconTinter(self)
        MeasureControls(
            studio.erf_session,
            studio.runner,
            self.status,
            self.actions_.measure,
            self.actions_.cancel,
            self,
            following=studio.following,
            more=self.actions_.measure_more,
            follow=self.actions_.follow,
        )
        self.experiments = ExperimentsEntry(
            self.actions_.experiments,
            studio.runner,
            self.files.open_network,
            self.files.import_model,
            self,
        )
        self.training = TrainingEntry(self.actions_.train, studio, self.files.open_network, self)
        self._connect()
        self._arrange(docks)
        self._show_title()

    # --- making ---------------------------------------------------------------------------------

    def _fill_tabs(self, later: Later) -> None:
        self.tabs.addTab(self.table, "Table")
        self.tabs.addTab(self.growth, "Growth")
        self.tabs.addTab(self.profile, "Profile")
        self.tabs.addTab(self.graph, "Graph")
        if self.studio.erf_session is not None:
            self.measure_panel = ErfPanel(
                self.studio.erf_session,
                session=self.studio.analysis,
                selection=self.studio.selection,
                edits=self.studio.edits,
                following=self.studio.following,
            )
            self.tabs.addTab(self.measure_panel, "Measure")
            self.results = ShelfPanel(
                self.studio.erf_session, self.studio.document, self.studio.selection
            )
            self.results.save_wanted.connect(self.files.export_result)
            self.results.refused.connect(self.status.tell)
            self.tabs.addTab(self.results, "Results")
        if self.studio.spread is not None:
            self.spread = SpreadPanel(self.studio.spread)
            self.spread.image_wanted.connect(self.files.open_image_path)
            self.spread.save_wanted.connect(self.files.export_spread)
            self.spread.copy_wanted.connect(self.files.copies.spread)
            self.tabs.addTab(self.spread, "Images")
        if self.studio.attention is not None:
            self.attention = AttentionPanel(
                self.studio.attention, self.studio.analysis, self.studio.selection, later=later
            )
            self.attention.save_wanted.connect(self.files.export_attention)
            self.tabs.addTab(self.attention, "Attention")
        self.numbers = NumbersPanel(self.studio.erf, self.studio.erf_export)
        self.tabs.addTab(self.numbers, "Numbers")
        self.comparison = ComparisonPanel(self.studio.pins, self.studio.selection, self.studio.erf)
        self.tabs.addTab(self.comparison, "Compare")
        self.tabs.addTab(self.problems, "Problems")
        self.lesson = LessonPanel(self.studio.selection)
        self.course = LessonCourse(self.studio, self.files, self.lesson, self._show_lesson)
        self.tabs.addTab(self.lesson, "Lesson")

    def _put_together(self) -> list[QDockWidget]:
        """Put the parts into the window in the order in which Tab goes through them."""
        area = Qt.DockWidgetArea
        toolbar = Toolbar(self)
        self.addToolBar(toolbar)
        toolbar.setObjectName("toolbar")
        toolbar.setMovable(False)
        self.actions_.fill_toolbar(toolbar)
        layers = self._dock("Layers", self.stack, area.LeftDockWidgetArea)
        self.setCentralWidget(self.canvas)
        inspector = self._dock("Inspector", self.inspector, area.RightDockWidgetArea)
        details = self._dock("Details", self.tabs, area.BottomDockWidgetArea)
        self._leave_title_to_tabs(details)
        self.setStatusBar(self.status)
        return [layers, inspector, details]

    def _leave_title_to_tabs(self, dock: QDockWidget) -> None:
        """Let the row of tabs be the title, since the panel is low and every line counts."""
        dock.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetClosable)
        dock.setTitleBarWidget(QWidget())
        self.tabs.close_wanted.connect(dock.close)

    def _dock(self, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = Dock(title, widget, self)
        self.addDockWidget(area, dock)
        return dock

    def _arrange(self, docks: list[QDockWidget]) -> None:
        area = Qt.DockWidgetArea
        self.setCorner(Qt.Corner.BottomLeftCorner, area.BottomDockWidgetArea)
        self.setCorner(Qt.Corner.BottomRightCorner, area.BottomDockWidgetArea)
        settings = self.studio.settings
        self.room = Room(self, docks, self.tabs, settings.number(_SHARE, 1.0))
        self.room.left.connect(partial(settings.set, _SHARE))
        self.tabs.unfolded.connect(self.room.raise_details)
        self.tabs.folded.connect(self.room.keep)
        self.actions_.arrange.triggered.connect(self.room.arrange_anew)
        if not self.restoreGeometry(settings.bytes("window/geometry")):
            # Room for the frame that the desktop puts around the window.
            screen = self.screen().availableGeometry()
            room = screen.size() - _FRAME
            self.resize(room.boundedTo(QSize(1440, 900)))
            self.move(screen.topLeft())
        titles = [self.tabs.tabText(i) for i in range(self.tabs.count())]
        shown = settings.text("window/tab")
        self.tabs.setCurrentIndex(titles.index(shown) if shown in titles else 0)
        if settings.flag("window/folded", False):
            self.tabs.fold()
        if not self.restoreState(settings.bytes("window/state"), _STATE):
            self._is_new = True
            self.room.crowd()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """Give the panels their shares of the room, most to the canvas."""
        super().showEvent(event)
        self.windowHandle().installEventFilter(self)
        if not self._has_begun:
            self._has_begun = True
            self.room.begin(is_new=self._is_new)

    def event(self, event: QEvent) -> bool:
        """Let a frame pass after each one that is painted, and the canvas keep its room."""
        kind = event.type()
        if isinstance(event, QMouseEvent) and kind == QEvent.Type.MouseButtonPress:
            self._is_drawing = self.isSeparator(event.position().toPoint())
        is_handled = super().event(event)
        if kind == QEvent.Type.UpdateRequest and self._frames is not None:
            self._frames.rest()
        elif kind in _LAID_OUT and self._has_begun and not self._is_drawing:
            self.room.keep()
        elif kind == QEvent.Type.MouseButtonRelease and self._is_drawing:
            self._is_drawing = False
            self.room.note_user()
        return is_handled

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Let every part follow before the user presses on it."""
        if event.type() in _PRESSES and self._frames is not None:
            self._frames.settle()
        return super().eventFilter(watched, event)

    def _connect(self) -> None:
        studio, status = self.studio, self.status
        studio.document.path_changed.connect(self._show_title)
        studio.document.modified_changed.connect(self._show_title)
        studio.document.architecture_changed.connect(self._show_title)
        studio.document.architecture_changed.connect(status.withdraw_refusal)
        self.stack.refused.connect(status.refuse)
        self.comparison.refused.connect(status.tell)
        self.canvas.show_pins(studio.pins)
        self.profile.show_pins(studio.pins)
        self.inspector.show_pins(studio.pins)
        self.table.show_pins(studio.pins)
        studio.pins.changed.connect(self._follow_pins)
        studio.analysis.analysis_changed.connect(self.lesson.follow)
        for number, action in enumerate(self.actions_.lessons):
            action.triggered.connect(partial(self.begin_lesson, number))
        self.growth.before_wanted.connect(self.comparison.add_before_edit)
        self.growth.file_wanted.connect(self._compare_with_file)
        self.actions_.pin.triggered.connect(self.comparison.add)
        self.actions_.pin_before.triggered.connect(self.comparison.add_before_edit)
        self.canvas.addAction(self.actions_.paste_image)
        self.actions_.input_sizes.refused.connect(status.refuse)
        self.actions_.history.triggered.connect(self._show_history)
        for part in (self.canvas, self.stack.tree, self.table):
            part.addActions([self.actions_.pin, self.actions_.pin_before])
        self.inspector.form.refused.connect(status.refuse)
        self.canvas.hovered.connect(status.show_hover)
        self.numbers.save_wanted.connect(self.files.export_field)
        self._lend_to_figures()
        self.files.announced.connect(status.tell)
        self.files.problems_found.connect(self.show_file_problems)
        self.files.network_opened.connect(self._show_new_network)
        self.problems.summary_changed.connect(status.show_remarks)
        status.show_remarks(*self.problems.summary)
        status.problems_wanted.connect(self.show_problems)
        studio.analysis.late_changed.connect(status.show_late)
        self.actions_.palette.triggered.connect(self.palette_.pop_up)
        self.actions_.anything.triggered.connect(self.palette_.go_to_anything)
        self.actions_.copy_picture.triggered.connect(self.canvas.copy_picture)
        self.actions_.copy_panel.triggered.connect(self._copy_panel)
        self.actions_.advise.triggered.connect(self.show_advice)
        self.actions_.keys.triggered.connect(self._show_keys)
        self.actions_.documentation.triggered.connect(self.explanations.explain)
        self.actions_.tour.triggered.connect(self.begin_tour)
        self._connect_terms()
        self.actions_.about.triggered.connect(self._show_about)
        self.actions_.logs.triggered.connect(self._open_logs)

    def _connect_terms(self) -> None:
        """Let words lead to the glossary."""
        show = self.explanations.show_term
        for panel in (
            self.stack,
            self.canvas,
            self.table,
            self.numbers,
            self.problems,
            self.lesson,
        ):
            panel.term_wanted.connect(show)
        for block in self.inspector.findChildren(NumberBlock):
            block.term_wanted.connect(show)

    def _lend_to_figures(self) -> None:
        """Let figures show what the panels show."""
        beside = self.files.beside
        beside.compared = self.growth.compared
        beside.has_sizes = self.growth.erf.isChecked
        beside.lesson = lambda: self.lesson.number
        beside.attention = self.studio.attention
        beside.slice_at = lambda: self.canvas.slice_at
        pixel, tiles = self.canvas.modes["pixel"], self.canvas.modes["tiles"]
        if isinstance(pixel, PixelMode) and isinstance(tiles, TilesMode):
            beside.pixel = lambda: pixel.pixel
            beside.tiles = lambda: tiles.shown
        if self.measure_panel is not None:
            chart = self.measure_panel.chart
            beside.points = lambda: (chart.points, chart.shows_rate)

    # --- doing ----------------------------------------------------------------------------------

    def show_problems(self) -> None:
        """Bring the list of problems to the front."""
        self.tabs.setCurrentWidget(self.problems)
        self._uncover(self.tabs)

    def _destinations(self) -> list[Destination]:
        """Return what "Go to anything" finds beside the commands of the menus."""
        return [
            *layers_of(self.studio),
            *panels_of(self.tabs, self._show_panel),
            *fields_of(self.inspector.form, self._chosen_name(), self._edit_field),
            *self._options(),
            *folds_of(self.inspector, self._uncover),
            *switches_of(list(self.canvas.switches.actions_by_key.values())),
            *additions(self.stack.add),
            *presets_of(self.files.open_preset),
            *self.explanations.destinations(),
        ]

    def _chosen_name(self) -> str:
        return "the input" if self.studio.selection.item is None else self.studio.selection.layer

    def _options(self) -> list[Destination]:
        """Return the options of a measurement, if there is a worker to measure."""
        if self.measure_panel is None:
            return []
        return fields_of(self.measure_panel.form, "the measurement", self._edit_field)

    def _show_panel(self, panel: QWidget) -> None:
        self._uncover(self.tabs)
        self.tabs.setCurrentWidget(panel)
        panel.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _edit_field(self, field: QWidget) -> None:
        """Bring a field of the inspector or of the measurement into view, and into the focus."""
        if self.measure_panel is not None and self.tabs.isAncestorOf(field):
            self._show_panel(self.measure_panel)
        self._uncover(field)
        field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _type_input_size(self) -> None:
        """Choose the network's input, and move into the field of its size."""
        self.studio.selection.select_item(None)
        if self._frames is not None:
            self._frames.settle()
        self._edit_field(typed_in(self.inspector.form.editors["input_size"])[0])

    def _show_history(self) -> None:
        known = self.findChild(HistoryDialog)
        shown = known or HistoryDialog(self.studio.document.undo_stack, self)
        shown.show()
        shown.raise_()
        shown.activateWindow()

    def show_advice(self) -> None:
        """Open the dialog for advice, or bring it to the front."""
        if self.advice is None:
            studio = self.studio
            self.advice = AdviseDialog(studio.advising, studio.analysis, studio.boxes, self)
        self.advice.show()
        self.advice.raise_()
        self.advice.activateWindow()

    def _go_to(self, part: QWidget) -> None:
        """Move the focus to a part, whose panel may be closed."""
        self._uncover(part)
        part.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _go_to_inspector(self) -> None:
        self._uncover(self.inspector)
        self.inspector.form.begin()

    def _uncover(self, part: QWidget) -> None:
        """Open the panel around a part, and bring its tab to the front."""
        for dock in self.findChildren(QDockWidget):
            if dock.isAncestorOf(part):
                dock.show()
                dock.raise_()
        if part is self.tabs or self.tabs.isAncestorOf(part):
            self.tabs.unfold()

    def set_scheme(self, scheme: Scheme) -> None:
        """Look light, dark, or like the system."""
        application = QApplication.instance()
        if isinstance(application, QApplication):
            apply_scheme(application, scheme)

    def show_file_problems(self, path: Path, problems: Any) -> None:
        """List why a file was not opened."""
        self.problems.show_file_problems(path, problems)
        self.show_problems()
        self.status.tell(f"“{path.name}” was not opened; its problems are listed below")

    def _copy_panel(self) -> None:
        self._uncover(self.tabs)
        picture = self.tabs.currentWidget().grab()
        QApplication.clipboard().setPixmap(picture)
        self.status.tell(f"Picture of {self.tabs.tabText(self.tabs.currentIndex())} copied")

    def _show_keys(self) -> None:
        KeysDialog(self.shortcuts, self).open()

    def begin_tour(self) -> None:
        """Lead through the window; at a start this happens once."""
        self.studio.settings.set(TOUR, True)
        if self.tour is not None:
            return
        self.tour = Tour(self, self._tour_steps(), self._uncover)
        self.tour.ended.connect(self._forget_tour)

    def _forget_tour(self) -> None:
        self.tour = None
        self.canvas.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _tour_steps(self) -> list[Step]:
        bar = self.findChild(QToolBar)
        measure = None if bar is None else bar.widgetForAction(self.actions_.measure)
        parts = (self.stack, self.canvas, self.canvas.switches, self.inspector, self.tabs)
        texts = zip((*parts, measure, self.menuBar()), TOUR_TEXTS, strict=True)
        return [Step(part, *words) for part, words in texts if part is not None]

    def _show_about(self) -> None:
        AboutDialog(self).open()

    def _open_logs(self) -> None:
        folder = log_file().parent
        try:
            make_log_folder()
        except RFStudioError as error:
            self.status.tell(str(error))
            return
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))):
            self.status.tell(f"The log files are in {folder}")

    def _follow_pins(self) -> None:
        """Draw the growth of pinned networks, and say what is pinned."""
        pins = list(self.studio.pins)
        self.growth.show_pinned({x.text: x.analysis for x in pins})
        if pins:
            self.status.tell("Pinned – " + "; ".join(x.text for x in pins))

    def begin_lesson(self, number: int, _is_checked: bool = False) -> None:
        """Open the network of a lesson, and show what to do."""
        self.course.begin(number)

    def _show_lesson(self) -> None:
        self._uncover(self.tabs)
        self.tabs.setCurrentWidget(self.lesson)

    def _compare_with_file(self) -> None:
        self.files.compare_network(self._compare_with)

    def _compare_with(self, name: str, architecture: Architecture) -> None:
        self.growth.add_network(name, self.studio.analysis.analyze_beside(architecture))

    def _show_new_network(self) -> None:
        self.problems.clear_file_problems()
        self.stack.expand_sensibly()
        self.canvas.settle()

    def _show_title(self) -> None:
        self.setWindowTitle(f"{self.files.document_name}[*] – RF Studio")
        self.setWindowModified(self.studio.document.is_modified)

    # --- Qt's events ----------------------------------------------------------------------------

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802 - Qt's name
        """Offer to ask what a word means, where no part has a menu of its own."""
        if not self.explanations.open_menu(event):
            super().contextMenuEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Take files."""
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Open what was dropped: a network or a session, and an image."""
        paths = [Path(x.toLocalFile()) for x in event.mimeData().urls() if x.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            self.files.open_all_dropped(paths)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Ask once about unsaved changes, and remember the arrangement of the window.

        The window is hidden before what still runs is waited for, which may take seconds.  It comes
        back if a file that is being written cannot be: then it is said why.
        """
        if not self.files.may_leave():
            event.ignore()
            return
        self._remember()
        self.hide()
        writers = [self.files.writing, self.actions_.sessions.writing]
        is_written = all(x.wait() for x in writers)
        if not is_written:
            self.show()
            event.ignore()
        for writer in writers:
            writer.tell()
        if not is_written:
            return
        self.files.reading.drop()
        self.files.previews.wait()
        try:
            self.studio.shutdown()
        except RFStudioError as error:
            self.status.tell(str(error))
        if self._frames is not None:
            self._frames.drop()
        self.closed.emit()
        event.accept()

    def _remember(self) -> None:
        """Keep what the next start shows again."""
        settings = self.studio.settings
        settings.set("window/geometry", self.saveGeometry())
        settings.set("window/state", self.saveState(_STATE))
        settings.set("window/folded", self.tabs.is_folded)
        settings.set("window/tab", self.tabs.tabText(self.tabs.currentIndex()))
        settings.set(LAST, self.files.reopening_name)
        chosen = self.studio.selection.value
        remember_choice(settings, chosen.layer, chosen.unit)
