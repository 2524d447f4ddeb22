"""Writes the public address of the project wherever it belongs: `python -m tools.addresses URL`.

As long as the project has none, links in the README are relative, which an index of packages
cannot follow.  Given the address of the repository, they become absolute, and the address is
written into the metadata of the package, the citation and the description for shops.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
METAINFO = "packaging/linux/org.rfstudio.RFStudio.metainfo.xml"


def absolute(readme: str, url: str) -> str:
    """Return the README with absolute links to files; pictures lead to the files themselves."""
    text = re.sub(r"!\[([^\]]*)\]\((?!https?:)([^)]+)\)", rf"![\1]({url}/raw/main/\2)", readme)
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)]+)\)", rf"[\1]({url}/blob/main/\2)", text)


def with_urls(pyproject: str, url: str) -> str:
    """Return the settings of the project with a table of addresses, instead of an older one."""
    table = (
        "[project.urls]\n"
        f'Homepage = "{url}"\nSource = "{url}"\n'
        f'Documentation = "{url}/tree/main/docs"\nIssues = "{url}/issues"\n'
        f'Changelog = "{url}/blob/main/CHANGELOG.md"\n\n'
    )
    text = re.sub(r"\[project\.urls\]\n(?:\w.*\n)*\n", "", pyproject)
    return text.replace("[project.scripts]\n", f"{table}[project.scripts]\n", 1)


def cited(citation: str, url: str) -> str:
    """Return the citation with the address of the source."""
    text = re.sub(r"^repository-code: .*\n", "", citation, flags=re.MULTILINE)
    return f'{text.rstrip()}\nrepository-code: "{url}"\n'


def described(metainfo: str, url: str) -> str:
    """Return the description for shops with the addresses of project and issues."""
    text = re.sub(r"  <url type=.*</url>\n", "", metainfo)
    lines = f'  <url type="homepage">{url}</url>\n  <url type="bugtracker">{url}/issues</url>\n'
    return text.replace("  <launchable", f"{lines}  <launchable", 1)


FILES: dict[str, Callable[[str, str], str]] = {
    "README.md": absolute,
    "pyproject.toml": with_urls,
    "CITATION.cff": cited,
    METAINFO: described,
}


def write(root: Path, url: str) -> None:
    """Write an address into all files."""
    for name, change in FILES.items():
        path = root / name
        path.write_text(change(path.read_text(encoding="utf-8"), url), encoding="utf-8")


if __name__ == "__main__":
    write(ROOT, sys.argv[1].rstrip("/"))
