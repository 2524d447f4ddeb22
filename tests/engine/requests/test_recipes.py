"""Recipes fix every option of a measurement, and can be measured as they are."""

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.engine.measuring.erf import measure
from rfstudio.engine.process.errors import MeasurementError
from rfstudio.engine.requests.recipes import RECIPES, apply_recipe, fixed_options, recipe
from rfstudio.engine.requests.request import ErfRequest
from tests.engine import networks

NETWORK = networks.stack(ops.Conv(kernel_size=3, padding=1), ops.Relu(), channels=3)
PHOTOS = (np.full((40, 30, 3), 90, np.uint8),)


@pytest.mark.parametrize("name", RECIPES)
def test_that_a_recipe_fixes_every_option(name: str) -> None:
    found = recipe(name)
    user_brings = {"weights"} & set(found.needs)
    assert set(found.options) == fixed_options() - user_brings
    assert set(found.choices) <= set(found.options)


@pytest.mark.parametrize("name", RECIPES)
def test_that_a_recipe_says_what_it_reproduces_what_not_and_where_it_comes_from(name: str) -> None:
    found = recipe(name)
    assert found.reproduces.endswith(".")
    assert found.differs.endswith(".")
    assert "arXiv" in found.source or "BMVC" in found.source


@pytest.mark.parametrize("name", RECIPES)
def test_that_a_recipe_applied_to_a_request_is_recorded_with_it(name: str) -> None:
    mine = ErfRequest(
        architecture=NETWORK, layer="l0", unit=(5, 5), images=PHOTOS, weights="w.safetensors"
    )
    request = apply_recipe(mine, name)
    assert (request.layer, request.unit, request.images) == ("l0", (5, 5), PHOTOS)
    record = request.options()
    assert all(record[key] == value for key, value in recipe(name).options.items())


def test_that_nobody_can_change_a_recipe() -> None:
    found: Any = recipe("luo2016")
    with pytest.raises(TypeError):
        found.options["samples"] = 3
    with pytest.raises(FrozenInstanceError):
        found.name = "mine"


def test_that_luos_recipe_measures_a_stack() -> None:
    request = ErfRequest(architecture=NETWORK, layer="l1", unit=(5, 5), seed=9)
    result = measure(apply_recipe(request, "luo2016"))
    assert result.samples == 20
    assert result.options["seed"] == 0
    assert np.count_nonzero(result.map) == 9


def test_that_slak_is_measured_as_replknet_is() -> None:
    # Both repositories' visualize_erf.py compute the same; SLaK's says that it is taken from there.
    assert recipe("slak").options == recipe("replknet").options
    assert recipe("replknet").options["samples"] == 50
    assert recipe("replknet").options["input_size"] == (1024, 1024)


def test_that_a_recipe_for_trained_networks_says_what_is_missing() -> None:
    request = ErfRequest(architecture=NETWORK, layer="l0")
    with pytest.raises(MeasurementError, match="needs trained weights as a file and photos"):
        apply_recipe(request, "replknet")
    with_weights = ErfRequest(architecture=NETWORK, layer="l0", weights="w.pt")
    with pytest.raises(MeasurementError, match=r"needs photos$"):
        apply_recipe(with_weights, "openerf")


@pytest.mark.parametrize(("wrong", "nearest"), [("replnet", "replknet"), ("Luo-2016", "luo2016")])
def test_that_an_unknown_recipe_names_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(MeasurementError, match=f"did you mean '{nearest}'"):
        recipe(wrong)


def test_that_a_name_near_none_lists_all() -> None:
    with pytest.raises(MeasurementError, match="luo2016, replknet, slak, openerf"):
        recipe("xyz")
