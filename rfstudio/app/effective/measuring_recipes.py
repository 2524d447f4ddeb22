"""Recipes of measuring in the window: to apply, to recognise in its options, and in words."""

from __future__ import annotations

from typing import Any

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.engine.requests.recipes import RECIPES, recipe

NAMES: tuple[str, ...] = tuple(RECIPES)
"""Names of all recipes."""

_ELSEWHERE = ("input_size", "method")
"""Options of a recipe that the window does not have: the document has the size, the method is
fixed."""

_FILLING = ("patch", "stride", "fill", "amplitude")


def options_of(name: str) -> dict[str, Any]:
    """Return the options of the window that a recipe sets.

    Raises
    ------
    MeasurementError
        If there is no such recipe.
    """
    found = recipe(name)
    values = {x: value for x, value in found.options.items() if x not in _ELSEWHERE}
    if "images" not in found.needs:
        values["inputs"] = "noise"
    return values


def matching(options: ErfOptions) -> tuple[str, ...]:
    """Return the recipes whose options are those that are chosen; some may still lack a file."""
    return tuple(name for name in NAMES if _agrees(options, name))


def followed(options: ErfOptions, input_size: tuple[int, ...]) -> str | None:
    """Return the recipe whose every option a measurement followed; None if there is none."""
    for name in matching(options):
        if not missing(options, name) and wanted_size(name, input_size) is None:
            return name
    return None


def missing(options: ErfOptions, name: str) -> str:
    """Return in words what the user still has to choose for a recipe; empty if nothing."""
    found = recipe(name)
    lacks = []
    if "weights" in found.needs and options.weights in ("random", "uniform"):
        lacks.append("a file of trained weights")
    if "images" in found.needs and options.inputs == "noise":
        lacks.append("photos")
    return " and ".join(lacks)


def sentences(name: str) -> str:
    """Return what a recipe reproduces, what it needs, how it differs, and its source."""
    found = recipe(name)
    return f"{found.reproduces} Needed: {found.wants}. {found.differs} ({found.source})"


def wanted_size(name: str, input_size: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Return the input size of a recipe; None if it has none of its own, or it is `input_size`.

    A network with another number of axes than the recipe is left as it is.
    """
    size: tuple[int, ...] | None = recipe(name).options["input_size"]
    if size is None or input_size is None or len(size) != len(input_size):
        return None
    return None if size == tuple(input_size) else size


def reproduces(name: str) -> str:
    """Return what a recipe reproduces, in a sentence."""
    return recipe(name).reproduces


def size_text(size: tuple[int, ...]) -> str:
    """Return the size of an input as people write it; lines do not break in it."""
    return "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}".join(map(str, size))


def _agrees(options: ErfOptions, name: str) -> bool:
    values = options_of(name)
    if options.estimator not in ("occlusion", "perturbation"):
        values = {x: value for x, value in values.items() if x not in _FILLING}
    return all(getattr(options, x) == value for x, value in values.items())
