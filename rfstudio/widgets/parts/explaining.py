"""What can be asked of the glossary at a place of the window, and the menus that ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Protocol, runtime_checkable

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPoint, Qt
from PySide6.QtGui import QTextDocumentFragment
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableView, QTreeView, QWidget

from rfstudio.app.wording.terms import Question, first_of, questions_about

_ENTRY = "glossary"
_WORD = "word"
"""Properties of a widget: the entry of the glossary that explains it, and the word for it."""


@runtime_checkable
class Explained(Protocol):
    """A widget that shows several names."""

    def questions_at(self, place: QPoint | None) -> list[Question]:
        """Return what can be asked at a place of it; None: anywhere."""


def explain_by(widget: QWidget, entry: str, word: str) -> None:
    """Let a widget, whatever it says, be explained by an entry of the glossary."""
    widget.setProperty(_ENTRY, entry)
    widget.setProperty(_WORD, word)


def questions_at(widget: QWidget | None, place: QPoint) -> list[Question]:
    """Return what can be asked at a place of the screen.

    Parameters
    ----------
    widget
        The innermost widget there.
    place
        The place, in points of the screen.
    """
    while widget is not None and not widget.isWindow():
        found = _questions_of(widget, widget.mapFromGlobal(place))
        if found:
            return found
        widget = widget.parentWidget()
    return []


def questions_in(widget: QWidget | None) -> list[Question]:
    """Return what can be asked of a widget as a whole, or of what is around it."""
    while widget is not None and not widget.isWindow():
        found = _questions_of(widget, None)
        if found:
            return found
        widget = widget.parentWidget()
    return []


def tip_at(widget: QWidget, place: QPoint) -> str:
    """Return the tip of what is at a place of the screen, also of a cell or a title."""
    view = widget.parentWidget()
    tip: object = widget.toolTip()
    if isinstance(view, QHeaderView):
        section = view.logicalIndexAt(widget.mapFromGlobal(place))
        role = Qt.ItemDataRole.ToolTipRole
        tip = view.model().headerData(section, view.orientation(), role) if section >= 0 else ""
    elif isinstance(view, QAbstractItemView):
        tip = view.indexAt(widget.mapFromGlobal(place)).data(Qt.ItemDataRole.ToolTipRole)
    return str(tip or "")


def add_questions(menu: QMenu, questions: Iterable[Question], ask: Callable[[str], object]) -> None:
    """Put questions at the end of a menu; several of them into one of their own."""
    all_ = list(questions)
    if all_ and menu.actions():
        menu.addSeparator()
    inner = menu.addMenu("What is …?") if len(all_) > 1 and menu.actions() else menu
    for question in all_:
        inner.addAction(question.text).triggered.connect(partial(_ask, ask, question.entry))


def explain_titles(header: QHeaderView, ask: Callable[[str], object]) -> None:
    """Let a right click on a title ask what it means."""

    def open_menu(place: QPoint) -> None:
        menu = QMenu(header)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        add_questions(menu, _questions_of(header, place), ask)
        if menu.actions():
            menu.popup(header.viewport().mapToGlobal(place))

    header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    header.customContextMenuRequested.connect(open_menu)


def plain(text: str) -> str:
    """Return a text without the marks of HTML."""
    return QTextDocumentFragment.fromHtml(text).toPlainText() if "<" in text else text


def _ask(ask: Callable[[str], object], entry: str, _is_checked: bool = False) -> None:
    ask(entry)


def _questions_of(widget: QWidget, place: QPoint | None) -> list[Question]:
    """Return what can be asked of a widget alone; `place` is in its own points."""
    if isinstance(widget, Explained):
        return widget.questions_at(place)
    if isinstance(widget, QHeaderView):
        return _of_header(widget, place)
    if isinstance(widget, QAbstractItemView):
        return _of_view(widget, place)
    known = widget.property(_ENTRY)
    if isinstance(known, str) and known:
        return [Question(str(widget.property(_WORD)), known)]
    text = getattr(widget, "text", None)
    said = text() if callable(text) else ""
    name = plain(said if isinstance(said, str) else "")
    return questions_about(name, plain(widget.toolTip()))


def _of_header(header: QHeaderView, place: QPoint | None) -> list[Question]:
    is_across = header.orientation() == Qt.Orientation.Horizontal
    if place is not None:
        at = header.logicalIndexAt(place)
        sections = [] if at < 0 else [at]
    else:
        sections = [x for x in range(header.count()) if not header.isSectionHidden(x)]
    return first_of(
        x for i in sections for x in _about_title(header.model(), i, is_across=is_across)
    )


def _about_title(model: QAbstractItemModel, section: int, *, is_across: bool) -> list[Question]:
    orientation = Qt.Orientation.Horizontal if is_across else Qt.Orientation.Vertical
    title, tip = (
        model.headerData(section, orientation, role)
        for role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole)
    )
    return questions_about(str(title or ""), plain(str(tip or "")))[:1]


def _of_view(view: QAbstractItemView, place: QPoint | None) -> list[Question]:
    """Return what can be asked of a cell, by its row and its column, or of all titles."""
    index = QModelIndex()
    if place is not None:
        index = view.indexAt(view.viewport().mapFrom(view, place))
    if index.isValid():
        return first_of(_of_cell(view, index))
    headers = [view.header()] if isinstance(view, QTreeView) else []
    if isinstance(view, QTableView):
        headers = [view.verticalHeader(), view.horizontalHeader()]
    shown = [x for x in headers if not x.isHidden()]
    titles = [x for header in shown for x in _of_header(header, None)]
    current = view.currentIndex()
    own = list(_of_cell(view, current)) if current.isValid() else []
    return first_of([*own, *titles])


def _of_cell(view: QAbstractItemView, index: QModelIndex) -> Iterator[Question]:
    model = index.model()
    if isinstance(view, QTableView):  # rows have names even where they are not shown beside
        yield from _about_title(model, index.row(), is_across=False)
    if isinstance(view, (QTableView, QTreeView)):
        yield from _about_title(model, index.column(), is_across=True)
