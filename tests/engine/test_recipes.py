"""Recipes set options that requests know, and can be measured as they are."""

import networks
import numpy as np
import pytest

from rfstudio.core import ops
from rfstudio.engine.erf import measure
from rfstudio.engine.errors import MeasurementError
from rfstudio.engine.recipes import RECIPES, recipe
from rfstudio.engine.request import ErfRequest


@pytest.mark.parametrize("name", RECIPES)
def test_that_a_recipe_makes_a_request(name: str) -> None:
    network = networks.stack(ops.Conv(kernel_size=3), channels=3)
    request = ErfRequest(architecture=network, layer="l0", **recipe(name).options)
    assert all(request.options()[key] == value for key, value in recipe(name).options.items())


def test_that_luos_recipe_measures_a_stack() -> None:
    network = networks.stack(ops.Conv(kernel_size=3, padding=1), ops.Relu(), channels=3)
    options = recipe("luo2016").options
    result = measure(ErfRequest(architecture=network, layer="l1", unit=(5, 5), **options))
    assert result.samples == 20
    assert np.count_nonzero(result.map) == 9


def test_that_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(MeasurementError, match="did you mean 'replknet'"):
        recipe("replnet")
