"""What the command line accepts.

Nothing that computes is imported here, so that help and the version cost nothing.
"""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from rfstudio import __version__
from rfstudio.cli import erf_arguments
from rfstudio.cli.parser import CommandParser
from rfstudio.cli.words import ATTENTION, FIGURE_KINDS, FIGURES, FORMATS, MAPS, NETWORKS, SHELLS

_DESCRIPTION = """\
Shows exactly what a unit of a vision network sees.

NETWORK is the name of a preset (rfstudio presets) or the path of a YAML file, of an exported
program (.pt2) or of an ONNX file; for commands also package.module:callable or file.py:callable,
code that makes a torch module, with --trust and --input-size.
"""

_EPILOGUE = """\
commands that need no display:
  rfstudio presets                     list the networks that come with the program
  rfstudio analyze NETWORK             receptive fields of all layers, as a table, JSON, CSV …
  rfstudio erf NETWORK --layer PATH    the effective receptive field of one unit
  rfstudio attention NETWORK           how far attention heads look, where a query looks
  rfstudio tiles NETWORK               overlap and layout of tiles that equal the whole image
  rfstudio advise NETWORK              which layers see objects of a given size, and what to change
  rfstudio figure NETWORK --layer PATH --output FILE.svg|.pdf|.png      (--kind: ten of them)
  rfstudio compare NETWORK NETWORK …   several networks side by side
  rfstudio convert NETWORK --output FILE.yaml|.py
  rfstudio experiment [NAME]           published findings: list them, or reproduce one
  rfstudio completion bash|zsh|fish    what makes Tab complete commands, options and presets

rfstudio COMMAND --help shows more.  Exit status: 0 done, 1 a problem in the input, 2 wrong usage,
130 interrupted.
"""

_NUMBERS = (
    *("--unit", "--input-size", "--pixel", "--units", "--tile", "--image", "--object", "--box"),
)
_POSITION = r"-?\d+([,x×:]-?\d+)*,?"


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the arguments, with `command` being its word, or None for the window.

    Raises
    ------
    SystemExit
        After printing, if help was requested or the usage is wrong.
    """
    argv = _with_joined_numbers(argv)
    if argv and argv[0] in COMMANDS:
        return _command_parser(argv[0]).parse(argv[1:])
    parser = _window_parser()
    if argv and _is_mistyped_command(argv):
        parser.refuse("command", argv[0], [*COMMANDS])
    return parser.parse(argv)


def _is_mistyped_command(argv: list[str]) -> bool:
    """Whether the first word is like a command, and cannot be the network of a window."""
    word = argv[0]
    if word.startswith("-") or not difflib.get_close_matches(word, COMMANDS, n=1):
        return False
    others = [x for x in argv[1:] if not x.startswith("-")]
    if others and not any(x.partition("=")[0] == "--image" for x in argv):
        return True
    if Path(word).exists():
        return False
    from rfstudio import paths

    presets = [x.stem for x in paths.architectures().glob("*.yaml")]
    return difflib.get_close_matches(word, [*presets, *COMMANDS], n=1)[0] in COMMANDS


def _with_joined_numbers(argv: list[str]) -> list[str]:
    """Join the numbers after an option that takes one per axis, so that any number may follow.

    Networks have one, two or three axes, and a unit's position may be negative by mistake.
    """
    joined: list[str] = []
    open_option = False
    for word, following in zip(argv, [*argv, ""][1:], strict=True):
        if word in _NUMBERS and re.fullmatch(_POSITION, following):
            joined.append(word + "=")
            open_option = True
        elif open_option and re.fullmatch(_POSITION, word):
            separator = "" if joined[-1].endswith("=") else ","
            joined[-1] += separator + word.rstrip(",")
        else:
            joined.append(word)
            open_option = False
    return joined


def _numbers(text: str) -> tuple[int, ...]:
    words = re.split(r"[,x×\s]+", text.strip())
    if not all(re.fullmatch(r"-?\d{1,9}", x) for x in words):
        from rfstudio.core.errors import shown  # late: help does without

        if all(re.fullmatch(r"-?\d+", x) for x in words):
            longest = max(words, key=len)
            raise argparse.ArgumentTypeError(
                f"takes numbers of at most 9 digits, not {shown(longest, 30)}"
            )
        raise argparse.ArgumentTypeError(f"takes whole numbers, one per axis, not '{shown(text)}'")
    return tuple(map(int, words))


def _runs(text: str) -> tuple[tuple[int, int], ...]:
    """Return runs of units such as ``0:3,4:9``, first and last both included."""
    runs = []
    for word in re.split(r"[,x×\s]+", text.strip()):
        found = re.fullmatch(r"(-?\d{1,9})(?::(-?\d{1,9}))?", word)
        if found is None:
            raise argparse.ArgumentTypeError(f"takes runs as in 0:3 4:9, not '{text}'")
        runs.append((int(found[1]), int(found[2] or found[1])))
    return tuple(runs)


def _window_parser() -> CommandParser:
    parser = CommandParser(
        prog="rfstudio",
        usage="rfstudio [NETWORK] [--image FILE]\n       rfstudio COMMAND …",
        description=_DESCRIPTION,
        epilog=_EPILOGUE,
    )
    parser.add_argument("network", metavar="NETWORK", nargs="?", help="opened in the window")
    parser.add_argument("--image", type=Path, metavar="FILE", help="the photo to draw on")
    parser.add_argument("--version", action="version", version=f"rfstudio {__version__}")
    parser.set_defaults(command=None)
    return parser


def _command_parser(word: str) -> CommandParser:
    description, add = COMMANDS[word]
    parser = CommandParser(prog=f"rfstudio {word}", description=description)
    parser.set_defaults(command=word)
    add(parser)
    return parser


def _add_reference(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reference",
        metavar="PATH",
        default="input",
        help="give all fields with respect to this feature map instead of the input",
    )


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--batch-norm-training",
        action="store_true",
        help="batch norm takes its statistics from the map, and so sees all of it",
    )


def _add_presets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words",
        metavar="WORD",
        nargs="*",
        help="only networks whose name, title, description or source have all these words",
    )
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")


def _add_analyze(parser: argparse.ArgumentParser) -> None:
    _add_network(parser)
    parser.add_argument("--layer", metavar="PATH", help="a layer or container: only this one")
    _add_unit(parser)
    _add_reference(parser)
    _add_input_size(parser)
    parser.add_argument(
        "--pixel",
        type=_numbers,
        metavar="Y X",
        help="also: which units of the layer read this pixel (of the reference)",
    )
    parser.add_argument(
        "--units",
        type=_runs,
        metavar="Y0:Y1 X0:X1",
        help="also: what these units of the layer need together; first and last included",
    )
    _add_training(parser)
    parser.add_argument(
        "--paths",
        action="store_true",
        help="also: the paths to the layer by length and field, and the share of a unit's expected "
        "energy through each branch and each skip, and the phase contrast of its expected field; "
        "without --layer also the paths to each layer",
    )
    parser.add_argument(
        "--ignore-gates",
        action="store_true",
        help="fields of paths leave out what gates, norms over the map and attention read",
    )
    parser.add_argument(
        "--repair",
        action="store_true",
        help="apply the remedies that the remarks offer, and analyse the result",
    )
    parser.add_argument(
        "--local",
        action="store_true",
        help="always show the local field beside the field: that of the convolutions, where gates "
        "and norms over the map read one position",
    )
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")


def _add_tiles(parser: argparse.ArgumentParser) -> None:
    _add_network(parser)
    parser.add_argument("--layer", metavar="PATH", help="default: the last layer")
    parser.add_argument(
        "--tile", type=_numbers, metavar="H W", help="largest tile that is read, with its overlap"
    )
    parser.add_argument("--image", type=_numbers, metavar="H W", help="size of the image to cut")
    _add_input_size(parser)
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        help="default: table; csv has a row for each tile, without --image for each axis",
    )


def _add_advise(parser: argparse.ArgumentParser) -> None:
    _add_network(parser)
    parser.add_argument(
        "--object", type=_numbers, metavar="H W", help="size of the objects; default: 32 each"
    )
    parser.add_argument(
        "--objects",
        type=Path,
        metavar="FILE|FOLDER",
        help="a COCO file with boxes, or a folder of masks, instead",
    )
    parser.add_argument(
        "--task",
        choices=("detection", "segmentation", "classification"),
        help="check the rules of this task",
    )
    parser.add_argument(
        "--layer",
        dest="layers",
        metavar="PATH",
        nargs="+",
        help="look at these layers only; default: all convolutions and pools",
    )
    _add_input_size(parser)
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        help="default: table; csv has a row for each layer",
    )


def _add_figure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _KINDS
    parser.add_argument(
        "networks",
        metavar="NETWORK",
        nargs="*",
        help="presets or files; for a film the folder of an experiment, for a lesson its number",
    )
    _add_trust(parser)
    parser.add_argument(
        "--kind", choices=FIGURE_KINDS, default="fields", help="see below; default: fields"
    )
    parser.add_argument(
        "--layer", dest="layers", metavar="PATH", nargs="+", help="a layer or container, or several"
    )
    _add_unit(parser)
    parser.add_argument(
        "--panel",
        dest="panels",
        metavar="X",
        nargs="+",
        action="append",
        default=[],
        help="one of several units, as NETWORK LAYER or NETWORK LAYER Y X, and what differs for "
        "it, as estimator=abs samples=8; may be repeated",
    )
    parser.add_argument(
        "--name",
        dest="names",
        metavar="TEXT",
        nargs="+",
        default=[],
        help="what panels, then networks are called; default: their own names",
    )
    _add_input_size(parser)
    _add_reference(parser)
    _add_training(parser)
    parser.add_argument(
        "--image",
        type=Path,
        metavar="FILE",
        help="a photo, or a signal (.wav, .npy, .csv) for an input of one axis; default: a sample "
        "photo, no signal",
    )
    parser.add_argument(
        "--image-shape",
        choices=("crop", "pad", "stretch"),
        default="stretch",
        help="how a photo is brought to the shape of the input; default: stretch",
    )
    parser.add_argument("--no-image", action="store_true", help="draw on an empty plane")
    parser.add_argument(
        "--tile", type=_numbers, metavar="H W", help="largest size of tiles, with their overlap"
    )
    parser.add_argument(
        "--tile-number",
        type=int,
        metavar="N",
        help="the tile whose frames are drawn; default: 1",
    )
    parser.add_argument(
        "--pixel", type=_numbers, metavar="Y X", help="that units read; default: the middle one"
    )
    parser.add_argument(
        "--slice-at",
        type=int,
        metavar="Z",
        help="the slice of an input of three axes, from 0; default: the middle of what is seen",
    )
    _add_output(parser, "ends in .svg, .pdf or .png, or has a --format", required=True)
    parser.add_argument("--format", choices=FIGURES, help="of the figure; default: by its ending")
    style = parser.add_argument_group("how it is drawn")
    style.add_argument("--dpi", type=int, default=300, metavar="N", help="default: 300")
    style.add_argument(
        "--width",
        type=float,
        default=120.0,
        metavar="MM",
        help="in millimetres; default: 120; 85 is a usual column, 174 a page",
    )
    style.add_argument(
        "--theme",
        choices=("print", "light", "dark"),
        default="print",
        help="black on white, or for slides; default: print",
    )
    style.add_argument(
        "--scale",
        choices=("linear", "log"),
        default="linear",
        help="of the shading, over three decades; of growth both axes, with fitted slopes",
    )
    style.add_argument("--colour", action="store_true", help="keep the colours of the photo")
    style.add_argument("--no-caption", action="store_true", help="without the numbers below")
    style.add_argument("--no-legend", action="store_true", help="without the key to the lines")
    style.add_argument("--no-axes", action="store_true", help="without pixel numbers, scale bars")
    measured = parser.add_argument_group("effective fields")
    measured.add_argument(
        "--estimator",
        dest="estimators",
        choices=erf_arguments.ESTIMATORS,
        metavar="NAME",
        nargs="+",
        help="draw the effective field; several for a comparison; with growth, also effective "
        "sizes",
    )
    erf_arguments.add_measuring_options(measured)
    erf_arguments.add_fine_options(parser)


_KINDS = """\
kinds:
  fields       what a unit sees, on the image
  field        its effective field with sections and fitted Gaussians
  comparison   several units, networks or estimators side by side
  difference   the same, and the first effective field minus each other one
  network      a diagram; containers of large networks are folded
  growth       sizes of fields against depth, of one network or several
  convergence  distance of a measurement from the expected field, sample by sample
  film         the field at the steps of a training, from the folder of an experiment
  attention    where a query looks by head, or by layer, on the photo, and how far heads look
  tiles        how the input is cut into tiles whose results equal those of the whole
  pixel        which units of a layer read one pixel
  lesson       a lesson as a page, by its number
"""


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("networks", metavar="NETWORK", nargs="+", help="presets or YAML files")
    _add_trust(parser)
    _add_input_size(parser)
    parser.add_argument(
        "--format",
        choices=(*FORMATS, *FIGURES),
        default="table",
        help="of what is printed, default: table; or of the figure, default: by its ending",
    )
    _add_output(parser, "also draw size against depth, as .svg, .pdf or .png")


def _add_convert(parser: argparse.ArgumentParser) -> None:
    _add_network(parser)
    _add_input_size(parser)
    _add_output(parser, "ends in .yaml or .py, or has a --format", required=True)
    parser.add_argument("--format", choices=NETWORKS, help="default: by the ending")


def _add_erf(parser: argparse.ArgumentParser) -> None:
    _add_network(parser)
    parser.add_argument("--layer", metavar="PATH", required=True, help="a layer or container")
    _add_unit(parser)
    _add_input_size(parser)
    erf_arguments.add_options(parser)
    _add_output(
        parser,
        "map.npz, map.tiff, or a figure: .png, .svg, .pdf",
    )
    parser.add_argument(
        "--format",
        choices=(*FORMATS, *MAPS),
        default="table",
        help="of what is printed, default: table (csv, markdown and latex have one number a row); "
        "or of the file, default: by its ending; png16 is the map in 16 bits of gray",
    )


def _add_attention(parser: argparse.ArgumentParser) -> None:
    _add_network(parser)
    parser.add_argument(
        "--layer",
        dest="layers",
        metavar="PATH",
        nargs="+",
        default=(),
        help="attention layers, or containers of one each; default: all. PATH.extra has the class "
        "token and registers as queries",
    )
    _add_unit(parser)
    _add_input_size(parser)
    erf_arguments.add_measuring_options(parser)
    _add_output(parser, "the maps of the query as .npz, or distances and maps as .png, .svg, .pdf")
    parser.add_argument(
        "--format",
        choices=(*FORMATS, *ATTENTION),
        default="table",
        help="of what is printed, default: table; or of the file, default: by its ending",
    )


def _add_experiment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        help="a shipped experiment, or the path of a recipe; without it, they are listed",
    )
    parser.add_argument(
        *("-o", "--output"),
        metavar="FOLDER",
        help="for every row at once, and for results as JSON, CSV, SVG and PNG",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="the same seed gives the same rows"
    )
    parser.add_argument(
        "--init",
        metavar="NAME[:GAIN]",
        help="from what random weights are drawn instead, and how trainings begin, as init in a "
        "recipe: torch (trainings), he_normal, he_uniform, xavier_normal, … as of erf",
    )
    parser.add_argument("--quick", action="store_true", help="few samples and steps, for a look")
    parser.add_argument(
        "--resume", action="store_true", help="go on with what an earlier run left in FOLDER"
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="table",
        help="of what is printed, default: table (csv has all columns of the rows)",
    )
    _add_trust(parser)


def _add_completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="the shell that is to read it")


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command, and that of the window by the empty word."""
    return {"": _window_parser(), **{word: _command_parser(word) for word in COMMANDS}}


def _add_output(parser: argparse.ArgumentParser, text: str, *, required: bool = False) -> None:
    parser.add_argument(
        *("-o", "--output"), metavar="FILE", required=required, help=f"{text}; - is standard output"
    )


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "network",
        metavar="NETWORK",
        help="a preset's name, a YAML file, a .pt2 or a .onnx; - is standard input",
    )
    _add_trust(parser)


def _add_trust(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--trust",
        action="store_true",
        help="run the Python code that NETWORK names, as package.module:callable",
    )


def _add_unit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--unit",
        type=_numbers,
        metavar="Y X",
        help="position in the feature map; default: the centre unit, (h//2, w//2)",
    )


def _add_input_size(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--input-size",
        type=_numbers,
        metavar="H W",
        help="analyse at this input size instead of the file's",
    )


COMMANDS: Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "presets": (
        "List the networks that come with RF Studio.",
        _add_presets,
    ),
    "analyze": (
        (
            "Show size, jump, padding, centre and alignment of the receptive field of "
            "every layer, and what one unit sees."
        ),
        _add_analyze,
    ),
    "erf": (
        "Compute or measure the effective receptive field of one unit.",
        _add_erf,
    ),
    "attention": (
        "Measure how far the heads of attention layers look, and where one query looks.",
        _add_attention,
    ),
    "tiles": (
        (
            "Show the overlap and the period of tiles whose results equal those of the "
            "whole image, and the tiles of an image."
        ),
        _add_tiles,
    ),
    "advise": (
        (
            "Show which layers see all of an object of a given size, which layers add "
            "nothing at this input size, and changes that let more layers see the objects."
        ),
        _add_advise,
    ),
    "figure": (
        "Draw what one unit sees, ready for print, as SVG, PDF or PNG.",
        _add_figure,
    ),
    "compare": (
        "Show several networks side by side.",
        _add_compare,
    ),
    "convert": (
        "Write a network as a YAML file, or as PyTorch source.",
        _add_convert,
    ),
    "experiment": (
        "List experiments that reproduce published findings, or run one.",
        _add_experiment,
    ),
    "completion": (
        (
            "Print a script with which a shell completes commands, options and presets: for bash, "
            "source <(rfstudio completion bash)."
        ),
        _add_completion,
    ),
}
"""The commands by their words: what each does, and what adds its arguments."""
