"""What keeps the project in shape is in step with itself: checks, hooks, versions of Python."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tools.coverage_floor import floor_of, next_floor, with_floor
from tools.sizes import sizes

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = (ROOT / "pyproject.toml").read_text()
SETTINGS = tomllib.loads(PYPROJECT)
CHECKS = (ROOT / ".ci" / "run").read_text()
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())


def test_that_a_commit_runs_every_check_that_needs_no_test() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert [x["repo"] for x in hooks] == ["local"], "versions are those of constraints.txt"
    programs = {x["entry"].split()[0] for x in hooks[0]["hooks"]}
    lint = CHECKS.partition("step 'lint'")[2].partition("step 'tests'")[0]
    checked = {x.split()[0] for x in lint.splitlines() if x and not x.startswith("step")}
    assert checked == {"ruff", "mypy", "lint-imports", "vulture", "codespell"}
    assert checked <= programs


def test_that_hosted_checks_run_on_every_version_that_is_promised() -> None:
    versions = WORKFLOW["jobs"]["checks"]["strategy"]["matrix"]["python"]
    least = SETTINGS["project"]["requires-python"].removeprefix(">=")
    assert versions[0] == least
    classifiers = SETTINGS["project"]["classifiers"]
    promised = [x.rpartition(" :: ")[2] for x in classifiers if "Python :: 3." in x]
    assert versions == promised


def test_that_everything_that_is_installed_is_pinned() -> None:
    pinned = {_plain(x) for x in (ROOT / "constraints.txt").read_text().splitlines()}
    project = SETTINGS["project"]
    extras = [x for words in project["optional-dependencies"].values() for x in words]
    wanted = {_plain(x) for x in [*project["dependencies"], *extras]}
    wanted.discard(project["name"])  # an extra that holds another one, which is looked at as well
    assert wanted <= pinned


def _plain(requirement: str) -> str:
    """Return the name of a package as indexes compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[=<>]", requirement)[0]).lower()


@pytest.mark.parametrize(
    ("measured", "floor", "following"), [(91.3, 80, 90.5), (90.4, 90, 90), (88.0, 90, 90)]
)
def test_that_the_floor_of_coverage_never_goes_down(
    measured: float, floor: float, following: float
) -> None:
    assert next_floor(measured, floor) == following


def test_that_the_floor_of_coverage_is_written_where_it_is_read() -> None:
    floor = SETTINGS["tool"]["coverage"]["report"]["fail_under"]
    assert floor_of(PYPROJECT) == floor
    assert floor_of(with_floor(PYPROJECT, floor + 0.5)) == floor + 0.5


def test_that_sizes_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("class A:\n    def f(self):\n        pass\n\n\ndef g(): pass\n")
    (tmp_path / "b.py").write_text("\n")
    found = {kind: [x.number for x in largest] for kind, largest in sizes(tmp_path).items()}
    assert found == {
        "files, in lines": [6, 1],
        "classes, in lines": [3],
        "classes, in methods": [1],
        "functions, in lines": [2, 1],
        "folders, in files": [2],
    }
