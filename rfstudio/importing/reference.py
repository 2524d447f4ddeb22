"""Names of what is imported: exported programs, ONNX files, and Python code that makes a model.

Code is ``package.module:callable`` or ``file.py:callable``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

_WORD = r"[^\W\d]\w*"
_CODE = re.compile(rf"(?P<place>{_WORD}(\.{_WORD})*|.*\.py):(?P<name>{_WORD}(\.{_WORD})*)")


PYTHON = ".py"
"""How names of files of Python end."""

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
        return self.place.endswith(PYTHON)

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


def likeliest(path: str, source: str) -> str:
    r"""Return a file of Python with the name in it that most likely makes the model: the last.

    Examples
    --------
    >>> likeliest("net.py", "class Block(Module): ...\nclass Net(Module): ...")
    'net.py:Net'
    """
    names = _DEFINED.findall(source)
    return f"{path}:{names[-1] if names else ''}"


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


def no_such_file(path: str) -> str:
    """Return a sentence that says that there is no such file of Python, and which is meant."""
    files = [x.name for x in Path(path).parent.glob("*.py")]
    near = get_close_matches(Path(path).name, files, n=1)
    return f"there is no file '{path}'" + (f"; did you mean '{near[0]}'?" if near else "")


def is_exported_program(path: str | Path) -> bool:
    """Whether a path is that of an exported program, by its name."""
    return Path(path).suffix.lower() == PT2


def is_onnx(path: str | Path) -> bool:
    """Whether a path is that of an ONNX file, by its name."""
    return Path(path).suffix.lower() == ONNX


def is_model_file(path: str | Path) -> bool:
    """Whether a path is that of a model that is imported as data, by its name."""
    return is_exported_program(path) or is_onnx(path)
