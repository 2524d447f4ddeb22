"""Rules of the house that no linter knows."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = sorted((ROOT / "rfstudio").rglob("*.py"))
BESIDE_THE_PACKAGE = {"packaging", "presets"}  # the wheel and its README; architectures/
TESTS = [x for x in sorted((ROOT / "tests").rglob("*.py")) if x != Path(__file__).resolve()]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _calls(tree: ast.AST) -> set[str]:
    """Return the names of the methods that code calls, but for what fixtures do."""
    return {
        node.func.attr
        for node in _outside_fixtures(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def _outside_fixtures(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        decorators = getattr(node, "decorator_list", [])
        # A fixture may let Qt finish what the test began, before leaks are counted.
        if not any("fixture" in ast.unparse(x) for x in decorators):
            yield node
            yield from _outside_fixtures(node)


@pytest.mark.parametrize("path", [*CODE, *TESTS], ids=_name)
def test_that_nobody_sleeps_or_pumps_the_event_loop(path: Path) -> None:
    if path.name == "works.py":
        return  # plays work that hangs, in another process
    assert not _calls(_tree(path)) & {"processEvents", "sleep", "qWait"}


@pytest.mark.parametrize("path", CODE, ids=_name)
def test_that_a_module_says_what_it_is_for(path: Path) -> None:
    docstring = ast.get_docstring(_tree(path))
    assert docstring
    assert docstring.partition("\n\n")[0].rstrip().endswith((".", ":")), "a sentence, please"


@pytest.mark.parametrize("path", CODE, ids=_name)
def test_that_a_module_is_named_for_what_it_holds(path: Path) -> None:
    assert not re.search(r"util|helper|manager|misc|common", _name(path))


@pytest.mark.parametrize("path", TESTS, ids=_name)
def test_that_the_names_of_tests_are_sentences(path: Path) -> None:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert node.name.startswith("test_that_"), node.name


def _folders(paths: Iterable[Path], root: str) -> set[str]:
    """Return the folders of files and all folders around them, below a root."""
    below = (x.relative_to(ROOT / root) for x in paths)
    return {y.as_posix() for x in below for y in x.parents} - {"."}


def test_that_this_folder_of_tests_mirrors_the_package() -> None:
    package = _folders(CODE, "rfstudio")
    # A folder is there for its tests, its own or those of the folders in it.
    tests = _folders((x for x in TESTS if x.name.startswith("test_")), "tests")
    assert package - tests == set(), "folders of the package without tests"
    assert tests - package - BESIDE_THE_PACKAGE == set(), "tests of no folder of the package"
