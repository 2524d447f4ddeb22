"""The options of `rfstudio erf`, besides network, layer, unit and output.

Nothing that computes is imported here, so that help costs nothing.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

ESTIMATORS = (
    "energy",
    "rms",
    "abs",
    "signed",
    "positive",
    "occlusion",
    "perturbation",
    "expected",
    "path-count",
)
"""All estimators, those of a measurement first."""


def runs_of_pixels(text: str) -> tuple[tuple[int, int], ...]:
    """Return runs such as ``0:3 4:9``, first and last both included."""
    runs = []
    for word in re.split(r"[,x×\s]+", text.strip()):
        found = re.fullmatch(r"(\d{1,9}):(\d{1,9})", word)
        if found is None or int(found[1]) > int(found[2]):
            raise argparse.ArgumentTypeError(f"takes runs as in 0:3 4:9, not '{text}'")
        runs.append((int(found[1]), int(found[2])))
    return tuple(runs)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command, besides network, layer and unit."""
    parser.add_argument(
        "--estimator",
        choices=ESTIMATORS,
        metavar="NAME",
        default="energy",
        help="what is averaged over samples, or what is computed without any; default: energy",
    )
    parser.add_argument(
        "--input",
        metavar="NAME",
        help="of a network with several inputs: the one over which the field is, whose sizes and "
        "images are then given; default: the first",
    )
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help="measure as published work does: sets every other option but images and device; one "
        "of luo2016, replknet, slak, openerf",
    )
    add_measuring_options(parser)
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="FILE",
        help="for many samples: what is found so far is written to FILE after every 2048 of them, "
        "and if FILE is there, the measurement goes on from it",
    )
    parser.add_argument(
        "--gains",
        choices=("modelled", "measured"),
        help="for --estimator expected: how much of a gradient each layer passes on, modelled for "
        "random weights or measured with torch; default: measured if --weights, --images or "
        "--samples is given",
    )
    _add_spread_options(parser)
    add_fine_options(parser)


def add_measuring_options(parser: argparse._ActionsContainer) -> None:
    """Add what a measurement averages over, and where it runs."""
    parser.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="default: 32, or one an image; 8 for attention and for the gains of an expected field",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="0 or more; default: 0")
    parser.add_argument(
        "--weights",
        metavar="random|uniform|model|FILE",
        help="He-initialised, all equal, those that NETWORK came with, or a file (.safetensors, "
        ".pt); default: those of NETWORK if it has any, else random",
    )
    parser.add_argument(
        "--init",
        metavar="NAME[:GAIN]",
        help="from what random weights are drawn, measured or expected: he_normal (default), "
        "he_uniform, xavier_normal, xavier_uniform, lecun_normal, lecun_uniform, orthogonal, "
        "trunc_normal, uniform, luo2016, luo2016_corners; the gain of standard deviations is a "
        "number or relu, leaky_relu, tanh, selu, sigmoid, linear",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="FILE|FOLDER",
        help="measure on these images instead of noise",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument(
        "--dtype", choices=("float32", "float64"), default="float32", help="default: float32"
    )


def _add_spread_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the fields on each image by itself."""
    group = parser.add_argument_group("how the field depends on the image")
    group.add_argument(
        "--spread",
        action="store_true",
        help="measure on each of the --images by itself, with the same weights: the images by the "
        "size of their field, mean and spread; --output maps.npz has the maps, and fields.png, "
        "svg or pdf shows them on the images in their order",
    )
    group.add_argument(
        "--masks",
        type=Path,
        metavar="FOLDER",
        help="masks with the names of the images, black beside the object: how much of the field "
        "is on it, and the fields of units on the object and on the background",
    )
    group.add_argument(
        "--box",
        type=runs_of_pixels,
        metavar="Y0:Y1 X0:X1",
        help="the object's box in pixels of the input, on all images, instead of masks",
    )
    group.add_argument(
        "--draws",
        type=int,
        metavar="N",
        help="draws of random signs on each image, for energy and rms; default: 8",
    )


def add_fine_options(parser: argparse.ArgumentParser) -> None:
    """Add the finer options, which have the defaults of a measurement."""
    group = parser.add_argument_group("finer options of a measurement")
    group.add_argument("--channel", type=int, metavar="N", help="one channel; default: all")
    group.add_argument(
        "--activation",
        choices=("as_is", "before", "after"),
        help="take the map of the layer, or that before or after its activation; default: as_is",
    )
    group.add_argument(
        "--batch-norm",
        choices=("warmed", "fresh", "train"),
        help="statistics of a few images, of none, or of the sample itself; default: warmed",
    )
    group.add_argument(
        "--images-per-weights",
        type=int,
        metavar="N",
        help="samples that share a draw of random weights; default: 8",
    )
    for name in ("patch", "stride"):
        group.add_argument(
            f"--{name}", type=int, metavar="PX", help="of occlusion and perturbation; default: 1"
        )
    group.add_argument(
        "--fill", type=float, metavar="X", help="what occlusion puts in a patch; default: 0"
    )
    group.add_argument(
        "--amplitude",
        type=float,
        metavar="X",
        help="standard deviation of the noise of perturbation; default: 1",
    )
