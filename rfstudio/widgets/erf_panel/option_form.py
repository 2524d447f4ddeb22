"""The form of a measurement's options, in columns, with a line of help for the current one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QPalette, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QScrollArea, QToolButton, QVBoxLayout, QWidget

from rfstudio.app.effective import measuring_recipes
from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.measuring_options import OPTIONS, Choice, Option, reason_off
from rfstudio.widgets.erf_panel.editors import ASKS, FileQuestions, OptionEditor

_OWN = "own"
_RECIPE = Option(
    "recipe",
    "Recipe",
    "Sets every option as in published work; each can still be changed afterwards.",
    (
        Choice(_OWN, "own choice", "The options do not match any published recipe."),
        *(Choice(x, x, measuring_recipes.reproduces(x)) for x in measuring_recipes.NAMES),
    ),
)
_GAP = 18  # points between two columns
_MOST_COLUMNS = 4


class OptionForm(QWidget):
    """Edits `ErfOptions`; the options themselves are elsewhere.

    Attributes
    ----------
    help, reset
        The line that explains the current option, and the button for the defaults; the owner of the
        form lays them out.

    Signals
    -------
    changed
        Options by name, with their new values.
    reset_wanted
        The user wants every option at its default.
    """

    changed = Signal(object)
    reset_wanted = Signal()

    def __init__(self, questions: FileQuestions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._questions = questions
        self._options = ErfOptions()
        self._recipe = _OWN
        self._has_batch_norm = True
        self._cells: dict[str, _Cell] = {}
        self._columns = 0
        self._helped = _RECIPE.name
        body = QWidget()
        self._grid = QGridLayout(body)
        self._grid.setContentsMargins(10, 6, 10, 4)
        self._grid.setHorizontalSpacing(_GAP)
        self._grid.setVerticalSpacing(3)
        for option in (_RECIPE, *OPTIONS):
            self._add(option)
        self.area = QScrollArea()
        self.area.setWidget(body)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QScrollArea.Shape.NoFrame)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.help = QLabel(wordWrap=True, textFormat=Qt.TextFormat.RichText)
        self.help.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.help.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        self.reset = QToolButton()
        self.reset.setText("Reset to defaults")
        self.reset.setAutoRaise(True)
        self.reset.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.reset.setToolTip("Set every option to its default, without recipe and files")
        self.reset.clicked.connect(self.reset_wanted)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.area, 1)
        self.setAccessibleName("Options of measuring")
        self.arrange(1)
        self.show_options(self._options)

    def editor(self, name: str) -> OptionEditor:
        """Return the editor of an option; "recipe" is that of recipes."""
        return self._cells[name].editor

    def reason(self, name: str) -> str:
        """Return why an option is disabled; empty if it is not."""
        return self._cells[name].reason

    def show_network(self, *, has_batch_norm: bool) -> None:
        """Set what the network has."""
        if has_batch_norm != self._has_batch_norm:
            self._has_batch_norm = has_batch_norm
            self.show_options(self._options)

    def show_options(self, options: ErfOptions) -> None:
        """Show the options, and disable those that have no effect with the others."""
        self._options = options
        self.reset.setEnabled(not options.is_default)
        matching = measuring_recipes.matching(options)
        if self._recipe not in matching:
            self._recipe = matching[0] if matching else _OWN
        for name, cell in self._cells.items():
            if name == _RECIPE.name:
                cell.editor.show_value(self._recipe)
            else:
                value = getattr(options, name)
                cell.editor.show_value(value, _short(value))
                cell.show_reason(reason_off(name, options, has_batch_norm=self._has_batch_norm))
            text = self._text(name)
            cell.explain(text)
        self._explain(self._helped)

    @property
    def recipe(self) -> str:
        """The recipe whose options these are; empty if there is none."""
        return "" if self._recipe == _OWN else self._recipe

    @property
    def recipe_text(self) -> str:
        """What the recipe reproduces, needs and does differently; empty without one."""
        if not self.recipe:
            return ""
        return measuring_recipes.sentences(self.recipe)

    def arrange(self, columns: int) -> None:
        """Lay the options out in columns, from top to bottom and then from left to right."""
        if columns == self._columns:
            return
        self._columns = columns
        cells = list(self._cells.values())
        rows = -(-len(cells) // columns)
        for cell in cells:
            self._grid.removeWidget(cell)
        for row in range(self._grid.rowCount()):
            self._grid.setRowStretch(row, 0)
        for i, cell in enumerate(cells):
            self._grid.addWidget(cell, i % rows, i // rows)
        for first in range(0, len(cells), rows):
            titles = [x.title for x in cells[first : first + rows]]
            widest = max(x.sizeHint().width() for x in titles)
            for title in titles:
                title.setFixedWidth(widest)
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, int(column < columns))
        self._grid.setRowStretch(rows, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """Use as many columns as there is room for."""
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        bar = self.area.verticalScrollBar().sizeHint().width()
        for columns in range(_MOST_COLUMNS, 0, -1):
            self.arrange(columns)
            if columns == 1 or self._grid.minimumSize().width() + bar <= self.width():
                break

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Explain the option under the pointer or with the focus; leave the wheel to the form."""
        name = watched.property("option")
        match event.type():
            case QEvent.Type.Enter | QEvent.Type.FocusIn if name:
                self._explain(name)
            case QEvent.Type.Leave if name:
                focused = self.focusWidget()
                self._explain((focused and focused.property("option")) or name)
            case QEvent.Type.Wheel if isinstance(watched, QWidget) and not watched.hasFocus():
                event.ignore()
                return True
        return super().eventFilter(watched, event)

    def _add(self, option: Option) -> None:
        cell = _Cell(option)
        cell.editor.changed.connect(lambda value: self._take(option, value))
        for watched in (cell, cell.editor.input):
            watched.setProperty("option", option.name)
            watched.installEventFilter(self)
        self._cells[option.name] = cell

    def _take(self, option: Option, value: Any) -> None:
        if option.name == _RECIPE.name:
            self._recipe = value
            changes = {} if value == _OWN else measuring_recipes.options_of(value)
        elif value in ASKS:
            changes = self._ask(value)
        else:
            changes = {option.name: value}
        if changes:
            self.changed.emit(changes)
        else:
            self.show_options(self._options)

    def _ask(self, what: str) -> dict[str, Any]:
        if what == "file":
            path = self._questions.weights(self)
            return {"weights": str(path)} if path else {}
        folder = self._questions.folder(self)
        return {"inputs": "folder", "folder": folder} if folder else {}

    def _explain(self, name: str) -> None:
        self._helped = name
        cell = self._cells[name]
        text = f"<b>{cell.option.title}</b>&nbsp; {self._text(name)}"
        self.help.setText(text)
        self.help.setAccessibleName(f"{cell.option.title}: {self._text(name)}")

    def _text(self, name: str) -> str:
        """Return the help for an option as it is now."""
        option = self._cells[name].option
        if reason := self._cells[name].reason:
            return f"{option.sentence} Off: {reason}"
        if name == _RECIPE.name:
            return self._recipe_help()
        value = getattr(self._options, name)
        if name == "inputs" and value == "folder":
            return f"All images of {self._options.folder}, in turn."
        chosen = next((x.sentence for x in option.choices if x.value == value), "")
        if name == "weights" and not chosen:
            chosen = f"Those of {value}."
        # A colon joins the question and the answer in one sentence.
        return f"{option.sentence} {chosen}".strip()

    def _recipe_help(self) -> str:
        if not self.recipe:
            return _RECIPE.sentence
        lacking = measuring_recipes.missing(self._options, self.recipe)
        text = measuring_recipes.reproduces(self.recipe)
        return f"{text} Still needed: {lacking}." if lacking else text


class _Cell(QWidget):
    """The title and the editor of one option."""

    def __init__(self, option: Option) -> None:
        super().__init__()
        self.option = option
        self.reason = ""
        self.title = QLabel(option.title)
        self.editor = OptionEditor(option)
        self.title.setBuddy(self.editor.input)
        self.title.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(8)
        grid.addWidget(self.title, 0, 0)
        grid.addWidget(self.editor, 0, 1)
        grid.setColumnStretch(1, 1)

    def show_reason(self, reason: str) -> None:
        """Disable the editor for a reason; enable it for an empty one."""
        self.reason = reason
        self.title.setEnabled(not reason)
        self.editor.setEnabled(not reason)

    def explain(self, text: str) -> None:
        """Explain the option in a tooltip and to screen readers."""
        self.setToolTip(text)
        self.editor.input.setAccessibleDescription(text)


def _short(value: Any) -> str:
    """Return the name of a file for a list."""
    return Path(value).name if isinstance(value, str) else ""
