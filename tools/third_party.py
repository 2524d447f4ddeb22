"""Notices of third parties: whose work a packed program holds, and under which licences.

    python -m tools.third_party                  compares packaging/THIRD-PARTY-NOTICES.md
    python -m tools.third_party --write          writes it anew
    python -m tools.third_party --texts FOLDER   copies the texts of all licences into a folder

Names, versions and licences are those of the installed packages that RF Studio needs, directly or
not; the texts come from these packages, and those that they lack from packaging/licenses.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
NOTICES = ROOT / "packaging" / "THIRD-PARTY-NOTICES.md"
OWN_TEXTS = ROOT / "packaging" / "licenses"

_SYSTEMS = ("colorama", "tzdata")
"""Needed on Windows only, or installed there only; whichever system writes the file lists them."""

_SHORT = {
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_TABLE = "| package | version | licence | home |"
"""How the table begins; what is before it in the file is written by hand."""


class Package(NamedTuple):
    """A package that a packed program holds."""

    name: str
    version: str
    licence: str
    home: str


def packages() -> list[Package]:
    """Return all packages that RF Studio needs, in the order of the alphabet."""
    found = (x for x in _needed() if x.metadata["Name"].lower() not in _SYSTEMS)
    return sorted((_package(x) for x in found), key=lambda x: x.name.lower())


def _needed() -> Iterator[Distribution]:
    """Yield the installed packages that the program needs, and those that these need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    measure = project["optional-dependencies"]["measure"]
    waiting = [Requirement(x) for x in (*project["dependencies"], *measure)]
    seen: set[str] = set()
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in seen or not (requirement.marker is None or _applies(requirement)):
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue  # of an option that is not installed, and so is not packed
        yield found
        waiting += map(Requirement, found.requires or ())


def _applies(requirement: Requirement) -> bool:
    assert requirement.marker is not None
    return requirement.marker.evaluate({"extra": ""})


def _package(found: Distribution) -> Package:
    meta = found.metadata
    version = found.version.partition("+")[0]  # not which build of torch it is
    addresses = dict(x.split(", ", 1) for x in meta.get_all("Project-URL") or ())
    known = {key.lower(): x for key, x in addresses.items()}
    home = _value(found, "Home-page") or next((known[x] for x in _HOMES if x in known), "")
    return Package(meta["Name"], version, _licence(found), home)


_HOMES = ("homepage", "source", "github", "repository", "documentation", "changelog", "changes")


def _value(found: Distribution, key: str) -> str:
    return found.metadata[key].strip() if key in found.metadata else ""


def _licence(found: Distribution) -> str:
    if expression := _value(found, "License-Expression"):
        return expression
    words = _value(found, "License")
    if not words or "\n" in words or len(words) > 60:  # the whole text of a licence
        prefix = "License :: OSI Approved :: "
        classifiers = found.metadata.get_all("Classifier") or ()
        words = next((x.removeprefix(prefix) for x in classifiers if prefix in x), words)
    return _SHORT.get(words, words)


def notices() -> str:
    """Return the text of the file of notices."""
    head = NOTICES.read_text(encoding="utf-8").partition(_TABLE)[0]
    rows = (f"| {x.name} | {x.version} | {x.licence} | {x.home} |" for x in packages())
    return head + "\n".join((_TABLE, "|---|---|---|---|", *rows, ""))


def copy_texts(folder: Path) -> int:
    """Copy the texts of all licences, a folder for each package, and return how many there are."""
    count = 0
    for found in _needed():
        for file in found.files or ():
            is_text = ".dist-info/" in str(file) and re.search(
                r"licen[cs]e|copying|notice|authors", str(file), re.IGNORECASE
            )
            source = Path(str(found.locate_file(file)))
            if is_text and source.is_file():
                inside = str(file).partition(".dist-info/")[2].replace("/", "-")
                target = folder / found.metadata["Name"] / inside
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                count += 1
    for source in OWN_TEXTS.iterdir():
        shutil.copyfile(source, folder / source.name)
        count += 1
    return count


def main(words: Sequence[str] | None = None) -> int:
    """Run the program; the status is 1 if the file is out of date."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the file anew")
    parser.add_argument("--texts", type=Path, metavar="FOLDER", help="copy all texts there")
    arguments = parser.parse_args(words)
    if arguments.texts is not None:
        print(f"{copy_texts(arguments.texts)} texts of licences in {arguments.texts}")
    elif arguments.write:
        NOTICES.write_text(notices(), encoding="utf-8")
    elif NOTICES.read_text(encoding="utf-8") != notices():
        print(f"{NOTICES} is out of date: python -m tools.third_party --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
