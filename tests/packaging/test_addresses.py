"""The public address of the project gets wherever it belongs, once there is one."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from xml.etree import ElementTree as Xml

import yaml

from tools.addresses import FILES, METAINFO, write

ROOT = Path(__file__).resolve().parents[2]
URL = "https://example.org/studio"


def test_that_an_address_is_written_everywhere_and_replaces_an_older_one(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    write(tmp_path, "https://example.org/older")
    for name in ("pyproject.toml", "CITATION.cff", METAINFO):
        text = (tmp_path / name).read_text()
        assert "https://example.org/older" in text
    write(tmp_path, URL)
    settings = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    assert set(settings["project"]["urls"]) >= {"Homepage", "Source", "Issues", "Documentation"}
    assert all(x.startswith(URL) for x in settings["project"]["urls"].values())
    assert yaml.safe_load((tmp_path / "CITATION.cff").read_text())["repository-code"] == URL
    urls = [x.text for x in Xml.parse(tmp_path / METAINFO).getroot().iter("url")]
    assert urls == [URL, f"{URL}/issues"]


def test_that_all_links_of_the_readme_become_absolute(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    write(tmp_path, URL)
    text = (tmp_path / "README.md").read_text()
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert targets
    assert all(x.startswith(("https://", "#")) for x in targets)
    assert f"({URL}/raw/main/docs/window.png)" in text
    assert f"({URL}/blob/main/docs/definitions.md)" in text
