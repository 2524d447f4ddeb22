"""Code that draws a figure of the window again: a Python call, or a command for a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.wording.snippets import finer_options
from rfstudio.core.fields.analysis import Analysis
from rfstudio.figures import FigureStyle

_FILE = "figure.svg"


@dataclass(frozen=True, kw_only=True)
class PanelRecipe:
    """One of several units.

    Attributes
    ----------
    network
        A preset or file.
    layer, unit
        The unit.
    options
        What it has of its own: its estimator, the options of its measurement and of its analysis.
    """

    network: str
    layer: str
    unit: tuple[int, ...]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FigureRecipe:
    """What a figure is drawn from, by names that any interface takes.

    Attributes
    ----------
    kind
        A kind of figure.
    networks
        Presets or files, the folder of an experiment, or the number of a lesson.
    layer, unit
        Of the only unit; empty and None: there is none, or there are several.
    panels
        Several units.
    names
        What panels, then networks are called; empty: by their own names.
    estimators
        Of their fields.
    options
        Of a measurement.
    seen_from
        Options of the analysis: see `seen_from`.
    image, image_shape
        The photo, and how it is brought to the shape of the input; None: no photo.
    style
        How the figure is drawn.
    """

    kind: str
    networks: tuple[str, ...] = ()
    layer: str = ""
    unit: tuple[int, ...] | None = None
    panels: tuple[PanelRecipe, ...] = ()
    names: tuple[str, ...] = ()
    estimators: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    seen_from: Mapping[str, Any] = field(default_factory=dict)
    image: Path | None = None
    image_shape: str = "stretch"
    style: FigureStyle = field(default_factory=FigureStyle)


def measuring_options(options: ErfOptions, image: Path | None) -> dict[str, Any]:
    """Return the options of a measurement as a figure takes them, without its estimator."""
    given: dict[str, Any] = {"samples": options.samples, "seed": options.seed}
    given |= {"weights": options.weights, "device": options.device, "dtype": options.dtype}
    images = {"noise": None, "image": image, "folder": options.folder}[options.inputs]
    if images is not None:
        given["images"] = str(images)
    return given | finer_options(options)


def seen_from(analysis: Analysis) -> dict[str, Any]:
    """Return how a network is looked at, where that differs from the usual."""
    found: dict[str, Any] = {}
    if analysis.reference:
        found["reference"] = analysis.graph.nodes[analysis.reference].name
    if analysis.batch_norm_training:
        found["batch_norm_training"] = True
    return found


def figure_python(recipe: FigureRecipe) -> str:
    """Return Python lines that draw a figure into a file."""
    words = [repr(recipe.kind)]
    words += [x if recipe.kind == "lesson" else repr(x) for x in recipe.networks]
    given: dict[str, Any] = {}
    if recipe.panels:
        given["panels"] = [
            (x.network, x.layer, x.unit, *([dict(x.options)] if x.options else []))
            for x in recipe.panels
        ]
    if recipe.layer:
        given["layer"] = recipe.layer
    if recipe.unit is not None:
        given["unit"] = recipe.unit
    if recipe.estimators:
        given["estimator"] = (
            recipe.estimators[0] if len(recipe.estimators) == 1 else list(recipe.estimators)
        )
    if recipe.names:
        given["names"] = list(recipe.names)
    if recipe.image is not None:
        given |= {"image": str(recipe.image), "image_shape": recipe.image_shape}
    given |= {**recipe.seen_from, **recipe.options, **_changed(recipe.style)}
    words += [f"{name}={value!r}" for name, value in given.items()]
    inner = "".join(f"    {x},\n" for x in words)
    return f"import rfstudio\n\nfigure = rfstudio.figure(\n{inner})\nfigure.save({_FILE!r})\n"


def figure_command(recipe: FigureRecipe) -> str:
    """Return the command that draws a figure into a file."""
    words = ["rfstudio", "figure", *recipe.networks, "--kind", recipe.kind]
    if recipe.layer:
        words += ["--layer", recipe.layer]
    if recipe.unit is not None:
        words += ["--unit", *map(str, recipe.unit)]
    for panel in recipe.panels:
        words += ["--panel", panel.network, panel.layer, *map(str, panel.unit)]
        words += [f"{x.replace('_', '-')}={_word(y)}" for x, y in panel.options.items()]
    if recipe.estimators:
        words += ["--estimator", *recipe.estimators]
    if recipe.names:
        words += ["--name", *recipe.names]
    for name, value in recipe.options.items():
        values = value if isinstance(value, tuple) else (value,)
        words += ["--" + name.replace("_", "-"), *map(str, values)]
    for name, value in recipe.seen_from.items():
        words += ["--" + name.replace("_", "-"), *([] if value is True else [str(value)])]
    if recipe.image is not None:
        words += ["--image", str(recipe.image), "--image-shape", recipe.image_shape]
    elif recipe.kind != "film":
        words.append("--no-image")
    for name, value in _changed(recipe.style).items():
        word = "width" if name == "width_mm" else name
        if value is True:
            words.append(f"--{word}")
        elif value is False:
            words.append(f"--no-{word}")
        else:
            words += [f"--{word}", f"{value:g}" if isinstance(value, float) else str(value)]
    return shlex.join([*words, "--output", _FILE])


def _word(value: Any) -> str:
    return "yes" if value is True else str(value)


def _changed(style: FigureStyle) -> dict[str, Any]:
    """Return what differs from the usual style."""
    usual = FigureStyle()
    found = {x.name: getattr(style, x.name) for x in fields(style)}
    return {name: value for name, value in found.items() if value != getattr(usual, name)}
