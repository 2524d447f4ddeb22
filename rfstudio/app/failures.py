"""Why work has failed, as a sentence for the user, and all that is known of it."""

from __future__ import annotations

from rfstudio.core.errors import RFStudioError


def failure_words(error: Exception) -> str:
    """Return why something has failed; of a fault of the program itself with its type."""
    return str(error) if isinstance(error, RFStudioError) else f"{type(error).__name__}: {error}"


def failure_sentence(error: Exception) -> str:
    """Return the same as a sentence."""
    text = failure_words(error)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def failure_details(error: Exception) -> str:
    """Return why something has failed with its traceback, if that came along, to be reported."""
    notes: list[str] = getattr(error, "__notes__", [])
    return "\n\n".join([failure_sentence(error), *notes])
