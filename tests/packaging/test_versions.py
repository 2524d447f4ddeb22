"""Package, changelog and citation name one version, and one day of its release."""

import re
from pathlib import Path

import yaml

import rfstudio

ROOT = Path(__file__).resolve().parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text())
SECTIONS = re.findall(r"^## (.+)$", CHANGELOG, flags=re.MULTILINE)


def test_that_what_is_not_released_comes_first_in_the_changelog() -> None:
    assert SECTIONS[0] == "Unreleased"
    assert SECTIONS.count("Unreleased") == 1


def test_that_versions_of_the_changelog_have_a_day_and_go_down() -> None:
    found = [re.fullmatch(r"(\d+)\.(\d+)\.(\d+) – (\d{4}-\d{2}-\d{2})", x) for x in SECTIONS[1:]]
    assert found
    assert all(found)
    versions = [tuple(map(int, x.groups()[:3])) for x in found if x]
    days = [x[4] for x in found if x]
    assert versions == sorted(set(versions), reverse=True)
    assert days == sorted(days, reverse=True)


def test_that_package_changelog_and_citation_name_one_version() -> None:
    version, _, day = SECTIONS[1].partition(" – ")
    assert rfstudio.__version__ == version
    assert CITATION["version"] == version
    assert CITATION["date-released"].isoformat() == day


def test_that_the_citation_names_the_licence_and_what_cff_requires() -> None:
    # The required keys of the schema, https://doi.org/10.5281/zenodo.1003149, version 1.2.0.
    assert {"authors", "cff-version", "message", "title"} <= CITATION.keys()
    assert CITATION["cff-version"] == "1.2.0"
    assert CITATION["license"] == "MIT"
