"""Sheets of experiments: plots and pictures in any number."""

import re

import numpy as np
import pytest

from rfstudio.figures import Curve, FigureError, Picture, Plot, Sheet, render_sheet

PLOT = Plot(
    title="growth",
    x_label="layers",
    y_label="size",
    log=True,
    curves=(
        Curve(label="ours: 0.5", xs=[4, 16], ys=[2, 4], law=([4, 16], [2, 4])),
        Curve(label="theirs $: 0.6", xs=[4, 16], ys=[2, 5], is_published=True),
    ),
)
LINE = ("a series", (Picture(title="step 0", map=np.eye(5), ring=2.0),))


@pytest.mark.parametrize(
    "sheet",
    [
        Sheet(title="plots", plots=(PLOT, PLOT)),
        Sheet(title="pictures", pictures=(LINE, LINE)),
        Sheet(title="both", plots=(PLOT,), pictures=(LINE,), note="how it was made"),
    ],
    ids=lambda x: x.title,
)
def test_that_a_sheet_has_its_texts(sheet: Sheet) -> None:
    drawn = render_sheet(sheet, ".svg").decode()
    assert sheet.title in drawn
    assert sheet.note in drawn
    assert all(curve.label in drawn for plot in sheet.plots for curve in plot.curves)
    assert all(name in drawn for name, _ in sheet.pictures)


def test_that_equal_sheets_are_equal_files() -> None:
    sheet = Sheet(title="same", plots=(PLOT,))
    assert render_sheet(sheet, ".svg") == render_sheet(sheet, ".svg")


def test_that_an_unknown_format_is_refused() -> None:
    with pytest.raises(FigureError):
        render_sheet(Sheet(title="x"), ".gif")


def test_that_a_narrow_sheet_has_room_for_its_title() -> None:
    title = "M" + "a long title of an experiment " * 3
    drawn = render_sheet(Sheet(title=title, pictures=(LINE,)), ".svg").decode()
    width = re.search(r'width="([0-9.]+)pt"', drawn)
    assert width
    # Letters of 8.5 points are about half as wide as high.
    assert float(width[1]) > 8.5 * 0.55 * len(title)


def test_that_curves_differ_without_their_colours() -> None:
    curves = tuple(Curve(label=f"c{i}", xs=[1, 2], ys=[i, i + 1], colour=i) for i in range(9))
    plot = Plot(title="x", x_label="x", y_label="y", curves=curves)
    drawn = render_sheet(Sheet(title="marks", plots=(plot,)), ".svg").decode()
    marks = re.findall(r'<defs>\s*<path id="m[0-9a-f]+" d="([^"]+)"', drawn)
    assert len(set(marks)) >= 7  # and those of the ticks


def test_that_lines_of_facts_end_between_two_of_them() -> None:
    facts = (
        "uniform: signed, uniform weights, 1 sample, seed 0; random: abs, random weights, seed 0"
    )
    drawn = render_sheet(
        Sheet(title="a title of some width", pictures=(LINE,), facts=facts), ".svg"
    )
    texts = re.findall(r">([^<>]+)</text>", drawn.decode())
    lines = [x.strip() for x in texts if x.strip() in facts]
    assert len(lines) > 1
    assert " ".join(lines) == facts
    assert all(x.endswith((",", ";", ":", "seed 0")) for x in lines)


def test_that_a_fact_wider_than_its_sheet_is_broken_between_words() -> None:
    facts = "one fact that has no mark at all and is much wider than the sheet on which it stands"
    drawn = render_sheet(Sheet(title="a title", pictures=(LINE,), facts=facts), ".svg").decode()
    texts = [x.strip() for x in re.findall(r">([^<>]+)</text>", drawn)]
    words = {y for x in texts for y in x.split()}
    assert set(facts.split()) <= words
