"""Names of what is imported: exported programs, ONNX files, and Python code that makes a model.

Code is ``package.module:callable`` or ``file.py:callable``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_WORD = r"[^\W\d]\w*"
_CODE = re.compile(rf"(?P<place>{_WORD}(\.{_WORD})*|.*\.py):(?P<name>{_WORD}(\.{_WORD})*)")


PT2 = ".pt2"
"""How names of exported programs end."""

ONNX = ".onnx"
"""How names of ONNX files end."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Something in a module or in a file.

    Attributes
    ----------
    place
        The name of the module, or the path of the file.
    name
        What in it; with dots, an attribute of an attribute.
    """

    place: str
    name: str

    @property
    def is_file(self) -> bool:
        """Whether it is in a file."""
        return self.place.endswith(".py")

    def what_would_run(self) -> str:
        """Return a sentence that says which code it takes to make the model."""
        verb = "run the file" if self.is_file else "import the module"
        return f"this would {verb} {self.place} and call {self.name} of it"


def reference_of(text: str) -> Reference | None:
    """Return the code that a text names; None: it names none.

    Examples
    --------
    >>> reference_of("torchvision.models:resnet18").name
    'resnet18'
    >>> reference_of("vgg16") is None
    True
    """
    found = _CODE.fullmatch(text)
    return None if found is None else Reference(found["place"], found["name"])


_DEFINED = re.compile(r"^(?:class|def) (\w+)", re.MULTILINE)
_MOST_NAMES = 5


def without_a_name(path: str, source: str) -> str:
    """Return a sentence that says how to name the model that a file of Python makes.

    Examples
    --------
    >>> without_a_name("net.py", "class Net(Module): ...")
    "'net.py' is Python code; say what in it makes the model, as in net.py:Net"
    """
    names = _DEFINED.findall(source) or ["make"]
    few = ", ".join(names[-_MOST_NAMES:])
    others = f" (it has {'… ' if len(names) > _MOST_NAMES else ''}{few})" if len(names) > 1 else ""
    return (
        f"'{path}' is Python code; say what in it makes the model, as in {path}:{names[-1]}{others}"
    )


def is_exported_program(path: str | Path) -> bool:
    """Whether a path is that of an exported program, by its name."""
    return Path(path).suffix.lower() == PT2


def is_onnx(path: str | Path) -> bool:
    """Whether a path is that of an ONNX file, by its name."""
    return Path(path).suffix.lower() == ONNX


def is_model_file(path: str | Path) -> bool:
    """Whether a path is that of a model that is imported as data, by its name."""
    return is_exported_program(path) or is_onnx(path)
