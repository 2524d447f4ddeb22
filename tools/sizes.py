"""The largest files, classes and functions of the package, and its fullest folders.

    python -m tools.sizes [--count 10] [folder, by default rfstudio]

The numbers are signs, never laws: a long table of operations may read better than six short files,
and a class of Qt has the methods that Qt wants.  What is at the top is worth a look now and then.
"""

import argparse
import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Size(NamedTuple):
    """How large something is: lines, or what else is counted."""

    number: int
    name: str


def sizes(folder: Path) -> dict[str, list[Size]]:
    """Return what is in a folder of code, by kind and the largest first."""
    paths = sorted(folder.rglob("*.py"))
    found: dict[str, list[Size]] = {
        "files, in lines": [Size(len(x.read_text().splitlines()), _name(x)) for x in paths],
        "classes, in lines": [],
        "classes, in methods": [],
        "functions, in lines": [],
        "folders, in files": [
            Size(n, _name(x)) for x, n in Counter(x.parent for x in paths).items()
        ],
    }
    for path in paths:
        for name, node in _definitions(ast.parse(path.read_text())):
            place = f"{_name(path)}:{node.lineno} {name}"
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if isinstance(node, ast.ClassDef):
                methods = sum(isinstance(x, ast.FunctionDef) for x in node.body)
                found["classes, in lines"].append(Size(lines, place))
                found["classes, in methods"].append(Size(methods, place))
            else:
                found["functions, in lines"].append(Size(lines, place))
    return {kind: sorted(x, key=lambda size: -size.number) for kind, x in found.items()}


def report(found: dict[str, list[Size]], count: int) -> Iterator[str]:
    """Yield the lines of a report on the largest of each kind."""
    for kind, largest in found.items():
        if not largest:
            continue
        middle = largest[len(largest) // 2].number
        yield f"{kind}: {len(largest)} of them, median {middle}"
        yield from (f"{number:7,}  {name}" for number, name in largest[:count])
        yield ""


def _name(path: Path) -> str:
    return (path.relative_to(ROOT) if path.is_relative_to(ROOT) else path).as_posix()


_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _definitions(tree: ast.AST, outer: str = "") -> Iterator[tuple[str, _Definition]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _Definition):
            name = f"{outer}{node.name}"
            yield name, node
            yield from _definitions(node, f"{name}.")
        else:
            yield from _definitions(node, outer)


def main(words: Iterable[str] | None = None) -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(prog="python -m tools.sizes", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "rfstudio")
    parser.add_argument("--count", type=int, default=10, help="how many of each kind")
    options = parser.parse_args(None if words is None else list(words))
    print("\n".join(report(sizes(options.folder.resolve()), options.count)))


if __name__ == "__main__":
    main()
