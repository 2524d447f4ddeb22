"""Models that a recipe of the user names: the window reads their names, the worker imports them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rfstudio.core.errors import RFStudioError
from rfstudio.core.network.architecture import Architecture
from rfstudio.formats.experiments.recipe import Recipe
from rfstudio.formats.files import is_file
from rfstudio.importing.reference import Reference, is_model_file, no_such_file, reference_of
from rfstudio.importing.request import ImportRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModel(Architecture):
    """Takes the place of a model that was not imported; it has no layers.

    Attributes
    ----------
    request
        What imports it.
    """

    request: ImportRequest


def named_model(name: str, size: tuple[int, ...] | None) -> NamedModel:
    """Return what takes the place of the model that a recipe names; none of its code is run.

    Raises
    ------
    RFStudioError
        If there is no such file, or code comes without the size of the image.
    """
    code = reference_of(name)
    file = code.place if code is not None and code.is_file else name
    if (code is None or code.is_file) and not is_file(file):
        raise RFStudioError(no_such_file(file) if code else f"there is no file '{file}'")
    if code is not None and size is None:
        raise RFStudioError(
            f"say for which size of image {code.name} is, as in input_size: [224, 224]"
        )
    if code is None and not is_model_file(file):
        raise RFStudioError(f"'{file}' is no model; name ONNX, .pt2, or code as in model.py:make")
    request = ImportRequest(Path(name) if code is None else code, size)
    return NamedModel(name=name, request=request)


def code_of(recipes: Sequence[Recipe]) -> tuple[Reference, ...]:
    """Return the code that recipes run to make their models, each once."""
    networks = [item.network for x in recipes for item in x.items]
    sources = [x.request.source for x in networks if isinstance(x, NamedModel)]
    return tuple(dict.fromkeys(x for x in sources if isinstance(x, Reference)))
