"""Experiments whose random weights are drawn by another law than their recipes say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rfstudio.core.errors import RFStudioError
from rfstudio.core.initialisations import AS_TORCH, initialisation
from rfstudio.formats.experiments.recipe import Item, Recipe, TrainingItem


def with_init(recipes: Sequence[Recipe], init: str | None) -> tuple[Recipe, ...]:
    """Return recipes with another initialisation; those that draw no weights stay as they are.

    Parameters
    ----------
    recipes
        The parts of an experiment.
    init
        As a recipe has it: the name of an initialisation with its gain, or "torch" for trainings;
        None: what the recipes say.

    Raises
    ------
    RFStudioError
        If there is no such initialisation, nothing is drawn, or the rows of a recipe differ in it.
    """
    if init is None:
        return tuple(recipes)
    as_torch = init.strip().lower() == AS_TORCH
    law = AS_TORCH if as_torch else initialisation(init).text
    found = tuple(_changed(x, law) for x in recipes)
    if not any(x.init for x in found):
        kind = "trains a network" if as_torch else "has random weights"
        raise RFStudioError(f"no row of '{recipes[0].name}' {kind}; leave init out")
    return found


def _changed(recipe: Recipe, law: str) -> Recipe:
    taking = [x for x in recipe.items if _takes(x, law)]
    if not taking:
        return recipe
    # Trainings usually begin in another way than weights that are only measured.
    ways = {(type(x), x.init) for x in taking}
    if len(ways) > len({type(x) for x in taking}):
        own = {init for _, init in ways}
        raise RFStudioError(
            f"the rows of '{recipe.name}' compare initialisations ({', '.join(sorted(own))}); "
            "leave init out"
        )
    items = tuple(replace(x, init=law) if _takes(x, law) else x for x in recipe.items)
    return replace(recipe, items=items, init=law)


def _takes(item: Item, law: str) -> bool:
    """Whether a law has an effect on a row."""
    if isinstance(item, TrainingItem):
        return True
    return law != AS_TORCH and item.weights == "random" and item.estimator != "path-count"
