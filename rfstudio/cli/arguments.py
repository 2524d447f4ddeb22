"""What the command line accepts.

Nothing that computes is imported here, so that help and the version cost nothing.
"""

from __future__ import annotations

import argparse
import difflib
import re
from pathlib import Path
from typing import NoReturn

from rfstudio import __version__
from rfstudio.cli import erf_arguments
from rfstudio.core.errors import shown

_DESCRIPTION = """\
Shows exactly what a unit of a vision network sees.

NETWORK is the name of a preset (rfstudio presets) or the path of a YAML file or of an exported
program (.pt2); for commands also package.module:callable or file.py:callable, code that makes a
torch module, with --trust and --input-size.
"""

_EPILOGUE = """\
commands that need no display:
  rfstudio presets                     list the networks that come with the program
  rfstudio analyze NETWORK             receptive fields of all layers, as a table, JSON, CSV …
  rfstudio erf NETWORK --layer PATH    the effective receptive field of one unit
  rfstudio tiles NETWORK               overlap and layout of tiles that equal the whole image
  rfstudio advise NETWORK              which layers see objects of a given size, and what to change
  rfstudio figure NETWORK --layer PATH --output FILE.svg|.pdf|.png
  rfstudio compare NETWORK NETWORK …   several networks side by side
  rfstudio convert NETWORK --output FILE.yaml|.py

rfstudio COMMAND --help shows more.  Exit status: 0 done, 1 a problem in the input, 2 wrong usage,
130 interrupted.
"""

FORMATS = ("table", "json", "csv", "markdown", "latex")
"""The words of the formats of a table."""

_NUMBERS = ("--unit", "--input-size", "--pixel", "--units", "--tile", "--image", "--object")
_POSITION = r"-?\d+([,x×:]-?\d+)*,?"


_LONGEST_LINE = 2000
"""Characters of a message that are printed: what it quotes may be a megabyte long."""


def fit_to_print(line: str) -> str:
    """Return a line of a message without its middle if it is very long.

    Text from a file or an argument, such as the name of a layer, must not control the terminal:
    what cannot be printed is shown as Python writes it.
    """
    if len(line) > _LONGEST_LINE:
        half = _LONGEST_LINE // 2
        line = f"{line[:half]} … {line[-half:]}"
    return shown(line, len(line))


class _Parser(argparse.ArgumentParser):
    """A parser whose messages are fit to print, whatever they quote."""

    def error(self, message: str) -> NoReturn:
        super().error(fit_to_print(message))


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the arguments, with `command` being its word, or None for the window.

    Raises
    ------
    SystemExit
        After printing, if help was requested or the usage is wrong.
    """
    argv = _with_joined_numbers(argv)
    if argv and argv[0] in COMMANDS:
        return _command_parser().parse_args(argv)
    parser = _window_parser()
    arguments, rest = parser.parse_known_args(argv)
    if rest:
        near = difflib.get_close_matches(argv[0], COMMANDS, n=1)
        if near and not argv[0].startswith("-"):
            parser.error(f"there is no command '{argv[0]}'; did you mean '{near[0]}'?")
        parser.error(f"unexpected: {' '.join(rest)}")
    return arguments


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
        raise argparse.ArgumentTypeError(f"takes whole numbers, one per axis, not '{text}'")
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


def _window_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="rfstudio",
        usage="rfstudio [NETWORK] [--image FILE]\n       rfstudio COMMAND …",
        description=_DESCRIPTION,
        epilog=_EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("network", metavar="NETWORK", nargs="?", help="opened in the window")
    parser.add_argument("--image", type=Path, metavar="FILE", help="the photo to draw on")
    parser.add_argument("--version", action="version", version=f"rfstudio {__version__}")
    parser.set_defaults(command=None)
    return parser


def _command_parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = _Parser(prog="rfstudio", description=_DESCRIPTION)
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name, add in COMMANDS.items():
        add(subparsers, name)
    return parser


def _add_presets(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str
) -> None:
    subparsers.add_parser(name, description="List the networks that come with RF Studio.")


def _add_analyze(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str
) -> None:
    parser = subparsers.add_parser(
        name,
        description="Show size, jump, padding, centre and alignment of the receptive field of "
        "every layer, and what one unit sees.",
    )
    _add_network(parser)
    parser.add_argument("--layer", metavar="PATH", help="a layer or container: only this one")
    _add_unit(parser)
    parser.add_argument(
        "--reference",
        metavar="PATH",
        default="input",
        help="give all fields with respect to this feature map instead of the input",
    )
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
    parser.add_argument(
        "--batch-norm-training",
        action="store_true",
        help="batch norm takes its statistics from the map, and so sees all of it",
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


def _add_tiles(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str) -> None:
    parser = subparsers.add_parser(
        name,
        description="Show the overlap and the period of tiles whose results equal those of the "
        "whole image, and the tiles of an image.",
    )
    _add_network(parser)
    parser.add_argument("--layer", metavar="PATH", help="default: the last layer")
    parser.add_argument(
        "--tile", type=_numbers, metavar="H W", help="largest tile that is read, with its overlap"
    )
    parser.add_argument("--image", type=_numbers, metavar="H W", help="size of the image to cut")
    _add_input_size(parser)
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="default: table"
    )


def _add_advise(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str) -> None:
    parser = subparsers.add_parser(
        name,
        description="Show which layers see all of an object of a given size, which layers add "
        "nothing at this input size, and changes that let more layers see the objects.",
    )
    _add_network(parser)
    parser.add_argument(
        "--object", type=_numbers, metavar="H W", help="size of the objects; default: 32 each"
    )
    parser.add_argument(
        "--objects", type=Path, metavar="FILE", help="a COCO file with boxes instead"
    )
    _add_input_size(parser)
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="default: table"
    )


def _add_figure(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str) -> None:
    parser = subparsers.add_parser(
        name, description="Draw what one unit sees, ready for print, as SVG, PDF or PNG."
    )
    _add_network(parser)
    parser.add_argument("--layer", metavar="PATH", required=True, help="a layer or container")
    _add_unit(parser)
    _add_input_size(parser)
    parser.add_argument("--image", type=Path, metavar="FILE", help="default: a sample photo")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", required=True, help="ends in .svg, .pdf or .png"
    )
    parser.add_argument("--dpi", type=int, default=300, metavar="N", help="default: 300")
    parser.add_argument(
        "--width", type=float, default=120.0, metavar="MM", help="in millimetres; default: 120"
    )
    parser.add_argument("--colour", action="store_true", help="keep the colours of the photo")


def _add_compare(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str
) -> None:
    parser = subparsers.add_parser(name, description="Show several networks side by side.")
    parser.add_argument("networks", metavar="NETWORK", nargs="+", help="presets or YAML files")
    _add_trust(parser)
    _add_input_size(parser)
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="also draw size against depth, as .svg, .pdf or .png",
    )


def _add_convert(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str
) -> None:
    parser = subparsers.add_parser(
        name, description="Write a network as a YAML file, or as PyTorch source."
    )
    _add_network(parser)
    _add_input_size(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE", required=True, help="ends in .yaml or .py"
    )


def _add_erf(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], name: str) -> None:
    parser = subparsers.add_parser(
        name, description="Compute or measure the effective receptive field of one unit."
    )
    _add_network(parser)
    parser.add_argument("--layer", metavar="PATH", required=True, help="a layer or container")
    _add_unit(parser)
    _add_input_size(parser)
    erf_arguments.add_options(parser)


def _add_network(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("network", metavar="NETWORK", help="a preset's name, a YAML file or a .pt2")
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


COMMANDS = {
    "presets": _add_presets,
    "analyze": _add_analyze,
    "erf": _add_erf,
    "tiles": _add_tiles,
    "advise": _add_advise,
    "figure": _add_figure,
    "compare": _add_compare,
    "convert": _add_convert,
}
