"""Models made by Python code, which is run here: only for code that the user trusts."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from difflib import get_close_matches
from functools import reduce
from pathlib import Path
from types import ModuleType

from torch import nn

from rfstudio.core.errors import RFStudioError
from rfstudio.importing.reference import Reference


def module_from(reference: Reference) -> nn.Module:
    """Return the torch module that a name in Python code refers to, or makes when it is called.

    Raises
    ------
    RFStudioError
        If there is no such code, it fails, or it makes something else.
    """
    try:
        place = _run_file(reference.place) if reference.is_file else _imported(reference.place)
        found = reduce(getattr, reference.name.split("."), place)
        made = found() if callable(found) and not isinstance(found, nn.Module) else found
    except Exception as error:
        text = f"{reference.place}:{reference.name} cannot be made: {type(error).__name__}: {error}"
        raise RFStudioError(text + _hint(reference, error)) from error
    if not isinstance(made, nn.Module):
        kind = type(made).__name__
        raise RFStudioError(f"{reference.name} makes no torch module, but something of type {kind}")
    return made


def _hint(reference: Reference, error: Exception) -> str:
    """Return what may help: the right name, a way without arguments, or the line of the file."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType) and len(frames) == 1:
        near = get_close_matches(error.name or "", vars(error.obj), n=1)
        return f"; did you mean {reference.place}:{near[0]}?" if near else ""
    if isinstance(error, TypeError) and len(frames) == 1:  # the call itself
        return "; it is called without arguments: name a function without any that makes the model"
    if reference.is_file:
        file = str(Path(reference.place).resolve())
        lines = [x.lineno for x in frames if x.filename == file]
        return f" ({reference.place}, line {lines[-1]})" if lines else ""
    return ""


def _imported(name: str) -> ModuleType:
    """Return a module, also of the current folder, where `python` finds it, too."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(name)


def _run_file(path: str) -> ModuleType:
    """Return a file as a module, which may import files of its folder, as a script may."""
    file = Path(path).resolve()
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"no Python file: {path}")
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(file.stem, module)  # dataclasses of the file look it up there
    spec.loader.exec_module(module)
    return module
