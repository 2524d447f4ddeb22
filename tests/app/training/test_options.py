"""The options of a training: steps of the film, and texts."""

import pytest

from rfstudio.app.training.options import TrainingOptions, duration, film_of, recipe_text, size
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.experiments.recipe import TrainingItem
from rfstudio.formats.experiments.recipe_reader import read_recipe
from rfstudio.formats.networks.presets import open_network


@pytest.mark.parametrize(
    ("text", "film"),
    [
        ("", (0, 100)),
        ("every 40", (0, 40, 80, 100)),
        ("Every  7000", (0, 100)),
        ("30; 10\t200", (0, 10, 30, 100)),
    ],
)
def test_that_the_film_has_the_first_and_the_last_step(text: str, film: tuple[int, ...]) -> None:
    assert film_of(text, 100) == film


@pytest.mark.parametrize("text", ["often", "every", "every 0", "-3", "1.5"])
def test_that_other_texts_are_refused(text: str) -> None:
    with pytest.raises(RFStudioError, match="the film takes steps"):
        film_of(text, 100)


def test_that_a_film_has_no_more_frames_than_fit() -> None:
    with pytest.raises(RFStudioError, match="at most 500 steps"):
        TrainingOptions(steps=10_000, film="every 10").request(Architecture())


def test_that_the_recipe_of_a_training_says_how_weights_begin() -> None:
    network = open_network("luo_20_layers")
    options = TrainingOptions(init="kaiming_normal:tanh")
    (item,) = read_recipe(recipe_text(options, network), "own").items
    assert isinstance(item, TrainingItem)
    assert item.init == options.request(network).init == "he_normal:tanh"
    assert "init" not in recipe_text(TrainingOptions(), network)
    assert TrainingOptions().request(network).init == "torch"
    with pytest.raises(RFStudioError, match="no initialisation"):
        TrainingOptions(init="mine").request(network)


def test_that_times_and_sizes_are_said_in_words() -> None:
    assert [duration(x) for x in (0.1, 59, 150, 9000)] == ["1 s", "59 s", "2 min", "2.5 h"]
    assert [size(x) for x in (12, 34_000, 5_600_000, 7.8e9)] == ["12 B", "34 kB", "6 MB", "7.8 GB"]
