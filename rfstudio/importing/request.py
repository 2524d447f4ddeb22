"""What the window imports: a file of a model, or code that its user agreed to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rfstudio.importing.reference import Reference


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """One import.

    Attributes
    ----------
    source
        An exported program or an ONNX file; or code, which is run, so the user must have agreed.
    input_size
        Size of the image that a module is imported for; None: as the file has it.
    """

    source: Path | Reference
    input_size: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """What is imported, in short."""
        source = self.source
        return source.name if isinstance(source, Path) else f"{source.place}:{source.name}"
