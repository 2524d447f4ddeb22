"""The documentation in the window: all pages, links between them, and a search over all."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QTextCharFormat
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from rfstudio import paths
from rfstudio.app.files.help_pages import glossary_entries, help_pages
from rfstudio.app.files.presets import read_preset
from rfstudio.app.wording.terms import EFFECTIVE_TERMS, GLOSSARY, TERMS, WORDS, terms_in
from rfstudio.core import ops
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.widgets.help.help_window import HelpWindow
from rfstudio.widgets.inspector.numbers import TermLabel
from rfstudio.widgets.parts.theme import apply_scheme
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import instance
from tests.widgets.contrast import TEXT, contrast


def _help(qtbot: QtBot) -> HelpWindow:
    shown = HelpWindow(help_pages())
    qtbot.addWidget(shown)
    return shown


def _title(shown: HelpWindow) -> str:
    return shown.page.document().firstBlock().text()


def test_that_pages_are_those_of_the_contents_that_need_no_site() -> None:
    pages = {x.path.relative_to(paths.documentation()).as_posix(): x for x in help_pages()}
    assert pages["how-to/why-427.md"].section == "How to"
    assert pages["how-to/why-427.md"].title == "Why 427 and not 483?"
    assert "site/gallery.md" not in pages
    # What only Sphinx understands would be shown as it is.
    assert not any("```{" in x.path.read_text() for x in pages.values())


def test_that_a_program_without_pages_has_none(tmp_path: Path) -> None:
    assert help_pages(tmp_path) == ()


def test_that_the_first_page_is_shown_and_a_link_opens_another(qtbot: QtBot) -> None:
    shown = _help(qtbot)
    assert _title(shown) == "The first hour"
    shown.page.anchorClicked.emit(QUrl("how-to/why-427.md"))
    assert _title(shown) == "Why 427 and not 483?"
    assert shown.contents.currentItem().text(0) == "Why 427 and not 483?"
    shown.page.anchorClicked.emit(QUrl("../why-different.md"))
    assert _title(shown) == "Why is my number different?"
    shown.page.anchorClicked.emit(QUrl("../CONTRIBUTING.md"))
    assert _title(shown) == "Why is my number different?"
    assert "CONTRIBUTING.md is only in the source" in shown.found.text()


def test_that_the_web_is_left_to_the_browser(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    shown = _help(qtbot)
    shown.page.anchorClicked.emit(QUrl("https://doi.org/10.23915/distill.00021"))
    assert [x.host() for x in opened] == ["doi.org"]
    assert _title(shown) == "The first hour"


def test_that_a_search_goes_on_to_other_pages(qtbot: QtBot) -> None:
    shown = _help(qtbot)
    shown.search.setText("Projective field")
    shown.search.returnPressed.emit()
    assert _title(shown) == "Glossary"
    assert shown.page.textCursor().selectedText().lower() == "projective field"
    shown.search.setText("no such words at all")
    shown.search.returnPressed.emit()
    assert shown.found.text() == "Not found on any page"


def test_that_the_menu_opens_one_window(window: MainWindow) -> None:
    for _ in range(2):
        window.actions_.documentation.trigger()
    (shown,) = window.findChildren(HelpWindow)
    assert shown.isVisible()
    shown.close()


def test_that_a_click_on_the_name_of_a_number_opens_its_entry_of_the_glossary(
    window: MainWindow, qtbot: QtBot
) -> None:
    (label,) = [x for x in window.inspector.field.findChildren(TermLabel) if x.text() == "jump"]
    qtbot.mouseClick(label, Qt.MouseButton.LeftButton)
    shown = instance(HelpWindow, window.findChild(HelpWindow))
    assert shown.isVisible()
    cursor = shown.page.textCursor()
    assert cursor.selectedText() == "Jump"
    assert cursor.block().text().startswith("Jump: The distance between")
    shown.close()


def _entry(shown: HelpWindow) -> str:
    return shown.page.textCursor().block().text().partition(":")[0]


def test_that_words_of_a_page_are_links_to_the_glossary_by_keyboard(qtbot: QtBot) -> None:
    shown = _help(qtbot)
    shown.show()
    shown.open_page(paths.documentation() / "why-different.md")
    shown.page.setFocus()
    for _ in range(40):  # Tab goes from link to link
        qtbot.keyClick(shown.page, Qt.Key.Key_Tab)
        link = shown.page.textCursor().charFormat().anchorHref()
        if link.startswith("term:"):
            break
    qtbot.keyClick(shown.page, Qt.Key.Key_Return)
    assert _title(shown) == "Glossary"
    assert f"term:{_entry(shown)}" == link


def test_that_a_word_of_a_remark_leads_to_its_entry_by_mouse_and_keyboard(
    window: MainWindow, qtbot: QtBot
) -> None:
    shifted = (
        Layer(ops.Conv(kernel_size=3, padding=1), "a"),
        Layer(ops.Conv(kernel_size=3, padding=((0, 2), (0, 2))), "b", ("input",)),
        Layer(ops.Add(), "sum", ("a", "b")),
    )
    window.studio.document.edit("Shift", Architecture(input_size=(8, 8), layers=shifted))
    problems = window.problems
    window.tabs.setCurrentWidget(problems)
    rows = range(problems.list.count())
    at = next(i for i in rows if problems.list.item(i).text().startswith("sum"))
    problems.list.setCurrentRow(at)
    assert problems.terms.text().startswith("In the glossary: <a ")
    problems.terms.setFocus()
    qtbot.keyClick(problems.terms, Qt.Key.Key_Tab)
    qtbot.keyClick(problems.terms, Qt.Key.Key_Return)
    shown = instance(HelpWindow, window.findChild(HelpWindow))
    assert _entry(shown) in problems.terms.text()
    shown.close()


def test_that_an_entry_is_seen_whole(qtbot: QtBot) -> None:
    shown = _help(qtbot)
    with qtbot.waitExposed(shown):
        shown.show()
    for entry, _ in glossary_entries():
        shown.open_term(entry)
        cursor = shown.page.textCursor()
        cursor.movePosition(cursor.MoveOperation.EndOfBlock)
        last = shown.page.cursorRect(cursor)
        assert shown.page.viewport().rect().contains(last), entry
        assert _entry(shown) == entry


def test_that_every_term_has_its_entry_in_the_order_of_letters() -> None:
    (glossary,) = [x.path for x in help_pages() if x.path.name == GLOSSARY]
    text = glossary.read_text(encoding="utf-8")
    entries = {*TERMS.values(), *EFFECTIVE_TERMS.values(), *WORDS.values()}
    known = re.findall(r"^\*\*(.+?)\*\*:", text, re.MULTILINE)
    assert entries - set(known) == set()
    assert known == sorted(known, key=str.casefold)


def test_that_every_number_of_the_inspector_leads_to_the_glossary(open_window: Callable) -> None:
    window = open_window(read_preset("efficientnet_b0"))
    inspector = window.inspector
    blocks = (inspector.field, inspector.unit, inspector.effective, inspector.costs)
    labels = [x for block in blocks for x in block.findChildren(TermLabel) if x.text()]
    assert len(labels) > 20
    assert [x.text() for x in labels if not x.entry] == []
    entries = {x.entry for x in inspector.effective.findChildren(TermLabel) if x.text() == "size"}
    assert entries == {"Effective size"}  # not that of the theoretical field


@pytest.mark.parametrize(
    ("tip", "entry"),
    [
        ("<p>Dots: the pixels of the support.</p>", "Support"),
        ("Effective stride: distance between units", "Jump"),
        ("Save (Ctrl+S)", ""),
    ],
)
def test_that_a_tip_in_sight_leads_to_the_glossary(
    window: MainWindow, qtbot: QtBot, tip: str, entry: str
) -> None:
    QToolTip.showText(window.mapToGlobal(QPoint(400, 300)), tip, window)
    qtbot.waitUntil(QToolTip.isVisible)
    window.actions_.documentation.trigger()
    shown = instance(HelpWindow, window.findChild(HelpWindow))
    assert (_title(shown) == "Glossary") == bool(entry)
    if entry:
        assert _entry(shown) == entry
    QToolTip.hideText()
    shown.close()
    qtbot.waitUntil(lambda: not QToolTip.isVisible())


def test_that_the_longest_word_is_a_term_and_names_of_layers_are_none() -> None:
    text = "The effective receptive field of 'jump' has another jump; Jumps of jump-2 and its ERF."
    assert [(x.word, x.entry) for x in terms_in(text)] == [
        ("effective receptive field", "Effective receptive field (ERF)"),
        ("jump", "Jump"),
    ]


def test_that_pages_about_the_code_do_not_lead_to_the_words_of_fields(qtbot: QtBot) -> None:
    shown = _help(qtbot)
    shown.open_page(paths.documentation() / "releasing.md")
    assert "coverage" in shown.page.toPlainText()
    assert "term:" not in shown.page.toHtml()


def test_that_links_of_a_page_are_seen_in_another_scheme(qtbot: QtBot, qapp: QApplication) -> None:
    try:
        apply_scheme(qapp, "light")
        shown = _help(qtbot)
        shown.show()
        shown.page.find("field")
        marked = shown.page.textCursor().selectionStart()
        apply_scheme(qapp, "dark")
        ground = shown.page.palette().base().color()
        block, links = shown.page.document().begin(), []
        while block.isValid():
            forms = [QTextCharFormat(x.format) for x in block.textFormats()]
            links += [x for x in forms if x.isAnchor() and not x.anchorHref().startswith("term")]
            block = block.next()
        assert links
        assert all(contrast(x.foreground().color(), ground) >= TEXT for x in links)
        assert shown.page.textCursor().selectedText().lower() == "field"
        assert shown.page.textCursor().selectionStart() == marked
    finally:
        apply_scheme(qapp, "light")
