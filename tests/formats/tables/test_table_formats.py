"""A format of tables is one class: it writes analyses and comparisons without anything else."""

from __future__ import annotations

import pytest

from rfstudio.core import ops
from rfstudio.core.fields.analysis import analyze
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.formats.tables.analysis_tables import Table
from rfstudio.formats.tables.table_formats import (
    TABLE_WRITERS,
    WRITERS,
    Contents,
    TableWriter,
    Writer,
)

ANALYSIS = analyze(
    Architecture(
        name="two",
        input_size=(16, 16),
        layers=(Layer(ops.Conv(kernel_size=3), "a"), Layer(ops.Relu(), "b")),
    )
)


class Tabs(TableWriter):
    """Cells parted by tabs, as somebody may add them."""

    word, title, file_title, suffix = "tabs", "Tabs", "Tabs", ".tsv"

    def table(self, table: Table, caption: str = "") -> str:
        rows = (table.headers, *table.rows)
        return f"{caption}\n" + "".join("\t".join(row) + "\n" for row in rows)


def test_that_a_new_format_writes_analyses_and_comparisons_with_one_method() -> None:
    lines = Tabs().analysis(ANALYSIS).splitlines()
    assert lines[0] == "two"
    assert lines[1].startswith("layer\top\t")
    assert [x.split("\t")[0] for x in lines[2:]] == ["a", "b"]
    contents = Contents(layers=ANALYSIS.layers[1:])
    assert Tabs().analysis(ANALYSIS, contents).splitlines()[2].startswith("b\trelu\t")
    assert Tabs().comparison({"net": ANALYSIS}).splitlines()[2].startswith("net\t16×16\t2\t")


@pytest.mark.parametrize("writer", WRITERS.values(), ids=list(WRITERS))
def test_that_every_format_writes_what_is_asked_for(writer: Writer) -> None:
    assert "relu" in writer.analysis(ANALYSIS)
    assert "net" in writer.comparison({"net": ANALYSIS})
    assert WRITERS[writer.word] is writer


def test_that_words_titles_and_endings_are_distinct() -> None:
    for names in (
        [x.word for x in WRITERS.values()],
        [x.title for x in WRITERS.values()],
        [x.suffix for x in WRITERS.values()],
    ):
        assert len(set(names)) == len(names)
    assert [x.title for x in TABLE_WRITERS] == ["CSV", "Markdown", "LaTeX"]
