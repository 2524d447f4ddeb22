"""Rules of the house that no linter knows."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = sorted((ROOT / "rfstudio").rglob("*.py"))
TESTS = [x for x in sorted((ROOT / "tests").rglob("*.py")) if x != Path(__file__).resolve()]

LONGEST_FILE = 500
LONGEST_CLASS = 430  # a Qt model or view is one class, whose many methods are Qt's
MOST_METHODS = 40


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@pytest.mark.parametrize("path", CODE, ids=_name)
def test_that_files_and_classes_stay_small(path: Path) -> None:
    # A catalogue of values, one small class each, may be longer.
    if path.parent.name != "ops":
        assert len(path.read_text().splitlines()) <= LONGEST_FILE
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ClassDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_CLASS, node.name
            methods = [x for x in node.body if isinstance(x, ast.FunctionDef)]
            assert len(methods) <= MOST_METHODS, node.name


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


def test_that_this_folder_of_tests_mirrors_the_package() -> None:
    folders = {x.parent.relative_to(ROOT / "rfstudio").parts[:1] for x in CODE}
    for (name,) in folders - {()}:
        assert list((ROOT / "tests" / name).rglob("test_*.py")), name
