"""The pages of the documentation that come with the program, in the order of their contents."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from rfstudio import paths
from rfstudio.app.wording.terms import GLOSSARY

START = "first-hour.md"
"""The page that is shown at first."""

_TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.MULTILINE | re.DOTALL)


_ENTRY = re.compile(r"^\*\*(.+?)\*\*: (.+)$", re.MULTILINE)


class HelpPage(NamedTuple):
    """One page.

    Attributes
    ----------
    section
        The heading under which the contents list it.
    title
        Its own heading.
    path
        Its file, in Markdown.
    """

    section: str
    title: str
    path: Path


def help_pages(folder: Path | None = None) -> tuple[HelpPage, ...]:
    """Return all pages that can be read without the site; none if they are not installed.

    Parameters
    ----------
    folder
        Where they are; None: where the program has them.
    """
    folder = paths.documentation() if folder is None else folder
    index = folder / "index.md"
    if not index.is_file():
        return ()
    pages = []
    for block in _TOCTREE.findall(index.read_text(encoding="utf-8")):
        lines = [x.strip() for x in block.splitlines() if x.strip()]
        section = next((x[10:] for x in lines if x.startswith(":caption: ")), "")
        for name in lines:
            path = folder / f"{name}.md"
            # Pages of the site are made when it is built, from what the program has elsewhere.
            if not name.startswith((":", "site/")) and path.is_file():
                pages.append(HelpPage(section, _title(path), path))
    return tuple(pages)


@cache
def glossary_entries() -> tuple[tuple[str, str], ...]:
    """Return the entries of the glossary with what they mean; none if it is not installed."""
    path = paths.documentation() / GLOSSARY
    if not path.is_file():
        return ()
    return tuple(_ENTRY.findall(path.read_text(encoding="utf-8")))


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()
