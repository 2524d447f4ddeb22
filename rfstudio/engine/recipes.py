"""Measurements as published work makes them: every option that a recipe fixes, under one name.

No torch here.  Read from the papers and the authors' scripts; where this program differs, the
recipe says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from rfstudio.engine.errors import MeasurementError


@dataclass(frozen=True, slots=True)
class Recipe:
    """The options of one published way of measuring.

    Attributes
    ----------
    name, source
        What it is called, and where it comes from.
    options
        Values for `rfstudio.engine.request.ErfRequest`, by name.
    wants
        What else the measurement needs, in words; empty: nothing.
    differs
        Where the result differs from the source's own script, in words; empty: nowhere known.
    """

    name: str
    source: str
    options: Mapping[str, Any]
    wants: str = ""
    differs: str = ""


_TRAINED = "trained weights as a file, and a folder of photos; the centre unit of the last map"
_GRADIENT_OF_ACTIVE = MappingProxyType(
    {
        "estimator": "positive",
        "channel": None,
        "activation": "as_is",
        "samples": 50,
        "input_size": (1024, 1024),
        "batch_norm": "fresh",
        "dtype": "float32",
        "seed": 0,
        "images_per_weights": 50,
    }
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        x.name: x
        for x in (
            Recipe(
                "luo2016",
                "Luo, Li, Urtasun, Zemel, NIPS 2016, arXiv:1701.04128, section 3",
                MappingProxyType(
                    {
                        "estimator": "abs",
                        "channel": None,
                        "activation": "as_is",
                        "weights": "random",
                        "samples": 20,
                        "images_per_weights": 1,
                        "batch_norm": "warmed",
                        "dtype": "float32",
                        "seed": 0,
                    }
                ),
                differs="The paper's slopes come out with few channels and runs; others differ.",
            ),
            Recipe(
                "replknet",
                "Ding et al., CVPR 2022, arXiv:2203.06717, the authors' script",
                _GRADIENT_OF_ACTIVE,
                wants=_TRAINED,
                differs=(
                    "Photos are scaled to cover the input and cut to it, not squeezed. The script "
                    "plots log10(A + 1), which depends on the scale of A."
                ),
            ),
            Recipe(
                "slak",
                "Liu et al., ICLR 2023, arXiv:2207.03620, whose script is RepLKNet's",
                _GRADIENT_OF_ACTIVE,
                wants=_TRAINED,
                differs=(
                    "Photos are scaled to cover the input and cut to it, not squeezed. The script "
                    "plots A over its maximum."
                ),
            ),
            Recipe(
                "openerf",
                "Kim et al., BMVC 2023, the authors' program OpenERF",
                MappingProxyType(
                    {
                        "estimator": "positive",
                        "channel": None,
                        "activation": "as_is",
                        "samples": 1000,
                        "batch_norm": "fresh",
                        "dtype": "float32",
                        "seed": 0,
                        "images_per_weights": 1000,
                    }
                ),
                wants=_TRAINED,
                differs=(
                    "The program does not drop negative outputs, and keeps the positive part of "
                    "the mean over input channels, not of each channel."
                ),
            ),
        )
    }
)


def recipe(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises
    ------
    MeasurementError
        If there is none; the message names the nearest.
    """
    if name in RECIPES:
        return RECIPES[name]
    near = get_close_matches(name, RECIPES, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(RECIPES)}"
    raise MeasurementError(f"there is no recipe '{name}'{hint}")
