"""The panel of layers: filter, add menu and tree, with an action for everything it can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import (
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    Qt,
    Signal,
)
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence, QPalette, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.editing.layer_edits import LayerEdits
from rfstudio.app.frames import Later, Rank, at_once
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document
from rfstudio.app.state.selection import Selection
from rfstudio.app.wording.texts import steps_text
from rfstudio.core.editing.edits import Direction, Wrapping
from rfstudio.core.errors import EditError, RFStudioError
from rfstudio.core.network.architecture import Location
from rfstudio.widgets.parts.cells import TextDelegate
from rfstudio.widgets.parts.explaining import add_questions, explain_titles, questions_in
from rfstudio.widgets.parts.fields import Line
from rfstudio.widgets.parts.focus_ring import FocusRing
from rfstudio.widgets.parts.theme import icon
from rfstudio.widgets.stack.batch_dialog import BatchDialog
from rfstudio.widgets.stack.copy_chooser import CopyChooser
from rfstudio.widgets.stack.model import StackModel
from rfstudio.widgets.stack.op_picker import OpPicker
from rfstudio.widgets.stack.rows import Row
from rfstudio.widgets.stack.tree import LayerTree

_WRAPS: tuple[tuple[Wrapping, str], ...] = (
    ("sequence", "Ctrl+G"),
    ("residual", "Ctrl+Alt+R"),
    ("parallel", "Ctrl+Alt+P"),
    ("repeat", "Ctrl+Alt+T"),
)

_NO_LAYERS = (
    "This network has no layers yet.\n\nPress Insert, or the + above, and type what to add."
)
_NO_MATCH = "No layer matches.\n\nAn empty filter shows all layers."

_ROOM, _ROOM_3D = 52, 72
"""Least width of the panel for all columns, in characters."""

_NAMES = 14
"""Least width of the column of names for the one of jumps beside it, in characters."""

_LAST = 200
"""Layers at the end of a network whose fields are read for the width of their column."""

_NOTHING_CHOSEN = "no layer is chosen"

_SAMPLES = ("224×224", "188…204", "Jump ")
_SAMPLES_CUBE = ("112×112×112", "188…204", "Jump ")
_SAMPLES_3D = ("16×112×112", "109×219×219", "8×16×16")
"""Texts for which the columns are wide enough: for up to two axes; for three whose fields are
cubes, of which one side is written; and for other three."""


@dataclass(frozen=True)
class StackActions:
    """Everything that the panel can do, for menus and shortcuts."""

    add: QAction
    delete: QAction
    duplicate: QAction
    rename: QAction
    move_up: QAction
    move_down: QAction
    move_out: QAction
    move_in: QAction
    cut: QAction
    copy: QAction
    paste: QAction
    wraps: tuple[QAction, ...]
    unwrap: QAction
    add_branch: QAction
    change_all: QAction


class StackPanel(QWidget):
    """Shows the network as a tree, and edits it.

    Signals
    -------
    refused
        Something could not be done; why, in a sentence.
    term_wanted
        An entry of the glossary that the user wants to read.
    """

    refused = Signal(str)
    term_wanted = Signal(str)

    def __init__(
        self,
        document: Document,
        session: AnalysisSession,
        selection: Selection,
        edits: LayerEdits,
        parent: QWidget | None = None,
        *,
        later: Later = at_once,
    ) -> None:
        super().__init__(parent)
        self._later = later
        self._document = document
        self._session = session
        self._selection = selection
        self._edits = edits
        self.model = StackModel(document, session, selection, edits)
        self.model.setParent(self)
        self._words: list[str] = []
        self._axes = self._jump_width = 0
        self._samples: tuple[str, ...] = ()
        self._longest = self._longest_jump = ""
        self._may_be_open = False
        self.tree = self._make_tree()
        self._fit_columns()
        self.picker = OpPicker(self)
        self.filter_line = self._make_filter()
        self.copies = CopyChooser(session, selection)
        self.setMinimumWidth(230)
        self._has_match = True
        self._empty = _words_in_place_of_the_tree()
        self.actions_ = self._make_actions()
        self._add_button = QToolButton()
        self._add_button.setDefaultAction(self.actions_.add)
        self._add_button.setAutoRaise(True)

        top = QHBoxLayout()
        top.setContentsMargins(6, 6, 6, 6)
        top.setSpacing(4)
        top.addWidget(self.filter_line, 1)
        top.addWidget(self._add_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(top)
        layout.addWidget(self.tree, 1)
        layout.addWidget(self._empty, 1)
        layout.addWidget(self.copies)

        self.filter_line.textChanged.connect(self._apply_filter)
        self.picker.op_chosen.connect(self.add)
        self.model.refused.connect(self.refused)
        self.tree.layers_moved.connect(self._choose_moved)
        edits.refused.connect(self.refused)
        self.model.numbers_changed.connect(self._follow_numbers)
        self.model.rowsInserted.connect(self._expand_new)
        self.tree.expanded.connect(self._note_open)
        selection.selection_changed.connect(self._follow)
        session.analysis_changed.connect(self._follow)
        session.analysis_changed.connect(self._fit_columns)
        self.expand_sensibly()
        self._follow()

    def _follow_numbers(self) -> None:
        self._later(Rank.NUMBERS, self.tree.update_changed)

    # --- what is chosen here --------------------------------------------------------------------

    def chosen(self) -> list[Location]:
        """Return the locations of the chosen items, in order."""
        rows = self.model.rows_in(self.tree.selectionModel().selection())
        places = (x.location for x in rows if x.item is not None)
        return sorted(x for x in places if x is not None)

    def expand_sensibly(self) -> None:
        """Open the containers as long as the tree is only a page or two long.

        The columns get room for the numbers of this network.
        """
        analysis = self._session.analysis
        count = len(analysis.graph.nodes)
        last = range(max(count - _LAST, 1), count)
        # The largest fields are at the end, and there may be thousands of layers.
        layers = [analysis.at(x) for x in last]
        self._longest = max(map(self.model.texts.field_of, layers), key=len, default="")
        self._longest_jump = max((steps_text(x.jump) for x in layers), key=len, default="")
        self._samples = ()
        self._fit_columns()
        if count <= 120:
            self._expand_all()
        else:
            if self._may_be_open:
                self.tree.collapseAll()  # which lays out thousands of rows
            self._may_be_open = False
            self.tree.scrollTo(self.tree.currentIndex())  # opens what is around it

    def _expand_all(self) -> None:
        self._may_be_open = True
        self.tree.expandAll()

    def _note_open(self) -> None:
        self._may_be_open = True

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Leave room for names."""
        super().resizeEvent(event)
        self._hide_sizes()

    # --- making ---------------------------------------------------------------------------------

    def _make_filter(self) -> Line:
        line = Line()
        line.setPlaceholderText("Filter layers")
        line.setAccessibleName("Filter layers")
        line.setClearButtonEnabled(True)
        sign = line.addAction(icon("filter"), QLineEdit.ActionPosition.LeadingPosition)
        sign.setProperty("icon_name", "filter")
        down = QAction(line)
        down.setShortcut(Qt.Key.Key_Down)
        down.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        line.addAction(down)
        for signal in (down.triggered, line.returnPressed):
            signal.connect(self._go_to_match)
        return line

    def _make_tree(self) -> LayerTree:
        tree = LayerTree(self.model)
        tree.setItemDelegate(TextDelegate(self.model.text_of, bool, tree))
        tree.rows_around = self._rows_around
        tree.setAccessibleName("Layers")
        FocusRing(tree)
        tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        tree.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        tree.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        tree.setDefaultDropAction(Qt.DropAction.MoveAction)
        tree.setUniformRowHeights(True)
        tree.setAllColumnsShowFocus(True)
        tree.setFrameShape(QTreeView.Shape.NoFrame)
        tree.setIndentation(14)
        tree.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        tree.customContextMenuRequested.connect(self._open_menu)
        tree.selectionModel().currentRowChanged.connect(self._choose)
        header = tree.header()
        explain_titles(header, self.term_wanted.emit)
        header.setStretchLastSection(False)
        header.setMinimumSectionSize(30)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column in (1, 2, 3):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Interactive)
        return tree

    def _fit_columns(self) -> None:
        """Make the columns wide enough for the numbers of another count of axes."""
        analysis = self._session.analysis
        axes = len(analysis.reference_size)
        samples = _SAMPLES
        if axes == 3:
            sides = (set(pair) for x in analysis.layers for pair in (x.rf_size_range, x.jump))
            samples = _SAMPLES_CUBE if all(len(x) == 1 for x in sides) else _SAMPLES_3D
        if len(self._longest) > len(samples[1]):  # as 2783…2815
            samples = (samples[0], self._longest, samples[2])
        if len(self._longest_jump) > len(samples[2]):  # as 16×32×32
            samples = (*samples[:2], self._longest_jump)
        if samples == self._samples:
            return  # a width that the user has set stays
        self._axes, self._samples = axes, samples
        metrics = self.tree.fontMetrics()
        for column, sample in enumerate(samples, 1):
            width = metrics.horizontalAdvance(sample) + 14
            self.tree.header().resizeSection(column, width)
        self._jump_width = width
        self._hide_sizes()

    def _hide_sizes(self) -> None:
        """Hide the sizes of maps, then the jumps if names would not fit beside them."""
        room = _ROOM_3D if self._axes == 3 else _ROOM
        letter, header = self.fontMetrics().averageCharWidth(), self.tree.header()
        self.tree.setColumnHidden(1, self.width() < room * letter)
        if not self.tree.isColumnHidden(3):
            self._jump_width = header.sectionSize(3)
        names = self.width() - header.sectionSize(1) - header.sectionSize(2) - self._jump_width
        self.tree.setColumnHidden(3, names < _NAMES * letter)

    def _make_actions(self) -> StackActions:
        def action(
            text: str,
            do: Callable[[], None],
            keys: str = "",
            name: str = "",
            *,
            everywhere: bool = False,
        ) -> QAction:
            made = QAction(text, self)
            if name:
                made.setIcon(icon(name))
                made.setProperty("icon_name", name)
            if keys:
                made.setShortcut(QKeySequence(keys))
                made.setToolTip(f"{text.replace('…', '').strip()} ({made.shortcut().toString()})")
            made.setShortcutContext(
                Qt.ShortcutContext.WindowShortcut
                if everywhere
                else Qt.ShortcutContext.WidgetWithChildrenShortcut
            )
            made.triggered.connect(lambda: self._try(do))
            if not everywhere:
                self.tree.addAction(made)
            return made

        wraps = tuple(
            action(f"Wrap in {kind}", partial(self._wrap, kind), keys) for kind, keys in _WRAPS
        )
        return StackActions(
            add=action("Add layer…", self.open_picker, "Ins", "add", everywhere=True),
            delete=action("Delete", self._delete, "Del", "delete"),
            duplicate=action(
                "Duplicate", lambda: self._edits.duplicate(self.chosen()), "Ctrl+D", "duplicate"
            ),
            rename=action("Rename", self._rename, "F2", "rename"),
            move_up=action("Move up", lambda: self._step("up"), "Alt+Up", "move-up"),
            move_down=action("Move down", lambda: self._step("down"), "Alt+Down", "move-down"),
            move_out=action("Move out of container", lambda: self._step("out"), "Alt+Left"),
            move_in=action("Move into container above", lambda: self._step("in"), "Alt+Right"),
            cut=action("Cut", self._cut, "Ctrl+X"),
            copy=action("Copy", self._copy, "Ctrl+C", "copy"),
            paste=action("Paste", self._paste, "Ctrl+V"),
            wraps=wraps,
            unwrap=action("Unwrap", self._unwrap, "Ctrl+Shift+G"),
            add_branch=action("Add branch", self._add_branch),
            change_all=action("Change chosen layers…", self._change_all, "Ctrl+Alt+E"),
        )

    # --- doing ----------------------------------------------------------------------------------

    def _try(self, do: Callable[[], None]) -> None:
        """Do what an action does, once places in the list are those of the network."""
        self._edits.once_known(partial(self._try_now, do))

    def _try_now(self, do: Callable[[], None]) -> None:
        try:
            do()
        except RFStudioError as error:
            self.refused.emit(str(error))

    def open_picker(self) -> None:
        """Offer what can be added."""
        self.picker.pop_up(self.filter_line.mapToGlobal(QPoint(0, self.filter_line.height() + 4)))

    def add(self, keyword: str) -> None:
        """Add a new layer or container after the chosen item."""
        self._try(lambda: self._edits.add(keyword, self._place()))
        self.tree.setFocus()

    def _place(self) -> Location | None:
        """Return the end of the current branch or shortcut; None means after the choice."""
        row = self.model.row_of(self.tree.currentIndex())
        return (*row.base, len(row.items)) if row.is_branch else None

    def _delete(self) -> None:
        row = self.model.row_of(self.tree.currentIndex())
        if row.is_branch and row.location is not None:
            self._edits.delete_branch(row.location, row.body)
        elif places := self.chosen():
            self._edits.delete(places)
        elif self.tree.selectionModel().hasSelection():
            raise EditError("the network's input cannot be deleted")
        else:
            raise EditError(_NOTHING_CHOSEN)

    def _rename(self) -> None:
        index = self.tree.currentIndex().siblingAtColumn(0)
        if not index.flags() & Qt.ItemFlag.ItemIsEditable:
            raise EditError("this row has no name that can be changed")
        if self.tree.state() != QAbstractItemView.State.EditingState:
            self.tree.edit(index)

    def _wrap(self, kind: Wrapping) -> None:
        self._edits.wrap(self.chosen(), kind)

    def _step(self, direction: Direction) -> None:
        self._choose_moved(self._edits.step(self.chosen(), direction))

    def _choose_moved(self, places: list[Location]) -> None:
        self._edits.once_known(partial(self._select_rows, places))

    def _copy(self) -> None:
        places = self.chosen()
        if not places:
            raise EditError(_NOTHING_CHOSEN)  # what is on the clipboard stays there
        QGuiApplication.clipboard().setText(self._edits.text_of(places))

    def _cut(self) -> None:
        self._copy()
        self._edits.delete(self.chosen(), verb="Cut")

    def _paste(self) -> None:
        self._edits.insert_text(QGuiApplication.clipboard().text(), self._place())

    def _unwrap(self) -> None:
        self._edits.unwrap(self._item())

    def _add_branch(self) -> None:
        self._edits.add_branch(self._item())

    def _item(self) -> Location:
        """Return the chosen item, which is not the network's input."""
        if self._selection.item is None:
            raise EditError(_NOTHING_CHOSEN)
        return self._selection.item

    def _change_all(self) -> None:
        places = self.chosen()
        if not self._edits.numbers_of(places):
            raise EditError("none of the chosen layers has a number to change")
        BatchDialog(self._edits, places, self).open()

    def _open_menu(self, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.fill_menu(menu)
        add_questions(menu, questions_in(self.tree.header()), self.term_wanted.emit)
        menu.exec(self.tree.viewport().mapToGlobal(place))

    def fill_menu(self, menu: QMenu) -> None:
        """Put all actions into a menu."""
        actions = self.actions_
        menu.addAction(actions.add)
        menu.addSeparator()
        menu.addActions([actions.cut, actions.copy, actions.paste])
        menu.addActions([actions.duplicate, actions.rename, actions.delete])
        menu.addSeparator()
        menu.addActions([actions.move_up, actions.move_down, actions.move_out, actions.move_in])
        menu.addSeparator()
        menu.addActions([*actions.wraps, actions.unwrap, actions.add_branch])
        menu.addSeparator()
        menu.addAction(actions.change_all)

    # --- following ------------------------------------------------------------------------------

    def _choose(self, current: QModelIndex) -> None:
        if self.model.is_following:
            return  # an edit removed the chosen row; another one follows
        row = self.model.row_of(current)
        if row.is_branch or row.parent is None:
            return
        location = row.location
        if location != self._selection.item:
            self._selection.select_item(location)

    def _follow(self) -> None:
        self._tell_empty()
        location = self._selection.item
        index = self.model.index_of(location)
        selected = self.tree.selectionModel()
        if not index.isValid():
            return
        # When a row is removed, Qt makes a neighbour current, but does not choose it.
        is_current = self.tree.currentIndex().siblingAtColumn(0) == index
        if not is_current or not selected.hasSelection():
            flags = QItemSelectionModel.SelectionFlag
            selected.setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            self.tree.scrollTo(index)

    def _select_rows(self, places: list[Location]) -> None:
        selected = self.tree.selectionModel()
        flags = QItemSelectionModel.SelectionFlag
        for i, place in enumerate(places):
            index = self.model.index_of(place)
            if i == 0:
                selected.setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
            else:
                selected.select(index, flags.Select | flags.Rows)

    def _apply_filter(self, text: str) -> None:
        self._words = text.lower().split()
        self._hide_rows()
        if text:
            self._expand_all()
        self._follow()
        if not text:
            self.tree.scrollTo(self.tree.currentIndex())  # among rows that are back

    def _hide_rows(self) -> None:
        """Hide the rows that the filter does not find."""
        root = QModelIndex()
        self._has_match = self._hide_others(self.model.row_of(root), root, False)

    def _hide_others(self, around: Row, index: QModelIndex, is_inside: bool) -> bool:
        """Hide rows that do not match, unless they contain or are in one that does."""
        has_any = False
        for row in around.children:
            is_shown = matches = is_inside or self._matches(row)
            if row.children:
                within = self._hide_others(row, self.model.index_of_row(row), matches)
                is_shown = within or matches
            self.tree.set_hidden(row, index, not is_shown)
            has_any = has_any or is_shown
        return has_any

    def _rows_around(self) -> Iterator[Row]:
        """Yield the rows that the filter shows only for what is in them."""
        if self._words:
            yield from self._around_in(self.model.row_of(QModelIndex()), QModelIndex())

    def _around_in(self, around: Row, index: QModelIndex) -> Iterator[Row]:
        for row in around.children:
            if not self.tree.isRowHidden(row.index, index) and not self._matches(row):
                yield row
                yield from self._around_in(row, self.model.index_of_row(row))

    def _matches(self, row: Row) -> bool:
        if not self._words:
            return True
        text = self.model.texts.words_of(row)
        return self._has_words(text) or bool(self._paths_found(row, text))

    def _has_words(self, text: str) -> bool:
        return all(word in text for word in self._words)

    def _paths_found(self, row: Row, text: str) -> list[str]:
        """Return the full paths of a row, one for each copy by repeats, that the filter finds."""
        location = row.location
        if row.item is None or location is None or not self._words:
            return []
        nodes = self._session.analysis.graph.nodes
        outputs = self._session.outline.outputs(location)
        # The output of a group or a repeat is that of a layer in it, which is found by itself.
        paths = (nodes[x].name for x in outputs if nodes[x].location == location)
        return [x for x in paths if self._has_words(f"{text} {x.lower()}")]

    def _go_to_match(self) -> None:
        """Choose the first layer that matches, and move the focus to it."""
        row = self._first_match(self.model.row_of(QModelIndex()))
        if row is None:
            return
        found = self.model.index_of_row(row)
        flags = QItemSelectionModel.SelectionFlag
        self.tree.selectionModel().setCurrentIndex(found, flags.ClearAndSelect | flags.Rows)
        text = self.model.texts.words_of(row)
        if not self._has_words(text):
            # The filter names a copy by a repeat: that one is chosen, not the one beside.
            self._selection.select_layer(self._paths_found(row, text)[0])
        self.tree.setFocus(Qt.FocusReason.TabFocusReason)

    def _first_match(self, around: Row) -> Row | None:
        for row in around.children:
            if row.item is not None and self._matches(row):
                return row
            found = self._first_match(row)
            if found is not None:
                return found
        return None

    def _tell_empty(self) -> None:
        """Show why the list is empty."""
        if not self._document.architecture.layers:
            self._empty.setText(_NO_LAYERS)
        elif self._words and not self._has_match:
            self._empty.setText(_NO_MATCH)
        else:
            self._empty.hide()
            return
        self._empty.setToolTip(self._empty.text())  # the list may be lower than the words
        self._empty.show()

    def _expand_new(self, parent: QModelIndex, first: int, last: int) -> None:
        if self._words:
            self._hide_rows()
        if last - first < 50:
            self._may_be_open = True
            for row in range(first, last + 1):
                index = self.model.index(row, 0, parent)
                self.tree.expandRecursively(index)


def _words_in_place_of_the_tree() -> QLabel:
    label = QLabel(textFormat=Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setContentsMargins(16, 16, 16, 16)
    label.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
    label.setBackgroundRole(QPalette.ColorRole.Base)  # as the list above
    label.setAutoFillBackground(True)
    return label
