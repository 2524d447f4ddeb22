"""The tutorial in docs/tutorial.ipynb runs from the first cell to the last."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rfstudio
from rfstudio.core.shown import Shown

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text(encoding="utf-8"))


def _cells() -> list[str]:
    return ["".join(x["source"]) for x in NOTEBOOK["cells"] if x["cell_type"] == "code"]


def _run(cell: str, names: dict[str, Any]) -> object:
    """Run a cell as a notebook does, and return the value of its last line, which is shown."""
    body = ast.parse(cell).body
    last = body.pop() if isinstance(body[-1], ast.Expr) and not cell.endswith(";") else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def test_that_the_notebook_is_one_and_holds_no_output() -> None:
    assert NOTEBOOK["nbformat"] == 4
    assert len({x["id"] for x in NOTEBOOK["cells"]}) == len(NOTEBOOK["cells"])
    assert not any(x.get("outputs") for x in NOTEBOOK["cells"])
    assert _cells()[0] == "import rfstudio"
    for cell in _cells():
        ast.parse(cell)


@pytest.mark.slow
def test_that_every_cell_runs_and_shows_what_it_ends_with() -> None:
    # A process of its own: pyplot and torch's threads stay out of other tests.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.api.test_tutorial"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = done.stdout.split()
    for kind in ("Analysis", "LayerAnalysis", "UnitView", "Erf", "MeasuredErf", "Advice"):
        assert kind in shown
    assert Path(rfstudio.__file__).parent.parent == ROOT


def _show_all() -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in _cells():
        value = _run(cell, names)
        if isinstance(value, Shown):
            assert value._repr_html_()
            sys.stdout.write(f"{type(value).__name__}\n")


if __name__ == "__main__":
    _show_all()
