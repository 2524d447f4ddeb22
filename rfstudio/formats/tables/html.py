"""Tables and facts as HTML, for notebooks: plain elements that take the notebook's own style."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from rfstudio.formats.tables.analysis_tables import one_line

if TYPE_CHECKING:
    from rfstudio.formats.tables.analysis_tables import Table

MOST_ROWS = 300
"""Rows of a table that are shown; a notebook is stored with all that it shows."""


def html_text(text: str) -> str:
    """Return a text, which may come from anyone's file, so that HTML shows it literally."""
    return escape(one_line(text))


def heading_html(text: str, below: str = "") -> str:
    """Return a line in bold, and a plain one below it."""
    more = f"<br>{html_text(below)}" if below else ""
    return f"<p><b>{html_text(text)}</b>{more}</p>"


def facts_html(facts: Iterable[tuple[str, str]]) -> str:
    """Return pairs of a name and a text as a table of two columns."""
    rows = "".join(
        f'<tr><th style="text-align:left">{html_text(name)}</th>'
        f'<td style="text-align:left">{html_text(text)}</td></tr>'
        for name, text in facts
    )
    return f"<table>{rows}</table>"


def table_html(table: Table) -> str:
    """Return a table that scrolls if it is long; the end of a very long one is left out."""
    sides = ["right" if x else "left" for x in table.numeric]

    def cells(kind: str, row: tuple[str, ...]) -> str:
        return "".join(
            f'<{kind} style="text-align:{side}">{html_text(text)}</{kind}>'
            for text, side in zip(row, sides, strict=True)
        )

    rows = "".join(f"<tr>{cells('td', row)}</tr>" for row in table.rows[:MOST_ROWS])
    left_out = len(table.rows) - MOST_ROWS
    more = f"<p>and {left_out:,} more</p>" if left_out > 0 else ""
    return (
        '<div style="max-height:32em;overflow:auto"><table>'
        f"<thead><tr>{cells('th', table.headers)}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"{more}"
    )


def list_html(texts: Iterable[str]) -> str:
    """Return texts as a list; nothing if there are none."""
    items = "".join(f"<li>{html_text(x)}</li>" for x in texts)
    return f"<ul>{items}</ul>" if items else ""


def picture_html(png: bytes, description: str) -> str:
    """Return a picture, which is part of the text, at half its resolution."""
    data = b64encode(png).decode("ascii")
    return (
        f'<img style="max-width:30em" alt="{html_text(description)}" '
        f'src="data:image/png;base64,{data}">'
    )
