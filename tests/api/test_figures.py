"""Figures by Python and by the command line: the same bytes, and mistakes in words."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rfstudio
from rfstudio.api.figures import frames_of, growths_of, panel_of
from rfstudio.cli.program import run
from rfstudio.cli.words import FIGURE_KINDS
from rfstudio.core.errors import RFStudioError
from rfstudio.figures import KINDS
from rfstudio.formats.experiments.ledger import Ledger, Row


def test_that_the_command_line_names_all_kinds() -> None:
    assert tuple(KINDS) == FIGURE_KINDS


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (
            "vgg16 --kind field --layer conv3_3 --unit 3 4 --width 85",
            {"kind": "field", "networks": ["vgg16"], "layer": "conv3_3", "unit": (3, 4)},
        ),
        (
            "vgg16 vgg11 --kind growth --width 85 --scale log",
            {"kind": "growth", "networks": ["vgg16", "vgg11"], "scale": "log"},
        ),
    ],
    ids=["field", "growth"],
)
def test_that_command_and_python_draw_the_same(words: str, call: dict, tmp_path: Path) -> None:
    assert run(["figure", *words.split(), "-o", str(tmp_path / "a.svg")]) == 0
    networks, kind = call.pop("networks"), call.pop("kind")
    rfstudio.figure(kind, *networks, width_mm=85, **call).save(tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_that_each_layer_of_each_network_is_a_panel_or_those_that_are_named() -> None:
    made = rfstudio.figure("comparison", "vgg16", "vgg11", layer=["conv1_1", "pool1"])
    assert [(x.name, x.layer) for x in made.content.panels] == [
        ("VGG-16", "conv1_1"),
        ("VGG-16", "pool1"),
        ("VGG-11", "conv1_1"),
        ("VGG-11", "pool1"),
    ]
    named = rfstudio.figure("comparison", panels=[("vgg16", "pool1", (0, 0)), ("vgg11", "pool1")])
    assert [x.unit for x in named.content.panels] == [(0, 0), (56, 56)]


def test_that_a_field_is_drawn_only_where_it_is_wanted_or_needed() -> None:
    assert rfstudio.figure("fields", "vgg16", layer="pool1").content.panel.erf is None
    assert rfstudio.figure("field", "vgg16", layer="pool1").content.panel.erf is not None


def test_that_growth_of_effective_fields_is_that_of_expected_ones() -> None:
    analysis = rfstudio.analyze("vgg11")
    panel = panel_of(analysis, "conv1_1", (0, 0))
    (growth,) = growths_of([panel], lambda _, layer: float(len(layer)))
    assert len(growth.erf_sizes) == len(growth.depths)


def test_that_a_film_is_read_from_the_ledger_of_an_experiment(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    ledger = Ledger({"format": 1}, path)
    for step in (0, 50):
        cells = {"series": "near", "step": step, "sigma": 2.5}
        ledger.add(Row(0, cells, np.ones((5, 5), np.float32)))
    ledger.finish(0)
    before = path.read_bytes()
    assert [(x.film, x.step, x.words) for x in frames_of(tmp_path)] == [
        ("near", 0, "σ 2.5 px"),
        ("near", 50, "σ 2.5 px"),
    ]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"kind": "movie"}, "fields, growth, field, comparison"),
        ({"kind": "field"}, "a network and a layer"),
        ({"kind": "growth"}, "needs a network"),
        ({"kind": "lesson"}, "number of a lesson"),
        ({"kind": "film"}, "folder of an experiment"),
    ],
    ids=["kind", "field", "growth", "lesson", "film"],
)
def test_that_a_figure_of_nothing_is_refused_in_words(call: dict, words: str) -> None:
    with pytest.raises(RFStudioError, match=words):
        rfstudio.figure(**call)
    with pytest.raises(RFStudioError, match="from 1 to 10"):
        rfstudio.figure("lesson", 11)
    with pytest.raises(RFStudioError, match="an estimator is one of"):
        rfstudio.figure("field", "vgg16", layer="pool1", estimator="guess")


@pytest.mark.slow
def test_that_a_measured_field_its_difference_and_its_convergence_are_drawn(tmp_path: Path) -> None:
    network = ["luo_20_layers", "--layer", "stack.3"]
    words = [*network, "--samples", "4", "--seed", "1", "--device", "cpu"]
    for kind, estimators in (
        ("difference", ["expected", "energy"]),
        ("convergence", ["energy"]),
    ):
        path = tmp_path / f"{kind}.svg"
        command = ["figure", *words, "--kind", kind, "--estimator", *estimators, "-o", str(path)]
        done = subprocess.run([sys.executable, "-m", "rfstudio", *command], check=False)
        assert done.returncode == 0
        assert "expected" in path.read_text()
