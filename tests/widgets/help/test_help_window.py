"""The documentation in the window: all pages, links between them, and a search over all."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices
from pytestqt.qtbot import QtBot

from rfstudio import paths
from rfstudio.app.files.help_pages import help_pages
from rfstudio.app.wording.terms import GLOSSARY, TERMS
from rfstudio.widgets.help.help_window import HelpWindow
from rfstudio.widgets.inspector.numbers import TermLabel
from rfstudio.widgets.window.main_window import MainWindow
from tests.narrowing import instance


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


def test_that_every_term_has_its_entry() -> None:
    (glossary,) = [x.path for x in help_pages() if x.path.name == GLOSSARY]
    text = glossary.read_text(encoding="utf-8")
    assert [x for x in TERMS.values() if f"\n**{x}**:" not in text] == []
