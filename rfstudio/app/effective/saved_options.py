"""The options of measuring, saved from one run of the program to the next."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from rfstudio.app.effective.erf_options import ErfOptions
from rfstudio.app.effective.measuring_options import OPTIONS, Option
from rfstudio.app.state.settings import Settings
from rfstudio.core.errors import RFStudioError
from rfstudio.core.initialisations import initialisation
from rfstudio.engine.requests.request import FIXED_WEIGHTS, OWN_WEIGHTS

_KEY = "measuring"

_FORGOTTEN = ("channel",)
"""A number of a channel means nothing in the network that is open next time."""

_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")


def remember(settings: Settings, options: ErfOptions) -> None:
    """Write all options that have a meaning in the next run."""
    for field in fields(ErfOptions):
        if field.name in _FORGOTTEN:
            continue
        value = getattr(options, field.name)
        settings.set(f"{_KEY}/{field.name}", "" if value is None else str(value))


def remembered(settings: Settings) -> ErfOptions:
    """Return the options of the last run; whatever is missing or makes no sense is the default.

    Files are not looked for here: one that is gone stays chosen, and the panel says so.
    """
    found: dict[str, Any] = {}
    for option in OPTIONS:
        if option.name in _FORGOTTEN:
            continue
        value = _understood(option, settings.text(f"{_KEY}/{option.name}"))
        if value is not None:
            found[option.name] = value
    folder = settings.text(f"{_KEY}/folder")
    if folder:
        found["folder"] = Path(folder)
    elif found.get("inputs") == "folder":
        del found["inputs"]
    return replace(ErfOptions(), **found)


def texts_of(options: ErfOptions) -> dict[str, str]:
    """Return all options as texts, for a file."""
    values = {x.name: getattr(options, x.name) for x in fields(ErfOptions)}
    return {name: "" if value is None else str(value) for name, value in values.items()}


def options_of(texts: Mapping[str, str]) -> ErfOptions | None:
    """Return the options that texts mean; None if one is missing or makes no sense."""
    folder = texts.get("folder", "")
    found: dict[str, Any] = {"folder": Path(folder) if folder else None}
    for option in OPTIONS:
        text = texts.get(option.name, "")
        if option.none and not text:
            continue
        is_own = option.name == "weights" and text == OWN_WEIGHTS
        found[option.name] = text if is_own else _understood(option, text)
        if found[option.name] is None:
            return None
    return replace(ErfOptions(), **found)


def _understood(option: Option, text: str) -> Any:
    """Return the value that a text means; None if the option has no such value."""
    if option.name == "device":
        return text if _DEVICE.fullmatch(text) else None
    if option.name == "weights":
        if text == OWN_WEIGHTS:  # of a model that is not open any more
            return None
        return text if text in FIXED_WEIGHTS or Path(text).is_absolute() else None
    if option.name == "init":
        try:
            return initialisation(text).text if text else None
        except RFStudioError:
            return None
    if option.choices:
        return text if text in {x.value for x in option.choices} else None
    try:
        number = float(text) if option.decimals else int(text)
    except ValueError:
        return None
    # NaN fails both comparisons.
    return number if option.least <= number <= option.most else None
