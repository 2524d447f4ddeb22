"""What is shown, said in another way: as Python, or as a command for a terminal."""

from __future__ import annotations

import shlex
from pathlib import Path

from rfstudio.app.erf_options import ErfOptions
from rfstudio.app.selection import Selected


def python_text(network: str, chosen: Selected) -> str:
    """Return Python lines that compute what is shown.

    Parameters
    ----------
    network
        A preset's name or the path of a file.
    chosen
        The layer and the unit.
    """
    return (
        "import rfstudio\n\n"
        f"network = rfstudio.load({network!r})\n"
        "analysis = rfstudio.analyze(network)\n"
        f"layer = analysis[{chosen.layer!r}]\n"
        f"unit = analysis.unit({chosen.layer!r}, {chosen.unit!r})\n"
        "print(layer.rf_size, layer.jump, unit.theoretical_region, unit.visible_region)\n"
        f"erf = rfstudio.expected_erf(network, {chosen.layer!r}, unit={chosen.unit!r})\n"
    )


def command_text(network: str, chosen: Selected, options: ErfOptions | None = None) -> str:
    """Return the command that measures what is shown.

    Parameters
    ----------
    network, chosen
        As for `python_text`.
    options
        How it is measured; None: the expected field.
    """
    unit = [str(x) for x in chosen.unit]
    words = ["rfstudio", "erf", network, "--layer", chosen.layer, "--unit", *unit]
    if options is None:
        words += ["--estimator", "expected"]
    else:
        words += ["--estimator", options.estimator, "--samples", str(options.samples)]
        words += ["--seed", str(options.seed), "--weights", options.weights]
        words += ["--device", options.device, "--dtype", options.dtype]
        if options.inputs == "folder" and options.folder is not None:
            words += ["--images", str(options.folder)]
    return shlex.join(words)


def network_word(preset: str, path: Path | None) -> str:
    """Return how a command or a notebook names the open network."""
    return str(path) if path else preset or "network.yaml"
