"""Paths of the files that ship with the program.

In a checkout, ``architectures/``, ``resources/`` and ``docs/`` are beside the package; a wheel
maps them into it.
"""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def architectures() -> Path:
    """Return the folder of the preset networks, one YAML file each."""
    return _shipped("architectures")


def resources() -> Path:
    """Return the folder of icons, sample images and styles."""
    return _shipped("resources")


def experiments() -> Path:
    """Return the folder of the recipes of experiments, YAML files."""
    return resources() / "experiments"


def sample_images() -> Path:
    """Return the folder of the sample photos; its README names their origin and licence."""
    return resources() / "images"


def documentation() -> Path:
    """Return the folder of the documentation's pages, in Markdown."""
    return _shipped("docs")


def _shipped(name: str) -> Path:
    packaged = _PACKAGE / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
