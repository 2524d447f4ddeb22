"""Why work has failed, as a sentence for the user."""

from __future__ import annotations

from rfstudio.core.errors import RFStudioError


def failure_sentence(error: Exception) -> str:
    """Return why something has failed; of a fault of the program itself with its type."""
    is_expected = isinstance(error, RFStudioError)
    text = str(error) if is_expected else f"{type(error).__name__}: {error}"
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
