"""The command that draws figures for print."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rfstudio import paths
from rfstudio.cli.output import output_of
from rfstudio.cli.resolving import numbers, opened
from rfstudio.cli.usage import UsageError
from rfstudio.cli.words import FIGURES
from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import INPUT, Architecture
from rfstudio.formats.images.signals import is_signal

_MEASURING = ("samples", "seed", "weights", "init", "images", "device", "dtype")
_FINE = ("channel", "activation", "batch_norm", "images_per_weights")
_OF_PATCHES = ("patch", "stride", "fill", "amplitude")

OWN_OPTIONS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {
        **dict.fromkeys(("estimator", "reference", "weights", "init", "images", "device"), str),
        **dict.fromkeys(("dtype", "activation", "batch_norm"), str),
        **dict.fromkeys(("samples", "seed", "channel", "images_per_weights", "slice_at"), int),
        **dict.fromkeys(("patch", "stride"), int),
        **dict.fromkeys(("fill", "amplitude"), float),
        "batch_norm_training": lambda text: {"yes": True, "no": False}[text],
    }
)
"""What one panel may have of its own, and how it is read from words."""

_OF_ANSWERS = {"tile": "tiles", "tile_number": "tiles", "pixel": "pixel"}
"""Options of one kind of figure."""

_PLAIN = (None, "auto", "float32", 0)
"""Values of these options that need not be given to a measurement."""


def figure(arguments: argparse.Namespace) -> int:
    """Draw a figure into a file."""
    from rfstudio.api.figures import figure as figure_of
    from rfstudio.figures.kinds import kind_of

    output = output_of(arguments, FIGURES, "a figure")
    assert output is not None
    kind = kind_of(arguments.kind)
    style = _style(arguments)
    known: dict[str, Architecture] = {}

    def network(word: str) -> Architecture:
        if word not in known:
            known[word] = opened(word, arguments.input_size, trust=arguments.trust)
        return known[word]

    if kind.subjects in ("run", "lesson"):
        networks: list[Any] = list(arguments.networks)
    else:
        networks = [network(x) for x in arguments.networks]
    shots: list[Any] = [(network(x[0]), *_place(x)) for x in arguments.panels]
    if kind.subjects in ("unit", "units") and not arguments.layers and not shots:
        raise UsageError(f"--kind {kind.word} needs --layer PATH")
    if not networks and not shots:
        raise UsageError(f"--kind {kind.word} needs a NETWORK before its options")
    if kind.subjects in ("run", "lesson", "attention", "answer") and len(networks) != 1:
        raise UsageError(f"--kind {kind.word} takes one argument before its options")
    made = figure_of(
        kind.word,
        *networks,
        panels=shots,
        layer=arguments.layers,
        unit=_unit(arguments, networks),
        estimator=arguments.estimators,
        names=arguments.names,
        image=_image(arguments, [*known.values()]) if kind.has_photo else None,
        image_shape=arguments.image_shape,
        **style,
        **_options(arguments),
    )
    output.write(made.render(output.suffix))
    return 0


def _style(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return how the figure is drawn.

    Raises
    ------
    UsageError
        If it cannot be drawn so.
    """
    from rfstudio.figures.style import FigureStyle

    style = {
        "width_mm": arguments.width,
        "dpi": arguments.dpi,
        "theme": arguments.theme,
        "scale": arguments.scale,
        "colour": arguments.colour,
        "caption": not arguments.no_caption,
        "legend": not arguments.no_legend,
        "axes": not arguments.no_axes,
    }
    try:
        FigureStyle(**style)
    except RFStudioError as error:
        raise UsageError(str(error)) from None
    return style


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a measurement, of the analysis and of what is drawn, that are given."""
    values = {x: getattr(arguments, x) for x in (*_MEASURING, *_FINE, *_OF_PATCHES)}
    found = {name: value for name, value in values.items() if value not in _PLAIN}
    if arguments.reference != INPUT:
        found["reference"] = arguments.reference
    if arguments.batch_norm_training:
        found["batch_norm_training"] = True
    for name in ("slice_at", *_OF_ANSWERS):
        if (value := getattr(arguments, name)) is not None:
            found[name] = value
            if name in _OF_ANSWERS and arguments.kind != _OF_ANSWERS[name]:
                word = name.replace("_", "-")
                raise UsageError(f"--{word} is of --kind {_OF_ANSWERS[name]}")
    return found


def _place(words: list[str]) -> tuple[str, tuple[int, ...] | None, dict[str, Any]]:
    """Return layer, unit and own options of a panel."""
    places = [x for x in words[1:] if "=" not in x]
    if not places:
        raise UsageError(
            f"--panel takes NETWORK LAYER, and a unit if it is not the centre: {words[0]}"
        )
    try:
        unit = tuple(int(y) for x in places[1:] for y in x.replace(",", " ").split())
    except ValueError:
        raise UsageError(f"--panel {' '.join(words)}: a unit is whole numbers") from None
    return places[0], unit or None, dict(_own_option(x) for x in words[1:] if "=" in x)


def _own_option(word: str) -> tuple[str, Any]:
    """Return an option of one panel, as "samples=8"."""
    name, _, text = word.partition("=")
    name = name.replace("-", "_")
    if name not in OWN_OPTIONS:
        known = ", ".join(x.replace("_", "-") for x in OWN_OPTIONS)
        raise UsageError(f"--panel: '{word}': an option of its own is one of {known}")
    try:
        return name, OWN_OPTIONS[name](text)
    except (ValueError, KeyError):
        raise UsageError(f"--panel: '{word}': this is no value of it") from None


def _unit(arguments: argparse.Namespace, networks: list[Any]) -> tuple[int, ...] | None:
    """Return the position of the unit; None: the centre.

    Raises
    ------
    UsageError
        If it has another number of axes than a network.
    """
    unit: tuple[int, ...] | None = arguments.unit
    for network in networks:
        if unit is not None and isinstance(network, Architecture) and len(unit) != network.axes:
            layer = (arguments.layers or [network.name])[0]
            raise UsageError(f"--unit takes {numbers(network.axes)} for '{layer}', not {len(unit)}")
    return unit


def _image(arguments: argparse.Namespace, networks: list[Architecture]) -> Path | None:
    """Return the file of the photo; a sample photo for images, none for others."""
    if arguments.no_image:
        return None
    for network in networks:
        if arguments.image is not None and network.axes > 1 and is_signal(arguments.image):
            raise UsageError(
                f"'{network.name}' reads input with {network.axes} axes: "
                f"--image cannot be a signal, as {arguments.image.name}"
            )
    if arguments.image is not None:
        return Path(arguments.image)
    is_image = all(x.axes == 2 for x in networks)
    return paths.sample_images() / "cat.jpg" if is_image else None
