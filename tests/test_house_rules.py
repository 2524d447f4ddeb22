"""Rules of the house that no linter knows."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE = sorted((ROOT / "rfstudio").rglob("*.py"))
BESIDE_THE_PACKAGE = {"fuzz", "packaging", "presets"}  # the wheel and its README; architectures/
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


def test_that_nobody_sleeps_or_pumps_the_event_loop() -> None:
    found = {
        _name(path): calls
        for path in [*CODE, *TESTS]
        # works.py plays work that hangs, in another process.
        if path.name != "works.py"
        and (calls := _calls(_tree(path)) & {"processEvents", "sleep", "qWait"})
    }
    assert not found


def test_that_a_module_says_what_it_is_for_in_a_sentence() -> None:
    firsts = {
        _name(path): (ast.get_docstring(_tree(path)) or "").partition("\n\n")[0].rstrip()
        for path in CODE
    }
    assert [name for name, first in firsts.items() if not first.endswith((".", ":"))] == []


def test_that_a_module_is_named_for_what_it_holds() -> None:
    vague = re.compile(r"util|helper|manager|misc|common")
    assert [name for name in map(_name, CODE) if vague.search(name)] == []


def test_that_the_names_of_tests_are_sentences() -> None:
    names = [
        f"{_name(path)}: {node.name}"
        for path in TESTS
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert names
    assert [x for x in names if ": test_that_" not in x] == []


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
