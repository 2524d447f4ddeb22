"""The floor of test coverage: below it the checks fail, and it only ever goes up.

    python -m tools.coverage_floor            compare what was measured with the floor
    python -m tools.coverage_floor --raise    write what was measured as the new floor

The floor is ``fail_under`` in pyproject.toml, in percent of lines and branches.  It is set a little
below what is measured, since versions of Python count branches differently and some branches
depend on the speed of the machine.
"""

import argparse
import io
import math
import re
import sys
from pathlib import Path

import coverage

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
MARGIN = 0.5
_FLOOR = re.compile(r"^fail_under = ([\d.]+)$", flags=re.MULTILINE)


def floor_of(text: str) -> float:
    """Return the floor that the text of a pyproject.toml holds, in percent."""
    (found,) = _FLOOR.findall(text)
    return float(found)


def next_floor(measured: float, floor: float) -> float:
    """Return the floor that a measured coverage allows, in steps of a half; never a lower one."""
    return max(floor, math.floor((measured - MARGIN) * 2) / 2)


def with_floor(text: str, floor: float) -> str:
    """Return the text of a pyproject.toml with another floor."""
    return _FLOOR.sub(f"fail_under = {floor:g}", text)


def _measured() -> float:
    data = coverage.Coverage()
    data.load()
    return data.report(file=io.StringIO())


def main(words: list[str]) -> int:
    """Compare or raise; the status is 1 below the floor."""
    parser = argparse.ArgumentParser(prog="python -m tools.coverage_floor")
    parser.add_argument("--raise", dest="raising", action="store_true", help="raise the floor")
    raising = parser.parse_args(words).raising
    text = PYPROJECT.read_text()
    measured, floor = _measured(), floor_of(text)
    possible = next_floor(measured, floor)
    print(f"{measured:.2f} % of lines and branches are tested; the floor is {floor:g} %")
    if measured < floor:
        return 1
    if raising:
        PYPROJECT.write_text(with_floor(text, possible))
        print(f"the floor is now {possible:g} %")
    elif possible > floor:
        print(f"it can be raised to {possible:g} %: python -m tools.coverage_floor --raise")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
