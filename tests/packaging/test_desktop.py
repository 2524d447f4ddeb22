"""The files for desktops are right, and so are the notices of third parties."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from PIL import Image

import rfstudio
from rfstudio import presets
from tools.icons import SIZES
from tools.third_party import NOTICES, copy_texts, packages

ROOT = Path(__file__).resolve().parents[2]
PACKAGING = ROOT / "packaging"
LINUX = PACKAGING / "linux"
METAINFO = LINUX / "org.rfstudio.RFStudio.metainfo.xml"
PINNED = dict(
    re.findall(r"^([\w.-]+)==([\w.]+)$", (ROOT / "constraints.txt").read_text(), flags=re.MULTILINE)
)
SPACE = "{http://www.freedesktop.org/standards/shared-mime-info}"


def _entry() -> configparser.SectionProxy:
    reader = configparser.ConfigParser(interpolation=None)
    reader.read(LINUX / "rfstudio.desktop", encoding="utf-8")
    return reader["Desktop Entry"]


def test_that_the_desktop_file_starts_the_program_with_a_file() -> None:
    entry = _entry()
    assert (entry["Type"], entry["Exec"], entry["Icon"]) == (
        "Application",
        "rfstudio %f",
        "rfstudio",
    )
    # What the window says of itself, so that a dock knows whose it is.
    assert 'setDesktopFileName("rfstudio")' in (ROOT / "rfstudio" / "gui.py").read_text()
    for key in ("Categories", "Keywords", "MimeType"):
        assert entry[key].endswith(";")


@pytest.mark.skipif(not shutil.which("desktop-file-validate"), reason="no desktop-file-utils")
def test_that_the_desktop_file_is_valid() -> None:
    words = ["desktop-file-validate", str(LINUX / "rfstudio.desktop")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_that_shops_are_told_how_many_networks_there_are() -> None:
    assert f"<li>{len(presets())} published networks," in METAINFO.read_text()


def test_that_the_types_of_files_are_declared() -> None:
    declared = Xml.parse(LINUX / "rfstudio-mime.xml").getroot()
    kinds = {x.attrib["type"] for x in declared.iter(f"{SPACE}mime-type")}
    opened = set(_entry()["MimeType"].rstrip(";").split(";"))
    assert kinds <= opened
    assert {x.text for x in Xml.parse(METAINFO).getroot().iter("mediatype")} <= kinds


@pytest.mark.skipif(not shutil.which("update-mime-database"), reason="no shared MIME database")
def test_that_the_database_of_types_takes_them(tmp_path: Path) -> None:
    target = tmp_path / "packages" / "rfstudio.xml"
    target.parent.mkdir()
    shutil.copyfile(LINUX / "rfstudio-mime.xml", target)
    done = subprocess.run(
        ["update-mime-database", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "application/vnd.pytorch.pt2:*.pt2" in (tmp_path / "globs").read_text()


def test_that_the_description_for_shops_is_of_this_version() -> None:
    release = Xml.parse(METAINFO).getroot().find("releases/release")
    assert release is not None
    assert release.attrib["version"] == rfstudio.__version__
    assert f"date-released: {release.attrib['date']}" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.skipif(not shutil.which("appstreamcli"), reason="no appstreamcli")
def test_that_the_description_for_shops_is_valid() -> None:
    words = ["appstreamcli", "validate", "--no-net", str(METAINFO)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("size", SIZES)
def test_that_the_sign_is_there_in_each_size(size: int) -> None:
    with Image.open(PACKAGING / "icons" / f"rfstudio-{size}.png") as icon:
        assert icon.size == (size, size)
        assert icon.mode == "RGBA"
        assert icon.getpixel((0, 0)) == (0, 0, 0, 0)  # round corners


@pytest.mark.slow
def test_that_notices_name_all_that_a_packed_program_holds() -> None:
    rows = re.findall(
        r"^\| (\S+) \| (\S+) \| (.+?) \| (\S+) \|$", NOTICES.read_text(), re.MULTILINE
    )
    noticed = {name: (version, licence) for name, version, licence, _ in rows[1:]}
    for package in packages():
        if package.name in PINNED:  # the others depend on the version of Python
            version = PINNED[package.name]
            assert noticed[package.name] == (version, package.licence)
    assert "LGPL-3.0" in noticed["PySide6_Essentials"][1]


@pytest.mark.slow
def test_that_the_texts_of_licences_are_gathered(tmp_path: Path) -> None:
    assert copy_texts(tmp_path) > 20
    for name in ("numpy", "matplotlib", "pyqtgraph", "pillow"):
        assert any(x.stat().st_size > 500 for x in (tmp_path / name).iterdir())
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in (tmp_path / "LGPL-3.0.txt").read_text()


@pytest.mark.slow
def test_that_the_program_tests_itself_in_its_window(tmp_path: Path) -> None:
    environment = {**os.environ, "RFSTUDIO_SELF_TEST": str(tmp_path), "HOME": str(tmp_path)}
    environment |= {"QT_QPA_PLATFORM": "offscreen", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    words = [sys.executable, "-m", "rfstudio", "resnet18"]
    done = subprocess.run(
        words, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {x.suffix for x in tmp_path.glob("self-test.*")} == {".png", ".svg", ".pdf"}
