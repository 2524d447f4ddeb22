"""The table of operations in docs/file-format.md names every operation with its parameters."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from rfstudio.core.ops import OPS, parameters

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "file-format.md"


@cache
def _rows() -> tuple[tuple[str, str], ...]:
    """Return the first two cells of each row: operations, and their parameters."""
    _, _, rest = DOCUMENT.read_text("utf-8").partition("### Ops\n")
    table, _, _ = rest.partition("\n\n")
    cells = [line.split("|")[1:3] for line in table.splitlines()[2:]]
    return tuple((names, values) for names, values in cells)


def _row_of(keyword: str) -> tuple[str, str]:
    rows = [x for x in _rows() if f"`{keyword}`" in x[0]]
    assert len(rows) == 1, f"{keyword} has {len(rows)} rows in {DOCUMENT.name}"
    return rows[0]


def test_that_the_document_names_no_other_operation() -> None:
    named = [x for names, _ in _rows() for x in re.findall("`(.+?)`", names)]
    assert sorted(named) == sorted(OPS)


@pytest.mark.parametrize("keyword", OPS)
def test_that_the_document_names_every_parameter(keyword: str) -> None:
    names, values = _row_of(keyword)
    if "as in torch.nn" in values:
        return
    known = set(re.findall(r"[a-z_]+", f"{names} {values}"))
    for other in re.findall("as `(.+?)`", values):
        known |= {x.word for x in parameters(OPS[other])}
    assert [x.word for x in parameters(OPS[keyword]) if x.word not in known] == []


@pytest.mark.parametrize("keyword", OPS)
def test_that_defaults_in_the_document_are_those_of_the_operation(keyword: str) -> None:
    _, values = _row_of(keyword)
    written = dict(re.findall(r"([a-z_]+) \((true|false|[\d.e-]+)\b", values))
    for parameter in parameters(OPS[keyword]):
        if parameter.word in written:
            assert written[parameter.word] == str(parameter.default).lower()
