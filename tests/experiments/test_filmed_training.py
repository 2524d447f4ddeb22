"""Filmed trainings: all on disk, stopped and gone on with, teachers, own images in recipes."""

import json
from dataclasses import replace
from pathlib import Path
from textwrap import indent

import numpy as np
import pytest
from PIL import Image

from rfstudio.core.errors import Cancelled, RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.engine.process.running import CancelToken
from rfstudio.engine.requests.training_request import TrainingRequest
from rfstudio.engine.training.tasks import TEST_IMAGES
from rfstudio.experiments.filmed_training import (
    TrainingNow,
    plan_training,
    request_of,
    run_training,
)
from rfstudio.experiments.running import run
from rfstudio.formats.experiments.film import STATE, FilmError, FilmReader, last_weights
from rfstudio.formats.experiments.recipe_reader import read_recipe
from rfstudio.formats.networks.yaml_reader import read_yaml

# One output more than the task has, so that its outputs are added.
NETWORK = """\
format: 1
name: tiny
input: {size: [9, 9], channels: 1}
layers:
  - conv: {name: stem, kernel_size: 3, padding: 1, out_channels: 3, bias: false}
  - batch_norm: {}
"""


def request(**changes) -> TrainingRequest:
    usual = TrainingRequest(
        architecture=read_yaml(NETWORK), distance=1.0, steps=12, batch=4, film=(4, 8)
    )
    return replace(usual, **changes)


def train(folder: Path, wanted: TrainingRequest, *, stop_at: int = -1, resume: bool = False):
    token, seen = CancelToken(), []

    def report(_fraction: float, now: TrainingNow) -> None:
        seen.append(now)
        if now.step == stop_at:
            token.cancel()

    run_training(wanted, folder, resume=resume, token=token, report=report)
    return seen


def film(folder: Path) -> FilmReader:
    reader = FilmReader(folder)
    assert reader.poll()
    return reader


def test_that_a_film_has_frames_weights_and_the_network(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    seen = train(folder, request())
    found = film(folder)
    assert list(found.frames) == [0, 4, 8, 12]
    assert found.head["changes"] == "with a convolution to 2 outputs"
    assert [x.step for x in seen if x.frames == 4] == [12]
    assert len(found.frames[8].losses) == 4
    assert found.frames[12].map.max() == 1.0
    assert not (folder / STATE).exists()
    network = found.network
    assert isinstance(network, Architecture)
    assert last_weights(folder).name == "step-000012.safetensors"
    assert len(list(folder.glob("step-*"))) == 4


def test_that_a_film_says_how_weights_began(tmp_path: Path) -> None:
    train(tmp_path / "own", request(steps=2, film=(), init="xavier_uniform:relu"))
    assert request_of(film(tmp_path / "own")).init == "xavier_uniform:relu"
    train(tmp_path / "usual", request(steps=2, film=()))
    # As films from before there was a choice.
    assert "init" not in film(tmp_path / "usual").head
    assert request_of(film(tmp_path / "usual")).init == "torch"
    with pytest.raises(FilmError):
        train(tmp_path / "usual", request(steps=2, film=(), init="orthogonal"), resume=True)


def test_that_rows_of_a_training_say_how_weights_began() -> None:
    text = f"""\
format: 1
title: starts
networks:
  tiny:
{indent(NETWORK, "    ")}
rows:
  - series: own
    network: tiny
    with: {{start: orthogonal}}
    train: {{distance: 1, steps: 1, batch: 2, init: $start}}
  - series: usual
    network: tiny
    train: {{distance: 1, steps: 1, batch: 2, init: torch}}
"""
    found = run(read_recipe(text, "starts"))
    cells = found.records()
    assert {x["samples"] for x in cells} == {TEST_IMAGES}
    assert found.facts == f"energy, during training, {TEST_IMAGES} samples, seed 0"
    assert [x.get("init") for x in cells if x["step"] == 1] == ["orthogonal", None]


def test_that_a_film_from_before_samples_were_counted_goes_on(tmp_path: Path) -> None:
    train(tmp_path / "whole", request())
    with pytest.raises(Cancelled):
        train(tmp_path / "cut", request(), stop_at=6)
    path = tmp_path / "cut" / "film.jsonl"
    lines = [json.loads(x) for x in path.read_text().splitlines()]
    for line in lines:
        line.get("cells", {}).pop("samples", None)
    path.write_text("".join(f"{json.dumps(x)}\n" for x in lines))
    assert list(film(tmp_path / "cut").frames) == [0, 4]
    train(tmp_path / "cut", request(), resume=True)
    whole, cut = film(tmp_path / "whole"), film(tmp_path / "cut")
    assert list(cut.frames) == [0, 4, 8, 12]
    assert all(np.array_equal(whole.frames[i].map, cut.frames[i].map) for i in whole.frames)


def test_that_a_stopped_training_goes_on_to_the_same_film(tmp_path: Path) -> None:
    train(tmp_path / "whole", request())
    with pytest.raises(Cancelled):
        train(tmp_path / "cut", request(), stop_at=6)
    assert list(film(tmp_path / "cut").frames) == [0, 4]
    # What a crash leaves of a line does no harm.
    with (tmp_path / "cut" / "film.jsonl").open("ab") as file:
        file.write(b'{"item": 0, "cel')
    train(tmp_path / "cut", request(), resume=True)
    whole, cut = film(tmp_path / "whole"), film(tmp_path / "cut")
    assert list(cut.frames) == [0, 4, 8, 12]
    assert all(np.array_equal(whole.frames[i].map, cut.frames[i].map) for i in whole.frames)
    assert all(whole.frames[i].losses == cut.frames[i].losses for i in whole.frames)
    weights = [(tmp_path / x / "step-000012.safetensors").read_bytes() for x in ("whole", "cut")]
    assert weights[0] == weights[1]


def test_that_a_film_of_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    train(tmp_path, request(steps=2, film=()))
    with pytest.raises(FilmError, match="another training"):
        train(tmp_path, request(steps=3, film=()), resume=True)


def test_that_files_of_others_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "step-000007.safetensors"
    other.write_bytes(b"mine")
    train(tmp_path, request(steps=1, film=()))
    assert other.read_bytes() == b"mine"


def test_that_a_student_learns_from_the_last_weights_of_a_teacher(tmp_path: Path) -> None:
    train(tmp_path / "teacher", request(steps=2, film=()))
    train(tmp_path / "student", request(steps=2, film=(), teacher=tmp_path / "teacher"))
    labels = film(tmp_path / "teacher").frames[2].losses
    taught = film(tmp_path / "student").frames[2].losses
    assert labels != taught
    wide = replace(request().architecture, input_size=(12, 9))
    with pytest.raises(RFStudioError, match="other inputs or outputs"):
        train(tmp_path / "other", request(architecture=wide, teacher=tmp_path / "teacher"))


def test_that_a_plan_says_what_is_changed_and_what_it_takes() -> None:
    plan = plan_training(request(film=(4,)))
    assert plan.changes == "with a convolution to 2 outputs"
    assert plan.request.film == (0, 4, 12)
    assert plan.estimate.parameters == 27 + 6 + 8
    assert plan.estimate.seconds > 0


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    folder = tmp_path / "colours"
    for name, colour in (("blue", (0, 0, 255)), ("red", (255, 0, 0))):
        (folder / name).mkdir(parents=True)
        for i in range(5):
            Image.new("RGB", (8, 6), colour).save(folder / name / f"{i}.png")
    return folder


RECIPE = """\
format: 1
title: own images
networks:
  own:
    format: 1
    input: {size: [6, 6], channels: 3}
    layers:
      - conv: {name: stem, kernel_size: 3, padding: 1, out_channels: 4}
rows:
  - series: colours
    network: own
    train: {data: colours, layer: stem, steps: 30, batch: 8, rate: 0.05, film: [10]}
columns: [series, step, accuracy, sigma]
"""


def test_that_a_recipe_trains_on_own_images(tmp_path: Path, colours: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(RECIPE)
    rows = run(read_recipe(RECIPE, "own", str(path))).records()
    assert [x["step"] for x in rows] == [0, 10, 30]
    assert rows[-1]["accuracy"] == 1.0
    assert {x["data"] for x in rows} == {"colours"}
    assert "distance" not in rows[0]
    assert colours.is_dir()
