"""Experiments by name or path: the recipes that come with the program, and files.

The recipes are in ``resources/experiments``: a folder there is an experiment of several parts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from rfstudio import paths
from rfstudio.core.errors import RFStudioError, shown
from rfstudio.formats.experiments.recipe import Recipe
from rfstudio.formats.experiments.recipe_reader import Opening, read_recipe
from rfstudio.formats.files import read_bounded
from rfstudio.formats.networks.bounded_yaml import MAX_BYTES
from rfstudio.formats.networks.wording import suggestion


class UnknownExperimentError(RFStudioError):
    """There is no such experiment, neither a shipped one nor a file."""


def names() -> tuple[str, ...]:
    """Return the names of all recipes, such as ``luo2016/fig2``, in the order of the alphabet."""
    folder = paths.experiments()
    found = (x.relative_to(folder).with_suffix("") for x in folder.rglob("*.yaml"))
    return tuple(sorted(x.as_posix() for x in found))


def groups() -> tuple[str, ...]:
    """Return the names of the experiments that have several parts, such as ``luo2016``."""
    found = Counter(x.partition("/")[0] for x in names())
    return tuple(x for x, count in found.items() if count > 1)


def recipes_of(name: str | Path, opening: Opening | None = None) -> tuple[Recipe, ...]:
    """Return the recipes that a user names: one, the parts of a folder, or a file's.

    Parameters
    ----------
    name
        Of a shipped recipe or folder, or the path of a file.
    opening
        As in `rfstudio.formats.experiments.recipe_reader.read_recipe`.

    Raises
    ------
    UnknownExperimentError
        If there is neither; the nearest name is given.
    FileAccessError, FormatError
        If a file cannot be read, or is not a recipe.
    """
    text = str(name)
    known = names()
    parts = [x for x in known if x == text or x.startswith(f"{text}/")]
    if parts:
        return tuple(_read(paths.experiments() / f"{x}.yaml", x) for x in parts)
    if Path(text).suffix in (".yaml", ".yml"):
        path = Path(text)
        return (replace(_read(path, path.stem, opening), file=str(path)),)
    groups = sorted({x.partition("/")[0] for x in known})
    near = suggestion(text, [*known, *groups]) or "; 'rfstudio experiment' lists them"
    raise UnknownExperimentError(f"there is no experiment '{shown(text)}'{near}")


def _read(path: Path, name: str, opening: Opening | None = None) -> Recipe:
    return read_recipe(read_bounded(path, MAX_BYTES), name, str(path), opening=opening)
