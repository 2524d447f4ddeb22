"""What leaves the window of an effective field is what the command line writes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rfstudio.app.effective.erf_numbers import HEADERS
from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.erf_view import ErfView
from rfstudio.app.files.erf_export import ErfExport
from rfstudio.app.state.analysis_session import AnalysisSession
from rfstudio.app.state.document import Document, write_network
from rfstudio.app.state.selection import Selection
from rfstudio.cli import main
from rfstudio.core import ops
from rfstudio.core.errors import RFStudioError
from rfstudio.core.metrics.registry import NAMES
from rfstudio.core.network.architecture import Architecture, Layer
from rfstudio.engine.requests.request import ErfResult
from tests.measurements import FakeMeasurements, result_of
from tests.narrowing import present

SIGMA = 3.0


def conv(name: str) -> Layer:
    return Layer(ops.Conv(kernel_size=3, padding=1, out_channels=4), name)


NETWORK = Architecture(
    name="two", input_size=(41, 41), layers=(conv("a"), Layer(ops.Relu(), "r"), conv("b"))
)


def gaussian() -> ErfResult:
    """A measurement that is there: a Gaussian around the unit."""
    y, x = np.mgrid[:41, :41] - 20.0
    return result_of(
        "b",
        (20, 20),
        np.exp(-(y**2 + x**2) / (2 * SIGMA**2)),
        samples=17,
        options={"estimator": "abs", "seed": 3, "unit": (20, 20), "fill": float("nan")},
        device="cpu (1 of 2 cores)",
        seconds=1.23456,
        notes=("a note",),
    )


class Bench:
    def __init__(self) -> None:
        self.document = Document(NETWORK)
        self.session = AnalysisSession(self.document)
        self.selection = Selection(self.session)
        self.selection.select_layer("b", (20, 20))
        self.measured = FakeMeasurements(self.session)
        self.view = ErfView(self.session, self.selection, self.measured)
        self.export = ErfExport(self.view)

    def number(self, name: str) -> tuple[float | None, ...]:
        return next(x.values for x in self.export.rows() if x.name == name)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _read(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    with np.load(path) as file:
        return file["map"], json.loads(str(file["json"]))


def test_that_the_expected_field_is_written_as_the_command_line_does(
    bench: Bench, tmp_path: Path
) -> None:
    bench.export.save(tmp_path / "window.npz")
    bench.export.save(tmp_path / "window.json", "rfstudio erf two.yaml")
    record = json.loads((tmp_path / "window.json").read_text())
    assert record["command"] == "rfstudio erf two.yaml"
    write_network(tmp_path / "two.yaml", NETWORK)
    words = ["erf", str(tmp_path / "two.yaml"), "--layer", "b", "--unit", "20", "20"]
    assert main([*words, "--estimator", "expected", "--output", str(tmp_path / "cli.npz")]) == 0
    ours, theirs = _read(tmp_path / "window.npz"), _read(tmp_path / "cli.npz")
    assert np.array_equal(ours[0], theirs[0])
    assert set(theirs[1]) - set(ours[1]) == {"seconds", "command"}
    for key in ("format", "name", "input", "layer", "unit", "estimator", "notes", "metrics"):
        assert ours[1][key] == theirs[1][key], key


def test_that_a_measured_field_is_written_with_all_of_its_run(bench: Bench, tmp_path: Path) -> None:
    bench.measured.show(gaussian(), "done")
    bench.export.save(tmp_path / "field.npz")
    field, record = _read(tmp_path / "field.npz")
    assert np.array_equal(field, gaussian().map)
    assert (record["estimator"], record["samples"], record["recipe"]) == ("abs", 17, None)
    assert record["options"] == {"estimator": "abs", "seed": 3, "unit": [20, 20], "fill": None}
    assert (record["seconds"], record["device"]) == (1.235, "cpu (1 of 2 cores)")
    assert record["notes"] == ["a note"]
    assert tuple(record["metrics"]) == NAMES
    bench.export.save(tmp_path / "field.json")
    assert json.loads((tmp_path / "field.json").read_text()) == record

    options = ErfOptions(estimator="abs", images_per_weights=1, batch_norm="fresh", samples=20)
    bench.measured.show(replace(gaussian(), wanted=20), "stopped", 0.85, options)
    assert bench.export.record()["recipe"] == "luo2016"
    assert bench.export.record()["notes"][-1] == "stopped after 17 of 20 samples"
    bench.measured.show(replace(gaussian(), wanted=20), "measuring", 0.85, options)
    assert bench.export.record()["notes"][-1] == "measured so far: 17 of 20 samples"


def test_that_numbers_stand_side_by_side_under_their_standard_names(bench: Bench) -> None:
    assert bench.number("luo_size")[0] is None
    bench.measured.show(gaussian(), "done")
    metrics = present(bench.view.shown.measured).metrics
    size, expected, _ = bench.number("luo_size")
    assert size == metrics.luo_size
    assert size == pytest.approx(4.406 * SIGMA, rel=0.02)
    assert expected == present(bench.view.shown.expected).metrics.luo_size
    assert bench.number("gaussian.r_squared")[0] == pytest.approx(1)
    assert bench.number("sigma.y")[0] == pytest.approx(SIGMA, rel=1e-3)
    plain, _, replknet = bench.number("area_ratio.0.5")
    assert plain == metrics.area_ratio["0.5"]
    assert replknet == metrics.area_ratio_replknet["0.5"]
    assert bench.number("fwhm")[2] is None
    names = [x.name.partition(".")[0] for x in bench.export.rows()]
    assert set(names) == set(NAMES) - {"area_ratio_replknet"}


def test_that_numbers_are_written_as_csv_markdown_and_latex(bench: Bench, tmp_path: Path) -> None:
    bench.measured.show(gaussian(), "done")
    for suffix in (".csv", ".md", ".tex"):
        bench.export.save(tmp_path / f"n{suffix}")
    lines = (tmp_path / "n.csv").read_text().splitlines()
    assert len(lines) == len(bench.export.rows()) + 1
    assert lines[0] == ",".join(HEADERS)
    fwhm = next(x for x in lines if x.startswith("fwhm,px,"))
    assert float(fwhm.split(",")[2]) == bench.number("fwhm")[0]  # every digit
    assert "| fwhm " in (tmp_path / "n.md").read_text()
    assert "luo\\_size" in (tmp_path / "n.tex").read_text()


def test_that_what_cannot_be_saved_is_said(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(RFStudioError, match=r"saved as .npz, .json"):
        bench.export.save(tmp_path / "field.gif")
    bench.document.edit("Grow", Architecture(name="huge", input_size=(5000, 5000),
                                             layers=NETWORK.layers))  # fmt: skip
    with pytest.raises(RFStudioError, match="no effective field"):
        bench.export.save(tmp_path / "field.npz")
    assert list(tmp_path.iterdir()) == []
