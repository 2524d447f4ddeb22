"""Code for what the window shows: Python lines, or a command for a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.state.selection import Selected
from rfstudio.core.network.architecture import INPUT
from rfstudio.engine.requests.request import BY_FILLING, ErfRequest


def python_text(
    network: str,
    chosen: Selected,
    options: ErfOptions | None = None,
    *,
    reference: str = INPUT,
    batch_norm_training: bool = False,
) -> str:
    """Return Python lines that compute what is shown.

    Parameters
    ----------
    network
        A preset's name or the path of a file.
    chosen
        The layer and the unit.
    options
        How the effective field was measured; None: the expected one is shown.
    reference, batch_norm_training
        The layer that fields are given with respect to, and whether batch norm is as in training.
    """
    given_to_analysis = f", reference={reference!r}" if reference != INPUT else ""
    given_to_analysis += ", batch_norm_training=True" if batch_norm_training else ""
    lines = [
        "import rfstudio\n",
        f"network = rfstudio.load({network!r})",
        f"analysis = rfstudio.analyze(network{given_to_analysis})",
        f"layer = analysis[{chosen.layer!r}]",
        f"unit = analysis.unit({chosen.layer!r}, {chosen.unit!r})",
        "print(layer.rf_size, layer.jump, unit.theoretical_region, unit.visible_region)",
    ]
    if reference != INPUT:
        return "\n".join([*lines, ""])  # effective fields are those of the input
    call = f"network, {chosen.layer!r}, unit={chosen.unit!r}"
    if options is None:
        return "\n".join([*lines, f"erf = rfstudio.expected_erf({call})\n"])
    if options.inputs != "noise":
        lines.append("# Measured on images: give them as images=…, an array (N, C, H, W).")
    given: dict[str, object] = {
        "estimator": options.estimator,
        "samples": options.samples,
        "seed": options.seed,
    }
    given |= {"weights": options.weights, "device": options.device, "dtype": options.dtype}
    words = "".join(
        f", {name}={value!r}" for name, value in (given | finer_options(options)).items()
    )
    return "\n".join([*lines, f"erf = rfstudio.erf({call}{words})\n"])


def command_text(
    network: str,
    chosen: Selected,
    options: ErfOptions | None = None,
    image: Path | None = None,
    *,
    reference: str = INPUT,
) -> str:
    """Return the command that measures what is shown.

    Parameters
    ----------
    network, chosen
        As for `python_text`.
    options
        How it is measured; None: the expected field.
    image
        The file of the image that the canvas shows, for measurements on it.
    reference
        What fields are given with respect to; effective ones are those of the input only.
    """
    unit = ["--unit", *(str(x) for x in chosen.unit)]
    if reference != INPUT:
        analyze = ["rfstudio", "analyze", network, "--reference", reference]
        return shlex.join([*analyze, "--layer", chosen.layer, *unit])
    words = ["rfstudio", "erf", network, "--layer", chosen.layer, *unit]
    if options is None:
        return shlex.join([*words, "--estimator", "expected"])
    words += ["--estimator", options.estimator, "--samples", str(options.samples)]
    words += ["--seed", str(options.seed), "--weights", options.weights]
    words += ["--device", options.device, "--dtype", options.dtype]
    images = {"noise": None, "image": image, "folder": options.folder}[options.inputs]
    if images is not None:
        words += ["--images", str(images)]
    for name, value in finer_options(options).items():
        words += ["--" + name.replace("_", "-"), str(value)]
    return shlex.join(words)


def spread_command_text(
    network: str,
    chosen: Selected,
    options: ErfOptions,
    images: Path,
    *,
    masks: Path | None = None,
    box: Sequence[Sequence[int]] = (),
) -> str:
    """Return the command that measures a unit on each image of a folder by itself.

    Parameters
    ----------
    network, chosen, options
        As for `command_text`; the number of samples and the inputs have no effect.
    images, masks
        Folders.
    box
        First and last pixel of the object along each axis; empty: no box.
    """
    words = ["rfstudio", "erf", network, "--layer", chosen.layer]
    words += ["--unit", *map(str, chosen.unit), "--images", str(images), "--spread"]
    words += ["--estimator", options.estimator, "--seed", str(options.seed)]
    words += ["--weights", options.weights, "--device", options.device, "--dtype", options.dtype]
    words += [] if masks is None else ["--masks", str(masks)]
    words += ["--box", *(f"{first}:{last}" for first, last in box)] if box else []
    for name, value in finer_options(options).items():
        if name != "images_per_weights":
            words += ["--" + name.replace("_", "-"), str(value)]
    return shlex.join(words)


def finer_options(options: ErfOptions) -> dict[str, object]:
    """Return the options that have an effect on this measurement and differ from the defaults."""
    names = ["channel", "activation", "batch_norm"]
    if options.weights == "random":
        names += ["init", "images_per_weights"]
    if options.estimator in BY_FILLING:
        names += ["patch", "stride"]
        names.append("fill" if options.estimator == "occlusion" else "amplitude")
    usual = {x.name: x.default for x in fields(ErfRequest)}
    found = {name: getattr(options, name) for name in names}
    return {name: value for name, value in found.items() if value != usual[name]}


def network_word(preset: str, path: Path | None) -> str:
    """Return how a command or a notebook names the open network."""
    return str(path) if path else preset or "network.yaml"
