"""The wheel holds all that the program needs, and works where there is no checkout."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Without isolation and dependencies, so that no network is needed.
    words = ["wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", str(folder), str(ROOT)]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True, cwd=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the installed `rfstudio` of a new environment that knows no checkout."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True, symlinks=True)
    subprocess.run(
        [folder / "bin" / "pip", "install", "--no-deps", "--no-index", "--quiet", wheel], check=True
    )
    return folder / "bin" / "rfstudio"


def _run(program: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # The dependencies are those of this environment; -P and an empty folder keep the checkout out.
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    environment["PYTHONPATH"] = sysconfig.get_path("purelib")
    return subprocess.run(
        [program, *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=program.parent,
        env=environment,
    )


def test_that_the_wheel_holds_presets_resources_and_every_module(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("architectures", "resources"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                assert f"rfstudio/{path.relative_to(ROOT).as_posix()}" in names
    for path in (ROOT / "docs").rglob("*.md"):
        is_shipped = f"rfstudio/{path.relative_to(ROOT).as_posix()}" in names
        assert is_shipped == (path.parent.name != "site")
    for path in (ROOT / "rfstudio").rglob("*.py"):
        assert path.relative_to(ROOT).as_posix() in names
    assert "rfstudio/py.typed" in names
    strangers = {x for x in names if not x.startswith(("rfstudio/", "rfstudio-"))}
    assert not strangers


def test_that_the_installed_program_analyses_a_preset(program: Path) -> None:
    done = _run(program, "analyze", "vgg16", "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    layers = {x["name"]: x for x in json.loads(done.stdout)["layers"]}
    # RECEPTIVE_FIELD_TABLE.md of google-research/receptive_field.
    assert layers["pool5"]["rf_size"] == [212, 212]
    assert layers["pool5"]["jump"] == [32, 32]
    assert layers["pool5"]["padding"] == [90, 90]


def test_that_the_installed_program_uses_its_own_files(program: Path) -> None:
    python = program.with_name("python")
    script = "import rfstudio, rfstudio.paths as p; print(rfstudio.__file__); "
    script += "print(p.architectures()); print(p.sample_images())"
    done = subprocess.run(
        [python, "-P", "-c", script], capture_output=True, text=True, check=True, cwd=program.parent
    )
    for line in done.stdout.splitlines():
        assert Path(line).is_relative_to(program.parent.parent), line
        assert Path(line).exists()
