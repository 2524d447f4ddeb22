"""What texts say about the window is so: keys, menus, and marks that are not left over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtGui import QKeySequence, QTextDocument

from rfstudio import paths
from rfstudio.api.lessons import LESSONS
from rfstudio.app.files.help_pages import help_pages
from rfstudio.widgets.window.destinations import commands_of
from rfstudio.widgets.window.keys_dialog import CANVAS, CHARTS, GRAPH
from rfstudio.widgets.window.main_window import MainWindow
from rfstudio.widgets.window.tour import TOUR_TEXTS

PAGES = [x.path for x in help_pages()]
TEXTS = {
    **{x.stem: x.read_text(encoding="utf-8") for x in PAGES},
    "lessons": "\n".join(f"{x.look} {x.change} {x.why}" for x in LESSONS),
    "tour": "\n".join(text for _, text in TOUR_TEXTS),
}
_KEY = re.compile(r"(?:(?:Ctrl|Alt|Shift)\+)+(?:[A-Z]\w*|[.,0-9])|\bF\d{1,2}\b")
_MENU = re.compile(r"\b(File|Edit|Measure|View|Help|Export) › (\w[\w ]*)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def test_that_keys_in_texts_are_keys_of_the_window(window: MainWindow) -> None:
    mine = {x.keys.toString(QKeySequence.SequenceFormat.PortableText) for x in window.shortcuts}
    fixed = {key for keys in (CANVAS, GRAPH, CHARTS) for key, _ in keys}
    mine |= {f"Ctrl+{x}" for keys in fixed for x in keys.split(", ")}  # "with Ctrl, of the map"
    named = {(page, key) for page, text in TEXTS.items() for key in _KEY.findall(text)}
    assert len(named) > 12
    assert {x for x in named if x[1] not in mine and x != ("releasing", "Ctrl+C")} == set()


def test_that_menus_in_texts_are_menus_of_the_window(window: MainWindow) -> None:
    entries = [x.text for x in commands_of(window.menuBar())]
    named = {(page, *found) for page, text in TEXTS.items() for found in _MENU.findall(text)}
    assert len(named) > 5

    def is_there(menu: str, entry: str) -> bool:
        # The text goes on behind the name, of which a menu has more words than a text needs.
        inner = [re.split(" › ", x)[1:] for x in entries if f"{menu} › " in f"{x} › "]
        words = [w.strip("….") for parts in inner for w in parts]
        return any(entry.startswith(w) or w.startswith(entry.strip()) for w in words if w)

    assert [x for x in named if not is_there(*x[1:])] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda x: x.stem)
def test_that_a_page_shows_no_marks_and_names_no_page_without_a_link(page: Path) -> None:
    document = QTextDocument()
    document.setMarkdown(page.read_text(encoding="utf-8"))
    stray, bare = [], []
    block = document.begin()
    while block.isValid():
        words = ""
        place = block.begin()
        while not place.atEnd():
            form = place.fragment().charFormat()
            is_code = form.fontFixedPitch()
            words += "" if is_code or form.isAnchor() else place.fragment().text()
            place += 1
        is_text = not block.text().lstrip().startswith(("$", "rfstudio", ">>>", "..."))
        stray += [words] if is_text and ("**" in words or "](" in words or " *" in words) else []
        known = {x.name for x in paths.documentation().rglob("*.md")}
        bare += [x for x in re.findall(r"[\w-]+\.md\b", words) if x in known]
        block = block.next()
    assert (stray, bare) == ([], [])
