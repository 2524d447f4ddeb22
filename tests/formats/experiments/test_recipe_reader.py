"""Recipes of experiments: what they hold, and where their mistakes are."""

import re
from pathlib import Path

import pytest

from rfstudio.core.errors import FormatError, RFStudioError
from rfstudio.formats.experiments import shipped
from rfstudio.formats.experiments.recipe import CurveChart, FieldItem, PictureChart, TrainingItem
from rfstudio.formats.experiments.recipe_reader import read_recipe

RECIPE = """\
format: 1
title: two depths
networks:
  stack:
    format: 1
    input: {size: [$size, $size], channels: 1}
    layers:
      - repeat:
          name: stack
          times: $layers
          layers:
            - conv: {name: conv, kernel_size: 3, padding: 1, out_channels: 1}
            - $activation: {}
rows:
  - series: relu
    network: stack
    estimator: abs
    samples: 7
    with: {activation: relu}
    each: [{layers: 2, size: 9}, {layers: 3, size: 11}]
  - {series: preset, network: vgg16, layers: [conv1_1, conv1_2]}
charts:
  - {x: layers, y: luo_size, log: true, published: [{label: paper, exponent: 0.5}]}
  - {pictures: true, label: layers}
"""


def _mistakes(text: str) -> list[str]:
    with pytest.raises(FormatError) as caught:
        read_recipe(text, "own", "own.yaml")
    return str(caught.value).splitlines()


def test_that_a_row_is_one_item_for_each_set_of_parameters_and_each_layer() -> None:
    items = read_recipe(RECIPE, "own").items
    assert [type(x) for x in items] == [FieldItem] * 4
    assert [x.parameters for x in items[:2]] == [
        {"activation": "relu", "layers": 2, "size": 9},
        {"activation": "relu", "layers": 3, "size": 11},
    ]
    assert [x.network.input_size for x in items[:2]] == [(9, 9), (11, 11)]
    assert [x.layer for x in items[2:] if isinstance(x, FieldItem)] == ["conv1_1", "conv1_2"]
    first = items[0]
    assert isinstance(first, FieldItem)
    assert (first.estimator, first.samples, first.weights) == ("abs", 7, "random")


def test_that_charts_are_curves_with_published_slopes_or_pictures() -> None:
    curves, pictures = read_recipe(RECIPE, "own").charts
    assert isinstance(curves, CurveChart)
    assert curves.log
    assert [(x.label, x.exponent) for x in curves.published] == [("paper", 0.5)]
    assert pictures == PictureChart(label="layers")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("estimator: abs", "estimator: abss", "own.yaml:17:16: there is no estimator 'abss'"),
        ("samples: 7", "sample: 7", "own.yaml:18:5: a row has no 'sample'; did you mean"),
        ("samples: 7", "samples: many", "own.yaml:18:14: samples must be a whole number, not"),
        ("samples: 7", "samples: 0", "own.yaml:18:14: samples must be from 1 to"),
        # Mistakes in a network have the place in the recipe.
        ("kernel_size: 3", "kernal_size: 3", "own.yaml:12:34: conv has no 'kernal_size'"),
        ("{activation: relu}", "{activatoin: relu}", "the row gives no 'activation'"),
        ("network: vgg16", "network: vgg61", "there is no preset and no file 'vgg61'"),
        ("title: two depths\n", "", "own.yaml:1:1: a recipe needs title"),
        ("format: 1\ntitle", "format: 2\ntitle", "update RF Studio"),
        ("y: luo_size", "z: luo_size", "a chart needs x and y, or pictures: true"),
        ("rows:", "rows: 3\nrest:", "rows must be a list, not 3"),
    ],
)
def test_that_a_mistake_has_its_place(old: str, new: str, problem: str) -> None:
    assert old in RECIPE
    assert any(problem in x for x in _mistakes(RECIPE.replace(old, new, 1)))


def test_that_a_student_needs_an_earlier_teacher() -> None:
    text = """\
format: 1
title: taught
networks:
  one:
    format: 1
    input: {size: [9, 9], channels: 1}
    layers: [conv: {kernel_size: 3, padding: 1, out_channels: 2}]
rows:
  - {series: teacher, network: one, train: {distance: 1, steps: 8, film: [4]}}
  - {series: student, network: one, train: {distance: 1, teacher: teacher, shortcut: 0.5}}
"""
    teacher, student = read_recipe(text, "own").items
    assert isinstance(teacher, TrainingItem)
    assert isinstance(student, TrainingItem)
    assert teacher.film == (0, 4, 8)
    assert (student.teacher, student.compare, student.shortcut) == ("teacher", "teacher", 0.5)
    found = _mistakes(text.replace("teacher: teacher", "teacher: nobody"))
    assert any("no row before 'student' trains 'nobody'" in x for x in found)


@pytest.mark.parametrize("name", shipped.names())
def test_that_a_shipped_recipe_has_no_mistakes(name: str) -> None:
    (recipe,) = shipped.recipes_of(name)
    assert recipe.name == name
    assert recipe.items
    assert recipe.charts
    assert recipe.description


def test_that_a_folder_of_recipes_is_one_experiment_of_several_parts() -> None:
    parts = [x.name for x in shipped.recipes_of("luo2016")]
    assert parts == [f"luo2016/fig{x}" for x in ("1a", "1b", "2", "3", "4")]


def test_that_an_own_recipe_is_run_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(RECIPE)
    (recipe,) = shipped.recipes_of(path)
    assert (recipe.name, recipe.file_name) == ("mine", "mine")


def test_that_an_unknown_experiment_names_the_nearest() -> None:
    with pytest.raises(RFStudioError, match="did you mean 'luo2016'"):
        shipped.recipes_of("lou2016")


def test_that_the_recipe_of_the_documentation_has_no_mistakes() -> None:
    text = (Path(__file__).parents[3] / "docs" / "experiments.md").read_text()
    (recipe,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    items = read_recipe(recipe, "documented").items
    assert [x.series for x in items] == ["relu", "relu", "ResNet-50", "ResNet-50"]
    assert all(name.partition("/")[0] in text for name in shipped.names())


def test_that_a_row_has_an_initialisation_which_may_be_a_parameter() -> None:
    rows = (
        "  - {series: a, network: stack, init: lecun, with: {activation: relu, size: 9, layers: 2}}"
    )
    text = RECIPE.replace("rows:", f"rows:\n{rows}", 1)
    text = text.replace("    samples: 7", "    samples: 7\n    init: $law")
    text = text.replace("{layers: 2, size: 9}", "{layers: 2, size: 9, law: orthogonal:2}")
    text = text.replace("{layers: 3, size: 11}", "{layers: 3, size: 11, law: he}")
    items = [x for x in read_recipe(text, "own").items if isinstance(x, FieldItem)]
    assert [x.init for x in items[:3]] == ["lecun_normal", "orthogonal:2", "he_normal"]
    (mistake,) = _mistakes(RECIPE.replace("    samples: 7", "    samples: 7\n    init: hi"))
    assert mistake.startswith("own.yaml:19:11: there is no initialisation 'hi'")
