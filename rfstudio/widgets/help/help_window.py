"""The documentation, offline: its contents on the left, a page on the right, a search below."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, QUrl
from PySide6.QtGui import (
    QDesktopServices,
    QKeySequence,
    QShortcut,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextTable,
)
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSplitter,
    QTextBrowser,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from rfstudio.app.files.help_pages import START, HelpPage
from rfstudio.app.wording.terms import GLOSSARY, terms_in
from rfstudio.widgets.parts.text_room import give_room

_PATH = Qt.ItemDataRole.UserRole
_TERM = "term"

_OF_CODE = "The program"
"""Pages in which words of the glossary mean something else: the coverage of tests."""


class HelpWindow(QDialog):
    """Shows pages of Markdown.

    Parameters
    ----------
    pages
        All of them, in the order of the contents.
    parent
        The window that it belongs to.
    """

    def __init__(self, pages: Sequence[HelpPage], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Documentation")
        self.setWindowFlag(Qt.WindowType.WindowMinMaxButtonsHint)
        give_room(self, 980, 680)
        self._pages = {x.path.resolve(): x for x in pages}
        self.contents = QTreeWidget()
        self.contents.setHeaderHidden(True)
        self.contents.setRootIsDecorated(False)
        self.contents.setAccessibleName("Contents of the documentation")
        self.page = QTextBrowser(openLinks=False)
        self.page.setAccessibleName("Page of the documentation")
        self.search = QLineEdit(placeholderText="Find on all pages", clearButtonEnabled=True)
        self.search.setAccessibleName("Find on all pages")
        self.found = QLabel()
        self._fill(pages)
        self._lay_out()
        self.contents.currentItemChanged.connect(self._open_chosen)
        self.page.anchorClicked.connect(self._follow)
        self.search.returnPressed.connect(self._find_next)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self, self.search.setFocus)
        first = next((x.path for x in pages if x.path.name == START), None)
        if first is not None:
            self.open_page(first)

    def open_page(self, path: Path) -> None:
        """Show a page, and mark it in the contents."""
        for item in self._items():
            if item.data(0, _PATH) == path.resolve():
                self.contents.setCurrentItem(item)

    def open_term(self, term: str) -> None:
        """Show an entry of the glossary, and mark it."""
        glossary = next((x for x in self._pages if x.name == GLOSSARY), None)
        if glossary is not None:
            self.open_page(glossary)
            self.page.moveCursor(QTextCursor.MoveOperation.Start)
            # Its name also begins other words; its own paragraph begins with it.
            cases = QTextDocument.FindFlag.FindCaseSensitively
            while self.page.find(term, cases):
                found = self.page.textCursor()
                if found.selectionStart() == found.block().position():
                    # At the top: Qt brings its first line into view, and leaves the rest below.
                    bar = self.page.verticalScrollBar()
                    above = self.page.fontMetrics().lineSpacing()
                    bar.setValue(bar.value() + self.page.cursorRect().top() - above)
                    return

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Give the links the colour of another scheme; Qt reads it where a page is read."""
        super().changeEvent(event)
        if event.type() != QEvent.Type.PaletteChange or self.page.source().isEmpty():
            return
        bar, cursor = self.page.verticalScrollBar(), self.page.textCursor()
        place, marked = bar.value(), (cursor.anchor(), cursor.position())
        self.page.reload()
        self._complete(Path(self.page.source().toLocalFile()))
        cursor = self.page.textCursor()
        cursor.setPosition(marked[0])
        cursor.setPosition(marked[1], QTextCursor.MoveMode.KeepAnchor)
        self.page.setTextCursor(cursor)
        bar.setValue(place)

    # --- making ---------------------------------------------------------------------------------

    def _fill(self, pages: Sequence[HelpPage]) -> None:
        sections: dict[str, QTreeWidgetItem] = {}
        for page in pages:
            if page.section not in sections:
                heading = QTreeWidgetItem(self.contents, [page.section])
                heading.setFlags(Qt.ItemFlag.ItemIsEnabled)
                font = heading.font(0)
                font.setBold(True)
                heading.setFont(0, font)
                sections[page.section] = heading
            item = QTreeWidgetItem(sections[page.section], [page.title])
            item.setToolTip(0, page.title)
            item.setData(0, _PATH, page.path.resolve())
        self.contents.expandAll()

    def _lay_out(self) -> None:
        parts = QSplitter()
        parts.addWidget(self.contents)
        parts.addWidget(self.page)
        wanted = self.contents.sizeHintForColumn(0) + 2 * self.contents.fontMetrics().height()
        beside = min(wanted, 2 * self.width() // 5)
        parts.setSizes([beside, self.width() - beside])
        parts.setStretchFactor(1, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.search, 1)
        foot.addWidget(self.found, 2)
        layout = QVBoxLayout(self)
        layout.addWidget(parts, 1)
        layout.addLayout(foot)

    def _items(self) -> list[QTreeWidgetItem]:
        tops = [self.contents.topLevelItem(i) for i in range(self.contents.topLevelItemCount())]
        return [x.child(i) for x in tops if x is not None for i in range(x.childCount())]

    # --- doing ----------------------------------------------------------------------------------

    def _open_chosen(self, item: QTreeWidgetItem | None) -> None:
        path = None if item is None else item.data(0, _PATH)
        if path is None:
            return
        self.page.setSource(
            QUrl.fromLocalFile(str(path)), QTextDocument.ResourceType.MarkdownResource
        )
        self._complete(path)

    def _complete(self, path: Path) -> None:
        """Give a page that was just read what Markdown does not say."""
        self._draw_borders_of_tables()
        if path.name != GLOSSARY and self._pages[path].section != _OF_CODE:
            self._link_terms()

    def _link_terms(self) -> None:
        """Make a link to the glossary of the first word for each of its entries."""
        document = self.page.document()
        linked = set()
        block = document.begin()
        while block.isValid():
            for term in () if block.blockFormat().headingLevel() else terms_in(block.text()):
                cursor = QTextCursor(block)
                cursor.setPosition(block.position() + term.start)
                cursor.setPosition(
                    cursor.position() + len(term.word), QTextCursor.MoveMode.KeepAnchor
                )
                form = cursor.charFormat()
                is_text = not form.isAnchor() and not form.fontFixedPitch()
                if is_text and term.entry not in linked:
                    linked.add(term.entry)
                    form = QTextCharFormat()
                    form.setAnchor(True)
                    form.setAnchorHref(f"{_TERM}:{term.entry}")
                    form.setToolTip(f"{term.entry}, in the glossary")
                    form.setUnderlineStyle(QTextCharFormat.UnderlineStyle.DotLine)
                    cursor.mergeCharFormat(form)
            block = block.next()

    def _draw_borders_of_tables(self) -> None:
        for frame in self.page.document().rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                form = frame.format()
                form.setBorder(1)
                form.setBorderCollapse(True)
                form.setCellPadding(4)
                frame.setFormat(form)

    def _follow(self, url: QUrl) -> None:
        """Open a page of ours or a term here, and what is on the web in the browser."""
        if url.scheme() == _TERM:
            self.open_term(url.path())
            return
        if url.scheme() in ("http", "https"):
            QDesktopServices.openUrl(url)
            return
        here = Path(self.page.source().toLocalFile())
        target = here.parent / url.toLocalFile() if url.isLocalFile() else here.parent / url.path()
        known = self._pages.get(target.resolve())
        if known is None:
            self.found.setText(f"{target.name} is only in the source of the program")
        else:
            self.found.clear()
            self.open_page(known.path)

    def _find_next(self) -> None:
        """Find the text further down, then on the following pages, then from the start."""
        text = self.search.text()
        if not text or self.page.find(text):
            self.found.clear()
            return
        items = self._items()
        current = self.contents.currentItem()
        at = items.index(current) if current in items else -1
        for item in (*items[at + 1 :], *items[: at + 1]):
            if text.casefold() in item.data(0, _PATH).read_text(encoding="utf-8").casefold():
                if item is current:
                    self.page.moveCursor(self.page.textCursor().MoveOperation.Start)
                self.contents.setCurrentItem(item)
                if self.page.find(text):
                    self.found.clear()
                    return
        self.found.setText("Not found on any page")
