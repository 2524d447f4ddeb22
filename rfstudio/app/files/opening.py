"""The network that the window opens with: the one requested, the last one, or VGG-16."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from rfstudio.app.files.importing import with_a_name
from rfstudio.app.files.presets import START, read_preset
from rfstudio.app.state.document import read_network
from rfstudio.app.state.settings import Settings
from rfstudio.core.errors import FormatError, Problem, RFStudioError, shown
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.networks.presets import names, open_network
from rfstudio.importing.reference import PYTHON, is_model_file, reference_of

LAST = "session/network"
"""Setting of the network that was open last: a path, or a preset's name."""


_CHOICE = "session/choice"
"""Setting of what was chosen last: the layer, then the unit's position."""

_POSITION = re.compile("[0-9]{1,9}")
"""A position along an axis; Python refuses to read numbers of thousands of digits."""


def remember_choice(settings: Settings, layer: str, unit: tuple[int, ...]) -> None:
    """Remember which unit was chosen when the window was closed."""
    settings.set(_CHOICE, [layer, *map(str, unit)])


def remembered_choice(settings: Settings) -> tuple[str, tuple[int, ...]] | None:
    """Return the layer and the unit that were chosen last; None if that is not known."""
    layer, *unit = settings.texts(_CHOICE) or [""]
    if not layer or not all(_POSITION.fullmatch(x) for x in unit):
        return None
    return layer, tuple(map(int, unit))


class Opening(NamedTuple):
    """A network to begin with.

    Attributes
    ----------
    architecture, path
        The network and its file, if it has one.
    preset
        The preset's name, if it is one.
    wanted, problems
        A requested file that could not be opened, and why.
    why_not_last
        Why it is not the network that was open last; empty if it is, or if there was none.
    program
        A file of a model to import as soon as the window is shown.
    code
        Code that makes a model, about which the window must ask first.
    """

    architecture: Architecture
    path: Path | None = None
    preset: str = ""
    wanted: Path | None = None
    problems: tuple[Problem, ...] = ()
    why_not_last: str = ""
    program: Path | None = None
    code: str = ""


def opening_for(network: str | None, settings: Settings) -> Opening:
    """Return what to begin with.

    Parameters
    ----------
    network
        A preset's name or a path; None: what was open last.
    settings
        What is remembered.

    Raises
    ------
    RFStudioError
        If there is neither such a preset nor such a file; a file with mistakes raises nothing,
        its problems are listed.
    """
    if network is None:
        return _last(settings)
    if network in names():
        return Opening(read_preset(network), preset=network)
    path = Path(network)
    if not _is_there(path):
        if reference_of(network):
            return Opening(read_preset(START), preset=START, code=network)
        return Opening(open_network(network))  # which says that it is gone, or the nearest name
    if is_model_file(path):
        return Opening(read_preset(START), preset=START, program=path)
    if path.suffix == PYTHON:  # it is shown, and runs when that is agreed to
        return Opening(read_preset(START), preset=START, code=with_a_name(path))
    try:
        return Opening(read_network(path), path)
    except FormatError as error:
        return Opening(read_preset(START), None, START, path, error.problems)


def _last(settings: Settings) -> Opening:
    known = settings.text(LAST)
    why_not_last = ""
    if (
        known and not reference_of(known) and not known.endswith(PYTHON)
    ):  # code is never run without being named
        try:
            return opening_for(known, settings)
        except RFStudioError as error:  # it was moved, deleted or locked since
            why_not_last = f"what was open last is not shown: {shown(str(error), 500)}"
    return Opening(read_preset(START), preset=START, why_not_last=why_not_last)


def _is_there(path: Path) -> bool:
    """Whether there is a file, also one that cannot be read; reading it says why."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except ValueError:  # a null character in the name
        return False
    except OSError:
        return True
    return True
