"""Examples in docstrings show what really happens, and every public function has one."""

from __future__ import annotations

import doctest
import sys

import pytest

import rfstudio

PUBLIC = [x for x in rfstudio.__all__ if x not in ("RFStudioError", "__version__")]
FINDER = doctest.DocTestFinder(recurse=False)


@pytest.mark.parametrize("name", PUBLIC)
def test_that_the_example_of_a_public_function_is_true(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    function = getattr(rfstudio, name)
    (found,) = FINDER.find(function, name, module=sys.modules[function.__module__])
    assert found.examples, f"{name} has no example"
    failures = doctest.DocTestRunner(verbose=False).run(found).failed
    assert not failures, capsys.readouterr().out


def test_that_the_example_of_the_package_is_true() -> None:
    assert doctest.testmod(rfstudio).failed == 0
