"""Settings of the documentation's site, which Sphinx builds: `sphinx-build -W docs build/docs`.

Pages that come from the program are made here, before Sphinx reads them: the figures of the
gallery by the commands on its page, the help of the command line, and what is written elsewhere.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from pathlib import Path

from rfstudio import __version__
from rfstudio.api.lessons import LESSONS, Lesson
from rfstudio.cli import main
from rfstudio.cli.arguments import COMMANDS

DOCS = Path(__file__).resolve().parent
SITE = DOCS / "site"
FIGURES = SITE / "gallery"

project = "RF Studio"
author = "The developers of RF Studio"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["tutorial.ipynb"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
html_theme = "furo"
html_title = f"RF Studio {version}"
html_copy_source = False
autodoc_typehints = "none"  # signatures are long, and the texts below name all types that matter
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
# Listings of console, YAML drawings and the like are shown as they are.
suppress_warnings = ["misc.highlighting_failure"]


def _made_pages() -> None:
    """Write the pages that are not written by hand, and the figures."""
    (SITE / "contributing.md").write_text(_from_root("CONTRIBUTING.md"), encoding="utf-8")
    (SITE / "changelog.md").write_text(_from_root("CHANGELOG.md"), encoding="utf-8")
    (SITE / "command-line.md").write_text(_command_line(), encoding="utf-8")
    (SITE / "lessons.md").write_text(_lessons(), encoding="utf-8")
    FIGURES.mkdir(exist_ok=True)
    page = (SITE / "gallery.md").read_text(encoding="utf-8")
    os.environ["OMP_NUM_THREADS"] = "1"
    with contextlib.chdir(FIGURES), contextlib.redirect_stdout(io.StringIO()):
        commands = re.findall(r"^rfstudio (.+)$", page, flags=re.MULTILINE)
        for command in [*commands, *map(_lesson_command, range(1, len(LESSONS) + 1))]:
            if main(shlex.split(command)) != 0:
                raise RuntimeError(f"this command of the gallery failed: rfstudio {command}")


def _from_root(name: str) -> str:
    """Return a page of the top folder, whose links to pages here are right here."""
    text = (DOCS.parent / name).read_text(encoding="utf-8")
    text = re.sub(r"\]\(docs/([\w-]+\.md)", r"](../\1", text)
    return _without_links_outside(text)


def _command_line() -> str:
    os.environ["COLUMNS"] = "88"
    parts = ["# Command line\n"]
    for words in ([], *([x] for x in COMMANDS)):
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            main([*words, "--help"])
        title = " ".join(["rfstudio", *words])
        parts.append(f"## {title}\n\n```text\n{shown.getvalue()}```\n")
    return "\n".join(parts)


def _lessons() -> str:
    """Return the lessons of the window, each with its picture and its network."""
    parts = [
        "# Lessons",
        "",
        "In the window, *Help › Lessons* opens each of these networks, and sees what is changed.",
    ]
    for number, lesson in enumerate(LESSONS, 1):
        parts += ["", *_lesson(number, lesson)]
    return "\n".join(parts) + "\n"


def _lesson(number: int, lesson: Lesson) -> list[str]:
    return [
        f"## {number}. {lesson.title}",
        *("", f"![{lesson.layer} at the beginning](gallery/lesson-{number}.svg)"),
        *("", f"**See.** {lesson.look}", "", f"**Change.** {lesson.change}"),
        *("", f"**Why.** {lesson.why}", "", f"Source: {lesson.source}"),
        *("", "```yaml", lesson.network.rstrip(), "```"),
    ]


def _lesson_command(number: int) -> str:
    return f"figure {number} --kind lesson --output lesson-{number}.svg"


def _without_links_outside(text: str) -> str:
    """Return a page without links to files that are not pages of the site; their words stay."""
    return re.sub(
        r"\[([^\]]+)\]\((?!https?:|\.\./[\w-]+\.md)(?:\.\./)*[\w/.-]*[A-Za-z][\w.]*(?:#[\w-]+)?\)",
        r"\1",
        text,
    )


def _fit_links(_app: object, name: str, source: list[str]) -> None:
    """Point links of pages that are read on their own, too, to the pages of the site."""
    if "/" not in name:
        text = source[0].replace("](../CONTRIBUTING.md)", "](site/contributing.md)")
        source[0] = re.sub(r"\[([^\]]+)\]\(\.\./[^)]+\)", r"\1", text)


def setup(app: object) -> None:
    """Connect what is made here to Sphinx."""
    _made_pages()
    app.connect("source-read", _fit_links)  # type: ignore[attr-defined]  # Sphinx need not be here
